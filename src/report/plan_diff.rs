//! Two plans side by side.

use serde_json::{Value, json};

use super::names;
use super::paint::{Look, Page};
use super::plan_text::{TextOptions, count, look};
use super::values::inline;
use super::view;
use crate::diff::Change;
use crate::plan::{Difference, Excess, Plan, differences, excess};

/// Version of the JSON. New keys do not raise it.
const VERSION: u32 = 1;

/// What `second` does otherwise than `first`, and beyond it, as text.
pub fn plan_diff_text(first: &Plan, second: &Plan, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    let found = differences(first, second);
    let beyond = excess(first, second);
    page.put(Look::Bold, &format!("Plans for {}", second.site)).end();
    for (which, plan) in [("first", first), ("second", second)] {
        page.to(2).put(Look::Dim, which).to(10).text(&plan.digests.plan).end();
        if let Some(preview) = &plan.preview {
            page.to(10).words(Look::Cyan, &format!("PREVIEW of {}", view::compared(preview)), 10).end();
        }
    }
    page.gap();
    if first.digests.plan == second.digests.plan {
        page.put(Look::Green, "They are the same plan.").end();
        return page.finish();
    }
    if found.is_empty() {
        page.text("They change the same things in the same way.").end();
    } else {
        page.put(Look::Bold, &format!("{} changed differently", count(found.len(), "resource"))).end();
    }
    // Like differences of many nodes stand on one line.
    let mut lines: Vec<(Line, Vec<&str>)> = Vec::new();
    for difference in &found {
        let (line, change) = line(difference);
        match lines.iter_mut().find(|(l, _)| change.node.is_some() && *l == line) {
            Some((_, nodes)) => nodes.push(change.node.as_deref().unwrap_or("")),
            None => lines.push((line, change.node.as_deref().into_iter().collect())),
        }
    }
    for (line, nodes) in &lines {
        page.to(2).put(line.look, line.sign).to(6);
        if nodes.len() > 1 {
            let pieces = names::pieces(nodes.iter().copied(), "..", if options.verbose { usize::MAX } else { 8 });
            page.put(Look::Bold, &format!("node.{{{}}}{}", pieces.join(", "), line.suffix));
            page.put(Look::Bold, &format!("  ×{}", nodes.len()));
        } else if let [node] = nodes.as_slice() {
            page.put(Look::Bold, &format!("node.{node}{}", line.suffix));
        } else {
            page.put(Look::Bold, &line.address);
        }
        page.text("  ").put(line.look, &line.effect).end();
        for text in &line.attributes {
            page.to(8).words(Look::Plain, text, 10).end();
        }
    }
    page.gap();
    if beyond.is_empty() {
        page.put(Look::Green, "The second does nothing beyond the first.").end();
    } else {
        page.put(Look::BoldRed, "The second goes beyond the first").end();
        for Excess { resource, what } in grouped(&beyond) {
            page.to(2).put(Look::Bold, &resource).text("  ").words(Look::Plain, &what, 6).end();
        }
    }
    page.finish()
}

/// Like excesses of many nodes as one.
fn grouped(beyond: &[Excess]) -> Vec<Excess> {
    let mut out: Vec<(String, String, Vec<&str>)> = Vec::new();
    for excess in beyond {
        let node = excess.resource.strip_prefix("node.").and_then(|rest| rest.split('/').next());
        let suffix = node.map(|n| excess.resource["node.".len() + n.len()..].to_owned());
        match (node, suffix) {
            (Some(node), Some(suffix)) => {
                match out.iter_mut().find(|(s, what, nodes)| *s == suffix && *what == excess.what && !nodes.is_empty()) {
                    Some((.., nodes)) => nodes.push(node),
                    None => out.push((suffix, excess.what.clone(), vec![node])),
                }
            }
            _ => out.push((excess.resource.clone(), excess.what.clone(), Vec::new())),
        }
    }
    out.into_iter()
        .map(|(suffix, what, nodes)| match nodes.as_slice() {
            [] => Excess { resource: suffix, what },
            [node] => Excess { resource: format!("node.{node}{suffix}"), what },
            many => {
                let pieces = names::pieces(many.iter().copied(), "..", 12);
                Excess { resource: format!("node.{{{}}}{suffix}", pieces.join(", ")), what }
            }
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct Line {
    sign: &'static str,
    look: Look,
    /// Of what belongs to no node.
    address: String,
    suffix: String,
    effect: String,
    attributes: Vec<String>,
}

fn line<'p>(difference: &Difference<'p>) -> (Line, &'p Change) {
    let (sign, color, change, effect) = match difference {
        Difference::OnlyFirst(c) => ("-", Look::Red, *c, format!("{}, only in the first", c.effect)),
        Difference::OnlySecond(c) => ("+", Look::Green, *c, format!("{}, only in the second", c.effect)),
        Difference::Both { first, second, .. } if first.effect == second.effect => {
            ("~", look(second.effect), *second, second.effect.to_string())
        }
        Difference::Both { first, second, .. } => ("~", look(second.effect), *second, format!("{} → {}", first.effect, second.effect)),
    };
    let attributes = match difference {
        Difference::Both { first, second, attributes } => {
            let said = |change: &Change, path: &str| {
                let Some(attribute) = change.attributes.iter().find(|a| a.path == path) else { return "unchanged".to_owned() };
                let side = |value: &Option<Value>| {
                    value.as_ref().map_or_else(|| "none".to_owned(), |v| super::values::cut(&inline(v), 80).into_owned())
                };
                format!("{} → {}", side(&attribute.before), side(&attribute.after))
            };
            attributes.iter().map(|path| format!("{path}: first {}; second {}", said(first, path), said(second, path))).collect()
        }
        _ => Vec::new(),
    };
    let node = change.node.as_deref().unwrap_or("");
    let suffix = change.resource.strip_prefix("node.").and_then(|rest| rest.strip_prefix(node)).unwrap_or("").to_owned();
    // A node's name is no part of what is alike.
    let address = if change.node.is_some() { String::new() } else { change.resource.clone() };
    (Line { sign, look: color, address, suffix, effect, attributes }, change)
}

/// The same as JSON.
pub fn plan_diff_json(first: &Plan, second: &Plan) -> Value {
    let differences: Vec<Value> = differences(first, second)
        .iter()
        .map(|difference| match difference {
            Difference::OnlyFirst(c) => json!({"resource": c.resource, "in": "first", "first": c}),
            Difference::OnlySecond(c) => json!({"resource": c.resource, "in": "second", "second": c}),
            Difference::Both { first, second, attributes } => {
                json!({"resource": first.resource, "in": "both", "attributes": attributes, "first": first, "second": second})
            }
        })
        .collect();
    let beyond: Vec<Value> = excess(first, second).iter().map(|e| json!({"resource": e.resource, "what": e.what})).collect();
    json!({
        "version": VERSION,
        "first": first.digests,
        "second": second.digests,
        "previews": {"first": first.preview, "second": second.preview},
        "same": first.digests.plan == second.digests.plan,
        "differences": differences,
        "beyond": beyond,
    })
}

#[cfg(test)]
mod tests {
    use super::{plan_diff_json, plan_diff_text};
    use crate::report::plan_tests::golden;
    use crate::report::{TextOptions, plan_samples as samples};

    #[test]
    fn what_differs_is_grouped_and_what_goes_beyond_is_named() {
        let first = samples::fleet(40);
        let mut second = samples::fleet(80);
        second.digests.plan = "8".repeat(64);
        second.changes.remove(0);
        let text = plan_diff_text(&first, &second, &TextOptions::default());
        golden("fleet.diff.txt", &text);
        assert!(text.lines().count() < 40, "{text}");
        let json = plan_diff_json(&first, &second);
        assert_eq!(json["differences"].as_array().map(Vec::len), Some(41));
        assert!(json["beyond"].as_array().is_some_and(|b| !b.is_empty()));
        let back = plan_diff_text(&second, &first, &TextOptions::default());
        assert!(back.contains("goes beyond the first") && back.contains("fabric.default"), "{back}");
        let same = plan_diff_text(&first, &first, &TextOptions::default());
        assert!(same.ends_with("They are the same plan.\n"), "{same}");
    }
}

//! A plan as workflow commands of GitHub Actions: each line of the design that causes a change is annotated with what it causes.
//!
//! GitHub shows ten warnings and ten notices of a step, so the worst come first, and one line of the design has one annotation whatever the number of nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::diagnostics::Paths;
use super::diagnostics::github::{data, property};
use super::names;
use super::place::place;
use super::plan_head::impact_pieces;
use super::plan_text::count;
use super::policy;
use super::view::{self, Verdict};
use crate::action::Effect;
use crate::plan::{Plan, Standing};

/// Names of nodes in an annotation, or of attributes.
const NAMES: usize = 8;

#[derive(Debug, Default)]
struct Cause<'p> {
    effect: Option<Effect>,
    attributes: BTreeSet<&'p str>,
    nodes: BTreeSet<&'p str>,
    resources: BTreeSet<&'p str>,
    reasons: BTreeSet<&'p str>,
}

/// The plan as annotations and a summary line. `paths` tell how files are named from the root of the repository; `approvals` how its approvals stand, if that is known.
pub fn plan_github(plan: &Plan, paths: &Paths, approvals: &[Standing]) -> String {
    let mut causes: BTreeMap<(String, u32), Cause> = BTreeMap::new();
    // Lines of the base are in no file that can be annotated.
    let mut gone: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for change in &plan.changes {
        for attribute in &change.attributes {
            let source = attribute.source.as_deref();
            if let Some(at) = plan.preview.as_ref().and_then(|preview| preview.of_base(source?)) {
                gone.entry(&change.resource).or_default().insert(format!("{} ({at})", attribute.path));
                continue;
            }
            let Some((file, line)) = source.and_then(place) else { continue };
            let cause = causes.entry((paths.shown(file).into_owned(), line)).or_default();
            cause.effect = cause.effect.max(Some(attribute.effect));
            cause.attributes.insert(&attribute.path);
            match change.node.as_deref() {
                Some(node) => cause.nodes.insert(node),
                None => cause.resources.insert(&change.resource),
            };
            if !attribute.reason.is_empty() {
                cause.reasons.insert(&attribute.reason);
            }
        }
    }
    let mut causes: Vec<((String, u32), Cause)> = causes.into_iter().collect();
    causes.sort_by_key(|(_, cause)| (std::cmp::Reverse(cause.effect), std::cmp::Reverse(cause.nodes.len())));
    let mut out = String::new();
    for ((file, line), cause) in causes {
        let effect = cause.effect.unwrap_or(Effect::None);
        let level = if effect >= Effect::Reboot { "warning" } else { "notice" };
        let mut lines = vec![format!("changes {}", some(&cause.attributes))];
        if !cause.nodes.is_empty() {
            lines.push(format!("of {}: {}", count(cause.nodes.len(), "node"), some(&cause.nodes)));
        }
        if !cause.resources.is_empty() {
            lines.push(format!("of {}", some(&cause.resources)));
        }
        lines.extend(cause.reasons.iter().take(2).map(|reason| format!("because {reason}")));
        let text: Vec<String> = lines.iter().map(|line| data(line)).collect();
        let title = property(&format!("{effect}: {}", count(cause.nodes.len() + cause.resources.len(), "resource")));
        let _ = writeln!(out, "::{level} file={},line={line},title=drydock plan%3A {title}::{}", property(&file), text.join("%0A"));
    }
    for (resource, attributes) in gone {
        let attributes = some(&attributes.iter().map(String::as_str).collect());
        let text = data(&format!("{resource} loses {attributes} of the base"));
        let _ = writeln!(out, "::notice title=drydock plan%3A removed::{text}");
    }
    for line in policy::denials(&plan.policy.denied) {
        let _ = writeln!(out, "::error title=drydock plan%3A refused by policy::{}", data(&line));
    }
    for line in policy::still_needed(&plan.policy, approvals) {
        let _ = writeln!(out, "::notice title=drydock plan%3A needs approval::{}", data(&line));
    }
    let pieces = impact_pieces(plan).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ");
    let said = match view::verdict(plan) {
        Verdict::Changes => pieces,
        Verdict::NoChanges if plan.preview.is_some() => view::unchanged(plan).to_owned(),
        Verdict::NoChanges => "no changes".to_owned(),
        Verdict::NothingPlanned => format!("nothing can be done now: {}", super::plan_head::open(plan)),
    };
    let said = match &plan.preview {
        Some(preview) => format!("{said}; preview of {}, {}", view::compared(preview), view::NO_SITE),
        None => said,
    };
    let _ = writeln!(out, "::notice title=drydock plan::{}", data(&format!("{}: {said}; digest {}", plan.site, plan.digests.plan)));
    out
}

fn some(names: &BTreeSet<&str>) -> String {
    names::pieces(names.iter().copied(), "..", NAMES).join(", ")
}

#[cfg(test)]
mod tests {
    use super::plan_github;
    use crate::report::diagnostics::Paths;
    use crate::report::{plan_samples as samples, plan_tests::golden};

    #[test]
    fn each_line_that_causes_something_is_annotated_once() {
        let paths = Paths { root: "/r".to_owned(), folder: "sites/dc1".to_owned(), fallback: None };
        let text = plan_github(&samples::fleet(40), &paths, &[]);
        golden("fleet_40.github.txt", &text);
        let plan = samples::governed();
        golden("governed.github.txt", &plan_github(&plan, &paths, &[]));
        // What is given is not asked for.
        let open = plan_github(&plan, &paths, &samples::standing(&plan));
        assert_eq!(
            (open.matches("needs approval::").count(), open.contains("1 missing; approved by alice@example.net")),
            (1, true),
            "{open}"
        );
        assert_eq!(text.lines().filter(|l| l.starts_with("::warning file=sites/dc1/profiles/base.yaml,line=35,")).count(), 1, "{text}");
        assert!(text.lines().next().is_some_and(|l| l.starts_with("::warning ") && l.contains("redeploy")), "{text}");
    }

    #[test]
    fn text_of_a_design_is_never_a_command() {
        let mut plan = samples::hostile();
        plan.changes[0].reason = "x\n::error::owned".to_owned();
        std::sync::Arc::make_mut(&mut plan.changes[0].attributes[0]).path = "a\r\n::stop-commands::x%0A".to_owned();
        std::sync::Arc::make_mut(&mut plan.changes[0].attributes[1]).source = Some("a,line=9::b\n::error::x.yaml:3:1".to_owned());
        let text = plan_github(&plan, &Paths::default(), &[]);
        let ours = |line: &str| {
            ["::warning ", "::notice ", "::error title=drydock plan%3A refused by policy::"].iter().any(|s| line.starts_with(s))
        };
        assert!(text.lines().all(ours), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        // No text adds a property, or ends them before their time.
        for line in text.lines() {
            let properties = line.split_once(' ').and_then(|(_, rest)| rest.split_once("::")).map(|(properties, _)| properties).unwrap();
            let keys: Vec<&str> = properties.split(',').filter_map(|p| p.split_once('=')).map(|(key, _)| key).collect();
            assert!(keys == ["file", "line", "title"] || keys == ["title"], "{line}");
        }
    }
}

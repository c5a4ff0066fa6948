//! Formats keep their size whatever a plan holds, and say the same wherever and in whatever order they are made.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::plan_tests::golden;
use super::{
    MARKDOWN_LIMIT, MarkdownOptions, TEXT_LIMIT, TextOptions, Times, diagnostics::Paths, plan_github, plan_html, plan_json, plan_markdown,
    plan_samples as samples, plan_text,
};
use crate::action::Effect;
use crate::plan::Plan;
use crate::run::{guessed_ms, rehearse};

fn html(plan: &Plan) -> String {
    let lengths: Vec<u64> = plan.actions.iter().map(|a| guessed_ms(a.kind)).collect();
    plan_html(plan, Times::Expected(&rehearse(plan, &lengths, &BTreeSet::new()).unwrap()), &[])
}

/// A page without its style and its script, which say nothing of the plan.
fn words(plan: &Plan) -> String {
    let page = html(plan);
    let cut = |page: &str, from: &str, to: &str| {
        let start = page.rfind(from).expect(from);
        let end = page[start..].find(to).expect(to) + start;
        format!("{}{}", &page[..start], &page[end..])
    };
    let page = cut(&cut(&page, "<style>", "</style>"), "<script>", "</script>");
    cut(&page, "<meta http-equiv=\"Content-Security-Policy\"", "<meta name=\"viewport\"")
}

/// All formats.
fn formats(plan: &Plan) -> Vec<(&'static str, String)> {
    vec![
        ("txt", plan_text(plan, &TextOptions::default())),
        ("md", plan_markdown(plan, &MarkdownOptions::default())),
        ("github.txt", plan_github(plan, &Paths::default(), &[])),
        ("json", format!("{:#}\n", plan_json(plan, None))),
        ("html", words(plan)),
    ]
}

/// A fleet whose names cannot be folded, whose changes are all unlike, and whose reasons are of this length.
fn unlike(nodes: usize, reason: usize) -> Plan {
    let mut plan = samples::fleet(nodes);
    let name = |n: usize| hex::encode(&Sha256::digest(n.to_string())[..6]);
    let names: std::collections::BTreeMap<String, String> =
        plan.nodes.keys().enumerate().map(|(n, old)| (old.clone(), format!("x{}", name(n)))).collect();
    for (n, change) in plan.changes.iter_mut().enumerate() {
        if let Some(node) = &mut change.node {
            let new = &names[node.as_str()];
            change.resource = change.resource.replacen(node.as_str(), new, 1);
            node.clone_from(new);
            change.reason = format!("{} {}", name(n), "x".repeat(reason));
            for attribute in &mut change.attributes {
                let attribute = Arc::make_mut(attribute);
                attribute.path = format!("{}.{}", attribute.path, name(n));
                attribute.after = Some(json!(format!("{}\n{}", name(n + 1), "line\n".repeat(n % 40))));
            }
        }
    }
    for action in &mut plan.actions {
        if let Some(node) = &mut action.node {
            let new = &names[node.as_str()];
            action.resource = action.resource.replacen(node.as_str(), new, 1);
            node.clone_from(new);
        }
    }
    plan.nodes = plan.nodes.into_iter().map(|(old, stage)| (names[&old].clone(), stage)).collect();
    plan.warnings = (0..nodes).map(|n| format!("warning {}", name(n))).collect();
    plan.blocked = (0..nodes / 3)
        .map(|n| crate::diff::Blocked {
            resource: format!("tag.{}", name(n)),
            reason: format!("reason {}", name(n)),
            hint: "x".repeat(reason),
        })
        .collect();
    plan.policy = samples::policy(&plan);
    plan
}

#[test]
fn texts_and_comments_keep_their_limits_at_any_size() {
    for nodes in [3, 40, 2_000, 10_000] {
        for plan in [samples::fleet(nodes), unlike(nodes, 10)] {
            let text = plan_text(&plan, &TextOptions::default());
            assert!(text.len() <= TEXT_LIMIT, "{nodes} nodes: {} bytes of text", text.len());
            let summary = plan_text(&plan, &TextOptions { summary: true, ..TextOptions::default() });
            assert!(summary.len() <= TEXT_LIMIT, "{nodes} nodes: {} bytes of a summary", summary.len());
            let markdown = plan_markdown(&plan, &MarkdownOptions::default());
            assert!(markdown.len() <= MARKDOWN_LIMIT, "{nodes} nodes: {} bytes of Markdown", markdown.len());
            // What it does to machines is said at any size.
            for (effect, nodes) in super::view::nodes_by_effect(&plan).iter().filter(|(e, _)| *e >= Effect::Reboot) {
                let word = match effect {
                    Effect::Destroy => "destroyed",
                    Effect::Redeploy => "redeployed",
                    _ => "rebooted",
                };
                let said = format!("{} {word}", if nodes.len() == 1 { "1 node".to_owned() } else { format!("{} nodes", nodes.len()) });
                let all = [&text, &summary, &markdown];
                assert!(all.iter().all(|t| t.contains(&said)), "{said:?} is not in\n{text:.2000}");
            }
            assert!(text.contains("next: "), "{text:.2000}");
        }
    }
    let text = plan_text(&unlike(2_000, 10), &TextOptions::default());
    assert!(text.contains("more lines; --verbose shows them all"), "what is left out is counted");
    let verbose = plan_text(&unlike(2_000, 10), &TextOptions { verbose: true, ..TextOptions::default() });
    assert!(!verbose.contains("more lines; --verbose") && verbose.len() > TEXT_LIMIT * 3);
}

#[test]
fn pages_grow_with_their_plan_and_no_faster() {
    let (small, large) = (html(&samples::fleet(1_000)).len(), html(&samples::fleet(10_000)).len());
    assert!(large < small * 11 && large < 4_000_000, "{small} → {large}");
    let (small, large) = (html(&unlike(200, 10)).len(), html(&unlike(2_000, 10)).len());
    assert!(large < small * 11, "{small} → {large}");
}

/// Small plans as they are; of large ones the digest, the size, and what stands first and last.
#[test]
fn formats_at_3_40_and_2000_nodes() {
    let mut large = String::new();
    for nodes in [3, 40, 2_000] {
        let mut plan = samples::fleet(nodes);
        plan.policy = samples::policy(&plan);
        for (format, text) in formats(&plan) {
            if text.len() <= 8_000 {
                golden(&format!("fleet_{nodes}.policy.{format}"), &text);
                continue;
            }
            let cut = |line: &str| line.chars().take(160).collect::<String>();
            let lines: Vec<String> = text.lines().map(cut).collect();
            let _ = writeln!(large, "{nodes} nodes, {format}: {} bytes, SHA-256 {}", text.len(), hex::encode(Sha256::digest(&text)));
            let shown = lines.iter().take(12).chain(lines.iter().rev().take(4).rev());
            for line in shown {
                let _ = writeln!(large, "    {line}");
            }
        }
    }
    golden("fleets.formats.txt", &large);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    /// Any length of any text, any number of nodes.
    #[test]
    fn limits_hold_for_any_plan(nodes in 1_usize..300, reason in 0_usize..3_000, values in proptest::collection::vec(".{0,60}", 1..6)) {
        let mut plan = unlike(nodes, reason);
        let mut values = values.into_iter().cycle();
        for change in &mut plan.changes {
            for attribute in &mut change.attributes {
                Arc::make_mut(attribute).before = Some(json!(values.next().unwrap_or_default().repeat(30)));
            }
        }
        plan.allow = (0..nodes).map(|n| crate::plan::Allowance { effect: Effect::Redeploy, selector: format!("node=n{n}{}", "y".repeat(reason / 10)) }).collect();
        let text = plan_text(&plan, &TextOptions { color: true, ..TextOptions::default() });
        proptest::prop_assert!(text.len() <= TEXT_LIMIT, "{} bytes of text", text.len());
        let markdown = plan_markdown(&plan, &MarkdownOptions::default());
        proptest::prop_assert!(markdown.len() <= MARKDOWN_LIMIT, "{} bytes of Markdown", markdown.len());
    }
}

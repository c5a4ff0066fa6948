//! Plans as comments, compared with the files in `testdata/plans`, and read back.

use std::collections::{BTreeMap, BTreeSet};

use super::nodeset::tests::expand;
use super::{LIMIT, Links, MarkdownOptions, marker, plan_markdown};
use crate::action::Effect;
use crate::plan::Plan;
use crate::report::plan_samples as samples;
use crate::report::plan_tests::golden;

fn options() -> MarkdownOptions {
    MarkdownOptions {
        links: Links {
            template: Some("https://git.example/dc/site/blob/0123abc/{path}#L{line}".to_owned()),
            folder: "sites/dc1".to_owned(),
            base: None,
        },
        commit: Some("0123abc".to_owned()),
        file: Some("plan.json".to_owned()),
        approvals: Vec::new(),
    }
}

/// What a reader sees without opening anything.
fn visible(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line.len() == ticks.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                let markup = without_code(line);
                depth += markup.matches("<details>").count();
                let closed = markup.matches("</details>").count();
                if depth == 0 {
                    out.push_str(line);
                    out.push('\n');
                }
                depth -= closed;
            }
        }
    }
    assert_eq!((depth, fence), (0, None), "something stays open:\n{text}");
    out
}

/// The nodes that a comment's visible part names, by effect class.
fn named(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut class = String::new();
    for line in visible(text).lines() {
        let Some(line) = line.strip_prefix("> ") else { continue };
        if let Some(rest) = line.strip_prefix("**") {
            class = rest.split("**").next().unwrap_or_default().to_owned();
        } else if let Some((_, names)) = line.split_once(" node").filter(|(start, _)| start.contains("rack")) {
            let names = names.split_once(": ").expect("names").1;
            for set in names.split(", ") {
                out.entry(class.clone()).or_default().extend(expand(set.trim_matches('`')));
            }
        }
    }
    out
}

/// What a plan does, without the code that the formats count with.
fn done(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let mut highest: BTreeMap<String, Effect> = BTreeMap::new();
    for change in &plan.changes {
        let Some(node) = &change.node else { continue };
        let entry = highest.entry(node.clone()).or_insert(change.effect);
        *entry = (*entry).max(change.effect);
    }
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (node, effect) in highest.into_iter().filter(|(_, effect)| *effect >= Effect::Reboot) {
        out.entry(effect.name().to_owned()).or_default().insert(node);
    }
    out
}

#[test]
fn comments() {
    for (name, plan) in [
        ("two_nodes.md", samples::two_nodes()),
        ("destructive.md", samples::destructive()),
        ("blocked.md", samples::blocked()),
        ("converged.md", samples::converged()),
        ("hostile.md", samples::hostile()),
        ("fleet_40.md", samples::fleet(40)),
    ] {
        golden(name, &plan_markdown(&plan, &options()));
    }
}

#[test]
fn one_node_is_spoken_of_by_its_name() {
    let mut plan = samples::destructive();
    plan.held_back.truncate(1);
    plan.changes.retain(|c| c.node.as_deref() == Some("n01"));
    plan.actions.retain(|a| a.node.as_deref() == Some("n01"));
    let change = &mut plan.changes[0];
    change.resource.push_str("/kernel_parameters");
    change.attributes.retain(|a| a.path == "kernel_parameters");
    std::sync::Arc::make_mut(&mut change.attributes[0]).effect = Effect::Redeploy;
    let text = plan_markdown(&plan, &options());
    for part in ["**1 node redeployed over what it holds (rack r1).**", "> * because `kernel_parameters`: ", "`--allow redeploy=node=n04`"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let two = plan_markdown(&samples::destructive(), &options());
    assert!(two.contains("2 nodes redeployed over what they hold (racks r1, r2)") && !two.contains("<node>"), "{two}");
}

#[test]
fn the_visible_part_names_exactly_the_nodes_that_are_interrupted() {
    for nodes in [3, 40, 2_000, 10_000] {
        let plan = samples::fleet(nodes);
        let text = plan_markdown(&plan, &options());
        assert!(text.len() <= LIMIT, "{nodes} nodes: {} bytes", text.len());
        let expected = done(&plan);
        assert!(expected.values().map(BTreeSet::len).sum::<usize>() >= nodes * 6 / 10, "the sample interrupts");
        assert_eq!(named(&text), expected, "{nodes} nodes");
    }
}

#[test]
fn policies_are_visible_and_name_no_node() {
    let plan = samples::governed();
    let with = MarkdownOptions { approvals: samples::standing(&plan), ..options() };
    let text = plan_markdown(&plan, &with);
    golden("governed.md", &text);
    assert!(visible(&text).contains("**Refused by policy**") && visible(&text).contains("**Needs approval: 1 missing**"), "{text}");
    // With all approvals it is not asked for any more.
    let mut approved = samples::governed();
    approved.policy.denied.clear();
    let mut with = MarkdownOptions { approvals: samples::standing(&approved), file: Some("plan.json".to_owned()), ..options() };
    assert!(plan_markdown(&approved, &with).contains("drydock approve plan.json"));
    with.approvals.iter_mut().for_each(|s| s.by = (0..s.needed.approvers).map(|n| n.to_string()).collect());
    let text = plan_markdown(&approved, &with);
    assert!(text.contains("**Approved**") && text.contains("To carry out exactly this plan"), "{text}");
    assert!(!text.contains("drydock approve") && !text.contains("Needs approval"), "{text}");
    for nodes in [3, 2_000] {
        let mut plan = samples::fleet(nodes);
        plan.policy = samples::policy(&plan);
        let with = MarkdownOptions { approvals: samples::standing(&plan), ..options() };
        for text in [plan_markdown(&plan, &with), plan_markdown(&plan, &options())] {
            assert!(text.len() <= LIMIT, "{nodes} nodes: {} bytes", text.len());
            assert_eq!(named(&text), done(&plan), "{nodes} nodes");
        }
    }
    // However many rules there are, and however long.
    let mut plan = samples::fleet(10_000);
    plan.policy = samples::policy(&plan);
    let denial = plan.policy.denied[0].clone();
    plan.policy.denied = vec![crate::plan::Denial { reason: "x".repeat(3_000), ..denial }; 500];
    plan.policy.rules = vec!["<y>".repeat(1_000); 500];
    let text = plan_markdown(&plan, &options());
    assert!(text.len() <= LIMIT, "{} bytes", text.len());
    assert_eq!(named(&text), done(&plan));
}

#[test]
fn names_that_do_not_fit_are_not_left_out_in_silence() {
    let mut plan = samples::fleet(10_000);
    // No two of these names can be folded.
    let name = |n: usize| {
        format!("{}-{}", "abcdefghijklmnop".chars().cycle().skip(n % 16).take(6).collect::<String>(), (b'a' + (n % 26) as u8) as char)
            + &(0..8).map(|i| char::from(b'a' + ((n >> (i * 2)) & 3) as u8)).collect::<String>()
    };
    let names: BTreeMap<String, String> = plan.nodes.keys().enumerate().map(|(n, old)| (old.clone(), name(n))).collect();
    for change in &mut plan.changes {
        if let Some(node) = &mut change.node {
            let new = &names[node.as_str()];
            change.resource = change.resource.replacen(node.as_str(), new, 1);
            node.clone_from(new);
        }
    }
    plan.nodes = plan.nodes.into_iter().map(|(old, stage)| (names[&old].clone(), stage)).collect();
    plan.actions.clear();
    let text = plan_markdown(&plan, &options());
    assert!(text.len() <= LIMIT, "{} bytes", text.len());
    let visible = visible(&text);
    for part in ["do not fit into a comment", "**redeploy**: 7000 nodes", "**destroy**: 1000 nodes", "**reboot**: 1000 nodes"] {
        assert!(visible.contains(part), "no {part:?} in\n{visible}");
    }
}

#[test]
fn a_comment_is_found_again_and_never_ends_its_marker_early() {
    assert_eq!(marker("dc1"), "<!-- drydock plan dc1 -->");
    assert_eq!(marker("a--> <script>"), "<!-- drydock plan a-script -->");
    assert!(plan_markdown(&samples::converged(), &options()).starts_with(&marker(&samples::converged().site)));
}

#[test]
fn without_a_repository_places_are_text() {
    let text = plan_markdown(&samples::destructive(), &MarkdownOptions::default());
    assert!(text.contains("`profiles/base.yaml:31:10`") && !text.contains("]("), "{text}");
    assert!(text.contains("`drydock plan --out FILE` writes one"), "{text}");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    /// Whatever stands in a design, a comment keeps its limit, its blocks are closed, and no character of it reaches the page as markup.
    #[test]
    fn any_text_stays_text(texts in proptest::collection::vec("(.|[`|<>@#*_~\\[\\]\\\\\n-]){0,30}|(`{1,6}|</details>|<script>|\\]\\(x|\\|| -->|\n\n# ){1,4}", 8..40), long in 0_usize..3) {
        let mut plan = samples::destructive();
        let mut texts = texts.into_iter().cycle();
        let mut next = || { let text = texts.next().unwrap_or_default(); text.repeat(1 + long * 400) };
        plan.site = next();
        for change in &mut plan.changes {
            change.reason = next();
            for attribute in &mut change.attributes {
                let attribute = std::sync::Arc::make_mut(attribute);
                (attribute.path, attribute.reason, attribute.source) = (next(), next(), Some(format!("{}:1:2", next())));
                attribute.before = Some(next().into());
                attribute.after = Some(next().into());
            }
        }
        plan.changes[0].resource = next();
        plan.warnings = vec![next(), next()];
        plan.selection = Some(next());
        let text = plan_markdown(&plan, &options());
        proptest::prop_assert!(text.len() <= LIMIT || long > 0, "{} bytes", text.len());
        let outside = without_code(&visible(&text));
        for markup in ["<script", "](x", "@", "# \n"] {
            proptest::prop_assert!(!outside.contains(markup), "{markup:?} in\n{outside}");
        }
    }
}

/// Text without code spans, as CommonMark pairs backticks.
fn without_code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        out.push_str(&rest[..at]);
        let run = rest[at..].chars().take_while(|c| *c == '`').count();
        let inside = &rest[at + run..];
        let mut from = 0;
        let mut end = None;
        while let Some(found) = inside[from..].find('`') {
            let start = from + found;
            let length = inside[start..].chars().take_while(|c| *c == '`').count();
            if length == run {
                end = Some(start + length);
                break;
            }
            from = start + length;
        }
        if let Some(end) = end {
            rest = &inside[end..];
        } else {
            out.push_str(&rest[at..at + run]);
            rest = inside;
        }
    }
    out.push_str(rest);
    out
}

//! Plans as text and JSON, compared with the files in `testdata/plans`. `DRYDOCK_BLESS=1` rewrites them.

use std::sync::Arc;

use serde_json::json;

use super::plan_samples as samples;
use super::{Next, TextOptions, Verdict, plan_json, plan_text, verdict};
use crate::action::{ActionKind, Effect};
use crate::diff::AttributeChange;
use crate::plan::{Counts, Gate, Plan, Pool, Wave};

pub(super) fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/plans").join(name);
    if std::env::var_os("DRYDOCK_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let diff = similar::TextDiff::from_lines(&*expected, text);
        panic!("{} differs (DRYDOCK_BLESS=1 rewrites it):\n{}", path.display(), diff.unified_diff().context_radius(2));
    }
}

fn plain(plan: &Plan) -> String {
    plan_text(plan, &TextOptions::default())
}

#[test]
fn two_nodes() {
    let plan = samples::two_nodes();
    golden("two_nodes.txt", &plan_text(&plan, &TextOptions { next: Next::Apply("plan.json".to_owned()), ..TextOptions::default() }));
    golden("two_nodes.verbose.txt", &plan_text(&plan, &TextOptions { verbose: true, ..TextOptions::default() }));
    golden("two_nodes.narrow.txt", &plan_text(&plan, &TextOptions { width: 60, ..TextOptions::default() }));
    golden("two_nodes.color.txt", &plan_text(&plan, &TextOptions { color: true, ..TextOptions::default() }));
    let json = plan_json(&plan, None);
    golden("two_nodes.json", &format!("{}\n", serde_json::to_string_pretty(&json).unwrap()));
}

#[test]
fn no_line_is_wider_than_the_page() {
    let mut long = samples::two_nodes();
    for (n, attribute) in long.changes.iter_mut().flat_map(|c| &mut c.attributes).enumerate() {
        let attribute = Arc::make_mut(attribute);
        attribute.reason = "said in many words ".repeat(n % 9);
        attribute.after = Some(json!(format!("{} {}", "0123456789abcdef".repeat(n % 7), "word ".repeat(n % 30))));
        attribute.path = format!("{}.{}", attribute.path, "part.".repeat(n % 12));
    }
    let shown =
        [long, samples::two_nodes(), samples::many_nodes(), samples::governed(), samples::blocked(), samples::fleet(40), rolled_out()];
    for plan in &shown {
        for (width, summary, color) in [(80, false, false), (80, true, false), (100, false, true), (120, false, false)] {
            let next = Next::Apply("plan.json".to_owned());
            let text = plan_text(plan, &TextOptions { color, width, summary, next, ..TextOptions::default() });
            // Lines of texts are as they are.
            let lines = text.lines().filter(|line| !line.contains('│'));
            let wide: Vec<&str> = lines.filter(|line| console::measure_text_width(line) > width).collect();
            assert!(wide.is_empty(), "{width}: {wide:#?}");
        }
    }
}

#[test]
fn many_nodes_are_shown_once() {
    let text = plain(&samples::many_nodes());
    golden("many_nodes.txt", &text);
    assert!(text.lines().count() < 80, "300 nodes in {} lines", text.lines().count());
    assert!(text.contains("node.n042"), "the one node with another image stands alone:\n{text}");
}

#[test]
fn how_long_it_takes_is_said_with_what_it_is_known_by() {
    let comment = |plan: &Plan| crate::report::plan_markdown(plan, &crate::report::MarkdownOptions::default());
    let (known, unknown) = (samples::destructive(), samples::many_nodes());
    for text in [plain(&known), comment(&known)] {
        assert!(text.contains("longest path 7") && text.contains("about 1 h 10 min or more, by former runs"), "{text:.2000}");
    }
    assert!(plain(&unknown).contains("no former run tells how long") && comment(&unknown).contains("no former run tells how long"));
}

#[test]
fn destruction_comes_first() {
    let text = plain(&samples::destructive());
    golden("destructive.txt", &text);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in:\n{text}"));
    assert!(at("node.old01") < at("node.{n01, n02}") && at("node.{n01, n02}") < at("subnet.pxe"));
    assert!(text.contains("--allow 'redeploy=node=n04 || node=n05 || node=n06'"), "{text}");
}

#[test]
fn what_does_most_comes_first_and_nodes_before_the_site() {
    let mut plan = samples::many_nodes();
    let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in:\n{text}"));
    let comment = |plan: &Plan| crate::report::plan_markdown(plan, &crate::report::MarkdownOptions::default());
    for (text, install, online, site) in [
        (plain(&plan), "  install  ×299 nodes", "/platform  online  ×4 nodes", "subnet.pxe  online"),
        (comment(&plan), "node.n[001-041,043-300] install, 299 nodes", "node.n[301-304]/platform online", "subnet.pxe online"),
    ] {
        assert!(at(&text, install) < at(&text, online) && at(&text, online) < at(&text, site), "{text}");
    }
    // The order of the plan's own changes decides nothing.
    let (text, markdown) = (plain(&plan), comment(&plan));
    let site = plan.changes.iter().take_while(|c| c.node.is_none()).count();
    assert!(site > 1);
    plan.changes.rotate_left(site);
    assert_eq!((plain(&plan), comment(&plan)), (text, markdown));
}

#[test]
fn policies_stand_above_the_changes_and_approvals_below() {
    let plan = samples::governed();
    let options = TextOptions { next: Next::Apply("plan.json".to_owned()), width: 80, ..TextOptions::default() };
    let standing = samples::standing(&plan);
    let options = TextOptions { approvals: standing.clone(), ..options };
    let text = format!("{}{}", plan_text(&plan, &options), super::standing_text(&standing, &options));
    golden("governed.txt", &text);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in:\n{text}"));
    assert!(at("Refused by policy") < at("Needs approval") && at("Needs approval") < at("Interrupts or destroys"));
    assert!(text.contains("Needs approval  1 missing") && text.contains("key has expired"), "{text}");
    golden("governed.approve.txt", &super::plan_to_approve(&plan, &TextOptions { approvals: Vec::new(), ..options }));
    let json = &plan_json(&plan, Some(&standing))["approvals"];
    assert_eq!((&json[0]["missing"], &json[1]["missing"]), (&json!(0), &json!(1)));
}

#[test]
fn an_approved_plan_asks_for_no_approval() {
    let mut plan = samples::governed();
    plan.policy.denied.clear();
    let said = |missing: Option<u32>, summary: bool| {
        let mut approvals = samples::standing(&plan);
        match missing {
            None => approvals.clear(),
            Some(missing) => approvals.iter_mut().for_each(|s| s.by = (missing..s.needed.approvers).map(|n| n.to_string()).collect()),
        }
        plan_text(&plan, &TextOptions { approvals, summary, next: Next::Apply("plan.json".to_owned()), ..TextOptions::default() })
    };
    for summary in [false, true] {
        let approved = said(Some(0), summary);
        assert!(approved.contains("\nApproved\n") && approved.contains("next: drydock apply plan.json  (carries out"), "{approved}");
        assert!(!approved.contains("Needs approval") && !approved.contains("drydock approve"), "{approved}");
        for (missing, title) in [(Some(1), "Needs approval  1 missing\n"), (None, "Needs approval\n")] {
            let open = said(missing, summary);
            assert!(open.contains(title) && open.contains("next: drydock approve plan.json --key FILE, then"), "{open}");
        }
    }
}

#[test]
fn what_decides_about_a_plan_stands_above_its_page() {
    let plan = samples::governed();
    let rehearsal = crate::run::rehearse(&plan, &vec![1; plan.actions.len()], &std::collections::BTreeSet::new()).unwrap();
    let page = |plan: &Plan, standing: &[crate::plan::Standing]| {
        let page = super::plan_html(plan, super::Times::Expected(&rehearsal), standing);
        page.split("</header>").next().unwrap().to_owned()
    };
    let mut standing = samples::standing(&plan);
    let open = page(&plan, &standing);
    for part in [
        "<details open><summary>Refused by policy: 1</summary>",
        "<details open><summary>Needs approval: 1 missing</summary>",
        "2 approvers of ops/allowed_signers for 3 nodes with effect redeploy or higher: 1 missing; approved by alice@example.net</li>",
        "<li>plan.json.bob.sig does not count: ops/allowed_signers:2: key has expired</li>",
    ] {
        assert!(open.contains(part), "{part} is not in\n{open}");
    }
    assert!(page(&plan, &[]).contains("<details open><summary>Needs approval</summary>"));
    for one in &mut standing {
        one.by = (0..one.needed.approvers).map(|n| format!("p{n}")).collect();
    }
    let given = page(&plan, &standing);
    assert!(given.contains("<summary>Approved</summary>") && given.contains("given; approved by p0, p1</li>"), "{given}");
    assert!(!given.contains("Needs approval"), "{given}");
    assert!(!page(&samples::destructive(), &[]).contains("<details"));
}

#[test]
fn what_no_driver_compares_is_listed_in_few_words() {
    let mut plan = samples::converged();
    plan.not_managed[0].resources = (1..=2_000).map(|n| format!("node.n{n:04}")).filter(|n| n != "node.n0700").collect();
    let rehearsal = crate::run::rehearse(&plan, &[], &std::collections::BTreeSet::new()).unwrap();
    let page = super::plan_html(&plan, super::Times::Expected(&rehearsal), &[]);
    assert!(page.contains("<li>switch ports: node.n0001..node.n0699, node.n0701..node.n2000</li>"), "{page:.9000}");
    assert!(plain(&plan).contains("not managed: switch ports (node.{n0001..n0699, n0701..n2000})"));
    let comment = crate::report::plan_markdown(&plan, &crate::report::MarkdownOptions::default());
    assert!(comment.contains("* switch ports: `node.n[0001-0699,0701-2000]`"), "{comment}");
}

#[test]
fn nothing_to_do_is_said_exactly() {
    let text = plain(&samples::converged());
    golden("converged.txt", &text);
    assert_eq!(verdict(&samples::converged()), Verdict::NoChanges);
    let mut partial = samples::converged();
    partial.selection = Some("node=n01".to_owned());
    assert!(plain(&partial).contains("No changes in the selection."));

    let text = plain(&samples::blocked());
    golden("blocked.txt", &text);
    assert_eq!(verdict(&samples::blocked()), Verdict::NothingPlanned);
    assert!(!text.to_lowercase().contains("no changes"), "{text}");
    assert!(text.contains("1 change is held back, 4 resources are blocked and 3 nodes are of unknown stage"), "{text}");
    assert_eq!(plan_json(&samples::blocked(), None)["verdict"], json!("nothing_planned"));

    // Each reason alone is enough.
    let (mut held, mut blocked, mut unknown) = (samples::nothing(), samples::nothing(), samples::nothing());
    held.held_back = samples::blocked().held_back;
    blocked.blocked = samples::blocked().blocked;
    unknown.nodes = samples::blocked().nodes;
    for plan in [held, blocked, unknown] {
        assert_eq!(verdict(&plan), Verdict::NothingPlanned);
    }
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let plan = samples::hostile();
    for verbose in [false, true] {
        let text = plan_text(&plan, &TextOptions { verbose, ..TextOptions::default() });
        let bad: Vec<char> = text.chars().filter(|c| *c != '\n' && super::clean(&c.to_string()) != c.to_string()).collect();
        assert!(bad.is_empty(), "{bad:?}");
        assert!(!text.lines().any(|l| l.trim_start().starts_with("No changes")), "{text}");
    }
    golden("hostile.txt", &plain(&plan));
    let colored = plan_text(&plan, &TextOptions { color: true, ..TextOptions::default() });
    let known = ["[0m", "[1m", "[2m", "[31m", "[32m", "[33m", "[36m", "[1;31m"];
    assert!(colored.split('\u{1b}').skip(1).all(|rest| known.iter().any(|k| rest.starts_with(k))));
}

#[test]
fn values_of_a_minority_are_never_hidden_in_a_range() {
    let mut plan = samples::many_nodes();
    for change in &mut plan.changes {
        if change.resource == "node.n200/network" {
            Arc::make_mut(&mut change.attributes[0]).after = Some(json!("active-backup"));
        }
    }
    let text = plain(&plan);
    assert!(text.contains("node.n200/network") && text.contains("active-backup"), "{text}");
    assert!(text.contains("node.{n001..n199, n201..n300}/network"), "{text}");
}

#[test]
fn an_outlier_among_different_values_is_seen() {
    let mut plan = samples::many_nodes();
    for change in &mut plan.changes {
        if change.resource == "node.n200/network" {
            Arc::make_mut(&mut change.attributes[2]).after = Some(json!("192.168.9.9/24"));
        }
    }
    let text = plain(&plan);
    assert!(text.contains("{10.0.0.11 … 10.0.0.209, 10.0.1.11 … 10.0.1.110, 192.168.9.9}/24"), "{text}");
}

#[test]
fn keys_of_the_json_are_documented() {
    let document = include_str!("../../docs/plan-json.md");
    let mut plan = samples::destructive();
    (plan.limits, plan.rollout) = (rolled_out().limits, rolled_out().rollout);
    plan.policy = samples::policy(&plan);
    let json = plan_json(&plan, Some(&samples::standing(&plan)));
    let keys = |value: &serde_json::Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut all = keys(&json);
    for part in [
        "/summary",
        "/limits",
        "/digests",
        "/endpoints/0",
        "/changes/0",
        "/attributes/0",
        "/templates/0",
        "/advisory",
        "/policy",
        "/policy/approvals/0",
        "/policy/denied/0",
        "/approvals/0",
        "/approvals/0/signatures/0",
        "/approvals/0/rejected/0",
        "/held_back/0",
        "/allow/0",
        "/limits/pools/0",
        "/rollout",
        "/rollout/waves/1",
        "/rollout/waves/1/gate",
    ] {
        let found = keys(json.pointer(part).unwrap());
        assert!(!found.is_empty(), "{part}");
        all.extend(found);
    }
    for key in all {
        assert!(document.contains(&format!("`{key}`")), "docs/plan-json.md does not tell of `{key}`");
    }
}

#[test]
fn a_plan_as_json_is_its_file_with_what_it_comes_to() {
    for plan in [samples::two_nodes(), samples::governed(), samples::blocked(), samples::converged(), samples::hostile(), rolled_out()] {
        let standing = samples::standing(&plan);
        for approvals in [None, Some(&*standing)] {
            let mut json = plan_json(&plan, approvals);
            assert_eq!(json["summary"]["changes"], plan.changes.len());
            let map = json.as_object_mut().unwrap();
            let approved = map.remove("approvals");
            assert_eq!(approved.and_then(|a| a.as_array().map(Vec::len)), approvals.map(<[_]>::len));
            assert!(map.remove("summary").is_some() && map.remove("verdict").is_some());
            assert_eq!(crate::plan::canonical(&json) + "\n", crate::plan::write(&plan));
        }
    }
}

/// A plan with every kind of limit, waves, and a rule that does not work out.
fn rolled_out() -> Plan {
    let mut plan = samples::many_nodes();
    let names: Vec<String> = plan.nodes.keys().cloned().collect();
    plan.limits.calls.insert(ActionKind::DeployNode, 3);
    plan.limits.per_rack.insert(ActionKind::ConfigureHardware, 5);
    plan.limits.requests.insert("maas".to_owned(), 16);
    let pool = |counts, limit, of: &str| Pool { counts, limit, nodes: names.clone(), of: of.to_owned() };
    plan.limits.pools = vec![pool(Counts::Unavailable, 2, "label zone=a"), pool(Counts::Deployments, 8, "network pxe")];
    let gate = Gate { critical: true, max_failed: Some(1), min_successful: 2, over: vec![0], through: 1 };
    plan.rollout.waves = vec![
        Wave {
            after: vec![],
            gate: Gate { max_failed: Some(0), ..Gate::default() },
            name: "canaries".to_owned(),
            nodes: names[..2].to_vec(),
        },
        Wave { after: vec![0], gate, name: "group rest".to_owned(), nodes: names[2..].to_vec() },
    ];
    plan.rollout.healthy_for_s = 60;
    plan.rollout.warnings = vec!["no node of rack r9 may be unavailable".to_owned()];
    plan
}

#[test]
fn limits_and_waves_stand_in_every_format() {
    let plan = rolled_out();
    let text = plain(&plan);
    let limits = [
        "3 calls for deploy_node",
        "5 configure_hardware per rack",
        "2 unavailable of label zone=a",
        "8 deployments at once over network pxe",
        "16 requests to maas",
        "1 to one BMC",
    ];
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rehearsal = crate::run::rehearse(&plan, &vec![1; plan.actions.len()], &std::collections::BTreeSet::new()).unwrap();
    let page = crate::report::plan_html(&plan, crate::report::Times::Expected(&rehearsal), &[]);
    for limit in limits {
        assert!(flat.contains(limit) && page.contains(limit), "{limit}: {text}");
    }
    assert!(text.contains("Waves  before others begin, the nodes of a wave are healthy for 1m"), "{text}");
    assert!(text.contains("  canaries  at once  2 nodes: n001, n002\n      through if no node may fail\n"), "{text}");
    assert!(text.contains("  group rest  after canaries  308 nodes: n003..n310\n"), "{text}");
    let gate = "through if 1 node may fail, 2 nodes must be through (1 already), else the run is a failure";
    assert!(text.contains(gate) && page.contains(gate), "{text}");
    assert!(text.contains("Rollout rules that do not work out\n  no node of rack r9 may be unavailable\n"), "{text}");
    let comment = crate::report::plan_markdown(&plan, &crate::report::MarkdownOptions::default());
    for part in ["Waves: 2", "* `group rest` after canaries: `n[003-310]`", "Rollout rules that do not work out: 1", "no node of rack r9"] {
        assert!(comment.contains(part), "{part}: {comment}");
    }
    assert_eq!(plan_json(&plan, None)["rollout"]["waves"][1]["after"], json!([0]));
}

#[test]
fn many_attributes_with_one_value_stand_together() {
    let mut plan = samples::two_nodes();
    let change = &mut plan.changes[4];
    let template = change.attributes[1].clone();
    for label in ["a", "b", "c", "d", "e"] {
        let mut attribute = AttributeChange::clone(&template);
        attribute.path = format!("owner_data.{label}");
        attribute.after = Some(json!("enabled"));
        change.attributes.push(Arc::new(attribute));
    }
    let text = plain(&plan);
    assert!(text.contains("+ owner_data.* ×5") && text.contains("│ a, b, c, d, e"), "{text}");
    let verbose = plan_text(&plan, &TextOptions { verbose: true, ..TextOptions::default() });
    assert!(verbose.contains("+ owner_data.c ") && !verbose.contains("×5"), "{verbose}");
}

proptest::proptest! {
    #[test]
    fn any_values_can_be_shown(
        values in proptest::collection::vec((any_value(), any_value()), 1..12),
        name in ".{0,6}",
        width in 0_usize..140,
        verbose: bool,
        color: bool,
    ) {
        let mut plan = samples::nothing();
        let template = samples::two_nodes().changes[4].clone();
        for (n, (before, after)) in values.into_iter().enumerate() {
            let node = format!("{name}{n}");
            let mut change = template.clone();
            change.resource = format!("node.{node}");
            change.node = Some(node);
            change.attributes.truncate(1);
            let attribute = Arc::make_mut(&mut change.attributes[0]);
            (attribute.before, attribute.after) = (before, after);
            plan.changes.push(change);
        }
        let text = plan_text(&plan, &TextOptions { verbose, color, width, summary: false, approvals: Vec::new(), next: Next::Plan });
        let safe = |c: char| c == '\n' || (color && c == '\u{1b}') || super::clean(&c.to_string()) == c.to_string();
        proptest::prop_assert!(text.chars().all(safe), "{text:?}");
    }
}

fn any_value() -> impl proptest::strategy::Strategy<Value = Option<serde_json::Value>> {
    use proptest::prelude::*;
    let text = prop_oneof![".{0,12}", "[a-zé0-9. /]{0,8}", "10\\.0\\.[0-9]\\.[0-9]{1,2}", "([a-c]\n){0,5}"];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        text.prop_map(|s| json!(s))
    ];
    let tree = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("(name|[a-c.]{0,3})", inner, 0..4).prop_map(|m| json!(m)),
        ]
    });
    proptest::option::weighted(0.8, tree)
}

#[test]
fn effects_of_actions_count_where_no_change_says_so() {
    let mut plan = samples::nothing();
    plan.actions = samples::destructive().actions.into_iter().filter(|a| a.effect == Effect::Destroy).collect();
    let text = plain(&plan);
    assert!(text.contains("1 node destroyed"), "{text}");
}

#[test]
fn a_summary_names_what_is_interrupted_and_counts_the_rest() {
    let plan = samples::governed();
    let summary = |plan: &Plan| plan_text(plan, &TextOptions { summary: true, ..TextOptions::default() });
    let text = summary(&plan);
    golden("governed.summary.txt", &text);
    assert!(text.contains("node.{n01, n02}  redeploy  ×2 nodes") && text.contains("Needs approval"), "{text}");
    assert!(text.contains("1 other change") && text.contains("3 held-back changes"), "{text}");
    assert!(!text.contains("focal → jammy") && !text.contains("subnet.pxe"), "no values, and nothing of what harms nobody:\n{text}");
    let fleet = samples::fleet(40);
    let short = summary(&fleet);
    for group in ["destroy  ×4 nodes", "reboot  ×4 nodes", "redeploy  ×28 nodes", "8 other changes"] {
        assert!(short.contains(group), "{group} is not in\n{short}");
    }
    assert!(short.lines().count() * 2 < plain(&fleet).lines().count(), "{short}");
}

#[test]
fn a_part_of_a_plan_is_what_is_about_one_node() {
    let plan = samples::fleet(40);
    let name = plan.changes.iter().find_map(|c| c.node.clone()).unwrap();
    let part = plan.of_node(&name).unwrap();
    let of = |plan: &Plan| plan.changes.iter().filter(|c| c.node.as_ref() == Some(&name)).count();
    assert_eq!((part.changes.len(), part.nodes.len()), (of(&plan), 1));
    let text = plan_text(&part, &TextOptions { next: Next::Part("plan.json".to_owned()), ..TextOptions::default() });
    let others: Vec<&String> = plan.nodes.keys().filter(|other| **other != name && text.contains(other.as_str())).collect();
    assert!(text.contains(&name) && others.is_empty(), "{others:?} in:\n{text}");
    assert!(text.contains(&format!("partial: only node={name}")) && text.contains("next: drydock show plan.json"), "{text}");
    assert!(!text.contains("apply"), "no part is applied:\n{text}");
}

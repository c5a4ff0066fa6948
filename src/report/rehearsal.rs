//! What a rehearsal shows, as text and JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names;
use super::paint::{Look, Page};
use super::plan_text::{TextOptions, count};
use super::table::Table;
use super::time::{about, took};
use super::view;
use crate::action::ActionKind;
use crate::plan::Plan;
use crate::run::{Rehearsal, Use};

/// Where the durations of a rehearsal come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// Milliseconds of each kind of action in the plan.
    pub of: BTreeMap<ActionKind, u64>,
    /// Kinds whose duration was measured in former runs.
    pub measured: Vec<ActionKind>,
    /// Kinds whose duration the user gave.
    pub given: Vec<ActionKind>,
}

impl Durations {
    /// Kinds of which nothing is known: a third of their time limit is taken.
    fn guessed(&self) -> Vec<ActionKind> {
        self.of.keys().filter(|kind| !self.measured.contains(kind) && !self.given.contains(kind)).copied().collect()
    }
}

/// Version of the JSON. New keys do not raise it.
const VERSION: u32 = 1;

/// Nodes whose branches took longest, as many as are named.
const SLOWEST: usize = 5;

/// The rehearsal as text.
pub fn rehearsal_text(plan: &Plan, shown: &Rehearsal, durations: &Durations, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    page.put(Look::Bold, "Rehearsal of the plan for ").put(Look::Bold, &plan.site).text("  nothing was done").end();
    if let Some(preview) = &plan.preview {
        page.to(2).words(Look::Cyan, &format!("PREVIEW of {}: {}", view::compared(preview), view::NO_SITE), 2).end();
    }
    page.gap();
    fact(&mut page, "takes").put(Look::Bold, &about(shown.makespan_ms.div_ceil(1000)));
    page.text(&format!(
        " for {}; no limit would let it be shorter than {}",
        count(shown.spans.len(), "action"),
        about(shown.critical_ms.div_ceil(1000))
    ))
    .end();
    if !durations.measured.is_empty() {
        kinds(fact(&mut page, "measured"), &durations.measured, durations);
    }
    if !durations.given.is_empty() {
        kinds(fact(&mut page, "given"), &durations.given, durations);
    }
    let guessed = durations.guessed();
    if !guessed.is_empty() {
        kinds(fact(&mut page, "guessed"), &guessed, durations);
        page.to(FACTS)
            .put(Look::Yellow, "guessed ones are a third of the default time limit; former runs or --duration KIND=TIME make them better")
            .end();
    }

    page.gap().put(Look::Bold, "Limits").end();
    let mut table = Table::new(["", "LIMIT", "AT MOST", "ON AVERAGE", "USED UP"]);
    for (name, limit, used) in uses(plan, shown) {
        let average = if shown.makespan_ms == 0 { 0.0 } else { used.sum_ms as f64 / shown.makespan_ms as f64 };
        let full = (used.full_ms * 100).checked_div(shown.makespan_ms).unwrap_or(0);
        table.row([name.to_owned(), limit, used.peak.to_string(), format!("{average:.1}"), format!("{full} % of the time")]);
    }
    table.write(&mut page, 2);

    page.gap().put(Look::Bold, "Longest chain").put(Look::Dim, "  no limit can shorten it").end();
    let mut steps: Vec<(String, u64, &str)> = Vec::new();
    for i in &shown.critical {
        let Some(action) = plan.actions.get(*i as usize) else { continue };
        let length = durations.of.get(&action.kind).copied().unwrap_or(0);
        steps.push((action.kind.name().to_owned(), length, &action.resource));
    }
    let mut table = Table::new(Vec::<String>::new());
    for (kind, length, resource) in steps {
        table.row([kind, took(length), resource.to_owned()]);
    }
    table.write(&mut page, 2);

    let slowest = slowest(plan, shown);
    if slowest.len() > 1 {
        page.gap().put(Look::Bold, "Last to end").end();
        let mut table = Table::new(Vec::<String>::new());
        for (node, start, end) in slowest {
            table.row([format!("node.{node}"), format!("from {} to {}", took(start), took(end))]);
        }
        table.write(&mut page, 2);
    }
    failures(&mut page, plan, shown);
    page.finish()
}

const FACTS: usize = 12;

fn fact<'p>(page: &'p mut Page, name: &str) -> &'p mut Page {
    page.to(2).put(Look::Dim, name).to(FACTS)
}

fn kinds(page: &mut Page, kinds: &[ActionKind], durations: &Durations) {
    let pieces = kinds.iter().map(|kind| format!("{kind} {}", took(durations.of.get(kind).copied().unwrap_or(0))));
    page.flow(Look::Plain, pieces, ", ", FACTS).end();
}

fn uses(plan: &Plan, shown: &Rehearsal) -> [(&'static str, String, Use); 3] {
    let limits = &plan.limits;
    [
        ("nodes in flight", limits.nodes_in_flight.to_string(), shown.nodes),
        ("power-ups", format!("{} per rack", limits.power_ups_per_rack), shown.power_ups),
        ("unavailable nodes", format!("{} per rack", limits.unavailable_per_rack), shown.unavailable),
    ]
}

/// Nodes by the end of their branch, the last first: name, start, end.
fn slowest<'p>(plan: &'p Plan, shown: &Rehearsal) -> Vec<(&'p str, u64, u64)> {
    let mut nodes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for span in &shown.spans {
        let Some(node) = plan.actions.get(span.action as usize).and_then(|a| a.node.as_deref()) else { continue };
        let of = nodes.entry(node).or_insert((span.start_ms, span.end_ms));
        *of = (of.0.min(span.start_ms), of.1.max(span.end_ms));
    }
    let mut out: Vec<_> = nodes.into_iter().map(|(node, (start, end))| (node, start, end)).collect();
    out.sort_by_key(|(_, _, end)| std::cmp::Reverse(*end));
    out.truncate(SLOWEST);
    out
}

fn failures(page: &mut Page, plan: &Plan, shown: &Rehearsal) {
    if shown.failed.is_empty() {
        return;
    }
    page.gap().put(Look::BoldRed, "Failures that were asked for").end();
    let lists = [
        ("failed", Look::Red, &shown.failed),
        ("never reached", Look::Yellow, &shown.blocked),
        ("not started", Look::Yellow, &shown.not_started),
    ];
    for (name, look, list) in lists {
        if list.is_empty() {
            continue;
        }
        page.to(2).put(look, name).to(17).text(&count(list.len(), "action"));
        let nodes = list.iter().filter_map(|i| plan.actions.get(*i as usize)?.node.as_deref());
        let pieces = names::pieces(nodes, "..", if name == "failed" { usize::MAX } else { 12 });
        if !pieces.is_empty() {
            page.text(" of nodes ").flow(Look::Plain, pieces, ", ", 4);
        }
        page.end();
    }
    if !shown.not_started.is_empty() {
        page.to(2)
            .text(&format!(
                "{} stop the run: branches that were not started stay so",
                count(plan.limits.max_failures as usize, "failed node")
            ))
            .end();
    }
}

/// The rehearsal as JSON.
pub fn rehearsal_json(plan: &Plan, shown: &Rehearsal, durations: &Durations) -> Value {
    let id = |i: &u32| plan.actions.get(*i as usize).map(|a| a.id.as_str());
    let ids = |list: &[u32]| list.iter().filter_map(id).collect::<Vec<_>>();
    let limits: serde_json::Map<String, Value> = uses(plan, shown)
        .into_iter()
        .map(|(name, _, used)| (name.replace([' ', '-'], "_"), json!({"peak": used.peak, "full_ms": used.full_ms, "sum_ms": used.sum_ms})))
        .collect();
    let of: serde_json::Map<String, Value> = durations
        .of
        .iter()
        .map(|(kind, ms)| {
            let basis = if durations.given.contains(kind) {
                "given"
            } else if durations.measured.contains(kind) {
                "measured"
            } else {
                "guessed"
            };
            (kind.name().to_owned(), json!({"ms": ms, "basis": basis}))
        })
        .collect();
    json!({
        "version": VERSION,
        "preview": plan.preview,
        "site": plan.site,
        "plan": plan.digests.plan,
        "makespan_ms": shown.makespan_ms,
        "critical_ms": shown.critical_ms,
        "critical": ids(&shown.critical),
        "durations": of,
        "limits": limits,
        "spans": shown.spans.iter().map(|s| json!({"action": id(&s.action), "start_ms": s.start_ms, "end_ms": s.end_ms})).collect::<Vec<_>>(),
        "failed": ids(&shown.failed),
        "blocked": ids(&shown.blocked),
        "not_started": ids(&shown.not_started),
    })
}

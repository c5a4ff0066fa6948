//! What a rehearsal shows, as text and JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names;
use super::paint::{Look, Page};
use super::plan_text::{TextOptions, count};
use super::table::Table;
use super::time::{about, took, took_roughly};
use super::view;
use crate::action::{Action, ActionKind};
use crate::plan::Plan;
use crate::run::{LimitUse, Rehearsal, Use};

/// Where the durations of a rehearsal come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// Milliseconds of each kind of action in the plan.
    pub of: BTreeMap<ActionKind, u64>,
    /// Kinds whose duration was measured in former runs.
    pub measured: Vec<ActionKind>,
    /// Kinds whose duration the user gave.
    pub given: Vec<ActionKind>,
    /// Milliseconds of measured kinds on machines of single hardware profiles.
    pub on_hardware: BTreeMap<(ActionKind, String), u64>,
}

impl Durations {
    /// Milliseconds of an action: on machines like its own where that was measured.
    pub fn of_action(&self, plan: &Plan, action: &Action) -> Option<u64> {
        let hardware = action.node.as_ref().and_then(|n| plan.nodes.get(n)?.hardware.clone());
        let like = hardware.and_then(|hardware| self.on_hardware.get(&(action.kind, hardware)));
        like.or_else(|| self.of.get(&action.kind)).copied()
    }

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
    for one in &shown.limits {
        let used = one.used;
        let average = if shown.makespan_ms == 0 { 0.0 } else { used.sum_ms as f64 / shown.makespan_ms as f64 };
        let full = (used.full_ms * 100).checked_div(shown.makespan_ms).unwrap_or(0);
        table.row([one.what.clone(), limit(one), used.peak.to_string(), format!("{average:.1}"), format!("{full} % of the time")]);
    }
    table.write(&mut page, 2);
    waves(&mut page, plan, shown);

    page.gap().put(Look::Bold, "Longest chain").put(Look::Dim, "  no limit can shorten it").end();
    let mut steps: Vec<(String, u64, &str)> = Vec::new();
    for i in &shown.critical {
        let Some(action) = plan.actions.get(*i as usize) else { continue };
        let length = durations.of_action(plan, action).unwrap_or(0);
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
    let pieces = kinds.iter().flat_map(|kind| {
        let all = format!("{kind} {}", took(durations.of.get(kind).copied().unwrap_or(0)));
        let special = durations.on_hardware.iter().filter(|((of, _), _)| of == kind);
        std::iter::once(all).chain(special.map(|((_, hardware), ms)| format!("on {hardware} {}", took(*ms)))).collect::<Vec<_>>()
    });
    page.flow(Look::Plain, pieces, ", ", FACTS).end();
}

/// A limit as people read it.
fn limit(limit: &LimitUse) -> String {
    let number = if limit.limit == u32::MAX { "none".to_owned() } else { limit.limit.to_string() };
    if limit.per.is_empty() { number } else { format!("{number} per {}", limit.per) }
}

/// Waves: when they begin and are through, or why they are not.
fn waves(page: &mut Page, plan: &Plan, shown: &Rehearsal) {
    let waves = &plan.rollout.waves;
    if waves.is_empty() {
        return;
    }
    page.gap().put(Look::Bold, "Waves");
    if plan.rollout.healthy_for_s > 0 {
        let time = took_roughly(u64::from(plan.rollout.healthy_for_s) * 1000);
        page.put(Look::Dim, &format!("  taken to be healthy, and watched for {time}, before others begin"));
    }
    page.end();
    let mut table = Table::new(["WAVE", "NODES", "BEGINS", "HAS ENDED", "THROUGH"]);
    for (n, wave) in waves.iter().enumerate() {
        let gate = shown.gates.iter().find(|g| g.wave as usize == n);
        let time = |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), took);
        let nodes = wave.nodes.len().to_string();
        table.row(match gate {
            Some(g) => {
                let starts = if wave.nodes.is_empty() { String::new() } else { time(g.start_ms) };
                [
                    wave.name.clone(),
                    nodes,
                    starts,
                    took(g.ended_ms),
                    if g.why.is_empty() { time(g.passed_ms) } else { format!("no: {}", g.why) },
                ]
            }
            None => [
                wave.name.clone(),
                nodes,
                if starts(plan, shown, &wave.nodes) { "yes" } else { "never" }.to_owned(),
                "never".to_owned(),
                String::new(),
            ],
        });
    }
    table.write(page, 2);
}

/// Whether anything of these nodes runs.
fn starts(plan: &Plan, shown: &Rehearsal, nodes: &[String]) -> bool {
    shown.spans.iter().any(|s| plan.actions.get(s.action as usize).and_then(|a| a.node.as_ref()).is_some_and(|n| nodes.contains(n)))
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
    let failed: std::collections::BTreeSet<&str> =
        shown.failed.iter().filter_map(|i| plan.actions.get(*i as usize)?.node.as_deref()).collect();
    if !shown.not_started.is_empty() && failed.len() >= plan.limits.max_failures as usize {
        let failed = count(plan.limits.max_failures as usize, "failed node");
        page.to(2).text(&format!("{failed} stop the run: branches that were not started stay so")).end();
    }
    for gate in shown.gates.iter().filter(|g| !g.why.is_empty()) {
        let name = plan.rollout.waves.get(gate.wave as usize).map_or("", |w| w.name.as_str());
        page.to(2).words(Look::Plain, &format!("{name} is not through ({}): what waits for it does not begin", gate.why), 4).end();
    }
}

/// The rehearsal as JSON.
pub fn rehearsal_json(plan: &Plan, shown: &Rehearsal, durations: &Durations) -> Value {
    let id = |i: &u32| plan.actions.get(*i as usize).map(|a| a.id.as_str());
    let ids = |list: &[u32]| list.iter().filter_map(id).collect::<Vec<_>>();
    let limits: serde_json::Map<String, Value> = shown
        .limits
        .iter()
        .map(|l| {
            let limit = (l.limit < u32::MAX).then_some(l.limit);
            let per = (!l.per.is_empty()).then_some(l.per);
            let Use { peak, full_ms, sum_ms } = l.used;
            (l.what.replace([' ', '-'], "_"), json!({"limit": limit, "per": per, "peak": peak, "full_ms": full_ms, "sum_ms": sum_ms}))
        })
        .collect();
    let gates = shown.gates.iter().map(|g| {
        let name = plan.rollout.waves.get(g.wave as usize).map(|w| w.name.as_str());
        let why = (!g.why.is_empty()).then_some(&g.why);
        json!({"wave": g.wave, "name": name, "start_ms": g.start_ms, "ended_ms": g.ended_ms, "passed_ms": g.passed_ms, "why": why})
    });
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
    let special = durations.on_hardware.iter().map(|((kind, hardware), ms)| json!({"kind": kind.name(), "hardware": hardware, "ms": ms}));
    json!({
        "version": VERSION,
        "preview": plan.preview,
        "site": plan.site,
        "plan": plan.digests.plan,
        "makespan_ms": shown.makespan_ms,
        "critical_ms": shown.critical_ms,
        "critical": ids(&shown.critical),
        "durations": of,
        "durations_on_hardware": special.collect::<Vec<_>>(),
        "limits": limits,
        "gates": gates.collect::<Vec<_>>(),
        "spans": shown.spans.iter().map(|s| json!({"action": id(&s.action), "start_ms": s.start_ms, "end_ms": s.end_ms})).collect::<Vec<_>>(),
        "failed": ids(&shown.failed),
        "blocked": ids(&shown.blocked),
        "not_started": ids(&shown.not_started),
    })
}

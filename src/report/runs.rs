//! Runs: the table of all, one in detail, and how one ended.
//!
//! In: a run's description and its state folded from the journal. Out: text and JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names;
use super::paint::{Look, Page};
use super::plan_text::{TextOptions, count};
use super::progress::excerpt;
use super::table::Table;
use super::time::{instant, took};
use super::view;
use crate::action::{Action, ErrorClass};
use crate::run::{GateState, RunOutcome, RunState, Status, TaskRecord};

/// What is remembered of a run beside its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Id.
    pub id: String,
    /// Site.
    pub site: String,
    /// Goal.
    pub goal: String,
    /// Selection as written.
    pub selection: Option<String>,
    /// Digest of its plan.
    pub plan_digest: String,
    /// Who ran it, and where (`ops@host`).
    pub by: String,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    /// Milliseconds since 1970; absent while it runs, and after a crash.
    pub ended_ms: Option<u64>,
    /// Outcome; absent while it runs, and after a crash.
    pub outcome: Option<RunOutcome>,
    /// Whether a process works on it now.
    pub running: bool,
    /// Who paused it, if it was not continued since.
    pub paused: Option<String>,
    /// Whether it was given up, and is not gone on with.
    pub abandoned: bool,
}

impl RunInfo {
    pub(super) fn status(&self) -> (Look, String) {
        match (self.outcome, self.running) {
            (_, true) if self.paused.is_some() => (Look::Yellow, "running, paused".to_owned()),
            (_, true) => (Look::Cyan, "running".to_owned()),
            (_, false) if self.abandoned => (Look::Yellow, "abandoned".to_owned()),
            (Some(RunOutcome::Incomplete), false) if self.paused.is_some() => (Look::Yellow, "incomplete, paused".to_owned()),
            (Some(outcome), false) => (outcome_look(outcome), outcome_words(outcome).to_owned()),
            (None, false) => (Look::Yellow, "killed".to_owned()),
        }
    }

    /// Whether it neither came to its end nor was given up, and no process works on it.
    pub fn is_unfinished(&self) -> bool {
        !self.running && !self.abandoned && matches!(self.outcome, None | Some(RunOutcome::Incomplete))
    }

    /// Whether `resume` has something to do.
    pub(super) fn is_resumable(&self) -> bool {
        !self.running && !self.abandoned && self.outcome != Some(RunOutcome::Success)
    }
}

/// All runs as a table, in the order given.
pub fn runs_table(runs: &[RunInfo], options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    if runs.is_empty() {
        page.text("no runs yet").end();
        return page.finish();
    }
    let mut table = Table::new(["RUN", "STARTED", "TOOK", "GOAL", "OUTCOME", "BY"]);
    for run in runs {
        let goal = match &run.selection {
            Some(selection) => format!("{} ({selection})", run.goal),
            None => run.goal.clone(),
        };
        table.looks(vec![
            (Look::Bold, run.id.clone()),
            (Look::Plain, instant(run.started_ms / 1000)),
            (Look::Plain, run.ended_ms.map(|end| took(end.saturating_sub(run.started_ms))).unwrap_or_default()),
            (Look::Plain, goal),
            run.status(),
            (Look::Dim, run.by.clone()),
        ]);
    }
    table.write(&mut page, 0);
    page.finish()
}

/// All runs as JSON.
pub fn runs_json(runs: &[RunInfo]) -> Value {
    json!({"version": 1, "runs": runs.iter().map(info_json).collect::<Vec<_>>()})
}

fn info_json(run: &RunInfo) -> Value {
    json!({
        "run": run.id, "site": run.site, "goal": run.goal, "selection": run.selection, "plan_digest": run.plan_digest, "by": run.by,
        "started_ms": run.started_ms, "ended_ms": run.ended_ms, "outcome": run.outcome.map(RunOutcome::name), "running": run.running,
        "resumable": run.is_resumable(), "paused": run.paused, "abandoned": run.abandoned,
    })
}

/// How a run ended: what failed, at which step and why, what is blocked by it, what was not reached, and what to run next.
pub fn run_summary(run: &RunInfo, actions: &[Action], state: &RunState, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    heading(&mut page, run, state);
    body(&mut page, actions, state, options.verbose);
    next(&mut page, run, actions, state);
    page.finish()
}

/// One run in detail: as [`run_summary`], and with `verbose` every action.
pub fn run_show(run: &RunInfo, actions: &[Action], state: &RunState, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    heading(&mut page, run, state);
    let facts = [
        ("goal", run.goal.clone()),
        ("only", run.selection.clone().unwrap_or_default()),
        ("started", instant(run.started_ms / 1000)),
        ("by", run.by.clone()),
        ("plan", run.plan_digest.clone()),
        ("approved", state.approved_by().join(", ")),
    ];
    for (name, text) in facts.iter().filter(|(_, text)| !text.is_empty()) {
        page.to(2).put(Look::Dim, name).to(11).text(text).end();
    }
    if let Some(by) = &run.paused {
        page.to(2).put(Look::Dim, "paused").to(11).text("by ").text(by).end();
    }
    body(&mut page, actions, state, options.verbose);
    if options.verbose {
        every_action(&mut page, actions, state);
    }
    next(&mut page, run, actions, state);
    page.finish()
}

/// One run in detail as JSON: counts, nodes and every action.
pub fn run_json(run: &RunInfo, actions: &[Action], state: &RunState) -> Value {
    let counts = state.counts();
    let nodes: BTreeMap<String, Value> = state
        .node_outcomes()
        .into_iter()
        .map(|(node, outcome)| (node, json!({"outcome": outcome.outcome.name(), "cause": outcome.cause})))
        .collect();
    let list: Vec<Value> = actions
        .iter()
        .zip(state.statuses())
        .enumerate()
        .map(|(index, (action, status))| {
            let task = state.task(index);
            let (message, hint) = trouble(&status);
            json!({
                "id": action.id, "kind": action.kind.name(), "resource": action.resource, "node": action.node, "status": status.name().replace(' ', "_"),
                "attempts": task.attempts, "started_ms": task.started_ms, "ended_ms": task.ended_ms, "message": message, "hint": hint,
                "blocked_by": if let Status::Blocked { by } = &status { Some(by) } else { None },
            })
        })
        .collect();
    let mut out = info_json(run);
    if let Value::Object(map) = &mut out {
        map.insert("version".to_owned(), json!(1));
        map.insert("approved_by".to_owned(), json!(state.approved_by()));
        map.insert(
            "counts".to_owned(),
            json!({"done": counts.done, "active": counts.active, "failed": counts.failed, "blocked": counts.blocked, "waiting": counts.waiting}),
        );
        map.insert("gates".to_owned(), state.gates().map(gate_json).collect());
        map.insert("nodes".to_owned(), json!(nodes));
        map.insert("actions".to_owned(), Value::Array(list));
    }
    out
}

fn heading(page: &mut Page, run: &RunInfo, state: &RunState) {
    let (look, status) = run.status();
    page.put(Look::Bold, "Run ").put(Look::Bold, &run.id).put(Look::Bold, " of ").put(Look::Bold, &run.site).text(": ").put(look, &status);
    let end = run.ended_ms.unwrap_or_else(|| state.last_at_ms());
    if end > run.started_ms {
        page.put(Look::Dim, &format!("  {}", took(end - run.started_ms)));
    }
    page.end();
    let counts = state.counts();
    let parts = [
        (counts.done, "done", Look::Green),
        (counts.failed, "failed", Look::Red),
        (counts.active, "under way", Look::Yellow),
        (counts.blocked, "blocked", Look::Yellow),
        (counts.waiting, "not reached", Look::Yellow),
    ];
    page.to(2).text("actions: ");
    for (n, (number, word, look)) in parts.iter().filter(|(number, ..)| *number > 0).enumerate() {
        page.text(if n == 0 { "" } else { ", " }).put(*look, &format!("{number} {word}"));
    }
    page.end();
    gates(page, state);
}

/// Gates that are closed, or watched: why what is behind them has not begun.
fn gates(page: &mut Page, state: &RunState) {
    for (_, gate) in state.gates() {
        match gate {
            GateState::Passed => {}
            GateState::Watched { name, since_ms } => {
                let text = format!("the nodes of {name} are watched since {}; what waits for them has not begun", instant(since_ms / 1000));
                page.to(2).words(Look::Yellow, &text, 4).end();
            }
            GateState::Failed { name, message, hint, .. } => {
                page.to(2).words(Look::Red, &format!("{name} is not through: {message}"), 4).end();
                page.to(4).put(Look::Cyan, "hint: ").words(Look::Plain, hint, 6).end();
            }
        }
    }
}

fn gate_json((wave, gate): (u32, &GateState)) -> Value {
    match gate {
        GateState::Passed => json!({"wave": wave, "state": "passed"}),
        GateState::Watched { name, since_ms } => json!({"wave": wave, "state": "watched", "name": name, "since_ms": since_ms}),
        GateState::Failed { name, message, hint, critical } => {
            json!({"wave": wave, "state": "failed", "name": name, "message": message, "hint": hint, "critical": critical})
        }
    }
}

/// What a row of the table tells of: actions of the site one by one, and nodes.
fn body(page: &mut Page, actions: &[Action], state: &RunState, verbose: bool) {
    let statuses = state.statuses();
    let by_id: BTreeMap<&str, &Action> = actions.iter().map(|a| (a.id.as_str(), a)).collect();
    let name = |id: &str| by_id.get(id).map_or_else(|| id.to_owned(), |a| format!("{} of {}", view::step(a), owner(a)));

    let mut table = Table::new(["", "OUTCOME", "STEP", "ATTEMPT", "TOOK", "WHY"]);
    let mut hints: Vec<(usize, String)> = Vec::new();
    // Failures one by one.
    for (index, (action, status)) in actions.iter().zip(&statuses).enumerate() {
        let (message, hint) = trouble(status);
        let Some(message) = message.filter(|_| status.is_failed()) else { continue };
        let class = if let Status::Failed { class, .. } = status { format!(" ({})", class_name(*class)) } else { String::new() };
        table.looks(vec![
            (Look::Bold, owner(action)),
            (Look::Red, format!("{}{class}", status.name())),
            (Look::Plain, view::step(action)),
            (Look::Plain, state.task(index).attempts.to_string()),
            (Look::Plain, time_of(state.task(index)).map(took).unwrap_or_default()),
            (Look::Plain, excerpt(message).join(" ")),
        ]);
        if let Some(hint) = hint {
            let last = table.rows();
            hints.push((last, hint.to_owned()));
        }
    }
    // Everything else by node, with the same story together.
    let mut stories: BTreeMap<Story, Vec<&str>> = BTreeMap::new();
    let mut done: Vec<&str> = Vec::new();
    let mut branches: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, action) in actions.iter().enumerate() {
        if let Some(node) = &action.node {
            branches.entry(node).or_default().push(index);
        }
    }
    let outcomes = state.node_outcomes();
    for (node, own) in &branches {
        let Some(outcome) = outcomes.get(*node) else { continue };
        let cause = outcome.cause.as_deref();
        match outcome.outcome {
            RunOutcome::Success => done.push(node),
            RunOutcome::Failure => {
                let by = cause.unwrap_or("");
                if by_id.get(by).is_none_or(|a| a.node.as_deref() != Some(*node)) {
                    stories.entry(Story::Blocked { by: name(by) }).or_default().push(node);
                }
            }
            _ => {
                let Some(first) = own.iter().copied().find(|i| !statuses[*i].is_done()) else { continue };
                let begun = own.iter().any(|i| state.task(*i).begun);
                let step = view::step(&actions[first]);
                let detail = state.task(first).detail.clone();
                let story = if is_under_way(state.task(first), &statuses[first]) {
                    Story::UnderWay { step, detail }
                } else if begun {
                    Story::StoppedBefore { step }
                } else {
                    Story::NotReached
                };
                stories.entry(story).or_default().push(node);
            }
        }
    }
    // Site actions that were blocked or not reached.
    let mut site: BTreeMap<String, usize> = BTreeMap::new();
    for (action, status) in actions.iter().zip(&statuses).filter(|(a, _)| a.node.is_none()) {
        let story = match status {
            Status::Blocked { by } => format!("blocked by {}", name(by)),
            Status::Waiting | Status::Cancelled => "not reached".to_owned(),
            Status::Running | Status::WaitingAtSite { .. } | Status::Retrying { .. } => {
                format!("{} of {} under way", view::step(action), action.resource)
            }
            _ => continue,
        };
        *site.entry(story).or_default() += 1;
    }
    if !table.is_empty() {
        page.gap();
        table.write_with_notes(page, 2, &hints);
    }
    if !stories.is_empty() || !site.is_empty() || !done.is_empty() {
        page.gap();
    }
    for (story, nodes) in &stories {
        let (look, text) = story.words();
        nodes_line(page, look, &text, nodes, verbose);
    }
    for (story, n) in &site {
        page.to(2).put(Look::Yellow, &format!("site: {} {story}", count(*n, "action"))).end();
    }
    if !done.is_empty() {
        nodes_line(page, Look::Green, "done", &done, verbose);
        slowest(page, actions, state, &branches, &done);
    }
}

/// Milliseconds from the first to the last event of an action.
fn time_of(task: &TaskRecord) -> Option<u64> {
    task.started_ms.zip(task.ended_ms).map(|(start, end)| end.saturating_sub(start))
}

/// Nodes that are named as the slowest.
const SLOWEST: usize = 3;

/// Of the nodes that are done those that took longest, with the step that took most of it.
fn slowest(page: &mut Page, actions: &[Action], state: &RunState, branches: &BTreeMap<&str, Vec<usize>>, done: &[&str]) {
    let mut list: Vec<(u64, &str, usize)> = Vec::new();
    for node in done {
        let own = branches.get(node).map_or(&[][..], Vec::as_slice);
        let first = own.iter().filter_map(|i| state.task(*i).started_ms).min();
        let last = own.iter().filter_map(|i| state.task(*i).ended_ms).max();
        let longest = own.iter().max_by_key(|i| time_of(state.task(**i)));
        if let (Some(first), Some(last), Some(longest)) = (first, last, longest) {
            list.push((last.saturating_sub(first), node, *longest));
        }
    }
    if list.len() < 2 {
        return;
    }
    list.sort_by_key(|(ms, node, _)| (std::cmp::Reverse(*ms), *node));
    page.to(2).put(Look::Dim, "slowest: ");
    let pieces = list.iter().take(SLOWEST).map(|(ms, node, longest)| {
        let step =
            time_of(state.task(*longest)).map(|ms| format!(" ({} {})", view::step(&actions[*longest]), took(ms))).unwrap_or_default();
        format!("{node} {}{step}", took(*ms))
    });
    page.flow(Look::Dim, pieces, ", ", 4).end();
}

/// Why a node is neither done nor failed itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    Blocked { by: String },
    UnderWay { step: String, detail: String },
    StoppedBefore { step: String },
    NotReached,
}

impl Story {
    fn words(&self) -> (Look, String) {
        match self {
            Self::Blocked { by } => (Look::Yellow, format!("blocked by {by}")),
            Self::UnderWay { step, detail } if detail.is_empty() => (Look::Cyan, format!("with {step} under way at the site")),
            Self::UnderWay { step, detail } => (Look::Cyan, format!("with {step} under way at the site ({detail})")),
            Self::StoppedBefore { step } => (Look::Yellow, format!("stopped before {step}")),
            Self::NotReached => (Look::Yellow, "not reached".to_owned()),
        }
    }
}

fn is_under_way(task: &TaskRecord, status: &Status) -> bool {
    task.begun && matches!(status, Status::Running | Status::WaitingAtSite { .. } | Status::Retrying { .. } | Status::Cancelled)
}

/// What is under way by its journal: a line for each action, with its time until then.
pub fn under_way(actions: &[Action], state: &RunState, now_ms: u64) -> Vec<String> {
    let statuses = state.statuses();
    let mut found: Vec<(usize, &Action)> =
        actions.iter().enumerate().filter(|(i, _)| is_under_way(state.task(*i), &statuses[*i])).collect();
    found.sort_by_key(|(i, _)| (state.task(*i).begun_ms, *i));
    let line = |(i, action): (usize, &Action)| {
        let task = state.task(i);
        let time = task.begun_ms.map(|at| now_ms.saturating_sub(at));
        under_way_line(&owner(action), &view::step(action), time, &task.detail)
    };
    found.into_iter().map(line).collect()
}

/// `node.n01 deploy_node for 4m12s: Deploying`.
pub(super) fn under_way_line(who: &str, what: &str, time_ms: Option<u64>, detail: &str) -> String {
    let time = time_ms.map(|ms| format!(" for {}", took(ms))).unwrap_or_default();
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    format!("{who} {what}{time}{detail}")
}

/// Pieces of a list of nodes that are shown.
const NODES: usize = 12;

fn nodes_line(page: &mut Page, look: Look, what: &str, nodes: &[&str], verbose: bool) {
    page.to(2).put(look, &format!("{} {what}", count(nodes.len(), "node"))).text(": ");
    let pieces = names::pieces(nodes.iter().copied(), "..", if verbose { usize::MAX } else { NODES });
    page.flow(Look::Plain, pieces, ", ", 4).end();
}

fn every_action(page: &mut Page, actions: &[Action], state: &RunState) {
    let mut table = Table::new(["RESOURCE", "STEP", "STATUS", "ATTEMPTS", "TOOK"]);
    for (index, (action, status)) in actions.iter().zip(state.statuses()).enumerate() {
        let task = state.task(index);
        let time = time_of(task).map(took).unwrap_or_default();
        let look = match &status {
            status if status.is_done() => Look::Green,
            status if status.is_failed() => Look::Red,
            _ => Look::Yellow,
        };
        table.looks(vec![
            (Look::Bold, action.resource.clone()),
            (Look::Plain, view::step(action)),
            (look, status.name().to_owned()),
            (Look::Plain, task.attempts.to_string()),
            (Look::Plain, time),
        ]);
    }
    page.gap();
    table.write(page, 2);
}

fn next(page: &mut Page, run: &RunInfo, actions: &[Action], state: &RunState) {
    page.gap();
    let count_of = |is: fn(&Status) -> bool| (0..actions.len()).filter(|i| is(&state.task(*i).status)).count();
    let failed = count_of(|s| matches!(s, Status::Failed { .. })) > 0;
    let refused = count_of(|s| matches!(s, Status::Refused { .. })) > 0;
    if run.running && run.paused.is_some() {
        page.put(Look::Cyan, "next: ").text("drydock runs continue ").text(&run.id);
        page.put(Look::Dim, "  (nothing new is started until then)").end();
    } else if run.running {
        page.put(Look::Dim, "the run goes on").end();
    } else if refused && !failed {
        page.put(Look::Cyan, "next: ").text("drydock plan, as the site is not as this plan says").end();
    } else if run.is_resumable() {
        let before = if failed { "correct what failed, then " } else { "" };
        page.put(Look::Cyan, "next: ").text(before).text("drydock resume ").text(&run.id);
        page.put(Look::Dim, "  (does only what is left)").end();
    } else {
        page.put(Look::Cyan, "next: ")
            .text("drydock plan")
            .put(
                Look::Dim,
                if run.goal == "destroy_nodes" { "  (shows what the design still wants)" } else { "  (says what is left, if anything)" },
            )
            .end();
    }
}

/// `node.n01`, or the site resource.
fn owner(action: &Action) -> String {
    action.node.as_ref().map_or_else(|| action.resource.clone(), |node| format!("node.{node}"))
}

/// What went wrong and what to do.
fn trouble(status: &Status) -> (Option<&str>, Option<&str>) {
    match status {
        Status::Failed { message, hint, .. } | Status::Refused { message, hint } => (Some(message), hint.as_deref()),
        Status::Retrying { message, .. } => (Some(message), None),
        _ => (None, None),
    }
}

/// An outcome in words.
pub(super) fn outcome_words(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Success => "success",
        RunOutcome::PartialSuccess => "partial success",
        RunOutcome::Failure => "failure",
        RunOutcome::Incomplete => "incomplete",
    }
}

pub(super) fn outcome_look(outcome: RunOutcome) -> Look {
    match outcome {
        RunOutcome::Success => Look::Green,
        RunOutcome::PartialSuccess | RunOutcome::Incomplete => Look::Yellow,
        RunOutcome::Failure => Look::Red,
    }
}

/// An error class in words.
pub(super) fn class_name(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Transient => "network trouble",
        ErrorClass::Busy => "busy",
        ErrorClass::NotReady => "not ready",
        ErrorClass::Rejected => "rejected",
        ErrorClass::Credentials => "credentials",
        ErrorClass::Precondition => "precondition",
        ErrorClass::Failed => "failed at the site",
        ErrorClass::Timeout => "time limit",
        ErrorClass::Inconclusive => "inconclusive",
        ErrorClass::Settings => "settings",
        ErrorClass::Bug => "defect of drydock",
    }
}

//! A run as JUnit XML: a test suite for the run, one for the site's actions, one for each node; a test case for each action.
//!
//! What failed or was refused is a failure; what was begun and has no outcome is an error; what is blocked or was not reached is skipped, and says by what. The case
//! of the run itself passes only if every action is done, so that a run that was stopped early is never all green.

use std::collections::BTreeMap;

use super::junit::{Case, Ended, Suite, report};
use super::progress::excerpt;
use super::runs::{RunInfo, class_name};
use super::time::instant;
use super::view;
use crate::action::Action;
use crate::run::{RunOutcome, RunState, Status};

/// A run as JUnit XML.
pub fn run_junit(run: &RunInfo, actions: &[Action], state: &RunState) -> String {
    let host = run.by.split_once('@').map_or("", |(_, host)| host);
    let suite = |name: &str| Suite::new(name).ran(instant(run.started_ms / 1000), host);
    let mut suites: BTreeMap<(u8, &str), Suite> = BTreeMap::new();
    let name_of: BTreeMap<&str, String> = actions.iter().map(|a| (a.id.as_str(), format!("{} of {}", view::step(a), owner(a)))).collect();
    let mut seen: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for ((index, action), status) in actions.iter().enumerate().zip(state.statuses()) {
        let owner = owner(action);
        let place = if action.node.is_some() { (2, action.node.as_deref().unwrap_or("")) } else { (1, "") };
        let suite = suites.entry(place).or_insert_with(|| suite(if place.0 == 2 { &owner } else { "site" }));
        let what = if action.node.is_some() { view::step(action) } else { format!("{} {}", view::step(action), action.resource) };
        let again = seen.entry((place.1, what.clone())).or_default();
        *again += 1;
        // Steps are what CI servers compare between runs, so a name has no number unless it is needed.
        let name = if *again > 1 { format!("{what} #{again}") } else { what };
        let task = state.task(index);
        let time_ms = task.started_ms.zip(task.ended_ms).map(|(start, end)| end.saturating_sub(start));
        let tried = if task.attempts > 1 { format!(", attempt {}", task.attempts) } else { String::new() };
        let told = |message: &str, hint: Option<&String>| {
            let mut lines = excerpt(message);
            lines.extend(hint.map(|hint| format!("hint: {hint}")));
            lines
        };
        let ended = |ended: Ended<'_>, suite: &mut Suite| suite.add(&Case { name: &name, at: None, time_ms, ended });
        match &status {
            Status::Done => ended(Ended::Passed(None), suite),
            Status::AlreadyDone => ended(Ended::Passed(Some("was done already")), suite),
            Status::Failed { class, message, hint } => {
                let lines = told(message, hint.as_ref());
                let kind = class_name(*class);
                ended(Ended::Failed(kind, &format!("{kind}{tried}: {}", lines.first().map_or("", String::as_str)), &lines), suite);
            }
            Status::Refused { message, hint } => {
                let lines = told(message, hint.as_ref());
                ended(Ended::Failed("refused", &format!("refused: {}", lines.first().map_or("", String::as_str)), &lines), suite);
            }
            Status::Blocked { by } => {
                let by = name_of.get(by.as_str()).map_or(by.as_str(), String::as_str);
                ended(Ended::Skipped(&format!("blocked by {by}")), suite);
            }
            Status::Waiting | Status::Cancelled if task.begun => {
                ended(Ended::Error("under way", "was begun, and has no outcome yet", &[]), suite);
            }
            Status::Waiting | Status::Cancelled => ended(Ended::Skipped("not reached"), suite),
            Status::Running | Status::WaitingAtSite { .. } | Status::Retrying { .. } => {
                let detail = if task.detail.is_empty() { "was begun, and has no outcome yet" } else { &task.detail };
                ended(Ended::Error("under way", detail, &[]), suite);
            }
        }
    }
    let mut whole = suite("run");
    for (name, value) in [("run", &run.id), ("site", &run.site), ("goal", &run.goal), ("plan", &run.plan_digest), ("by", &run.by)] {
        whole.property(name, value);
    }
    if !state.approved_by().is_empty() {
        whole.property("approved by", state.approved_by().join(", "));
    }
    let took = run.ended_ms.unwrap_or_else(|| state.last_at_ms()).saturating_sub(run.started_ms);
    let next: Vec<String> = run.is_resumable().then(|| format!("drydock resume {}  does what is left", run.id)).into_iter().collect();
    let (_, status) = run.status();
    let ended = match run.outcome {
        Some(RunOutcome::Success) if !run.running => Ended::Passed(None),
        Some(RunOutcome::PartialSuccess | RunOutcome::Failure) if !run.running => Ended::Failed("outcome", &status, &next),
        _ => Ended::Error("outcome", &status, &next),
    };
    whole.add(&Case { name: "every action is done", at: None, time_ms: Some(took), ended });
    report(&format!("drydock {} of {}", run.goal, run.site), std::iter::once(&whole).chain(suites.values()))
}

/// `node.n01`, or `site`.
fn owner(action: &Action) -> String {
    action.node.as_ref().map_or_else(|| "site".to_owned(), |node| format!("node.{node}"))
}

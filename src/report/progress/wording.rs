//! What an event says, in words.

use super::super::paint::Look;
use super::super::plan_text::count;
use super::super::runs::{class_name, outcome_look, outcome_words, under_way_line};
use super::super::time::{clock, took};
use super::tracker::{Active, Tracker};
use crate::run::{AttemptOutcome, Event, EventKind, Severity};

/// How much an event matters to somebody who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// One of very many: a log has it, a live view shows it in its place.
    Step,
    /// What is waited for, or how far it is: may be left out.
    Chatter,
    /// Something goes wrong that may still come right: a log has it always, a live view shows it in its place.
    Trouble,
    /// To be read.
    Notable,
}

/// An event in words: a line, and lines below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) weight: Weight,
    /// What it is about (`node.n01`, `site`); empty for the run itself.
    pub(super) who: String,
    pub(super) look: Look,
    pub(super) text: String,
    pub(super) below: Vec<(Look, String)>,
}

impl Said {
    fn new(weight: Weight, who: &str, look: Look, text: impl Into<String>) -> Self {
        Self { weight, who: who.to_owned(), look, text: text.into(), below: Vec::new() }
    }

    /// Something about the run itself.
    pub(super) fn of_run(look: Look, text: impl Into<String>) -> Self {
        Self::new(Weight::Notable, "", look, text)
    }
}

/// Actions whose beginning is worth a line: they take minutes. Of others only the end is told.
fn is_long(minutes: u32) -> bool {
    minutes >= 10
}

/// What an event says; `before` has not taken it in yet.
pub(super) fn say(event: &Event, before: &Tracker) -> Option<Said> {
    let label = event.event.action().map(|id| before.label(id).map_or(("", id), |l| (l.who.as_str(), l.what.as_str())));
    let (who, what) = label.unwrap_or(("", ""));
    let said = match &event.event {
        EventKind::RunStarted { run, site, goal, actions, approved_by, .. } => {
            let text = format!("run {run} of {site}: {goal}, {} (UTC)", count(*actions as usize, "action"));
            let mut said = Said::of_run(Look::Bold, text);
            let by = (!approved_by.is_empty()).then(|| format!("approved by {}", approved_by.join(", ")));
            said.below.extend(by.map(|text| (Look::Plain, text)));
            said
        }
        EventKind::RunResumed { done } => {
            let mut said = Said::of_run(Look::Bold, format!("the run goes on; {} done already", count(*done as usize, "action")));
            said.below.extend(before.paused().map(|by| (Look::Yellow, format!("it is paused by {by}: {CONTINUE}"))));
            said
        }
        EventKind::AttemptResolved { .. } | EventKind::RemedyBegun { .. } => return None,
        EventKind::AttemptIntent { action, attempt, .. } => {
            let long = before.label(action).is_some_and(|l| is_long(l.kind.default_timeout_minutes()));
            let active = before.in_progress(action);
            let again = active.is_some_and(|(_, retrying)| retrying);
            if !again && (active.is_some() || !long) {
                return None;
            }
            let again = if again { format!(" again, attempt {attempt}") } else { String::new() };
            Said::new(Weight::Step, who, Look::Plain, format!("{what} started{again}"))
        }
        EventKind::AttemptWaiting { reason, .. } => Said::new(Weight::Chatter, who, Look::Dim, format!("{what} waits: {reason}")),
        EventKind::AttemptProgress { detail, .. } => Said::new(Weight::Chatter, who, Look::Dim, format!("{what}: {detail}")),
        EventKind::AttemptOutcome { action, attempt, outcome, .. } => {
            // An attempt that failed before its intent has no beginning; the time since the last one was a pause.
            let begun = before.in_progress(action).filter(|(_, retrying)| !retrying);
            let time = begun.map(|(since_ms, _)| took(event.at_ms.saturating_sub(since_ms)));
            ended(who, what, *attempt, outcome, time.as_deref())
        }
        EventKind::RetryScheduled { attempt, next_at_ms, .. } => Said::new(
            Weight::Trouble,
            who,
            Look::Yellow,
            format!("{what} is tried again at {} (attempt {})", clock(next_at_ms / 1000), attempt + 1),
        ),
        EventKind::BranchesStopped { failed_nodes } => {
            let text = format!("{} failed: no new branch is started, those that run go on", count(*failed_nodes as usize, "node"));
            Said::of_run(Look::Red, text)
        }
        EventKind::GateReached { name, .. } => Said::new(
            Weight::Notable,
            "",
            Look::Plain,
            format!("{name}: all branches have ended; its nodes are watched before others begin"),
        ),
        EventKind::GatePassed { name, not_verified, .. } => {
            let rest = if not_verified.is_empty() { String::new() } else { format!("; not verified: {}", not_verified.join(", ")) };
            Said::new(Weight::Notable, "", Look::Green, format!("{name}: through{rest}"))
        }
        EventKind::GateFailed { name, message, hint, .. } => {
            let mut said = Said::new(Weight::Notable, "", Look::Red, format!("{name}: NOT through, so what waits for it does not begin"));
            said.below = excerpt(message).into_iter().map(|line| (Look::Plain, line)).collect();
            said.below.push((Look::Cyan, format!("hint: {hint}")));
            said
        }
        EventKind::RemedyEnded { node, remedy, error } => {
            let done = if remedy == "power_off" { "is switched off" } else { "is marked broken" };
            let (look, text) = match error {
                None => (Look::Yellow, format!("{done}, as its branch failed")),
                Some(error) => (Look::Red, format!("could not be treated with {remedy} after its failure: {error}")),
            };
            Said::new(Weight::Notable, &format!("node.{node}"), look, text)
        }
        EventKind::Message { severity, text, .. } => {
            let (weight, look, word) = match severity {
                Severity::Info => (Weight::Step, Look::Plain, ""),
                Severity::Warning => (Weight::Notable, Look::Yellow, "warning: "),
                Severity::Error => (Weight::Notable, Look::Red, "error: "),
            };
            let what = if what.is_empty() { String::new() } else { format!("{what}: ") };
            Said::new(weight, who, look, format!("{what}{word}{text}"))
        }
        EventKind::RunStopping { by, now } => {
            let by = by.as_ref().map(|by| format!(", as {by} asked for")).unwrap_or_default();
            let how = if *now { "at once" } else { "at a safe point: nothing new is started" };
            let active = before.active(event.at_ms);
            let rest = if active.is_empty() { "nothing is under way" } else { "under way:" };
            let mut said = Said::of_run(Look::Yellow, format!("stopping {how}{by}; {rest}"));
            said.below = active.iter().take(UNDER_WAY).map(|a| (Look::Plain, active_line(a, before))).collect();
            if active.len() > UNDER_WAY {
                said.below.push((Look::Dim, format!("… and {} more", active.len() - UNDER_WAY)));
            }
            said
        }
        EventKind::RunPaused { by } => Said::of_run(Look::Yellow, format!("paused by {by}: what runs goes on, {CONTINUE}")),
        EventKind::RunContinued { by } => Said::of_run(Look::Bold, format!("continued by {by}")),
        EventKind::RunAbandoned { by, under_way } => {
            let begun = match under_way.len() {
                0 => String::new(),
                n => format!("; {} begun and not confirmed", count(n, "action")),
            };
            Said::of_run(Look::Yellow, format!("abandoned by {by}{begun}"))
        }
        EventKind::RunInterrupted { under_way } => {
            let rest = match under_way.len() {
                0 => "nothing is under way at the site".to_owned(),
                n => format!("{} under way at the site, and looked at first by a resume", count(n, "action")),
            };
            Said::of_run(Look::Yellow, format!("stopping: nothing new is started; {rest}"))
        }
        EventKind::RunFinished { outcome } => Said::of_run(outcome_look(*outcome), format!("the run ended: {}", outcome_words(*outcome))),
    };
    Some(said)
}

/// What a paused run waits for.
const CONTINUE: &str = "nothing new is started until `drydock runs continue`";

/// Lines of what is under way when a run is asked to stop.
const UNDER_WAY: usize = 30;

fn active_line(active: &Active, tracker: &Tracker) -> String {
    let label = tracker.label_at(active.index);
    under_way_line(&label.who, &label.what, Some(active.elapsed_ms), active.detail)
}

fn ended(who: &str, what: &str, attempt: u32, outcome: &AttemptOutcome, time: Option<&str>) -> Said {
    let after = |word: &str| time.map(|t| format!(" {word} {t}")).unwrap_or_default();
    let nth = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    let bad = |how: String, message: &str, hint: Option<&str>| {
        let mut said = Said::new(Weight::Notable, who, Look::Red, format!("{what} {how}"));
        said.below = excerpt(message).into_iter().map(|line| (Look::Plain, line)).collect();
        said.below.extend(hint.map(|h| (Look::Cyan, format!("hint: {h}"))));
        said
    };
    match outcome {
        AttemptOutcome::Done => Said::new(Weight::Step, who, Look::Green, format!("{what} done{}", after("in"))),
        AttemptOutcome::AlreadyDone { evidence } => {
            let shown = if evidence.is_empty() { String::new() } else { format!(": {evidence}") };
            Said::new(Weight::Step, who, Look::Green, format!("{what} was done already{shown}"))
        }
        AttemptOutcome::Failed { class, message, hint } => {
            bad(format!("FAILED{} ({}{nth})", after("after"), class_name(*class)), message, hint.as_deref())
        }
        AttemptOutcome::Refused { message, hint } => bad("REFUSED: the site is not as the plan says".to_owned(), message, hint.as_deref()),
        AttemptOutcome::Cancelled => Said::new(Weight::Step, who, Look::Yellow, format!("{what} not begun: the run was asked to stop")),
    }
}

/// Lines of a failure's message that are shown at once.
const EXCERPT_LINES: usize = 5;
/// Characters of such a line.
const EXCERPT_COLUMNS: usize = 300;

/// The first lines of a message.
pub(in super::super) fn excerpt(message: &str) -> Vec<String> {
    let lines: Vec<&str> = message.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).collect();
    let mut out: Vec<String> =
        lines.iter().take(EXCERPT_LINES).map(|l| super::super::values::cut(l, EXCERPT_COLUMNS).into_owned()).collect();
    if lines.len() > EXCERPT_LINES {
        out.push(format!("… {}", count(lines.len() - EXCERPT_LINES, "more line")));
    }
    out
}

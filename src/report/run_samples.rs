//! Runs written by hand, for the tests of every reporter.

use std::collections::BTreeMap;

use super::plan_samples;
use super::runs::RunInfo;
use crate::action::{Action, ActionKind, ErrorClass};
use crate::run::{AttemptOutcome, EVENT_VERSION, Event, EventKind, RunOutcome, RunState, Severity};

/// Events of a run over some actions, with a clock.
pub(super) struct Journal {
    pub(super) actions: Vec<Action>,
    pub(super) events: Vec<Event>,
    now_ms: u64,
}

/// 2026-11-22 19:04:11 UTC.
const START: u64 = 1_795_374_251_000;

impl Journal {
    fn new(actions: Vec<Action>) -> Self {
        let mut journal = Self { actions, events: Vec::new(), now_ms: START };
        let started = EventKind::RunStarted {
            run: "20261122-190411-7k2m".to_owned(),
            site: "hello".to_owned(),
            goal: "deploy_nodes".to_owned(),
            plan: "9f".repeat(32),
            actions: journal.actions.len() as u64,
            approved_by: Vec::new(),
        };
        journal.push(0, started);
        journal
    }

    /// Adds an event some milliseconds later.
    pub(super) fn push(&mut self, later_ms: u64, event: EventKind) {
        self.now_ms += later_ms;
        self.events.push(Event { v: EVENT_VERSION, seq: self.events.len() as u64 + 1, at_ms: self.now_ms, event });
    }

    fn id(&self, node: Option<&str>, nth: usize) -> String {
        self.actions.iter().filter(|a| a.node.as_deref() == node).nth(nth).unwrap().id.clone()
    }

    fn begin(&mut self, action: &str, attempt: u32) {
        self.push(100, EventKind::AttemptIntent { action: action.to_owned(), attempt, before: None });
    }

    fn end(&mut self, after_ms: u64, action: &str, attempt: u32, outcome: AttemptOutcome) {
        self.push(after_ms, EventKind::AttemptOutcome { action: action.to_owned(), attempt, outcome, outputs: BTreeMap::new() });
    }

    fn done(&mut self, action: &str, ms: u64) {
        self.begin(action, 1);
        self.end(ms, action, 1, AttemptOutcome::Done);
    }

    pub(super) fn state(&self) -> RunState {
        RunState::fold(&self.actions, &self.events).unwrap()
    }

    pub(super) fn info(&self, outcome: Option<RunOutcome>) -> RunInfo {
        RunInfo {
            id: "20261122-190411-7k2m".to_owned(),
            site: "hello".to_owned(),
            goal: "deploy_nodes".to_owned(),
            selection: None,
            plan_digest: "9f".repeat(32),
            by: "ops@deployer".to_owned(),
            started_ms: START,
            ended_ms: outcome.map(|_| self.now_ms),
            outcome,
            running: false,
            paused: None,
            abandoned: false,
        }
    }
}

fn failed(class: ErrorClass, message: &str, hint: Option<&str>) -> AttemptOutcome {
    AttemptOutcome::Failed { class, message: message.to_owned(), hint: hint.map(str::to_owned) }
}

/// Two nodes: one is done, the other's deployment fails twice.
pub(super) fn partial() -> Journal {
    let mut j = Journal::new(plan_samples::two_nodes().actions);
    let site: Vec<String> = j.actions.iter().filter(|a| a.node.is_none()).map(|a| a.id.clone()).collect();
    for (n, action) in site.iter().enumerate() {
        if n == 1 {
            j.begin(action, 1);
            j.end(40, action, 1, AttemptOutcome::AlreadyDone { evidence: "the fabric has this name".to_owned() });
        } else if n == 5 {
            j.begin(action, 1);
            for step in 0..8 {
                let event = EventKind::AttemptProgress { action: action.clone(), detail: format!("{} % imported", step * 12) };
                j.push(9_000, event);
            }
            j.end(3_000, action, 1, AttemptOutcome::Done);
        } else {
            j.done(action, 120);
        }
    }
    for nth in 0..11 {
        for node in ["n01", "n02"] {
            let action = j.id(Some(node), nth);
            let kind = j.actions.iter().find(|a| a.id == action).unwrap().kind;
            if node == "n02" && nth > 9 {
                continue;
            }
            if kind != ActionKind::DeployNode {
                j.done(&action, 30_000);
            } else if node == "n01" {
                j.begin(&action, 1);
                j.push(500, EventKind::AttemptWaiting { action: action.clone(), attempt: 1, reason: "MAAS shows Deploying".to_owned() });
                j.end(250_000, &action, 1, AttemptOutcome::Done);
            } else {
                j.begin(&action, 1);
                j.end(61_000, &action, 1, failed(ErrorClass::Transient, "MAAS did not answer within 30 s", None));
                let next_at_ms = j.now_ms + 8_000;
                j.push(0, EventKind::RetryScheduled { action: action.clone(), attempt: 1, next_at_ms });
                j.now_ms = next_at_ms;
                j.begin(&action, 2);
                let message =
                    "MAAS shows Failed deployment\ncurtin: installation failed with exception\n\u{1b}[31mno such disk: /dev/sdb\u{1b}[0m";
                let hint = Some("look at the machine's installation log in MAAS; then drydock resume");
                j.end(192_000, &action, 2, failed(ErrorClass::Failed, message, hint));
            }
        }
    }
    j.push(5, EventKind::Message { severity: Severity::Warning, action: None, text: "the lease was renewed late".to_owned() });
    j.push(5, EventKind::RunFinished { outcome: RunOutcome::PartialSuccess });
    j
}

/// A site action fails, everything behind it is blocked.
pub(super) fn site_failed() -> Journal {
    let mut j = Journal::new(plan_samples::two_nodes().actions);
    let first = j.id(None, 0);
    j.done(&first, 50);
    let second = j.id(None, 1);
    j.begin(&second, 1);
    let refused = AttemptOutcome::Refused {
        message: "the fabric is now called `x`, the plan saw `fabric-0`".to_owned(),
        hint: Some("plan again".to_owned()),
    };
    j.end(70, &second, 1, refused);
    j.push(0, EventKind::RunFinished { outcome: RunOutcome::Failure });
    j
}

/// Stopped in the middle: one node goes on at the site, the other was not reached.
pub(super) fn interrupted() -> Journal {
    let mut j = Journal::new(plan_samples::two_nodes().actions);
    let site: Vec<String> = j.actions.iter().filter(|a| a.node.is_none()).map(|a| a.id.clone()).collect();
    for action in site {
        j.done(&action, 100);
    }
    for nth in 0..4 {
        let action = j.id(Some("n01"), nth);
        j.done(&action, 20_000);
    }
    let action = j.id(Some("n01"), 4);
    j.begin(&action, 1);
    j.push(1_000, EventKind::AttemptWaiting { action: action.clone(), attempt: 1, reason: "MAAS shows Commissioning".to_owned() });
    j.push(60_000, EventKind::RunInterrupted { under_way: vec![action] });
    j.push(10, EventKind::RunFinished { outcome: RunOutcome::Incomplete });
    j
}

/// In the middle of a run over so many nodes: of a hundred in flight (all, where there are fewer) one is tried again, one takes much longer than the others, some
/// are between two steps, the rest are at different steps. Before them a few are done, and one failed where there are many.
pub(super) fn under_way(nodes: usize) -> Journal {
    let mut j = Journal::new(plan_samples::empty_racks(nodes).actions);
    let mut of_node: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for action in &j.actions {
        of_node.entry(action.node.clone().unwrap_or_default()).or_default().push(action.id.clone());
    }
    for action in of_node.remove("").unwrap() {
        j.done(&action, 100);
    }
    let steps: Vec<Vec<String>> = of_node.into_values().collect();
    for (number, steps) in steps.iter().enumerate().take(if nodes > 100 { 141 } else { nodes }) {
        let in_flight = if nodes > 100 { number.checked_sub(41) } else { Some(number) };
        let done = match in_flight {
            None if number == 40 => 9,
            None => 11,
            // The fifth step is the hardware's configuration, the tenth the deployment.
            Some(at) => [4, 9, 4, 9, 2][at % 5],
        };
        for action in &steps[..done] {
            j.done(action, 900);
        }
        let Some(action) = steps.get(done) else { continue };
        if in_flight.is_none() {
            j.begin(action, 1);
            j.end(61_000, action, 1, failed(ErrorClass::Failed, "MAAS shows Failed deployment", None));
        } else if in_flight == Some(1) {
            j.begin(action, 1);
            j.end(30_000, action, 1, failed(ErrorClass::Transient, "MAAS did not answer within 30 s", None));
            let next_at_ms = j.now_ms + 600_000;
            j.push(0, EventKind::RetryScheduled { action: action.clone(), attempt: 1, next_at_ms });
        } else if in_flight.is_some_and(|at| at % 5 != 4) {
            j.begin(action, 1);
            let reason = if done == 4 { "MAAS shows Commissioning" } else { "MAAS shows Deploying" };
            j.push(500, EventKind::AttemptWaiting { action: action.clone(), attempt: 1, reason: reason.to_owned() });
        }
    }
    j
}

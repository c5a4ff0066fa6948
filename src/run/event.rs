//! What happens in a run: the only record of it. Status, progress, resume and history are folds of these.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::ErrorClass;

/// Version of the event format.
pub const EVENT_VERSION: u32 = 1;

/// One event of a run; one JSON object in the journal and, with `--json`, one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Format version: [`EVENT_VERSION`].
    pub v: u32,
    /// Position in the run, from 1 without gaps.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub event: EventKind,
}

/// How serious a message is. It never decides an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Someone may want to look.
    Warning,
    /// Something went wrong.
    Error,
}

/// How one attempt of an action ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Begun by this run, and observed to be done.
    Done,
    /// Observed to be done without an effect of this attempt.
    AlreadyDone {
        /// What showed it; empty when the action's own observation did.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        evidence: String,
    },
    /// Failed.
    Failed {
        /// Kind of failure.
        class: ErrorClass,
        /// What went wrong and where. Never holds a secret.
        message: String,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Nothing was begun: the site is not as the plan says.
    Refused {
        /// What is different.
        message: String,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Nothing was begun: the run was asked to stop.
    Cancelled,
}

/// How a run, or a node's part of it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every action is done.
    Success,
    /// Some nodes are done, others failed, are blocked or were not reached.
    PartialSuccess,
    /// No node is done, and something failed.
    Failure,
    /// Stopped before its end; `resume` goes on.
    Incomplete,
}

impl RunOutcome {
    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::PartialSuccess => "partial_success",
            Self::Failure => "failure",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event of a run.
    RunStarted {
        /// Run id.
        run: String,
        /// Site.
        site: String,
        /// Goal of the plan.
        goal: String,
        /// Digest of the plan.
        plan: String,
        /// Number of actions.
        actions: u64,
        /// Who approved the plan, where the policies of the site asked for that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approved_by: Vec<String>,
    },
    /// The run goes on in another process. What failed before is tried again.
    RunResumed {
        /// Actions that are done and not repeated.
        done: u64,
    },
    /// Late parameters were read from the site; written before the effect.
    AttemptResolved {
        /// Action id.
        action: String,
        /// Parameters as the driver gets them.
        params: serde_json::Value,
    },
    /// The effect may happen from now on: durable before the driver is asked to begin.
    AttemptIntent {
        /// Action id.
        action: String,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// What the site showed just before of what the effect changes for good (`installation 17, mark none`): after a crash it tells whether something has
        /// happened since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// It goes on at the site; the attempt holds no slot.
    AttemptWaiting {
        /// Action id.
        action: String,
        /// Number of the attempt.
        attempt: u32,
        /// For what.
        reason: String,
    },
    /// The site shows something new about an action that is waited for.
    AttemptProgress {
        /// Action id.
        action: String,
        /// What it is doing.
        detail: String,
    },
    /// An attempt ended.
    AttemptOutcome {
        /// Action id.
        action: String,
        /// Number of the attempt.
        attempt: u32,
        /// How.
        outcome: AttemptOutcome,
        /// Facts learned (`machine`: provisioner id).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, String>,
    },
    /// A failed attempt is followed by another one.
    RetryScheduled {
        /// Action id.
        action: String,
        /// Number of the attempt that failed.
        attempt: u32,
        /// When the next one starts, milliseconds since 1970.
        next_at_ms: u64,
    },
    /// Too many nodes failed: no new branch is started; those that run go on.
    BranchesStopped {
        /// Nodes that failed.
        failed_nodes: u32,
    },
    /// Every branch of a wave has ended, and well enough: its nodes are watched before those behind it begin.
    GateReached {
        /// Place of the wave in the plan.
        wave: u32,
        /// Its name.
        name: String,
    },
    /// A wave is through: those that wait for it begin.
    GatePassed {
        /// Place of the wave in the plan.
        wave: u32,
        /// Its name.
        name: String,
        /// What nobody could look at (`boot actions of n1`); empty where all was seen to be well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_verified: Vec<String>,
    },
    /// A wave is not through: what waits for it does not begin in this process; those that run go on.
    GateFailed {
        /// Place of the wave in the plan.
        wave: u32,
        /// Its name.
        name: String,
        /// Why.
        message: String,
        /// What to do.
        hint: String,
        /// Whether that makes the run a failure, however much else is done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        critical: bool,
    },
    /// Something is done with a node whose branch failed, as the plan says (`power_off`, `mark_broken`). Changes no outcome.
    RemedyBegun {
        /// Node.
        node: String,
        /// What.
        remedy: String,
    },
    /// That was done, or could not be.
    RemedyEnded {
        /// Node.
        node: String,
        /// What.
        remedy: String,
        /// Why it could not be done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Something to tell. Changes no state.
    Message {
        /// How serious.
        severity: Severity,
        /// Action id, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// The text.
        text: String,
    },
    /// The run is asked to stop: nothing new is started, and calls in progress reach a safe point.
    RunStopping {
        /// Who asked from elsewhere (`ops@host`); absent for a signal to the process itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Whether calls in progress are not waited for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        now: bool,
    },
    /// The run is paused: nothing new is started until it is continued, also by a later process; what runs goes on.
    RunPaused {
        /// Who asked.
        by: String,
    },
    /// The run is no longer paused.
    RunContinued {
        /// Who asked.
        by: String,
    },
    /// The run was given up, and is not gone on with.
    RunAbandoned {
        /// Who decided it.
        by: String,
        /// Actions that were begun and not confirmed.
        under_way: Vec<String>,
    },
    /// The process ends before the run's end.
    RunInterrupted {
        /// Actions that go on at the site or may have been begun, and will be observed first by a resume.
        under_way: Vec<String>,
    },
    /// The last event of a process: nothing more is started by it.
    RunFinished {
        /// Outcome by the latest attempt of each action.
        outcome: RunOutcome,
    },
}

/// JSON Schema (2020-12) of an event: a line of `--json`. Within a version keys may be added, and nothing that is required goes.
pub fn event_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Event).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "An event of a run of drydock".into());
        object.insert("description".to_owned(), "One line of `apply --json`, `resume --json` and `destroy --json`.".into());
    }
    if let Some(version) = schema.pointer_mut("/properties/v") {
        *version = serde_json::json!({"description": "Version of the format", "const": EVENT_VERSION});
    }
    schema
}

impl EventKind {
    /// The name in journals and for failpoints.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::RunResumed { .. } => "run_resumed",
            Self::AttemptResolved { .. } => "attempt_resolved",
            Self::AttemptIntent { .. } => "attempt_intent",
            Self::AttemptWaiting { .. } => "attempt_waiting",
            Self::AttemptProgress { .. } => "attempt_progress",
            Self::AttemptOutcome { .. } => "attempt_outcome",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::BranchesStopped { .. } => "branches_stopped",
            Self::GateReached { .. } => "gate_reached",
            Self::GatePassed { .. } => "gate_passed",
            Self::GateFailed { .. } => "gate_failed",
            Self::RemedyBegun { .. } => "remedy_begun",
            Self::RemedyEnded { .. } => "remedy_ended",
            Self::Message { .. } => "message",
            Self::RunStopping { .. } => "run_stopping",
            Self::RunPaused { .. } => "run_paused",
            Self::RunContinued { .. } => "run_continued",
            Self::RunAbandoned { .. } => "run_abandoned",
            Self::RunInterrupted { .. } => "run_interrupted",
            Self::RunFinished { .. } => "run_finished",
        }
    }

    /// The action it is about, if any.
    pub fn action(&self) -> Option<&str> {
        match self {
            Self::AttemptResolved { action, .. }
            | Self::AttemptIntent { action, .. }
            | Self::AttemptWaiting { action, .. }
            | Self::AttemptProgress { action, .. }
            | Self::AttemptOutcome { action, .. }
            | Self::RetryScheduled { action, .. } => Some(action),
            Self::Message { action, .. } => action.as_deref(),
            _ => None,
        }
    }
}

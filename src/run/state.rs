//! The state of a run: a fold of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::{Action, ErrorClass};

use super::{AttemptOutcome, Dag, DagError, Event, EventKind, RunOutcome};

/// Where an action is, by its latest attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not begun: not its turn yet, or not reached when the run ended.
    Waiting,
    /// An attempt is in progress (or was, when the process ended).
    Running,
    /// It goes on at the site.
    WaitingAtSite {
        /// For what.
        reason: String,
    },
    /// A failed attempt will be followed by another.
    Retrying {
        /// When, milliseconds since 1970.
        next_at_ms: u64,
        /// What went wrong.
        message: String,
    },
    /// Done by this run.
    Done,
    /// Was done already.
    AlreadyDone,
    /// Failed.
    Failed {
        /// Kind of failure.
        class: ErrorClass,
        /// What went wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Refused before anything was begun.
    Refused {
        /// What is different at the site.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The run was asked to stop before it was begun.
    Cancelled,
    /// Will not start: an action that it waits for, directly or not, failed.
    Blocked {
        /// Id of that action.
        by: String,
    },
}

impl Status {
    /// Whether what waits for it may start.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::AlreadyDone)
    }

    /// Whether the latest attempt failed or was refused for good.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Refused { .. })
    }

    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "not reached",
            Self::Running => "running",
            Self::WaitingAtSite { .. } => "waiting",
            Self::Retrying { .. } => "retrying",
            Self::Done => "done",
            Self::AlreadyDone => "already done",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
            Self::Cancelled => "cancelled",
            Self::Blocked { .. } => "blocked",
        }
    }
}

/// What the journal tells about an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRecord {
    /// Status; never [`Status::Blocked`], which is derived ([`RunState::status`]).
    pub status: Status,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether an intent was written: the effect may have been begun.
    pub begun: bool,
    /// Time of the latest intent that nothing has ended for good yet, milliseconds since 1970: since then its time limit runs.
    pub begun_ms: Option<u64>,
    /// What the site showed before the latest intent.
    pub before: Option<String>,
    /// Late parameters as they were resolved before the last intent.
    pub resolved: Option<serde_json::Value>,
    /// What the site showed last while waiting.
    pub detail: String,
    /// Facts learned when it was done.
    pub outputs: BTreeMap<String, String>,
    /// Time of its first event, milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// Time of its latest outcome.
    pub ended_ms: Option<u64>,
}

/// Where the gate of a wave stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateState {
    /// Its nodes are watched.
    Watched {
        /// Name of the wave.
        name: String,
        /// Since when, milliseconds since 1970.
        since_ms: u64,
    },
    /// It is through.
    Passed,
    /// It is not.
    Failed {
        /// Name of the wave.
        name: String,
        /// Why.
        message: String,
        /// What to do.
        hint: String,
        /// Whether that makes the run a failure.
        critical: bool,
    },
}

/// How many actions are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Done, whether by this run or before.
    pub done: u64,
    /// Running, waiting at the site or retrying.
    pub active: u64,
    /// Failed or refused.
    pub failed: u64,
    /// Blocked by a failed one.
    pub blocked: u64,
    /// Not begun, or cancelled before.
    pub waiting: u64,
}

/// How a node's branch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOutcome {
    /// Success, failure (something failed, was refused or is blocked) or incomplete.
    pub outcome: RunOutcome,
    /// The action that failed first in plan order (of the node, or the one that blocks it).
    pub cause: Option<String>,
}

/// The state of a run.
#[derive(Debug, Clone)]
pub struct RunState {
    dag: Arc<Dag>,
    ids: Vec<String>,
    nodes: Vec<Option<String>>,
    tasks: Vec<TaskRecord>,
    last_seq: u64,
    last_at_ms: u64,
    started_ms: Option<u64>,
    approved_by: Vec<String>,
    interrupted: bool,
    paused: Option<String>,
    stopped: bool,
    gates: BTreeMap<u32, GateState>,
    finished: Option<RunOutcome>,
}

impl RunState {
    /// The state before the first event.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn new(actions: &[Action]) -> Result<Self, DagError> {
        Ok(Self::with_dag(actions, Arc::new(Dag::new(actions)?)))
    }

    /// The state before the first event, over a graph made from the same actions.
    pub fn with_dag(actions: &[Action], dag: Arc<Dag>) -> Self {
        let blank = TaskRecord {
            status: Status::Waiting,
            attempts: 0,
            begun: false,
            begun_ms: None,
            before: None,
            resolved: None,
            detail: String::new(),
            outputs: BTreeMap::new(),
            started_ms: None,
            ended_ms: None,
        };
        Self {
            ids: actions.iter().map(|a| a.id.clone()).collect(),
            nodes: actions.iter().map(|a| a.node.clone()).collect(),
            tasks: vec![blank; dag.len()],
            dag,
            last_seq: 0,
            last_at_ms: 0,
            started_ms: None,
            approved_by: Vec::new(),
            interrupted: false,
            paused: None,
            stopped: false,
            gates: BTreeMap::new(),
            finished: None,
        }
    }

    /// The state after a journal.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn fold<'a>(actions: &[Action], events: impl IntoIterator<Item = &'a Event>) -> Result<Self, DagError> {
        let mut state = Self::new(actions)?;
        for event in events {
            state.apply(event);
        }
        Ok(state)
    }

    /// Applies one event. Events about actions that the plan does not have change nothing; constant time.
    pub fn apply(&mut self, event: &Event) {
        self.last_seq = self.last_seq.max(event.seq);
        self.last_at_ms = self.last_at_ms.max(event.at_ms);
        match &event.event {
            EventKind::RunStarted { approved_by, .. } => {
                self.started_ms = Some(event.at_ms);
                self.approved_by.clone_from(approved_by);
            }
            EventKind::RunResumed { .. } => {
                (self.interrupted, self.stopped, self.finished) = (false, false, None);
                // Whoever resumes asks for another try at these, too.
                self.gates.retain(|_, gate| !matches!(gate, GateState::Failed { .. }));
                for task in &mut self.tasks {
                    if task.status.is_failed() {
                        // Whoever resumes asks for another try, with all its time.
                        task.begun_ms = None;
                    }
                    if matches!(task.status, Status::Failed { class: ErrorClass::Failed, .. }) {
                        // The site showed how that effect ended: the next attempt begins another one.
                        task.begun = false;
                    }
                    if !task.status.is_done() {
                        task.status = Status::Waiting;
                    }
                }
            }
            EventKind::BranchesStopped { .. } => self.stopped = true,
            EventKind::RunInterrupted { .. } | EventKind::RunAbandoned { .. } => self.interrupted = true,
            EventKind::RunPaused { by } => self.paused = Some(by.clone()),
            EventKind::RunContinued { .. } => self.paused = None,
            EventKind::GateReached { wave, name } => {
                self.gates.insert(*wave, GateState::Watched { name: name.clone(), since_ms: event.at_ms });
            }
            EventKind::GatePassed { wave, .. } => {
                self.gates.insert(*wave, GateState::Passed);
            }
            EventKind::GateFailed { wave, name, message, hint, critical } => {
                let (name, message, hint) = (name.clone(), message.clone(), hint.clone());
                self.gates.insert(*wave, GateState::Failed { name, message, hint, critical: *critical });
            }
            EventKind::RunFinished { outcome } => self.finished = Some(*outcome),
            EventKind::Message { .. } | EventKind::RunStopping { .. } | EventKind::RemedyBegun { .. } | EventKind::RemedyEnded { .. } => {}
            EventKind::AttemptResolved { action, params } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    task.resolved = Some(params.clone());
                }
            }
            EventKind::AttemptIntent { action, attempt, before } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    task.begun = true;
                    task.before.clone_from(before);
                    task.begun_ms = Some(event.at_ms);
                    task.attempts = task.attempts.max(*attempt);
                    task.status = Status::Running;
                }
            }
            EventKind::AttemptWaiting { action, attempt, reason } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    task.attempts = task.attempts.max(*attempt);
                    task.status = Status::WaitingAtSite { reason: reason.clone() };
                    task.detail.clone_from(reason);
                }
            }
            EventKind::AttemptProgress { action, detail } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    task.detail.clone_from(detail);
                }
            }
            EventKind::AttemptOutcome { action, attempt, outcome, outputs } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    task.attempts = task.attempts.max(*attempt);
                    task.ended_ms = Some(event.at_ms);
                    task.outputs.clone_from(outputs);
                    task.status = match outcome.clone() {
                        AttemptOutcome::Done => Status::Done,
                        AttemptOutcome::AlreadyDone { .. } => Status::AlreadyDone,
                        AttemptOutcome::Failed { class, message, hint } => Status::Failed { class, message, hint },
                        AttemptOutcome::Refused { message, hint } => Status::Refused { message, hint },
                        AttemptOutcome::Cancelled => Status::Cancelled,
                    };
                }
            }
            EventKind::RetryScheduled { action, next_at_ms, .. } => {
                if let Some(task) = self.task_mut(action, event.at_ms) {
                    let message = match &task.status {
                        Status::Failed { message, .. } => message.clone(),
                        _ => String::new(),
                    };
                    task.status = Status::Retrying { next_at_ms: *next_at_ms, message };
                }
            }
        }
    }

    fn task_mut(&mut self, id: &str, at_ms: u64) -> Option<&mut TaskRecord> {
        let i = self.dag.index(id)?;
        let task = &mut self.tasks[i as usize];
        task.started_ms.get_or_insert(at_ms);
        Some(task)
    }

    /// The graph.
    pub fn dag(&self) -> &Arc<Dag> {
        &self.dag
    }

    /// What the journal tells about an action, by its index in the plan.
    pub fn task(&self, index: usize) -> &TaskRecord {
        &self.tasks[index]
    }

    /// What the journal tells about an action, by its id.
    pub fn find(&self, id: &str) -> Option<&TaskRecord> {
        self.dag.index(id).map(|i| &self.tasks[i as usize])
    }

    /// Sequence number of the last event.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Time of the last event, milliseconds since 1970.
    pub fn last_at_ms(&self) -> u64 {
        self.last_at_ms
    }

    /// Time of the first event, milliseconds since 1970.
    pub fn started_ms(&self) -> Option<u64> {
        self.started_ms
    }

    /// Who approved its plan, where the policies of the site asked for that.
    pub fn approved_by(&self) -> &[String] {
        &self.approved_by
    }

    /// Whether the run was asked to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Who paused it, if it was not continued since.
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// Whether too many nodes failed for new branches.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Gates of waves that were reached, by the wave's place in the plan.
    pub fn gates(&self) -> impl Iterator<Item = (u32, &GateState)> {
        self.gates.iter().map(|(wave, gate)| (*wave, gate))
    }

    /// The outcome that was written, if the last process came to its end.
    pub fn finished(&self) -> Option<RunOutcome> {
        self.finished
    }

    /// Ids of actions that may be under way at the site.
    pub fn under_way(&self) -> Vec<String> {
        let under_way = |t: &TaskRecord| match t.status {
            Status::Running | Status::WaitingAtSite { .. } => true,
            Status::Retrying { .. } | Status::Cancelled => t.begun,
            _ => false,
        };
        self.ids.iter().zip(&self.tasks).filter(|(_, t)| under_way(t)).map(|(id, _)| id.clone()).collect()
    }

    /// For each action, the failed action that blocks it: the first in plan order on any path to it.
    fn blockers(&self) -> Vec<Option<u32>> {
        let mut by: Vec<Option<u32>> = vec![None; self.tasks.len()];
        for &i in self.dag.order() {
            let from = if self.tasks[i as usize].status.is_failed() { Some(i) } else { by[i as usize] };
            if let Some(cause) = from {
                for next in self.dag.successors(i) {
                    let slot = &mut by[next as usize];
                    *slot = Some(slot.map_or(cause, |c| c.min(cause)));
                }
            }
        }
        by
    }

    /// Status of every action in plan order, with what is blocked. Linear in the plan.
    pub fn statuses(&self) -> Vec<Status> {
        self.blockers()
            .into_iter()
            .zip(&self.tasks)
            .map(|(by, task)| match (by, &task.status) {
                (Some(by), Status::Waiting | Status::Cancelled) => Status::Blocked { by: self.ids[by as usize].clone() },
                (_, status) => status.clone(),
            })
            .collect()
    }

    /// How many actions are where. Linear in the plan.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (by, task) in self.blockers().into_iter().zip(&self.tasks) {
            match &task.status {
                Status::Done | Status::AlreadyDone => counts.done += 1,
                Status::Failed { .. } | Status::Refused { .. } => counts.failed += 1,
                Status::Running | Status::WaitingAtSite { .. } | Status::Retrying { .. } => counts.active += 1,
                Status::Waiting | Status::Cancelled | Status::Blocked { .. } if by.is_some() => counts.blocked += 1,
                Status::Waiting | Status::Cancelled | Status::Blocked { .. } => counts.waiting += 1,
            }
        }
        counts
    }

    /// How each node's branch stands. Linear in the plan.
    pub fn node_outcomes(&self) -> BTreeMap<String, NodeOutcome> {
        let mut outcomes: BTreeMap<String, NodeOutcome> = BTreeMap::new();
        let statuses = self.statuses();
        for (i, (node, status)) in self.nodes.iter().zip(&statuses).enumerate() {
            let Some(node) = node else { continue };
            let entry = outcomes.entry(node.clone()).or_insert(NodeOutcome { outcome: RunOutcome::Success, cause: None });
            let (outcome, cause) = match status {
                Status::Done | Status::AlreadyDone => (RunOutcome::Success, None),
                Status::Failed { .. } | Status::Refused { .. } => (RunOutcome::Failure, Some(self.ids[i].clone())),
                Status::Blocked { by } => (RunOutcome::Failure, Some(by.clone())),
                _ => (RunOutcome::Incomplete, None),
            };
            // Failure outranks incomplete: what is left of a failed branch is its consequence.
            entry.outcome = match (entry.outcome, outcome) {
                (RunOutcome::Failure, _) | (_, RunOutcome::Failure) => RunOutcome::Failure,
                (RunOutcome::Incomplete, _) | (_, RunOutcome::Incomplete) => RunOutcome::Incomplete,
                (other, _) => other,
            };
            if entry.cause.is_none() {
                entry.cause = cause;
            }
        }
        outcomes
    }

    /// Outcome of the run by the latest attempt of each action, as if it ended now.
    pub fn outcome(&self) -> RunOutcome {
        let counts = self.counts();
        if counts.failed + counts.blocked + counts.waiting + counts.active == 0 {
            return RunOutcome::Success;
        }
        let closed = self.gates.values().any(|gate| matches!(gate, GateState::Failed { .. }));
        let failed = counts.failed > 0 || closed;
        if counts.active > 0 || self.interrupted || !failed || (counts.waiting > 0 && !self.stopped && !closed) {
            return RunOutcome::Incomplete;
        }
        if self.gates.values().any(|gate| matches!(gate, GateState::Failed { critical: true, .. })) {
            return RunOutcome::Failure;
        }
        let nodes = self.node_outcomes();
        let some_done = if nodes.is_empty() { counts.done > 0 } else { nodes.values().any(|n| n.outcome == RunOutcome::Success) };
        if some_done { RunOutcome::PartialSuccess } else { RunOutcome::Failure }
    }
}

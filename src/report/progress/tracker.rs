//! Where a run is, as far as a reporter needs it.

use std::collections::BTreeMap;

use super::super::view;
use crate::action::{Action, ActionKind};
use crate::run::{AttemptOutcome, DagError, Event, EventKind, RunState};

/// What a reporter must know of a run before its first event.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The plan's actions.
    pub actions: &'a [Action],
    /// The run so far, when it is resumed.
    pub prior: Option<&'a RunState>,
    /// Mean durations of kinds of action in milliseconds, as far as they are known.
    pub durations_ms: &'a BTreeMap<ActionKind, u64>,
}

/// What an action is called.
#[derive(Debug)]
pub(super) struct Label {
    /// Node, if any.
    pub(super) node: Option<String>,
    /// `node.n01`, or `site`.
    pub(super) who: String,
    /// `deploy_node`, or `create_network_template subnet.mgmt`.
    pub(super) what: String,
    /// Kind.
    pub(super) kind: ActionKind,
    /// Expected duration in milliseconds, or a share in it where it is not known.
    weight: u64,
}

/// A node's branch as far as it has come.
#[derive(Debug, Default, Clone, Copy)]
struct Branch {
    actions: u32,
    done: u32,
    failed: bool,
    begun_ms: Option<u64>,
}

/// An action in progress.
#[derive(Debug, Clone)]
pub(super) struct Active {
    /// Index in the plan.
    pub(super) index: usize,
    /// When it was begun, or begun again after a failure.
    pub(super) since_ms: u64,
    /// What it waits for, or when it is retried.
    pub(super) detail: String,
    /// Whether its latest attempt failed and another one is due.
    pub(super) retrying: bool,
}

impl Active {
    fn new(index: usize, since_ms: u64) -> Self {
        Self { index, since_ms, detail: String::new(), retrying: false }
    }
}

/// Where a run is.
#[derive(Debug)]
pub(super) struct Tracker {
    labels: Vec<Label>,
    state: RunState,
    branches: BTreeMap<String, Branch>,
    active: BTreeMap<usize, Active>,
    all_known: bool,
    total: u64,
    done: u64,
    done_before: u64,
    actions_done: usize,
    nodes_done: usize,
    failed: u64,
    /// When this process began.
    begun_ms: Option<u64>,
}

impl Tracker {
    pub(super) fn new(run: &Watched) -> Result<Self, DagError> {
        let state = match run.prior {
            Some(state) => state.clone(),
            None => RunState::new(run.actions)?,
        };
        let labels: Vec<Label> = run.actions.iter().map(|a| label(a, run.durations_ms)).collect();
        let mut branches: BTreeMap<String, Branch> = BTreeMap::new();
        let (mut done, mut actions_done) = (0, 0);
        for (index, label) in labels.iter().enumerate() {
            let is_done = state.task(index).status.is_done();
            done += u64::from(is_done) * label.weight;
            actions_done += usize::from(is_done);
            if let Some(node) = &label.node {
                let branch = branches.entry(node.clone()).or_default();
                branch.actions += 1;
                branch.done += u32::from(is_done);
            }
        }
        Ok(Self {
            all_known: run.actions.iter().all(|a| run.durations_ms.contains_key(&a.kind)),
            total: labels.iter().map(|l| l.weight).sum(),
            done,
            done_before: done,
            actions_done,
            nodes_done: branches.values().filter(|b| b.done == b.actions).count(),
            failed: 0,
            begun_ms: None,
            labels,
            state,
            branches,
            active: BTreeMap::new(),
        })
    }

    /// Takes an event in.
    pub(super) fn apply(&mut self, event: &Event) {
        self.begun_ms.get_or_insert(event.at_ms);
        let index = event.event.action().and_then(|id| self.index(id));
        let was_done = index.is_some_and(|i| self.state.task(i).status.is_done());
        self.state.apply(event);
        if let EventKind::RunResumed { .. } = event.event {
            self.active.clear();
            self.failed = 0;
        }
        let Some(index) = index else { return };
        match &event.event {
            EventKind::AttemptIntent { .. } => {
                // What was waited for goes on as the same piece of work.
                let active = self.active.entry(index).or_insert_with(|| Active::new(index, event.at_ms));
                if std::mem::take(&mut active.retrying) {
                    *active = Active::new(index, event.at_ms);
                }
                if let Some(branch) = self.labels[index].node.as_ref().and_then(|n| self.branches.get_mut(n)) {
                    branch.begun_ms.get_or_insert(event.at_ms);
                }
            }
            EventKind::AttemptWaiting { reason: detail, .. } | EventKind::AttemptProgress { detail, .. } => {
                let active = self.active.entry(index).or_insert_with(|| Active::new(index, event.at_ms));
                active.detail.clone_from(detail);
            }
            EventKind::RetryScheduled { next_at_ms, .. } => {
                let detail = format!("failed; again at {}", super::super::time::clock(next_at_ms / 1000));
                self.active.insert(index, Active { detail, retrying: true, ..Active::new(index, event.at_ms) });
                self.failed = self.failed.saturating_sub(1);
                self.set_failed(index, false);
            }
            EventKind::AttemptOutcome { outcome, .. } => {
                self.active.remove(&index);
                match outcome {
                    AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. } if !was_done => {
                        self.done += self.labels[index].weight;
                        self.actions_done += 1;
                        if let Some(branch) = self.labels[index].node.as_ref().and_then(|n| self.branches.get_mut(n)) {
                            branch.done += 1;
                            self.nodes_done += usize::from(branch.done == branch.actions);
                        }
                    }
                    AttemptOutcome::Failed { .. } | AttemptOutcome::Refused { .. } => {
                        self.failed += 1;
                        self.set_failed(index, true);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn set_failed(&mut self, index: usize, failed: bool) {
        if let Some(branch) = self.labels[index].node.as_ref().and_then(|n| self.branches.get_mut(n)) {
            branch.failed = failed;
        }
    }

    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.state.dag().index(id).map(|i| i as usize)
    }

    /// What an action is called; `None` for ids that the plan does not have.
    pub(super) fn label(&self, id: &str) -> Option<&Label> {
        self.index(id).map(|i| &self.labels[i])
    }

    pub(super) fn label_at(&self, index: usize) -> &Label {
        &self.labels[index]
    }

    /// What is known of an action in progress.
    pub(super) fn in_progress(&self, id: &str) -> Option<&Active> {
        self.active.get(&self.index(id)?)
    }

    /// Actions in progress, the longest first.
    pub(super) fn active(&self) -> Vec<&Active> {
        let mut list: Vec<&Active> = self.active.values().collect();
        list.sort_by_key(|a| (a.since_ms, a.index));
        list
    }

    pub(super) fn active_count(&self) -> usize {
        self.active.len()
    }

    /// Actions done and in all.
    pub(super) fn actions_done(&self) -> (usize, usize) {
        (self.actions_done, self.labels.len())
    }

    /// Actions failed by their latest attempt.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// Who has the run paused.
    pub(super) fn paused(&self) -> Option<&str> {
        self.state.paused()
    }

    /// Nodes done and in all.
    pub(super) fn nodes_done(&self) -> (usize, usize) {
        (self.nodes_done, self.branches.len())
    }

    /// Number of actions and milliseconds since the first, if that node's branch is done now.
    pub(super) fn branch_done(&self, node: &str, now_ms: u64) -> Option<(u32, u64)> {
        let branch = self.branches.get(node).filter(|b| b.done == b.actions && !b.failed)?;
        Some((branch.actions, now_ms.saturating_sub(branch.begun_ms?)))
    }

    /// Done and all of the work, in the same unit.
    pub(super) fn work(&self) -> (u64, u64) {
        (self.done, self.total.max(1))
    }

    /// Milliseconds that are probably left: by the pace so far, and never less than the longest path that is left where durations are known. `None` while it is
    /// too early to tell.
    pub(super) fn left_ms(&self, now_ms: u64) -> Option<u64> {
        let done = self.done - self.done_before;
        let left = self.total - self.done;
        let elapsed = now_ms.saturating_sub(self.begun_ms?);
        let by_pace = (done * 20 >= self.total - self.done_before && done > 0)
            .then(|| u64::try_from(u128::from(elapsed) * u128::from(left) / u128::from(done)).unwrap_or(u64::MAX));
        let by_path = self.all_known.then(|| self.longest_left_ms(now_ms));
        by_pace.max(by_path)
    }

    fn longest_left_ms(&self, now_ms: u64) -> u64 {
        let lengths: Vec<u64> = self
            .labels
            .iter()
            .enumerate()
            .map(|(i, label)| {
                let passed = self.active.get(&i).map_or(0, |a| now_ms.saturating_sub(a.since_ms));
                if self.state.task(i).status.is_done() { 0 } else { label.weight.saturating_sub(passed) }
            })
            .collect();
        self.state.dag().longest_remaining(&lengths).into_iter().max().unwrap_or(0)
    }
}

fn label(action: &Action, durations: &BTreeMap<ActionKind, u64>) -> Label {
    let step = view::step(action);
    let (who, what) = match &action.node {
        Some(node) => (format!("node.{node}"), step),
        None if action.resource == "site" => ("site".to_owned(), step),
        None => ("site".to_owned(), format!("{step} {}", action.resource)),
    };
    let weight = durations.get(&action.kind).copied().unwrap_or_else(|| u64::from(action.kind.default_timeout_minutes()) * 15_000).max(1);
    Label { node: action.node.clone(), who, what, kind: action.kind, weight }
}

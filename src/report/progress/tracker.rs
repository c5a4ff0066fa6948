//! Where a run is, as far as a reporter needs it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::plan_text::count;
use super::super::view;
use super::estimate::{Expected, Left, Work};
use crate::action::{Action, ActionKind};
use crate::run::{AttemptOutcome, DagError, Event, EventKind, RunOutcome, RunState, Status, TaskRecord};

/// Percent of the expected time, and milliseconds beside it, after which an action is overdue.
const OVERDUE_PERCENT: u64 = 150;
const OVERDUE_MS: u64 = 10_000;
/// Milliseconds for which the longest chain that is left is not looked for again.
const SEARCHED_MS: u64 = 2_000;

/// What a reporter must know of a run before its first event.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// The plan's actions.
    pub actions: &'a [Action],
    /// The run so far, when it is resumed.
    pub prior: Option<&'a RunState>,
    /// How long actions probably take.
    pub expected: &'a Expected,
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
    /// `deploy_node`.
    pub(super) step: String,
    /// Its place among the actions of its node, or of the site, from 1.
    pub(super) nth: u32,
    /// Kind.
    pub(super) kind: ActionKind,
    /// How long it probably takes, in milliseconds.
    pub(super) expected_ms: u64,
    /// Whether that was measured in former runs.
    measured: bool,
}

/// A node's branch, or the site's actions, as far as they have come.
#[derive(Debug, Default, Clone)]
struct Branch {
    actions: u32,
    done: u32,
    /// Actions whose latest attempt failed for good.
    failed: u32,
    /// Actions in progress.
    active: u32,
    begun_ms: Option<u64>,
    /// When its latest action was done.
    done_ms: u64,
}

/// An action in progress.
#[derive(Debug, Clone)]
struct Begun {
    /// When it was begun, or begun again after a failure.
    since_ms: u64,
    /// What it waits for, or when it is retried.
    detail: String,
    /// Whether its latest attempt failed and another one is due.
    retrying: bool,
}

impl Begun {
    fn new(since_ms: u64) -> Self {
        Self { since_ms, detail: String::new(), retrying: false }
    }

    /// Of an action that is in progress by its record.
    fn of(task: &TaskRecord) -> Option<Self> {
        let since_ms = task.begun_ms.or(task.started_ms)?;
        match &task.status {
            Status::Running | Status::WaitingAtSite { .. } => Some(Self { detail: task.detail.clone(), ..Self::new(since_ms) }),
            Status::Retrying { next_at_ms, .. } => Some(Self { detail: again_at(*next_at_ms), retrying: true, ..Self::new(since_ms) }),
            _ => None,
        }
    }
}

/// What is waited for before another attempt.
fn again_at(next_at_ms: u64) -> String {
    format!("failed; again at {}", super::super::time::clock(next_at_ms / 1000))
}

/// An action in progress, as it is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active<'a> {
    /// Index in the plan.
    pub(super) index: usize,
    /// Milliseconds since it was begun, or begun again after a failure.
    pub(super) elapsed_ms: u64,
    /// What it waits for, or when it is retried.
    pub(super) detail: &'a str,
    /// Whether its latest attempt failed and another one is due.
    pub(super) retrying: bool,
    /// Whether it takes much longer than in former runs.
    pub(super) overdue: bool,
}

/// Nodes by where they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    pub(super) all: usize,
    pub(super) done: usize,
    pub(super) active: usize,
    pub(super) failed: usize,
    pub(super) blocked: usize,
}

impl Nodes {
    /// `12 of 200 nodes done, 10 in progress, 1 failed, 3 blocked`; without nodes nothing.
    pub(super) fn words(self) -> String {
        if self.all == 0 {
            return "no node is changed".to_owned();
        }
        let mut text = format!("{} of {} done", self.done, count(self.all, "node"));
        for (n, what) in [(self.active, "in progress"), (self.failed, "failed"), (self.blocked, "blocked")] {
            if n > 0 {
                let _ = write!(text, ", {n} {what}");
            }
        }
        text
    }
}

/// What has to be looked for in the whole plan, and is kept until it is old.
#[derive(Debug, Default)]
struct Searched {
    longest: Option<(u64, u64)>,
    blocked: Option<usize>,
}

/// Where a run is.
#[derive(Debug)]
pub(super) struct Tracker {
    labels: Vec<Label>,
    state: RunState,
    branches: BTreeMap<String, Branch>,
    active: BTreeMap<usize, Begun>,
    searched: Searched,
    makespan_ms: Option<u64>,
    total: u64,
    done: u64,
    done_before: u64,
    actions_done: usize,
    nodes_done: usize,
    failed: u64,
    /// When this process began.
    begun_ms: Option<u64>,
}

/// Whose actions the site's are, in [`Tracker::branches`]; no node is called so.
const SITE: &str = "";

impl Tracker {
    pub(super) fn new(run: &Watched) -> Result<Self, DagError> {
        let state = match run.prior {
            Some(state) => state.clone(),
            None => RunState::new(run.actions)?,
        };
        let mut labels = Vec::with_capacity(run.actions.len());
        let mut branches: BTreeMap<String, Branch> = BTreeMap::from([(SITE.to_owned(), Branch::default())]);
        let (mut done, mut actions_done) = (0, 0);
        for (index, action) in run.actions.iter().enumerate() {
            let mut label = label(action, run.expected.of(index, action));
            let is_done = state.task(index).status.is_done();
            done += u64::from(is_done) * label.expected_ms;
            actions_done += usize::from(is_done);
            let branch = branches.entry(label.node.clone().unwrap_or_default()).or_default();
            branch.actions += 1;
            branch.done += u32::from(is_done);
            label.nth = branch.actions;
            labels.push(label);
        }
        // What is in progress already, where a run is followed from its middle.
        let mut active = BTreeMap::new();
        for (index, label) in labels.iter().enumerate() {
            let task = state.task(index);
            if let Some(begun) = Begun::of(task) {
                let branch = branches.entry(label.node.clone().unwrap_or_default()).or_default();
                branch.active += 1;
                active.insert(index, begun);
            }
            if task.begun || task.status.is_done() {
                let branch = branches.entry(label.node.clone().unwrap_or_default()).or_default();
                branch.begun_ms = branch.begun_ms.into_iter().chain(task.started_ms).min();
                branch.done_ms = branch.done_ms.max(task.ended_ms.unwrap_or(0));
                branch.failed += u32::from(task.status.is_failed());
            }
        }
        let failed = branches.values().map(|b| u64::from(b.failed)).sum();
        Ok(Self {
            makespan_ms: run.expected.makespan_ms,
            total: labels.iter().map(|l| l.expected_ms).sum(),
            done,
            done_before: done,
            actions_done,
            nodes_done: branches.iter().filter(|(node, b)| *node != SITE && b.done == b.actions).count(),
            failed,
            begun_ms: None,
            labels,
            state,
            branches,
            active,
            searched: Searched::default(),
        })
    }

    /// Takes an event in.
    pub(super) fn apply(&mut self, event: &Event) {
        self.begun_ms.get_or_insert(event.at_ms);
        let index = event.event.action().and_then(|id| self.index(id));
        let was_done = index.is_some_and(|i| self.state.task(i).status.is_done());
        let was_failed = index.is_some_and(|i| self.state.task(i).status.is_failed());
        self.state.apply(event);
        if let EventKind::RunResumed { .. } = event.event {
            self.active.clear();
            self.failed = 0;
            self.searched = Searched::default();
            for branch in self.branches.values_mut() {
                (branch.active, branch.failed, branch.begun_ms) = (0, 0, None);
            }
        }
        let Some(index) = index else { return };
        match &event.event {
            EventKind::AttemptIntent { .. } => {
                // What was waited for goes on as the same piece of work.
                let begun = self.begin(index, event.at_ms);
                if begun.retrying {
                    *begun = Begun::new(event.at_ms);
                }
                self.branch(index).begun_ms.get_or_insert(event.at_ms);
            }
            EventKind::AttemptWaiting { reason: detail, .. } | EventKind::AttemptProgress { detail, .. } => {
                self.begin(index, event.at_ms).detail.clone_from(detail);
            }
            EventKind::RetryScheduled { next_at_ms, .. } => {
                let detail = again_at(*next_at_ms);
                *self.begin(index, event.at_ms) = Begun { detail, retrying: true, ..Begun::new(event.at_ms) };
                if was_failed {
                    self.set_failed(index, false);
                }
            }
            EventKind::AttemptOutcome { outcome, .. } => {
                if self.active.remove(&index).is_some() {
                    let branch = self.branch(index);
                    branch.active = branch.active.saturating_sub(1);
                }
                match outcome {
                    AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. } if !was_done => {
                        self.done += self.labels[index].expected_ms;
                        self.actions_done += 1;
                        let of_node = self.labels[index].node.is_some();
                        let branch = self.branch(index);
                        branch.done += 1;
                        branch.done_ms = event.at_ms;
                        let is_done = branch.done == branch.actions;
                        self.nodes_done += usize::from(of_node && is_done);
                    }
                    AttemptOutcome::Failed { .. } | AttemptOutcome::Refused { .. } if !was_failed => self.set_failed(index, true),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The action among those in progress, as it is or from now on.
    fn begin(&mut self, index: usize, at_ms: u64) -> &mut Begun {
        if !self.active.contains_key(&index) {
            self.branch(index).active += 1;
        }
        self.active.entry(index).or_insert_with(|| Begun::new(at_ms))
    }

    fn branch(&mut self, index: usize) -> &mut Branch {
        self.branches.entry(self.labels[index].node.clone().unwrap_or_default()).or_default()
    }

    fn set_failed(&mut self, index: usize, failed: bool) {
        let add = |n: &mut u32| *n = if failed { *n + 1 } else { n.saturating_sub(1) };
        add(&mut self.branch(index).failed);
        self.failed = if failed { self.failed + 1 } else { self.failed.saturating_sub(1) };
        self.searched.blocked = None;
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

    /// Of an action in progress: since when, and whether its latest attempt failed and another one is due.
    pub(super) fn in_progress(&self, id: &str) -> Option<(u64, bool)> {
        self.active.get(&self.index(id)?).map(|begun| (begun.since_ms, begun.retrying))
    }

    /// Actions in progress. What is tried again comes first, then what takes much longer than in former runs, the worst first, then the longest.
    pub(super) fn active(&self, now_ms: u64) -> Vec<Active<'_>> {
        let mut list: Vec<(u64, Active)> = self
            .active
            .iter()
            .map(|(index, begun)| {
                let label = &self.labels[*index];
                let elapsed_ms = now_ms.saturating_sub(begun.since_ms);
                let overdue = !begun.retrying && label.measured && elapsed_ms > label.expected_ms * OVERDUE_PERCENT / 100 + OVERDUE_MS;
                let rank = if overdue { elapsed_ms.saturating_mul(1000) / label.expected_ms } else { elapsed_ms };
                (rank, Active { index: *index, elapsed_ms, detail: &begun.detail, retrying: begun.retrying, overdue })
            })
            .collect();
        list.sort_by_key(|(rank, a)| (!a.retrying, !a.overdue, Reverse(*rank), a.index));
        list.into_iter().map(|(_, active)| active).collect()
    }

    /// Nodes between two actions, and since when: their next one waits for its turn. The longest first.
    pub(super) fn between(&self) -> Vec<(&str, u32, u32, u64)> {
        let waits = |b: &Branch| b.done > 0 && b.done < b.actions && b.active == 0 && b.failed == 0 && b.begun_ms.is_some();
        let mut list: Vec<(&str, u32, u32, u64)> = self
            .branches
            .iter()
            .filter(|(node, branch)| *node != SITE && waits(branch))
            .map(|(node, branch)| (node.as_str(), branch.done, branch.actions, branch.done_ms))
            .collect();
        list.sort_by_key(|(_, _, _, since)| *since);
        list
    }

    /// Steps in progress with how often, the most frequent first.
    pub(super) fn in_progress_by_step(&self) -> Vec<(&str, usize)> {
        count_by_step(self.active.keys().map(|index| self.labels[*index].step.as_str()))
    }

    /// Actions of the branch that an action belongs to.
    pub(super) fn branch_length(&self, label: &Label) -> u32 {
        self.branches.get(label.node.as_deref().unwrap_or(SITE)).map_or(0, |b| b.actions)
    }

    pub(super) fn active_count(&self) -> usize {
        self.active.len()
    }

    /// Actions done and in all.
    pub(super) fn actions_done(&self) -> (usize, usize) {
        (self.actions_done, self.labels.len())
    }

    /// Who has the run paused.
    pub(super) fn paused(&self) -> Option<&str> {
        self.state.paused()
    }

    /// Nodes done and in all.
    pub(super) fn nodes_done(&self) -> (usize, usize) {
        (self.nodes_done, self.branches.len() - 1)
    }

    /// Nodes by where they are.
    pub(super) fn nodes(&mut self) -> Nodes {
        let (done, all) = self.nodes_done();
        let mut nodes = Nodes { all, done, ..Nodes::default() };
        for branch in self.branches.iter().filter(|(node, b)| *node != SITE && b.done < b.actions).map(|(_, b)| b) {
            nodes.failed += usize::from(branch.failed > 0);
            nodes.active += usize::from(branch.failed == 0 && (branch.active > 0 || branch.begun_ms.is_some()));
        }
        if self.failed > 0 {
            let (state, branches) = (&self.state, &self.branches);
            nodes.blocked = *self.searched.blocked.get_or_insert_with(|| {
                let stopped = state.node_outcomes().into_iter().filter(|(_, o)| o.outcome == RunOutcome::Failure);
                stopped.filter(|(node, _)| branches.get(node).is_some_and(|b| b.failed == 0)).count()
            });
        }
        nodes
    }

    /// Number of actions and milliseconds since the first, if that node's branch is done now.
    pub(super) fn branch_done(&self, node: &str, now_ms: u64) -> Option<(u32, u64)> {
        let branch = self.branches.get(node).filter(|b| b.done == b.actions && b.failed == 0)?;
        Some((branch.actions, now_ms.saturating_sub(branch.begun_ms?)))
    }

    /// Milliseconds since this process began.
    pub(super) fn elapsed_ms(&self, now_ms: u64) -> u64 {
        self.begun_ms.map_or(0, |begun| now_ms.saturating_sub(begun))
    }

    /// How much of the work is done.
    pub(super) fn work(&self, now_ms: u64) -> Work {
        // What is in progress counts as far as it has come, and is never nearly done before it is.
        let part = |(index, begun): (&usize, &Begun)| {
            let expected = self.labels[*index].expected_ms;
            if begun.retrying { 0 } else { now_ms.saturating_sub(begun.since_ms).min(expected - expected / 10) }
        };
        Work { total: self.total, done: self.done + self.active.iter().map(part).sum::<u64>(), before: self.done_before }
    }

    /// What is probably left; `None` while it is too early to tell, and when everything is done.
    pub(super) fn left(&mut self, now_ms: u64) -> Option<Left> {
        if self.actions_done == self.labels.len() {
            return None;
        }
        let all_measured = self.labels.iter().all(|l| l.measured);
        let longest = all_measured.then(|| self.longest_left_ms(now_ms));
        self.work(now_ms).left(self.elapsed_ms(now_ms), self.makespan_ms, all_measured, longest)
    }

    fn longest_left_ms(&mut self, now_ms: u64) -> u64 {
        if let Some((at, longest)) = self.searched.longest
            && (at..at + SEARCHED_MS).contains(&now_ms)
        {
            return longest.saturating_sub(now_ms - at);
        }
        let lengths: Vec<u64> = self
            .labels
            .iter()
            .enumerate()
            .map(|(i, label)| {
                let passed = self.active.get(&i).map_or(0, |a| now_ms.saturating_sub(a.since_ms));
                if self.state.task(i).status.is_done() { 0 } else { label.expected_ms.saturating_sub(passed) }
            })
            .collect();
        let longest = self.state.dag().longest_remaining(&lengths).into_iter().max().unwrap_or(0);
        self.searched.longest = Some((now_ms, longest));
        longest
    }
}

/// Steps with how often they are there, the most frequent first.
pub(super) fn count_by_step<'a>(steps: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(step).or_default() += 1;
    }
    let mut list: Vec<(&str, usize)> = counts.into_iter().collect();
    list.sort_by_key(|(step, n)| (Reverse(*n), *step));
    list
}

fn label(action: &Action, (expected_ms, measured): (u64, bool)) -> Label {
    let step = view::step(action);
    let (who, what) = match &action.node {
        Some(node) => (format!("node.{node}"), step.clone()),
        None if action.resource == "site" => ("site".to_owned(), step.clone()),
        None => ("site".to_owned(), format!("{step} {}", action.resource)),
    };
    Label { node: action.node.clone(), who, what, step, nth: 0, kind: action.kind, expected_ms, measured }
}

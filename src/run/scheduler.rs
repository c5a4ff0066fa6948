//! Which actions may start now: a state machine over the graph of a plan.
//!
//! The ready queue is ordered by longest remaining path. Limits: calls in flight (an action that waits at the site holds none), nodes in flight,
//! power-ups per rack, unavailable nodes per rack, failed nodes. Every step costs O(log n).
//!
//! * A node is *in flight* while one of its actions is ready, running or waiting; a branch that only waits for another branch gives its place
//!   back, so that a limit can never make branches wait for each other.
//! * A node is *unavailable* from the start of its first action of class reboot or higher until nothing of its branch is left to do.
//! * An action that switches a machine on counts as a power-up until it is done.
//! * Nodes whose rack is not known form one group of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::action::{ActionKind, Effect};
use crate::plan::Plan;

use super::{Dag, RunState};

/// Leave to make calls for one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// The action starts.
    Start(u32),
    /// The action was parked and goes on.
    Continue(u32),
}

/// Order in the ready queue: what a former process began, then longest remaining path, then the first node of every rack before the second of
/// any (so that limits per rack leave no rack idle), then plan order.
type Key = (Reverse<bool>, Reverse<u64>, u32, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for actions before it.
    Pending,
    /// In a ready queue.
    Ready,
    /// Holds a slot.
    Active,
    /// In flight without a slot.
    Parked,
    /// As parked: its intent is being made durable.
    Committing,
    /// In flight, wants a slot again.
    Queued,
    Done,
    Failed,
    /// Something before it failed.
    Blocked,
    Cancelled,
}

#[derive(Debug, Clone)]
struct Task {
    node: Option<u32>,
    rack: u32,
    power_up: bool,
    disrupts: bool,
    key: Key,
    waits_for: u32,
    phase: Phase,
    group: u8,
    timer: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    rack: u32,
    /// Place among the nodes of its rack.
    rank: u32,
    /// Actions that are not done, failed or blocked.
    left: u32,
    /// Actions in flight.
    running: u32,
    ready: Vec<u32>,
    in_flight: bool,
    unavailable: bool,
    started: bool,
    failed: bool,
}

/// Groups of one rack: what a ready action still needs. `class * 4 + power * 2 + unavailable`.
const GROUPS: usize = 12;
/// Classes of a group: the action needs no node token; needs one for a branch that was started; needs one for a new branch.
const RUNNING: u8 = 0;
const STALLED: u8 = 1;
const NEW: u8 = 2;

#[derive(Debug, Clone, Default)]
struct Rack {
    power_ups: u32,
    unavailable: u32,
    ready: [BTreeSet<Key>; GROUPS],
    shown: [Option<Key>; GROUPS],
}

/// How much of the limits is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Nodes in flight.
    pub nodes: u32,
    /// Actions that switch machines on, of all racks.
    pub power_ups: u32,
    /// Whether a rack can have no more of them.
    pub power_up_limit_reached: bool,
    /// Nodes that are unavailable, of all racks.
    pub unavailable: u32,
    /// Whether a rack can have no more of them.
    pub unavailable_limit_reached: bool,
}

/// The scheduler.
#[derive(Debug, Clone)]
pub struct Scheduler {
    dag: Arc<Dag>,
    tasks: Vec<Task>,
    nodes: Vec<Node>,
    racks: Vec<Rack>,
    /// Heads of the groups whose rack limits permit a start, by class.
    open: [BTreeSet<(Key, u32, u8)>; 3],
    queue: VecDeque<u32>,
    timers: BTreeSet<(u64, u32)>,
    parallelism: u32,
    nodes_in_flight: u32,
    power_ups_per_rack: u32,
    unavailable_per_rack: u32,
    max_failures: u32,
    calls: u32,
    in_flight: u32,
    committing: u32,
    nodes_now: u32,
    failed_nodes: u32,
    stopping: bool,
    paused: bool,
}

/// Rack of the site's own actions: no limit counts there.
const SITE: u32 = 0;

impl Scheduler {
    /// A scheduler for what is not done yet. `lengths` are expected durations of the actions in plan order, in any unit.
    pub fn new(plan: &Plan, state: &RunState, lengths: &[u64]) -> Self {
        let dag = Arc::clone(state.dag());
        let remaining = dag.longest_remaining(lengths);
        let mut rack_ids: BTreeMap<Option<&str>, u32> = BTreeMap::new();
        let mut node_ids: BTreeMap<&str, u32> = BTreeMap::new();
        let mut ranks: BTreeMap<u32, u32> = BTreeMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut tasks = Vec::with_capacity(dag.len());
        for (i, action) in plan.actions.iter().enumerate() {
            let node = action.node.as_deref().map(|name| {
                *node_ids.entry(name).or_insert_with(|| {
                    let rack = plan.nodes.get(name).and_then(|n| n.rack.as_deref());
                    let next = rack_ids.len() as u32 + 1;
                    let rack = *rack_ids.entry(rack).or_insert(next);
                    let rank = *ranks.entry(rack).and_modify(|r| *r += 1).or_default();
                    nodes.push(Node { rack, rank, ..Node::default() });
                    nodes.len() as u32 - 1
                })
            });
            let record = state.task(i);
            let done = record.status.is_done();
            let disrupts = node.is_some() && action.effect >= Effect::Reboot;
            if let Some(n) = node {
                let n = &mut nodes[n as usize];
                n.left += u32::from(!done);
                n.started |= done || record.begun;
                n.unavailable |= disrupts && (done || record.begun);
            }
            tasks.push(Task {
                node,
                rack: node.map_or(SITE, |n| nodes[n as usize].rack),
                power_up: node.is_some() && switches_on(action.kind),
                disrupts,
                key: (Reverse(record.begun), Reverse(remaining[i]), node.map_or(0, |n| nodes[n as usize].rank), i as u32),
                waits_for: dag.predecessors(i as u32).filter(|p| !state.task(*p as usize).status.is_done()).count() as u32,
                phase: if done { Phase::Done } else { Phase::Pending },
                group: 0,
                timer: None,
            });
        }
        let mut racks = vec![Rack::default(); rack_ids.len() + 1];
        for node in &mut nodes {
            node.unavailable &= node.left > 0;
            racks[node.rack as usize].unavailable += u32::from(node.unavailable);
        }
        let limits = &plan.limits;
        let mut scheduler = Self {
            dag,
            tasks,
            nodes,
            racks,
            open: Default::default(),
            queue: VecDeque::new(),
            timers: BTreeSet::new(),
            parallelism: limits.parallelism.max(1),
            nodes_in_flight: limits.nodes_in_flight.max(1),
            power_ups_per_rack: limits.power_ups_per_rack.max(1),
            unavailable_per_rack: limits.unavailable_per_rack.max(1),
            max_failures: limits.max_failures.max(1),
            calls: 0,
            in_flight: 0,
            committing: 0,
            nodes_now: 0,
            failed_nodes: 0,
            stopping: false,
            paused: false,
        };
        for i in 0..scheduler.tasks.len() as u32 {
            if scheduler.tasks[i as usize].phase == Phase::Pending && scheduler.tasks[i as usize].waits_for == 0 {
                scheduler.make_ready(i);
            }
        }
        scheduler
    }

    /// The next action that may make calls now, if any; ask until `None`.
    pub fn start_next(&mut self) -> Option<Grant> {
        if self.calls >= self.parallelism {
            return None;
        }
        // Intents are made durable ahead of need, as many as there are slots: otherwise slots would idle while the disk works.
        let ahead = self.committing as usize + self.queue.len();
        if (self.queue.is_empty() || ahead < self.parallelism as usize)
            && let Some(i) = self.next_start()
        {
            self.start(i);
            return Some(Grant::Start(i));
        }
        let i = self.queue.pop_front()?;
        self.tasks[i as usize].phase = Phase::Active;
        self.calls += 1;
        Some(Grant::Continue(i))
    }

    fn next_start(&mut self) -> Option<u32> {
        if self.stopping || self.paused {
            return None;
        }
        self.could_start()
    }

    fn could_start(&mut self) -> Option<u32> {
        self.best().or_else(|| {
            if self.in_flight > 0 {
                return None;
            }
            // Nothing moves: nodes that are in flight all wait for what others hold. Let those go first that can.
            self.give_places_back();
            self.best()
        })
    }

    /// The ready action that may start and comes first. A branch that was started comes before a new one.
    fn best(&self) -> Option<u32> {
        let mut best = self.open[RUNNING as usize].first();
        if self.nodes_now < self.nodes_in_flight {
            let started = self.open[STALLED as usize].first();
            let new = if self.branches_stopped() { None } else { self.open[NEW as usize].first() };
            best = [best, started.or(new)].into_iter().flatten().min();
        }
        best.map(|(key, ..)| key.3)
    }

    /// Takes their place from nodes that have nothing running.
    fn give_places_back(&mut self) {
        let idle: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].in_flight && self.nodes[*n].running == 0).collect();
        for n in idle {
            self.nodes[n].in_flight = false;
            self.nodes_now -= 1;
            for i in self.nodes[n].ready.clone() {
                self.unqueue(i);
                self.enqueue(i);
            }
        }
    }

    /// An action gives its slot back and stays in flight: it waits at the site or for the journal.
    pub fn park(&mut self, i: u32) {
        if self.tasks[i as usize].phase == Phase::Active {
            self.tasks[i as usize].phase = Phase::Parked;
            self.calls -= 1;
        }
    }

    /// An action gives its slot back while its intent is made durable; [`Self::wake`] when it is.
    pub fn commit(&mut self, i: u32) {
        self.park(i);
        if self.tasks[i as usize].phase == Phase::Parked {
            self.tasks[i as usize].phase = Phase::Committing;
            self.committing += 1;
        }
    }

    /// A parked action wants a slot again.
    pub fn wake(&mut self, i: u32) {
        let phase = &mut self.tasks[i as usize].phase;
        if matches!(phase, Phase::Parked | Phase::Committing) {
            self.committing -= u32::from(*phase == Phase::Committing);
            *phase = Phase::Queued;
            self.queue.push_back(i);
        }
    }

    /// An action gives its slot back and wants one again at a time, in milliseconds of any clock.
    pub fn retry_at(&mut self, i: u32, at_ms: u64) {
        self.park(i);
        if let Some(old) = self.tasks[i as usize].timer.replace(at_ms) {
            self.timers.remove(&(old, i));
        }
        self.timers.insert((at_ms, i));
    }

    /// Wakes every action whose time has come.
    pub fn tick(&mut self, now_ms: u64) {
        while let Some(&(at, i)) = self.timers.first()
            && at <= now_ms
        {
            self.timers.remove(&(at, i));
            self.tasks[i as usize].timer = None;
            self.wake(i);
        }
    }

    /// When to call [`Self::tick`] next.
    pub fn next_wakeup(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// An action is done: what waits for it may start.
    pub fn done(&mut self, i: u32) {
        if !self.leave(i, Phase::Done) {
            return;
        }
        let successors: Vec<u32> = self.dag.successors(i).collect();
        for next in successors {
            let task = &mut self.tasks[next as usize];
            task.waits_for -= 1;
            if task.waits_for == 0 && task.phase == Phase::Pending {
                self.make_ready(next);
            }
        }
        self.settle(self.tasks[i as usize].node);
    }

    /// An action failed for good: what waits for it never starts. Whether new branches were stopped by this very failure.
    pub fn failed(&mut self, i: u32) -> bool {
        let stopped = self.branches_stopped();
        if !self.leave(i, Phase::Failed) {
            return false;
        }
        if let Some(n) = self.tasks[i as usize].node
            && !std::mem::replace(&mut self.nodes[n as usize].failed, true)
        {
            self.failed_nodes += 1;
        }
        let mut touched = BTreeSet::from([self.tasks[i as usize].node]);
        let mut stack: Vec<u32> = self.dag.successors(i).collect();
        while let Some(next) = stack.pop() {
            let task = &mut self.tasks[next as usize];
            if task.phase != Phase::Pending {
                continue;
            }
            task.phase = Phase::Blocked;
            if let Some(n) = task.node {
                self.nodes[n as usize].left -= 1;
            }
            touched.insert(task.node);
            stack.extend(self.dag.successors(next));
        }
        for node in touched {
            self.settle(node);
        }
        !stopped && self.branches_stopped()
    }

    /// An action was given up before anything was begun, because the run stops.
    pub fn cancelled(&mut self, i: u32) {
        self.leave(i, Phase::Cancelled);
    }

    /// Nothing new starts from now on; what is in flight goes on.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether [`Self::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Nothing new starts while it is paused; what is in flight goes on.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether [`Self::pause`] holds.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether something would start if it were not paused.
    pub fn is_held(&mut self) -> bool {
        self.paused && self.could_start().is_some()
    }

    /// Whether too many nodes failed for new branches.
    pub fn branches_stopped(&self) -> bool {
        self.failed_nodes >= self.max_failures
    }

    /// Nodes that failed.
    pub fn failed_nodes(&self) -> u32 {
        self.failed_nodes
    }

    /// Actions in flight, with or without a slot.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Slots in use.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// What of the limits is in use now.
    pub fn usage(&self) -> Usage {
        let racks = || self.racks.iter().skip(1);
        Usage {
            nodes: self.nodes_now,
            power_ups: racks().map(|r| r.power_ups).sum(),
            power_up_limit_reached: racks().any(|r| r.power_ups >= self.power_ups_per_rack),
            unavailable: racks().map(|r| r.unavailable).sum(),
            unavailable_limit_reached: racks().any(|r| r.unavailable >= self.unavailable_per_rack),
        }
    }

    fn start(&mut self, i: u32) {
        self.unqueue(i);
        let Task { node, rack, power_up, disrupts, .. } = self.tasks[i as usize];
        self.tasks[i as usize].phase = Phase::Active;
        self.calls += 1;
        self.in_flight += 1;
        let Some(n) = node else { return };
        let node = &mut self.nodes[n as usize];
        node.ready.retain(|r| *r != i);
        node.running += 1;
        node.started = true;
        self.nodes_now += u32::from(!node.in_flight);
        node.in_flight = true;
        let newly_unavailable = disrupts && !node.unavailable;
        node.unavailable |= disrupts;
        let others = node.ready.clone();
        self.racks[rack as usize].unavailable += u32::from(newly_unavailable);
        self.racks[rack as usize].power_ups += u32::from(power_up);
        for other in others {
            self.unqueue(other);
            self.enqueue(other);
        }
        if newly_unavailable || power_up {
            self.refresh_rack(rack);
        }
    }

    /// Takes an action out of flight; whether it was in flight.
    fn leave(&mut self, i: u32, phase: Phase) -> bool {
        match self.tasks[i as usize].phase {
            Phase::Active => self.calls -= 1,
            Phase::Committing => self.committing -= 1,
            Phase::Parked => {
                if let Some(at) = self.tasks[i as usize].timer.take() {
                    self.timers.remove(&(at, i));
                }
            }
            Phase::Queued => self.queue.retain(|t| *t != i),
            _ => return false,
        }
        let task = &mut self.tasks[i as usize];
        task.phase = phase;
        self.in_flight -= 1;
        let (rack, power_up) = (task.rack, task.power_up);
        if let Some(n) = task.node {
            self.nodes[n as usize].running -= 1;
            self.nodes[n as usize].left -= u32::from(phase != Phase::Cancelled);
        }
        if power_up {
            self.racks[rack as usize].power_ups -= 1;
            self.refresh_rack(rack);
        }
        true
    }

    /// Gives back what a node no longer needs.
    fn settle(&mut self, node: Option<u32>) {
        let Some(n) = node else { return };
        let node = &mut self.nodes[n as usize];
        if node.in_flight && node.running == 0 && node.ready.is_empty() {
            node.in_flight = false;
            self.nodes_now -= 1;
        }
        if node.unavailable && node.left == 0 {
            node.unavailable = false;
            let rack = node.rack;
            self.racks[rack as usize].unavailable -= 1;
            self.refresh_rack(rack);
        }
    }

    fn make_ready(&mut self, i: u32) {
        self.tasks[i as usize].phase = Phase::Ready;
        if let Some(n) = self.tasks[i as usize].node {
            self.nodes[n as usize].ready.push(i);
        }
        self.enqueue(i);
    }

    fn enqueue(&mut self, i: u32) {
        let task = &self.tasks[i as usize];
        let node = task.node.map(|n| &self.nodes[n as usize]);
        let class = match node {
            Some(node) if !node.in_flight => {
                if node.started {
                    STALLED
                } else {
                    NEW
                }
            }
            _ => RUNNING,
        };
        let needs_unavailable = task.disrupts && node.is_some_and(|n| !n.unavailable);
        let group = class * 4 + u8::from(task.power_up) * 2 + u8::from(needs_unavailable);
        let (rack, key) = (task.rack, task.key);
        self.tasks[i as usize].group = group;
        self.racks[rack as usize].ready[group as usize].insert(key);
        self.refresh(rack, group);
    }

    fn unqueue(&mut self, i: u32) {
        let Task { rack, group, key, .. } = self.tasks[i as usize];
        self.racks[rack as usize].ready[group as usize].remove(&key);
        self.refresh(rack, group);
    }

    fn refresh_rack(&mut self, rack: u32) {
        for group in 0..GROUPS as u8 {
            self.refresh(rack, group);
        }
    }

    /// Shows the head of a group in the open set if the rack's limits permit it, and only then.
    fn refresh(&mut self, rack: u32, group: u8) {
        let r = &mut self.racks[rack as usize];
        let permitted =
            (group & 2 == 0 || r.power_ups < self.power_ups_per_rack) && (group & 1 == 0 || r.unavailable < self.unavailable_per_rack);
        let head = if permitted { r.ready[group as usize].first().copied() } else { None };
        let shown = std::mem::replace(&mut r.shown[group as usize], head);
        if shown != head {
            let open = &mut self.open[(group / 4) as usize];
            if let Some(key) = shown {
                open.remove(&(key, rack, group));
            }
            if let Some(key) = head {
                open.insert((key, rack, group));
            }
        }
    }
}

/// Whether an action makes a machine draw inrush current; the provisioner switches machines on, too.
fn switches_on(kind: ActionKind) -> bool {
    matches!(kind, ActionKind::PowerOnNode | ActionKind::ConfigureHardware | ActionKind::DeployNode | ActionKind::DestroyNode)
}

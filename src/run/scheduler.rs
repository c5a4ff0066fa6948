//! Which actions may start now: a state machine over the graph of a plan.
//!
//! The ready queue is ordered by longest remaining path. Limits are pools of places ([`super::pools`]): calls in flight, of all and of single kinds (an action
//! that waits at the site holds none), nodes in flight, power-ups and other kinds per rack, unavailable nodes per rack and other sets of nodes, deployments per
//! network; then failed nodes. Waves of a rollout open one after the other ([`super::rollout`]). Every step costs O(log n).
//!
//! * A node is *in flight* while one of its actions is ready, running or waiting; a branch that only waits for another branch gives its place
//!   back, so that a limit can never make branches wait for each other.
//! * A node is *unavailable* from the start of its first action of class reboot or higher until nothing of its branch is left to do. It takes its places in all
//!   pools of that kind at once, so no two nodes hold what the other wants.
//! * An action that switches a machine on counts as a power-up until it is done; so do other kinds per rack, and deployments.
//! * Nodes whose rack is not known form one group of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::action::Effect;
use crate::plan::Plan;

use super::limited::{Limited, Sets};
use super::pools::{Key, NEW, Pools, RUNNING, STALLED};
use super::rollout::Waves;
use super::state::GateState;
use super::{Dag, RunState};

/// Leave to make calls for one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// The action starts.
    Start(u32),
    /// The action was parked and goes on.
    Continue(u32),
}

/// A wave whose branches have all ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Its nodes are as many as the plan wants, and nothing waits for it, or nothing has to be watched: it is to be passed.
    Pass(u32),
    /// Its nodes are to be watched before it is passed or failed.
    Watch(u32),
    /// It does not pass, and why.
    Fail(u32, String),
}

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
    disrupts: bool,
    key: Key,
    waits_for: u32,
    phase: Phase,
    /// Pools in which it holds a place until it has ended, by [`Scheduler::sets`].
    holds: u32,
    /// The pool of calls of its kind, if its kind has one, and whether it has a place there.
    calls: Option<u32>,
    calls_held: bool,
    /// The queue it is ready in.
    queue: u32,
    timer: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Place among the nodes of its rack.
    rank: u32,
    /// Pools in which it holds a place while it is unavailable, by [`Scheduler::sets`].
    holds: u32,
    wave: Option<u32>,
    /// Actions that are not done, failed or blocked.
    left: u32,
    /// Actions in flight.
    running: u32,
    ready: Vec<u32>,
    in_flight: bool,
    unavailable: bool,
    started: bool,
    failed: bool,
    /// Whether some of its branch will never be done.
    broken: bool,
    ended: bool,
}

/// How much of a limit is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage<'s> {
    /// What is limited: `nodes in flight`, `power-ups`, `deployments of network pxe`.
    pub what: &'s str,
    /// At most so many at once.
    pub limit: u32,
    /// `rack` where the limit is for each rack, else empty.
    pub per: &'static str,
    /// In use now, of all racks.
    pub used: u32,
    /// Whether a place is wanting: of a limit per rack, in one of them.
    pub full: bool,
}

/// What an action needs to start: class, what it holds, what its node holds, pool of calls, wave.
type Needs = (u8, u32, u32, Option<u32>, Option<u32>);

/// The scheduler.
#[derive(Debug, Clone)]
pub struct Scheduler {
    dag: Arc<Dag>,
    tasks: Vec<Task>,
    nodes: Vec<Node>,
    pools: Pools,
    /// Sets of pools; the first is empty.
    sets: Vec<Vec<u32>>,
    /// Queues by what those that stand in them need.
    queues: HashMap<Needs, u32>,
    /// Pool of nodes in flight.
    in_flight_nodes: u32,
    /// Pool that lets new branches begin.
    branches: u32,
    /// Pools that let the branches of each wave begin.
    gates: Vec<u32>,
    waves: Waves,
    watches: bool,
    /// Who wants a slot again, in order; those whose kind has a limit stand in their own lines.
    queue: VecDeque<(u64, u32)>,
    lines: BTreeMap<u32, VecDeque<(u64, u32)>>,
    queued: u32,
    ticket: u64,
    timers: BTreeSet<(u64, u32)>,
    parallelism: u32,
    max_failures: u32,
    calls: u32,
    in_flight: u32,
    committing: u32,
    failed_nodes: u32,
    stopping: bool,
    paused: bool,
}

impl Scheduler {
    /// A scheduler for what is not done yet. `lengths` are expected durations of the actions in plan order, in any unit.
    pub fn new(plan: &Plan, state: &RunState, lengths: &[u64]) -> Self {
        let dag = Arc::clone(state.dag());
        let remaining = dag.longest_remaining(lengths);
        let limits = &plan.limits;
        let mut pools = Pools::default();
        let in_flight = pools.family("nodes in flight".to_owned(), limits.nodes_in_flight.max(1), "");
        let in_flight_nodes = pools.pool(limits.nodes_in_flight.max(1), Some(in_flight));
        let branches = pools.pool(u32::MAX, None);
        let limited = Limited::new(plan, &mut pools);
        let mut waves = Waves::new(&plan.rollout);
        let mut wave_of: HashMap<&str, u32> = HashMap::new();
        for (w, wave) in plan.rollout.waves.iter().enumerate() {
            wave_of.extend(wave.nodes.iter().map(|node| (node.as_str(), w as u32)));
        }
        let mut sets = Sets::default();
        sets.of(Vec::new());
        let mut node_ids: HashMap<&str, u32> = HashMap::new();
        let mut ranks: BTreeMap<u32, u32> = BTreeMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut racks: Vec<u32> = Vec::new();
        let mut tasks: Vec<Task> = Vec::with_capacity(dag.len());
        for (i, action) in plan.actions.iter().enumerate() {
            let node = action.node.as_deref().map(|name| {
                *node_ids.entry(name).or_insert_with(|| {
                    let rack = limited.rack(plan, name);
                    let rank = *ranks.entry(rack).and_modify(|r| *r += 1).or_default();
                    let holds = sets.of(limited.of_node(name, rack));
                    nodes.push(Node { rank, holds, wave: wave_of.get(name).copied(), ..Node::default() });
                    racks.push(rack);
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
            let holds = match (node, action.node.as_deref()) {
                (Some(n), Some(name)) => sets.of(limited.of_action(action.kind, name, racks[n as usize])),
                _ => 0,
            };
            tasks.push(Task {
                node,
                disrupts,
                key: (Reverse(record.begun), Reverse(remaining[i]), node.map_or(0, |n| nodes[n as usize].rank), i as u32),
                waits_for: dag.predecessors(i as u32).filter(|p| !state.task(*p as usize).status.is_done()).count() as u32,
                phase: if done { Phase::Done } else { Phase::Pending },
                holds,
                calls: limited.calls.get(&action.kind).copied(),
                calls_held: false,
                queue: 0,
                timer: None,
            });
        }
        for node in &mut nodes {
            node.ended = node.left == 0;
            node.unavailable &= !node.ended;
            for pool in sets.all[node.holds as usize].iter().filter(|_| node.unavailable) {
                pools.take(*pool);
            }
            match node.wave {
                Some(wave) if node.ended => waves.count(wave),
                Some(wave) => waves.enter(wave),
                None => {}
            }
        }
        let gates = (0..plan.rollout.waves.len() as u32).map(|w| pools.pool(if waves.is_open(w) { u32::MAX } else { 0 }, None)).collect();
        let mut scheduler = Self {
            dag,
            tasks,
            nodes,
            pools,
            sets: sets.all,
            queues: HashMap::new(),
            in_flight_nodes,
            branches,
            gates,
            waves,
            watches: plan.rollout.healthy_for_s > 0,
            queue: VecDeque::new(),
            lines: BTreeMap::new(),
            queued: 0,
            ticket: 0,
            timers: BTreeSet::new(),
            parallelism: limits.parallelism.max(1),
            max_failures: limits.max_failures.max(1),
            calls: 0,
            in_flight: 0,
            committing: 0,
            failed_nodes: 0,
            stopping: false,
            paused: false,
        };
        for (wave, gate) in state.gates() {
            if *gate == GateState::Passed && (wave as usize) < scheduler.gates.len() {
                scheduler.pass(wave);
            }
        }
        scheduler.waves.begin();
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
        let ahead = self.committing + self.queued;
        let line = self.next_in_line();
        if (line.is_none() || ahead < self.parallelism)
            && let Some(i) = self.next_start()
        {
            self.start(i);
            return Some(Grant::Start(i));
        }
        let line = match line? {
            None => &mut self.queue,
            Some(pool) => self.lines.get_mut(&pool)?,
        };
        let (_, i) = line.pop_front()?;
        self.queued -= 1;
        self.activate(i);
        Some(Grant::Continue(i))
    }

    /// The line whose first wants a slot again and may have one: that of a pool of calls, or the common one.
    fn next_in_line(&self) -> Option<Option<u32>> {
        let common = self.queue.front().map(|(ticket, _)| (*ticket, None));
        let free = self.lines.iter().filter(|(pool, _)| !self.pools.is_full(**pool));
        let others = free.filter_map(|(pool, line)| line.front().map(|(ticket, _)| (*ticket, Some(*pool))));
        others.chain(common).min().map(|(_, line)| line)
    }

    fn activate(&mut self, i: u32) {
        let task = &mut self.tasks[i as usize];
        task.phase = Phase::Active;
        self.calls += 1;
        if let Some(pool) = task.calls
            && !std::mem::replace(&mut task.calls_held, true)
        {
            self.pools.take(pool);
        }
    }

    fn next_start(&mut self) -> Option<u32> {
        if self.stopping || self.paused {
            return None;
        }
        self.could_start()
    }

    fn could_start(&mut self) -> Option<u32> {
        if let Some(i) = self.best() {
            return Some(i);
        }
        if self.in_flight > 0 {
            return None;
        }
        // Nothing moves: nodes that are in flight all wait for what others hold. Let those go first that can.
        self.give_places_back();
        self.best()
    }

    /// The ready action that may start and comes first. A branch that was started comes before a new one.
    fn best(&mut self) -> Option<u32> {
        let mut best = self.pools.first(RUNNING);
        if !self.pools.is_full(self.in_flight_nodes) {
            let branch = self.pools.first(STALLED).or_else(|| self.pools.first(NEW));
            best = [best, branch].into_iter().flatten().min();
        }
        best.map(|key| key.3)
    }

    /// Takes their place from nodes that have nothing running.
    fn give_places_back(&mut self) {
        let idle: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].in_flight && self.nodes[*n].running == 0).collect();
        for n in idle {
            self.nodes[n].in_flight = false;
            self.pools.give(self.in_flight_nodes);
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
            self.give_call_back(i);
        }
    }

    fn give_call_back(&mut self, i: u32) {
        let task = &mut self.tasks[i as usize];
        if let Some(pool) = task.calls
            && std::mem::take(&mut task.calls_held)
        {
            self.pools.give(pool);
        }
    }

    /// An action gives its slot back while its intent is made durable; [`Self::wake`] when it is. Its place among the calls of its kind it keeps.
    pub fn commit(&mut self, i: u32) {
        let task = &mut self.tasks[i as usize];
        if task.phase == Phase::Active {
            task.phase = Phase::Committing;
            self.calls -= 1;
            self.committing += 1;
        }
    }

    /// A parked action wants a slot again.
    pub fn wake(&mut self, i: u32) {
        let task = &mut self.tasks[i as usize];
        if !matches!(task.phase, Phase::Parked | Phase::Committing) {
            return;
        }
        self.committing -= u32::from(task.phase == Phase::Committing);
        task.phase = Phase::Queued;
        self.ticket += 1;
        self.queued += 1;
        let line = match task.calls.filter(|_| !task.calls_held) {
            None => &mut self.queue,
            Some(pool) => self.lines.entry(pool).or_default(),
        };
        line.push_back((self.ticket, i));
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
        if let Some(n) = self.tasks[i as usize].node {
            let node = &mut self.nodes[n as usize];
            node.broken = true;
            if !std::mem::replace(&mut node.failed, true) {
                self.failed_nodes += 1;
            }
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
                self.nodes[n as usize].broken = true;
            }
            touched.insert(task.node);
            stack.extend(self.dag.successors(next));
        }
        for node in touched {
            self.settle(node);
        }
        if self.branches_stopped() {
            self.pools.resize(self.branches, 0);
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
    pub fn usage(&self) -> impl Iterator<Item = Usage<'_>> {
        self.pools.families().iter().map(|f| Usage { what: &f.what, limit: f.limit, per: f.per, used: f.used, full: f.full > 0 })
    }

    /// The next wave whose branches have all ended, once for each; ask until `None`, and answer with [`Self::pass`] or [`Self::fail`].
    pub fn next_gate(&mut self) -> Option<Gate> {
        let wave = self.waves.next_ended()?;
        Some(match self.waves.shortfall(wave) {
            Some(why) => Gate::Fail(wave, why),
            None if self.watches && self.waves.is_waited_for(wave) => Gate::Watch(wave),
            None => Gate::Pass(wave),
        })
    }

    /// A wave is through: those that wait for nothing else begin.
    pub fn pass(&mut self, wave: u32) {
        for open in self.waves.pass(wave) {
            self.pools.resize(self.gates[open as usize], u32::MAX);
        }
    }

    /// A wave is not through; returns the waves that stay closed for it.
    pub fn fail(&mut self, wave: u32) -> Vec<u32> {
        self.waves.fail(wave);
        self.waves.behind(wave)
    }

    fn start(&mut self, i: u32) {
        let Task { node, disrupts, holds, .. } = self.tasks[i as usize];
        self.activate(i);
        self.in_flight += 1;
        self.take_all(holds);
        let mut others = Vec::new();
        if let Some(n) = node {
            let node = &mut self.nodes[n as usize];
            node.ready.retain(|r| *r != i);
            node.running += 1;
            node.started = true;
            let (newly_in_flight, newly_unavailable) = (!node.in_flight, disrupts && !node.unavailable);
            node.in_flight = true;
            node.unavailable |= disrupts;
            let held = node.holds;
            others.clone_from(&node.ready);
            if newly_in_flight {
                self.pools.take(self.in_flight_nodes);
            }
            if newly_unavailable {
                self.take_all(held);
            }
        }
        // After the places are taken, so that nobody is called to places that are gone.
        self.unqueue(i);
        for other in others {
            self.unqueue(other);
            self.enqueue(other);
        }
    }

    fn take_all(&mut self, set: u32) {
        for pool in &self.sets[set as usize] {
            self.pools.take(*pool);
        }
    }

    fn give_all(&mut self, set: u32) {
        for pool in &self.sets[set as usize] {
            self.pools.give(*pool);
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
            Phase::Queued => {
                self.queued -= 1;
                let task = &self.tasks[i as usize];
                let line = task.calls.filter(|_| !task.calls_held).and_then(|pool| self.lines.get_mut(&pool));
                line.unwrap_or(&mut self.queue).retain(|(_, t)| *t != i);
            }
            _ => return false,
        }
        self.give_call_back(i);
        let task = &mut self.tasks[i as usize];
        task.phase = phase;
        self.in_flight -= 1;
        let holds = task.holds;
        if let Some(n) = task.node {
            self.nodes[n as usize].running -= 1;
            self.nodes[n as usize].left -= u32::from(phase != Phase::Cancelled);
        }
        self.give_all(holds);
        true
    }

    /// Gives back what a node no longer needs.
    fn settle(&mut self, node: Option<u32>) {
        let Some(n) = node else { return };
        let node = &mut self.nodes[n as usize];
        if node.in_flight && node.running == 0 && node.ready.is_empty() {
            node.in_flight = false;
            self.pools.give(self.in_flight_nodes);
        }
        let node = &mut self.nodes[n as usize];
        if node.left > 0 || std::mem::replace(&mut node.ended, true) {
            return;
        }
        let (held, wave, broken) = (node.holds, node.wave, node.broken);
        if std::mem::take(&mut node.unavailable) {
            self.give_all(held);
        }
        if let Some(wave) = wave {
            self.waves.leave(wave, broken);
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
        let of_node = node.filter(|n| task.disrupts && !n.unavailable).map_or(0, |n| n.holds);
        let wave = node.and_then(|n| n.wave).filter(|_| class == NEW);
        let (key, holds, calls) = (task.key, task.holds, task.calls);
        let (pools, sets) = (&mut self.pools, &self.sets);
        let (in_flight, branches, gates) = (self.in_flight_nodes, self.branches, &self.gates);
        let queue = *self.queues.entry((class, holds, of_node, calls, wave)).or_insert_with(|| {
            let mut needs: Vec<u32> = sets[holds as usize].iter().chain(&sets[of_node as usize]).copied().chain(calls).collect();
            if class != RUNNING {
                needs.push(in_flight);
            }
            if class == NEW {
                needs.push(branches);
            }
            needs.extend(wave.map(|w| gates[w as usize]));
            pools.queue(class, needs)
        });
        self.tasks[i as usize].queue = queue;
        self.pools.insert(queue, key);
    }

    fn unqueue(&mut self, i: u32) {
        let Task { queue, key, .. } = self.tasks[i as usize];
        self.pools.remove(queue, key);
    }
}

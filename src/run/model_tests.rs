//! The scheduler against a model of what it promises: random graphs, limits, waves, failures and orders of arrival.
//!
//! The model knows no queues: it looks at what runs, and says whether that, and what does not run, is right.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::action::{Action, ActionKind, Effect};
use crate::plan::testing::{action, plan};
use crate::plan::{self, Counts, Limits, Plan, Pool, Rollout, Wave};

use super::{Gate, Grant, RunState, Scheduler};

pub(super) const KINDS: [ActionKind; 5] =
    [ActionKind::SetNodeBoot, ActionKind::PowerOnNode, ActionKind::ConfigureHardware, ActionKind::ApplyNodeStorage, ActionKind::DeployNode];

const NODES: usize = 8;

fn name(node: usize) -> String {
    format!("r{}-n{node}", node % 2)
}

/// A random plan: each action is of the site or of one of some nodes in two racks, and waits for earlier ones.
fn plans() -> impl Strategy<Value = Plan> {
    let one = (0usize..NODES, 0usize..KINDS.len(), any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..3));
    let actions = prop::collection::vec(one, 1..40).prop_map(|specs| {
        let mut actions: Vec<Action> = Vec::new();
        for (i, (node, kind, disrupts, before)) in specs.into_iter().enumerate() {
            let name = (node > 0).then(|| name(node));
            // A branch is a chain; further edges go anywhere earlier in it or to the site.
            let mut after: BTreeSet<String> =
                actions.iter().rev().find(|a| name.is_some() && a.node == name).map(|a| a.id.clone()).into_iter().collect();
            for index in before {
                if let Some(earlier) = actions.get(index.index(i.max(1)))
                    && (earlier.node.is_none() || earlier.node == name)
                {
                    after.insert(earlier.id.clone());
                }
            }
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let mut a = action(&format!("a{i:02}"), KINDS[kind], name.as_deref(), &after);
            a.effect = if disrupts { Effect::Redeploy } else { Effect::Install };
            actions.push(a);
        }
        actions
    });
    (actions, limits(), waves()).prop_map(|(actions, limits, rollout)| {
        let mut plan = plan(actions);
        (plan.limits, plan.rollout) = (limits, rollout);
        plan
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let by_kind = || prop::collection::btree_map((0usize..KINDS.len()).prop_map(|k| KINDS[k]), 1u32..3, 0..2);
    let pool =
        (any::<bool>(), 0u32..4, prop::collection::btree_set(1usize..NODES, 1..NODES)).prop_map(|(unavailable, limit, nodes)| Pool {
            counts: if unavailable { Counts::Unavailable } else { Counts::Deployments },
            // No setting stops deployments; nodes that hold other places would wait for ever.
            limit: if unavailable { limit } else { limit.max(1) },
            nodes: nodes.into_iter().map(name).collect(),
            of: "some".to_owned(),
        });
    let few = prop_oneof![1 => Just(u32::MAX), 2 => 1u32..5];
    (few, 1u32..5, by_kind(), 1u32..3, by_kind(), 1u32..3, prop::collection::vec(pool, 0..3), 1u32..4).prop_map(
        |(nodes_in_flight, parallelism, calls, power_ups_per_rack, per_rack, unavailable_per_rack, pools, max_failures)| Limits {
            nodes_in_flight,
            parallelism,
            calls,
            power_ups_per_rack,
            per_rack,
            unavailable_per_rack,
            pools,
            max_failures,
            ..Limits::default()
        },
    )
}

/// Up to four waves with any order between them; nodes may be in none, waves may be without nodes.
fn waves() -> impl Strategy<Value = Rollout> {
    let gate = (any::<bool>(), prop::option::of(0u32..2), 0u32..3, 0u32..2);
    let wave = (prop::collection::vec(any::<prop::sample::Index>(), 0..2), gate);
    (prop::collection::vec(wave, 0..4), prop::collection::vec(0usize..6, NODES), 0u32..2).prop_map(|(specs, homes, healthy_for_s)| {
        let count = specs.len();
        let waves = specs.into_iter().enumerate().map(|(w, (after, (over, max_failed, min_successful, through)))| {
            let after: BTreeSet<u32> = after.into_iter().filter(|_| w > 0).map(|i| i.index(w) as u32).collect();
            let over = if over { after.iter().copied().collect() } else { Vec::new() };
            Wave {
                after: after.into_iter().collect(),
                gate: plan::Gate { critical: false, max_failed, min_successful, over, through },
                name: format!("w{w}"),
                nodes: (1..NODES).filter(|n| homes[*n] == w && w < count).map(name).collect(),
            }
        });
        Rollout { healthy_for_s, patience_s: 0, warnings: Vec::new(), waves: waves.collect() }
    })
}

/// Whether an action draws inrush current: said again here, so that a kind that is forgotten there is missed here.
fn switches_on(a: &Action) -> bool {
    matches!(a.kind, ActionKind::PowerOnNode | ActionKind::ConfigureHardware | ActionKind::DeployNode | ActionKind::DestroyNode)
}

/// Carries a plan out against the scheduler alone; `choose` picks which action in flight moves next and how. Returns what happened to each action.
struct Driver<'a> {
    plan: &'a Plan,
    scheduler: Scheduler,
    active: BTreeSet<u32>,
    parked: BTreeSet<u32>,
    /// Parked, and wants a slot again.
    woken: BTreeSet<u32>,
    /// Parked while an intent is made durable.
    committing: BTreeSet<u32>,
    done: BTreeSet<u32>,
    failed: BTreeSet<u32>,
    started: BTreeSet<u32>,
    watched: BTreeSet<u32>,
    passed: BTreeSet<u32>,
    closed: BTreeSet<u32>,
    steps: usize,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self::scheduled_by(plan, plan)
    }

    /// Holds a scheduler of one plan against the limits and waves of another with the same actions.
    fn scheduled_by(plan: &'a Plan, scheduled: &Plan) -> Self {
        let state = RunState::new(&plan.actions).unwrap();
        let lengths = vec![1; plan.actions.len()];
        Self {
            plan,
            scheduler: Scheduler::new(scheduled, &state, &lengths),
            active: BTreeSet::new(),
            parked: BTreeSet::new(),
            woken: BTreeSet::new(),
            committing: BTreeSet::new(),
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
            started: BTreeSet::new(),
            watched: BTreeSet::new(),
            passed: BTreeSet::new(),
            closed: BTreeSet::new(),
            steps: 0,
        }
    }

    fn run(mut self, fails: &[bool], choices: &[prop::sample::Index]) -> Result<Self, TestCaseError> {
        let mut parks: BTreeMap<u32, u32> = BTreeMap::new();
        loop {
            self.gates()?;
            while let Some(grant) = self.scheduler.start_next() {
                self.granted(grant)?;
            }
            self.nothing_is_overlooked()?;
            let in_flight: Vec<u32> = self.active.iter().chain(&self.parked).copied().collect();
            prop_assert_eq!(self.scheduler.in_flight() as usize, in_flight.len());
            if in_flight.is_empty() && self.watched.is_empty() {
                return Ok(self);
            }
            self.steps += 1;
            prop_assert!(self.steps < 2000, "it does not end");
            let choice = choices[self.steps % choices.len()];
            let movable: Vec<u32> = in_flight.iter().copied().filter(|i| !self.woken.contains(i)).collect();
            if let Some(wave) = self.watched.first().copied().filter(|_| movable.is_empty() || choice.index(3) == 0) {
                self.watched.remove(&wave);
                if fails[wave as usize % fails.len()] {
                    self.scheduler.fail(wave);
                    self.closed.insert(wave);
                } else {
                    self.scheduler.pass(wave);
                    self.passed.insert(wave);
                }
                continue;
            }
            prop_assert!(!movable.is_empty(), "slots are free and nobody gets one");
            let i = *choice.get(&movable);
            if self.parked.contains(&i) {
                self.scheduler.wake(i);
                self.committing.remove(&i);
                self.woken.insert(i);
                continue;
            }
            let parked = parks.entry(i).or_default();
            if *parked < i % 3 {
                *parked += 1;
                if *parked == 1 {
                    self.scheduler.commit(i);
                    self.committing.insert(i);
                } else {
                    self.scheduler.park(i);
                }
                self.active.remove(&i);
                self.parked.insert(i);
            } else if fails[i as usize % fails.len()] {
                self.scheduler.failed(i);
                self.active.remove(&i);
                self.failed.insert(i);
            } else {
                self.scheduler.done(i);
                self.active.remove(&i);
                self.done.insert(i);
            }
        }
    }

    fn granted(&mut self, grant: Grant) -> Result<(), TestCaseError> {
        match grant {
            Grant::Start(i) => {
                let a = &self.plan.actions[i as usize];
                let fresh = self.is_fresh(a);
                prop_assert!(self.started.insert(i), "a{i} starts twice");
                prop_assert!(self.is_ready(i), "{} before what it waits for", a.id);
                prop_assert!(
                    !(fresh && self.failed_nodes() >= self.plan.limits.max_failures),
                    "{} is a new branch after too many failures",
                    a.id
                );
                prop_assert!(!fresh || self.may_begin(a), "{} begins before its wave", a.id);
            }
            Grant::Continue(i) => prop_assert!(self.parked.remove(&i) && self.woken.remove(&i)),
        }
        let (Grant::Start(i) | Grant::Continue(i)) = grant;
        self.active.insert(i);
        self.within_limits()
    }

    /// Answers what the scheduler asks about waves whose branches have ended.
    fn gates(&mut self) -> Result<(), TestCaseError> {
        while let Some(gate) = self.scheduler.next_gate() {
            let (Gate::Pass(w) | Gate::Watch(w) | Gate::Fail(w, _)) = gate;
            let rollout = &self.plan.rollout;
            let wave = &rollout.waves[w as usize];
            for (i, a) in self.plan.actions.iter().enumerate() {
                let of_it = a.node.as_ref().is_some_and(|n| wave.nodes.contains(n));
                prop_assert!(!of_it || self.is_over(i as u32), "{} is left, and wave {w} has ended", a.id);
            }
            prop_assert!(wave.after.iter().all(|b| self.passed.contains(b)));
            let counted = || wave.gate.over.iter().map(|o| &rollout.waves[*o as usize]).chain([wave]).flat_map(|w| &w.nodes);
            let acts = |node: &str| self.plan.actions.iter().any(|a| a.node.as_deref() == Some(node));
            let broken = |node: &str| {
                let of = self.plan.actions.iter().enumerate().filter(|(_, a)| a.node.as_deref() == Some(node));
                of.map(|(i, _)| i as u32).any(|i| !self.done.contains(&i))
            };
            let failed = counted().filter(|n| broken(n)).count() as u32;
            let well = wave.gate.through + counted().filter(|n| acts(n) && !broken(n)).count() as u32;
            let enough = wave.gate.max_failed.is_none_or(|most| failed <= most) && well >= wave.gate.min_successful;
            let waited_for = rollout.waves.iter().any(|o| o.after.contains(&w));
            match gate {
                Gate::Fail(..) => {
                    prop_assert!(!enough, "wave {w} is closed, and has what it needs");
                    self.scheduler.fail(w);
                    self.closed.insert(w);
                }
                Gate::Watch(_) => {
                    prop_assert!(enough && waited_for && rollout.healthy_for_s > 0);
                    self.watched.insert(w);
                }
                Gate::Pass(_) => {
                    prop_assert!(enough && !(waited_for && rollout.healthy_for_s > 0));
                    self.scheduler.pass(w);
                    self.passed.insert(w);
                }
            }
        }
        Ok(())
    }

    fn failed_nodes(&self) -> u32 {
        self.failed.iter().filter_map(|i| self.plan.actions[*i as usize].node.as_ref()).collect::<BTreeSet<_>>().len() as u32
    }

    fn index(&self, id: &str) -> u32 {
        self.plan.actions.iter().position(|a| a.id == id).unwrap() as u32
    }

    fn is_ready(&self, i: u32) -> bool {
        self.plan.actions[i as usize].after.iter().all(|b| self.done.contains(&self.index(b)))
    }

    /// Whether nothing of its node has started.
    fn is_fresh(&self, a: &Action) -> bool {
        a.node.is_some() && !self.started.iter().any(|s| self.plan.actions[*s as usize].node == a.node)
    }

    /// Whether the wave of its node has begun.
    fn may_begin(&self, a: &Action) -> bool {
        let wave = self.plan.rollout.waves.iter().find(|w| a.node.as_ref().is_some_and(|n| w.nodes.contains(n)));
        wave.is_none_or(|w| w.after.iter().all(|b| self.passed.contains(b)))
    }

    fn in_flight(&self) -> impl Iterator<Item = &Action> {
        self.active.iter().chain(&self.parked).map(|i| &self.plan.actions[*i as usize])
    }

    /// Nodes that are unavailable.
    fn unavailable(&self) -> BTreeSet<&str> {
        let disrupted = self.started.iter().map(|i| &self.plan.actions[*i as usize]).filter(|a| a.effect >= Effect::Reboot);
        let left =
            |node: &str| self.plan.actions.iter().enumerate().any(|(i, b)| b.node.as_deref() == Some(node) && !self.is_over(i as u32));
        disrupted.filter_map(|a| a.node.as_deref()).filter(|n| left(n)).collect()
    }

    /// What is wrong with what runs, if anything is.
    fn excess(&self) -> Option<String> {
        let limits = &self.plan.limits;
        let over = |what: &str, used: usize, limit: u32| (used as u64 > u64::from(limit)).then(|| format!("{used} of {limit}: {what}"));
        let mut found = vec![over("calls", self.active.len(), limits.parallelism)];
        for (kind, limit) in &limits.calls {
            let calls = self.active.iter().chain(&self.committing).filter(|i| self.plan.actions[**i as usize].kind == *kind);
            found.push(over(&format!("calls for {kind}"), calls.count(), *limit));
        }
        let nodes: BTreeSet<_> = self.in_flight().filter_map(|a| a.node.as_ref()).collect();
        found.push(over("nodes in flight", nodes.len(), limits.nodes_in_flight));
        let unavailable = self.unavailable();
        for rack in ["r0", "r1"] {
            let here = |a: &&Action| a.node.as_ref().is_some_and(|n| n.starts_with(rack));
            found.push(over("power-ups", self.in_flight().filter(here).filter(|a| switches_on(a)).count(), limits.power_ups_per_rack));
            for (kind, limit) in &limits.per_rack {
                found.push(over(kind.name(), self.in_flight().filter(here).filter(|a| a.kind == *kind).count(), *limit));
            }
            found.push(over("unavailable", unavailable.iter().filter(|n| n.starts_with(rack)).count(), limits.unavailable_per_rack));
        }
        for pool in &limits.pools {
            let of_it = |n: &str| pool.nodes.iter().any(|p| p == n);
            let used = match pool.counts {
                Counts::Unavailable => unavailable.iter().filter(|n| of_it(n)).count(),
                Counts::Deployments => {
                    self.in_flight().filter(|a| a.kind == ActionKind::DeployNode && a.node.as_deref().is_some_and(of_it)).count()
                }
            };
            found.push(over("pool", used, pool.limit));
        }
        found.into_iter().flatten().next()
    }

    fn within_limits(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.scheduler.calls() as usize, self.active.len());
        prop_assert_eq!(self.excess(), None);
        Ok(())
    }

    /// Nothing that may start is left waiting. (With a limit on nodes in flight, places that idle nodes keep are not seen from here.)
    fn nothing_is_overlooked(&mut self) -> Result<(), TestCaseError> {
        let limits = &self.plan.limits;
        let ahead = self.committing.len() + self.woken.len();
        if limits.nodes_in_flight < u32::MAX || self.active.len() as u32 >= limits.parallelism || ahead as u32 >= limits.parallelism {
            return Ok(());
        }
        for i in 0..self.plan.actions.len() as u32 {
            let a = &self.plan.actions[i as usize];
            if self.started.contains(&i) || !self.is_ready(i) {
                continue;
            }
            if self.is_fresh(a) && (self.failed_nodes() >= limits.max_failures || !self.may_begin(a)) {
                continue;
            }
            self.started.insert(i);
            self.active.insert(i);
            let excess = self.excess();
            self.started.remove(&i);
            self.active.remove(&i);
            prop_assert!(excess.is_some(), "{} could start, and does not", a.id);
        }
        Ok(())
    }

    /// Done, failed, or behind a failed one.
    fn is_over(&self, i: u32) -> bool {
        self.done.contains(&i)
            || self.failed.contains(&i)
            || self.plan.actions[i as usize].after.iter().any(|id| {
                let before = self.index(id);
                !self.done.contains(&before) && self.is_over(before)
            })
    }

    /// Why an action that is not over may be so when nothing runs any more.
    fn is_excused(&self, i: u32) -> bool {
        let a = &self.plan.actions[i as usize];
        let stopped = self.failed_nodes() >= self.plan.limits.max_failures;
        let zero = |p: &Pool| p.counts == Counts::Unavailable && p.limit == 0 && a.node.as_ref().is_some_and(|n| p.nodes.contains(n));
        (self.is_fresh(a) && (stopped || !self.may_begin(a)))
            || (a.effect >= Effect::Reboot && self.plan.limits.pools.iter().any(zero))
            || a.after.iter().map(|b| self.index(b)).any(|b| !self.is_over(b) && self.is_excused(b))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// Order, waves and limits hold, it ends, and everything that nothing stands in the way of is done.
    #[test]
    fn order_and_limits_hold_and_it_ends(plan in plans(), fails in prop::collection::vec(prop::bool::weighted(0.1), 1..12),
                                         choices in prop::collection::vec(any::<prop::sample::Index>(), 1..64)) {
        let run = Driver::new(&plan).run(&fails, &choices)?;
        for i in 0..plan.actions.len() as u32 {
            prop_assert!(run.is_over(i) || run.is_excused(i), "a{i} starves");
        }
        for (w, wave) in plan.rollout.waves.iter().enumerate() {
            let w = w as u32;
            let over = |n: &String| plan.actions.iter().enumerate().all(|(i, a)| a.node.as_ref() != Some(n) || run.is_over(i as u32));
            let due = wave.after.iter().all(|b| run.passed.contains(b)) && wave.nodes.iter().all(over);
            prop_assert_eq!(due, run.passed.contains(&w) || run.closed.contains(&w), "gate of wave {}", w);
        }
    }

    /// The order in which things end changes nothing about what is done in the end.
    #[test]
    fn the_end_does_not_depend_on_the_order_of_arrival(mut plan in plans(), fails in prop::collection::vec(prop::bool::weighted(0.15), 1..12),
                                                       a in prop::collection::vec(any::<prop::sample::Index>(), 1..64),
                                                       b in prop::collection::vec(any::<prop::sample::Index>(), 1..64)) {
        plan.limits.max_failures = 1000;
        let first = Driver::new(&plan).run(&fails, &a)?;
        let second = Driver::new(&plan).run(&fails, &b)?;
        prop_assert_eq!(first.done, second.done);
        prop_assert_eq!(first.failed, second.failed);
        prop_assert_eq!(first.passed, second.passed);
    }
}

/// What a plan is made another one by.
type Edit<'e> = &'e dyn Fn(&mut Plan);

/// A scheduler that does not know one of the limits or rules, or is stricter than they are, is noticed by the model: so none of its checks is idle.
#[test]
fn the_model_notices_each_limit_and_rule_that_is_broken() {
    let never = u32::MAX;
    let pools_of = |plan: &mut Plan, counts: Counts| plan.limits.pools.retain(|p| p.counts != counts);
    let breaks: [(&str, Edit<'_>); 18] = [
        ("nodes in flight", &|p| p.limits.nodes_in_flight = never),
        ("calls", &|p| p.limits.parallelism = never),
        ("calls for", &|p| p.limits.calls.clear()),
        ("power-ups", &|p| p.limits.power_ups_per_rack = never),
        ("kinds per rack", &|p| p.limits.per_rack.clear()),
        ("unavailable", &|p| p.limits.unavailable_per_rack = never),
        ("unavailable pools", &|p| pools_of(p, Counts::Unavailable)),
        ("deployment pools", &|p| pools_of(p, Counts::Deployments)),
        ("too many failures", &|p| p.limits.max_failures = never),
        ("order of waves", &|p| p.rollout.waves.iter_mut().for_each(|w| w.after.clear())),
        ("gates that fail", &|p| p.rollout.waves.iter_mut().for_each(|w| w.gate.max_failed = None)),
        ("gates that need some", &|p| p.rollout.waves.iter_mut().for_each(|w| w.gate.min_successful = 0)),
        ("gates over others", &|p| p.rollout.waves.iter_mut().for_each(|w| w.gate.over.clear())),
        ("watching", &|p| p.rollout.healthy_for_s = 0),
        ("fewer calls than may be", &|p| p.limits.parallelism = 1),
        ("fewer power-ups than may be", &|p| p.limits.power_ups_per_rack = 1),
        ("fewer unavailable than may be", &|p| p.limits.unavailable_per_rack = 1),
        ("fewer places than may be", &|p| p.limits.pools.iter_mut().for_each(|pool| pool.limit = 1)),
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let choices = prop::collection::vec(any::<prop::sample::Index>(), 32);
    let fails = prop::collection::vec(prop::bool::weighted(0.2), 12);
    let all = (plans(), fails, choices);
    let cases: Vec<_> = (0..1500).map(|_| all.new_tree(&mut runner).unwrap().current()).collect();
    for (what, edit) in breaks {
        let noticed = cases.iter().any(|(plan, fails, choices)| {
            let mut other = plan.clone();
            edit(&mut other);
            Driver::scheduled_by(plan, &other).run(fails, choices).is_err()
        });
        assert!(noticed, "nobody notices: {what}");
    }
}

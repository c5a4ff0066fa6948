//! Laws of the scheduler, over random graphs, limits and orders of arrival.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::action::{Action, ActionKind, Effect};
use crate::plan::{Limits, Plan};

use super::{Grant, RunState, Scheduler};
use crate::plan::testing::{action, plan};

const KINDS: [ActionKind; 5] =
    [ActionKind::SetNodeBoot, ActionKind::PowerOnNode, ActionKind::ConfigureHardware, ActionKind::ApplyNodeStorage, ActionKind::DeployNode];

/// A random plan: each action is of the site or of one of some nodes in two racks, and waits for earlier ones.
fn plans() -> impl Strategy<Value = Plan> {
    let one = (0usize..8, 0usize..KINDS.len(), any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..3));
    let limits = (1u32..5, 1u32..5, 1u32..3, 1u32..3, 1u32..4);
    (prop::collection::vec(one, 1..40), limits).prop_map(|(specs, limits)| {
        let mut actions: Vec<Action> = Vec::new();
        for (i, (node, kind, disrupts, before)) in specs.into_iter().enumerate() {
            let name = (node > 0).then(|| format!("r{}-n{node}", node % 2));
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
        let mut plan = plan(actions);
        plan.limits = Limits {
            nodes_in_flight: limits.0,
            parallelism: limits.1,
            power_ups_per_rack: limits.2,
            unavailable_per_rack: limits.3,
            max_failures: limits.4,
        };
        plan
    })
}

fn switches_on(a: &Action) -> bool {
    matches!(a.kind, ActionKind::PowerOnNode | ActionKind::ConfigureHardware | ActionKind::DeployNode)
}

/// Carries a plan out against the scheduler alone; `choose` picks which action in flight moves next and how. Returns what happened to each action.
struct Driver<'a> {
    plan: &'a Plan,
    scheduler: Scheduler,
    active: BTreeSet<u32>,
    parked: BTreeSet<u32>,
    /// Parked, and wants a slot again.
    woken: BTreeSet<u32>,
    done: BTreeSet<u32>,
    failed: BTreeSet<u32>,
    started: BTreeSet<u32>,
    steps: usize,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Plan) -> Self {
        let state = RunState::new(&plan.actions).unwrap();
        let lengths = vec![1; plan.actions.len()];
        Self {
            plan,
            scheduler: Scheduler::new(plan, &state, &lengths),
            active: BTreeSet::new(),
            parked: BTreeSet::new(),
            woken: BTreeSet::new(),
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
            started: BTreeSet::new(),
            steps: 0,
        }
    }

    fn run(mut self, fails: &[bool], choices: &[prop::sample::Index]) -> Result<Self, TestCaseError> {
        let mut parks: BTreeMap<u32, u32> = BTreeMap::new();
        loop {
            let failed_nodes = self.failed_nodes();
            while let Some(grant) = self.scheduler.start_next() {
                match grant {
                    Grant::Start(i) => {
                        prop_assert!(self.started.insert(i), "a{i} starts twice");
                        let a = &self.plan.actions[i as usize];
                        for before in &a.after {
                            prop_assert!(
                                self.done.iter().any(|d| self.plan.actions[*d as usize].id == *before),
                                "{} before {before}",
                                a.id
                            );
                        }
                        let fresh =
                            a.node.is_some() && !self.started.iter().any(|s| *s != i && self.plan.actions[*s as usize].node == a.node);
                        prop_assert!(
                            !(fresh && failed_nodes >= self.plan.limits.max_failures),
                            "{} is a new branch after too many failures",
                            a.id
                        );
                    }
                    Grant::Continue(i) => prop_assert!(self.parked.remove(&i) && self.woken.remove(&i)),
                }
                let (Grant::Start(i) | Grant::Continue(i)) = grant;
                self.active.insert(i);
                self.check()?;
            }
            let in_flight: Vec<u32> = self.active.iter().chain(&self.parked).copied().collect();
            prop_assert_eq!(self.scheduler.in_flight() as usize, in_flight.len());
            if in_flight.is_empty() {
                return Ok(self);
            }
            self.steps += 1;
            prop_assert!(self.steps < 1000, "it does not end");
            let movable: Vec<u32> = in_flight.iter().copied().filter(|i| !self.woken.contains(i)).collect();
            prop_assert!(!movable.is_empty(), "slots are free and nobody gets one");
            let i = *choices[self.steps % choices.len()].get(&movable);
            if self.parked.contains(&i) {
                self.scheduler.wake(i);
                self.woken.insert(i);
                continue;
            }
            let parked = parks.entry(i).or_default();
            if *parked < i % 3 {
                *parked += 1;
                self.scheduler.park(i);
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

    fn failed_nodes(&self) -> u32 {
        self.failed.iter().filter_map(|i| self.plan.actions[*i as usize].node.as_ref()).collect::<BTreeSet<_>>().len() as u32
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let limits = &self.plan.limits;
        let actions = |set: &BTreeSet<u32>| set.iter().map(|i| &self.plan.actions[*i as usize]).collect::<Vec<_>>();
        prop_assert!(self.active.len() as u32 <= limits.parallelism);
        prop_assert_eq!(self.scheduler.calls() as usize, self.active.len());
        let in_flight: Vec<&Action> = actions(&self.active).into_iter().chain(actions(&self.parked)).collect();
        let nodes: BTreeSet<_> = in_flight.iter().filter_map(|a| a.node.as_ref()).collect();
        prop_assert!(nodes.len() as u32 <= limits.nodes_in_flight, "{nodes:?}");
        for rack in ["r0", "r1"] {
            let here = |a: &Action| a.node.as_ref().is_some_and(|n| n.starts_with(rack));
            let power_ups = in_flight.iter().filter(|a| here(a) && switches_on(a)).count() as u32;
            prop_assert!(power_ups <= limits.power_ups_per_rack, "{power_ups} power-ups in {rack}");
            let mut unavailable = BTreeSet::new();
            for a in actions(&self.started).into_iter().filter(|a| here(a) && a.effect >= Effect::Reboot) {
                let left = self.plan.actions.iter().enumerate().any(|(i, b)| b.node == a.node && !self.is_over(i as u32));
                if left {
                    unavailable.insert(&a.node);
                }
            }
            prop_assert!(unavailable.len() as u32 <= limits.unavailable_per_rack, "{unavailable:?}");
        }
        Ok(())
    }

    /// Done, failed, or behind a failed one.
    fn is_over(&self, i: u32) -> bool {
        self.done.contains(&i)
            || self.failed.contains(&i)
            || self.plan.actions[i as usize].after.iter().any(|id| {
                let before = self.plan.actions.iter().position(|a| a.id == *id).unwrap() as u32;
                !self.done.contains(&before) && self.is_over(before)
            })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Order and limits hold, it ends, and everything that nothing stands in the way of is done.
    #[test]
    fn order_and_limits_hold_and_it_ends(plan in plans(), fails in prop::collection::vec(prop::bool::weighted(0.1), 1..12),
                                         choices in prop::collection::vec(any::<prop::sample::Index>(), 1..64)) {
        let run = Driver::new(&plan).run(&fails, &choices)?;
        let stopped = run.failed_nodes() >= plan.limits.max_failures;
        for (i, a) in plan.actions.iter().enumerate() {
            let i = i as u32;
            let started_branch = plan.actions.iter().enumerate().any(|(j, b)| b.node == a.node && run.started.contains(&(j as u32)));
            if !stopped || a.node.is_none() || started_branch {
                prop_assert!(run.is_over(i), "{} starves", a.id);
            }
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
    }
}

#[test]
fn the_longest_branch_goes_first() {
    let mut actions = vec![action("short", ActionKind::ApplyNodeStorage, Some("a"), &[])];
    actions.push(action("l1", ActionKind::ApplyNodeStorage, Some("b"), &[]));
    actions.push(action("l2", ActionKind::DeployNode, Some("b"), &["l1"]));
    let mut plan = plan(actions);
    plan.limits.parallelism = 1;
    let state = RunState::new(&plan.actions).unwrap();
    let mut scheduler = Scheduler::new(&plan, &state, &[50, 10, 100]);
    assert_eq!(scheduler.start_next(), Some(Grant::Start(1)));
    assert_eq!(scheduler.start_next(), None);
    scheduler.done(1);
    assert_eq!(scheduler.start_next(), Some(Grant::Start(2)));
    scheduler.park(2);
    assert_eq!(scheduler.start_next(), Some(Grant::Start(0)), "a waiter holds no slot");
    scheduler.wake(2);
    assert_eq!(scheduler.start_next(), None);
    scheduler.done(0);
    assert_eq!(scheduler.start_next(), Some(Grant::Continue(2)));
}

#[test]
fn a_branch_that_waits_for_another_gives_its_place_back() {
    let actions = vec![
        action("a1", ActionKind::ApplyNodeStorage, Some("a"), &[]),
        action("b1", ActionKind::ApplyNodeStorage, Some("b"), &[]),
        action("a2", ActionKind::ApplyNodeStorage, Some("a"), &["a1", "b1"]),
    ];
    let mut plan = plan(actions);
    plan.limits.nodes_in_flight = 1;
    let state = RunState::new(&plan.actions).unwrap();
    let mut scheduler = Scheduler::new(&plan, &state, &[1, 1, 1]);
    for expected in [0, 1, 2] {
        assert_eq!(scheduler.start_next(), Some(Grant::Start(expected)));
        assert_eq!(scheduler.start_next(), None);
        scheduler.done(expected);
    }
    assert_eq!((scheduler.start_next(), scheduler.in_flight()), (None, 0));
}

#[test]
fn retries_wait_for_their_time() {
    let plan = plan(vec![action("a", ActionKind::DeployNode, Some("a"), &[])]);
    let state = RunState::new(&plan.actions).unwrap();
    let mut scheduler = Scheduler::new(&plan, &state, &[1]);
    assert_eq!(scheduler.start_next(), Some(Grant::Start(0)));
    scheduler.retry_at(0, 500);
    assert_eq!((scheduler.calls(), scheduler.in_flight(), scheduler.next_wakeup()), (0, 1, Some(500)));
    scheduler.tick(499);
    assert_eq!(scheduler.start_next(), None);
    scheduler.tick(500);
    assert_eq!(scheduler.start_next(), Some(Grant::Continue(0)));
    assert_eq!(scheduler.next_wakeup(), None);
}

#[test]
fn ninety_thousand_actions_are_scheduled() {
    let mut actions = Vec::new();
    for n in 0..10_000 {
        let node = format!("r{}-n{n}", n % 250);
        for i in 0..9 {
            let before = format!("{node}.{}", i - 1);
            let after: Vec<&str> = if i == 0 { vec![] } else { vec![&before] };
            actions.push(action(&format!("{node}.{i}"), KINDS[i as usize % 5], Some(&node), &after));
        }
    }
    let mut plan = plan(actions);
    plan.limits = Limits { nodes_in_flight: 500, parallelism: 256, power_ups_per_rack: 2, unavailable_per_rack: 1, max_failures: 10 };
    let state = RunState::new(&plan.actions).unwrap();
    let mut scheduler = Scheduler::new(&plan, &state, &vec![1; plan.actions.len()]);
    let mut active = std::collections::VecDeque::new();
    let mut done = 0;
    loop {
        while let Some(Grant::Start(i) | Grant::Continue(i)) = scheduler.start_next() {
            active.push_back(i);
        }
        let Some(i) = active.pop_front() else { break };
        scheduler.done(i);
        done += 1;
    }
    assert_eq!(done, 90_000);
}

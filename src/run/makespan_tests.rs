//! How long runs take against what no scheduler could do better, with a clock that is only counted.
//!
//! Here actions hold their slot until they are done, which is the hardest case: those that wait at the site hold none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use proptest::prelude::*;

use super::{Dag, Grant, RunState, Scheduler};
use crate::action::{Action, ActionKind};
use crate::plan::Plan;
use crate::plan::testing::{action, plan};

/// Whether an action holds its slot while it lasts, or waits without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Slot,
    Nothing,
}

/// When the last action has ended. `expected` is what the scheduler is told, `actual` what happens.
fn makespan(plan: &Plan, expected: &[u64], actual: &[u64], holds: Holds) -> u64 {
    let state = RunState::new(&plan.actions).unwrap();
    let mut scheduler = Scheduler::new(plan, &state, expected);
    let mut ends: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
    let (mut now, mut done) = (0, 0);
    loop {
        while let Some(Grant::Start(i) | Grant::Continue(i)) = scheduler.start_next() {
            if holds == Holds::Nothing {
                scheduler.park(i);
            }
            ends.push(Reverse((now + actual[i as usize], i)));
        }
        let Some(Reverse((at, i))) = ends.pop() else { break };
        now = at;
        scheduler.done(i);
        done += 1;
    }
    assert_eq!(done, plan.actions.len(), "everything is done");
    now
}

/// Branches of so many actions each behind some actions of the site.
fn fleet(site: &[Vec<usize>], branches: &[usize]) -> Plan {
    let mut actions: Vec<Action> = Vec::new();
    for (s, after) in site.iter().enumerate() {
        let after: Vec<String> = after.iter().filter(|a| **a < s).map(|a| format!("s{a}")).collect();
        actions.push(action(
            &format!("s{s}"),
            ActionKind::CreateNetworkTemplate,
            None,
            &after.iter().map(String::as_str).collect::<Vec<_>>(),
        ));
    }
    for (n, length) in branches.iter().enumerate() {
        let node = format!("r{}-n{n}", n % 25);
        for i in 0..*length {
            let before = match (i, site.is_empty()) {
                (0, true) => None,
                (0, false) => Some(format!("s{}", n % site.len())),
                (i, _) => Some(format!("{node}.{}", i - 1)),
            };
            actions.push(action(
                &format!("{node}.{i}"),
                ActionKind::ApplyNodeStorage,
                Some(&node),
                &before.as_deref().into_iter().collect::<Vec<_>>(),
            ));
        }
    }
    plan(actions)
}

fn critical(plan: &Plan, lengths: &[u64]) -> u64 {
    Dag::new(&plan.actions).unwrap().longest_remaining(lengths).into_iter().max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    /// Calls: no later than the larger of critical path and work ÷ limit, plus one longest action. While the site is prepared there may be too little to do to
    /// fill the slots, for any scheduler: that time comes on top.
    #[test]
    fn a_limit_on_calls_costs_at_most_one_longest_action(
        site in prop_oneof![Just(Vec::new()), prop::collection::vec(prop::collection::vec(0usize..6, 0..2), 0..6)],
        branches in prop::collection::vec(1usize..10, 1..40),
        parallelism in 1u32..12,
        lengths in prop::collection::vec(1u64..1000, 1..40),
    ) {
        let mut plan = fleet(&site, &branches);
        plan.limits.parallelism = parallelism;
        let lengths: Vec<u64> = (0..plan.actions.len()).map(|i| lengths[(i * 7919) % lengths.len()]).collect();
        let bound = critical(&plan, &lengths).max(lengths.iter().sum::<u64>().div_ceil(u64::from(parallelism)));
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let alone = critical(&fleet(&site, &[]), &lengths);
        let took = makespan(&plan, &lengths, &lengths, Holds::Slot);
        prop_assert!(took <= bound + longest + alone, "{took} > {bound} + {longest} + {alone}");
    }

    /// Nodes in flight: a node keeps its place until its branch has ended, so the unit is the branch.
    #[test]
    fn a_limit_on_nodes_costs_at_most_one_longest_branch(
        branches in prop::collection::vec(1usize..10, 1..40),
        nodes in 1u32..12,
        lengths in prop::collection::vec(1u64..1000, 1..40),
    ) {
        let mut plan = fleet(&[], &branches);
        plan.limits.nodes_in_flight = nodes;
        let lengths: Vec<u64> = (0..plan.actions.len()).map(|i| lengths[(i * 7919) % lengths.len()]).collect();
        let longest = critical(&plan, &lengths);
        let bound = longest.max(lengths.iter().sum::<u64>().div_ceil(u64::from(nodes)));
        let took = makespan(&plan, &lengths, &lengths, Holds::Nothing);
        prop_assert!(took <= bound + longest, "{took} > {bound} + {longest}");
    }
}

/// Numbers that look random and are the same each time.
fn noise(i: u64) -> u64 {
    let mut x = i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 27)
}

/// Nine similar actions a branch, ten branches for each slot: within 2 % of the bound, whether slow ones are slow nodes or slow actions, and whether that is
/// known before or not.
#[test]
fn similar_branches_end_within_two_percent_of_the_bound() {
    for nodes in [100, 1_000, 10_000usize] {
        let mut plan = fleet(&[], &vec![9; nodes]);
        plan.limits.parallelism = nodes as u32 / 10;
        let count = plan.actions.len() as u64;
        let similar = |i: u64| 950 + noise(i) % 101;
        let slow_actions: Vec<u64> = (0..count).map(|i| similar(i) * if noise(i * 31).is_multiple_of(10) { 2 } else { 1 }).collect();
        let slow_nodes: Vec<u64> = (0..count).map(|i| similar(i) * if noise(i / 9 * 31).is_multiple_of(10) { 2 } else { 1 }).collect();
        let alike = vec![1000; count as usize];
        let cases: BTreeMap<&str, (&[u64], &[u64])> = BTreeMap::from([
            ("slow actions, unexpected", (alike.as_slice(), slow_actions.as_slice())),
            ("slow actions, expected", (&slow_actions, &slow_actions)),
            ("slow nodes, unexpected", (&alike, &slow_nodes)),
            ("slow nodes, expected", (&slow_nodes, &slow_nodes)),
        ]);
        for (name, (expected, actual)) in cases {
            let work = actual.iter().sum::<u64>() / u64::from(plan.limits.parallelism);
            let bound = critical(&plan, actual).max(work);
            let took = makespan(&plan, expected, actual, Holds::Slot);
            assert!(took * 100 <= bound * 102, "{nodes} nodes, {name}: {took} is {:.4} of {bound}", took as f64 / bound as f64);
        }
    }
}

//! Rehearsals: what limits, waves and failures cost.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Rehearsal, measured_ms, rehearse};
use crate::action::{Action, ActionKind, Effect};
use crate::plan::testing::{action, plan};
use crate::plan::{Gate, Plan, Rollout, Wave};

const NODES: &str = "nodes in flight";
const UNAVAILABLE: &str = "unavailable nodes";

fn branch(node: &str, kinds: &[ActionKind], effect: Effect) -> Vec<Action> {
    let mut out: Vec<Action> = Vec::new();
    for (n, kind) in kinds.iter().enumerate() {
        let before = out.last().map(|a| a.id.clone());
        let mut one = action(&format!("{node}:{n}"), *kind, Some(node), &before.iter().map(String::as_str).collect::<Vec<_>>());
        one.effect = effect;
        out.push(one);
    }
    out
}

fn fleet(racks: usize, nodes: usize) -> Plan {
    let kinds = [ActionKind::ApplyNodeStorage, ActionKind::DeployNode, ActionKind::SetNodeBoot];
    let names = (0..racks).flat_map(|r| (0..nodes).map(move |n| format!("r{r}-n{n}")));
    plan(names.flat_map(|name| branch(&name, &kinds, Effect::Redeploy)).collect())
}

fn lengths(plan: &Plan) -> Vec<u64> {
    plan.actions.iter().map(|a| if a.kind == ActionKind::DeployNode { 100 } else { 10 }).collect()
}

fn run(plan: &Plan, fail: &[u32]) -> Rehearsal {
    rehearse(plan, &lengths(plan), &fail.iter().copied().collect()).unwrap()
}

#[test]
fn without_limits_it_takes_as_long_as_the_longest_branch() {
    let shown = run(&fleet(3, 4), &[]);
    assert_eq!((shown.makespan_ms, shown.critical_ms, shown.critical.len()), (120, 120, 3));
    assert_eq!((shown.spans.len(), shown.used(NODES).peak, shown.used(UNAVAILABLE).peak), (36, 12, 12));
    assert_eq!(shown.used(NODES).full_ms, 0);
}

#[test]
fn a_limit_per_rack_costs_what_it_costs() {
    let mut plan = fleet(3, 4);
    plan.limits.unavailable_per_rack = 1;
    let shown = run(&plan, &[]);
    assert_eq!(shown.makespan_ms, 480);
    assert_eq!((shown.used(UNAVAILABLE).peak, shown.used(UNAVAILABLE).full_ms), (3, 480));
    plan.limits.nodes_in_flight = 2;
    let shown = run(&plan, &[]);
    assert_eq!((shown.makespan_ms, shown.used(NODES).peak), (720, 2));
}

#[test]
fn a_failure_stops_its_branch_and_too_many_stop_the_rest() {
    let plan = fleet(1, 4);
    let shown = run(&plan, &[1]);
    assert_eq!((shown.failed.as_slice(), shown.blocked.as_slice(), shown.not_started.len()), ([1].as_slice(), [2].as_slice(), 0));
    let mut plan = fleet(1, 4);
    plan.limits.unavailable_per_rack = 1;
    plan.limits.max_failures = 1;
    let shown = run(&plan, &[1]);
    assert_eq!(shown.not_started.len(), 9, "{shown:?}");
}

#[test]
fn durations_of_like_hardware_come_before_those_of_all() {
    let mut plan = fleet(1, 2);
    plan.nodes.get_mut("r0-n0").unwrap().hardware = Some("fast".to_owned());
    plan.nodes.get_mut("r0-n1").unwrap().hardware = Some("never seen".to_owned());
    let mean = |name: &str| match name {
        "deploy_node" => Some(100),
        "deploy_node/fast" => Some(10),
        _ => None,
    };
    let lengths: Vec<_> = plan.actions.iter().map(|a| measured_ms(&plan, a, mean)).collect();
    assert_eq!(lengths, [None, Some(10), None, None, Some(100), None]);
}

fn wave(after: &[u32], nodes: std::ops::Range<usize>, max_failed: u32) -> Wave {
    Wave {
        after: after.to_vec(),
        gate: Gate { max_failed: Some(max_failed), ..Gate::default() },
        name: format!("wave of {}", nodes.len()),
        nodes: nodes.map(|n| format!("r0-n{n}")).collect(),
    }
}

#[test]
fn waves_come_one_after_the_other_and_are_watched_between() {
    let mut plan = fleet(1, 6);
    plan.rollout =
        Rollout { healthy_for_s: 60, waves: vec![wave(&[], 0..1, 0), wave(&[0], 1..3, 0), wave(&[1], 3..6, 0)], ..Rollout::default() };
    let shown = run(&plan, &[]);
    assert_eq!(shown.makespan_ms, 3 * 120 + 2 * 60_000);
    let times: Vec<_> = shown.gates.iter().map(|g| (g.wave, g.start_ms, g.ended_ms, g.passed_ms)).collect();
    assert_eq!(
        times,
        [(0, Some(0), 120, Some(60_120)), (1, Some(60_120), 60_240, Some(120_240)), (2, Some(120_240), 120_360, Some(120_360))]
    );
    // The canary fails: nothing else begins.
    let shown = run(&plan, &[1]);
    assert_eq!((shown.spans.len(), shown.blocked.as_slice(), shown.not_started.len()), (2, [2].as_slice(), 15));
    assert_eq!(shown.gates.len(), 1);
    assert_eq!((shown.gates[0].passed_ms, shown.gates[0].why.as_str()), (None, "1 node of it failed, and at most 0 may"));
    // One of the second wave may fail.
    plan.rollout.waves[1].gate.max_failed = Some(1);
    assert_eq!(run(&plan, &[4]).not_started.len(), 0);
}

proptest! {
    #[test]
    fn actions_keep_their_order_and_the_makespan_its_bound(
        racks in 1usize..4, nodes in 1usize..6, in_flight in 1u32..8, unavailable in 1u32..4, power in 1u32..4, fail in prop::collection::btree_set(0u32..60, 0..4),
    ) {
        let mut plan = fleet(racks, nodes);
        (plan.limits.nodes_in_flight, plan.limits.unavailable_per_rack, plan.limits.power_ups_per_rack) = (in_flight, unavailable, power);
        let all: BTreeSet<u32> = fail.into_iter().filter(|i| (*i as usize) < plan.actions.len()).collect();
        let shown = rehearse(&plan, &lengths(&plan), &all).unwrap();
        prop_assert!(shown.used(NODES).peak <= in_flight && shown.used("power-ups").peak <= power * racks as u32);
        prop_assert_eq!(shown.spans.len() + shown.blocked.len() + shown.not_started.len(), plan.actions.len());
        let end = |i: u32| shown.spans.iter().find(|s| s.action == i).map(|s| s.end_ms);
        for span in &shown.spans {
            for before in &plan.actions[span.action as usize].after {
                let before = plan.actions.iter().position(|a| a.id == *before).unwrap() as u32;
                prop_assert!(end(before).is_some_and(|at| at <= span.start_ms));
            }
        }
        if all.is_empty() {
            let work: u64 = lengths(&plan).iter().sum();
            prop_assert!(shown.makespan_ms >= shown.critical_ms && shown.makespan_ms <= work);
        }
    }
}

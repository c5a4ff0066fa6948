//! What the scheduler costs alone, and a rehearsal: CPU time per action at growing sizes.
//!
//! `cargo bench --bench scheduler [-- NODES…]`; 1 000, 11 112 (100 008 actions) and 100 000 nodes if none are given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use drydock::action::{Action, ActionKind, Effect, RetryClass};
use drydock::diff::{NodeStage, Stage};
use drydock::plan::{Counts, Gate, Goal, Limits, Plan, Pool, Rollout, Wave};
use drydock::run::{Grant, RunState, Scheduler, guessed_ms, rehearse};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KINDS: [ActionKind; 9] = [
    ActionKind::PowerOffNode,
    ActionKind::SetNodeBoot,
    ActionKind::PowerOnNode,
    ActionKind::ConfigureHardware,
    ActionKind::ApplyNodeNetworking,
    ActionKind::ApplyNodeStorage,
    ActionKind::ApplyNodePlatform,
    ActionKind::DeployNode,
    ActionKind::SetNodeBoot,
];

/// Branches of nine actions in racks of 20, with limits of every kind; waves where they are asked for.
fn plan(nodes: usize, waves: bool) -> Plan {
    let names: Vec<String> = (0..nodes).map(|n| format!("n{n:06}")).collect();
    let mut actions = Vec::with_capacity(nodes * KINDS.len());
    for (n, name) in names.iter().enumerate() {
        for (i, kind) in KINDS.into_iter().enumerate() {
            actions.push(Action {
                id: format!("{n:016x}{i:04x}"),
                kind,
                resource: format!("node.{name}/{i}"),
                node: Some(name.clone()),
                driver: "fake".to_owned(),
                effect: Effect::Redeploy,
                params: serde_json::json!({}).into(),
                after: if i == 0 { Vec::new() } else { vec![format!("{n:016x}{:04x}", i - 1)] },
                preconditions: Vec::new(),
                timeout_s: 300,
                retry: RetryClass::ObserveFirst,
            });
        }
    }
    let pool = |counts, of: &str, limit, every: usize| Pool {
        counts,
        limit,
        nodes: names.iter().step_by(every).cloned().collect(),
        of: of.to_owned(),
    };
    let limits = Limits {
        nodes_in_flight: 500,
        parallelism: 256,
        calls: BTreeMap::from([(ActionKind::ApplyNodeStorage, 64)]),
        per_rack: BTreeMap::from([(ActionKind::ConfigureHardware, 4)]),
        pools: vec![
            pool(Counts::Unavailable, "label a", 200, 2),
            pool(Counts::Unavailable, "label b", 100, 3),
            pool(Counts::Deployments, "network pxe", 100, 1),
        ],
        ..Limits::default()
    };
    let mut rollout = Rollout::default();
    if waves {
        let cuts = [0, nodes / 100, nodes / 10, nodes / 2, nodes];
        rollout.healthy_for_s = 60;
        rollout.waves = cuts
            .windows(2)
            .enumerate()
            .map(|(w, cut)| Wave {
                after: (w > 0).then(|| w as u32 - 1).into_iter().collect(),
                gate: Gate { max_failed: Some(0), ..Gate::default() },
                name: format!("wave {w}"),
                nodes: names[cut[0]..cut[1]].to_vec(),
            })
            .collect();
    }
    let stage = |n: usize| NodeStage {
        hardware: None,
        now: Stage::Deployed,
        then: Stage::Deployed,
        rack: Some(format!("r{}", n / 20)),
        profile: None,
    };
    Plan {
        limits,
        rollout,
        nodes: names.iter().enumerate().map(|(n, name)| (name.clone(), stage(n))).collect(),
        actions,
        ..Plan::empty("bench", Goal::DeployNodes)
    }
}

/// CPU seconds of this process so far, to a millisecond or better (Linux: nanoseconds that its one thread has run).
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Microseconds of CPU time per action: starts, waits without a slot, starts again, ends.
fn schedule(plan: &Plan) -> f64 {
    let state = RunState::new(&plan.actions).expect("a graph");
    let lengths: Vec<u64> = plan.actions.iter().map(|a| guessed_ms(a.kind)).collect();
    let start = cpu_seconds();
    let mut scheduler = Scheduler::new(plan, &state, &lengths);
    let mut active = VecDeque::new();
    let mut done = 0;
    loop {
        while let Some(grant) = scheduler.start_next() {
            match grant {
                Grant::Start(i) => {
                    scheduler.commit(i);
                    scheduler.wake(i);
                }
                Grant::Continue(i) => {
                    scheduler.park(i);
                    active.push_back(i);
                }
            }
        }
        let Some(i) = active.pop_front() else { break };
        scheduler.done(i);
        done += 1;
    }
    let took = cpu_seconds() - start;
    assert_eq!(done, plan.actions.len(), "everything is done");
    took * 1e6 / f64::from(done as u32)
}

#[allow(clippy::print_stdout)]
fn main() {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![1_000, 11_112, 100_000] } else { given };
    let mut first = None;
    for nodes in sizes {
        let plan = plan(nodes, false);
        let each = schedule(&plan);
        let growth = each / *first.get_or_insert(each);
        println!("{nodes} nodes, {} actions: {each:.2} µs CPU per action, {growth:.2} times that of the first", plan.actions.len());
        assert!(growth < 4.0, "the cost of an action grows with their number");
    }
    let plan = plan(10_000, true);
    let lengths: Vec<u64> = plan.actions.iter().map(|a| guessed_ms(a.kind)).collect();
    let start = cpu_seconds();
    let shown = rehearse(&plan, &lengths, &BTreeSet::new()).expect("a rehearsal");
    let took = cpu_seconds() - start;
    assert_eq!((shown.spans.len(), shown.gates.len()), (plan.actions.len(), 4));
    println!("rehearsal of 10000 nodes, {} actions in 4 waves: {took:.2} CPU-s", plan.actions.len());
}

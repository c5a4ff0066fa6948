//! Waves: who waits for whom, what is watched between, and what a closed gate leaves for a resume.

use serde_json::json;

use super::*;
use crate::apply::fake::{Script, bmc, machine};
use crate::build::{Binding, MachineStatus, PowerState};
use crate::plan::{Gate, Rollout, Wave};
use crate::run::{EventKind, GateState, RunOutcome};

fn wave(name: &str, after: &[u32], nodes: &[&str]) -> Wave {
    Wave {
        after: after.to_vec(),
        gate: Gate { max_failed: Some(0), ..Gate::default() },
        name: name.to_owned(),
        nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
    }
}

/// Three branches: a canary, one behind it, and one that is in no wave. The canary's BMC is known.
fn world_and_plan() -> (World, Plan) {
    let world = World::new();
    let mut plan = site_plan(3);
    plan.rollout = Rollout {
        healthy_for_s: 1,
        waves: vec![wave("canaries", &[], &["r0-n0"]), wave("the rest", &[0], &["r1-n1"])],
        ..Rollout::default()
    };
    plan.bindings.insert("r0-n0".to_owned(), Binding { bmc_address: Some("10.0.0.1".to_owned()), ..Binding::default() });
    world.site.inner().bmcs.insert("r0-n0".to_owned(), bmc("u0", PowerState::On));
    for node in ["r0-n0", "r1-n1"] {
        let machine = machine(&format!("m-{node}"), node, MachineStatus::Deployed);
        world.site.inner().machines.insert(node.to_owned(), machine);
    }
    (world, plan)
}

/// What the provisioner shows of the canary from now on.
fn status(world: &World, status: MachineStatus) {
    let mut inner = world.site.inner();
    let machine = inner.machines.get_mut("r0-n0").unwrap();
    (machine.status, machine.status_name) = (status, format!("{status:?}").to_lowercase());
}

/// Names of the gates' events, and of some others, in order.
fn told(world: &World) -> Vec<String> {
    let name = |e: Event| match e.event {
        EventKind::GateReached { name, .. } => Some(format!("{name} reached")),
        EventKind::GatePassed { name, .. } => Some(format!("{name} passed")),
        EventKind::GateFailed { name, .. } => Some(format!("{name} failed")),
        EventKind::AttemptOutcome { action, .. } if action.ends_with(".8") || action == "r1-n1.0" => Some(action),
        _ => None,
    };
    world.events().into_iter().filter_map(name).collect()
}

#[tokio::test]
async fn the_rest_waits_for_healthy_canaries_and_others_do_not() {
    let (world, mut plan) = world_and_plan();
    plan.actions.iter_mut().find(|a| a.id == "r0-n0.8").unwrap().params = json!({"user_data": "2 files"}).into();
    // One slot: a gate that held it while it is watched would keep the branch without a wave from ending.
    plan.limits.parallelism = 1;
    world.site.script("r2-n2.8", Script { latency: Duration::from_millis(300), ..Script::default() });
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    let told = told(&world);
    let at = |what: &str| told.iter().position(|t| t == what).unwrap_or_else(|| panic!("{what} is not in {told:?}"));
    assert!(at("r0-n0.8") < at("canaries reached") && at("canaries passed") < at("r1-n1.0"), "{told:?}");
    assert!(at("r2-n2.8") < at("canaries passed"), "{told:?}");
    let passed: Vec<Vec<String>> = world
        .events()
        .into_iter()
        .filter_map(|e| if let EventKind::GatePassed { not_verified, .. } = e.event { Some(not_verified) } else { None })
        .collect();
    assert_eq!(passed, [vec!["boot actions of r0-n0, whose end is not reported".to_owned()], vec![]]);
}

#[tokio::test]
async fn a_sick_canary_keeps_the_rest_from_beginning_and_a_resume_looks_again() {
    for (spoil, repair, why) in [
        (
            Box::new(|w: &World| status(w, MachineStatus::Broken)) as Box<dyn Fn(&World)>,
            Box::new(|w: &World| status(w, MachineStatus::Deployed)) as Box<dyn Fn(&World)>,
            "r0-n0: the provisioner shows it as broken",
        ),
        (
            Box::new(|w: &World| w.site.inner().bmcs.get_mut("r0-n0").unwrap().health = Some("Critical".to_owned())),
            Box::new(|w: &World| w.site.inner().bmcs.get_mut("r0-n0").unwrap().health = Some("OK".to_owned())),
            "r0-n0: its BMC reports its health as Critical",
        ),
        (
            Box::new(|w: &World| w.site.inner().bmcs.get_mut("r0-n0").unwrap().power = PowerState::Off),
            Box::new(|w: &World| w.site.inner().bmcs.get_mut("r0-n0").unwrap().power = PowerState::On),
            "r0-n0: its BMC shows it as off",
        ),
        (
            Box::new(|w: &World| drop(w.site.inner().bmcs.remove("r0-n0"))),
            Box::new(|w: &World| drop(w.site.inner().bmcs.insert("r0-n0".to_owned(), bmc("u0", PowerState::On)))),
            "r0-n0: its BMC does not answer: no route to host",
        ),
    ] {
        let (world, mut plan) = world_and_plan();
        // What asks the BMC itself would fail before any gate.
        for action in plan.actions.iter_mut().filter(|a| a.kind == ActionKind::PowerOffNode) {
            action.kind = ActionKind::SetNodeBoot;
        }
        spoil(&world);
        let report = world.apply(&plan).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::PartialSuccess, "{why}");
        let message = format!("its nodes are not healthy: {why}; not begun: the rest");
        let closed = report.state.gates().next();
        assert!(matches!(closed, Some((0, GateState::Failed { message: m, critical: false, .. })) if *m == message), "{closed:?}");
        assert!(!told(&world).contains(&"r1-n1.0".to_owned()));
        repair(&world);
        let report = world.resume(&plan, &report.run).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Success, "{why}");
        assert!(plan.actions.iter().all(|a| world.site.effects(&a.id) == 1), "nothing is done twice");
    }
}

#[tokio::test]
async fn a_failed_canary_keeps_the_rest_from_beginning() {
    let (world, mut plan) = world_and_plan();
    plan.rollout.waves[0].gate.critical = true;
    world.site.script("r0-n0.5", Script { begin_errors: vec![crate::action::ErrorClass::Failed], ..Script::default() });
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Failure, "a wave that must not fail has failed, whatever else is done");
    let failed = world.events().into_iter().find_map(|e| match e.event {
        EventKind::GateFailed { message, hint, .. } => Some((message, hint)),
        _ => None,
    });
    let hint = format!("put right what failed; `drydock resume {}` tries it again, and goes on from here", report.run);
    assert_eq!(failed, Some(("1 node of it failed, and at most 0 may; not begun: the rest".to_owned(), hint)));
    assert_eq!(world.site.effects("r1-n1.0"), 0);
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
}

#[tokio::test]
async fn a_stop_while_a_wave_is_watched_ends_at_once_and_a_resume_stands_at_the_same_gate() {
    let (world, mut plan) = world_and_plan();
    plan.rollout.healthy_for_s = 3600;
    let options = options();
    let graceful = options.graceful.clone();
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let options = Options { events: Some(sender), ..options };
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if matches!(event.event, EventKind::GateReached { .. }) {
                graceful.cancel();
            }
        }
    });
    let report = world.apply_with(&plan, world.store(), options).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Incomplete);
    assert!(matches!(report.state.gates().next(), Some((0, GateState::Watched { .. }))));
    plan.rollout.healthy_for_s = 1;
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
    let told = told(&world);
    assert_eq!(told.iter().filter(|t| *t == "canaries reached").count(), 1, "{told:?}");
}

//! Order, limits, waits, retries, cancellation.

use std::time::Duration;

use serde_json::json;

use crate::action::{ActionKind, Effect, ErrorClass, RetryClass};
use crate::apply::fake::Script;
use crate::plan::testing::{action, plan};
use crate::run::{AttemptOutcome, EventKind, RunOutcome, Status};
use crate::store::Store as _;

use super::*;

fn outcomes_of(world: &World, id: &str) -> Vec<AttemptOutcome> {
    world
        .events()
        .into_iter()
        .filter_map(|e| match e.event {
            EventKind::AttemptOutcome { action, outcome, .. } if action == id => Some(outcome),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn every_action_happens_once_in_order() {
    let world = World::new();
    let plan = site_plan(3);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    let order = world.site.inner().order.clone();
    assert_eq!(order.len(), plan.actions.len());
    let place = |id: &str| order.iter().position(|o| o == id).unwrap();
    for action in &plan.actions {
        for before in &action.after {
            assert!(place(before) < place(&action.id), "{before} is not before {}", action.id);
        }
    }
    let row = world.only_run();
    assert_eq!(row.outcome, Some(RunOutcome::Success));
    assert!(row.ended_ms.is_some());
    assert_eq!(world.store().plan(&row.id).unwrap(), b"plan file");
    assert_eq!(world.store().locks().unwrap(), Vec::new());
}

#[tokio::test]
async fn state_remembers_what_was_applied() {
    let world = World::new();
    let mut plan = site_plan(1);
    plan.nodes.get_mut("r0-n0").unwrap().hardware = Some("r640".to_owned());
    world.apply(&plan).await.unwrap();
    let memory = world.store().memory().unwrap();
    assert_eq!(memory.generations["site.net"], 1);
    assert_eq!(memory.generations["node.r0-n0"], 9);
    assert_eq!(memory.last_applied["site.net"].origin, crate::diff::Origin::Created);
    assert_eq!(memory.bindings["r0-n0"].machine.as_deref(), Some("m-r0-n0"));
    let data = world.store().build_data("r0-n0").unwrap();
    assert_eq!((data[0].name.as_str(), data[0].text.as_str()), ("lshw", "<list>m-r0-n0</list>"));
    let durations = world.store().durations().unwrap();
    assert_eq!((durations["deploy_node"].count, durations["deploy_node/r640"].count), (1, 1));
}

#[tokio::test]
async fn a_failure_stops_only_what_depends_on_it() {
    let world = World::new();
    world.site.script("r1-n1.4", Script { fails: Some(ErrorClass::Failed), ..Script::default() });
    let report = world.apply(&site_plan(3)).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::PartialSuccess);
    let nodes = report.state.node_outcomes();
    assert_eq!(nodes["r0-n0"].outcome, RunOutcome::Success);
    assert_eq!(nodes["r2-n2"].outcome, RunOutcome::Success);
    assert_eq!((nodes["r1-n1"].outcome, nodes["r1-n1"].cause.as_deref()), (RunOutcome::Failure, Some("r1-n1.4")));
    let statuses = report.state.statuses();
    let plan = site_plan(3);
    let at = |id: &str| &statuses[plan.actions.iter().position(|a| a.id == id).unwrap()];
    assert!(matches!(at("r1-n1.4"), Status::Failed { class: ErrorClass::Failed, message, .. } if message == "the machine failed"));
    assert_eq!(*at("r1-n1.8"), Status::Blocked { by: "r1-n1.4".to_owned() });
    assert_eq!(world.site.effects("r1-n1.5"), 0);
}

#[tokio::test]
async fn retries_go_by_class() {
    let world = World::new();
    world.site.script(
        "r0-n0.0",
        Script { begin_errors: vec![ErrorClass::Transient, ErrorClass::Busy, ErrorClass::NotReady], ..Script::default() },
    );
    world.site.script("r1-n1.0", Script { begin_errors: vec![ErrorClass::Rejected], ..Script::default() });
    world.site.script("r2-n2.0", Script { begin_errors: vec![ErrorClass::Credentials], ..Script::default() });
    let report = world.apply(&site_plan(3)).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::PartialSuccess);
    assert_eq!(outcomes_of(&world, "r0-n0.0").len(), 4);
    assert_eq!(outcomes_of(&world, "r1-n1.0").len(), 1);
    assert_eq!(outcomes_of(&world, "r2-n2.0").len(), 1);
    assert_eq!(report.state.find("r0-n0.0").unwrap().attempts, 4);
    let rejections = world.store().memory().unwrap().rejections;
    assert_eq!(rejections["node.r1-n1"].message, "fake refusal");
    assert!(!rejections.contains_key("node.r2-n2"));
}

#[tokio::test]
async fn a_lost_answer_does_not_repeat_the_effect() {
    let world = World::new();
    world.site.script("r0-n0.2", Script { lost_answers: 1, polls: 2, ..Script::default() });
    let report = world.apply(&site_plan(1)).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    assert_eq!(world.site.effects("r0-n0.2"), 1);
    assert_eq!(outcomes_of(&world, "r0-n0.2").last(), Some(&AttemptOutcome::Done));
}

#[tokio::test]
async fn a_lost_effect_is_repeated_only_where_that_is_allowed() {
    let world = World::new();
    let mut plan = site_plan(2);
    plan.actions[1].retry = RetryClass::Repeatable;
    let lost = Script { lost_effects: 1, ..Script::default() };
    world.site.script("r0-n0.0", lost.clone());
    world.site.script("r1-n1.0", lost);
    plan.actions[10].timeout_s = 1;
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(world.site.effects("r0-n0.0"), 2);
    assert_eq!(world.site.effects("r1-n1.0"), 1);
    assert!(matches!(report.state.find("r1-n1.0").unwrap().status, Status::Failed { class: ErrorClass::Timeout, .. }));
}

#[tokio::test]
async fn what_is_done_already_is_not_begun() {
    let world = World::new();
    world.site.inner().done.insert("r0-n0.4".to_owned());
    let report = world.apply(&site_plan(1)).await.unwrap();
    assert_eq!(report.state.find("r0-n0.4").unwrap().status, Status::AlreadyDone);
    assert_eq!(world.site.effects("r0-n0.4"), 0);
}

#[tokio::test]
async fn an_action_whose_purpose_is_served_is_not_begun() {
    let world = World::new();
    let mut plan = site_plan(1);
    for action in &mut plan.actions[1..4] {
        action.preconditions = vec![crate::action::Precondition::NotEnlisted];
    }
    plan.bindings.insert("r0-n0".to_owned(), crate::build::Binding { macs: vec!["aa:bb".to_owned()], ..Default::default() });
    let machine = crate::apply::fake::machine("m-r0-n0", "aa:bb", crate::build::MachineStatus::New);
    let evidence = format!("the provisioner has it as machine m-r0-n0 ({})", machine.status_name);
    world.site.inner().machines.insert("r0-n0".to_owned(), machine);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    for id in ["r0-n0.0", "r0-n0.1", "r0-n0.2"] {
        assert_eq!(world.site.effects(id), 0, "{id}");
        assert_eq!(outcomes_of(&world, id), [AttemptOutcome::AlreadyDone { evidence: evidence.clone() }]);
    }
}

#[tokio::test]
async fn polls_survive_dropped_connections_and_report_progress() {
    let world = World::new();
    world.site.script("r0-n0.8", Script { polls: 3, ..Script::default() });
    let site = world.site.clone();
    let trouble = tokio::spawn(async move {
        loop {
            if site.inner().remaining.contains_key("r0-n0.8") {
                site.inner().scripts.get_mut("r0-n0.8").unwrap().observe_errors = vec![ErrorClass::Transient; 2];
                return;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    });
    let report = world.apply(&site_plan(1)).await.unwrap();
    trouble.await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    assert_eq!(outcomes_of(&world, "r0-n0.8"), [AttemptOutcome::Done]);
    let progress =
        world.events().iter().filter(|e| matches!(&e.event, EventKind::AttemptProgress { action, .. } if action == "r0-n0.8")).count();
    assert!(progress >= 1);
}

#[tokio::test]
async fn a_time_limit_ends_a_wait() {
    let world = World::new();
    let mut plan = site_plan(1);
    plan.actions[5].timeout_s = 1;
    world.site.script("r0-n0.4", Script { hangs: true, ..Script::default() });
    let report = world.apply(&plan).await.unwrap();
    let Status::Failed { class, message, .. } = &report.state.find("r0-n0.4").unwrap().status else { panic!("{report:?}") };
    assert_eq!(*class, ErrorClass::Timeout);
    assert_eq!(message, "configure_hardware of node.r0-n0 is not done after 1 s: hanging");
}

#[tokio::test]
async fn inconclusive_evidence_repeats_only_what_holds_nothing() {
    let world = World::new();
    let mut plan = site_plan(2);
    plan.actions[9].effect = Effect::Redeploy;
    plan.actions[18].effect = Effect::Install;
    plan.actions[18].timeout_s = 1;
    let machine = crate::apply::fake::machine("m-r0-n0", "aa:bb", crate::build::MachineStatus::Ready);
    world.site.inner().machines.insert("r0-n0".to_owned(), machine);
    world.site.script("r0-n0.8", Script { unknown: true, ..Script::default() });
    world.site.script("r1-n1.8", Script { unknown: true, ..Script::default() });
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(world.site.effects("r0-n0.8"), 0);
    assert_eq!(world.site.effects("r1-n1.8"), 1);
    for id in ["r0-n0.8", "r1-n1.8"] {
        assert!(matches!(report.state.find(id).unwrap().status, Status::Failed { class: ErrorClass::Inconclusive, .. }), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_waiters_hold_no_slot() {
    let world = World::new();
    let mut actions = Vec::new();
    for i in 0..10_000 {
        let id = format!("a{i:05}");
        world.site.script(&id, Script { polls: 1, ..Script::default() });
        actions.push(action(&id, ActionKind::ConfigureHardware, Some(&format!("n{i}")), &[]));
    }
    let mut plan = plan(actions);
    plan.limits.parallelism = 4;
    let mut world = world;
    world.site.poll = Duration::from_secs(2);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    let inner = world.site.inner();
    assert!(inner.most_calls <= 4, "{}", inner.most_calls);
    assert!(inner.most_polled > 1000, "one observation polls for all waiters, not {}", inner.most_polled);
}

#[tokio::test]
async fn a_graceful_stop_lets_calls_finish_and_resume_goes_on() {
    let world = World::new();
    let plan = site_plan(2);
    world.site.script("r0-n0.4", Script { polls: 40, ..Script::default() });
    world.site.script("r1-n1.2", Script { latency: Duration::from_millis(60), ..Script::default() });
    let options = options();
    let graceful = options.graceful.clone();
    let site = world.site.clone();
    let stopper = tokio::spawn(async move {
        loop {
            if site.inner().calls > 0 && site.inner().remaining.contains_key("r0-n0.4") {
                graceful.cancel();
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let report = world.apply_with(&plan, world.store(), options).await.unwrap();
    stopper.await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Incomplete);
    assert!(matches!(report.state.find("r0-n0.4").unwrap().status, Status::WaitingAtSite { .. }));
    assert_eq!(report.state.find("r1-n1.2").unwrap().status, Status::Done, "the call in flight is finished and recorded");
    assert_eq!(world.site.effects("r1-n1.3"), 0);
    let events = world.events();
    assert!(events.iter().any(|e| matches!(&e.event, EventKind::RunInterrupted { under_way } if under_way == &["r0-n0.4".to_owned()])));
    assert_eq!(events.last().unwrap().event, EventKind::RunFinished { outcome: RunOutcome::Incomplete });

    let report = world.resume(&plan, &report.run).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    for action in &plan.actions {
        assert_eq!(world.site.effects(&action.id), 1, "{}", action.id);
    }
}

#[tokio::test]
async fn a_stop_at_once_does_not_wait_for_calls() {
    let world = World::new();
    let plan = site_plan(1);
    world.site.script("r0-n0.2", Script { latency: Duration::from_hours(1), ..Script::default() });
    let options = options();
    let now = options.now.clone();
    let site = world.site.clone();
    tokio::spawn(async move {
        while site.inner().calls == 0 || !site.inner().done.contains("r0-n0.1") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        now.cancel();
    });
    let report = world.apply_with(&plan, world.store(), options).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Incomplete);
    world.site.script("r0-n0.2", Script::default());
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
}

#[tokio::test]
async fn too_many_failures_stop_new_branches() {
    let world = World::new();
    let mut plan = site_plan(6);
    plan.limits.max_failures = 2;
    plan.limits.nodes_in_flight = 1;
    for i in 0..6 {
        world.site.script(&format!("r{}-n{i}.0", i % 3), Script { begin_errors: vec![ErrorClass::Failed], ..Script::default() });
    }
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Failure);
    assert!(report.state.is_stopped());
    let counts = report.state.counts();
    assert_eq!((counts.done, counts.failed, counts.blocked, counts.waiting), (1, 2, 16, 36));
    assert!(world.events().iter().any(|e| e.event == EventKind::BranchesStopped { failed_nodes: 2 }));
}

#[tokio::test]
async fn late_parameters_are_resolved_and_journalled_before_the_effect() {
    let world = World::new();
    let mut plan = site_plan(1);
    let mut machine = crate::apply::fake::machine("m-r0-n0", "aa:bb", crate::build::MachineStatus::Ready);
    machine.disks.push(crate::build::Disk {
        id: 7,
        name: "sda".to_owned(),
        kind: crate::build::DiskKind::Physical,
        bus: Some("2:0.0.0".to_owned()),
        size: 100,
        available: 100,
        model: None,
        serial: None,
        id_path: None,
        partition_table: None,
        partitions: Vec::new(),
        filesystem: None,
        volume_group: None,
    });
    world.site.inner().machines.insert("r0-n0".to_owned(), machine);
    plan.actions[8].params =
        json!({"disks": [{"device": {"$fact": {"node": "r0-n0", "select": {"disk_at_bus": "scsi@2:0.0.0"}, "min_size": 50}}}]}).into();
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    let resolved = json!({"disks": [{"device": {"id": 7, "name": "sda"}}]});
    assert_eq!(world.site.inner().params["r0-n0.7"], resolved);
    let kinds: Vec<&str> = world.events().iter().filter(|e| e.event.action() == Some("r0-n0.7")).map(|e| e.event.name()).collect();
    assert_eq!(kinds, ["attempt_resolved", "attempt_intent", "attempt_outcome"]);

    let world = World::new();
    plan.actions[8].params = json!({"device": {"$fact": {"node": "r0-n0", "select": {"disk_named": "nvme9"}}}}).into();
    world
        .site
        .inner()
        .machines
        .insert("r0-n0".to_owned(), crate::apply::fake::machine("m-r0-n0", "aa:bb", crate::build::MachineStatus::Ready));
    let report = world.apply(&plan).await.unwrap();
    let Status::Refused { message, .. } = &report.state.find("r0-n0.7").unwrap().status else { panic!("{report:?}") };
    assert_eq!(message, "disk nvme9 of r0-n0 (m-r0-n0) is not there; the provisioner shows: none");
    assert_eq!(world.site.effects("r0-n0.7"), 0);
}

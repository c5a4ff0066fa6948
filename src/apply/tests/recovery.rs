//! Crashes at every event, full disks, lost locks.

use crate::apply::fake::Script;
use crate::build::{MachineStatus, PowerState};
use crate::run::{EventKind, RunOutcome};

use super::*;

/// Two nodes; some actions wait, some answers are lost, one parameter is late.
fn eventful(world: &World) -> Plan {
    let plan = site_plan(2);
    for node in ["r0-n0", "r1-n1"] {
        world.site.script(&format!("{node}.2"), Script { lost_answers: 1, ..Script::default() });
        world.site.script(&format!("{node}.4"), Script { polls: 2, ..Script::default() });
        world.site.script(&format!("{node}.8"), Script { polls: 1, ..Script::default() });
    }
    plan
}

#[tokio::test]
async fn no_crash_loses_a_record_or_repeats_an_effect() {
    let world = World::new();
    let plan = eventful(&world);
    world.apply(&plan).await.unwrap();
    let whole = world.events().len() as u64;
    assert!(whole > 40, "{whole}");

    for n in 1..whole {
        let world = World::new();
        let plan = eventful(&world);
        let failing = Arc::new(Altered::full_after(world.store(), n));
        let error = match world.apply_with(&plan, failing, options()).await {
            Err(error) => error,
            // A schedule with fewer events than the first one.
            Ok(report) => {
                assert_eq!(report.outcome, RunOutcome::Success);
                continue;
            }
        };
        assert!(error.to_string().starts_with("no space is left for the state"), "{error}");
        let before = world.events();
        assert_eq!(before.len() as u64, n, "the journal up to the crash is kept");
        let report = world.resume(&plan, &world.only_run().id).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Success, "crash at event {n}");
        let after = world.events();
        assert_eq!(after[..before.len()], before[..]);
        assert!(after.iter().zip(1..).all(|(e, seq)| e.seq == seq), "no gap");
        for action in &plan.actions {
            assert_eq!(world.site.effects(&action.id), 1, "{} after a crash at event {n}", action.id);
        }
        let finished: Vec<&str> = before.iter().filter(|e| e.event.name() == "attempt_outcome").filter_map(|e| e.event.action()).collect();
        for event in &after[before.len()..] {
            if let EventKind::AttemptIntent { action, .. } = &event.event
                && crate::run::RunState::fold(&plan.actions, &before).unwrap().find(action).unwrap().status.is_done()
            {
                panic!("{action} was finished ({finished:?}) and begun again");
            }
        }
    }
}

#[tokio::test]
async fn a_full_disk_before_the_first_event_begins_nothing() {
    let world = World::new();
    let failing = Arc::new(Altered::full_after(world.store(), 0));
    let error = world.apply_with(&site_plan(1), failing, options()).await.unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::Full { .. })), "{error}");
    assert_eq!(world.site.inner().order.len(), 0);
    assert_eq!(world.store().runs().unwrap().len(), 0);
    assert_eq!(world.store().locks().unwrap().len(), 0);
}

#[tokio::test]
async fn no_effect_without_a_durable_intent() {
    for n in 1..30 {
        let world = World::new();
        let plan = site_plan(2);
        let failing = Arc::new(Altered::full_after(world.store(), n));
        world.apply_with(&plan, failing, options()).await.unwrap_err();
        let events = world.events();
        for id in &world.site.inner().order {
            let intent = events.iter().any(|e| matches!(&e.event, EventKind::AttemptIntent { action, .. } if action == id));
            assert!(intent, "{id} happened without an intent on disk (event {n})");
        }
    }
}

#[tokio::test]
async fn a_removed_lock_stops_the_run() {
    // Noticed where the lease is prolonged.
    lock_is_removed(Duration::from_millis(60), 100_000).await;
    // Noticed where the journal is written, with most of the lease still to come.
    lock_is_removed(Duration::from_mins(10), 400).await;
}

/// Runs two nodes with this lease and this many polls of an action of one, and removes the lock while they are made, and while a call for the other is under
/// way.
async fn lock_is_removed(lease: Duration, polls: u32) {
    let world = World::new();
    let plan = site_plan(2);
    world.site.script("r0-n0.4", Script { polls, ..Script::default() });
    world.site.script("r1-n1.4", Script { latency: Duration::from_secs(60), ..Script::default() });
    let store = world.store();
    let (site, path) = (world.site.clone(), world.folder.path().join("state.db"));
    tokio::spawn(async move {
        let begun = || {
            let inner = site.inner();
            inner.remaining.contains_key("r0-n0.4") && inner.calls > 0
        };
        while !begun() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let other = SqliteStore::open(&path, "test").unwrap();
        let lock = other.locks().unwrap().remove(0);
        assert!(other.unlock(&lock.id).unwrap());
    });
    let options = Options { lease, longest_request: Duration::from_millis(1), ..options() };
    let drivers = world.drivers();
    let permit = drivers.permit.clone();
    let error = Engine::new(plan, store, drivers, options).start(b"plan file").await.unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::LockLost)), "{error}");
    assert_eq!(world.site.effects("r0-n0.5"), 0);
    assert_eq!(world.site.effects("r1-n1.4"), 0, "a call that is under way is cut off");
    assert!(!permit.is_given(), "nothing at all is sent any more, sessions included");
}

#[tokio::test]
async fn drivers_are_free_again_when_a_run_has_given_its_lock_back() {
    let world = World::new();
    let drivers = world.drivers();
    let permit = drivers.permit.clone();
    let lease = Duration::from_millis(200);
    let options = Options { lease, longest_request: Duration::from_millis(1), ..options() };
    Engine::new(site_plan(1), world.store(), drivers, options).start(b"plan file").await.unwrap();
    // Its lease has ended, and nothing depends on it.
    tokio::time::sleep(lease).await;
    assert!(permit.is_given());
}

#[tokio::test]
async fn a_lease_shorter_than_a_request_starts_no_effect() {
    let world = World::new();
    let plan = site_plan(1);
    let options = Options { lease: Duration::from_millis(50), longest_request: Duration::from_hours(1), ..options() };
    let graceful = options.graceful.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        graceful.cancel();
    });
    let run = tokio::time::timeout(Duration::from_secs(5), world.apply_with(&plan, world.store(), options)).await;
    assert_eq!(world.site.inner().order, Vec::<String>::new());
    drop(run);
}

/// One node whose machine is off and unknown to the provisioner.
fn plan_for_an_unknown_machine(world: &World) -> Plan {
    let mut plan = site_plan(1);
    for action in &mut plan.actions[1..4] {
        action.preconditions = vec![crate::action::Precondition::Identity, crate::action::Precondition::NotEnlisted];
    }
    let binding = crate::build::Binding {
        bmc_address: Some("10.0.0.1".to_owned()),
        uuid: Some("u".to_owned()),
        macs: vec!["aa:bb".to_owned()],
        ..Default::default()
    };
    plan.bindings.insert("r0-n0".to_owned(), binding);
    world.site.inner().bmcs.insert("r0-n0".to_owned(), crate::apply::fake::bmc("u", PowerState::Off));
    plan
}

#[tokio::test]
async fn a_power_cycle_is_not_repeated_for_a_machine_that_appeared_meanwhile() {
    let world = World::new();
    let plan = plan_for_an_unknown_machine(&world);
    // Crash right after the intent of `power_on_node`: nobody knows whether it happened, and the machine is enlisted before the resume.
    let failing = Arc::new(Altered::full_after(world.store(), 8));
    world.apply_with(&plan, failing, options()).await.unwrap_err();
    assert!(world.events().iter().any(|e| matches!(&e.event, EventKind::AttemptIntent { action, .. } if action == "r0-n0.2")));
    world.site.inner().machines.insert("r0-n0".to_owned(), crate::apply::fake::machine("m-r0-n0", "aa:bb", MachineStatus::New));
    let before = world.site.effects("r0-n0.2");
    let report = world.resume(&plan, &world.only_run().id).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success, "{:?}", report.state.statuses());
    assert_eq!(world.site.effects("r0-n0.2"), before);
}

#[tokio::test]
async fn a_power_on_that_no_poll_sees_is_done_when_the_machine_is_enlisted() {
    let world = World::new();
    let plan = plan_for_an_unknown_machine(&world);
    world.site.script("r0-n0.2", Script { hangs: true, ..Script::default() });
    let site = world.site.clone();
    tokio::spawn(async move {
        while site.effects("r0-n0.2") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Enlisted and off again before anybody looked.
        site.inner().machines.insert("r0-n0".to_owned(), crate::apply::fake::machine("m-r0-n0", "aa:bb", MachineStatus::New));
    });
    let report = tokio::time::timeout(Duration::from_secs(30), world.apply(&plan)).await.expect("the run ends").unwrap();
    assert_eq!(report.outcome, RunOutcome::Success, "{:?}", report.state.statuses());
    assert_eq!(world.site.effects("r0-n0.2"), 1);
    let waits =
        world.events().iter().filter(|e| matches!(&e.event, EventKind::AttemptWaiting { action, .. } if action == "r0-n0.2")).count();
    assert_eq!(waits, 1, "looking is no attempt");
}

/// A run of one node whose fourth action was begun, and died right after. Returns the plan and the run.
async fn interrupted_while_commissioning(world: &World, script: Script) -> (Plan, String) {
    let mut plan = site_plan(1);
    plan.actions.iter_mut().for_each(|a| a.timeout_s = 3600);
    world.site.script("r0-n0.4", script);
    let options = options();
    let now = options.now.clone();
    let site = world.site.clone();
    tokio::spawn(async move {
        while !site.inner().remaining.contains_key("r0-n0.4") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        now.cancel();
    });
    world.apply_with(&plan, world.store(), options).await.unwrap();
    let run = world.only_run().id;
    (plan, run)
}

#[tokio::test]
async fn an_action_keeps_its_time_limit_over_a_resume() {
    let world = World::new();
    let (plan, run) = interrupted_while_commissioning(&world, Script { hangs: true, ..Script::default() }).await;
    let aged = |hours| Arc::new(Altered::aged(world.store(), Duration::from_hours(hours)));
    let options = Options { resumed_at_least: Duration::from_millis(20), ..options() };
    let late = Engine::new(plan.clone(), aged(2), world.drivers(), options).resume(&run);
    let report = tokio::time::timeout(Duration::from_secs(60), late).await.expect("its hour is over").unwrap();
    let status = &report.state.find("r0-n0.4").unwrap().status;
    assert!(matches!(status, crate::run::Status::Failed { class: crate::action::ErrorClass::Timeout, .. }), "{status:?}");
    assert_eq!(world.site.effects("r0-n0.4"), 1);

    // Who resumes after that asks for another try, with all its time.
    let plan_again = plan.clone();
    let (store, drivers) = (aged(2), world.drivers());
    let options = Options { resumed_at_least: Duration::from_millis(20), ..super::options() };
    let graceful = options.now.clone();
    let again = tokio::spawn(async move { Engine::new(plan_again, store, drivers, options).resume(&run).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!again.is_finished(), "it has an hour");
    graceful.cancel();
    again.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_effect_that_is_begun_again_has_its_whole_time() {
    let world = World::new();
    let (plan, run) = interrupted_while_commissioning(&world, Script { polls: 400, ..Script::default() }).await;
    // Nothing of it was done after all.
    world.site.inner().remaining.remove("r0-n0.4");
    let aged = Arc::new(Altered::aged(world.store(), Duration::from_hours(2)));
    // Less than four hundred polls take.
    let options = Options { resumed_at_least: Duration::from_millis(500), ..options() };
    let report = Engine::new(plan, aged, world.drivers(), options).resume(&run).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success, "{:?}", report.state.statuses());
    assert_eq!(world.site.effects("r0-n0.4"), 2);
}

#[tokio::test]
async fn what_the_site_shows_before_an_effect_is_recorded_with_its_intent() {
    let world = World::new();
    let plan = plan_with(ActionKind::DestroyNode);
    let mut machine = crate::apply::fake::machine("m-1", "aa:bb", MachineStatus::Deployed);
    machine.installation = Some(17);
    machine.owner_data.insert("drydock.action".to_owned(), "a1".to_owned());
    world.site.inner().machines.insert("r0-n0".to_owned(), machine);
    world.apply(&plan).await.unwrap();
    let before: Vec<Option<String>> = world
        .events()
        .into_iter()
        .filter_map(|e| if let EventKind::AttemptIntent { before, .. } = e.event { Some(before) } else { None })
        .collect();
    assert_eq!(before, [Some("installation 17, mark a1".to_owned())]);
}

/// One action of one node.
fn plan_with(kind: ActionKind) -> Plan {
    let mut plan = plan(vec![action("a", kind, Some("r0-n0"), &[])]);
    let binding = crate::build::Binding { macs: vec!["aa:bb".to_owned()], ..Default::default() };
    plan.bindings.insert("r0-n0".to_owned(), binding);
    plan
}

//! What becomes of a node whose branch failed.

use crate::action::{Effect, ErrorClass};
use crate::apply::fake::{Script, machine};
use crate::build::MachineStatus;
use crate::diff::Stage;
use crate::plan::{OnFailure, Plan};
use crate::run::{EventKind, RunOutcome};

use super::*;

/// Two branches, of which that of `r0-n0` fails in its fifth step.
fn failing(world: &World, what: OnFailure, class: ErrorClass) -> Plan {
    let script = match class {
        ErrorClass::Failed => Script { fails: Some(class), ..Script::default() },
        _ => Script { begin_errors: vec![class], ..Script::default() },
    };
    world.site.script("r0-n0.4", script);
    // By then it is enlisted.
    let machine = machine("m-r0-n0", "52:54:00:00:00:01", MachineStatus::Ready);
    world.site.inner().machines.insert(machine.id.clone(), machine);
    let mut plan = site_plan(2);
    plan.failures.on_failure = what;
    plan
}

const OFF: &str = "r0-n0 on failure";

fn told(world: &World) -> Vec<EventKind> {
    let is = |k: &EventKind| matches!(k, EventKind::RemedyBegun { .. } | EventKind::RemedyEnded { .. } | EventKind::Message { .. });
    world.events().into_iter().map(|e| e.event).filter(is).collect()
}

fn left(world: &World, reason: &str) {
    assert_eq!(world.site.effects(OFF), 0);
    assert_eq!(world.site.inner().broken.len(), 0);
    let told = told(world);
    assert!(
        matches!(&told[..], [EventKind::Message { text, .. }] if text.starts_with("node.r0-n0 is left as it is") && text.ends_with(reason)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_node_that_failed_is_switched_off_where_the_plan_says_so() {
    let world = World::new();
    let plan = failing(&world, OnFailure::PowerOff, ErrorClass::Failed);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::PartialSuccess, "it decides nothing");
    assert_eq!((world.site.effects(OFF), world.site.effects("r1-n1 on failure")), (1, 0));
    let (node, remedy) = ("r0-n0".to_owned(), "power_off".to_owned());
    assert_eq!(
        told(&world),
        [EventKind::RemedyBegun { node: node.clone(), remedy: remedy.clone() }, EventKind::RemedyEnded { node, remedy, error: None }]
    );
    // A resume goes on with the branch as after any failure.
    world.site.script("r0-n0.4", Script::default());
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
    assert_eq!(world.site.effects(OFF), 1);
}

#[tokio::test]
async fn a_node_that_failed_stays_as_it_is_otherwise() {
    let world = World::new();
    let plan = failing(&world, OnFailure::Leave, ErrorClass::Failed);
    world.apply(&plan).await.unwrap();
    assert_eq!((world.site.effects(OFF), told(&world).len()), (0, 0));
}

#[tokio::test]
async fn what_may_hold_an_operating_system_is_switched_off_only_once_that_was_given_up() {
    for what in [OnFailure::PowerOff, OnFailure::MarkBroken] {
        for stage in [Stage::Deployed, Stage::Foreign, Stage::Unknown, Stage::Held, Stage::Allocated, Stage::FailedDeployment] {
            let world = World::new();
            let mut plan = failing(&world, what, ErrorClass::Failed);
            plan.nodes.get_mut("r0-n0").unwrap().now = stage;
            world.apply(&plan).await.unwrap();
            left(&world, "it may hold an operating system, and nothing of this run has given that up");
        }
    }
    let allowed = |world: &World, disruptive: usize| {
        let mut plan = failing(world, OnFailure::PowerOff, ErrorClass::Failed);
        plan.nodes.get_mut("r0-n0").unwrap().now = Stage::Deployed;
        let own = plan.actions.iter().position(|a| a.id == format!("r0-n0.{disruptive}")).unwrap();
        plan.actions[own].effect = Effect::Redeploy;
        plan
    };
    let world = World::new();
    world.apply(&allowed(&world, 3)).await.unwrap();
    assert_eq!(world.site.effects(OFF), 1, "it was begun");
    let world = World::new();
    world.apply(&allowed(&world, 5)).await.unwrap();
    assert_eq!(world.site.effects(OFF), 0, "its turn did not come");
    // A machine that is on and unknown may be in production.
    let world = World::new();
    let mut plan = allowed(&world, 5);
    plan.nodes.get_mut("r0-n0").unwrap().now = Stage::Absent;
    world.apply(&plan).await.unwrap();
    assert_eq!(world.site.effects(OFF), 0);
}

#[tokio::test]
async fn a_failure_that_is_not_the_machines_leaves_it_as_it_is() {
    for (class, reason) in [
        (ErrorClass::Precondition, "the site is not as the plan says"),
        (ErrorClass::Inconclusive, "the site does not tell what has happened"),
        (ErrorClass::Credentials, "it is not the machine that failed"),
    ] {
        let world = World::new();
        let plan = failing(&world, OnFailure::PowerOff, class);
        world.apply(&plan).await.unwrap();
        left(&world, reason);
    }
}

#[tokio::test]
async fn a_node_that_failed_is_marked_broken_with_the_reason() {
    let world = World::new();
    let plan = failing(&world, OnFailure::MarkBroken, ErrorClass::Failed);
    let report = world.apply(&plan).await.unwrap();
    let broken: Vec<String> = world.site.inner().broken.values().cloned().collect();
    assert_eq!(broken, [format!("drydock run {}: configure_hardware failed: the machine failed", report.run)]);
    assert_eq!(world.site.effects(OFF), 0);
}

#[tokio::test]
async fn what_cannot_be_done_about_a_failure_is_told_and_no_failure_of_its_own() {
    let world = World::new();
    let plan = failing(&world, OnFailure::PowerOff, ErrorClass::Failed);
    world.site.script(OFF, Script { begin_errors: vec![ErrorClass::Credentials], ..Script::default() });
    let report = world.apply(&plan).await.unwrap();
    assert_eq!((report.outcome, report.state.counts().failed), (RunOutcome::PartialSuccess, 1));
    assert!(matches!(told(&world).last(), Some(EventKind::RemedyEnded { error: Some(e), .. }) if e == "fake refusal"));
}

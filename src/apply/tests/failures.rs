//! Failures by class, patience, waits without progress and without an answer, defects.

use std::time::Duration;

use crate::action::{ActionKind, ErrorClass};
use crate::apply::fake::Script;
use crate::plan::Plan;
use crate::plan::testing::{action, plan};
use crate::run::{EventKind, RunOutcome, Status};

use super::*;

fn only(timeout_s: u32) -> Plan {
    let mut only = action("a", ActionKind::ConfigureHardware, Some("r0-n0"), &[]);
    only.timeout_s = timeout_s;
    plan(vec![only])
}

fn failure(report: &RunReport) -> (ErrorClass, String) {
    match &report.state.task(0).status {
        Status::Failed { class, message, .. } => (*class, message.clone()),
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_defect_costs_its_own_action_and_nothing_else() {
    let world = World::new();
    world.site.script("r0-n0.2", Script { panics: true, ..Script::default() });
    let plan = site_plan(2);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::PartialSuccess);
    assert_eq!(report.state.node_outcomes()["r1-n1"].outcome, RunOutcome::Success);
    let Status::Failed { class: ErrorClass::Bug, message, hint } = &report.state.find("r0-n0.2").unwrap().status else { panic!() };
    assert!(
        message.starts_with("power_on_node of node.r0-n0 ended by a defect of drydock") && message.contains("a defect of the driver"),
        "{message}"
    );
    assert!(hint.as_ref().unwrap().contains("drydock resume"));
    // It was begun as far as anybody knows; a resume looks, and tries again.
    world.site.script("r0-n0.2", Script::default());
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
    for action in &plan.actions {
        assert_eq!(world.site.effects(&action.id), 1, "{}", action.id);
    }
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let world = World::new();
    let asks = Script { begin_errors: vec![ErrorClass::Busy], retry_after: Some(Duration::from_millis(400)), ..Script::default() };
    world.site.script("a", asks);
    assert_eq!(world.apply(&only(60)).await.unwrap().outcome, RunOutcome::Success);
    let pauses: Vec<u64> = world
        .events()
        .iter()
        .filter_map(|e| match e.event {
            EventKind::RetryScheduled { next_at_ms, .. } => Some(next_at_ms - e.at_ms),
            _ => None,
        })
        .collect();
    assert!(matches!(pauses[..], [380..=400]), "{pauses:?}");

    let world = World::new();
    let asks = Script { begin_errors: vec![ErrorClass::Busy], retry_after: Some(Duration::from_mins(2)), ..Script::default() };
    world.site.script("a", asks);
    let (class, message) = failure(&world.apply(&only(60)).await.unwrap());
    assert_eq!(class, ErrorClass::Busy);
    assert!(
        message.ends_with(
            "(given up after 1 attempt in 0 s; the other side asks to be left alone for 120 s, which is longer than its time limit)"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn patience_with_network_trouble_ends_before_the_time_limit() {
    let world = World::new();
    world.site.script("a", Script { begin_errors: vec![ErrorClass::Transient; 1000], ..Script::default() });
    let retry = RetryPolicy { base_ms: 50, max_ms: 50, patience_ms: [(ErrorClass::Transient, 200)].into() };
    let report = world.apply_with(&only(3600), world.store(), Options { retry, ..options() }).await.unwrap();
    let (class, message) = failure(&report);
    assert_eq!(class, ErrorClass::Transient);
    assert!(message.contains("`retries.transient` has it tried for 0 s in a row"), "{message}");
    let left = world.site.inner().scripts["a"].begin_errors.len();
    assert!((990..=998).contains(&left), "{left} of 1000 errors are left");
}

#[tokio::test]
async fn what_shows_no_progress_is_given_up_before_its_time_limit() {
    let world = World::new();
    world.site.script("a", Script { hangs: true, ..Script::default() });
    let mut plan = only(20);
    plan.failures.no_progress_s.insert(ActionKind::ConfigureHardware, 1);
    let report = world.apply(&plan).await.unwrap();
    assert_eq!(
        failure(&report),
        (ErrorClass::Timeout, "configure_hardware of node.r0-n0 has shown no progress for 1 s: hanging".to_owned())
    );
    // It may go on at the site: a resume looks at it, and does not begin it again.
    world.site.script("a", Script::default());
    assert_eq!(world.resume(&plan, &report.run).await.unwrap().outcome, RunOutcome::Success);
    assert_eq!(world.site.effects("a"), 1);
}

#[tokio::test]
async fn progress_is_what_the_site_says_and_silence_is_no_lack_of_it() {
    let mut world = World::new();
    world.site.poll = Duration::from_millis(20);
    // Each poll shows another text: it goes on, for longer than the limit without progress.
    world.site.script("a", Script { polls: 75, ..Script::default() });
    let mut plan = only(60);
    plan.failures.no_progress_s.insert(ActionKind::ConfigureHardware, 1);
    assert_eq!(world.apply(&plan).await.unwrap().outcome, RunOutcome::Success);

    // Nothing is heard for longer than that, and then it is as it was.
    let world = World::new();
    world.site.script("a", Script { hangs: true, ..Script::default() });
    let has = |is: fn(&EventKind) -> bool| !world.store().runs().unwrap().is_empty() && world.events().iter().any(|e| is(&e.event));
    let people = async {
        while !has(|k| matches!(k, EventKind::AttemptProgress { .. })) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.site.script("a", Script { hangs: true, observe_errors: vec![ErrorClass::Transient; 500], ..Script::default() });
        while !has(|k| matches!(k, EventKind::Message { text, .. } if text.starts_with("the site answers again, after "))) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.site.script("a", Script::default());
    };
    let (report, ()) = tokio::join!(world.apply(&plan), people);
    assert_eq!(report.unwrap().outcome, RunOutcome::Success);
    let warnings =
        world.events().iter().filter(|e| matches!(&e.event, EventKind::Message { text, .. } if text.starts_with("cannot see"))).count();
    assert_eq!(warnings, 1, "it is said once");
}

#[tokio::test]
async fn a_wait_without_an_answer_lasts_until_its_time_limit_and_says_since_when() {
    let world = World::new();
    world.site.script("a", Script { polls: 1, observe_errors: Vec::new(), ..Script::default() });
    let plan = only(1);
    let silent = async {
        while world.site.effects("a") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.site.script("a", Script { polls: 1, observe_errors: vec![ErrorClass::Transient; 100_000], ..Script::default() });
    };
    let (report, ()) = tokio::join!(world.apply(&plan), silent);
    let (class, message) = failure(&report.unwrap());
    assert_eq!(class, ErrorClass::Timeout);
    for text in ["is not done after 1 s", "; nothing was heard of it for the last ", " UTC: fake trouble"] {
        assert!(message.contains(text), "no {text:?} in {message}");
    }
}

//! Stop, pause and continue, asked for from outside.

use std::time::Duration;

use crate::action::{ActionKind, ErrorClass};
use crate::apply::fake::Script;
use crate::plan::Plan;
use crate::plan::testing::{action, plan};
use crate::run::{EventKind, RunOutcome, Status};
use crate::store::{RunRequest, Store as _};

use super::*;

/// `a` waits at the site until it is let go, `b` follows it, `c` needs nothing.
fn waiting(world: &World) -> Plan {
    world.site.script("a", Script { hangs: true, ..Script::default() });
    plan(vec![
        action("a", ActionKind::ConfigureHardware, Some("r0-n0"), &[]),
        action("b", ActionKind::DeployNode, Some("r0-n0"), &["a"]),
        action("c", ActionKind::ConfigureTags, None, &[]),
    ])
}

fn let_go(world: &World) {
    world.site.script("a", Script::default());
}

fn quick() -> Options {
    Options { control_interval: Duration::from_millis(2), ..options() }
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never came to that: {:?}", std::any::type_name_of_val(&what));
}

fn ask(world: &World, request: RunRequest) {
    let run = world.only_run().id;
    world.store().request(&run, request, "ops@elsewhere", 7).unwrap();
}

fn place(world: &World, is: impl Fn(&EventKind) -> bool) -> Option<usize> {
    world.events().iter().position(|e| is(&e.event))
}

fn has(world: &World, is: impl Fn(&EventKind) -> bool) -> bool {
    !world.store().runs().unwrap().is_empty() && place(world, is).is_some()
}

fn is_waiting(kind: &EventKind) -> bool {
    matches!(kind, EventKind::AttemptWaiting { action, .. } if action == "a")
}

fn is_done(id: &'static str) -> impl Fn(&EventKind) -> bool {
    move |kind| matches!(kind, EventKind::AttemptOutcome { action, .. } if action == id)
}

#[tokio::test]
async fn a_paused_run_starts_nothing_new_and_goes_on_when_continued() {
    let world = World::new();
    let plan = waiting(&world);
    let work = world.apply_with(&plan, world.store(), quick());
    let people = async {
        until(|| has(&world, is_waiting)).await;
        ask(&world, RunRequest::Pause);
        until(|| has(&world, |k| matches!(k, EventKind::RunPaused { by } if by == "ops@elsewhere"))).await;
        let_go(&world);
        // What runs goes on.
        until(|| has(&world, is_done("a"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(world.site.effects("b"), 0);
        ask(&world, RunRequest::Continue);
    };
    let (report, ()) = tokio::join!(work, people);
    assert_eq!(report.unwrap().outcome, RunOutcome::Success);
    let continued = place(&world, |k| matches!(k, EventKind::RunContinued { .. })).unwrap();
    assert!(place(&world, is_done("a")).unwrap() < continued);
    assert!(continued < place(&world, |k| matches!(k, EventKind::AttemptIntent { action, .. } if action == "b")).unwrap());
}

#[tokio::test]
async fn a_pause_survives_the_process() {
    let world = World::new();
    let plan = waiting(&world);
    let first = quick();
    let now = first.now.clone();
    let people = async {
        until(|| has(&world, is_waiting) && has(&world, is_done("c"))).await;
        ask(&world, RunRequest::Pause);
        until(|| has(&world, |k| matches!(k, EventKind::RunPaused { .. }))).await;
        now.cancel();
    };
    let (report, ()) = tokio::join!(world.apply_with(&plan, world.store(), first), people);
    assert_eq!(report.unwrap().outcome, RunOutcome::Incomplete);
    let run = world.only_run().id;
    let_go(&world);
    // What the former process began is looked at, and nothing follows it until somebody says so.
    let later = Engine::new(plan.clone(), world.store(), world.drivers(), quick()).resume(&run);
    let people = async {
        until(|| has(&world, |k| matches!(k, EventKind::RunResumed { .. }))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!((world.site.effects("a"), world.site.effects("b")), (1, 0));
        ask(&world, RunRequest::Continue);
    };
    let (report, ()) = tokio::join!(later, people);
    let report = report.unwrap();
    assert_eq!((report.outcome, report.state.paused()), (RunOutcome::Success, None));
    assert_eq!((world.site.effects("a"), world.site.effects("b")), (1, 1));
    let pauses = world.events().iter().filter(|e| matches!(e.event, EventKind::RunPaused { .. })).count();
    assert_eq!(pauses, 1, "it was paused once");
}

#[tokio::test]
async fn a_run_that_was_continued_while_nobody_worked_on_it_is_not_paused() {
    let world = World::new();
    let plan = waiting(&world);
    let first = quick();
    let now = first.now.clone();
    let people = async {
        until(|| has(&world, is_waiting)).await;
        ask(&world, RunRequest::Pause);
        until(|| has(&world, |k| matches!(k, EventKind::RunPaused { .. }))).await;
        now.cancel();
    };
    let (report, ()) = tokio::join!(world.apply_with(&plan, world.store(), first), people);
    let run = report.unwrap().run;
    let_go(&world);
    world.store().request(&run, RunRequest::Continue, "other@desk", 9).unwrap();
    let report = Engine::new(plan, world.store(), world.drivers(), quick()).resume(&run).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Success);
    assert!(has(&world, |k| matches!(k, EventKind::RunContinued { by } if by == "other@desk")));
}

#[tokio::test]
async fn a_pause_holds_what_waits_to_be_tried_again_and_its_time_limit() {
    let world = World::new();
    world.site.script("a", Script { begin_errors: vec![ErrorClass::Busy], ..Script::default() });
    let mut only = action("a", ActionKind::ConfigureTags, None, &[]);
    only.timeout_s = 1;
    let plan = plan(vec![only]);
    let options = Options { retry: RetryPolicy { base_ms: 500, max_ms: 500, ..RetryPolicy::default() }, ..quick() };
    let people = async {
        until(|| has(&world, |k| matches!(k, EventKind::RetryScheduled { .. }))).await;
        ask(&world, RunRequest::Pause);
        // Longer than its time limit.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(world.site.effects("a"), 0);
        ask(&world, RunRequest::Continue);
    };
    let (report, ()) = tokio::join!(world.apply_with(&plan, world.store(), options), people);
    assert_eq!((report.unwrap().outcome, world.site.effects("a")), (RunOutcome::Success, 1));
}

#[tokio::test]
async fn a_run_is_stopped_from_outside_at_a_safe_point_or_at_once() {
    for (request, now) in [(RunRequest::Stop, false), (RunRequest::StopNow, true)] {
        let world = World::new();
        let plan = waiting(&world);
        let options = quick();
        let tokens = (options.graceful.clone(), options.now.clone());
        let people = async {
            until(|| has(&world, is_waiting) && has(&world, is_done("c"))).await;
            ask(&world, request);
        };
        let (report, ()) = tokio::join!(world.apply_with(&plan, world.store(), options), people);
        let report = report.unwrap();
        assert_eq!(report.outcome, RunOutcome::Incomplete);
        assert!(matches!(report.state.task(0).status, Status::WaitingAtSite { .. }));
        // Whoever waits for the process sees that it was asked to end.
        assert_eq!((tokens.0.is_cancelled(), tokens.1.is_cancelled()), (true, now));
        let stopping = EventKind::RunStopping { by: Some("ops@elsewhere".to_owned()), now };
        assert!(place(&world, |k| *k == stopping).unwrap() < place(&world, |k| matches!(k, EventKind::RunInterrupted { .. })).unwrap());
        // A request that was followed is not followed again.
        let_go(&world);
        let run = world.only_run().id;
        let report = Engine::new(plan, world.store(), world.drivers(), quick()).resume(&run).await.unwrap();
        assert_eq!((report.outcome, world.site.effects("a"), world.site.effects("b")), (RunOutcome::Success, 1, 1));
    }
}

#[tokio::test]
async fn a_pause_without_anything_left_ends_the_run() {
    let world = World::new();
    let plan = waiting(&world);
    let plan = Plan { actions: vec![plan.actions[0].clone()], ..plan };
    let people = async {
        until(|| has(&world, is_waiting)).await;
        ask(&world, RunRequest::Pause);
        until(|| has(&world, |k| matches!(k, EventKind::RunPaused { .. }))).await;
        let_go(&world);
    };
    let (report, ()) = tokio::join!(world.apply_with(&plan, world.store(), quick()), people);
    assert_eq!(report.unwrap().outcome, RunOutcome::Success);
}

#[tokio::test]
async fn an_abandoned_run_is_not_gone_on_with() {
    let world = World::new();
    let plan = waiting(&world);
    let options = quick();
    options.graceful.cancel();
    world.apply_with(&plan, world.store(), options).await.unwrap();
    let run = world.only_run().id;
    world.store().write(&[Write::RunAbandoned { run: run.clone(), at_ms: 9 }]).unwrap();
    let error = world.resume(&plan, &run).await.unwrap_err().to_string();
    assert_eq!(error, format!("run {run} was abandoned"));
}

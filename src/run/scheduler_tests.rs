//! The scheduler: order, waits, places given back.

use crate::action::ActionKind;
use crate::plan::Limits;
use crate::plan::testing::{action, plan};

use super::model_tests::KINDS;
use super::{Grant, RunState, Scheduler};

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
    plan.limits = Limits { nodes_in_flight: 500, parallelism: 256, max_failures: 10, ..Limits::default() };
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

//! Events, their fold, retries, late parameters.

use std::collections::BTreeMap;

use serde_json::json;

use crate::action::{ActionKind, ErrorClass};

use super::*;
use crate::plan::testing::action;

fn event(seq: u64, event: EventKind) -> Event {
    Event { v: EVENT_VERSION, seq, at_ms: 1000 + seq, event }
}

fn outcome(seq: u64, action: &str, attempt: u32, outcome: AttemptOutcome) -> Event {
    event(seq, EventKind::AttemptOutcome { action: action.to_owned(), attempt, outcome, outputs: BTreeMap::new() })
}

fn failed() -> AttemptOutcome {
    AttemptOutcome::Failed { class: ErrorClass::Transient, message: "reset".to_owned(), hint: None }
}

/// `net` before the chains `a1 a2` and `b1 b2`.
fn actions() -> Vec<crate::action::Action> {
    vec![
        action("net", ActionKind::CreateNetworkTemplate, None, &[]),
        action("a1", ActionKind::ApplyNodeStorage, Some("a"), &["net"]),
        action("a2", ActionKind::DeployNode, Some("a"), &["a1"]),
        action("b1", ActionKind::ApplyNodeStorage, Some("b"), &["net"]),
        action("b2", ActionKind::DeployNode, Some("b"), &["b1"]),
    ]
}

#[test]
fn events_have_a_stable_form() {
    let cases = [
        (
            event(3, EventKind::AttemptIntent { action: "a1".to_owned(), attempt: 2, before: None }),
            r#"{"v":1,"seq":3,"at_ms":1003,"event":{"type":"attempt_intent","action":"a1","attempt":2}}"#,
        ),
        (
            outcome(4, "a1", 1, failed()),
            r#"{"v":1,"seq":4,"at_ms":1004,"event":{"type":"attempt_outcome","action":"a1","attempt":1,"outcome":{"result":"failed","class":"transient","message":"reset"}}}"#,
        ),
        (
            event(5, EventKind::RunFinished { outcome: RunOutcome::PartialSuccess }),
            r#"{"v":1,"seq":5,"at_ms":1005,"event":{"type":"run_finished","outcome":"partial_success"}}"#,
        ),
    ];
    for (event, text) in cases {
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
    }
}

#[test]
fn the_latest_attempt_decides() {
    let actions = vec![action("a1", ActionKind::DeployNode, Some("a"), &[])];
    let mut events = vec![
        event(1, EventKind::AttemptIntent { action: "a1".to_owned(), attempt: 1, before: None }),
        outcome(2, "a1", 1, failed()),
        event(3, EventKind::RetryScheduled { action: "a1".to_owned(), attempt: 1, next_at_ms: 9 }),
    ];
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.find("a1").unwrap().status, Status::Retrying { next_at_ms: 9, message: "reset".to_owned() });
    assert_eq!(state.outcome(), RunOutcome::Incomplete);
    events.push(event(4, EventKind::AttemptIntent { action: "a1".to_owned(), attempt: 2, before: None }));
    events.push(outcome(5, "a1", 2, AttemptOutcome::Done));
    events.push(event(6, EventKind::Message { severity: Severity::Error, action: Some("a1".to_owned()), text: "alarming".to_owned() }));
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.outcome(), RunOutcome::Success, "a message decides nothing");
    assert_eq!(state.find("a1").unwrap().attempts, 2);
    assert_eq!(state.last_seq(), 6);
}

#[test]
fn a_failure_blocks_what_depends_on_it() {
    let actions = actions();
    let done = |seq, id| outcome(seq, id, 1, AttemptOutcome::Done);
    let events = vec![done(1, "net"), outcome(2, "a1", 1, failed()), done(3, "b1"), done(4, "b2")];
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.statuses()[2], Status::Blocked { by: "a1".to_owned() });
    assert_eq!(state.counts(), Counts { done: 3, active: 0, failed: 1, blocked: 1, waiting: 0 });
    assert_eq!(state.outcome(), RunOutcome::PartialSuccess);
    assert_eq!(state.node_outcomes()["b"], NodeOutcome { outcome: RunOutcome::Success, cause: None });

    let events = vec![outcome(1, "net", 1, AttemptOutcome::Refused { message: "moved".to_owned(), hint: None })];
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.outcome(), RunOutcome::Failure);
    assert_eq!(state.node_outcomes()["b"], NodeOutcome { outcome: RunOutcome::Failure, cause: Some("net".to_owned()) });
}

#[test]
fn what_was_not_reached_is_incomplete_unless_branches_were_stopped() {
    let actions = actions();
    let mut events = vec![outcome(1, "net", 1, AttemptOutcome::Done), outcome(2, "a1", 1, failed())];
    assert_eq!(RunState::fold(&actions, &events).unwrap().outcome(), RunOutcome::Incomplete);
    events.push(event(3, EventKind::BranchesStopped { failed_nodes: 1 }));
    assert_eq!(RunState::fold(&actions, &events).unwrap().outcome(), RunOutcome::Failure);
    events.push(event(4, EventKind::RunInterrupted { under_way: Vec::new() }));
    assert_eq!(RunState::fold(&actions, &events).unwrap().outcome(), RunOutcome::Incomplete);
}

#[test]
fn a_gate_is_a_fold_of_its_events() {
    let actions = actions();
    let failed_gate = |seq, critical| {
        let (name, message, hint) = ("canaries".to_owned(), "off".to_owned(), "look".to_owned());
        event(seq, EventKind::GateFailed { wave: 0, name, message, hint, critical })
    };
    let mut events = vec![
        outcome(1, "net", 1, AttemptOutcome::Done),
        outcome(2, "a1", 1, AttemptOutcome::Done),
        outcome(3, "a2", 1, AttemptOutcome::Done),
        event(4, EventKind::GateReached { wave: 0, name: "canaries".to_owned() }),
    ];
    let gates = |events: &[Event]| RunState::fold(&actions, events).unwrap().gates().map(|(w, g)| (w, g.clone())).collect::<Vec<_>>();
    assert_eq!(gates(&events), [(0, GateState::Watched { name: "canaries".to_owned(), since_ms: 1004 })]);
    events.push(failed_gate(5, false));
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.outcome(), RunOutcome::PartialSuccess, "what was not begun for a gate is no interruption");
    let mut critical = events.clone();
    critical[4] = failed_gate(5, true);
    assert_eq!(RunState::fold(&actions, &critical).unwrap().outcome(), RunOutcome::Failure);
    // Whoever resumes stands before the gate again; one that was passed stays so.
    events.push(event(6, EventKind::RunResumed { done: 3 }));
    assert_eq!(gates(&events), []);
    events.push(event(7, EventKind::GatePassed { wave: 0, name: "canaries".to_owned(), not_verified: Vec::new() }));
    events.push(event(8, EventKind::RunResumed { done: 3 }));
    assert_eq!(gates(&events), [(0, GateState::Passed)]);
}

#[test]
fn a_resume_keeps_what_is_done_and_tries_the_rest_again() {
    let actions = actions();
    let events = vec![
        outcome(1, "net", 1, AttemptOutcome::Done),
        event(2, EventKind::AttemptIntent { action: "a1".to_owned(), attempt: 1, before: None }),
        outcome(3, "b1", 1, failed()),
        event(4, EventKind::RunInterrupted { under_way: vec!["a1".to_owned()] }),
        event(5, EventKind::RunFinished { outcome: RunOutcome::Incomplete }),
        event(6, EventKind::RunResumed { done: 1 }),
    ];
    let state = RunState::fold(&actions, &events).unwrap();
    assert_eq!(state.find("net").unwrap().status, Status::Done);
    assert_eq!(state.find("b1").unwrap().status, Status::Waiting);
    let a1 = state.find("a1").unwrap();
    assert_eq!((&a1.status, a1.begun), (&Status::Waiting, true));
    assert!(!state.is_interrupted() && state.finished().is_none());
}

fn failed_attempt(class: ErrorClass, failures: u32) -> FailedAttempt {
    FailedAttempt { class, failures, since_ms: 0, retry_after_ms: None }
}

#[test]
fn retries_stay_inside_the_deadline() {
    let policy = RetryPolicy { base_ms: 1000, max_ms: 60_000, ..RetryPolicy::default() };
    let next = |class, failures, deadline, jitter| policy.next_attempt(failed_attempt(class, failures), 0, deadline, jitter);
    assert_eq!(next(ErrorClass::Transient, 1, 10_000, 0), Ok(500));
    assert_eq!(next(ErrorClass::Busy, 1, 10_000, 1000), Ok(1000));
    assert_eq!(next(ErrorClass::NotReady, 4, 10_000, 1000), Ok(8000));
    assert_eq!(next(ErrorClass::NotReady, 5, 10_000, 1000), Err(GivenUp::TimeLimit));
    assert_eq!(next(ErrorClass::Transient, 4_000_000, u64::MAX, 1000), Ok(60_000));
    for class in ErrorClass::ALL.into_iter().filter(|class| !class.is_retryable()) {
        assert_eq!(next(class, 1, u64::MAX, 0), Err(GivenUp::Lasting), "{class:?}");
    }
    assert_eq!(ErrorClass::ALL.into_iter().filter(|class| class.is_retryable()).count(), 3);
}

#[test]
fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let policy = RetryPolicy { base_ms: 1000, max_ms: 60_000, ..RetryPolicy::default() };
    let next = |asked, deadline| {
        policy.next_attempt(FailedAttempt { retry_after_ms: Some(asked), ..failed_attempt(ErrorClass::Busy, 1) }, 0, deadline, 1000)
    };
    assert_eq!(next(20_000, 30_000), Ok(20_000));
    assert_eq!(next(10, 30_000), Ok(1_000), "the backoff is longer");
    assert_eq!(next(40_000, 30_000), Err(GivenUp::AsksFor(40_000)));
}

#[test]
fn patience_with_a_class_has_an_end() {
    let policy = RetryPolicy { base_ms: 1000, max_ms: 1000, patience_ms: [(ErrorClass::Transient, 5_000)].into() };
    let next = |class, now| policy.next_attempt(failed_attempt(class, 9), now, 1_000_000, 1000);
    assert_eq!(next(ErrorClass::Transient, 4_000), Ok(5_000));
    assert_eq!(next(ErrorClass::Transient, 4_001), Err(GivenUp::Patience(5_000)));
    assert_eq!(next(ErrorClass::Busy, 600_000), Ok(601_000), "each class has its own");
    let later = FailedAttempt { since_ms: 4_000, ..failed_attempt(ErrorClass::Transient, 9) };
    assert_eq!(policy.next_attempt(later, 4_001, 1_000_000, 1000), Ok(5_001), "it counts from the first of a row");
}

fn hardware() -> crate::build::Machine {
    serde_json::from_value(json!({
        "id": "x1", "hostname": "n", "domain": "", "status": "ready", "status_name": "Ready", "failure": null, "power": "off",
        "bmc_address": null, "owner": null, "locked": false, "uuid": null, "serial": null, "macs": [], "boot_mac": null,
        "architecture": "amd64/generic", "cpus": 1, "memory_mib": 1, "default_gateway": null, "boot_disk": null, "volume_groups": [],
        "os": "", "series": "", "kernel": null, "tags": [], "owner_data": {},
        "interfaces": [
            {"id": 1, "name": "ens3", "kind": "physical", "mac": null, "bus": "0000:00:03.0", "vlan": null, "mtu": 1500, "parents": [], "bond": null, "links": []},
            {"id": 2, "name": "ens4", "kind": "physical", "mac": null, "bus": "0000:00:04.0", "vlan": null, "mtu": 1500, "parents": [], "bond": null, "links": []},
            {"id": 3, "name": "bond0", "kind": "bond", "mac": null, "bus": null, "vlan": null, "mtu": 1500, "parents": ["ens3"], "bond": null, "links": []}
        ],
        "disks": [
            {"id": 9, "name": "sda", "kind": "physical", "bus": "2:0.0.0", "size": 1000, "available": 0, "model": null, "serial": null,
             "id_path": null, "partition_table": null, "partitions": [], "filesystem": null, "volume_group": null}
        ]
    }))
    .unwrap()
}

#[test]
fn late_values_need_exactly_one_device() {
    let machine = hardware();
    let fact = |select: serde_json::Value, min: Option<u64>| {
        let mut fact = json!({"node": "n", "select": select});
        if let Some(min) = min {
            fact["min_size"] = json!(min);
        }
        json!({"members": [{"$fact": fact}], "mtu": 9000})
    };
    let members = |v: Result<serde_json::Value, ResolveError>| v.map(|v| v["members"][0].clone()).map_err(|e| e.message);
    let params = fact(json!({"nic_at_bus": "pci@0000:00:03.0"}), None);
    assert!(has_late(&params.clone().into()) && !has_late(&json!({"a": [1, {"b": "$fact", "c": "\"$fact\":"}]}).into()));
    assert_eq!(members(resolve(&params, &machine)), Ok(json!({"id": 1, "name": "ens3"})));
    assert_eq!(members(resolve(&fact(json!({"nic_named": "ens4"}), None), &machine)), Ok(json!({"id": 2, "name": "ens4"})));
    assert_eq!(members(resolve(&fact(json!({"disk_at_bus": "2:0.0.0"}), Some(1000)), &machine)), Ok(json!({"id": 9, "name": "sda"})));
    assert_eq!(
        members(resolve(&fact(json!({"disk_named": "sda"}), Some(1001)), &machine)),
        Err("disk sda of n (x1) has 1000 bytes; the design needs at least 1001".to_owned())
    );
    assert_eq!(
        members(resolve(&fact(json!({"nic_at_bus": "0000:00:09.0"}), None), &machine)),
        Err("NIC at bus address 0000:00:09.0 of n (x1) is not there; the provisioner shows: ens3 at 0000:00:03.0, ens4 at 0000:00:04.0"
            .to_owned())
    );
    assert!(members(resolve(&fact(json!({"nic_named": "bond0"}), None), &machine)).unwrap_err().contains("is not there"));
    let mut twice = hardware();
    twice.interfaces[1].bus = Some("0000:00:03.0".to_owned());
    assert_eq!(
        members(resolve(&params, &twice)),
        Err("NIC at bus address pci@0000:00:03.0 of n (x1) matches more than one device: ens3 and ens4".to_owned())
    );
    assert!(
        resolve(&json!({"$fact": {"node": 3}}), &machine).unwrap_err().message.starts_with("a late parameter of the plan cannot be read")
    );
}

/// Nanoseconds of processor time that this thread has had.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[test]
fn what_all_nodes_wait_for_costs_each_of_them_the_same() {
    // Sites of many nodes, each of which waits for the same dozen actions, some of them named twice.
    let site = |nodes: usize| {
        let shared: Vec<String> = (0..12).map(|n| format!("site{n}")).collect();
        let after: Vec<&str> = shared.iter().chain(&shared[..3]).map(String::as_str).collect();
        let mut all: Vec<_> = shared.iter().map(|id| action(id, ActionKind::CreateNetworkTemplate, None, &[])).collect();
        all.extend((0..nodes).map(|n| action(&format!("n{n}"), ActionKind::DeployNode, Some("a"), &after)));
        all
    };
    let dag = Dag::new(&site(3)).unwrap();
    assert_eq!((dag.successors(0).count(), dag.predecessors(13).count()), (3, 12), "named twice it is one edge");
    let cost = |nodes: usize| {
        let actions = site(nodes);
        let measure = || {
            let start = cpu_ns();
            drop(Dag::new(&actions).unwrap());
            cpu_ns() - start
        };
        (0..3).map(|_| measure()).min().unwrap()
    };
    let (few, many) = (cost(1_000), cost(16_000));
    assert!(many < few * 48, "16 times the nodes cost {} times as much", many / few.max(1));
}

//! Something happened to a machine between a crash and the resume, by somebody's hand: what drydock had begun is told from it by its own evidence.

use std::fmt::Write as _;

use drydock::action::ActionKind;
use drydock::driver::evidence::EVIDENCE;
use drydock::run::{AttemptOutcome, EventKind};
use drydock::sim::{Activity, Moment, Status, World};

use crate::crash::{DESTROYED, UNKNOWN};
use crate::crash_site::{End, FIRST, Site, Story};

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");

#[test]
fn the_table_of_evidence_in_the_documentation_is_that_of_the_code() {
    let listed: Vec<ActionKind> = EVIDENCE.iter().map(|e| e.kind).collect();
    for kind in ActionKind::ALL {
        assert_eq!(listed.iter().filter(|k| *k == kind).count(), 1, "{kind}");
    }
    let mut table = String::from("| action | it has happened if | it is begun (again) if | else |\n|---|---|---|---|\n");
    for row in EVIDENCE {
        writeln!(table, "| `{}` | {} | {} | {} |", row.kind, row.happened, row.begun, row.otherwise).unwrap();
    }
    let text = std::fs::read_to_string(DOC).unwrap();
    let (begin, end) = ("<!-- evidence: made from src/driver/evidence.rs -->\n", "<!-- end of evidence -->");
    let (head, rest) = text.split_once(begin).expect("a begin mark");
    let (found, tail) = rest.split_once(end).expect("an end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOC, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, table, "run this test with UPDATE_DOCS=1");
    }
}

/// A site whose process died at a moment of a call whose text ends like this.
fn died(story: Story, call: &str, moment: Moment) -> Site {
    let site = Site::new(story);
    site.want_ending(call, moment);
    let life = site.go_on(&End::default());
    assert!(life.hit.as_ref().is_some_and(|hit| hit.ends_with(call)), "{:?} {}", life.hit, life.said);
    site
}

/// How the latest attempt of an action of a kind ended.
fn outcome(site: &Site, kind: ActionKind) -> AttemptOutcome {
    let (actions, events) = site.journal();
    let of = |id: &str| actions.iter().any(|a| a.id == id && a.kind == kind);
    let last = events.iter().rev().find_map(|event| match &event.event {
        EventKind::AttemptOutcome { action, outcome, .. } if of(action) => Some(outcome.clone()),
        _ => None,
    });
    last.unwrap_or_else(|| panic!("{kind} has no outcome"))
}

fn is_refused(site: &Site, kind: ActionKind, why: &str) {
    match outcome(site, kind) {
        AttemptOutcome::Refused { message, hint } => assert!(message.contains(why) && hint.is_some(), "{message}"),
        other => panic!("{other:?}"),
    }
}

fn node(world: &mut World) -> &mut drydock::sim::Node {
    world.nodes.values_mut().next().expect("MAAS has the machine")
}

fn times(site: &Site, effect: &str) -> usize {
    site.requests().iter().flat_map(|r| &r.effects).filter(|e| *e == effect).count()
}

/// How often the machine's BMC was asked to switch it off.
fn switched_off(site: &Site) -> usize {
    let off = |op: &str| op.contains("Shutdown") || op.contains("Off");
    site.requests().iter().filter(|r| r.server.starts_with("bmc:") && r.op.as_deref().is_some_and(off)).count()
}

#[test]
fn a_machine_that_somebody_started_again_is_not_switched_off_again() {
    let mut site = died(UNKNOWN, "GracefulShutdown", Moment::AfterEffect);
    // By hand, at its power button, some time later.
    site.change(|world| {
        let machine = world.machines.get_mut("compute01").unwrap();
        (machine.on, machine.running, machine.timer) = (true, Activity::OperatingSystem, None);
        machine.last_reset = Some(machine.last_reset.unwrap_or_default() + 3_600_000);
    });
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(4), "{}", life.said);
    match outcome(&site, ActionKind::PowerOffNode) {
        AttemptOutcome::Failed { class: drydock::action::ErrorClass::Inconclusive, message, hint } => {
            assert!(message.contains("was last started at") && hint.is_some(), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(switched_off(&site), 1);
}

#[test]
fn a_machine_that_stayed_on_is_switched_off() {
    let site = died(UNKNOWN, "GracefulShutdown", Moment::BeforeEffect);
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    assert_eq!(switched_off(&site), 1);
}

/// Somebody took the machine that was released, and deployed it anew with the account that drydock uses.
fn deployed_by_hand(world: &mut World) {
    let node = node(world);
    node.status = Status::Deployed;
    node.owner = Some("admin".to_owned());
    node.owner_data.clear();
    node.installation = Some(node.installation.unwrap_or_default() + 1000);
    (node.release_due, node.timeout_at) = (None, None);
}

#[test]
fn a_machine_that_was_released_and_deployed_anew_by_another_is_not_released_again() {
    let mut site = died(DESTROYED, "release", Moment::AfterEffect);
    site.change(deployed_by_hand);
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(4), "{}", life.said);
    is_refused(&site, ActionKind::DestroyNode, "was released since this run began to release it");
    assert_eq!(times(&site, "release compute01"), 1);
}

#[test]
fn a_machine_that_was_not_released_yet_is_released_once() {
    let site = died(DESTROYED, "release", Moment::BeforeEffect);
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    assert_eq!(times(&site, "release compute01"), 1);
}

#[test]
fn a_machine_that_somebody_else_deployed_meanwhile_is_left_alone() {
    let mut site = died(FIRST, "deploy", Moment::BeforeEffect);
    site.change(deployed_by_hand);
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(4), "{}", life.said);
    is_refused(&site, ActionKind::DeployNode, "was deployed by somebody else");
    assert_eq!(times(&site, "deploy compute01"), 0);
}

#[test]
fn a_commissioning_that_failed_meanwhile_is_told_from_an_earlier_one() {
    let failing = Story { simulate: "faults: [{machine: commissioning_fails, node: compute01, nth: 1}]", ..FIRST };
    // It ran, and failed: that is said, and another resume tries again.
    let site = died(failing, "commission", Moment::AfterEffect);
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(4), "{}", life.said);
    assert!(matches!(outcome(&site, ActionKind::ConfigureHardware), AttemptOutcome::Failed { .. }));
    assert_eq!(times(&site, "commission compute01"), 1);
    // The second one is begun, and the process dies before MAAS hears of it: what MAAS shows is the first one's end, and no reason to give up.
    site.want_ending("commission", Moment::BeforeEffect);
    assert!(site.go_on(&End::default()).hit.is_some());
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    assert_eq!(times(&site, "commission compute01"), 2);
}

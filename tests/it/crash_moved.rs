//! A run that died goes on elsewhere, with another design, with other settings, and after a defect of drydock itself.

use drydock::action::{ActionKind, ErrorClass};
use drydock::run::{AttemptOutcome, EventKind};

use crate::cli_support::copy;
use crate::crash_site::{End, FIRST, Site, Story, calm};

fn dying(failpoints: &str) -> End {
    End { failpoints: failpoints.to_owned(), ..End::default() }
}

#[test]
fn a_run_goes_on_in_a_copy_of_its_folder_on_another_machine() {
    let calm = calm(FIRST);
    let mut site = Site::new(FIRST);
    assert!(site.go_on(&dying("after_event:40")).hit.is_some());
    // All of the world is in its files now.
    site.change(|_| ());
    let folder = tempfile::tempdir().unwrap();
    copy(site.path(), folder.path());
    copy(&site.path().join(".drydock"), &folder.path().join(".drydock"));
    // As if it had died on another machine.
    let state = rusqlite::Connection::open(folder.path().join(".drydock/state.db")).unwrap();
    for table in ["locks", "runs"] {
        assert_eq!(state.execute(&format!("UPDATE {table} SET host = 'elsewhere'"), []).unwrap(), 1);
    }
    let lock: String = state.query_row("SELECT id FROM locks", [], |row| row.get(0)).unwrap();
    drop(state);
    drop(site);
    let copied = Site::of(folder, FIRST);
    // Whether that process still runs cannot be seen from here.
    let life = copied.go_on(&End::default());
    assert!(life.code != Some(0) && life.said.contains(&format!("drydock unlock {lock}")), "{}", life.said);
    let life = copied.live(&["unlock", &lock], &End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    let life = copied.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    let wrong = copied.wrong(&calm);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_run_goes_on_with_its_own_plan_whatever_the_design_and_the_settings_say_by_then() {
    let site = Site::new(FIRST);
    assert!(site.go_on(&dying("after_event:40")).hit.is_some());
    let profiles = site.path().join("design/profiles.yaml");
    let text = std::fs::read_to_string(&profiles).unwrap();
    std::fs::write(&profiles, text.replace("kernel: hwe-22.04", "kernel: ga-22.04")).unwrap();
    site.settings("timeouts: {deploy_node: 90m}\nguards: {max_absent: 1}\n");
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    let world = site.world();
    assert_eq!(world.nodes.values().next().unwrap().hwe_kernel.as_deref(), Some("hwe-22.04"), "the plan's, not the design's");
    // What the design says by now is a change, which nobody allowed yet.
    let life = site.live(&["plan", "--detailed-exitcode"], &End::default());
    assert!(life.code != Some(0) && life.said.contains("ga-22.04"), "{:?} {}", life.code, life.said);
}

#[test]
fn a_defect_within_an_action_costs_that_action_alone() {
    const THREE: Story = Story { name: "three nodes", nodes: 3, ..FIRST };
    let calm = calm(THREE);
    let first = Site::new(THREE);
    assert_eq!(first.go_on(&End::default()).code, Some(0));
    let (actions, _) = first.journal();
    let broken = actions.iter().find(|a| a.kind == ActionKind::ConfigureHardware && a.node.as_deref() == Some("node00002")).unwrap();
    drop(first);

    let site = Site::new(THREE);
    let life = site.go_on(&dying(&format!("panic_in_begin::{}", broken.id)));
    assert_eq!(life.code, Some(4), "{}", life.said);
    assert!(life.said.contains("the action fails, the run goes on"), "{}", life.said);
    let (_, events) = site.journal();
    let outcome = events.iter().find_map(|event| match &event.event {
        EventKind::AttemptOutcome { action, outcome, .. } if *action == broken.id => Some(outcome.clone()),
        _ => None,
    });
    assert!(matches!(outcome, Some(AttemptOutcome::Failed { class: ErrorClass::Bug, .. })), "{outcome:?}");
    let deployed = actions.iter().filter(|a| a.kind == ActionKind::DeployNode).filter(|a| {
        let done = |e: &EventKind| matches!(e, EventKind::AttemptOutcome { action, outcome: AttemptOutcome::Done, .. } if *action == a.id);
        events.iter().any(|e| done(&e.event))
    });
    assert_eq!(deployed.count(), 2, "the other branches went on");
    // No lock stays behind.
    let life = site.go_on(&End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    // The rest of a failure's lines are what the site was asked for.
    let wrong = site.wrong(&calm);
    let other: Vec<&str> = wrong.lines().filter(|l| !l.starts_with("  ") && !l.contains("did not go well")).collect();
    assert!(other.is_empty(), "{other:#?}");
}

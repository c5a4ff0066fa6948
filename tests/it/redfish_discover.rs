//! `drydock discover` shows the parts of machines, over BMCs that make it as hard as the standard allows.

use crate::cli_support::Folder;

/// HTTPS with a certificate of its own, room for one session, collections one member at a time, changes as tasks, reset types elsewhere.
const HARD: &str = "hardware: {bmc_tls: true, bmc_sessions: 1, bmc_page: 1, bmc_tasks: true, bmc_action_info: true}";

fn hard(more: &str) -> Folder {
    let folder = Folder::hello();
    folder.edit("drydock.yaml", "  seed: 1", &format!("  seed: 1\n  {HARD}\n{more}"));
    folder
}

#[test]
fn parts_are_shown_and_written() {
    let folder = hard("  faults: [{node: control01, machine: failed_drive, count: 0}]");
    let shown = folder.run(&["discover", "--out", "build.json"]).expect(0);
    let line = |node: &str| shown.stdout.lines().find(|l| l.starts_with(&format!("{node} "))).unwrap_or_else(|| panic!("{}", shown.stdout));
    assert!(line("compute01").contains("2 (16 cores)  64 GiB"), "{}", shown.stdout);
    assert!(shown.stdout.contains("\ncontrol01: drive ") && shown.stdout.contains(": Critical\n"), "{}", shown.stdout);
    let build: serde_json::Value = serde_json::from_str(&folder.read("build.json")).unwrap();
    let parts = &build["bmcs"]["compute01"]["known"]["inventory"];
    let count = |what: &str| parts[what]["known"].as_array().map_or(0, Vec::len);
    assert_eq!((count("processors"), count("memory")), (2, 2), "{parts:#}");
    assert!(count("nics") >= 2 && count("drives") >= 1, "all pages are read: {parts:#}");
    assert_eq!((parts["bmc_firmware"].as_str(), parts["alarms"].as_array().map(Vec::len)), (Some("1.00"), Some(0)));
    assert!(parts["nics"]["known"][0]["mac"].as_str().is_some_and(|mac| mac.len() == 17), "{parts:#}");
}

#[test]
fn a_site_is_applied_through_demanding_bmcs() {
    let folder = hard("");
    folder.run(&["apply", "--auto-approve", "-q"]).expect(0);
    let after = folder.run(&["plan", "--detailed-exitcode"]).expect(0);
    assert!(after.stdout.to_lowercase().contains("no changes"), "{}", after.stdout);
    // With a machine that has a past there are events.
    folder.run(&["discover", "--out", "build.json", "-q"]).expect(0);
    let build: serde_json::Value = serde_json::from_str(&folder.read("build.json")).unwrap();
    let events = build["bmcs"]["compute01"]["known"]["inventory"]["events"]["known"].as_array().unwrap().clone();
    assert!(events.len() >= 3 && events.len() <= 10, "{events:#?}");
    assert_eq!(events[0]["text"], "The system was switched on.");
    let at: Vec<&str> = events.iter().filter_map(|e| e["at"].as_str()).collect();
    assert!(at.is_sorted() && at.len() == events.len());
}

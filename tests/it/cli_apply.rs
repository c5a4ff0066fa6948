//! apply, resume, destroy, runs, locks: end to end on the simulated example.

use super::cli_support::{Ended, Folder, end};

/// The site is as designed: nothing is planned any more.
#[track_caller]
fn expect_no_changes(site: &Folder) {
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes. hello-site is as its design says."]);
}

/// Requests that changed the world, as the simulated site wrote them down.
fn requests(site: &Folder, path: &str, op: &str) -> usize {
    let all = site.read(".drydock/sim/requests.jsonl");
    all.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|r| r["path"].as_str().is_some_and(|p| p.contains(path)) && r["op"].as_str().unwrap_or_default() == op)
        .count()
}

fn killed(site: &Folder, arguments: &[&str], at: &str) -> Ended {
    let ended = end(site.command(arguments).env("DRYDOCK_FAILPOINT", at));
    assert_eq!(ended.code, -1, "did not die at {at}: {ended:?}");
    ended
}

#[test]
fn a_plan_is_applied_and_the_next_one_is_empty() {
    let site = Folder::hello();
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    let ended = site.run(&["apply", "plan.json"]).expect(0).shows(&["hello-site: success", "50 done", "3 nodes done"]);
    assert!(ended.stderr.starts_with("SIMULATED"), "{}", ended.stderr);
    expect_no_changes(&site);
    // Nobody has to approve nothing.
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["No changes."]);
    // The plan was carried out once, and is stale now.
    site.run(&["apply", "plan.json"]).expect(6).says(&["was applied since the plan was made", "help: plan again"]);
    site.run(&["runs"]).expect(0).shows(&["deploy_nodes", "success"]);
    site.run(&["runs", "show"]).expect(0).shows(&["3 nodes done: compute01, compute02, control01"]);
    let json: serde_json::Value = serde_json::from_str(&site.run(&["runs", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(json["runs"].as_array().map(Vec::len), Some(1));
    site.run(&["state", "show"]).expect(0).shows(&["node.compute01: bound to machine", "subnet.mgmt: created, generation 1"]);
    site.run(&["resume"]).expect(0).shows(&["nothing is left to resume"]);
    site.run(&["runs", "show", "nonsense"]).expect(1).says(&["there is no run `nonsense`"]);
    // Each machine was deployed once, and switched on over its BMC once.
    assert_eq!(requests(&site, "/machines/", "deploy"), 3);
    assert_eq!(requests(&site, "ComputerSystem.Reset", "On"), 3);
    // No credential was kept: not of the design, not of the simulated MAAS.
    let state = std::fs::read(site.path().join(".drydock/state.db")).unwrap();
    assert!(!state.windows(18).any(|w| w == b"hello-bmc-password"));
}

#[test]
fn without_a_terminal_nothing_is_applied_unasked() {
    let site = Folder::hello();
    site.run(&["destroy", "--auto-approve"])
        .expect(6)
        .says(&["the site's name has to be typed, and there is no terminal", "drydock destroy --target SELECTOR --auto-approve"]);
    for arguments in [&["apply"][..], &["destroy", "--target", "node=compute01"]] {
        let ended =
            site.run(arguments).expect(6).says(&["nobody approved the plan, and there is no terminal to ask at", "help: write the plan"]);
        assert_eq!(ended.stdout, "");
    }
    assert!(!site.path().join(".drydock").exists());
}

#[test]
fn events_are_lines_of_json() {
    let site = Folder::hello();
    let ended = site.run(&["apply", "--auto-approve", "--json", "--target", "node=control01", "--goal", "prepare_nodes"]).expect(0);
    let events: Vec<serde_json::Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"]["type"], "run_started");
    assert_eq!(events.last().unwrap()["event"], serde_json::json!({"type": "run_finished", "outcome": "success"}));
    let numbers: Vec<u64> = events.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    site.run(&["plan", "--target", "node=control01", "--goal", "prepare_nodes", "--detailed-exitcode"])
        .expect(0)
        .shows(&["No changes in the selection"]);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let site = Folder::hello();
    // The deployments were begun, and nothing of it was written down.
    killed(&site, &["apply", "--auto-approve"], "after_begin:43");
    let listed = site.run(&["runs"]).expect(0).shows(&["killed"]);
    let run = listed.stdout.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // It keeps others out, and says what to do.
    let refused =
        site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(6).says(&["is not finished", "drydock resume"]);
    assert!(refused.stderr.contains(&run), "{}", refused.stderr);
    site.run(&["resume"]).expect(0).says(&["the run goes on"]).shows(&["hello-site: success"]);
    expect_no_changes(&site);
    assert_eq!(requests(&site, "/machines/", "deploy"), 3);
    assert_eq!(requests(&site, "ComputerSystem.Reset", "On"), 3);
}

#[test]
fn a_lock_can_be_removed() {
    let site = Folder::hello();
    killed(&site, &["apply", "--auto-approve"], "after_event:30");
    let refused = site.run(&["unlock", "l-none"]).expect(1).says(&["there is no lock `l-none`"]);
    let id = refused.stderr.split("held: ").nth(1).unwrap().trim().to_owned();
    site.run(&["unlock", &id]).expect(0).shows(&["is removed"]);
    let listed = site.run(&["runs"]).expect(0);
    let run = listed.stdout.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    site.run(&["runs", "abandon", &run]).expect(0);
    // A new plan sees what the killed run did, and does the rest.
    site.run(&["apply", "--auto-approve"]).expect(0);
    expect_no_changes(&site);
}

#[test]
fn a_signal_ends_a_run_at_a_safe_point() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "commission_ms: 600", "commission_ms: 4000");
    let mut child = site
        .command(&["apply", "--auto-approve"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Wait until the machines are being commissioned.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("configure_hardware")));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("interrupted: nothing new is started")), "{rest:#?}");
    site.run(&["runs"]).expect(0).shows(&["incomplete"]);
    site.run(&["resume"]).expect(0).shows(&["hello-site: success"]);
    expect_no_changes(&site);
}

#[test]
fn one_failed_node_stops_nobody_else_and_is_tried_again() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{node: compute02, machine: deployment_fails}]\n");
    let ended = site.run(&["apply", "--auto-approve"]).expect(4);
    assert!(ended.stdout.contains("compute02") && ended.stdout.contains("deploy_node"), "{}", ended.stdout);
    ended.shows(&["2 nodes done: compute01, control01", "drydock resume"]);
    site.edit("drydock.yaml", "  faults: [{node: compute02, machine: deployment_fails}]\n", "");
    site.run(&["resume"]).expect(0).shows(&["hello-site: success"]);
    expect_no_changes(&site);
}

#[test]
fn nodes_are_released_when_asked_for() {
    let site = Folder::hello();
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(0).shows(&[
        "1 node destroyed",
        "destroy_node",
        "success",
    ]);
    assert_eq!(requests(&site, "/machines/", "release"), 1);
    site.run(&["plan", "--detailed-exitcode"]).expect(2).shows(&["1 ready → deployed, 2 deployed"]);
}

#[test]
fn what_may_be_in_production_is_held_back() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  machines: {compute01: on_unknown}\n");
    let plan = site.run(&["plan"]).expect(0).shows(&["Held back", "node.compute01", "--allow"]);
    assert!(plan.stdout.contains("redeploy"), "{}", plan.stdout);
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["2 nodes done: compute02, control01"]);
    // Nothing is left to do without leave, and that is not the same as no changes.
    site.run(&["plan"]).expect(7).shows(&["Nothing can be done now"]);
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(0);
    expect_no_changes(&site);
}

#[test]
fn a_dead_bmc_is_a_fact() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{node: compute01, machine: bmc_unreachable, count: 0}]\n");
    site.run(&["discover"]).expect(0).shows(&["BMCs: 2 of 3 answered"]).says(&["node.compute01: BMC unknown:"]);
    site.run(&["plan"]).expect(0).shows(&["node.compute01", "2 absent → deployed"]);
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.run(&["plan"]).expect(7);
}

#[test]
fn a_plan_is_for_its_own_site_only() {
    let site = Folder::hello();
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    let other = Folder::hello();
    other.edit("design/region.yaml", "name: hello-site", "name: other-site");
    other.edit("drydock.yaml", "site: hello-site", "site: other-site");
    other.write("plan.json", &site.read("plan.json"));
    other.run(&["apply", "plan.json"]).expect(6).says(&["the plan is for site `hello-site`, and the design is of `other-site`"]);
    // A changed design changes no plan.
    site.edit("design/nodes.yaml", "tags: [control]", "tags: [control, new]");
    site.run(&["apply", "plan.json"]).expect(0).says(&["the design was changed since the plan was made; the plan is applied as it is"]);
    site.run(&["plan"]).expect(0).shows(&["tags.new"]);
    let mut text = site.read("plan.json");
    text.truncate(text.len() / 2);
    site.write("half.json", &text);
    site.run(&["apply", "half.json"]).expect(6).says(&["not a plan file, or cut off"]);
}

#[test]
fn a_state_that_cannot_be_used_is_left_alone() {
    let site = Folder::hello();
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    site.write(".drydock/state.db", "this is no database, but long enough to look like a file that matters to somebody");
    let before = site.read(".drydock/state.db");
    site.run(&["apply", "plan.json"]).expect(1).says(&["state"]);
    assert_eq!(site.read(".drydock/state.db"), before);
}

#[test]
fn a_state_of_a_newer_drydock_is_left_alone() {
    let site = Folder::hello();
    site.run(&["apply", "--auto-approve", "--goal", "prepare_site"]).expect(0);
    let state = rusqlite::Connection::open(site.path().join(".drydock/state.db")).unwrap();
    state.execute("UPDATE meta SET value = 999 WHERE key = 'schema_version'", []).unwrap();
    drop(state);
    for arguments in [&["apply", "--auto-approve"][..], &["plan"], &["resume"], &["runs"]] {
        site.run(arguments).expect(1).says(&["has schema version 999", "use the newer drydock that wrote it"]);
    }
}

#[test]
fn two_applies_are_kept_apart() {
    let site = Folder::hello();
    site.edit("drydock.yaml", "commission_ms: 600", "commission_ms: 3000");
    let mut first = site
        .command(&["apply", "--auto-approve"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(first.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("configure_hardware")));
    site.run(&["apply", "--auto-approve"]).expect(1).says(&["it is running"]);
    lines.for_each(drop);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    expect_no_changes(&site);
}

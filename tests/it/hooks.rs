//! Programs of the site's own around disruptions: when they run, what their failure stops, and what becomes of one that was cut off.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::cli_support::{Ended, Folder, end, unfolded};

const REPLACE: [&str; 4] = ["apply", "--replace", "node=compute01", "--auto-approve"];

/// A deployed site with two hooks: what they do is written by each test.
fn deployed(more: &str) -> Folder {
    let site = Folder::hello();
    let settings = site.read("drydock.yaml");
    let hooks = format!(
        "hooks:\n  before_disrupt:\n    - {{name: drain, run: [./drain.sh, now], environment: {{TOKEN: {{file: token}}}}{more}}}\n  after_healthy:\n    - {{name: uncordon, run: [./uncordon.sh], nodes: 'node=compute*', timeout: 1m}}\n"
    );
    site.write("token", "canary-of-the-hook\n");
    script(&site, "drain.sh", "echo \"$DRYDOCK_PHASE $DRYDOCK_NODE $DRYDOCK_RACK $DRYDOCK_ACTION $1\" >> log; echo told $TOKEN");
    script(&site, "uncordon.sh", "echo \"$DRYDOCK_PHASE $DRYDOCK_NODE\" >> log");
    site.write("drydock.yaml", &format!("{settings}{hooks}"));
    let ended = site.run(&["apply", "--auto-approve"]).expect(0);
    assert!(!ended.stdout.contains("drain"), "a machine that serves nobody is not drained: {}", ended.stdout);
    assert!(!site.path().join("log").exists());
    site
}

fn script(site: &Folder, name: &str, text: &str) {
    let path = site.write(name, &format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn log(site: &Folder) -> Vec<String> {
    std::fs::read_to_string(site.path().join("log")).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn released(site: &Folder) -> usize {
    let all = site.read(".drydock/sim/requests.jsonl");
    all.lines().filter(|line| line.contains("/machines/") && line.contains("\"release\"")).count()
}

const DRAIN: &str = "before_disrupt compute01 rack1 destroy_node now";
const UNCORDON: &str = "after_healthy compute01";

fn no_secret(site: &Folder, ended: &Ended) {
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("canary"), "{ended:?}");
    for file in ["plan.json", ".drydock/state.db", ".drydock/state.db-wal"] {
        let bytes = std::fs::read(site.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(18).any(|w| w == b"canary-of-the-hook"), "{file}");
    }
}

#[test]
fn hooks_are_planned_and_run_before_the_disruption_and_after_it() {
    let site = deployed("");
    site.run(&["plan", "--replace", "node=compute01", "--out", "plan.json"]).expect(0).reads(&[
        "hook after_healthy uncordon: ./uncordon.sh (60 s; 1 node)",
        "hook before_disrupt drain: ./drain.sh now (600 s; 1 node)",
        "run_hook(drain) → destroy_node",
    ]);
    // Whoever reviews it in a pull request, too.
    site.run(&["show", "plan.json", "--format", "markdown"])
        .expect(0)
        .shows(&["hook `before_disrupt drain: ./drain.sh now (600 s; 1 node)`"]);
    let ended = site.run(&["apply", "plan.json", "--json"]).expect(0);
    assert_eq!(log(&site), [DRAIN, UNCORDON]);
    no_secret(&site, &ended);
    let plan = unfolded(&site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout);
    let id = |kind: &str, nth: usize| {
        let of = plan["actions"].as_array().unwrap().iter().filter(|a| a["kind"] == kind);
        of.map(|a| a["id"].as_str().unwrap()).nth(nth).unwrap().to_owned()
    };
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let place =
        |kind: &str, action: &str| events.iter().position(|e| e["event"]["type"] == kind && e["event"]["action"] == action).unwrap();
    let (drain, uncordon) = (id("run_hook", 0), id("run_hook", 1));
    assert!(place("attempt_intent", &drain) < place("attempt_outcome", &drain));
    assert!(place("attempt_outcome", &drain) < place("attempt_intent", &id("destroy_node", 0)));
    assert!(place("attempt_outcome", &id("set_node_boot", 0)) < place("attempt_intent", &uncordon));
    assert_eq!(events[place("attempt_outcome", &drain)]["event"]["outputs"]["output"], "told ***");
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
}

#[test]
fn the_intent_of_a_plan_says_which_programs_run() {
    let site = deployed("");
    let intent = || {
        let plan: Value =
            serde_json::from_str(&site.run(&["plan", "--replace", "node=compute01", "--format", "json"]).expect(0).stdout).unwrap();
        plan["digests"]["intent"].clone()
    };
    let first = intent();
    assert_eq!(intent(), first);
    site.edit("drydock.yaml", "[./drain.sh, now]", "[./drain.sh, later]");
    assert_ne!(intent(), first);
}

#[test]
fn a_hook_that_fails_before_keeps_the_node_and_after_fails_it() {
    let site = deployed("");
    script(&site, "drain.sh", "echo \"tried $DRYDOCK_NODE\" >> log; echo three pods cannot move; exit 3");
    site.run(&REPLACE).expect(4).reads(&[
        "hook `drain` does not let destroy_node of node.compute01 begin: ./drain.sh ended with exit status: 3: three pods cannot move",
    ]);
    assert_eq!((released(&site), log(&site).len()), (0, 1));
    // The operating system that it had still runs.
    site.run(&["plan"]).expect(0).shows(&["3 deployed"]);
    script(&site, "drain.sh", "true");
    script(&site, "uncordon.sh", "echo not ready; exit 1");
    site.run(&["resume"]).expect(4).reads(&["hook `uncordon` does not find node.compute01 in order after destroy_node"]);
    assert_eq!(released(&site), 1);
    script(&site, "uncordon.sh", "echo again >> log");
    site.run(&["resume"]).expect(0).shows(&["success"]);
    // What came before a failed step is not done again.
    assert_eq!((released(&site), log(&site).last().map(String::as_str)), (1, Some("again")));
}

#[test]
fn a_hook_that_was_cut_off_stops_the_run_until_somebody_says_that_it_is_done() {
    let site = deployed("");
    // The hook's parent is drydock: it dies while the hook runs.
    script(&site, "drain.sh", "echo cut >> log; kill -9 $PPID; sleep 1");
    assert_eq!(end(&mut site.command(&REPLACE)).code, -1);
    script(&site, "drain.sh", "echo ran >> log");
    site.run(&["resume"]).expect(4).reads(&["hook `drain`", "not `repeatable`", "drydock runs confirm"]);
    assert_eq!((log(&site), released(&site)), (vec!["cut".to_owned()], 0));
    let run: Value = serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap();
    let id = run["run"].as_str().unwrap();
    site.run(&["runs", "confirm", id, "node.compute02"]).expect(1).says(&["the run has no node `compute02`", "it waits at node.compute01"]);
    site.run(&["runs", "confirm", id, "node.compute01"]).expect(0).shows(&["confirmed: run_hook of node.compute01"]);
    site.run(&["resume"]).expect(0).shows(&["success"]);
    assert_eq!((log(&site), released(&site)), (vec!["cut".to_owned(), UNCORDON.to_owned()], 1));
}

#[test]
fn a_repeatable_hook_that_was_cut_off_runs_again() {
    let site = deployed(", repeatable: true");
    script(&site, "drain.sh", "echo cut >> log; kill -9 $PPID; sleep 1");
    assert_eq!(end(&mut site.command(&REPLACE)).code, -1);
    script(&site, "drain.sh", "echo ran >> log");
    site.run(&["resume"]).expect(0).shows(&["success"]);
    assert_eq!(log(&site), ["cut", "ran", UNCORDON]);
    assert_eq!(released(&site), 1);
}

#[test]
fn a_run_that_is_stopped_waits_for_its_hook_and_a_second_interrupt_kills_it_with_all_that_it_started() {
    let site = deployed("");
    script(&site, "drain.sh", "sleep 1000 & echo $! > child.new; mv child.new child; wait");
    let mut command = site.command(&REPLACE);
    let mut apply = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(apply.stderr.take().unwrap()).lines().map(Result::unwrap);
    let child = until(|| std::fs::read_to_string(site.path().join("child")).ok());
    let interrupt = |pid: u32| assert!(Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
    interrupt(apply.id());
    assert!(said.any(|line| line.contains("stopping at a safe point")));
    assert!(said.any(|line| line.contains("node.compute01 run_hook(drain) for ")));
    assert_eq!(apply.try_wait().unwrap(), None, "it waits");
    interrupt(apply.id());
    let rest: Vec<String> = said.collect();
    assert!(rest.iter().any(|line| line.contains("the run ended: incomplete")), "{rest:#?}");
    assert_eq!(apply.wait().unwrap().code(), Some(5));
    let stat = format!("/proc/{}/stat", child.trim());
    until(|| match std::fs::read_to_string(&stat) {
        Ok(stat) if !stat.rsplit(')').next().unwrap_or_default().trim().starts_with('Z') => None,
        _ => Some(()),
    });
    assert_eq!(released(&site), 0);
}

/// What comes to be before long.
fn until<T>(what: impl Fn() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(found) = what() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it never came to that");
}

#[test]
fn hooks_that_cannot_be_are_refused_with_their_place() {
    let site = Folder::hello();
    let settings = site.read("drydock.yaml");
    for (hooks, says) in [
        ("{before_disrupt: [{name: drain, run: []}]}", "`run` of a hook: the program is missing"),
        ("{before_disrupt: [{name: drain, run: echo}]}", "hooks.before_disrupt[0].run: invalid type: text, expected a sequence"),
        ("{before_disrupt: [{name: 'a b', run: [x]}]}", "`a b` is no name of a hook"),
        ("{before_disrupt: [{name: a, run: [x]}], after_healthy: [{name: a, run: [y]}]}", "two hooks have the name `a`"),
        ("{before_disrupt: [{name: a, run: [x], environment: {DRYDOCK_NODE: {env: X}}}]}", "`DRYDOCK_NODE` cannot be set"),
        ("{before_disrupt: [{name: a, run: [x], environment: {TOKEN: hunter2}}]}", "a secret is never written here"),
        ("{before_disrupt: [{name: a, run: [x], nodes: 'stage=ready'}]}", "cannot depend on the stage"),
        ("{before_distrupt: []}", "did you mean `before_disrupt`?"),
    ] {
        site.write("drydock.yaml", &format!("{settings}hooks: {hooks}\n"));
        let ended = site.run(&["plan"]).expect(1).says(&[says]);
        assert!(ended.stderr.contains("drydock.yaml:") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn what_a_hook_needs_is_there_before_anything_is_begun() {
    let site = deployed("");
    site.run(&["plan", "--replace", "node=compute01", "--out", "plan.json"]).expect(0);
    std::fs::remove_file(site.path().join("token")).unwrap();
    site.run(&["apply", "plan.json"]).expect(1).says(&["`environment.TOKEN` of hook `drain`", "token"]);
    site.edit("drydock.yaml", ", environment: {TOKEN: {file: token}}", "");
    site.run(&["apply", "plan.json"]).expect(6).says(&["the settings no longer say where its value comes from", "plan again"]);
    assert_eq!((log(&site).len(), released(&site)), (0, 0));
}

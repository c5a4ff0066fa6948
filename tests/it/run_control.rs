//! Runs that are interrupted, paused, continued, given up, or lose their terminal: real processes and real signals.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli_support::Folder;
use crate::terminal;

/// A site whose commissioning takes so long, in milliseconds, that something can happen meanwhile.
fn slow(ms: u32) -> Folder {
    let site = Folder::hello();
    site.edit("drydock.yaml", "commission_ms: 600", &format!("commission_ms: {ms}"));
    site
}

/// An apply, and what it says from then on that its machines are commissioned.
fn commissioning(site: &Folder) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut command = site.command(&["apply", "--auto-approve"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Of all three.
    let waits = lines.by_ref().map(Result::unwrap).filter(|line| line.contains("configure_hardware waits")).take(3).count();
    assert_eq!(waits, 3);
    (child, lines)
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn end(mut child: Child, lines: Lines<BufReader<ChildStderr>>) -> (Option<i32>, String) {
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    (child.wait().unwrap().code(), said.join("\n"))
}

fn shown(site: &Folder) -> Value {
    serde_json::from_str(&site.run(&["runs", "show", "--format", "json"]).expect(0).stdout).unwrap()
}

fn until(site: &Folder, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let run = shown(site);
        if is(&run) {
            return run;
        }
        assert!(Instant::now() < deadline, "not {what}: {run:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(run: &Value, kind: &str) -> Vec<String> {
    let actions = run["actions"].as_array().unwrap();
    actions.iter().filter(|a| a["kind"] == kind).map(|a| a["status"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn has(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no {wanted:?} in:\n{text}");
    }
}

#[test]
fn the_first_signal_lists_what_runs_and_for_how_long() {
    for name in ["-INT", "-TERM"] {
        let site = slow(20_000);
        let (child, lines) = commissioning(&site);
        signal(&child, name);
        let (code, said) = end(child, lines);
        assert_eq!(code, Some(5), "{said}");
        has(
            &said,
            &[
                "stopping at a safe point: nothing new is started; under way:",
                "node.compute01 configure_hardware for ",
                "once more to stop at once",
            ],
        );
        let run = shown(&site);
        assert_eq!((run["outcome"].as_str(), run["running"].as_bool()), (Some("incomplete"), Some(false)));
        assert_eq!(status(&run, "configure_hardware"), ["waiting"; 3]);
    }
}

#[test]
fn the_second_signal_stops_at_once() {
    let site = slow(20_000);
    // A server that keeps a call for longer than anybody wants to wait.
    site.edit("drydock.yaml", "  seed: 1\n", "  seed: 1\n  faults: [{server: maas, op: commission, hang_ms: 60000, count: 0}]\n");
    let mut command = site.command(&["apply", "--auto-approve"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("configure_hardware started")));
    std::thread::sleep(Duration::from_secs(1));
    signal(&child, "-INT");
    let mut said = Vec::new();
    for line in lines.by_ref() {
        said.push(line.unwrap());
        if said.last().unwrap().contains("stopping at a safe point") {
            break;
        }
    }
    signal(&child, "-INT");
    let (code, rest) = end(child, lines);
    assert_eq!(code, Some(5), "{said:?} {rest}");
    has(&rest, &["interrupted again: stopping now", "the run ended: incomplete"]);
}

#[test]
fn a_run_is_stopped_from_another_terminal() {
    for (arguments, how) in [(&["runs", "stop"][..], "at a safe point"), (&["runs", "stop", "--now"], "at once")] {
        let site = slow(20_000);
        let (child, lines) = commissioning(&site);
        let asked = site.run(arguments).expect(0).shows(&["is asked to stop", "under way now:", "node.compute01 configure_hardware for "]);
        let (code, said) = end(child, lines);
        assert_eq!(code, Some(5), "{said}");
        has(&said, &[&format!("stopping {how}"), "as ", " asked for"]);
        let id = shown(&site)["run"].as_str().unwrap().to_owned();
        assert!(asked.stdout.contains(&id), "{}", asked.stdout);
        site.run(&["runs", "stop", &id]).expect(1).says(&["is not under way", "drydock resume", "drydock runs abandon"]);
    }
}

#[test]
fn a_paused_run_stays_paused_until_it_is_continued() {
    let site = slow(3_000);
    let (child, lines) = commissioning(&site);
    site.run(&["runs", "pause"]).expect(0).shows(&["is paused: nothing new is started until `drydock runs continue r-", "under way now:"]);
    site.run(&["runs", "pause"]).expect(0).shows(&["is paused already, by "]);
    site.run(&["runs"]).expect(0).shows(&["running, paused"]);
    let run = until(&site, "commissioned", |run| status(run, "configure_hardware").iter().all(|s| s == "done"));
    assert!(run["paused"].is_string(), "{run:#}");
    assert_eq!(status(&run, "interrogate_node"), ["not_reached"; 3], "what runs goes on, and nothing follows");
    site.run(&["runs", "show"]).expect(0).shows(&["paused", "next: drydock runs continue"]);
    // It ends, and is resumed: still paused.
    signal(&child, "-TERM");
    let (code, said) = end(child, lines);
    assert_eq!(code, Some(5), "{said}");
    has(&said, &["paused by ", "nothing new is started until `drydock runs continue`"]);
    site.run(&["runs"]).expect(0).shows(&["incomplete, paused"]);
    let mut command = site.command(&["resume"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("it is paused by ")));
    assert_eq!(status(&shown(&site), "interrogate_node"), ["not_reached"; 3]);
    let id = shown(&site)["run"].as_str().unwrap().to_owned();
    site.run(&["runs", "continue", &id]).expect(0).shows(&["goes on"]);
    let (code, said) = end(child, lines);
    assert_eq!(code, Some(0), "{said}");
    has(&said, &["continued by ", "the run ended: success"]);
    site.run(&["runs", "continue", &id]).expect(1).says(&["is not under way"]);
}

#[test]
fn a_run_outlives_its_terminal() {
    if !terminal::is_there() {
        return;
    }
    let site = slow(2_000);
    // The window is closed when the run has begun: a hangup, and a terminal that takes nothing any more.
    let steps = json!([["(times are UTC)", null]]);
    terminal::run(&site, &steps, &["apply", "--auto-approve"]).expect(0);
    let run = until(&site, "at its end", |run| run["outcome"].is_string());
    assert_eq!(run["outcome"], "success");
}

#[test]
fn a_run_outlives_the_readers_of_its_output() {
    let site = slow(1_500);
    let mut command = site.command(&["apply", "--auto-approve", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("run_started")));
    drop((lines, child.stderr.take()));
    signal(&child, "-HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(shown(&site)["outcome"], "success");
}

/// A site with a run that was killed in the middle.
fn killed() -> Folder {
    let site = Folder::hello();
    let status = site.command(&["apply", "--auto-approve"]).env("DRYDOCK_FAILPOINT", "after_begin:43").output().unwrap().status;
    assert_eq!(status.code(), None, "killed");
    site
}

#[test]
fn an_unfinished_run_is_resumed_abandoned_or_shown_first() {
    let site = killed();
    site.run(&["plan", "--out", "plan.json"]);
    let id = shown(&site)["run"].as_str().unwrap().to_owned();
    let commands = [format!("drydock resume {id}"), format!("drydock runs abandon {id}"), format!("drydock runs show {id}")];
    for arguments in
        [&["apply", "--auto-approve"][..], &["apply", "plan.json"], &["destroy", "--target", "node=compute01", "--auto-approve"]]
    {
        let ended = site.run(arguments).expect(6).says(&["is not finished", "actions done", "begun and not confirmed"]);
        has(&ended.stderr, &commands.each_ref().map(String::as_str));
    }
    let ended =
        site.run(&["runs", "abandon", &id]).expect(0).shows(&["is abandoned, with ", "begun and not confirmed:", " deploy_node for "]);
    has(&ended.stderr, &["drydock plan"]);
    site.run(&["runs", "abandon", &id]).expect(0).shows(&["was abandoned already"]);
    let run = shown(&site);
    assert_eq!(
        (run["outcome"].as_str(), run["abandoned"].as_bool(), run["resumable"].as_bool()),
        (Some("incomplete"), Some(true), Some(false))
    );
    site.run(&["runs"]).expect(0).shows(&["abandoned"]);
    site.run(&["resume", &id]).expect(6).says(&["was abandoned", "drydock plan"]);
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["hello-site: success"]);
    let done = shown(&site)["run"].as_str().unwrap().to_owned();
    site.run(&["runs", "abandon", &done]).expect(1).says(&["came to its end"]);
}

#[test]
fn a_run_that_goes_on_is_not_given_up() {
    let site = slow(20_000);
    let (child, lines) = commissioning(&site);
    let id = shown(&site)["run"].as_str().unwrap().to_owned();
    site.run(&["runs", "abandon", &id]).expect(1).says(&["is under way", &format!("drydock runs stop {id}")]);
    signal(&child, "-TERM");
    assert_eq!(end(child, lines).0, Some(5));
}

#[test]
fn the_person_at_the_terminal_chooses_what_becomes_of_an_unfinished_run() {
    if !terminal::is_there() {
        return;
    }
    let question = "anything else ends: ";
    let site = killed();
    let steps = json!([[question, "no"]]);
    let ended = terminal::run(&site, &steps, &["apply"]).expect(6);
    has(&ended.stdout, &["is not finished: ", "stays as it is; nothing was done"]);
    let steps = json!([[question, "show"], [question, "resume"]]);
    let ended = terminal::run(&site, &steps, &["apply"]).expect(0);
    has(&ended.stdout, &["deploy_node under way at the site", "the run goes on", "success", "left: []"]);
    assert_eq!(shown(&site)["outcome"], "success");

    let site = killed();
    let steps = json!([[question, "abandon"], ["only `yes` is accepted: ", "yes"]]);
    let ended = terminal::run(&site, &steps, &["apply"]).expect(0);
    has(&ended.stdout, &["is abandoned, with ", "Apply this plan?", "left: []"]);
    let runs: Value = serde_json::from_str(&site.run(&["runs", "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2));
}

//! A node without a BMC: the run waits for an operator, who confirms from another process.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use drydock::run::EventKind;
use drydock::store::{SqliteStore, Store as _};
use serde_json::Value;

use crate::cli_support::Folder;

fn folder(timeouts: &str) -> Folder {
    let folder = Folder::hello();
    folder.edit("design/nodes.yaml", "  name: control01\ndata:\n", "  name: control01\ndata:\n  oob: {type: manual}\n");
    folder.edit("design/nodes.yaml", "    tags: [control]\n", "    boot_mac: '52:54:00:12:34:56'\n    tags: [control]\n");
    let settings = folder.read("drydock.yaml");
    folder.write("drydock.yaml", &format!("{settings}\ntimeouts: {{{timeouts}}}\n"));
    folder
}

const TARGET: [&str; 5] = ["--target", "node=control01", "--allow", "redeploy=node=control01", "--auto-approve"];

fn run_id(folder: &Folder) -> Option<String> {
    let ended = folder.run(&["runs", "--format", "json"]);
    let runs: Value = serde_json::from_str(&ended.stdout).ok()?;
    runs["runs"].as_array()?.first()?["run"].as_str().map(str::to_owned)
}

/// Confirms what the node waits for as soon as it waits.
fn confirm(folder: &Folder, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(run) = run_id(folder) {
            let ended = folder.run(&["runs", "confirm", &run, "node.control01"]);
            if ended.code == 0 && ended.stdout.contains(what) {
                return;
            }
            assert!(ended.code != 0, "{what} was to be confirmed, not {}", ended.stdout);
        }
        assert!(Instant::now() < deadline, "the run does not wait for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn spawn(folder: &Folder, arguments: &[&str]) -> Child {
    folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn nothing_of_a_machine_that_nobody_can_see_is_planned_without_leave() {
    let folder = folder("");
    folder.run(&["plan", "--target", "node=control01"]).expect(7).reads(&["it cannot be told whether it is on"]);
}

#[test]
fn without_confirmation_the_time_limit_ends_it() {
    let folder = folder("set_node_boot: 2s");
    let ended = folder.run(&[["apply"].as_slice(), &TARGET].concat()).expect(4);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    let flat = all.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("is not done after 2 s: waiting for an operator: let control01"), "{all}");
    assert!(flat.contains("boot from the network (PXE)") && flat.contains("drydock runs confirm r-"), "{all}");
    // It is too late to confirm.
    let run = run_id(&folder).unwrap();
    folder.run(&["runs", "confirm", &run, "node.control01"]).expect(1).says(&["waits for nobody"]);
    folder.run(&["runs", "confirm", &run, "node.nobody"]).expect(1).says(&["the run has no node `nobody`"]);
}

#[test]
fn confirmations_are_kept_over_a_crash() {
    // Nobody switches a simulated machine without a BMC on, so it is never enlisted.
    let folder = folder("set_node_boot: 5m, power_off_node: 5m, power_on_node: 5m, identify_node: 2s");
    let mut first = spawn(&folder, &[["apply"].as_slice(), &TARGET].concat());
    confirm(&folder, "set_node_boot");
    confirm(&folder, "power_off_node");
    first.kill().unwrap();
    first.wait().unwrap();
    let second = spawn(&folder, &["resume", "--json"]);
    confirm(&folder, "power_on_node");
    let (code, text) = end(second);
    assert_eq!(code, Some(4), "{text}");
    // What was confirmed is in the journal, each once, and was asked for once.
    let run = run_id(&folder).unwrap();
    let store = SqliteStore::open(&folder.path().join(".drydock/state.db"), "hello-site").unwrap();
    let confirmed: Vec<u32> = store
        .events(&run, 0)
        .unwrap()
        .into_iter()
        .filter_map(|e| match e.event {
            EventKind::AttemptOutcome { attempt, outputs, .. } if outputs.contains_key("confirmed_by") => Some(attempt),
            _ => None,
        })
        .collect();
    assert_eq!(confirmed.len(), 3, "{confirmed:?}");
    assert_eq!(store.confirmations(&run).unwrap().len(), 3);
}

#[test]
fn the_person_at_the_terminal_is_asked_and_answers() {
    if !crate::terminal::is_there() {
        return;
    }
    let folder = folder("set_node_boot: 5m, power_off_node: 5m, power_on_node: 5m, identify_node: 2s");
    let typed = "type `control01` and Enter";
    let steps = serde_json::json!([
        [typed, "yes"],
        ["nobody is waited for at `yes`", "control01"],
        ["confirmed by ", ""],
        [typed, "node.control01"],
        [typed, "control01"],
    ]);
    let ended = crate::terminal::run(&folder, &steps, &[&["apply"][..], &TARGET].concat()).expect(4);
    for text in [
        "set_node_boot waiting for an operator: let control01 (rack rack1, console 10.10.0.21, boot MAC 52:54:00:12:34:56) boot from the network (PXE) at its next start",
        "  until 20",
        "power_off_node of node.control01",
        "power_on_node of node.control01",
        "left: []",
    ] {
        assert!(ended.stdout.contains(text), "no {text:?} in {}", ended.stdout);
    }
    let run = run_id(&folder).unwrap();
    let store = SqliteStore::open(&folder.path().join(".drydock/state.db"), "hello-site").unwrap();
    assert_eq!(store.confirmations(&run).unwrap().len(), 3);
}

//! Plans that no longer fit, commands that meet each other, selections, and places that cannot be written.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStderr, Command};

use drydock::sim::Status;

use crate::cli_support::end;
use crate::perturbed_support::{Site, Started, node_mut, read_until};

const ALL: [&str; 3] = ["compute01", "compute02", "control01"];

/// A plan that would deploy `compute01` again.
fn redeployment(site: &Site) {
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=node=compute01"]).expect(0).shows(&["1 node redeployed"]);
}

#[test]
fn a_machine_that_was_switched_on_since_the_plan_is_left_alone() {
    let site = Site::new("");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    site.switch_on("compute01");
    let before = site.now();
    let ended = site.run(&["apply", "plan.json"]).expect(4);
    ended.reads(&[
        "compute01 is on and unknown to the provisioner: it may be in production",
        "hint: the site has changed since the plan was made: plan again",
        "2 nodes done: compute02, control01",
        "next: drydock plan, as the site is not as this plan says",
    ]);
    site.run(&["resume"]).expect(4);
    site.expect_untouched(&before, "compute01");
    site.run(&["plan"]).expect(7).shows(&["--allow redeploy=node=compute01"]);
}

#[test]
fn a_machine_that_somebody_took_since_the_plan_is_left_alone() {
    // Before its first deployment, at each step that would change something.
    for status in [Status::Allocated, Status::Deployed] {
        let site = Site::new("  machines: {compute01: ready}");
        site.run(&["plan", "--out", "plan.json"]).expect(0);
        site.change(|w| {
            let node = node_mut(w, "compute01");
            node.status = status;
            node.owner = Some("other-team".into());
        });
        let before = site.now();
        let ended = site.run(&["apply", "plan.json"]).expect(4).shows(&["2 nodes done: compute02, control01", "refused"]);
        ended.reads(&["owned by other-team: it was not taken by drydock for this site", "hint: ask its owner"]);
        site.expect_untouched(&before, "compute01");
        site.run(&["plan", "--detailed-exitcode"]).expect(7).reads(&["owned by other-team"]);
    }
    // And before its second.
    let site = Site::applied();
    redeployment(&site);
    site.change(|w| {
        let node = node_mut(w, "compute01");
        node.owner = Some("other-team".into());
        node.owner_data.clear();
    });
    let before = site.now();
    site.run(&["apply", "plan.json"]).expect(4).reads(&["destroy_node", "owned by other-team: it was not taken by drydock for this site"]);
    site.expect_untouched(&before, "compute01");
}

#[test]
fn a_machine_that_was_locked_since_the_plan_is_not_released() {
    let site = Site::applied();
    redeployment(&site);
    site.change(|w| node_mut(w, "compute01").locked = true);
    let before = site.now();
    site.run(&["apply", "plan.json"]).expect(4).reads(&["machine compute01", "is locked", "hint: unlock it in MAAS"]);
    site.expect_untouched(&before, "compute01");
    // What was refused once is not refused for ever.
    site.change(|w| node_mut(w, "compute01").locked = false);
    site.run(&["resume"]).expect(0);
    assert_eq!(site.world().machines["compute01"].installed.as_ref().map(|i| i.kernel.as_str()), Some("ga-22.04"));
    assert_eq!((site.effects(&before, "release", "compute01"), site.effects(&before, "deploy", "compute01")), (1, 1));
}

#[test]
fn what_somebody_else_did_meanwhile_is_not_done_again() {
    let site = Site::new("  machines: {compute01: new}");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    // Another drydock of the same site has got that far.
    let other = Site::new("  machines: {compute01: new}");
    other.run(&["apply", "--auto-approve", "--goal", "prepare_nodes"]).expect(0);
    site.change(|w| *w = other.world());
    let before = site.now();
    site.run(&["apply", "plan.json"]).expect(0);
    site.expect_as_designed();
    for machine in ALL {
        let asked = |op: &str| site.requests_to(&before, machine).iter().filter(|r| r.op.as_deref() == Some(op)).count();
        assert_eq!((asked("commission"), asked("On"), asked("deploy")), (0, 0, 1), "{machine}");
    }
}

#[test]
fn plans_that_are_not_as_they_were_written_are_refused() {
    let site = Site::applied();
    redeployment(&site);
    let text = site.folder().read("plan.json");
    let before = site.now();
    let edits: [(&str, String, &str); 7] = [
        ("another kernel", text.replacen("ga-22.04", "ga-24.04", 1), "digest"),
        ("more nodes", text.replace("compute01", "compute02"), "digest"),
        ("another limit", text.replacen("\"parallelism\":32", "\"parallelism\":9", 1), "digest"),
        ("a truncated one", text[..text.len() - 40].to_owned(), "not a plan file, or cut off"),
        ("an empty one", String::new(), "not a plan file, or cut off"),
        ("another thing", "{\"kind\": \"List\"}".to_owned(), "not a plan file"),
        ("a newer one", text.replacen("\"format\":1", "\"format\":99", 1), "format 99"),
    ];
    for (what, edited, said) in edits {
        assert_ne!(edited, text, "{what}");
        site.folder().write("edited.json", &edited);
        for command in ["apply", "show"] {
            let ended = site.run(&[command, "edited.json"]).expect(6).says(&[said, "at: edited.json", "drydock plan"]);
            assert_eq!(ended.stdout, "", "{what}");
        }
    }
    site.expect_no_requests(&before);
}

#[test]
fn a_plan_is_applied_once() {
    let site = Site::applied();
    redeployment(&site);
    site.simulate("  faults: [{node: compute01, machine: deployment_fails}]");
    let before = site.now();
    site.run(&["apply", "plan.json"]).expect(4);
    let after = site.now();
    let refused = ["was applied since the plan was made", "help: plan again; to go on with an interrupted run use `drydock resume`"];
    site.run(&["apply", "plan.json"]).expect(6).says(&refused);
    site.expect_no_requests(&after);
    site.run(&["resume"]).expect(0);
    assert_eq!(site.effects(&before, "deploy", "compute01"), 2);
    let after = site.now();
    site.run(&["apply", "plan.json"]).expect(6).says(&refused);
    // Nor does a plan made beside it count any more.
    site.run(&["resume"]).expect(0).shows(&["nothing is left to resume"]);
    site.expect_no_requests(&after);
}

#[test]
fn a_plan_for_another_provisioner_is_refused() {
    let site = Site::new("");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    let other = Site::new("  seed: 2");
    other.folder().write("plan.json", &site.folder().read("plan.json"));
    let before = other.now();
    let ended = other.run(&["apply", "plan.json"]).expect(6);
    ended.says(&[
        "the plan was made with maas at the simulated site (region ",
        "now the simulated site (region ",
        "help: use the settings",
    ]);
    other.expect_no_requests(&before);
}

#[test]
fn an_interrupted_run_ends_at_a_safe_point_and_goes_on() {
    let site = Site::new("  faults: [{machine: slow, factor: 40}]");
    let before = site.now();
    let mut run = site.start(&["apply", "--auto-approve"]);
    let mut rest = run.until("configure_hardware");
    run.signal("-INT");
    let mut said = String::new();
    rest.read_to_string(&mut said).unwrap();
    assert_eq!(run.code(), Some(5), "{said}");
    assert!(said.contains("interrupted: nothing new is started"), "{said}");
    assert_eq!(ALL.map(|m| site.effects(&before, "deploy", m)), [0, 0, 0]);
    site.simulate("");
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
    for machine in ALL {
        let asked = |op: &str| site.requests_to(&before, machine).iter().filter(|r| r.op.as_deref() == Some(op)).count();
        assert_eq!((asked("On"), asked("commission"), asked("deploy")), (1, 1, 1), "{machine}");
    }
}

/// A run that waits for machines whose commissioning does not end.
fn waiting() -> (Site, Started, BufReader<ChildStderr>) {
    let site = Site::new("  faults: [{machine: commissioning_hangs, count: 0}]");
    let mut run = site.start(&["apply", "--auto-approve"]);
    let mut rest = run.until("configure_hardware waits");
    for _ in 1..ALL.len() {
        read_until(&mut rest, "configure_hardware waits");
    }
    (site, run, rest)
}

#[test]
fn a_second_interrupt_stops_at_once_and_loses_nothing() {
    let (site, mut run, mut rest) = waiting();
    let before = site.requests();
    run.signal("-INT");
    read_until(&mut rest, "interrupted");
    run.signal("-INT");
    assert_eq!(run.code(), Some(5));
    site.simulate("");
    // What hung is over when MAAS says so.
    site.change(|w| w.nodes.values_mut().for_each(|n| n.timeout_at = n.timeout_at.map(|_| 1)));
    // Nobody is there who could say what is to become of the run.
    site.run(&["apply", "--auto-approve"]).expect(6).says(&["is not finished", "drydock resume", "drydock runs abandon"]);
    let known = site.run(&["runs"]).expect(0).stdout;
    let id = known.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    site.run(&["runs", "abandon", id]).expect(0);
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
    let deployed = |r: &&drydock::sim::RequestRecord| r.op.as_deref() == Some("deploy");
    assert_eq!((before.iter().filter(deployed).count(), site.requests().iter().filter(deployed).count()), (0, 3));
}

#[test]
fn the_lock_names_who_holds_it() {
    let (site, mut run, mut rest) = waiting();
    let before = site.requests().len();
    let known = site.run(&["runs"]).expect(0).stdout;
    let id = known.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let holder = format!("(pid {})", run.0.id());
    for arguments in [&["apply", "--auto-approve"][..], &["resume"]] {
        let ended = site.run(arguments).expect(1).says(&["is locked by run", &id, &holder, "it is running; wait until it ends"]);
        // To remove the lock is not what is advised.
        assert!(!ended.stderr.contains("drydock unlock"), "{}", ended.stderr);
    }
    // Others may look meanwhile, and change nothing.
    site.run(&["plan"]).expect(0).shows(&["3 commissioning → deployed"]);
    site.run(&["destroy", "--auto-approve", "--target", "node=compute01"]).expect(7).shows(&["its machine is Commissioning"]);
    assert_eq!(site.requests().len(), before);
    run.signal("-INT");
    read_until(&mut rest, "interrupted");
    run.signal("-INT");
    assert_eq!(run.code(), Some(5));
    // Its lock went with it.
    site.run(&["unlock", "l-none"]).expect(1).says(&["nothing is locked"]);
}

#[test]
fn selections_that_nothing_can_match_are_refused() {
    let site = Site::applied();
    let before = site.now();
    for target in
        ["rack=nope", "tag=none", "stage=deployd", "label.role=king", "node=compute01 && node=compute02", "node=compute01 && !rack=rack1"]
    {
        for arguments in [&["plan", "--target", target][..], &["destroy", "--auto-approve", "--target", target]] {
            site.run(arguments).expect(64).says(&[&format!("--target: no node of the design matches `{target}`")]);
        }
    }
    // Stages come and go.
    site.run(&["plan", "--detailed-exitcode", "--target", "stage=absent"]).expect(0).shows(&["No changes in the selection."]);
    site.expect_no_requests(&before);
}

#[test]
fn huge_selections_are_no_trouble() {
    let site = Site::applied();
    let many = format!("{}node=compute02", "node=compute01 || ".repeat(5000));
    let (plan, code) = site.plan(&["--target", &many]);
    assert_eq!(code, 0);
    let nodes: Vec<&String> = plan["nodes"].as_object().unwrap().keys().collect();
    assert_eq!(nodes, ["compute01", "compute02"]);
    site.run(&["plan", "--target", &"(".repeat(50_000)]).expect(64).says(&["--target: selector"]);
    site.run(&["plan", "--target", &"!".repeat(50_000)]).expect(64).says(&["--target: selector"]);
}

#[test]
fn a_state_that_cannot_be_written_is_told_before_anything_is_done() {
    let site = Site::new("");
    site.folder().write("file", "no folder");
    site.settings("state: file/state.db", "");
    let before = site.requests().len();
    let ended = end(site.folder().command(&["apply", "--auto-approve"]).arg("-q"));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("file/state.db") || ended.stderr.contains("file/sim"), "{ended:?}");
    assert_eq!(site.requests().len(), before);
    assert_eq!(site.folder().read("file"), "no folder");
    // A file where the state should be that is not one.
    let site = Site::applied();
    std::fs::remove_file(site.path().join(".drydock/state.db")).unwrap();
    std::fs::create_dir(site.path().join(".drydock/state.db")).unwrap();
    let before = site.now();
    site.folder().edit("design/profiles.yaml", "team: platform", "team: metal");
    site.run(&["apply", "--auto-approve"]).expect(1).says(&["cannot open the state .drydock/state.db", "`state:` in drydock.yaml"]);
    site.expect_no_requests(&before);
}

/// The largest size of a file that a command may write, in KiB: a disk that fills up.
#[cfg(unix)]
fn with_little_disk(site: &Site, kib: u32, arguments: &str) -> crate::cli_support::Ended {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec {} {arguments}", kib, env!("CARGO_BIN_EXE_drydock"));
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).current_dir(site.path()).stdin(std::process::Stdio::null());
    end(&mut command)
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_stops_the_run_and_loses_nothing() {
    let site = Site::new("");
    let before = site.now();
    // The simulated site has a disk of its own.
    let mut sim = site.start(&["sim"]);
    let mut line = String::new();
    BufReader::new(sim.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("maas"), "{line}");
    let ended = with_little_disk(&site, 180, "apply --auto-approve");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("state.db") && ended.stderr.contains("drydock resume"), "{}", ended.stderr);
    let begun = site.requests().len();
    // The disk has room again.
    site.run(&["resume"]).expect(0);
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes."]);
    sim.signal("-TERM");
    assert_eq!(sim.code(), Some(0));
    assert!(begun > 0);
    for machine in ALL {
        assert_eq!((site.effects(&before, "deploy", machine), site.effects(&before, "commission", machine)), (1, 1), "{machine}");
    }
    site.expect_as_designed();
}

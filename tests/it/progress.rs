//! A run while it goes on, as people see it: on pseudo-terminals, on terminals that cannot move their cursor, and in logs.

use std::process::{Child, Stdio};

use super::cli_support::Folder;
use super::pty::Pty;
use super::sharing::generate_site;

/// The program, with this terminal as its output.
fn on(pty: &Pty, site: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
    let mut command = site.command(arguments);
    command.env("TERM", "xterm").envs(environment.iter().copied());
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    command.stdout(end()).stderr(end()).spawn().unwrap()
}

/// Lines that are the bar.
fn bars(screen: &str) -> usize {
    screen.lines().filter(|l| l.starts_with('[') && l.contains(" actions  ")).count()
}

/// The live line of a node.
fn line_of<'a>(screen: &'a str, node: &str) -> Option<&'a str> {
    screen.lines().find(|l| l.starts_with(&format!("  {node} ")))
}

fn slow() -> Folder {
    let site = Folder::hello();
    site.edit("drydock.yaml", "commission_ms: 600", "commission_ms: 2500");
    site
}

#[test]
fn a_terminal_has_a_line_for_each_node_and_a_bar() {
    let site = slow();
    let pty = Pty::open(24, 80);
    let mut child = on(&pty, &site, &["apply", "--auto-approve"], &[]);
    let live = pty.wait("three nodes at once", |s| {
        ["compute01", "compute02", "control01"].iter().all(|n| line_of(s, n).is_some_and(|l| l.contains(" configure_hardware ")))
    });
    assert_eq!(bars(&live), 1, "{live}");
    let line = line_of(&live, "compute01").unwrap();
    assert!(line.contains("/10 configure_hardware "), "its step of all steps: {line}");
    assert!(line.contains(" of ~"), "how long it takes: {line}");
    let drawn: Vec<&str> = live.lines().skip_while(|l| !l.starts_with("  co")).collect();
    assert!(drawn.len() >= 5 && drawn.iter().all(|l| l.chars().count() < 80), "{live}");
    assert!(live.contains(" so far"), "{live}");
    // A larger terminal is used as it is.
    pty.resize(50, 200);
    pty.wait("a wider bar", |s| s.lines().any(|l| l.starts_with('[') && l.find(']').is_some_and(|end| end > 30)));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let end = pty.wait("the summary", |s| s.contains("hello-site: success"));
    assert_eq!(bars(&end), 0, "no live line is left:\n{end}");
    assert!(end.contains("3 nodes done: compute01, compute02, control01") && end.contains("slowest: "), "{end}");
    // A second run knows from the first how long things take.
    let pty = Pty::open(24, 80);
    let mut child = on(&pty, &site, &["destroy", "--target", "node=compute01", "--auto-approve"], &[("NO_COLOR", "1")]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    pty.wait("the summary", |s| s.contains("hello-site: success"));
    let written = pty.written();
    let colours = written.split('\u{1b}').skip(1).filter(|rest| rest.chars().find(char::is_ascii_alphabetic) == Some('m')).count();
    assert_eq!(colours, 0, "{written:?}");
}

#[test]
fn what_a_signal_says_stands_above_the_live_view() {
    let site = slow();
    let pty = Pty::open(24, 100);
    let mut child = on(&pty, &site, &["apply", "--auto-approve"], &[]);
    // The outline of the plan, which is still to be seen at first, has arrows between its steps.
    pty.wait("commissioning", |s| s.lines().any(|l| l.contains(" configure_hardware ") && !l.contains('→')) && bars(s) == 1);
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let told = pty.wait("what the signal does", |s| s.lines().any(|l| l.starts_with("interrupted: nothing new is started")));
    assert!(bars(&told) <= 1, "the bar is drawn anew below it:\n{told}");
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let end = pty.wait("the summary", |s| s.contains("drydock resume"));
    assert_eq!(bars(&end), 0, "{end}");
}

#[test]
fn a_dumb_terminal_and_a_log_get_lines() {
    let site = Folder::hello();
    let pty = Pty::open(24, 80);
    let mut child = on(&pty, &site, &["apply", "--auto-approve"], &[("TERM", "dumb")]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    pty.wait("the summary", |s| s.contains("hello-site: success"));
    let written = pty.written();
    assert!(!written.contains('\u{1b}'), "{written:?}");
    assert!(written.contains("] node.compute01 deploy_node done in "), "{written}");
    // One line for each thing that happens, none for each look at the site.
    let log = Folder::hello().run(&["apply", "--auto-approve"]).expect(0).stderr;
    let deployments = log.lines().filter(|l| l.contains("node.compute01 deploy_node")).count();
    assert!((2..=4).contains(&deployments), "started, waits, done:\n{log}");
    assert!(log.lines().count() < 120, "{log}");
}

#[test]
#[ignore = "minutes: two thousand simulated nodes"]
fn two_thousand_nodes_fit_on_a_terminal() {
    let site = Folder::empty();
    site.write("design/site.yaml", &generate_site::site(2000));
    let settings = "site: generated\ndesign: [design]\ndrivers: {maas: {owns_region: true}, oob: {override: redfish}}\n\
        limits: {nodes_in_flight: 300, power_ups_per_rack: 40, unavailable_per_rack: 40}\n\
        simulate: {images_present: true, durability: lazy, timing: {post_ms: 0, commission_ms: 3000, deploy_ms: 3000}}\n";
    site.write("drydock.yaml", settings);
    site.run(&["plan", "--out", "plan.json", "-q"]).expect(0);
    let mut pty = Pty::open(24, 80);
    pty.patience = std::time::Duration::from_secs(900);
    let mut child = on(&pty, &site, &["apply", "plan.json"], &[]);
    let mut frames = Vec::new();
    let full = |s: &str| s.contains(" more: ") && s.lines().any(|l| l.starts_with('[') && l.contains("/2000 nodes"));
    for percent in [1, 10, 50, 90] {
        let screen = pty.wait("the bar", |s| {
            let done = s.lines().find(|l| l.starts_with('[')).and_then(|l| l.split("] ").nth(1)?.split(" %").next()?.trim().parse().ok());
            full(s) && done >= Some(percent)
        });
        assert_eq!((bars(&screen), screen.lines().count()), (1, 23), "{screen}");
        frames.push(screen);
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let end = pty.wait("the summary", |s| s.contains("generated: success"));
    assert_eq!(bars(&end), 0, "{end}");
    eprintln!("{}\n{} bytes were written to the terminal", frames.join("\n"), pty.written().len());
}

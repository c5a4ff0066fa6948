//! Everything goes wrong at once, all the time: MAAS and BMCs fail in each way that there is, some BMCs are slow, one is dead, MAAS goes away and comes back.
//! The run comes to its end within its time limits, with the outcome that is true, and with no more memory than it needs.

use std::io::Read as _;
use std::time::{Duration, Instant};

use drydock::action::ActionKind;
use drydock::run::{NodeOutcome, RunOutcome, RunState};
use drydock::sim::{FaultRule, Moment, Status};

use crate::crash_site::{End, FIRST, Site, Story, calm, once};

/// This node's BMC dies when the run has begun.
const DEAD: &str = "node00005";

const SHORT: Story = Story { name: "a soak", nodes: 12, ..FIRST };
const LONG: Story = Story { nodes: 200, ..SHORT };

/// So many of a hundred requests fail, in four ways.
fn faults(percent: u32) -> Vec<FaultRule> {
    let rule = |server: &str, percent: u32| FaultRule {
        server: Some(server.to_owned()),
        count: 0,
        percent: percent.max(1),
        ..FaultRule::default()
    };
    let mut rules = vec![FaultRule { node: Some(DEAD.to_owned()), drop: Some(Moment::BeforeEffect), ..rule("bmc", 100) }];
    for server in ["maas", "bmc"] {
        rules.push(FaultRule { status: Some(503), retry_after_s: Some(0), ..rule(server, percent / 3) });
        rules.push(FaultRule { status: Some(500), body: Some("Traceback".to_owned()), ..rule(server, percent / 6) });
        rules.push(FaultRule { drop: Some(Moment::BeforeEffect), ..rule(server, percent / 3) });
        rules.push(FaultRule { drop: Some(Moment::AfterEffect), ..rule(server, percent / 6) });
    }
    rules.push(FaultRule { node: Some("node0000[1-4]".to_owned()), hang_ms: Some(150), ..rule("bmc", 100) });
    rules
}

/// Resident memory of a process in KiB.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

fn soak(story: Story, percent: u32, restarts: u32, limit: Duration) {
    let mut site = Site::new(story);
    // Those of the dead one end soon, so that the run does; where much fails, a few attempts more have to have a place in them.
    let short = if percent < 10 { "25s" } else { "2m" };
    site.settings(&format!(
        "timeouts: {{set_node_boot: {short}, power_on_node: {short}, identify_node: 2m, configure_hardware: 3m, deploy_node: 3m}}\n"
    ));
    // What a plan is made from is read while nothing fails, so that every node is in it.
    let file = site.path().join("plan.json").display().to_string();
    let life = site.live(&["plan", "--out", &file], &End::default());
    assert_eq!(life.code, Some(0), "{}", life.said);
    let started = Instant::now();
    let mut child = site.start(&["apply", &file], &End::default());
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        text
    });
    let mut err = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    while !site.has_run() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(started.elapsed() < limit, "it does not begin");
    }
    site.set_faults(faults(percent));
    let (mut memory, mut restarted) = (Vec::new(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        memory.extend(resident(child.id()));
        std::thread::sleep(Duration::from_millis(100));
        // MAAS and the BMCs go away, and come back.
        if restarted < restarts && started.elapsed() > Duration::from_secs(3) * (restarted + 1) {
            site.restart(Duration::from_millis(700));
            site.set_faults(faults(percent));
            restarted += 1;
        }
        if started.elapsed() > limit {
            let _ = child.kill();
            panic!("it has not ended in {limit:?}");
        }
    };
    let said = format!("{}{}", reader.join().unwrap(), errors.join().unwrap());
    let (actions, events) = site.journal();
    let state = RunState::fold(&actions, &events).unwrap();
    let shown = said.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    assert_eq!(status.code(), Some(4), "{shown}");
    assert_eq!(state.outcome(), RunOutcome::PartialSuccess);
    // The dead one failed, and every other one is deployed, as the site shows.
    let world = site.world();
    for (node, NodeOutcome { outcome, .. }) in state.node_outcomes() {
        let about = || said.lines().filter(|line| line.contains(node.as_str())).collect::<Vec<_>>().join("\n");
        assert_eq!(outcome == RunOutcome::Success, node != DEAD, "{node}: {outcome:?}\n{}\n{shown}", about());
        let deployed = world.nodes.values().any(|n| n.machine.as_deref() == Some(node.as_str()) && n.status == Status::Deployed);
        assert_eq!(deployed, node != DEAD, "{node}");
    }
    let twice: Vec<_> = once(&site.requests()).into_iter().filter(|(effect, times)| *times > 1 && !effect.starts_with("power_")).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // Nobody waited longer than the limits say.
    for action in actions.iter().filter(|a| matches!(a.kind, ActionKind::DeployNode | ActionKind::ConfigureHardware)) {
        let task = state.find(&action.id).unwrap();
        if let (Some(begun), Some(ended)) = (task.started_ms, task.ended_ms) {
            assert!(ended - begun <= u64::from(action.timeout_s) * 1000 + 5000, "{} of {}", action.kind, action.resource);
        }
    }
    // What it needs is there when it has begun; the second half needs hardly more than the first.
    let half = memory.len() / 2;
    let (first, second) = (memory[..half].iter().max().copied().unwrap_or(0), memory[half..].iter().max().copied().unwrap_or(0));
    assert!(second <= first + first / 4 + 8192, "{first} KiB, then {second} KiB");
    eprintln!(
        "{} nodes, {percent} % of everything fails: {} events in {:.1} s, {restarted} restarts, {} MiB at most in the first half, {} MiB in the second",
        story.nodes,
        events.len(),
        started.elapsed().as_secs_f32(),
        first / 1024,
        second / 1024
    );
}

#[test]
fn a_site_where_everything_fails_now_and_then_is_deployed() {
    soak(SHORT, 4, 1, Duration::from_mins(3));
}

#[test]
#[ignore = "takes minutes; run alone: cargo test --release --test it -- --ignored --nocapture --test-threads 1 two_hundred_nodes"]
fn two_hundred_nodes_are_deployed_where_a_hundredth_of_everything_fails() {
    soak(LONG, 1, 4, Duration::from_mins(20));
}

#[test]
#[ignore = "takes minutes; run alone, as that of a hundredth"]
fn two_hundred_nodes_are_deployed_where_a_tenth_of_everything_fails() {
    soak(LONG, 10, 4, Duration::from_mins(20));
}

#[test]
#[ignore = "takes minutes; run alone, as that of a hundredth"]
fn two_hundred_nodes_are_deployed_where_a_fifth_of_everything_fails() {
    soak(LONG, 20, 4, Duration::from_mins(20));
}

#[test]
fn a_disk_that_is_full_stops_a_run_that_goes_on_when_there_is_space_again() {
    // The limit of a file's size is met as a full disk is, and needs no privilege; a process that ignores the signal is told by the system.
    const LIMITED: &str = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); \
                           resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); os.execv(sys.argv[2], sys.argv[2:])";
    let calm = calm(FIRST);
    let mut stopped = 0;
    for kib in [100, 200, 300, 450] {
        let site = Site::new(FIRST);
        let mut command = std::process::Command::new("python3");
        command.args(["-c", LIMITED, &(kib * 1024).to_string(), env!("CARGO_BIN_EXE_drydock"), "-C"]).arg(site.path()).args(FIRST.command);
        let output = command.env_remove("DRYDOCK_FAILPOINT").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{:?} {said}", output.status);
        if output.status.code() == Some(1) {
            stopped += usize::from(site.has_run());
            assert!(said.contains("error:") && !said.contains("internal error"), "{said}");
        }
        let life = site.go_on(&End::default());
        assert_eq!(life.code, Some(0), "{}", life.said);
        let wrong = site.wrong(&calm);
        assert!(wrong.is_empty(), "{kib} KiB: {wrong}");
    }
    assert!(stopped > 0, "no run met the limit");
}

#[test]
fn a_clock_that_jumps_neither_ends_a_run_nor_repeats_anything() {
    const FAKED: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    if !std::path::Path::new(FAKED).exists() {
        assert!(std::env::var_os("CI").is_none(), "libfaketime is needed (Debian: libfaketime)");
        eprintln!("skipped: libfaketime is not installed");
        return;
    }
    let calm = calm(FIRST);
    let site = Site::new(FIRST);
    let clock = site.path().join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let mut command = site.command(FIRST.command);
    command
        .env("LD_PRELOAD", FAKED)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut child =
        command.env("DONT_FAKE_MONOTONIC", "1").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut jumped = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(60));
        jumped += 1;
        // Further each time, and back again.
        std::fs::write(&clock, if jumped % 2 == 1 { format!("+{}h", 5 * jumped) } else { format!("-{}h", 3 * jumped) }).unwrap();
    };
    assert_eq!(status.code(), Some(0));
    assert!(jumped > 5, "{jumped} jumps");
    let (_, events) = site.journal();
    assert!(events.windows(2).all(|w| w[0].at_ms <= w[1].at_ms), "time in a journal goes forwards");
    assert!(events.last().unwrap().at_ms - events[0].at_ms > 3_600_000, "the clock has jumped");
    // A jump looks as if the process had stood still past its lease: calls are cut off, and made again.
    let wrong = site.wrong(&calm);
    let other: Vec<&str> = wrong.lines().filter(|l| !l.starts_with("  ") && !l.contains("the lease on the site's lock ended")).collect();
    assert!(other.is_empty(), "{other:#?}");
}

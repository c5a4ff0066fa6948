//! A whole site over the wire: the built program plans and applies a generated site whose machines and MAAS are simulated by another process. Nothing is
//! left out: drivers, HTTP, JSON, journal, progress. Both processes share this machine, so the CPU time of each is told.
//!
//! `cargo bench --bench simulated [-- NODES MILLISECONDS PARALLELISM]`

#![allow(clippy::print_stdout)]

#[path = "../examples/generate_site.rs"]
#[allow(dead_code)]
mod generate_site;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Instant;

/// CPU seconds of a process (Linux; clock ticks are 1/100 s): its own, and of children that have ended.
fn cpu_seconds(pid: &str) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    (ticks(11) + ticks(12), ticks(13) + ticks(14))
}

/// The program; another build of it for profiling.
fn program() -> String {
    std::env::var("DRYDOCK").unwrap_or_else(|_| env!("CARGO_BIN_EXE_drydock").to_owned())
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end: seconds, CPU seconds, what it printed.
fn run(folder: &Path, arguments: &[&str]) -> (f64, f64, String) {
    let (before, start) = (cpu_seconds("self").1, Instant::now());
    let log = File::create(folder.join("stderr.log")).expect("a log");
    let output = command(folder, arguments).stderr(log).output().expect("drydock runs");
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds("self").1 - before);
    let log = std::fs::read_to_string(folder.join("stderr.log")).unwrap_or_default();
    let end = log.lines().rev().take(20).collect::<Vec<_>>();
    assert!(output.status.success(), "{arguments:?}: {}: {end:#?}", output.status);
    (took, cpu, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The simulated site of a folder, in a process of its own.
struct Simulated {
    child: Child,
    messages: BufReader<ChildStderr>,
}

impl Simulated {
    fn start(folder: &Path) -> Self {
        let mut child = command(folder, &["sim"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the simulated site starts");
        let mut messages = BufReader::new(child.stderr.take().expect("its messages"));
        let mut line = String::new();
        while !line.contains("Ctrl-C ends them") {
            line.clear();
            assert!(messages.read_line(&mut line).expect("its messages") > 0, "the simulated site did not start");
        }
        Self { child, messages }
    }

    fn cpu(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string()).0
    }

    fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    /// Ends it; how many requests it has answered.
    fn end(mut self) -> u64 {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let mut said = String::new();
        let _ = self.messages.read_to_string(&mut said);
        let count = said.split(" requests were answered").next().and_then(|text| text.rsplit(' ').next()?.parse().ok());
        count.unwrap_or_else(|| panic!("no number of requests in {said:?}"))
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (nodes, effect_ms, parallelism) = match numbers[..] {
        [nodes, effect_ms, parallelism] => (nodes, effect_ms, parallelism),
        _ => (1_000, 50, 256),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::create_dir(folder.join("design")).expect("a folder");
    std::fs::write(folder.join("design/site.yaml"), generate_site::site(nodes)).expect("a design");
    let settings = format!(
        "site: generated\ndesign: [design]\ndrivers: {{maas: {{owns_region: true}}, oob: {{override: redfish}}}}\n\
         limits: {{nodes_in_flight: {nodes}, parallelism: {parallelism}, power_ups_per_rack: {nodes}, unavailable_per_rack: {nodes}, max_failures: {nodes}}}\n\
         simulate:\n  images_present: true\n  durability: lazy\n  \
         timing: {{power_ms: {effect_ms}, post_ms: 0, enlist_ms: {effect_ms}, commission_ms: {effect_ms}, deploy_ms: {effect_ms}}}\n"
    );
    std::fs::write(folder.join("drydock.yaml"), settings).expect("settings");

    let site = Simulated::start(folder);
    let before = site.cpu();
    let (took, cpu, _) = run(folder, &["plan", "--out", "plan.json"]);
    println!("{nodes} nodes: plan {took:.2} s, {cpu:.2} CPU-s, of the simulated site {:.2} CPU-s", site.cpu() - before);

    let before = site.cpu();
    let (took, cpu, _) = run(folder, &["apply", "plan.json", "--quiet"]);
    let of_site = site.cpu() - before;
    let (_, _, shown) = run(folder, &["runs", "show", "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("a run as JSON");
    let time = |name: &str| shown[name].as_u64().unwrap_or_else(|| panic!("no {name} in {shown:#}"));
    let makespan = (time("ended_ms") - time("started_ms")) as f64 / 1000.0;
    let actions = shown["actions"].as_array().map_or(0, Vec::len);
    // Nine actions of a branch take this long in the bound, as in `benches/apply.rs`.
    let effect = f64::from(effect_ms) / 1000.0;
    let bound = (9.0 * effect).max(f64::from(nodes) * 9.0 * effect / f64::from(parallelism));
    println!(
        "apply: {actions} actions, {makespan:.2} s from first to last event ({took:.2} s with reading and showing), {:.2} times the bound of {bound:.2} s; \
         {cpu:.2} CPU-s ({:.0} µs per action), of the simulated site {of_site:.2} CPU-s ({:.0} µs per action); its peak {} MiB",
        makespan / bound,
        cpu * 1e6 / actions.max(1) as f64,
        of_site * 1e6 / actions.max(1) as f64,
        site.peak_mib(),
    );
    let (took, cpu, _) = run(folder, &["plan", "--detailed-exitcode"]);
    println!("second plan: no changes, {took:.2} s, {cpu:.2} CPU-s");
    let requests = site.end();
    println!("requests answered in all: {requests} ({:.1} per action)", requests as f64 / actions.max(1) as f64);
}

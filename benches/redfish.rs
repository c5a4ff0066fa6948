//! Discovery of a thousand BMCs that take 100 ms for each answer, one in twenty dead: time against the ideal, requests, and memory for each BMC.
//!
//! The servers run in this process and the driver in a child of its own, so that its memory is its own.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use drydock::driver::redfish::{RedfishDriver, RedfishOptions};
use drydock::driver::{BmcEndpoint, OobDriver};
use drydock::redact::Secret;
use drydock::sim::{FaultRule, MachineFault, Server, SimOptions, generate};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const BMCS: usize = 1000;
const DEAD: usize = 20;
const ANSWER_MS: u64 = 100;

fn main() {
    // Each BMC is a listener on one side and a connection on both.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if std::env::args().any(|a| a == "--driver") {
        runtime.block_on(drive());
    } else {
        runtime.block_on(serve());
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

async fn serve() {
    let mut text = String::from(
        "schema: drydock/Region/v1\nmetadata: {name: lab}\ndata: {tag_definitions: [], authorized_keys: []}\n---\n\
         schema: drydock/NetworkLink/v1\nmetadata: {name: oob}\ndata: {trunking: {mode: disabled}, allowed_networks: [oob]}\n---\n\
         schema: drydock/Network/v1\nmetadata: {name: oob}\ndata: {cidr: 10.77.0.0/20}\n---\n\
         schema: drydock/HostProfile/v1\nmetadata: {name: base}\ndata:\n  oob: {type: redfish, network: oob, account: root, credential: s3cret-of-bmcs}\n",
    );
    for i in 0..BMCS {
        let (high, low) = (i / 250, i % 250 + 1);
        write!(text, "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n{i:04}}}\ndata: {{host_profile: base, addressing: [{{network: oob, address: 10.77.{high}.{low}}}]}}\n").unwrap();
    }
    let folder = std::env::temp_dir().join(format!("drydock-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("site.yaml"), text).unwrap();
    let loaded =
        drydock::source::load(drydock::source::Request::disk(&folder), &[drydock::source::Entry::Path("site.yaml".into())]).unwrap();
    let read = drydock::document::read_all(&loaded.map, &loaded.files);
    let site = drydock::model::resolve(&read.documents, &read.sensitive).0.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let slow = FaultRule { server: Some("bmc".into()), hang_ms: Some(ANSWER_MS), count: 0, ..FaultRule::default() };
    let dead: Vec<String> = (0..BMCS).step_by(DEAD).map(|i| format!("n{i:04}")).collect();
    let dead = FaultRule { node: Some(dead.join("|")), machine: Some(MachineFault::BmcUnreachable), ..FaultRule::default() };
    let running = Server::start(generate(&site, &SimOptions { faults: vec![slow, dead], ..SimOptions::default() })).await.unwrap();
    let mut input = String::new();
    for (name, url) in &running.bmc_urls {
        writeln!(input, "{name} {url}").unwrap();
    }
    let exe = std::env::current_exe().unwrap();
    let out = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(exe).arg("--driver").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert!(child.wait().unwrap().success());
        out
    })
    .await
    .unwrap();
    let requests: u64 = running.bmc_urls.keys().map(|n| running.asked(n)).sum();
    let parallel = RedfishOptions::default().parallel;
    let ideal = (requests * ANSWER_MS) as f64 / parallel as f64 / 1000.0;
    let figures: BTreeMap<&str, f64> = out.lines().filter_map(|l| l.split_once(' ')).map(|(k, v)| (k, v.parse().unwrap())).collect();
    let took = figures["seconds"];
    println!("{BMCS} BMCs, {} of them dead, {ANSWER_MS} ms for each answer, {parallel} at once", BMCS.div_ceil(DEAD));
    println!("found {}, {requests} requests", figures["found"]);
    println!("{took:.2} s; ideal {ideal:.2} s; ratio {:.3}", took / ideal);
    println!("memory: {:.1} KiB for each BMC", figures["kib"] / BMCS as f64);
    assert!(took <= 1.2 * ideal, "slower than 1.2 of the ideal");
}

async fn drive() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let endpoint = |line: &str| {
        let (node, url) = line.split_once(' ').unwrap();
        BmcEndpoint {
            node: node.to_owned(),
            address: node.to_owned(),
            url: url.to_owned(),
            username: "root".to_owned(),
            password: Secret::new("s3cret-of-bmcs"),
        }
    };
    let endpoints: Vec<BmcEndpoint> = input.lines().map(endpoint).collect();
    let names: Vec<String> = endpoints.iter().map(|e| e.node.clone()).collect();
    let before = resident_kib();
    let driver = RedfishDriver::new(endpoints, RedfishOptions::default()).unwrap();
    let start = Instant::now();
    let mut reads = tokio::task::JoinSet::new();
    for name in names {
        let driver = driver.clone();
        reads.spawn(async move { driver.interrogate(&name).await });
    }
    let mut found = Vec::new();
    while let Some(read) = reads.join_next().await {
        found.extend(read.unwrap());
    }
    let kib = resident_kib().saturating_sub(before);
    driver.close().await;
    println!("seconds {}\nfound {}\nkib {kib}", start.elapsed().as_secs_f64(), found.len());
}

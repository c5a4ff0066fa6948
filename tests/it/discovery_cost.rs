//! What a discovery costs in requests: a fixed number of lists, and for a machine only what no list answers.

use std::fmt::Write as _;
use std::time::Instant;

use drydock::build::Fact;
use drydock::driver::NodeDriver as _;
use drydock::driver::maas::{MaasDriver, MaasOptions};
use drydock::sim::{FaultRule, InitialState, Server, SimOptions};

use crate::cli_support::Folder;

/// Requests of one discovery of that many machines, how long it took, and how many machines it found.
fn discover(machines: usize, state: InitialState, answer_ms: u64) -> (u64, std::time::Duration, usize) {
    let folder = Folder::hello();
    let mut nodes = String::from(
        "\n---\nschema: drydock/HostProfile/v1\nmetadata: {name: bare}\ndata: {hardware_profile: lab-server, oob: {type: redfish}}\n",
    );
    for i in 0..machines {
        write!(nodes, "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n{i:04}}}\ndata: {{host_profile: bare}}\n").unwrap();
    }
    folder.write("design/more.yaml", &nodes);
    let loaded =
        drydock::source::load(drydock::source::Request::disk(folder.path()), &[drydock::source::Entry::Path("design".into())]).unwrap();
    let read = drydock::document::read_all(&loaded.map, &loaded.files);
    let site = drydock::model::resolve(&read.documents, &read.sensitive).0.unwrap();
    let options = SimOptions {
        machines: (0..machines).map(|i| (format!("n{i:04}"), state)).collect(),
        faults: vec![FaultRule { server: Some("maas".into()), hang_ms: Some(answer_ms), count: 0, ..FaultRule::default() }],
        ..SimOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = Server::start(drydock::sim::generate(&site, &options)).await.unwrap();
        let options = MaasOptions::new(&running.maas_url, running.maas_api_key.clone(), "hello-site");
        let driver = MaasDriver::new(options).unwrap();
        let start = Instant::now();
        let found = driver.discover().await.unwrap();
        let took = start.elapsed();
        let Fact::Known(list) = &found.machines else { panic!("machines are not known: {found:?}") };
        let requests = running.world().unwrap().meta.fault_matches.values().sum();
        let count = list.len();
        running.shutdown().await.unwrap();
        (requests, took, count)
    })
}

#[test]
fn lists_cost_the_same_whatever_the_number_of_machines() {
    let (few, _, found) = discover(2, InitialState::New, 0);
    assert_eq!(found, 2);
    let (many, _, found) = discover(60, InitialState::New, 0);
    assert_eq!((found, many), (60, few), "machines that nothing is known of cost no request of their own");
    assert!(few <= 30, "{few} requests");
    let (inventoried, _, _) = discover(60, InitialState::Ready, 0);
    assert_eq!(inventoried, few + 60, "one more for each hardware inventory");
}

#[test]
#[ignore = "a measurement; run alone, with --release"]
fn a_thousand_machines() {
    let (requests, took, found) = discover(1000, InitialState::Ready, 20);
    eprintln!("{found} machines, {requests} requests of 20 ms, {took:?}");
    assert!(took.as_secs_f64() <= 3.0, "{took:?}");
}

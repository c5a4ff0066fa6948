//! What a discovery costs in requests: a fixed number of lists, and for a machine only what no list answers: the inventory of one that was commissioned, and
//! the volume groups of one that has some.

use std::fmt::Write as _;
use std::time::Instant;

use drydock::build::Fact;
use drydock::driver::NodeDriver as _;
use drydock::driver::maas::{MaasDriver, MaasOptions};
use drydock::sim::{FaultRule, Filesystem, InitialState, Server, SimOptions, VolumeGroup};

use crate::cli_support::Folder;

/// Whether machines have volume groups, and whether their UUIDs are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Groups {
    None,
    Some,
    WithUuids,
}

/// Requests of one discovery of that many machines, how long it took, and how many machines it found.
fn discover(machines: usize, state: InitialState, groups: Groups, answer_ms: u64) -> (u64, std::time::Duration, usize) {
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
        let mut world = drydock::sim::generate(&site, &options);
        for node in world.nodes.values_mut().filter(|_| groups != Groups::None) {
            node.volume_groups.insert(1, VolumeGroup { id: 1, name: "vg0".into(), uuid: "cd807f03-a621-4d15-a3d6-78f64f3c7f39".into() });
            let disk = node.block_devices.values_mut().last().unwrap();
            disk.filesystem = Some(Filesystem {
                fstype: "lvm-pv".into(),
                label: None,
                uuid: "f4974e59-fa02-404f-b446-fd192953ffbe".into(),
                mount_point: None,
                mount_options: None,
                volume_group: Some(1),
            });
        }
        let running = Server::start(world).await.unwrap();
        let mut options = MaasOptions::new(&running.maas_url, running.maas_api_key.clone(), "hello-site");
        options.group_uuids = groups == Groups::WithUuids;
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
    let (few, _, found) = discover(2, InitialState::New, Groups::None, 0);
    assert_eq!(found, 2);
    let (many, _, found) = discover(60, InitialState::New, Groups::None, 0);
    assert_eq!((found, many), (60, few), "machines that nothing is known of cost no request of their own");
    assert!(few <= 30, "{few} requests");
    let (inventoried, _, _) = discover(60, InitialState::Ready, Groups::None, 0);
    assert_eq!(inventoried, few + 60, "one more for each hardware inventory");
    let (grouped, _, _) = discover(60, InitialState::Ready, Groups::Some, 0);
    assert_eq!(grouped, few + 60, "a machine's devices tell of its volume group");
    let (grouped, _, _) = discover(60, InitialState::Ready, Groups::WithUuids, 0);
    assert_eq!(grouped, few + 120, "all but its UUID");
}

#[test]
#[ignore = "a measurement; run alone, with --release"]
fn a_thousand_machines() {
    for groups in [Groups::None, Groups::Some, Groups::WithUuids] {
        let (requests, took, found) = discover(1000, InitialState::Ready, groups, 20);
        eprintln!("{found} machines, volume groups: {groups:?}, {requests} requests of 20 ms, {took:?}");
        assert!(groups == Groups::WithUuids || took.as_secs_f64() <= 3.0, "{took:?}");
    }
}

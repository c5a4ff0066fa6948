use serde_json::{Value, json};

use super::super::bson::tests::document;
use super::super::wire::{WireMachine, WireVolumeGroup};
use super::server::{Recorded, Server, all_recordings, every_recording, recorded};
use crate::build::{Binding, Fact, InterfaceKind, LinkMode, MachineStatus, PowerState, RangeUse, VolumeGroupFacts};
use crate::driver::NodeDriver;

const LSHW: &str = r#"<list><node id="core" class="bus">
<node class="network"><businfo>pci@0000:00:03.0</businfo><serial>52:54:00:46:19:38</serial></node>
<node class="disk"><businfo>scsi@2:0.0.0</businfo><logicalname>/dev/sda</logicalname><serial>SERIAL-xna7aq-0</serial></node>
</node></list>"#;

/// `op=details` of a machine with hardware facts; those of the recorded one were empty.
fn details(machine: &str) -> Recorded {
    let bytes = document(&[("lldp", b""), ("lshw", LSHW.as_bytes())]);
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let mut answer = recorded("machine-details").at("GET", &format!("machines/{machine}/"), Some("details"));
    answer.body = Value::String(text);
    answer
}

pub(super) fn site() -> Vec<Recorded> {
    let mut answers: Vec<Recorded> = [
        "version",
        "users-whoami",
        "fabrics",
        "subnets",
        "ipranges",
        "static-routes",
        "domains",
        "tags",
        "sshkeys",
        "package-repositories",
        "boot-resources",
        "boot-resource-read",
        "boot-resources-is-importing",
        "rackcontrollers",
        "regioncontrollers",
        "machines",
    ]
    .into_iter()
    .map(recorded)
    .collect();
    answers.push(Recorded::made("GET", "boot-sources/", None, json!([{"id": 4, "url": "http://images.maas.io/"}])));
    answers.push(Recorded::made(
        "GET",
        "boot-sources/4/selections/",
        None,
        json!([{"id": 9, "os": "ubuntu", "release": "noble", "arches": ["amd64"], "subarches": ["*"], "labels": ["*"]}]),
    ));
    answers.push(details("xna7aq"));
    let mut power = recorded("machines-power-parameters");
    power.body = json!({"xna7aq": recorded("machine-ipmi-power-parameters").body, "e8x8nr": {}});
    answers.push(power);
    answers
}

#[tokio::test]
async fn discovers_the_recorded_site() {
    let server = Server::start(site()).await;
    let found = server.driver().discover().await.unwrap();
    assert_eq!((found.version.as_str(), found.user.as_str(), found.driver.as_str()), ("3.7.3", "admin", "maas"));

    let fabrics = found.fabrics.known().unwrap();
    assert_eq!(fabrics[0].name, "fabric-0");
    let vlan = &fabrics[0].vlans[0];
    assert_eq!((vlan.id, vlan.vid, vlan.mtu, vlan.dhcp_on, vlan.primary_rack.as_deref()), (5001, 0, 1500, true, Some("qx8d88")));

    let subnets = found.subnets.known().unwrap();
    assert_eq!(subnets.len(), 3);
    assert_eq!(subnets[1].cidr.to_string(), "192.168.50.0/24");
    assert_eq!((subnets[1].vlan, subnets[1].gateway), (5011, Some("192.168.50.1".parse().unwrap())));
    assert_eq!(subnets[1].dns_servers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["8.8.8.8", "1.1.1.1"]);

    let ranges = found.ranges.known().unwrap();
    assert_eq!((ranges[0].kind, ranges[0].subnet, ranges[0].start.to_string()), (RangeUse::Dynamic, 1, "10.10.0.200".to_owned()));
    assert_eq!(ranges[1].kind, RangeUse::Reserved);

    let route = &found.routes.known().unwrap()[0];
    assert_eq!((route.source, route.destination, route.metric), (1, 2, 10));
    assert!(found.domains.known().unwrap()[0].is_default);
    let tags = found.tags.known().unwrap();
    assert_eq!((tags[1].name.as_str(), tags[1].kernel_opts.as_str()), ("fast", "nomodeset"));
    assert_eq!(tags[2].definition, "//node");
    assert!(found.ssh_keys.known().unwrap()[0].key.starts_with("ssh-ed25519 "));
    let repositories = found.repositories.known().unwrap();
    assert_eq!((repositories[0].name.as_str(), repositories[0].arches.join(",")), ("main_archive", "amd64,i386".to_owned()));

    let images = found.images.known().unwrap();
    assert_eq!((images[0].os.as_str(), images[0].series.as_str(), images[0].arch.as_str()), ("ubuntu", "jammy", "amd64"));
    assert_eq!((images[0].kernels.join(","), images[0].synced), ("ga-22.04".to_owned(), true));
    assert_eq!(found.importing, Fact::Known(false));
    let selections = found.selections.known().unwrap();
    assert_eq!((selections[0].source, selections[0].release.as_str()), (4, "noble"));

    let rack = &found.racks.known().unwrap()[0];
    assert_eq!((rack.id.as_str(), rack.healthy), ("qx8d88", false), "the recorded rack controller was not connected");
    assert_eq!(rack.problems, ["rackd is unknown"]);
    assert_eq!((rack.interfaces[0].vlan, rack.interfaces[0].addresses[0].to_string()), (Some(5001), "10.10.0.2".to_owned()));

    let machines = found.machines.known().unwrap();
    let names: Vec<_> = machines.iter().map(|m| (m.id.as_str(), m.hostname.as_str())).collect();
    assert_eq!(names, [("e8x8nr", "node02"), ("xna7aq", "node01")]);
    let node = &machines[1];
    assert_eq!((node.status, node.status_name.as_str(), node.power), (MachineStatus::Ready, "Ready", PowerState::Unknown));
    assert_eq!((node.cpus, node.memory_mib, node.architecture.as_str()), (8, 32768, "amd64/generic"));
    assert_eq!(node.macs, ["52:54:00:46:19:38", "52:54:00:6e:1e:3f", "52:54:00:71:4f:69"]);
    assert_eq!(node.boot_mac.as_deref(), Some("52:54:00:46:19:38"));
    assert_eq!(node.bmc_address.as_deref(), Some("10.10.0.90"));
    assert_eq!(node.serial, None, "`Unknown` is not a serial number");
    assert_eq!(node.domain, "maas");
    let eth0 = &node.interfaces[0];
    assert_eq!((eth0.id, eth0.name.as_str(), eth0.bus.as_deref(), eth0.vlan), (2, "eth0", Some("0000:00:03.0"), Some(5001)));
    assert_eq!((eth0.links[0].mode, eth0.links[0].subnet.unwrap().to_string()), (LinkMode::Auto, "10.10.0.0/24".to_owned()));
    assert_eq!(node.interfaces[1].bus, None, "the inventory does not name this NIC");
    let sda = node.disks.iter().find(|d| d.name == "sda").unwrap();
    assert_eq!((sda.bus.as_deref(), sda.size, sda.available), (Some("2:0.0.0"), 480_000_000_000, 479_991_955_456));
    assert_eq!(machines[0].bmc_address, None);
    assert_eq!(machines[0].interfaces[0].bus, None, "a machine without details is listed without bus addresses");

    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains("power_pass") && !text.contains("\"p\""), "power parameters hold passwords");
}

#[tokio::test]
async fn a_list_that_fails_is_unknown_and_not_empty() {
    for (path, part) in [("machines/", "machines"), ("fabrics/", "fabrics"), ("tags/", "tags")] {
        let mut answers = site();
        for answer in answers.iter_mut().filter(|a| a.path == path && a.op.is_none()) {
            answer.status = 500;
            answer.body = Value::String("boom".into());
        }
        let server = Server::start(answers).await;
        let found = server.driver().discover().await.unwrap();
        let value = serde_json::to_value(&found).unwrap();
        assert!(value[part]["unknown"].as_str().unwrap().contains("500"), "{part}: {}", value[part]);
        assert_eq!(found.subnets.known().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_configured_machine_is_read_completely() {
    let mut machine = recorded("machine-ready-configured").at("GET", "machines/", None);
    machine.body = Value::Array(vec![machine.body.clone(), machine.body.clone()]);
    let server = Server::start(vec![machine, recorded("volume-groups"), details("xna7aq")]).await;
    let binding = Binding { macs: vec!["52:54:00:46:19:38".into()], ..Binding::default() };
    let node = server.driver().machine(&binding).await.unwrap().unwrap();
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.params.clone()), ("machines/", vec![("mac_address".into(), "52:54:00:46:19:38".into())]));

    let bond = node.interfaces.iter().find(|i| i.name == "bond0").unwrap();
    assert_eq!((bond.kind, bond.parents.join(",")), (InterfaceKind::Bond, "eth1,eth2".to_owned()));
    let options = bond.bond.as_ref().unwrap();
    assert_eq!((options.mode.as_str(), options.xmit_hash_policy.as_deref(), options.miimon), ("802.3ad", Some("layer3+4"), Some(100)));
    let vlan = node.interfaces.iter().find(|i| i.name == "bond0.100").unwrap();
    assert_eq!((vlan.kind, vlan.parents.join(","), vlan.mtu, vlan.vlan), (InterfaceKind::Vlan, "bond0".to_owned(), 9000, Some(5011)));
    assert_eq!(node.macs.len(), 3, "bonds and VLANs repeat the MAC of a NIC");
    assert_eq!(node.default_gateway.unwrap().to_string(), "192.168.50.1");

    let disk = |name: &str| node.disks.iter().find(|d| d.name == name).unwrap();
    assert_eq!(disk("nvme0n1").volume_group.as_deref(), Some("vg0"));
    assert_eq!(disk("nvme0n1").filesystem, None);
    assert_eq!(disk("sdb").filesystem.as_ref().unwrap().fstype, "raid");
    let root = &disk("sda").partitions[1];
    assert_eq!((root.id, root.size, root.bootable), (10, 99_996_401_664, false));
    let fs = root.filesystem.as_ref().unwrap();
    assert_eq!((fs.fstype.as_str(), fs.label.as_deref(), fs.mount_point.as_deref()), ("ext4", Some("root"), Some("/")));
    assert_eq!(node.boot_disk.as_deref(), Some("sda"));
    let group = &node.volume_groups[0];
    assert_eq!((group.name.as_str(), group.size, group.available), ("vg0", 1_919_992_987_648, 1_719_995_990_016));
    assert_eq!((group.logical_volumes[0].name.as_str(), group.logical_volumes[0].size), ("lv0", 199_996_997_632));
}

#[tokio::test]
async fn absence_is_only_said_after_a_listing() {
    let nobody = Recorded::made("GET", "machines/", None, json!([]));
    let server = Server::start(vec![nobody]).await;
    let binding = Binding { macs: vec!["52:54:00:00:00:01".into()], ..Binding::default() };
    assert_eq!(server.driver().machine(&binding).await.unwrap(), None);
    let server = Server::start(vec![]).await;
    assert!(server.driver().machine(&binding).await.is_err());
}

#[tokio::test]
async fn the_endpoint_is_named_by_its_first_region_controller() {
    let server = Server::start(site()).await;
    let endpoint = server.driver().endpoint().await.unwrap();
    assert_eq!((endpoint.identity.as_str(), endpoint.simulated), ("region qx8d88", false));
    assert_eq!(endpoint.url, server.url);
}

#[test]
fn every_recorded_machine_and_list_can_be_read() {
    use super::super::wire::*;
    let Some(folder) = all_recordings() else { return };
    let mut machines = 0;
    for (name, recording) in every_recording(&folder) {
        let body = &recording.body;
        let objects = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        for object in objects.iter().filter(|o| o.get("blockdevice_set").is_some() && o.get("status_name").is_some()) {
            let machine: WireMachine = serde_json::from_value(object.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = machine.found();
            assert_eq!(found.machine.id, object["system_id"].as_str().unwrap());
            assert!(!found.machine.interfaces.is_empty(), "{name}");
            machines += 1;
        }
        macro_rules! reads {
            ($file:literal, $type:ty) => {
                if name == $file {
                    let list: Vec<$type> = serde_json::from_value(body.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
                    assert_eq!(list.len(), body.as_array().unwrap().len());
                }
            };
        }
        reads!("fabrics", WireFabric);
        reads!("subnets", WireSubnet);
        reads!("ipranges", WireRange);
        reads!("static-routes", WireRoute);
        reads!("domains", WireDomain);
        reads!("tags", WireTag);
        reads!("sshkeys", WireSshKey);
        reads!("package-repositories", WireRepository);
        reads!("boot-resources", WireBootResource);
        reads!("rackcontrollers", WireController);
        reads!("regioncontrollers", WireController);
        reads!("volume-groups", WireVolumeGroup);
    }
    assert!(machines > 40, "{machines} machines");
}

#[test]
fn a_machines_devices_tell_of_its_only_volume_group() {
    let mut body = recorded("machine-ready-configured").body;
    let found = |body: &Value| serde_json::from_value::<WireMachine>(body.clone()).unwrap().found();
    assert_eq!(found(&body).only_group, None, "a RAID is no logical volume");
    body["blockdevice_set"].as_array_mut().unwrap().retain(|d| d["name"] != "md0");
    let groups: Vec<WireVolumeGroup> = serde_json::from_value(recorded("volume-groups").body).unwrap();
    let asked: Vec<VolumeGroupFacts> = groups.into_iter().map(VolumeGroupFacts::from).collect();
    let told = found(&body).only_group.expect("a group");
    assert_eq!(vec![VolumeGroupFacts { uuid: asked[0].uuid.clone(), ..told }], asked);
    let second = json!({"system_id": "xna7aq", "id": 3, "__incomplete__": true});
    body["volume_groups"].as_array_mut().unwrap().push(second);
    assert_eq!(found(&body).only_group, None, "which of two groups it is that a volume belongs to is asked");
}

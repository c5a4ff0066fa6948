use serde_json::{Value, json};

use super::machine_actions::{call, machine};
use super::server::{Recorded, Server, recorded};
use super::site_actions::{dc1, fabrics, failed, observe};
use crate::action::ActionKind;
use crate::action::params::{
    ApplyNodeNetworking, ApplyNodeStorage, BondValues, Device, DiskParams, FilesystemParams, InterfaceParams, Late, LinkKind, LinkParams,
    LogicalVolumeParams, PartitionParams, SizeParam, VlanInterfaceParams, VolumeGroupParams,
};
use crate::driver::{Begun, Driver, ErrorClass, Observation};

fn device(id: u64, name: &str) -> Late<Device> {
    Late::Value(Device { id, name: name.into() })
}

pub(super) fn networking() -> ApplyNodeNetworking {
    ApplyNodeNetworking {
        interfaces: vec![InterfaceParams {
            name: "bond0".into(),
            members: vec![device(3, "eth1"), device(4, "eth2")],
            bond: Some(BondValues {
                mode: "802.3ad".into(),
                xmit_hash_policy: Some("layer3+4".into()),
                lacp_rate: Some("fast".into()),
                miimon: Some(100),
                updelay: None,
                downdelay: None,
            }),
            fabric: "dc1".into(),
            mtu: Some(9000),
            link: None,
            vlans: vec![VlanInterfaceParams {
                vid: 100,
                mtu: Some(1500),
                link: LinkParams {
                    subnet: "192.168.50.0/24".parse().unwrap(),
                    mode: LinkKind::Static("192.168.50.60".parse().unwrap()),
                    default_gateway: true,
                },
            }],
        }],
    }
}

#[tokio::test]
async fn interfaces_are_made_as_recorded() {
    let path = |i: u64| format!("nodes/xna7aq/interfaces/{i}/");
    // The boot NIC, which the design leaves alone, keeps its automatic address.
    let expected = [
        recorded("interface-update-vlan-eth1"),
        recorded("interface-update-vlan-eth1").at("PUT", &path(4), None),
        recorded("interface-create-bond"),
        recorded("interface-create-vlan"),
        recorded("interface-link-subnet-static").at("POST", &path(15), Some("link_subnet")),
    ];
    let mut answers = vec![machine(4, "Ready", Value::Null), fabrics(&[dc1()]), recorded("subnets")];
    answers.extend(expected.iter().cloned());
    let server = Server::start(answers).await;
    let apply = call(ActionKind::ApplyNodeNetworking, &networking());
    assert_eq!(observe(&server, &apply).await, Observation::NotStarted);
    assert_eq!(server.driver().begin(&apply).await.unwrap(), Begun::Complete);
    let changes = server.changes();
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for (change, expected) in changes.iter().zip(&expected) {
        assert_eq!((&change.method, &change.path, &change.op), (&expected.method, &expected.path, &expected.op));
        assert_eq!(change.form(), expected.form(), "{} {:?}", change.path, change.op);
    }
}

/// The recorded machine after bond, VLAN and address were made, without what the recordings made besides.
fn configured() -> Recorded {
    let interfaces = recorded("interfaces-bond-vlan-bridge").body;
    let mut list: Vec<Value> = interfaces.as_array().unwrap().clone();
    let bridge = list.pop().unwrap();
    list[0]["links"] = json!([{"id": 99, "mode": "link_up"}]);
    list[4]["links"] = json!([bridge["links"][0]]);
    list[4]["effective_mtu"] = json!(1500);
    machine(4, "Ready", json!({"interface_set": list, "default_gateways": {"ipv4": {"gateway_ip": "192.168.50.1", "link_id": 23}}}))
}

#[tokio::test]
async fn configured_interfaces_are_done() {
    let apply = call(ActionKind::ApplyNodeNetworking, &networking());
    let server = Server::start(vec![configured(), fabrics(&[dc1()]), recorded("subnets")]).await;
    assert_eq!(observe(&server, &apply).await, Observation::done());
    assert_eq!(server.driver().begin(&apply).await.unwrap(), Begun::Complete);
    assert_eq!(server.changes(), []);

    // The same configuration on a deployed machine is done too; another one is refused with what differs.
    let mut deployed = configured();
    deployed.body[0]["status"] = json!(6);
    deployed.body[0]["status_name"] = json!("Deployed");
    deployed.body[0]["owner"] = json!("admin");
    let server = Server::start(vec![deployed.clone(), fabrics(&[dc1()]), recorded("subnets")]).await;
    assert_eq!(observe(&server, &apply).await, Observation::done());
    deployed.body[0]["interface_set"][3]["params"]["bond_mode"] = json!("active-backup");
    let server = Server::start(vec![deployed, fabrics(&[dc1()]), recorded("subnets")]).await;
    let error = failed(observe(&server, &apply).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("is Deployed") && error.message.contains("bond0 has other bond options"), "{error}");
}

#[tokio::test]
async fn networks_and_nics_must_be_there() {
    let apply = call(ActionKind::ApplyNodeNetworking, &networking());
    let server = Server::start(vec![machine(4, "Ready", Value::Null), fabrics(&[]), recorded("subnets")]).await;
    let error = failed(observe(&server, &apply).await);
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::NotReady, "fabric dc1 does not exist in MAAS"));
    let mut other = networking();
    other.interfaces[0].members[0] = device(3, "ens9");
    let server = Server::start(vec![machine(4, "Ready", Value::Null), fabrics(&[dc1()]), recorded("subnets")]).await;
    let error = failed(observe(&server, &call(ActionKind::ApplyNodeNetworking, &other)).await);
    assert!(error.class == ErrorClass::Precondition && error.message.contains("no longer has the NIC ens9"), "{error}");
}

fn filesystem(fstype: &str, point: &str, label: Option<&str>, options: &str) -> FilesystemParams {
    FilesystemParams {
        fstype: fstype.into(),
        mount_point: Some(point.into()),
        mount_options: options.into(),
        label: label.map(str::to_owned),
        uuid: None,
    }
}

pub(super) fn storage() -> ApplyNodeStorage {
    let partition = |name: &str, bytes, bootable, filesystem| PartitionParams {
        name: name.into(),
        size: SizeParam::Bytes(bytes),
        bootable,
        filesystem,
        uuid: None,
        volume_group: None,
    };
    ApplyNodeStorage {
        disks: vec![
            DiskParams {
                device: device(2, "sda"),
                boot: true,
                partitions: vec![
                    partition("efi", 536_870_912, true, Some(filesystem("fat32", "/boot/efi", Some("efi"), ""))),
                    partition("root", 99_996_401_664, false, Some(filesystem("ext4", "/", Some("root"), "noatime"))),
                ],
                volume_group: None,
            },
            DiskParams { device: device(1, "nvme0n1"), boot: false, partitions: vec![], volume_group: Some("vg0".into()) },
        ],
        volume_groups: vec![VolumeGroupParams {
            name: "vg0".into(),
            logical_volumes: vec![LogicalVolumeParams {
                name: "lv0".into(),
                size: SizeParam::Bytes(200_000_000_000),
                filesystem: Some(filesystem("xfs", "/srv", None, "")),
                uuid: None,
            }],
            uuid: None,
        }],
    }
}

#[tokio::test]
async fn disks_are_laid_out_as_recorded() {
    let names = [
        "machine-set-storage-layout-blank",
        "blockdevice-set-boot-disk",
        "partition-create-efi",
        "partition-format-efi",
        "partition-mount-efi",
        "partition-create-root",
        "partition-format-root",
        "partition-mount-root",
        "volume-group-create",
        "logical-volume-create",
        "logical-volume-format",
        "logical-volume-mount",
    ];
    let expected: Vec<Recorded> = names.iter().map(|n| recorded(n)).collect();
    let server = Server::start([vec![machine(4, "Ready", Value::Null)], expected.clone()].concat()).await;
    let apply = call(ActionKind::ApplyNodeStorage, &storage());
    assert_eq!(observe(&server, &apply).await, Observation::NotStarted);
    server.driver().begin(&apply).await.unwrap();
    let changes = server.changes();
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for ((change, expected), name) in changes.iter().zip(&expected).zip(names) {
        assert_eq!((&change.method, &change.path, &change.op), (&expected.method, &expected.path, &expected.op), "{name}");
        // The recordings asked for sizes that MAAS rounds down to these.
        let rounded = |(n, v): (String, String)| match v.as_str() {
            "100000000000" => (n, "99996401664".to_owned()),
            "200000000000" => (n, "199996997632".to_owned()),
            _ => (n, v),
        };
        assert_eq!(change.form(), expected.form().into_iter().map(rounded).collect::<Vec<_>>(), "{name}");
    }
}

/// The recorded machine after the layout was made, without the RAID that the recordings made besides.
fn laid_out() -> Vec<Recorded> {
    let mut list = recorded("machine-ready-configured").at("GET", "machines/", None);
    let machine = &mut list.body;
    let disks: Vec<Value> = machine["blockdevice_set"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["name"] != "md0")
        .cloned()
        .map(|mut d| {
            if d["filesystem"]["fstype"] == "raid" {
                d["filesystem"] = Value::Null;
            }
            d
        })
        .collect();
    machine["blockdevice_set"] = Value::Array(disks);
    machine["blockdevice_set"][1]["partitions"][1]["filesystem"]["mount_options"] = json!("noatime");
    list.body = Value::Array(vec![list.body]);
    vec![list, recorded("volume-groups")]
}

#[tokio::test]
async fn a_layout_that_is_there_is_done() {
    let apply = call(ActionKind::ApplyNodeStorage, &storage());
    let server = Server::start(laid_out()).await;
    assert_eq!(observe(&server, &apply).await, Observation::done());

    let mut other = storage();
    other.disks[0].partitions[1].filesystem = Some(filesystem("xfs", "/", Some("root"), "noatime"));
    let mut deployed = laid_out();
    deployed[0].body[0]["status"] = json!(6);
    deployed[0].body[0]["status_name"] = json!("Deployed");
    deployed[0].body[0]["owner"] = json!("admin");
    let error = failed(observe(&Server::start(deployed).await, &call(ActionKind::ApplyNodeStorage, &other)).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("partition root of sda has another filesystem"), "{error}");

    let mut big = storage();
    big.disks[0].partitions[1].size = SizeParam::Bytes(900_000_000_000);
    let error = failed(observe(&Server::start(laid_out()).await, &call(ActionKind::ApplyNodeStorage, &big)).await);
    assert!(error.class == ErrorClass::Rejected && error.message.contains("the partitions of disk sda do not fit"), "{error}");
}

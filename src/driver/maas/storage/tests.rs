//! Steps against a model of MAAS's disks that refuses what MAAS refuses.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::sizes::{STEP, group_capacity, round};
use super::super::tests::blank_machine;
use super::plan::{Device, StorageStep, differences, plan};
use crate::action::params::{
    ApplyNodeStorage, Device as Resolved, DiskParams, FilesystemParams, Late, LogicalVolumeParams, PartitionParams, SizeParam,
    VolumeGroupParams,
};
use crate::build::{Disk, DiskKind, DiskPartition, FilesystemFacts, LogicalVolumeFacts, Machine, VolumeGroupFacts};
use crate::driver::ErrorClass;

const DISKS: [(u64, u64); 3] = [(1, 480_000_000_000), (2, 960_197_124_096), (3, 1_920_000_000_001)];

/// MAAS's side of one machine.
struct Model {
    machine: Machine,
    devices: BTreeMap<Device, u64>,
    /// What partition table and firmware take from a disk.
    overhead: u64,
    next: u64,
}

impl Model {
    /// Three disks, the first with the layout that MAAS makes after commissioning.
    fn new(overhead: u64) -> Self {
        let mut machine = blank_machine();
        for (id, size) in DISKS {
            machine.disks.push(Disk {
                id,
                name: format!("sd{}", char::from(b'a' + u8::try_from(id).unwrap() - 1)),
                kind: DiskKind::Physical,
                bus: None,
                size,
                available: round(size - overhead),
                model: None,
                serial: None,
                id_path: None,
                partition_table: None,
                partitions: vec![],
                filesystem: None,
                volume_group: None,
            });
        }
        machine.boot_disk = Some("sda".into());
        let mut model = Self { machine, devices: BTreeMap::new(), overhead, next: 100 };
        model.apply(&StorageStep::CreatePartition { disk: 1, index: 0, size: None, bootable: true, uuid: None });
        model
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn disk(&mut self, id: u64) -> &mut Disk {
        self.machine.disks.iter_mut().find(|d| d.id == id).unwrap()
    }

    fn partition(&mut self, id: u64) -> &mut DiskPartition {
        self.machine.disks.iter_mut().flat_map(|d| &mut d.partitions).find(|p| p.id == id).unwrap()
    }

    fn add_partition(&mut self, disk: u64, size: Option<u64>, bootable: bool, uuid: Option<&String>) -> u64 {
        let id = self.id();
        let disk = self.disk(disk);
        assert!(disk.volume_group.is_none() && disk.filesystem.is_none(), "{} is in use", disk.name);
        let size = round(size.unwrap_or(disk.available));
        assert!(size > 0 && size <= disk.available, "not enough free space on {}: {size} of {}", disk.name, disk.available);
        disk.available -= size;
        disk.partition_table = Some("GPT".into());
        disk.partitions.push(DiskPartition { id, size, bootable, filesystem: None, volume_group: None, uuid: uuid.cloned() });
        id
    }

    fn filesystem(&mut self, device: &Device) -> &mut Option<FilesystemFacts> {
        let id = self.devices[device];
        match device {
            Device::Partition(..) => &mut self.partition(id).filesystem,
            Device::Volume(..) => {
                let volumes = self.machine.volume_groups.iter_mut().flat_map(|g| &mut g.logical_volumes);
                &mut volumes.into_iter().find(|v| v.id == id).unwrap().filesystem
            }
        }
    }

    fn blank(&mut self) {
        let overhead = self.overhead;
        self.machine.volume_groups.clear();
        self.machine.disks.retain(|d| d.kind == DiskKind::Physical);
        for disk in &mut self.machine.disks {
            (disk.partitions, disk.filesystem, disk.volume_group) = (vec![], None, None);
            disk.available = round(disk.size - overhead);
        }
    }

    fn apply(&mut self, step: &StorageStep) {
        match step {
            StorageStep::BootDisk { disk } => self.machine.boot_disk = Some(self.disk(*disk).name.clone()),
            StorageStep::CreatePartition { disk, index, size, bootable, uuid } => {
                let id = self.add_partition(*disk, *size, *bootable, uuid.as_ref());
                self.devices.insert(Device::Partition(*disk, *index), id);
            }
            StorageStep::Format { device, fstype, label, uuid } => {
                *self.filesystem(device) = Some(FilesystemFacts {
                    fstype: fstype.clone(),
                    label: label.clone(),
                    mount_point: None,
                    mount_options: None,
                    uuid: uuid.clone(),
                });
            }
            StorageStep::Mount { device, mount_point, options } => {
                let fs = self.filesystem(device).as_mut().expect("only what has a filesystem is mounted");
                fs.mount_point = mount_point.clone().or(Some("none".into()));
                fs.mount_options.clone_from(options);
            }
            StorageStep::CreateGroup { name, disks, partitions, uuid } => {
                let mut sizes = Vec::new();
                for id in disks {
                    let name_of = self.disk(*id).name.clone();
                    if self.machine.boot_disk.as_ref() == Some(&name_of) {
                        let partition = self.add_partition(*id, None, false, None);
                        let partition = self.partition(partition);
                        partition.volume_group = Some(name.clone());
                        sizes.push(partition.size);
                    } else {
                        let disk = self.disk(*id);
                        assert!(disk.partitions.is_empty() && disk.volume_group.is_none(), "{} is not free", disk.name);
                        (disk.volume_group, disk.available) = (Some(name.clone()), 0);
                        sizes.push(disk.size);
                    }
                }
                for device in partitions {
                    let id = self.devices[device];
                    let partition = self.partition(id);
                    assert!(partition.filesystem.is_none() && partition.volume_group.is_none());
                    partition.volume_group = Some(name.clone());
                    sizes.push(partition.size);
                }
                assert!(!sizes.is_empty());
                let size = group_capacity(&sizes);
                let id = self.id();
                self.machine.volume_groups.push(VolumeGroupFacts {
                    id,
                    name: name.clone(),
                    size,
                    available: size,
                    logical_volumes: vec![],
                    uuid: uuid.clone(),
                });
            }
            StorageStep::CreateVolume { group, name, size, uuid } => {
                let id = self.id();
                let found = self.machine.volume_groups.iter_mut().find(|g| g.name == *group).unwrap();
                let size = round(size.bytes(found.size).unwrap().unwrap_or(found.available));
                assert!(size > 0 && size <= found.available, "group {group} has {} bytes, asked are {size}", found.available);
                found.available -= size;
                found.logical_volumes.push(LogicalVolumeFacts { id, name: name.clone(), size, filesystem: None, uuid: uuid.clone() });
                let mut disk = self.machine.disks[0].clone();
                (disk.id, disk.name, disk.kind, disk.size) = (id, format!("{group}-{name}"), DiskKind::Virtual, size);
                (disk.partitions, disk.available) = (vec![], 0);
                self.machine.disks.push(disk);
                self.devices.insert(Device::Volume(group.clone(), name.clone()), id);
            }
        }
    }

    fn reach(&mut self, wanted: &ApplyNodeStorage) {
        self.blank();
        for step in plan(&self.machine, wanted).unwrap() {
            self.apply(&step);
        }
        assert_eq!(differences(&self.machine, wanted).unwrap(), Vec::<String>::new());
    }
}

fn fs(kind: u8, at: &str) -> Option<FilesystemParams> {
    let options = if kind.is_multiple_of(2) { "defaults" } else { "noatime,discard" };
    match kind {
        0 => None,
        1 | 2 => Some(FilesystemParams {
            fstype: "ext4".into(),
            mount_point: Some(at.into()),
            mount_options: options.into(),
            label: (kind == 2).then(|| "data".into()),
            uuid: (kind == 1).then(|| format!("f{at}")),
        }),
        3 => Some(FilesystemParams { fstype: "xfs".into(), mount_point: None, mount_options: String::new(), label: None, uuid: None }),
        _ => Some(FilesystemParams {
            fstype: "swap".into(),
            mount_point: Some("none".into()),
            mount_options: String::new(),
            label: Some(String::new()),
            uuid: None,
        }),
    }
}

/// Sizes that fit together: shares of the whole, at most one of which takes the rest.
fn sizes() -> impl Strategy<Value = Vec<SizeParam>> {
    (proptest::collection::vec((0u8..3, 1_000_000_000u64..25_000_000_000), 1..4), any::<bool>()).prop_map(|(list, whole)| {
        let mut greedy = false;
        let mut out: Vec<SizeParam> = list
            .iter()
            .map(|(kind, bytes)| match kind {
                0 => SizeParam::Bytes(bytes + STEP),
                1 if !greedy => {
                    greedy = true;
                    SizeParam::AtLeast(bytes / 100 + STEP)
                }
                _ => SizeParam::Percent(u32::try_from(bytes % 1500).unwrap() + 100),
            })
            .collect();
        if whole {
            out = vec![SizeParam::Percent(10_000)];
        }
        out
    })
}

fn wanted() -> impl Strategy<Value = ApplyNodeStorage> {
    let disk = || (0u8..3, sizes(), proptest::collection::vec(0u8..5, 3), proptest::collection::vec(any::<bool>(), 3));
    ((disk(), disk(), disk()), sizes(), proptest::collection::vec(0u8..5, 4), 0usize..3).prop_map(|(disks, lvs, lv_fs, boot)| {
        let mut in_group = false;
        let mut out = ApplyNodeStorage { disks: vec![], volume_groups: vec![] };
        for (n, (use_as, sizes, filesystems, members)) in [disks.0, disks.1, disks.2].into_iter().enumerate() {
            let (id, _) = DISKS[n];
            let device = Late::Value(Resolved { id, name: format!("sd{}", char::from(b'a' + u8::try_from(n).unwrap())) });
            let mut params = DiskParams { device, boot: n == boot, partitions: vec![], volume_group: None };
            match use_as {
                0 => continue,
                1 => {
                    params.volume_group = Some("vg0".into());
                    in_group = true;
                }
                _ => {
                    for (i, size) in sizes.into_iter().enumerate() {
                        let member = members[i] && filesystems[i] == 0;
                        in_group |= member;
                        params.partitions.push(PartitionParams {
                            name: format!("p{i}"),
                            size,
                            bootable: i == 0,
                            filesystem: fs(filesystems[i], &format!("/m{n}{i}")),
                            uuid: (i == 0).then(|| format!("p{n}{i}")),
                            volume_group: member.then(|| "vg0".into()),
                        });
                    }
                }
            }
            out.disks.push(params);
        }
        if in_group {
            let volumes = lvs.into_iter().enumerate().map(|(i, size)| LogicalVolumeParams {
                name: format!("lv{i}"),
                // Groups can be small here.
                size: match size {
                    SizeParam::Bytes(_) => SizeParam::Percent(500),
                    SizeParam::AtLeast(_) => SizeParam::AtLeast(1),
                    percent @ SizeParam::Percent(_) => percent,
                },
                filesystem: fs(lv_fs[i], &format!("/lv{i}")),
                uuid: (i == 1).then(|| format!("lv{i}")),
            });
            out.volume_groups.push(VolumeGroupParams { name: "vg0".into(), logical_volumes: volumes.collect(), uuid: Some("vg".into()) });
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_layout_is_reached_from_every_other(all in proptest::collection::vec(wanted(), 1..4), legacy in any::<bool>()) {
        // Firmware without UEFI takes a MiB more.
        let mut model = Model::new(if legacy { 6 << 20 } else { 5 << 20 });
        for wanted in &all {
            if plan(&model.machine, wanted).is_ok() {
                model.reach(wanted);
            }
        }
    }

    #[test]
    fn a_stop_after_any_step_is_picked_up(first in wanted(), second in wanted(), stop in 0usize..15) {
        let mut model = Model::new(5 << 20);
        prop_assume!(plan(&model.machine, &first).is_ok() && plan(&model.machine, &second).is_ok());
        model.reach(&first);
        model.blank();
        for step in plan(&model.machine, &second).unwrap().iter().take(stop) {
            model.apply(step);
        }
        model.reach(&second);
    }
}

#[test]
fn what_differs_is_named() {
    let model = Model::new(5 << 20);
    let sda = |partitions| DiskParams {
        device: Late::Value(Resolved { id: 1, name: "sda".into() }),
        boot: false,
        partitions,
        volume_group: None,
    };
    let root = |size| PartitionParams { name: "root".into(), size, bootable: true, filesystem: fs(1, "/"), uuid: None, volume_group: None };
    let differ = |wanted: &ApplyNodeStorage| differences(&model.machine, wanted).unwrap();
    let none = ApplyNodeStorage { disks: vec![], volume_groups: vec![] };
    assert_eq!(differ(&none), ["sda is not blank"]);
    let one = ApplyNodeStorage { disks: vec![sda(vec![root(SizeParam::Bytes(30_000_000_000))])], volume_groups: vec![] };
    assert_eq!(differ(&one), ["partition root of sda has 479991955456 bytes", "partition root of sda has another filesystem"]);
    let rest = ApplyNodeStorage { disks: vec![sda(vec![root(SizeParam::AtLeast(30_000_000_000))])], volume_groups: vec![] };
    assert_eq!(differ(&rest), ["partition root of sda has another filesystem"]);
    let two = ApplyNodeStorage {
        disks: vec![DiskParams { boot: true, device: Late::Value(Resolved { id: 2, name: "sdb".into() }), ..sda(vec![]) }],
        volume_groups: vec![VolumeGroupParams { name: "vg0".into(), logical_volumes: vec![], uuid: None }],
    };
    assert_eq!(differ(&two), ["the machine does not boot from sdb", "sda is not blank", "volume group vg0 is missing"]);
    assert_eq!(plan(&model.machine, &two).unwrap_err().class, ErrorClass::Rejected, "a group of nothing");
    let gone = ApplyNodeStorage {
        disks: vec![DiskParams { device: Late::Value(Resolved { id: 1, name: "nvme0n1".into() }), ..sda(vec![]) }],
        volume_groups: vec![],
    };
    assert_eq!(plan(&model.machine, &gone).unwrap_err().class, ErrorClass::Precondition);
}

#[test]
fn two_devices_that_are_one_disk_are_refused_before_anything_is_cleared() {
    let device = |id: u64, name: &str| DiskParams {
        boot: false,
        device: Late::Value(Resolved { id, name: name.into() }),
        partitions: vec![],
        volume_group: None,
    };
    let wanted =
        |second: (u64, &str)| ApplyNodeStorage { disks: vec![device(1, "sda"), device(second.0, second.1)], volume_groups: vec![] };
    let machine = Model::new(0).machine;
    let refused = plan(&machine, &wanted((1, "sda"))).unwrap_err();
    assert_eq!(refused.class, ErrorClass::Precondition);
    assert!(refused.message.contains("the same disk of machine") && refused.message.ends_with(": sda"), "{refused}");
    plan(&machine, &wanted((2, "sdb"))).unwrap();
}

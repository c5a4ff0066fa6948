//! Disks of a node: what the design wants, what the provisioner has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::{PresentMap, WantedMap, want};
use super::networking::alias;
use crate::action::params::{
    ApplyNodeStorage, Device, DeviceSelector, DiskParams, FactRef, FilesystemParams, Late, LogicalVolumeParams, PartitionParams, SizeParam,
    VolumeGroupParams,
};
use crate::build::{Disk, DiskKind, FilesystemFacts, Machine, same_bus_address};
use crate::model::{Filesystem, Node, PhysicalDevice, Site, Size, Text};

fn size_param(size: Size) -> SizeParam {
    match size {
        Size::Bytes(b) => SizeParam::Bytes(b),
        Size::AtLeast(b) => SizeParam::AtLeast(b),
        Size::Percent(p) => SizeParam::Percent(p),
    }
}

fn filesystem(fs: &Filesystem) -> FilesystemParams {
    FilesystemParams {
        fstype: fs.fstype.value.clone(),
        mount_point: fs.mountpoint.as_ref().map(|m| m.value.clone()),
        mount_options: fs.mount_options.value.clone(),
        label: fs.fslabel.as_ref().map(|l| l.value.clone()),
        uuid: fs.fs_uuid.as_ref().map(uuid),
    }
}

/// A UUID as the provisioner writes it.
fn uuid(text: &Text) -> String {
    text.value.trim().to_ascii_lowercase()
}

/// As one text, so that a change of any part is one line.
fn filesystem_value(fstype: &str, mount_point: Option<&str>, options: &str, label: Option<&str>, uuid: Option<&str>) -> Value {
    let mut text = fstype.to_owned();
    if let Some(at) = mount_point {
        text.push_str(" at ");
        text.push_str(at);
    }
    if !matches!(options, "" | "defaults") {
        text.push_str(" (");
        text.push_str(options);
        text.push(')');
    }
    if let Some(label) = label.filter(|l| !l.is_empty()) {
        text.push_str(" labelled ");
        text.push_str(label);
    }
    if let Some(uuid) = uuid {
        text.push_str(" with UUID ");
        text.push_str(uuid);
    }
    Value::String(text)
}

fn wanted_value(p: &FilesystemParams) -> Value {
    filesystem_value(&p.fstype, p.mount_point.as_deref(), &p.mount_options, p.label.as_deref(), p.uuid.as_deref())
}

/// The disk firmware boots from: the one labelled `bootdrive`, else the one with a bootable partition, else the one that holds `/`.
fn boot_device(node: &Node) -> Option<&str> {
    let devices = &node.storage.physical_devices;
    let labelled = devices.iter().find(|(_, d)| d.labels.get("bootdrive").is_some_and(|v| v.value.eq_ignore_ascii_case("true")));
    let bootable = || devices.iter().find(|(_, d)| d.partitions.iter().any(|p| p.bootable.value));
    let is_root = |fs: &Option<Filesystem>| fs.as_ref().and_then(|f| f.mountpoint.as_ref()).is_some_and(|m| m.value == "/");
    let root_group = || {
        node.storage
            .volume_groups
            .values()
            .find(|g| g.logical_volumes.iter().any(|l| is_root(&l.filesystem)))
            .map(|g| g.name.value.as_str())
    };
    let holds_root = |d: &PhysicalDevice| {
        let group = root_group();
        d.partitions
            .iter()
            .any(|p| is_root(&p.filesystem) || (group.is_some() && p.volume_group.as_ref().map(|v| v.value.as_str()) == group))
            || (group.is_some() && d.volume_group.as_ref().map(|v| v.value.as_str()) == group)
    };
    labelled.or_else(bootable).or_else(|| devices.iter().find(|(_, d)| holds_root(d))).map(|(name, _)| name.as_str())
}

/// How a device name of the design is found in the machine: by what its alias says, else by kernel name.
pub(crate) fn disk(site: &Site, node: &Node, name: &str) -> DeviceSelector {
    let by = |kind| alias(site, node, name, kind).map(|address| address.value.clone());
    by("scsi")
        .map(DeviceSelector::DiskAtBus)
        .or_else(|| by("serial").map(DeviceSelector::DiskWithSerial))
        .or_else(|| by("model").map(DeviceSelector::DiskOfModel))
        .unwrap_or_else(|| DeviceSelector::DiskNamed(name.to_owned()))
}

/// Disks that the design's layout of a node uses.
pub(crate) fn devices(site: &Site, node: &Node) -> Vec<Late<Device>> {
    wanted(site, node).map(|(params, _)| params.disks.into_iter().map(|d| d.device).collect()).unwrap_or_default()
}

/// Parameters and attributes that the design wants; `None` if the node says nothing about storage.
pub(super) fn wanted(site: &Site, node: &Node) -> Option<(ApplyNodeStorage, WantedMap)> {
    if node.storage.physical_devices.is_empty() && node.storage.volume_groups.is_empty() {
        return None;
    }
    let mut attributes = WantedMap::new();
    let boot = boot_device(node);
    let mut disks = Vec::new();
    for (name, device) in &node.storage.physical_devices {
        let select = disk(site, node, name);
        let mut min_size: u64 = 0;
        let partitions: Vec<PartitionParams> = device
            .partitions
            .iter()
            .map(|p| {
                let path = format!("{name}.{}", p.name.value);
                if let Size::Bytes(b) | Size::AtLeast(b) = p.size.value {
                    min_size = min_size.saturating_add(b);
                }
                want(&mut attributes, format!("{path}.size"), p.size.value.to_string(), p.size.span);
                if p.bootable.value {
                    want(&mut attributes, format!("{path}.bootable"), true, p.bootable.span);
                }
                if let Some(fs) = &p.filesystem {
                    let params = filesystem(fs);
                    want(&mut attributes, format!("{path}.filesystem"), wanted_value(&params), fs.fstype.span);
                }
                if let Some(text) = &p.part_uuid {
                    want(&mut attributes, format!("{path}.uuid"), uuid(text), text.span);
                }
                if let Some(group) = &p.volume_group {
                    want(&mut attributes, format!("{path}.volume_group"), group.value.as_str(), group.span);
                }
                PartitionParams {
                    name: p.name.value.clone(),
                    size: size_param(p.size.value),
                    bootable: p.bootable.value,
                    filesystem: p.filesystem.as_ref().map(filesystem),
                    uuid: p.part_uuid.as_ref().map(uuid),
                    volume_group: p.volume_group.as_ref().map(|g| g.value.clone()),
                }
            })
            .collect();
        if let Some(group) = &device.volume_group {
            want(&mut attributes, format!("{name}.volume_group"), group.value.as_str(), group.span);
        }
        if boot == Some(name) {
            want(&mut attributes, format!("{name}.bootdrive"), true, device.labels.get("bootdrive").map_or(device.name.span, |l| l.span));
        }
        disks.push(DiskParams {
            device: Late::Fact(FactRef { node: node.name.value.clone(), select, min_size: (min_size > 0).then_some(min_size) }),
            boot: boot == Some(name),
            partitions,
            volume_group: device.volume_group.as_ref().map(|g| g.value.clone()),
        });
    }
    let volume_groups = node
        .storage
        .volume_groups
        .values()
        .map(|group| VolumeGroupParams {
            name: group.name.value.clone(),
            logical_volumes: group
                .logical_volumes
                .iter()
                .map(|lv| {
                    let path = format!("{}.{}", group.name.value, lv.name.value);
                    want(&mut attributes, format!("{path}.size"), lv.size.value.to_string(), lv.size.span);
                    if let Some(fs) = &lv.filesystem {
                        want(&mut attributes, format!("{path}.filesystem"), wanted_value(&filesystem(fs)), fs.fstype.span);
                    }
                    if let Some(text) = &lv.lv_uuid {
                        want(&mut attributes, format!("{path}.uuid"), uuid(text), text.span);
                    }
                    LogicalVolumeParams {
                        name: lv.name.value.clone(),
                        size: size_param(lv.size.value),
                        filesystem: lv.filesystem.as_ref().map(filesystem),
                        uuid: lv.lv_uuid.as_ref().map(uuid),
                    }
                })
                .collect(),
            uuid: group.vg_uuid.as_ref().map(|text| {
                want(&mut attributes, format!("{}.uuid", group.name.value), uuid(text), text.span);
                uuid(text)
            }),
        })
        .collect();
    Some((ApplyNodeStorage { disks, volume_groups }, attributes))
}

/// The disk of a machine that a selector means.
///
/// # Errors
/// When none or several match, or it is too small.
pub fn find_disk<'a>(machine: &'a Machine, device: &Late<Device>) -> Result<&'a Disk, String> {
    let (disk, what, min) = matching_disk(machine, device)?;
    match min.filter(|min| disk.size < *min) {
        Some(min) => Err(format!("{what} has {} bytes, the design needs at least {min}", disk.size)),
        None => Ok(disk),
    }
}

/// The disk of a machine that a selector means, however small; in words what was looked for, and the bytes that it should have.
fn matching_disk<'a>(machine: &'a Machine, device: &Late<Device>) -> Result<(&'a Disk, String, Option<u64>), String> {
    let disks = machine.disks.iter().filter(|d| d.kind == DiskKind::Physical);
    let (found, what, min): (Vec<_>, String, Option<u64>) = match device {
        Late::Value(d) => (disks.filter(|x| x.id == d.id).collect(), format!("disk {}", d.name), None),
        Late::Fact(fact) => match &fact.select {
            DeviceSelector::DiskAtBus(bus) => (
                disks.filter(|d| d.bus.as_deref().is_some_and(|b| same_bus_address(b, bus))).collect(),
                format!("disk at {bus}"),
                fact.min_size,
            ),
            DeviceSelector::DiskWithSerial(serial) => (
                disks.filter(|d| d.serial.as_deref().is_some_and(|s| s.trim() == serial.trim())).collect(),
                format!("disk with serial {serial}"),
                fact.min_size,
            ),
            DeviceSelector::DiskOfModel(model) => (
                disks.filter(|d| d.model.as_deref().is_some_and(|m| m.trim().eq_ignore_ascii_case(model.trim()))).collect(),
                format!("disk of model {model}"),
                fact.min_size,
            ),
            DeviceSelector::DiskNamed(name) => (disks.filter(|d| d.name == *name).collect(), format!("disk {name}"), fact.min_size),
            DeviceSelector::NicAtBus(_) | DeviceSelector::NicNamed(_) => (Vec::new(), "disk".to_owned(), None),
        },
    };
    match found.as_slice() {
        [one] => Ok((one, what, min)),
        [] => Err(format!("the machine has no {what}")),
        many => Err(format!("{} disks of the machine match {what}", many.len())),
    }
}

/// Bytes of the disks of a machine that the design means, by the design's names; what is not found, or found twice, is left out.
pub(super) fn disk_sizes<'a>(site: &Site, node: &'a Node, machine: &Machine) -> BTreeMap<&'a str, u64> {
    let Some((wanted, _)) = wanted(site, node) else { return BTreeMap::new() };
    let names = node.storage.physical_devices.keys().zip(&wanted.disks);
    names.filter_map(|(name, disk)| Some((name.as_str(), matching_disk(machine, &disk.device).ok()?.0.size))).collect()
}

/// What a provisioner's rounding and a partition table may take from a size: MAAS rounds down to 4 MiB and keeps 4 MiB at either end.
const GRAIN: u64 = 4 << 20;
const SLACK: u64 = 4 * GRAIN;

/// Whether a present size is what a wanted one comes to in a container of `total` bytes with `free` bytes left.
pub(super) fn size_fits(wanted: SizeParam, actual: u64, total: u64, free: u64) -> bool {
    match wanted {
        SizeParam::Bytes(b) => actual <= b.saturating_add(GRAIN) && actual.saturating_add(GRAIN) > b,
        SizeParam::AtLeast(b) => actual.saturating_add(GRAIN) > b && free < SLACK,
        SizeParam::Percent(p) => {
            let target = u64::try_from(u128::from(total) * u128::from(p) / 10_000).unwrap_or(u64::MAX);
            actual.abs_diff(target) <= SLACK
        }
    }
}

fn size_value(wanted: Option<SizeParam>, actual: u64, total: u64, free: u64) -> Value {
    match wanted {
        Some(w) if size_fits(w, actual, total, free) => Value::String(size_text(w)),
        _ => Value::String(Size::Bytes(actual).to_string()),
    }
}

fn size_text(size: SizeParam) -> String {
    match size {
        SizeParam::Bytes(b) => Size::Bytes(b).to_string(),
        SizeParam::AtLeast(b) => Size::AtLeast(b).to_string(),
        SizeParam::Percent(p) => Size::Percent(p).to_string(),
    }
}

fn present_filesystem(fs: &FilesystemFacts, wanted: Option<&FilesystemParams>) -> Value {
    // A label that the design does not set is the provisioner's own business.
    let label = wanted.is_none_or(|w| w.label.is_some()).then_some(fs.label.as_deref()).flatten();
    let uuid = wanted.is_some_and(|w| w.uuid.is_some()).then_some(fs.uuid.as_deref()).flatten().map(str::to_ascii_lowercase);
    filesystem_value(&fs.fstype, fs.mount_point.as_deref(), fs.mount_options.as_deref().unwrap_or(""), label, uuid.as_deref())
}

/// A UUID that the design sets; any other is the provisioner's own business.
fn insert_uuid(out: &mut PresentMap, path: &str, present: Option<&String>, wanted: Option<&String>) {
    if let (Some(uuid), Some(_)) = (present, wanted) {
        out.insert(format!("{path}.uuid"), json!(uuid.to_ascii_lowercase()));
    }
}

/// Present attributes of a machine, in the terms of what is wanted.
///
/// # Errors
/// When a wanted disk is not in the machine or is too small.
pub(super) fn present(machine: &Machine, node: &Node, wanted: &ApplyNodeStorage) -> Result<PresentMap, String> {
    let mut out = PresentMap::new();
    let mut seen = BTreeMap::new();
    for (name, params) in node.storage.physical_devices.keys().zip(&wanted.disks) {
        let disk = find_disk(machine, &params.device)?;
        if let Some(other) = seen.insert(disk.id, name) {
            return Err(format!("{other} and {name} are the same disk of machine {}: {}", machine.hostname, disk.name));
        }
        // MAAS puts a partition over a boot disk that joins a group as a whole.
        let whole =
            params.volume_group.as_ref().filter(|g| matches!(disk.partitions.as_slice(), [p] if p.volume_group.as_ref() == Some(g)));
        if let Some(group) = whole {
            out.insert(format!("{name}.volume_group"), json!(group));
        }
        for (index, part) in disk.partitions.iter().enumerate().filter(|_| whole.is_none()) {
            let want = params.partitions.get(index);
            let path = want.map_or_else(|| format!("{name}.#{}", index + 1), |w| format!("{name}.{}", w.name));
            out.insert(format!("{path}.size"), size_value(want.map(|w| w.size), part.size, disk.size, disk.available));
            if part.bootable {
                out.insert(format!("{path}.bootable"), json!(true));
            }
            insert_uuid(&mut out, &path, part.uuid.as_ref(), want.and_then(|w| w.uuid.as_ref()));
            if let Some(group) = &part.volume_group {
                out.insert(format!("{path}.volume_group"), json!(group));
            } else if let Some(fs) = &part.filesystem {
                out.insert(format!("{path}.filesystem"), present_filesystem(fs, want.and_then(|w| w.filesystem.as_ref())));
            }
        }
        if let Some(group) = &disk.volume_group {
            out.insert(format!("{name}.volume_group"), json!(group));
        } else if let Some(fs) = &disk.filesystem {
            out.insert(format!("{name}.filesystem"), present_filesystem(fs, None));
        }
        if machine.boot_disk.as_deref() == Some(&disk.name) && (params.boot || wanted.disks.iter().any(|d| d.boot)) {
            out.insert(format!("{name}.bootdrive"), json!(true));
        }
    }
    for group in &machine.volume_groups {
        let want = wanted.volume_groups.iter().find(|g| g.name == group.name);
        if want.is_none() {
            out.insert(format!("{}.kind", group.name), json!("volume group"));
        }
        insert_uuid(&mut out, &group.name, group.uuid.as_ref(), want.and_then(|w| w.uuid.as_ref()));
        for lv in &group.logical_volumes {
            let want_lv = want.and_then(|g| g.logical_volumes.iter().find(|l| l.name == lv.name));
            let path = format!("{}.{}", group.name, lv.name);
            out.insert(format!("{path}.size"), size_value(want_lv.map(|l| l.size), lv.size, group.size, group.available));
            insert_uuid(&mut out, &path, lv.uuid.as_ref(), want_lv.and_then(|l| l.uuid.as_ref()));
            if let Some(fs) = &lv.filesystem {
                out.insert(format!("{path}.filesystem"), present_filesystem(fs, want_lv.and_then(|l| l.filesystem.as_ref())));
            }
        }
    }
    Ok(out)
}

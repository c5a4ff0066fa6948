//! Differences and steps.

use std::collections::{BTreeMap, BTreeSet};

use super::super::sizes::{SLACK, disk_capacity, divide, group_capacity, round};
use crate::action::params::{ApplyNodeStorage, DiskParams, FilesystemParams, Late, PartitionParams, SizeParam, VolumeGroupParams};
use crate::build::{Disk, DiskKind, DiskPartition, FilesystemFacts, Machine, VolumeGroupFacts};
use crate::driver::{DriverError, ErrorClass};

/// A device that a step creates or uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Device {
    /// A partition: disk id and index from 0.
    Partition(u64, usize),
    /// A logical volume: group and name.
    Volume(String, String),
}

/// One call on the disks of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum StorageStep {
    /// Chooses the disk that firmware boots from.
    BootDisk { disk: u64 },
    /// Creates a partition; without a size it takes all that is left.
    CreatePartition { disk: u64, index: usize, size: Option<u64>, bootable: bool, uuid: Option<String> },
    /// Makes a filesystem.
    Format { device: Device, fstype: String, label: Option<String>, uuid: Option<String> },
    /// Mounts it.
    Mount { device: Device, mount_point: Option<String>, options: Option<String> },
    /// Creates a volume group on disks and partitions.
    CreateGroup { name: String, disks: Vec<u64>, partitions: Vec<Device>, uuid: Option<String> },
    /// Creates a logical volume.
    CreateVolume { group: String, name: String, size: VolumeSize, uuid: Option<String> },
}

/// The size of a logical volume, known when its group is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct VolumeSize {
    group: VolumeGroupParams,
    index: usize,
}

impl VolumeSize {
    /// In a group of `capacity` bytes; `None` for all that is left.
    pub(in super::super) fn bytes(&self, capacity: u64) -> Result<Option<u64>, DriverError> {
        let sizes = volume_sizes(capacity, &self.group)?;
        let greedy = self.index + 1 == sizes.len() && matches!(self.group.logical_volumes[self.index].size, SizeParam::AtLeast(_));
        Ok(if greedy { None } else { sizes.get(self.index).copied() })
    }
}

fn error(class: ErrorClass, message: String) -> DriverError {
    DriverError::new(class, message)
}

fn disk<'a>(machine: &'a Machine, wanted: &DiskParams) -> Result<&'a Disk, DriverError> {
    let Late::Value(device) = &wanted.device else {
        return Err(error(ErrorClass::Rejected, "a disk of the machine was not resolved".to_owned()));
    };
    machine.disks.iter().find(|d| d.id == device.id && d.name == device.name && d.kind == DiskKind::Physical).ok_or_else(|| {
        error(ErrorClass::Precondition, format!("machine {} no longer has the disk {} (id {})", machine.hostname, device.name, device.id))
            .hint("make a new plan")
    })
}

/// Mount options; `defaults` is what no option means.
fn options(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|o| !o.is_empty() && *o != "defaults")
}

/// Mount point; swap has none and MAAS writes that as `none`.
fn mount_point(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|m| !m.is_empty() && *m != "none")
}

fn filesystem_fits(now: Option<&FilesystemFacts>, wanted: Option<&FilesystemParams>) -> bool {
    match (now, wanted) {
        (None, None) => true,
        (Some(now), Some(wanted)) => {
            now.fstype == wanted.fstype
                && now.label.as_deref() == wanted.label.as_deref().filter(|l| !l.is_empty())
                && mount_point(now.mount_point.as_deref()) == mount_point(wanted.mount_point.as_deref())
                && options(now.mount_options.as_deref()) == options(Some(&wanted.mount_options))
                && uuid_fits(now.uuid.as_ref(), wanted.uuid.as_ref())
        }
        _ => false,
    }
}

/// Whether a UUID is what was asked for; where none was, any is.
fn uuid_fits(now: Option<&String>, wanted: Option<&String>) -> bool {
    wanted.is_none_or(|w| now.is_some_and(|n| n.eq_ignore_ascii_case(w)))
}

/// Whether a size is what was asked for. `left` is what is free beside it.
fn size_fits(size: u64, wanted: SizeParam, expected: u64, left: u64) -> bool {
    match wanted {
        SizeParam::Bytes(_) => size == expected,
        SizeParam::AtLeast(least) => size >= round(least) && left < SLACK,
        SizeParam::Percent(_) => size.abs_diff(expected) <= SLACK,
    }
}

fn partition_sizes(disk: &Disk, partitions: &[PartitionParams]) -> Result<Vec<u64>, DriverError> {
    let sizes: Vec<SizeParam> = partitions.iter().map(|p| p.size).collect();
    divide(disk.size, disk_capacity(disk), &sizes)
        .map_err(|e| error(ErrorClass::Rejected, format!("the partitions of disk {} do not fit: {e}", disk.name)))
}

/// The sizes of the devices that each wanted group is made of.
fn group_members(machine: &Machine, wanted: &ApplyNodeStorage) -> Result<BTreeMap<String, Vec<u64>>, DriverError> {
    let mut out: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for params in &wanted.disks {
        let disk = disk(machine, params)?;
        if let Some(group) = &params.volume_group {
            out.entry(group.clone()).or_default().push(disk.size);
        }
        let sizes = partition_sizes(disk, &params.partitions)?;
        for (partition, size) in params.partitions.iter().zip(sizes) {
            if let Some(group) = &partition.volume_group {
                out.entry(group.clone()).or_default().push(size);
            }
        }
    }
    Ok(out)
}

/// What differs from the wanted layout, in words; empty when nothing does.
pub(in super::super) fn differences(machine: &Machine, wanted: &ApplyNodeStorage) -> Result<Vec<String>, DriverError> {
    let mut out = Vec::new();
    let mut laid_out = BTreeSet::new();
    for params in &wanted.disks {
        let disk = disk(machine, params)?;
        laid_out.insert(disk.id);
        if params.boot && machine.boot_disk.as_ref() != Some(&disk.name) {
            out.push(format!("the machine does not boot from {}", disk.name));
        }
        disk_differences(disk, params, &mut out)?;
    }
    for disk in machine.disks.iter().filter(|d| d.kind == DiskKind::Physical && !laid_out.contains(&d.id)) {
        if !disk.partitions.is_empty() || disk.filesystem.is_some() || disk.volume_group.is_some() {
            out.push(format!("{} is not blank", disk.name));
        }
    }
    let mut volumes = BTreeSet::new();
    for params in &wanted.volume_groups {
        let Some(group) = machine.volume_groups.iter().find(|g| g.name == params.name) else {
            out.push(format!("volume group {} is missing", params.name));
            continue;
        };
        volumes.extend(group.logical_volumes.iter().map(|v| v.id));
        group_differences(group, params, &mut out)?;
    }
    for group in machine.volume_groups.iter().filter(|g| !wanted.volume_groups.iter().any(|w| w.name == g.name)) {
        volumes.extend(group.logical_volumes.iter().map(|v| v.id));
        out.push(format!("volume group {} is not wanted", group.name));
    }
    for disk in machine.disks.iter().filter(|d| d.kind == DiskKind::Virtual && !volumes.contains(&d.id)) {
        out.push(format!("{} is not wanted", disk.name));
    }
    Ok(out)
}

fn disk_differences(disk: &Disk, params: &DiskParams, out: &mut Vec<String>) -> Result<(), DriverError> {
    let name = &disk.name;
    if params.volume_group.is_some() {
        // MAAS puts a partition over the whole of a boot disk that joins a group.
        let member = disk.volume_group.clone().or_else(|| match disk.partitions.as_slice() {
            [only] if disk.available < SLACK => only.volume_group.clone(),
            _ => None,
        });
        if member != params.volume_group {
            out.push(format!("{name} is not in volume group {}", params.volume_group.as_deref().unwrap_or_default()));
        }
        return Ok(());
    }
    if disk.volume_group.is_some() || disk.filesystem.is_some() {
        out.push(format!("{name} is used as a whole"));
    }
    if disk.partitions.len() != params.partitions.len() {
        out.push(format!("{name} has {} partitions, wanted are {}", disk.partitions.len(), params.partitions.len()));
        return Ok(());
    }
    if params.partitions.is_empty() {
        return Ok(());
    }
    let sizes = partition_sizes(disk, &params.partitions)?;
    for ((now, wanted), expected) in disk.partitions.iter().zip(&params.partitions).zip(sizes) {
        let what = format!("partition {} of {name}", wanted.name);
        if !size_fits(now.size, wanted.size, expected, disk.available) {
            out.push(format!("{what} has {} bytes", now.size));
        }
        partition_differences(now, wanted, &what, out);
    }
    Ok(())
}

fn partition_differences(now: &DiskPartition, wanted: &PartitionParams, what: &str, out: &mut Vec<String>) {
    if now.bootable != wanted.bootable {
        out.push(format!("{what} has another boot flag"));
    }
    if now.volume_group != wanted.volume_group {
        out.push(format!("{what} is in another volume group"));
    }
    if !uuid_fits(now.uuid.as_ref(), wanted.uuid.as_ref()) {
        out.push(format!("{what} has another UUID"));
    }
    if wanted.volume_group.is_none() && !filesystem_fits(now.filesystem.as_ref(), wanted.filesystem.as_ref()) {
        out.push(format!("{what} has another filesystem"));
    }
}

fn group_differences(group: &VolumeGroupFacts, params: &VolumeGroupParams, out: &mut Vec<String>) -> Result<(), DriverError> {
    let sizes = volume_sizes(group.size, params)?;
    if !uuid_fits(group.uuid.as_ref(), params.uuid.as_ref()) {
        out.push(format!("volume group {} has another UUID", group.name));
    }
    for volume in &group.logical_volumes {
        if !params.logical_volumes.iter().any(|v| v.name == volume.name) {
            out.push(format!("logical volume {}/{} is not wanted", group.name, volume.name));
        }
    }
    for (wanted, expected) in params.logical_volumes.iter().zip(sizes) {
        let what = format!("logical volume {}/{}", group.name, wanted.name);
        let Some(now) = group.logical_volumes.iter().find(|v| v.name == wanted.name) else {
            out.push(format!("{what} is missing"));
            continue;
        };
        if !size_fits(now.size, wanted.size, expected, group.available) {
            out.push(format!("{what} has {} bytes", now.size));
        }
        if !uuid_fits(now.uuid.as_ref(), wanted.uuid.as_ref()) {
            out.push(format!("{what} has another UUID"));
        }
        if !filesystem_fits(now.filesystem.as_ref(), wanted.filesystem.as_ref()) {
            out.push(format!("{what} has another filesystem"));
        }
    }
    Ok(())
}

fn volume_sizes(capacity: u64, params: &VolumeGroupParams) -> Result<Vec<u64>, DriverError> {
    let sizes: Vec<SizeParam> = params.logical_volumes.iter().map(|v| v.size).collect();
    divide(capacity, capacity, &sizes)
        .map_err(|e| error(ErrorClass::Rejected, format!("the logical volumes of volume group {} do not fit: {e}", params.name)))
}

/// The steps that build the layout on a machine whose disks are blank. On another machine they are those that clearing it would leave.
pub(in super::super) fn plan(machine: &Machine, wanted: &ApplyNodeStorage) -> Result<Vec<StorageStep>, DriverError> {
    let mut steps = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for params in &wanted.disks {
        let disk = disk(machine, params)?;
        if !seen.insert(disk.id) {
            let what = format!("two devices of the design are the same disk of machine {}: {}", machine.hostname, disk.name);
            return Err(error(ErrorClass::Precondition, what).hint("correct the device aliases of its hardware profile"));
        }
    }
    for params in wanted.disks.iter().filter(|d| d.boot) {
        let disk = disk(machine, params)?;
        if machine.boot_disk.as_ref() != Some(&disk.name) {
            steps.push(StorageStep::BootDisk { disk: disk.id });
        }
    }
    for params in &wanted.disks {
        let disk = disk(machine, params)?;
        let sizes = partition_sizes(disk, &params.partitions)?;
        let last = params.partitions.len().saturating_sub(1);
        for (index, (partition, size)) in params.partitions.iter().zip(sizes).enumerate() {
            // The last one takes what MAAS itself says is left.
            let greedy = index == last && matches!(partition.size, SizeParam::AtLeast(_));
            let size = (!greedy).then_some(size);
            steps.push(StorageStep::CreatePartition {
                disk: disk.id,
                index,
                size,
                bootable: partition.bootable,
                uuid: partition.uuid.clone(),
            });
            if partition.volume_group.is_none() {
                make_filesystem(&mut steps, &Device::Partition(disk.id, index), partition.filesystem.as_ref());
            }
        }
    }
    let members = group_members(machine, wanted)?;
    for params in &wanted.volume_groups {
        let Some(devices) = members.get(&params.name) else {
            return Err(error(ErrorClass::Rejected, format!("volume group {} has no disk or partition", params.name)));
        };
        let mut disks = Vec::new();
        let mut partitions = Vec::new();
        for d in &wanted.disks {
            let disk = disk(machine, d)?;
            if d.volume_group.as_ref() == Some(&params.name) {
                disks.push(disk.id);
            }
            let of_group = d.partitions.iter().enumerate().filter(|(_, p)| p.volume_group.as_ref() == Some(&params.name));
            partitions.extend(of_group.map(|(i, _)| Device::Partition(disk.id, i)));
        }
        steps.push(StorageStep::CreateGroup { name: params.name.clone(), disks, partitions, uuid: params.uuid.clone() });
        // Said before anything is done; the real size is known when MAAS has made the group.
        volume_sizes(group_capacity(devices), params)?;
        for (index, volume) in params.logical_volumes.iter().enumerate() {
            let size = VolumeSize { group: params.clone(), index };
            let (group, uuid) = (params.name.clone(), volume.uuid.clone());
            steps.push(StorageStep::CreateVolume { group, name: volume.name.clone(), size, uuid });
            make_filesystem(&mut steps, &Device::Volume(params.name.clone(), volume.name.clone()), volume.filesystem.as_ref());
        }
    }
    Ok(steps)
}

fn make_filesystem(steps: &mut Vec<StorageStep>, device: &Device, filesystem: Option<&FilesystemParams>) {
    let Some(fs) = filesystem else { return };
    let label = fs.label.clone().filter(|l| !l.is_empty());
    steps.push(StorageStep::Format { device: device.clone(), fstype: fs.fstype.clone(), label, uuid: fs.uuid.clone() });
    let point = mount_point(fs.mount_point.as_deref()).map(str::to_owned);
    if point.is_some() || fs.fstype == "swap" {
        let options = Some(fs.mount_options.trim().to_owned()).filter(|o| !o.is_empty());
        steps.push(StorageStep::Mount { device: device.clone(), mount_point: point, options });
    }
}

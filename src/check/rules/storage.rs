//! What several storage rules look at.

use std::collections::BTreeMap;

use crate::model::{Filesystem, Located, Size, Storage, Text};
use crate::yaml::Span;

/// Every filesystem, with what it is on in words, and that thing's size.
pub(super) fn filesystems(storage: &Storage) -> impl Iterator<Item = (String, &Filesystem, &Located<Size>)> {
    let partitions = storage.physical_devices.values().flat_map(|disk| {
        disk.partitions.iter().filter_map(|partition| {
            Some((format!("partition `{}` of `{}`", partition.name, disk.name), partition.filesystem.as_ref()?, &partition.size))
        })
    });
    let volumes = storage.volume_groups.values().flat_map(|group| {
        group.logical_volumes.iter().filter_map(|volume| {
            Some((format!("logical volume `{}` of `{}`", volume.name, group.name), volume.filesystem.as_ref()?, &volume.size))
        })
    });
    partitions.chain(volumes)
}

/// The volume groups that disks and partitions say they belong to.
pub(super) fn physical_volumes(storage: &Storage) -> impl Iterator<Item = &Text> {
    storage
        .physical_devices
        .values()
        .flat_map(|disk| disk.volume_group.iter().chain(disk.partitions.iter().filter_map(|p| p.volume_group.as_ref())))
}

/// Every disk and volume group: what it is, its name, and the parts that share its space with their sizes.
pub(super) fn shared_spaces(storage: &Storage) -> impl Iterator<Item = (&'static str, &Text, Vec<(String, &Located<Size>)>)> {
    let disks = storage.physical_devices.values().map(|disk| {
        let parts = disk.partitions.iter().map(|partition| (format!("partition `{}`", partition.name), &partition.size));
        ("disk", &disk.name, parts.collect())
    });
    let groups = storage.volume_groups.values().map(|group| {
        let parts = group.logical_volumes.iter().map(|volume| (format!("logical volume `{}`", volume.name), &volume.size));
        ("volume group", &group.name, parts.collect())
    });
    disks.chain(groups)
}

/// A path without doubled slashes, `.` and a slash at its end.
pub(super) fn normal(path: &str) -> String {
    let steps: Vec<&str> = path.split('/').filter(|step| !matches!(*step, "" | ".")).collect();
    format!("/{}", steps.join("/"))
}

/// Where a filesystem is mounted, normalised, if it is mounted at an absolute path.
pub(super) fn mounted_at(filesystem: &Filesystem) -> Option<String> {
    filesystem.mountpoint.as_ref().filter(|path| path.starts_with('/')).map(|path| normal(path))
}

/// The bytes of each volume group, where the design says the size of all that holds it, and where it says one of them.
pub(super) fn capacities(storage: &Storage) -> BTreeMap<&str, (u64, Span)> {
    let mut known: BTreeMap<&str, Option<(u64, Span)>> = BTreeMap::new();
    for disk in storage.physical_devices.values() {
        if let Some(group) = &disk.volume_group {
            known.insert(group, None);
        }
        for partition in &disk.partitions {
            let Some(group) = &partition.volume_group else { continue };
            let size = match partition.size.value {
                Size::Bytes(bytes) if partition.size.span.is_somewhere() => Some(bytes),
                _ => None,
            };
            let so_far = known.entry(group).or_insert(Some((0, partition.size.span)));
            *so_far = so_far.zip(size).map(|((sum, span), bytes)| (sum.saturating_add(bytes), span));
        }
    }
    known.into_iter().filter_map(|(group, known)| Some((group, known?))).collect()
}

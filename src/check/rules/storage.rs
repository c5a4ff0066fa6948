//! What several storage rules look at.

use crate::model::{Filesystem, Located, Size, Storage, Text};

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

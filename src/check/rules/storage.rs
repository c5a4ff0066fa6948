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

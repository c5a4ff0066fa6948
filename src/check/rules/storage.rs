//! What several storage rules look at.

use std::collections::BTreeMap;

use crate::model::{Filesystem, Located, PhysicalDevice, Size, Storage, Text};
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
    capacities_on(storage, &BTreeMap::new())
}

/// The same with the bytes of disks, by name. Shares and rests are known where the disk's size is.
pub(super) fn capacities_on<'a>(storage: &'a Storage, disks: &BTreeMap<&str, u64>) -> BTreeMap<&'a str, (u64, Span)> {
    let mut known: BTreeMap<&str, Option<(u64, Span)>> = BTreeMap::new();
    let mut add = |group: &'a Text, bytes: Option<u64>, span: Span| {
        let so_far = known.entry(group).or_insert(Some((0, span)));
        *so_far = so_far.zip(bytes).map(|((sum, span), bytes)| (sum.saturating_add(bytes), span));
    };
    for disk in storage.physical_devices.values() {
        let whole = disks.get(disk.name.as_str()).copied();
        if let Some(group) = &disk.volume_group {
            add(group, whole, group.span);
        }
        for (partition, bytes) in disk.partitions.iter().zip(sizes_on(whole, disk)) {
            let Some(group) = &partition.volume_group else { continue };
            add(group, bytes.filter(|_| partition.size.span.is_somewhere()), partition.size.span);
        }
    }
    known.into_iter().filter_map(|(group, known)| Some((group, known?))).collect()
}

/// The bytes that each partition comes to on a disk of so many bytes.
pub(super) fn sizes_on(whole: Option<u64>, disk: &PhysicalDevice) -> Vec<Option<u64>> {
    let fixed = disk.partitions.iter().map(|partition| match partition.size.value {
        Size::Bytes(bytes) => Some(Some(bytes)),
        Size::Percent(part) => Some(whole.map(|whole| share(whole, part))),
        Size::AtLeast(_) => None,
    });
    let fixed: Vec<Option<Option<u64>>> = fixed.collect();
    // The rest of the disk; none is known where two take it.
    let alone = fixed.iter().filter(|size| size.is_none()).count() == 1;
    let rest =
        whole.filter(|_| alone).and_then(|whole| fixed.iter().flatten().try_fold(whole, |left, used| Some(left.saturating_sub((*used)?))));
    fixed.into_iter().map(|size| size.unwrap_or(rest)).collect()
}

/// A share, in hundredths of a percent.
pub(super) fn share(whole: u64, part: u32) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / 10_000).unwrap_or(u64::MAX)
}

/// A sum of sizes for people: decimal gigabytes, since it is seldom a whole number of anything.
pub(super) fn gigabytes(bytes: u64) -> String {
    let hundredths = bytes / 10_000_000;
    match hundredths % 100 {
        0 => format!("{} GB", hundredths / 100),
        rest => format!("{}.{rest:02} GB", hundredths / 100),
    }
}

//! How MAAS counts bytes: alignment, and what partition tables and volume groups take.

use super::db::{BlockDevice, Node};

/// Partitions, logical volumes and physical extents are multiples of 4 MiB.
pub(crate) const ALIGNMENT: u64 = 4 << 20;
/// A GPT takes 4 MiB before and 1 MiB behind the partitions.
const TABLE: u64 = 5 << 20;
/// A disk that legacy firmware boots from has a 1 MiB partition for the boot loader.
const BIOS_GRUB: u64 = 1 << 20;

/// Rounds down to 4 MiB.
pub(crate) fn align(size: u64) -> u64 {
    size / ALIGNMENT * ALIGNMENT
}

/// What the partition table of a disk takes.
pub(crate) fn table_overhead(node: &Node, device: &BlockDevice) -> u64 {
    if node.bios_boot_method.as_deref() == Some("uefi") || device.volume_group.is_some() { TABLE } else { TABLE + BIOS_GRUB }
}

/// Bytes of a device that are in use.
pub(crate) fn used(node: &Node, device: &BlockDevice) -> u64 {
    if device.filesystem.is_some() {
        device.size
    } else if device.partition_table.is_some() {
        device.partitions.iter().map(|p| p.size).sum::<u64>() + table_overhead(node, device)
    } else {
        0
    }
}

/// Bytes of a device that a new partition could have.
pub(crate) fn available(node: &Node, device: &BlockDevice) -> u64 {
    if device.filesystem.is_some() {
        0
    } else if device.partition_table.is_some() {
        align(device.size.saturating_sub(used(node, device)))
    } else {
        align(device.size.saturating_sub(TABLE))
    }
}

/// Sizes of the physical volumes of a volume group.
fn physical_volumes(node: &Node, group: i64) -> Vec<u64> {
    let mut sizes = Vec::new();
    for d in node.block_devices.values() {
        if d.filesystem.as_ref().is_some_and(|f| f.volume_group == Some(group)) {
            sizes.push(d.size);
        }
        for p in &d.partitions {
            if p.filesystem.as_ref().is_some_and(|f| f.volume_group == Some(group)) {
                sizes.push(p.size);
            }
        }
    }
    sizes
}

/// Size of a volume group: whole extents, less one for the metadata of each physical volume.
pub(crate) fn group_size(node: &Node, group: i64) -> u64 {
    let volumes = physical_volumes(node, group);
    let extents = volumes.iter().sum::<u64>() / ALIGNMENT;
    extents.saturating_sub(volumes.len() as u64) * ALIGNMENT
}

/// Bytes of a volume group that logical volumes have.
pub(crate) fn group_used(node: &Node, group: i64) -> u64 {
    node.block_devices.values().filter(|d| d.volume_group == Some(group)).map(|d| d.size).sum()
}

/// A size for people, as Django writes it (powers of 1000).
pub(crate) fn human(size: u64) -> String {
    if size < 1000 {
        return format!("{size} bytes");
    }
    let mut value = size as f64;
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        value /= 1000.0;
        if value < 999.95 {
            return format!("{value:.1} {unit}");
        }
    }
    format!("{value:.1} PB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_whole_extents() {
        assert_eq!(align(100_000_000_000), 99_996_401_664);
        assert_eq!(align(200_000_000_000), 199_996_997_632);
    }

    #[test]
    fn human_sizes_read_as_in_django() {
        assert_eq!(human(1_919_992_987_648), "1.9 TB");
        assert_eq!(human(199_996_997_632), "200.0 GB");
        assert_eq!(human(0), "0 bytes");
    }
}

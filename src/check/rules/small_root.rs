//! A root filesystem of less than 20 GB, or a boot filesystem of less than 1 GB, fills up.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::known::Known;
use crate::check::registry::Rule;
use crate::check::rules::storage::{capacities_on, filesystems, gigabytes, mounted_at, share};
use crate::diag::{Code, Severity};
use crate::model::{Filesystem, Located, Node, Site, Size, Storage};
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3110"),
    original: Some("DD1001 (Rational Boot Storage)"),
    title: "the root or boot filesystem is small",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let shares = shares(&node.storage, &BTreeMap::new());
        for (place, filesystem, size) in filesystems(&node.storage) {
            let of_group = match size.value {
                Size::Bytes(bytes) | Size::AtLeast(bytes) => Some((bytes, "")),
                Size::Percent(_) => shares.get(&size.span).map(|bytes| (*bytes, " of its group")),
            };
            if let Some((bytes, of)) = of_group {
                report(node, &place, filesystem, size, bytes, of, findings);
            }
        }
    }
}

/// Shares of disks, and of volume groups on them, whose size only the machine tells.
pub(super) fn check_on_disks(site: &Site, known: &Known<'_>, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let Some(disks) = known.disks.get(node.name.as_str()) else { continue };
        let (said, shares) = (shares(&node.storage, &BTreeMap::new()), shares(&node.storage, disks));
        for (place, filesystem, size) in filesystems(&node.storage) {
            if let Some(bytes) = shares.get(&size.span).filter(|_| !said.contains_key(&size.span)) {
                report(node, &place, filesystem, size, *bytes, " of what the machine has there", findings);
            }
        }
    }
}

fn report(node: &Node, place: &str, filesystem: &Filesystem, size: &Located<Size>, bytes: u64, of: &str, findings: &mut Findings<'_>) {
    let least = match mounted_at(filesystem).as_deref() {
        Some("/") => 20_000_000_000,
        Some("/boot") => 1_000_000_000,
        _ => return,
    };
    if bytes < least {
        let shown = if of.is_empty() { size.to_string() } else { format!("{size}{of}, which is {}", gigabytes(bytes)) };
        let found = findings.finding(format!("{place} has {shown}, less than {}", Size::Bytes(least))).at(size.span);
        findings.push(found.help(format!("give it {} at least", Size::Bytes(least))).resource(format!("node.{}", node.name)));
    }
}

/// What shares come to, by where they are written, where the size of the group, or of the disk, is known.
fn shares(storage: &Storage, disks: &BTreeMap<&str, u64>) -> BTreeMap<Span, u64> {
    let mut shares = BTreeMap::new();
    let capacities = capacities_on(storage, disks);
    let of_groups = storage.volume_groups.values().filter_map(|group| {
        let (capacity, _) = capacities.get(group.name.as_str()).copied()?;
        Some((capacity, group.logical_volumes.iter().map(|volume| &volume.size).collect::<Vec<_>>()))
    });
    let of_disks = storage.physical_devices.values().filter_map(|disk| {
        let bytes = disks.get(disk.name.as_str()).copied()?;
        Some((bytes, disk.partitions.iter().map(|partition| &partition.size).collect()))
    });
    for (whole, sizes) in of_groups.chain(of_disks) {
        for size in sizes {
            if let Size::Percent(part) = size.value {
                shares.insert(size.span, share(whole, part));
            }
        }
    }
    shares
}

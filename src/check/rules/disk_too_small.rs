//! What is written in bytes fits on the disks that machines have.

use std::collections::BTreeMap;

use super::storage::{capacities, capacities_on, gigabytes};
use crate::check::Findings;
use crate::check::known::{Known, NO_BUILD, Subjects};
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Node, Site, Size};
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3122"),
    original: Some("DD2003 (Storage Sizing)"),
    title: "a disk is too small for what is planned on it",
    severity: Severity::Error,
    check: None,
};

pub(super) fn check(site: &Site, known: &Known<'_>, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let Some(disks) = known.disks.get(node.name.as_str()) else { continue };
        partitions(node, disks, findings);
        volumes(node, disks, findings);
    }
}

/// Bytes that are asked for, and where the last of them are.
fn needed<'a>(sizes: impl Iterator<Item = &'a crate::model::Located<Size>>) -> Option<(u64, Span)> {
    sizes.filter(|size| size.span.is_somewhere()).fold(None, |so_far: Option<(u64, Span)>, size| match size.value {
        Size::Bytes(bytes) | Size::AtLeast(bytes) => Some((so_far.map_or(0, |(sum, _)| sum).saturating_add(bytes), size.span)),
        Size::Percent(_) => so_far,
    })
}

fn partitions(node: &Node, disks: &BTreeMap<&str, u64>, findings: &mut Findings<'_>) {
    for disk in node.storage.physical_devices.values() {
        let Some(bytes) = disks.get(disk.name.as_str()).copied() else { continue };
        let Some((sum, last)) = needed(disk.partitions.iter().map(|partition| &partition.size)).filter(|(sum, _)| *sum > bytes) else {
            continue;
        };
        let message =
            format!("partitions of disk `{}` need {}, and the machine's disk has {}", disk.name, gigabytes(sum), gigabytes(bytes));
        let found = findings.finding(message).at(last).label(disk.name.span, "the disk");
        findings.push(found.help("lower the sizes, or name a larger disk").resource(format!("node.{}", node.name)));
    }
}

/// Groups whose size the design alone does not say: those it says are checked without facts.
fn volumes(node: &Node, disks: &BTreeMap<&str, u64>, findings: &mut Findings<'_>) {
    let said = capacities(&node.storage);
    let sizes = capacities_on(&node.storage, disks);
    for group in node.storage.volume_groups.values().filter(|group| !said.contains_key(group.name.as_str())) {
        let Some((bytes, place)) = sizes.get(group.name.as_str()).copied() else { continue };
        let volumes = group.logical_volumes.iter().map(|volume| &volume.size);
        let Some((sum, last)) = needed(volumes).filter(|(sum, _)| *sum > bytes) else { continue };
        let message = format!(
            "logical volumes of `{}` need {}, and its physical volumes come to {} on the machine's disks",
            group.name,
            gigabytes(sum),
            gigabytes(bytes)
        );
        let found = findings.finding(message).at(last).label(place, "a physical volume of the group");
        findings.push(found.help("lower the volumes, or give the group more").resource(format!("node.{}", node.name)));
    }
}

pub(super) fn subject(site: &Site, known: Option<&Known<'_>>) -> Option<Subjects> {
    let has_sizes = |node: &&Node| {
        let partitions = node.storage.physical_devices.values().flat_map(|disk| &disk.partitions).map(|partition| &partition.size);
        let volumes = node.storage.volume_groups.values().flat_map(|group| &group.logical_volumes).map(|volume| &volume.size);
        partitions.chain(volumes).any(|size| size.span.is_somewhere() && !matches!(size.value, Size::Percent(_)))
    };
    let disks = |node: &Node| node.storage.physical_devices.len();
    let with_sizes = site.nodes.values().filter(has_sizes);
    let (count, why) = match known {
        None => (with_sizes.map(disks).sum(), NO_BUILD),
        Some(known) => {
            let found = |node: &Node| known.disks.get(node.name.as_str()).map_or(0, BTreeMap::len);
            let missing: usize = with_sizes.map(|node| disks(node).saturating_sub(found(node))).sum();
            (missing, "the build model does not have them, or not their machines")
        }
    };
    let what = match count {
        0 => return None,
        1 => "the size of 1 disk".to_owned(),
        n => format!("the sizes of {n} disks"),
    };
    Some(Subjects { what, why: why.to_owned() })
}

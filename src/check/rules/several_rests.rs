//! One partition of a disk, or one volume of a group, takes the rest.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::Size;

pub(super) static RULE: Rule =
    Rule { code: Code("DD3109"), original: None, title: "several sizes take the rest", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let disks = node
            .storage
            .physical_devices
            .values()
            .map(|disk| ("disk", &disk.name, disk.partitions.iter().map(|partition| &partition.size).collect::<Vec<_>>()));
        let groups = node
            .storage
            .volume_groups
            .values()
            .map(|group| ("volume group", &group.name, group.logical_volumes.iter().map(|volume| &volume.size).collect()));
        for (what, name, sizes) in disks.chain(groups) {
            let mut rests = sizes.into_iter().filter(|size| matches!(size.value, Size::AtLeast(_)));
            let (Some(first), Some(second)) = (rests.next(), rests.next()) else { continue };
            let message = format!("{what} `{name}` has several sizes that take the rest");
            let found = findings.finding(message).at(second.span).label(first.span, "the first of them");
            findings.push(found.help("leave `>` on one of them").resource(format!("node.{}", node.name)));
        }
    }
}

//! A disk has partitions or is a physical volume.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3102"),
    original: Some("DD2002 (Storage Partitioning)"),
    title: "a disk has partitions and a volume group",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for device in node.storage.physical_devices.values() {
            let (Some(group), Some(partition)) = (&device.volume_group, device.partitions.first()) else { continue };
            let message = format!("disk `{}` is a physical volume of `{group}` and has partitions", device.name);
            let found = findings.finding(message).at(group.span).label(partition.name.span, "its first partition");
            let help = "remove one; what a host profile gave is removed by `partitions: null` or `volume_group: null`";
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}

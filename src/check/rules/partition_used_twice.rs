//! A partition has a filesystem or is a physical volume.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3104"),
    original: Some("DD2002 (Storage Partitioning)"),
    title: "a partition has a filesystem and a volume group",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for partition in node.storage.physical_devices.values().flat_map(|device| &device.partitions) {
            let (Some(group), Some(_)) = (&partition.volume_group, &partition.filesystem) else { continue };
            let message = format!("partition `{}` is a physical volume of `{group}` and has a filesystem", partition.name);
            let found = findings.finding(message).at(group.span).label(partition.name.span, "the partition");
            findings.push(found.help("remove `filesystem` or `volume_group`").resource(format!("node.{}", node.name)));
        }
    }
}

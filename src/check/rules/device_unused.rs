//! A disk that is listed is used.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3103"),
    original: Some("DD2002 (Storage Partitioning)"),
    title: "a disk has neither partitions nor a volume group",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        for device in node.storage.physical_devices.values() {
            if device.volume_group.is_none() && device.partitions.is_empty() {
                let found =
                    findings.finding(format!("disk `{}` has neither partitions nor a volume group", device.name)).at(device.name.span);
                let help = "add `partitions` or `volume_group`; set the disk to `null` to leave it alone";
                findings.push(found.help(help).resource(format!("node.{}", node.name)));
            }
        }
    }
}

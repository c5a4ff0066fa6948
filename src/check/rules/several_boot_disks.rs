//! Firmware boots from one disk.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{PhysicalDevice, Site};

pub(super) static RULE: Rule =
    Rule { code: Code("DD3121"), original: None, title: "a node has two boot disks", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let is_boot = |disk: &&PhysicalDevice| disk.labels.get("bootdrive").is_some_and(|label| label.eq_ignore_ascii_case("true"));
    for node in site.nodes.values() {
        let mut disks = node.storage.physical_devices.values().filter(is_boot);
        let Some(first) = disks.next() else { continue };
        for other in disks {
            let message = format!("disks `{}` and `{}` are both labelled as the boot disk", first.name, other.name);
            let found = findings.finding(message).at(other.labels["bootdrive"].span);
            let found = found.label(first.labels["bootdrive"].span, "this one is booted from");
            findings.push(found.help("leave `bootdrive` on one disk").resource(format!("node.{}", node.name)));
        }
    }
}

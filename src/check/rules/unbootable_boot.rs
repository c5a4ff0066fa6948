//! Firmware and boot loader find `/boot`.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::mounted_at;
use crate::diag::{Code, Severity};
use crate::model::{Filesystem, Site, Text};

pub(super) static RULE: Rule = Rule {
    code: Code("DD3118"),
    original: None,
    title: "a boot filesystem is where a boot loader may not find it",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let resource = || format!("node.{}", node.name);
        for group in node.storage.volume_groups.values() {
            for volume in &group.logical_volumes {
                if let Some(path) = volume.filesystem.as_ref().and_then(boot) {
                    let message = format!("`{path}` is on logical volume `{}` of `{}`", volume.name, group.name);
                    let found = findings.finding(message).at(path.span);
                    findings.push(found.help("put it on a partition of the boot disk").resource(resource()));
                }
            }
        }
        let disks = || node.storage.physical_devices.values();
        let Some(bootdrive) = disks().find(|disk| disk.labels.get("bootdrive").is_some_and(|label| label.as_str() == "true")) else {
            continue;
        };
        for disk in disks().filter(|disk| disk.labels.get("bootdrive").is_none_or(|label| label.as_str() != "true")) {
            for path in disk.partitions.iter().filter_map(|partition| boot(partition.filesystem.as_ref()?)) {
                let message = format!("`{path}` is on disk `{}`, and `{}` is the boot disk", disk.name, bootdrive.name);
                let found = findings.finding(message).at(path.span).label(bootdrive.labels["bootdrive"].span, "the boot disk");
                findings.push(found.help("put it on a partition of the boot disk, or label this disk").resource(resource()));
            }
        }
    }
}

fn boot(filesystem: &Filesystem) -> Option<&Text> {
    filesystem.mountpoint.as_ref().filter(|_| matches!(mounted_at(filesystem).as_deref(), Some("/boot" | "/boot/efi")))
}

//! A filesystem is of a type that a provisioner can make.

use super::storage::filesystems;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::design::similar;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3117"),
    original: None,
    title: "a type of filesystem is not known",
    severity: Severity::Warning,
    check: Some(check),
};

/// What MAAS 2.9 to 3.7 can put on partitions and volumes.
const TYPES: [&str; 9] = ["ext2", "ext4", "xfs", "fat32", "vfat", "swap", "btrfs", "zfsroot", "ext3"];

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (place, filesystem, _) in filesystems(&node.storage) {
            let fstype = &filesystem.fstype;
            if TYPES.contains(&fstype.as_str()) {
                continue;
            }
            let found = findings.finding(format!("{place} has a filesystem of type `{fstype}`, which MAAS does not make")).at(fstype.span);
            let help = match similar(fstype, TYPES.into_iter()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("the types are {}", TYPES.map(|name| format!("`{name}`")).join(", ")),
            };
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}

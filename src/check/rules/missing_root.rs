//! A node has a root filesystem.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::{filesystems, mounted_at};
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3101"),
    original: Some("DD1001 (Rational Boot Storage)"),
    title: "a node has no root filesystem",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let nothing = node.platform.image.is_none() && node.storage.physical_devices.is_empty();
        if nothing || node.incomplete {
            continue;
        }
        let has_root = filesystems(&node.storage).any(|(_, filesystem, _)| mounted_at(filesystem).is_some_and(|path| path == "/"));
        if !has_root {
            let found =
                findings.finding(format!("no partition or logical volume of node `{}` is mounted at `/`", node.name)).at(node.name.span);
            let help = "add a partition with `filesystem.mountpoint: /` to a disk of the node or of its host profile";
            findings.push(found.help(help).resource(format!("node.{}", node.name)));
        }
    }
}

//! A filesystem is mounted at an absolute path.

use super::storage::filesystems;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3116"),
    original: None,
    title: "a mount point is no absolute path",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (place, filesystem, _) in filesystems(&node.storage) {
            let Some(path) = &filesystem.mountpoint else { continue };
            let nowhere = matches!(filesystem.fstype.as_str(), "swap") || path.as_str() == "none";
            let relative = !path.starts_with('/') || path.split('/').any(|step| step == "..");
            if relative && !nowhere {
                let found = findings.finding(format!("{place} is mounted at `{path}`, which is no absolute path")).at(path.span);
                findings.push(found.help("write a path from `/`, without `..`").resource(format!("node.{}", node.name)));
            }
        }
    }
}

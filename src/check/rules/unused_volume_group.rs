//! A volume group is there for its volumes.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD3112"), original: None, title: "a volume group has no volumes", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        for group in node.storage.volume_groups.values().filter(|group| group.logical_volumes.is_empty()) {
            let found = findings.finding(format!("volume group `{}` has no logical volumes", group.name)).at(group.name.span);
            findings.push(found.help("add `logical_volumes`, or remove the group").resource(format!("node.{}", node.name)));
        }
    }
}

//! A volume group has a physical volume.

use std::collections::HashSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::physical_volumes;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3106"),
    original: Some("DD2002 (Storage Partitioning)"),
    title: "a volume group has no physical volume",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        let used: HashSet<&str> = physical_volumes(&node.storage).map(|name| name.as_str()).collect();
        for group in node.storage.volume_groups.values() {
            if !used.contains(group.name.as_str()) {
                let found = findings.finding(format!("no disk or partition is a physical volume of `{}`", group.name)).at(group.name.span);
                let help = format!("set `volume_group: {}` on a disk or partition, or remove the group", group.name);
                findings.push(found.help(help).resource(format!("node.{}", node.name)));
            }
        }
    }
}

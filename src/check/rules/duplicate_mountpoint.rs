//! A mount point has one filesystem.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::{filesystems, mounted_at};
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3107"),
    original: Some("DD2004 (Storage Mountpoint)"),
    title: "two filesystems have the same mount point",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let mut first: BTreeMap<String, (String, Span)> = BTreeMap::new();
        for (place, filesystem, _) in filesystems(&node.storage) {
            let Some(path) = &filesystem.mountpoint else { continue };
            let Some(normal) = mounted_at(filesystem) else { continue };
            match first.entry(normal.clone()) {
                Entry::Vacant(free) => {
                    free.insert((place, path.span));
                }
                Entry::Occupied(other) => {
                    let (other, span) = other.get();
                    let message = format!("{other} and {place} are both mounted at `{normal}`");
                    let found = findings.finding(message).at(path.span).label(*span, "the other mount point");
                    findings.push(found.help("mount one of them elsewhere").resource(format!("node.{}", node.name)));
                }
            }
        }
    }
}

//! A partition is known by its name.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3114"),
    original: None,
    title: "two partitions of a disk have the same name",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for disk in node.storage.physical_devices.values() {
            let mut first: BTreeMap<&str, Span> = BTreeMap::new();
            for partition in &disk.partitions {
                let span = *first.entry(&partition.name).or_insert(partition.name.span);
                if span != partition.name.span {
                    let message = format!("disk `{}` has two partitions `{}`", disk.name, partition.name);
                    let found = findings.finding(message).at(partition.name.span).label(span, "the first");
                    findings.push(found.help("rename one of them").resource(format!("node.{}", node.name)));
                }
            }
        }
    }
}

//! Logical volumes of a group have different names.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3111"),
    original: None,
    title: "two logical volumes of a group have the same name",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for group in node.storage.volume_groups.values() {
            let mut first: BTreeMap<&str, Span> = BTreeMap::new();
            for volume in &group.logical_volumes {
                let span = *first.entry(&volume.name).or_insert(volume.name.span);
                if span != volume.name.span {
                    let message = format!("volume group `{}` has two logical volumes `{}`", group.name, volume.name);
                    let found = findings.finding(message).at(volume.name.span).label(span, "the first");
                    findings.push(found.help("rename one of them").resource(format!("node.{}", node.name)));
                }
            }
        }
    }
}

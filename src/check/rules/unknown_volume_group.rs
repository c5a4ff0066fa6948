//! A physical volume belongs to a volume group that is described.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::physical_volumes;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD3105"), original: None, title: "a volume group does not exist", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        for group in physical_volumes(&node.storage) {
            if !node.storage.volume_groups.contains_key(&group.value) {
                let help = "describe it under `storage.volume_groups`, or name another";
                findings.unknown("volume group", group, format!("node.{}", node.name), node.storage.volume_groups.keys(), help);
            }
        }
    }
}

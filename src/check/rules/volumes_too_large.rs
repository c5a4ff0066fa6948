//! Logical volumes fit into the partitions that hold them.

use super::storage::capacities;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Size};

pub(super) static RULE: Rule = Rule {
    code: Code("DD3119"),
    original: Some("DD2003 (Storage Sizing)"),
    title: "logical volumes need more than their volume group has",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let capacities = capacities(&node.storage);
        for group in node.storage.volume_groups.values() {
            let sizes = group.logical_volumes.iter().map(|volume| &volume.size).filter(|size| size.span.is_somewhere());
            let mut needed: u64 = 0;
            let mut last = None;
            for size in sizes {
                if let Size::Bytes(bytes) | Size::AtLeast(bytes) = size.value {
                    needed = needed.saturating_add(bytes);
                    last = Some(size.span);
                }
            }
            let (Some(span), Some((capacity, place))) = (last, capacities.get(group.name.as_str()).copied()) else { continue };
            if needed <= capacity {
                continue;
            }
            let message = format!(
                "logical volumes of `{}` need {}, and its physical volumes have {}",
                group.name,
                Size::Bytes(needed),
                Size::Bytes(capacity)
            );
            let found = findings.finding(message).at(span).label(place, "a physical volume of the group");
            findings.push(found.help("lower the volumes, or enlarge the partition").resource(format!("node.{}", node.name)));
        }
    }
}

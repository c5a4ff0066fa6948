//! A root filesystem of less than 20 GB, or a boot filesystem of less than 1 GB, fills up.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::{capacities, filesystems, mounted_at};
use crate::diag::{Code, Severity};
use crate::model::{Site, Size, Storage};
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3110"),
    original: Some("DD1001 (Rational Boot Storage)"),
    title: "the root or boot filesystem is small",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let shares = shares_of_groups(&node.storage);
        for (place, filesystem, size) in filesystems(&node.storage) {
            let least = match mounted_at(filesystem).as_deref() {
                Some("/") => 20_000_000_000,
                Some("/boot") => 1_000_000_000,
                _ => continue,
            };
            let (bytes, shown) = match size.value {
                Size::Bytes(bytes) | Size::AtLeast(bytes) => (bytes, size.to_string()),
                Size::Percent(_) => match shares.get(&size.span) {
                    Some(bytes) => (*bytes, format!("{size} of its group, which is {}", Size::Bytes(*bytes))),
                    None => continue,
                },
            };
            if bytes < least {
                let found = findings.finding(format!("{place} has {shown}, less than {}", Size::Bytes(least))).at(size.span);
                findings.push(found.help(format!("give it {} at least", Size::Bytes(least))).resource(format!("node.{}", node.name)));
            }
        }
    }
}

/// What shares of volume groups come to, by where they are written, where the group's size is known.
fn shares_of_groups(storage: &Storage) -> BTreeMap<Span, u64> {
    let mut shares = BTreeMap::new();
    let capacities = capacities(storage);
    for group in storage.volume_groups.values() {
        let Some((capacity, _)) = capacities.get(group.name.as_str()).copied() else { continue };
        for size in group.logical_volumes.iter().map(|volume| &volume.size) {
            if let Size::Percent(share) = size.value {
                let bytes = u128::from(capacity) * u128::from(share) / 10_000;
                shares.insert(size.span, u64::try_from(bytes).unwrap_or(u64::MAX));
            }
        }
    }
    shares
}

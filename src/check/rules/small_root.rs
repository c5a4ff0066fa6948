//! A root filesystem of less than 20 GB, or a boot filesystem of less than 1 GB, fills up.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::check::rules::storage::filesystems;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::model::Size;

pub(super) static RULE: Rule = Rule {
    code: Code("DD3110"),
    original: Some("DD1001 (Rational Boot Storage)"),
    title: "the root or boot filesystem is small",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (place, filesystem, size) in filesystems(&node.storage) {
            let least = match filesystem.mountpoint.as_ref().map(|path| path.as_str()) {
                Some("/") => 20_000_000_000,
                Some("/boot") => 1_000_000_000,
                _ => continue,
            };
            let (Size::Bytes(bytes) | Size::AtLeast(bytes)) = size.value else { continue };
            if bytes < least {
                let found = findings.finding(format!("{place} has {size}, less than {}", Size::Bytes(least))).at(size.span);
                findings.push(found.help(format!("give it {} at least", Size::Bytes(least))).resource(format!("node.{}", node.name)));
            }
        }
    }
}

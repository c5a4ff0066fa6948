//! What has all of a disk leaves nothing for others, and what has nothing cannot be made.

use super::storage::shared_spaces;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Size};

pub(super) static RULE: Rule = Rule {
    code: Code("DD3113"),
    original: Some("DD2003 (Storage Sizing)"),
    title: "a size leaves nothing, or is nothing",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (what, name, sizes) in shared_spaces(&node.storage) {
            let resource = || format!("node.{}", node.name);
            for (part, size) in &sizes {
                if matches!(size.value, Size::Bytes(0) | Size::Percent(0)) {
                    let found = findings.finding(format!("{part} of {what} `{name}` has a size of nothing")).at(size.span);
                    findings.push(found.help("give it a size").resource(resource()));
                }
            }
            let share = |size: Size| if let Size::Percent(share) = size { u64::from(share) } else { 0 };
            // More than everything is reported as that.
            if sizes.iter().map(|(_, size)| share(size.value)).sum::<u64>() != 10_000 {
                continue;
            }
            let fixed = sizes.iter().find(|(_, size)| matches!(size.value, Size::Bytes(1..) | Size::AtLeast(_)));
            let last = sizes.iter().rfind(|(_, size)| share(size.value) > 0);
            if let (Some((part, fixed)), Some((_, all))) = (fixed, last) {
                let message = format!("shares of {what} `{name}` take 100 %, and {part} has {fixed} of it besides");
                let found = findings.finding(message).at(fixed.span).label(all.span, "nothing is left after this");
                findings.push(found.help("lower the shares, or write all sizes as shares").resource(resource()));
            }
        }
    }
}

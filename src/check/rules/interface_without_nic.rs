//! An interface has a NIC.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2313"), original: None, title: "an interface has no NIC", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        for interface in node.interfaces.values().filter(|interface| interface.slaves.is_empty()) {
            let found = findings.finding(format!("interface `{}` has no NIC", interface.name)).at(interface.name.span);
            findings.push(found.help("list device aliases or kernel names in `slaves`").resource(format!("node.{}", node.name)));
        }
    }
}

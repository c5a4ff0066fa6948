//! An interface without a bond has one NIC.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::BondMode;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2311"),
    original: None,
    title: "an interface without a bond has several NICs",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for interface in node.interfaces.values().filter(|interface| interface.slaves.len() > 1) {
            let Some(link) = interface.device_link.as_ref().and_then(|link| site.links.get(&link.value)) else { continue };
            if link.bonding.mode.value != BondMode::Disabled || link.is_noconfig() || interface.labels.contains_key("noconfig") {
                continue;
            }
            let message =
                format!("interface `{}` has {} NICs, and link `{}` has no bonding", interface.name, interface.slaves.len(), link.name);
            let found = findings.finding(message).at(interface.slaves[1].span).label(link.name.span, "the interface's link");
            findings.push(found.help("set `bonding.mode` of the link, or leave one NIC").resource(format!("node.{}", node.name)));
        }
    }
}

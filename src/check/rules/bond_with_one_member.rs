//! A bond has at least two members.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::BondMode;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2310"),
    original: None,
    title: "a bond has fewer than two members",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for interface in node.interfaces.values().filter(|interface| interface.slaves.len() == 1) {
            let Some(link) = interface.device_link.as_ref().and_then(|link| site.links.get(&link.value)) else { continue };
            if link.bonding.mode.value == BondMode::Disabled {
                continue;
            }
            let message = format!("interface `{}` is a bond ({}) of one NIC", interface.name, link.bonding.mode.kernel_name());
            let found = findings.finding(message).at(interface.slaves[0].span).label(link.bonding.mode.span, "the link's bonding mode");
            findings.push(found.help("add a second NIC, or use a link without bonding").resource(format!("node.{}", node.name)));
        }
    }
}

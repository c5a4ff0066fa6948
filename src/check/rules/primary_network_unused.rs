//! A node has an address on its primary network.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5102"),
    original: None,
    title: "a node has no address on its primary network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let Some(network) = node.primary_network.as_ref().filter(|network| site.networks.contains_key(&network.value)) else { continue };
        if node.address_on(network).is_none() {
            let message = format!("node `{}` has no address on its primary network `{network}`", node.name);
            let found = findings.finding(message).at(node.name.span).label(network.span, "the primary network");
            findings.push(found.help("add the network to `addressing`, or choose another").resource(format!("node.{}", node.name)));
        }
    }
}

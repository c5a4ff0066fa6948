//! An address on a network that does not exist is not configured.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2105"),
    original: Some("DD2002 (IP Locality)"),
    title: "an address is on a network that does not exist",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for network in node.addressing.iter().map(|address| &address.network) {
            // Where an interface or the BMC uses the network, it is reported there.
            let used = node.interfaces.values().any(|interface| interface.networks.contains(network))
                || node.oob.network.as_ref() == Some(network);
            if !used && !site.networks.contains_key(&network.value) {
                let help = "add a Network document of this name, or remove the address";
                findings.unknown("network", network, format!("node.{}", node.name), site.networks.keys(), help);
            }
        }
    }
}

//! An address on a network that does not exist is not configured.

use std::collections::HashSet;

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
        // Where an interface or the BMC uses the network, it is reported there.
        let used: HashSet<&str> = node
            .interfaces
            .values()
            .flat_map(|interface| &interface.networks)
            .chain(&node.oob.network)
            .map(|network| network.as_str())
            .collect();
        for network in node.addressing.iter().map(|address| &address.network) {
            if !used.contains(network.as_str()) && !site.networks.contains_key(&network.value) {
                let help = "add a Network document of this name, or remove the address";
                findings.unknown("network", network, format!("node.{}", node.name), site.networks.keys(), help);
            }
        }
    }
}

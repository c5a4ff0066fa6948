//! The networks that a node is attached to exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Text};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2111"),
    original: None,
    title: "a node is attached to a network that does not exist",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let mut unknown = |network: &Text, help: &str| {
            if !site.networks.contains_key(&network.value) {
                findings.unknown("network", network, format!("node.{}", node.name), site.networks.keys(), help);
            }
        };
        if let Some(network) = &node.primary_network {
            unknown(
                network,
                "the node gets no default gateway and no domain from it; add a Network document of this name, or name another network",
            );
        }
        for network in node.interfaces.values().flat_map(|interface| &interface.networks) {
            unknown(network, "the interface is set up without it; add a Network document of this name, or name another network");
        }
    }
}

//! Networks that nodes use must exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2103"),
    original: Some("DD2002 (IP Locality)"),
    title: "a network does not exist",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let on_interfaces = node.interfaces.values().flat_map(|interface| &interface.networks);
        for network in on_interfaces.chain(&node.primary_network).chain(&node.oob.network) {
            if !site.networks.contains_key(&network.value) {
                let help = "add a Network document of this name, or name another network";
                findings.unknown("network", network, format!("node.{}", node.name), site.networks.keys(), help);
            }
        }
    }
}

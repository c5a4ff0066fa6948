//! The network of the BMC must exist: the BMC's address is found in it.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2103"),
    original: Some("DD2002 (IP Locality)"),
    title: "the network of a BMC does not exist",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        if let Some(network) = node.oob.network.as_ref().filter(|network| !site.networks.contains_key(&network.value)) {
            let help = "add a Network document of this name, or name another network";
            findings.unknown("network", network, format!("node.{}", node.name), site.networks.keys(), help);
        }
    }
}

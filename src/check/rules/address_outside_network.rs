//! An address lies in its network's address block.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2202"),
    original: Some("DD2002 (IP Locality)"),
    title: "an address is outside its network",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((site.networks.get(&a.network.value)?, a.address.as_ref()?))) {
            if network.cidr.span.is_somewhere() && !network.cidr.contains(&address.value) {
                let message = format!("address {address} is outside network `{}` ({})", network.name, network.cidr);
                let found = findings.finding(message).at(address.span).label(network.cidr.span, "the network's address block");
                findings.push(found.help("correct the address, its network, or the address block").resource(format!("node.{}", node.name)));
            }
        }
    }
}

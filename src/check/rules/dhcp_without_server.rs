//! A node that takes its address from DHCP needs somebody who gives it.

use std::collections::BTreeMap;

use super::no_dhcp_for_pxe::{is_served, unserved};
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Node, Site, Text};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2219"),
    original: None,
    title: "a node takes its address from DHCP, and nothing serves it",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    // Where nodes boot from the network as well, it is reported as that.
    let booted_from = unserved(site);
    let mut first: BTreeMap<&str, (&Node, &Text, usize)> = BTreeMap::new();
    for node in site.nodes.values() {
        for network in node.addressing.iter().filter(|address| address.address.is_none() && address.dhcp).map(|address| &address.network) {
            let Some(known) = site.networks.get(&network.value) else { continue };
            if !is_served(known) && !booted_from.contains_key(network.as_str()) {
                first.entry(network).or_insert((node, network, 0)).2 += 1;
            }
        }
    }
    for (name, (node, network, nodes)) in first {
        let message = format!("node `{}` takes its address on network `{name}` from DHCP, and the network has no DHCP range", node.name);
        let found = findings.finding(message).at(network.span).label(site.networks[name].name.span, "the network");
        let found = match nodes - 1 {
            0 => found,
            1 => found.note("as does one more"),
            more => found.note(format!("as do {more} more")),
        };
        let help = "add a range of type `dhcp` or `dhcp_relay.upstream_target`, or assign an address";
        findings.push(found.help(help).resource(format!("node.{}", node.name)));
    }
}

//! Routers have addresses of their own.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2205"),
    original: None,
    title: "a node has the address of a gateway, DHCP relay or DHCP server",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut routers: HashMap<IpAddr, (&str, &str, Span)> = HashMap::new();
    for network in site.networks.values() {
        for route in &network.routes {
            routers.entry(route.gateway.value).or_insert(("the gateway", &network.name, route.gateway.span));
        }
        let Some(relay) = &network.dhcp_relay else { continue };
        for (what, address) in [("the DHCP relay", relay.self_ip), ("the DHCP server", relay.upstream_target)] {
            if let Some(address) = address {
                routers.entry(address.value).or_insert((what, &network.name, address.span));
            }
        }
    }
    for node in site.nodes.values() {
        for address in node.addressing.iter().filter_map(|address| address.address.as_ref()) {
            let Some((what, network, span)) = routers.get(&address.value) else { continue };
            let message = format!("address {address} of node `{}` is that of {what} of network `{network}`", node.name);
            let found = findings.finding(message).at(address.span).label(*span, format!("{what} here"));
            findings.push(
                found
                    .help("give the node another address, unless it is that router or server itself")
                    .resource(format!("node.{}", node.name)),
            );
        }
    }
}

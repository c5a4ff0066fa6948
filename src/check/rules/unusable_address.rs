//! The first and the last address of an IPv4 network name the network and all its hosts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Located, Network, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2203"),
    original: None,
    title: "an address is the network's own or its broadcast address",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((site.networks.get(&a.network.value)?, a.address.as_ref()?))) {
            let help = "assign an address between the two";
            report(network, "", *address, format!("node.{}", node.name), help, findings);
        }
    }
    for network in site.networks.values() {
        let gateways = network.routes.iter().map(|route| ("gateway ", route.gateway));
        let relay = network.dhcp_relay.as_ref().and_then(|relay| relay.self_ip).map(|own| ("DHCP relay ", own));
        for (what, address) in gateways.chain(relay) {
            report(network, what, address, format!("network.{}", network.name), "name an address between the two", findings);
        }
    }
}

fn report(network: &Network, what: &str, address: Located<IpAddr>, resource: String, help: &str, findings: &mut Findings<'_>) {
    let IpNet::V4(block) = network.cidr.value else { return };
    // RFC 3021: a /31 has two hosts; a /32 is a host.
    if block.prefix_len() > 30 || !network.cidr.span.is_somewhere() {
        return;
    }
    let kind = match address.value {
        IpAddr::V4(ip) if ip == block.network() => "the own address",
        IpAddr::V4(ip) if ip == block.broadcast() => "the broadcast address",
        _ => return,
    };
    let message = format!("{what}{address} is {kind} of network `{}` ({})", network.name, network.cidr);
    let found = findings.finding(message).at(address.span).label(network.cidr.span, "the network's address block");
    findings.push(found.help(help).resource(resource));
}

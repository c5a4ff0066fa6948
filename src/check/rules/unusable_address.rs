//! The first and the last address of an IPv4 network name the network and all its hosts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

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
            let IpNet::V4(block) = network.cidr.value else { continue };
            // RFC 3021: a /31 has two hosts; a /32 is a host.
            if block.prefix_len() > 30 || !network.cidr.span.is_somewhere() {
                continue;
            }
            let what = match address.value {
                IpAddr::V4(ip) if ip == block.network() => "the own address",
                IpAddr::V4(ip) if ip == block.broadcast() => "the broadcast address",
                _ => continue,
            };
            let message = format!("{address} is {what} of network `{}` ({})", network.name, network.cidr);
            let found = findings.finding(message).at(address.span).label(network.cidr.span, "the network's address block");
            findings.push(found.help("assign an address between the two").resource(format!("node.{}", node.name)));
        }
    }
}

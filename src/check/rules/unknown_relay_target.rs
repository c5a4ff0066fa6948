//! A DHCP relay leads to a server that the site has.

use std::net::IpAddr;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2216"),
    original: None,
    title: "a DHCP relay leads to no network of the design",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let known = blocks(site);
    for network in site.networks.values() {
        let Some(relay) = &network.dhcp_relay else { continue };
        if let Some(target) = relay.upstream_target.filter(|target| !holds(&known, target.value)) {
            let message =
                format!("DHCP requests of network `{}` are relayed to {target}, which is in no network of the design", network.name);
            let found = findings.finding(message).at(target.span);
            let help = "name the address of the rack controller that serves DHCP, or add its Network";
            findings.push(found.help(help).resource(format!("network.{}", network.name)));
        }
        if let Some(own) = relay.self_ip.filter(|own| network.cidr.span.is_somewhere() && !network.cidr.contains(&own.value)) {
            let message = format!("the DHCP relay {own} is outside network `{}` ({})", network.name, network.cidr);
            let found = findings.finding(message).at(own.span).label(network.cidr.span, "the network's address block");
            findings.push(found.help("a relay has an address of the network it serves").resource(format!("network.{}", network.name)));
        }
    }
}

/// First and last address of what the networks cover, in order and joined where they touch or overlap.
fn blocks(site: &Site) -> Vec<(IpAddr, IpAddr)> {
    let mut all: Vec<(IpAddr, IpAddr)> = site.networks.values().map(|network| (network.cidr.network(), network.cidr.broadcast())).collect();
    all.sort_unstable();
    let mut joined: Vec<(IpAddr, IpAddr)> = Vec::new();
    for (start, end) in all {
        match joined.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn holds(blocks: &[(IpAddr, IpAddr)], address: IpAddr) -> bool {
    let before = blocks.partition_point(|(start, _)| *start <= address);
    before > 0 && blocks[before - 1].1 >= address
}

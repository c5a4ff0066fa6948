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
    for network in site.networks.values() {
        let Some(relay) = &network.dhcp_relay else { continue };
        let known = |address: &IpAddr| site.networks.values().any(|other| other.cidr.contains(address));
        if let Some(target) = relay.upstream_target.filter(|target| !known(&target.value)) {
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

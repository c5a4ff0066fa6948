//! What DHCP hands out belongs to nobody else.

use std::collections::HashSet;

use super::ranges::of_dhcp;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2218"),
    original: None,
    title: "DHCP hands out the address of a gateway, relay or server",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let handed_out = of_dhcp(site);
    let mut seen = HashSet::new();
    for network in site.networks.values() {
        let gateways = network.routes.iter().map(|route| ("gateway", route.gateway));
        let relay = network.dhcp_relay.iter().flat_map(|relay| {
            let own = relay.self_ip.map(|own| ("DHCP relay", own));
            own.into_iter().chain(relay.upstream_target.map(|target| ("DHCP server", target)))
        });
        let servers = network.dns_servers.iter().map(|server| ("DNS server", *server));
        for (what, address) in gateways.chain(relay).chain(servers) {
            // Routes to a domain are written once and have one gateway.
            let Some(range) = handed_out.holding(address.value).filter(|_| seen.insert((address.span, address.value))) else { continue };
            let message = format!("{what} {address} of network `{}` is in a DHCP range", network.name);
            let found = findings.finding(message).at(address.span).label(range.start.span, "the range starts here");
            let help = "shorten the range: a machine that gets this address cuts off the others";
            findings.push(found.help(help).resource(format!("network.{}", network.name)));
        }
    }
}

//! The next hop of a route is on the network whose nodes get the route.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2204"),
    original: Some("DD2002 (IP Locality)"),
    title: "a gateway is outside its network",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values().filter(|network| network.cidr.span.is_somewhere()) {
        for route in network.routes.iter().filter(|route| !network.cidr.contains(&route.gateway.value)) {
            let message = format!("gateway {} is outside network `{}` ({})", route.gateway, network.name, network.cidr);
            let found = findings.finding(message).at(route.gateway.span).label(network.cidr.span, "the network's address block");
            findings.push(
                found.help("a route's gateway must be reachable on the network itself").resource(format!("network.{}", network.name)),
            );
        }
    }
}

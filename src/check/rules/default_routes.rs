//! A network has one way out.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Route, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2212"),
    original: None,
    title: "two default routes of a network contradict",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        let mut defaults: Vec<&Route> = Vec::new();
        for route in network.routes.iter().filter(|route| route.subnet.prefix_len() == 0) {
            let metric = |route: &Route| route.metric.map(|metric| metric.value);
            let family = |route: &Route| route.subnet.addr().is_ipv4();
            match defaults.iter().find(|other| metric(other) == metric(route) && family(other) == family(route)) {
                Some(other) => {
                    let message = format!("network `{}` has default routes through {} and {}", network.name, other.gateway, route.gateway);
                    let found = findings.finding(message).at(route.gateway.span).label(other.gateway.span, "this one is used");
                    findings.push(found.help("remove one, or give them different metrics").resource(format!("network.{}", network.name)));
                }
                None => defaults.push(route),
            }
        }
    }
}

//! A network has one way to each destination.

use std::collections::HashMap;

use ipnet::IpNet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Route, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2212"),
    original: None,
    title: "two routes of a network contradict",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        let mut first: HashMap<(IpNet, Option<u32>), &Route> = HashMap::new();
        for route in &network.routes {
            let other = *first.entry((route.subnet.trunc(), route.metric.map(|metric| metric.value))).or_insert(route);
            if other.gateway == route.gateway {
                continue;
            }
            let what = if route.subnet.prefix_len() == 0 { "default routes".to_owned() } else { format!("routes to {}", route.subnet) };
            let message = format!("network `{}` has {what} through {} and {}", network.name, other.gateway, route.gateway);
            let found = findings.finding(message).at(route.gateway.span).label(other.gateway.span, "this one is used");
            findings.push(found.help("remove one, or give them different metrics").resource(format!("network.{}", network.name)));
        }
    }
}

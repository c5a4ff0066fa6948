//! A network runs over the link that allows it.

use std::collections::{HashMap, HashSet};

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::NetworkLink;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2301"),
    original: Some("DD1007 (Allowed Network Check)"),
    title: "an interface uses a network of another link",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let allowed_on: HashMap<&str, &NetworkLink> =
        site.links.values().rev().flat_map(|link| link.allowed_networks.iter().map(move |network| (network.as_str(), link))).collect();
    let allowed: HashSet<(&str, &str)> =
        site.links.values().flat_map(|link| link.allowed_networks.iter().map(|network| (link.name.as_str(), network.as_str()))).collect();
    for node in site.nodes.values() {
        for interface in node.interfaces.values() {
            let Some(link) = interface.device_link.as_ref().and_then(|link| site.links.get(&link.value)) else { continue };
            for network in interface.networks.iter().filter(|network| !allowed.contains(&(link.name.as_str(), network.as_str()))) {
                let Some(other) = allowed_on.get(network.as_str()) else { continue };
                let message = format!("link `{}` does not allow network `{network}`, which belongs to link `{}`", link.name, other.name);
                let found = findings.finding(message).at(network.span).label(link.name.span, "the interface's link");
                let help =
                    format!("use an interface on link `{}`, or move the network to `allowed_networks` of `{}`", other.name, link.name);
                findings.push(found.help(help).resource(format!("node.{}", node.name)));
            }
        }
    }
}

//! A network that interfaces use should be allowed on their link.

use std::collections::HashSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2302"),
    original: Some("DD1007 (Allowed Network Check)"),
    title: "an interface uses a network that no link allows",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let allowed: HashSet<&str> =
        site.links.values().flat_map(|link| link.allowed_networks.iter().map(|network| network.as_str())).collect();
    for node in site.nodes.values() {
        for interface in node.interfaces.values() {
            let Some(link) = interface.device_link.as_ref().and_then(|link| site.links.get(&link.value)) else { continue };
            for network in &interface.networks {
                if allowed.contains(network.as_str()) || !site.networks.contains_key(&network.value) {
                    continue;
                }
                let message = format!("link `{}` does not allow network `{network}`, and no other link does", link.name);
                let found = findings
                    .finding(message)
                    .at(network.span)
                    .note("taken as allowed on this link")
                    .label(link.name.span, "the interface's link");
                findings
                    .push(found.help(format!("add it to `allowed_networks` of `{}`", link.name)).resource(format!("node.{}", node.name)));
            }
        }
    }
}

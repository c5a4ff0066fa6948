//! An address on a network that no interface of the node carries is not configured.

use std::collections::HashSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::NetworkLink;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2213"),
    original: None,
    title: "a node has an address on a network that none of its interfaces carries",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        let carried: HashSet<&str> =
            node.interfaces.values().flat_map(|interface| &interface.networks).map(|network| network.as_str()).collect();
        for network in node.addressing.iter().map(|address| &address.network) {
            if carried.contains(network.as_str())
                || node.oob.network.as_ref() == Some(network)
                || !site.networks.contains_key(&network.value)
            {
                continue;
            }
            // A network of the BMC may be known by its link alone, where the node's management does not use it.
            let noconfig =
                site.networks[&network.value].link.as_ref().and_then(|link| site.links.get(link)).is_some_and(NetworkLink::is_noconfig);
            if noconfig {
                continue;
            }
            let message = format!("no interface of node `{}` carries network `{network}`", node.name);
            let found = findings.finding(message).at(network.span).note("this address is not configured");
            findings.push(found.help("add the network to an interface, or remove the address").resource(format!("node.{}", node.name)));
        }
    }
}

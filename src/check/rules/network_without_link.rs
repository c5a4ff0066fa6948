//! Networks that nothing carries are not set up.

use std::collections::BTreeSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2318"), original: None, title: "no link carries a network", severity: Severity::Info, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    // The network of the BMCs is reached, and set up by nobody here.
    let of_bmcs: BTreeSet<&str> =
        site.nodes.values().filter_map(|node| node.oob.network.as_ref().map(|network| network.as_str())).collect();
    for network in site.networks.values().filter(|network| network.link.is_none() && !of_bmcs.contains(network.name.as_str())) {
        let found = findings.finding(format!("no link carries network `{}`, so it is not set up", network.name)).at(network.name.span);
        let help = "add it to `allowed_networks` of a NetworkLink, if it should be";
        findings.push(found.help(help).resource(format!("network.{}", network.name)));
    }
}

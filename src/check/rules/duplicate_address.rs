//! An address belongs to one node.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;
use crate::yaml::Span;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2201"),
    original: Some("DD2005 (Duplicated IP)"),
    title: "an address is assigned twice",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut owners: HashMap<IpAddr, (&str, Span)> = HashMap::new();
    for node in site.nodes.values() {
        for (network, address) in node.addressing.iter().filter_map(|a| Some((&a.network, a.address.as_ref()?))) {
            match owners.entry(address.value) {
                Entry::Vacant(free) => {
                    free.insert((&node.name, address.span));
                }
                Entry::Occupied(owner) => {
                    let (other, span) = *owner.get();
                    let message = format!("address {address} of node `{}` on network `{network}` is already assigned", node.name);
                    let found = findings.finding(message).at(address.span).label(span, format!("assigned to node `{other}` here"));
                    findings.push(found.help("give every node its own address").resource(format!("node.{}", node.name)));
                }
            }
        }
    }
}

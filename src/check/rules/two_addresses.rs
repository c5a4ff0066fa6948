//! A node has one address on a network.

use std::collections::HashMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Address, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2210"),
    original: None,
    title: "a node has two addresses on one network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let mut of_networks: HashMap<&str, &Address> = HashMap::new();
        for address in &node.addressing {
            let first = *of_networks.entry(address.network.as_str()).or_insert(address);
            if std::ptr::eq(first, address) {
                continue;
            }
            let message = format!("node `{}` has a second address on network `{}`", node.name, address.network);
            let found = findings.finding(message).at(address.network.span).label(first.network.span, "the first, which is used");
            findings.push(found.help("remove one of them").resource(format!("node.{}", node.name)));
        }
    }
}

//! A node has one address on a network.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2210"),
    original: None,
    title: "a node has two addresses on one network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for (at, address) in node.addressing.iter().enumerate() {
            let Some(first) = node.addressing[..at].iter().find(|first| first.network == address.network) else { continue };
            let message = format!("node `{}` has a second address on network `{}`", node.name, address.network);
            let found = findings.finding(message).at(address.network.span).label(first.network.span, "the first, which is used");
            findings.push(found.help("remove one of them").resource(format!("node.{}", node.name)));
        }
    }
}

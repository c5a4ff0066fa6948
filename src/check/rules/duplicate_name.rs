//! DNS does not tell upper and lower case apart.

use std::collections::BTreeMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Node, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD5110"),
    original: None,
    title: "two nodes have the same full name",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut first: BTreeMap<String, &Node> = BTreeMap::new();
    for node in site.nodes.values() {
        if let Some(other) = first.insert(node.fqdn.to_ascii_lowercase(), node) {
            let message = format!("nodes `{}` and `{}` have the same host name for DNS", other.name, node.name);
            let found = findings.finding(message).at(node.name.span).label(other.name.span, "the other node");
            findings.push(found.help("rename one of them").resource(format!("node.{}", node.name)));
        }
    }
}

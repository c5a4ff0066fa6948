//! A node has a primary network.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD5101"), original: None, title: "a node has no primary network", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| node.primary_network.is_none() && !node.incomplete) {
        let found = findings.finding(format!("node `{}` has no `primary_network`", node.name)).at(node.name.span);
        let found = found.note("it gets no default gateway of the design's and no DNS domain");
        findings.push(found.help("set it in the node or in its host profile").resource(format!("node.{}", node.name)));
    }
}

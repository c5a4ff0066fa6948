//! A node that no boot action is for may have been forgotten by the filters.

use std::collections::HashSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5106"),
    original: Some("DD4001 (Bootaction Definition)"),
    title: "no boot action is for a node",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    if site.boot_actions.is_empty() {
        // Once, not for each node. A part of a design, without a Region, may have them elsewhere.
        if !site.nodes.is_empty() && site.name.span.is_somewhere() {
            let found = findings.finding("the design has no boot action, so its nodes get nothing beyond their images").at(site.name.span);
            let help = "add a BootAction document, or silence this rule with the reason";
            findings.push(found.help(help).resource(format!("region.{}", site.name)));
        }
        return;
    }
    // A filter that is wrong may be meant for them.
    if site.boot_actions.values().any(|action| action.incomplete) {
        return;
    }
    let served: HashSet<&str> = site.boot_actions.values().flat_map(|action| action.nodes.iter().map(String::as_str)).collect();
    for node in site.nodes.values().filter(|node| !node.incomplete && !served.contains(node.name.as_str())) {
        let found = findings.finding(format!("no boot action is for node `{}`", node.name)).at(node.name.span);
        findings.push(found.help("widen a `node_filter` if that is not meant").resource(format!("node.{}", node.name)));
    }
}

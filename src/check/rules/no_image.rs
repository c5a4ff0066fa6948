//! A node has an operating system.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5103"),
    original: Some("DD3001 (Platform Selection)"),
    title: "a node has no image",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| node.platform.image.is_none() && !node.incomplete) {
        let found = findings.finding(format!("node `{}` has no `platform.image`", node.name)).at(node.name.span);
        findings
            .push(found.help("set it in the node or in its host profile, for example to `jammy`").resource(format!("node.{}", node.name)));
    }
}

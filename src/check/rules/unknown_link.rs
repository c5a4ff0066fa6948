//! The link of an interface must exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2106"),
    original: Some("DD1007 (Allowed Network Check)"),
    title: "a link does not exist",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        for link in node.interfaces.values().filter_map(|interface| interface.device_link.as_ref()) {
            if !site.links.contains_key(&link.value) {
                let help = "add a NetworkLink document of this name, or name another link";
                findings.unknown("link", link, format!("node.{}", node.name), site.links.keys(), help);
            }
        }
    }
}

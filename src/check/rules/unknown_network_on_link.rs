//! Networks that a link allows should exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2104"),
    original: None,
    title: "a link names a network that does not exist",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values() {
        for network in link.allowed_networks.iter().chain(&link.native_network) {
            if !site.networks.contains_key(&network.value) {
                let help = "remove it, or add a Network document of this name";
                findings.unknown("network", network, format!("link.{}", link.name), site.networks.keys(), help);
            }
        }
    }
}

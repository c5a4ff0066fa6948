//! Networks that exist only in one rack should exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2114"),
    original: None,
    title: "a rack names a network that does not exist",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for rack in site.racks.values() {
        for network in rack.local_networks.iter().filter(|network| !site.networks.contains_key(&network.value)) {
            let help = "remove it, or add a Network document of this name";
            findings.unknown("network", network, format!("rack.{}", rack.name), site.networks.keys(), help);
        }
    }
}

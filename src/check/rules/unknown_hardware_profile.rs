//! A node's hardware profile must exist.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2102"),
    original: None,
    title: "a hardware profile does not exist",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        if let Some(profile) = &node.hardware_profile
            && !site.hardware_profiles.contains_key(&profile.value)
        {
            let help = "add a HardwareProfile document of this name, or name another profile";
            findings.unknown("hardware profile", profile, format!("node.{}", node.name), site.hardware_profiles.keys(), help);
        }
    }
}

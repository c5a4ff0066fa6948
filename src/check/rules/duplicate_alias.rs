//! Aliases of a hardware profile name different devices.

use std::collections::HashMap;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::DeviceAlias;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5109"),
    original: None,
    title: "two device aliases have the same address",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for profile in site.hardware_profiles.values() {
        let mut first: HashMap<(&str, &str), &DeviceAlias> = HashMap::new();
        for alias in profile.device_aliases.values() {
            let other = *first.entry((&alias.bus_type, &alias.address)).or_insert(alias);
            if other.name != alias.name {
                let message =
                    format!("aliases `{}` and `{}` of `{}` have the same address {}", other.name, alias.name, profile.name, alias.address);
                let found = findings.finding(message).at(alias.address.span).label(other.address.span, "the other alias");
                findings.push(found.help("remove one of them").resource(format!("hardware_profile.{}", profile.name)));
            }
        }
    }
}

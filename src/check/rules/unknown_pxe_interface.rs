//! The NIC that a machine boots from is one of its NICs.

use std::collections::{BTreeMap, HashSet};

use super::unknown_device::is_nic;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::design::similar;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD5114"),
    original: None,
    title: "the NIC that boots from the network is not known",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut interfaces: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for node in site.nodes.values() {
        if let Some(profile) = &node.hardware_profile {
            interfaces.entry(profile).or_default().extend(node.interfaces.keys().map(String::as_str));
        }
    }
    for profile in site.hardware_profiles.values() {
        let Some(nic) = &profile.pxe_interface else { continue };
        let is_number = nic.bytes().all(|byte| byte.is_ascii_digit());
        let is_interface = interfaces.get(profile.name.as_str()).is_some_and(|names| names.contains(nic.as_str()));
        if is_number || is_interface || is_nic(nic) || profile.device_aliases.contains_key(&nic.value) {
            continue;
        }
        let found = findings.finding(format!("`pxe_interface` names `{nic}`, and hardware profile `{}` has no such device", profile.name));
        let found = found.at(nic.span).resource(format!("hardware_profile.{}", profile.name));
        findings.push(match similar(nic, profile.device_aliases.keys().map(String::as_str)) {
            Some(alias) => found.help(format!("did you mean `{alias}`?")),
            None => found.help("name a device alias, or the number of a NIC"),
        });
    }
}

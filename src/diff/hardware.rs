//! Machines against their hardware profiles: what drydock does not change, and an operator wants to know before it is deployed on.

use std::collections::{BTreeMap, BTreeSet};

use super::Policy;
use super::identity::{Match, NodeIdentity};
use super::node::selectable;
use crate::build::{Bmc, Machine, same_bus_address};
use crate::model::{HardwareProfile, Node, Site};

/// Nodes whose machines differ, and what is not known.
#[derive(Debug, Default)]
pub(super) struct Hardware {
    /// Sentence about the profile → what is there → nodes.
    differences: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Profile and attribute that could not be compared for some node.
    unknown: BTreeSet<(String, &'static str)>,
}

impl Hardware {
    /// Compares every node that has a machine.
    pub(super) fn compare(site: &Site, identities: &BTreeMap<String, NodeIdentity<'_>>, policy: &Policy) -> Self {
        let mut out = Self::default();
        for (name, identity) in identities {
            let Some(node) = site.nodes.get(name) else { continue };
            let Some(profile) = node.hardware_profile.as_ref().and_then(|p| site.hardware_profiles.get(&p.value)) else { continue };
            // The stage is not known here; a selection by stage shows all nodes.
            let selected =
                policy.target.as_ref().is_none_or(|t| super::Stage::ALL.iter().any(|s| t.matches(&selectable(node, *s).as_ref())));
            if !selected {
                continue;
            }
            match &identity.found {
                Match::Machine { machine, .. } if machine.cpus > 0 => out.node(node, profile, machine, identity),
                _ => out.unknown.extend(["BIOS version", "boot mode"].map(|what| (profile.name.value.clone(), what))),
            }
        }
        out
    }

    fn node(&mut self, node: &Node, profile: &HardwareProfile, machine: &Machine, identity: &NodeIdentity<'_>) {
        self.devices(node, profile, machine);
        for Finding { what, says, has, fits } in findings(profile, Some(machine), identity.bmc) {
            match has {
                Some(has) if !fits => {
                    let says = format!("hardware profile {} says {says}", profile.name.value);
                    self.differences.entry(says).or_default().entry(has).or_default().insert(node.name.value.clone());
                }
                None => drop(self.unknown.insert((profile.name.value.clone(), what))),
                Some(_) => {}
            }
        }
    }

    /// What the profile's aliases name: that it is there, and called what the profile calls it.
    fn devices(&mut self, node: &Node, profile: &HardwareProfile, machine: &Machine) {
        for (name, alias) in &profile.device_aliases {
            let address = &alias.address.value;
            let at = |bus: &Option<String>| bus.as_ref().is_some_and(|b| same_bus_address(b, address));
            let nics = || machine.interfaces.iter().filter(|i| i.bus.is_some()).map(|i| (&i.bus, &i.product));
            let disks = || machine.disks.iter().filter(|d| d.bus.is_some()).map(|d| (&d.bus, &d.model));
            let (found, nothing) = match alias.bus_type.value.as_str() {
                "pci" => (nics().chain(disks()).find(|(bus, _)| at(bus)), "no NIC or disk there"),
                "scsi" => (disks().find(|(bus, _)| at(bus)), "no disk there"),
                _ => continue,
            };
            let place = format!("{} {address}", alias.bus_type.value);
            match (found, &alias.dev_type) {
                // Without an inventory nothing is known of addresses.
                (None, _) if nics().chain(disks()).next().is_none() => {}
                (None, _) => self.note(node, profile, &format!("{name} is at {place}"), nothing.to_owned()),
                (Some((_, Some(is))), Some(wanted)) if !alike(&wanted.value, is) => {
                    self.note(node, profile, &format!("{name} at {place} is `{}`", wanted.value), format!("`{is}` there"));
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, node: &Node, profile: &HardwareProfile, wanted: &str, found: String) {
        let says = format!("hardware profile {} says {wanted}", profile.name.value);
        self.differences.entry(says).or_default().entry(found).or_default().insert(node.name.value.clone());
    }

    /// Whether an attribute could not be compared for some node of a profile.
    pub(super) fn is_unknown(&self, profile: &str, what: &'static str) -> bool {
        self.unknown.iter().any(|(p, w)| p == profile && *w == what)
    }

    /// The differences, one line each.
    pub(super) fn warnings(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let line = |says: &str, found: &str, nodes: &BTreeSet<String>| {
            let shown: Vec<&str> = nodes.iter().take(SHOWN).map(String::as_str).collect();
            let more = if nodes.len() > SHOWN { format!(" and {} more", nodes.len() - SHOWN) } else { String::new() };
            let verb = if nodes.len() == 1 { "has" } else { "have" };
            format!("{says}; {}{more} {verb} {found}", shown.join(", "))
        };
        self.differences.iter().flat_map(|(says, all)| all.iter().map(|(found, nodes)| line(says, found, nodes))).collect()
    }
}

/// Whether two names are of one thing: `HP` and `HP Inc.` are one vendor.
fn alike(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim().to_ascii_lowercase(), b.trim().to_ascii_lowercase());
    a.contains(&b) || b.contains(&a)
}

/// One thing that a hardware profile says, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What it is about: `BIOS version`, `boot mode`, `vendor`, `CPUs`, `memory`.
    pub(crate) what: &'static str,
    /// What the profile says, in words.
    pub(crate) says: String,
    /// What is there, in words; `None` if that is not known.
    pub(crate) has: Option<String>,
    /// Whether it is as the profile says.
    pub(crate) fits: bool,
}

/// Everything that a profile says of firmware, processors and memory, against the machine and its BMC as far as they are known.
pub(crate) fn findings(profile: &HardwareProfile, machine: Option<&Machine>, bmc: Option<&Bmc>) -> Vec<Finding> {
    let commissioned = machine.filter(|m| m.cpus > 0);
    let firmware = commissioned.and_then(|m| m.firmware.clone()).unwrap_or_default();
    let bios = firmware.bios_version.or_else(|| bmc.and_then(|b| b.bios_version.clone()));
    let vendor = firmware.vendor.or_else(|| bmc.and_then(|b| b.manufacturer.clone()));
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let mut out = Vec::new();
    let mut text = |what, wanted: &Option<crate::model::Text>, found: Option<String>, is: &dyn Fn(&str, &str) -> bool| {
        if let Some(wanted) = wanted {
            let fits = found.as_ref().is_some_and(|found| is(&wanted.value, found));
            out.push(Finding { what, says: format!("{what} {}", wanted.value), has: found.map(|f| format!("{what} {f}")), fits });
        }
    };
    text("BIOS version", &profile.bios_version, bios, &same);
    text("boot mode", &profile.boot_mode, firmware.boot_mode, &same);
    text("vendor", &profile.vendor, vendor, &alike);
    for (name, set) in &profile.cpu_sets {
        let highest = set.value.split([',', '-']).filter_map(|n| n.trim().trim_start_matches('^').parse::<u32>().ok()).max();
        let Some(highest) = highest else { continue };
        let (has, fits) = (commissioned.map(|m| format!("{} CPUs", m.cpus)), commissioned.is_some_and(|m| highest < m.cpus));
        out.push(Finding { what: "CPUs", says: format!("its CPU set {name} ({})", set.value), has, fits });
    }
    for (name, pages) in &profile.hugepages {
        let needed = page_bytes(&pages.size.value).and_then(|size| size.checked_mul(pages.count.value));
        let Some(needed) = needed else { continue };
        // The BMC tells what is fitted now, the provisioner what was when it looked.
        let now = bmc.and_then(|b| b.inventory.as_ref()).and_then(|i| i.memory_mib);
        let memory_mib = now.or_else(|| commissioned.map(|m| m.memory_mib));
        let has = memory_mib.map(|mib| format!("{mib} MiB of memory"));
        let fits = memory_mib.is_some_and(|mib| needed <= mib.saturating_mul(1 << 20));
        let says = format!("its huge pages {name} ({} × {})", pages.count.value, pages.size.value);
        out.push(Finding { what: "memory", says, has, fits });
    }
    out
}

/// `1G`, `2M`, `2048k`, as the kernel reads `hugepagesz`.
fn page_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let shift = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

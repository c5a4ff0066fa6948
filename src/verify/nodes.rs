//! Nodes: is the BMC reachable, is the machine the right one, and is it what the hardware profile and the cabling plan say?

use std::collections::BTreeMap;

use super::alarms;
use super::types::{Check, NodeReport, Reading, Unread};
use crate::action::Selector;
use crate::action::params::{Device, FactRef, Late};
use crate::build::{Bmc, BmcHealth, Build, Machine, MachineInterface, Neighbour, same_bus_address};
use crate::diff::{self, Goal, Match, Memory, NodeIdentity, Policy, Stage};
use crate::model::{HardwareProfile, Node, OobType, Site};
use crate::yaml::SourceMap;

/// What is read of a node only to verify it.
#[derive(Debug, Clone, Default)]
pub struct NodeReadings {
    /// Why its BMC did not answer, with what to do; the build model has only the words.
    pub bmc_error: Option<Unread>,
    /// Firmware, sensors and events; `None` where the BMC did not answer in the first place.
    pub health: Option<Reading<BmcHealth>>,
    /// LLDP neighbours; `None` where the provisioner does not have the machine.
    pub neighbours: Option<Reading<Vec<Neighbour>>>,
}

/// A node that is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its stage.
    pub stage: Stage,
    /// Provisioner id of its machine, if it has one there that was commissioned.
    pub commissioned: Option<String>,
}

/// The nodes that a selector means (all without one), with the machines whose data are wanted.
pub fn asked(site: &Site, sources: &SourceMap, build: &Build, memory: &Memory, target: Option<&Selector>) -> BTreeMap<String, Asked> {
    let policy = Policy { target: target.cloned(), ..Policy::new(Goal::DeployNodes) };
    let stages = diff::compare(site, sources, build, memory, &policy).nodes;
    let identities = diff::identify(site, build, memory);
    let machine = |name: &str| match identities.get(name).map(|i| &i.found) {
        Some(Match::Machine { machine, .. }) if machine.cpus > 0 => Some(machine.id.clone()),
        _ => None,
    };
    stages.into_iter().map(|(name, stage)| (name.clone(), Asked { stage: stage.now, commissioned: machine(&name) })).collect()
}

/// Verifies the nodes that were asked for.
pub fn nodes(
    site: &Site,
    build: &Build,
    memory: &Memory,
    asked: &BTreeMap<String, Asked>,
    readings: &BTreeMap<String, NodeReadings>,
) -> Vec<NodeReport> {
    let identities = diff::identify(site, build, memory);
    let usual = usual_firmware(site, readings);
    let mut out = Vec::new();
    for (name, asked) in asked {
        let (Some(node), Some(identity)) = (site.nodes.get(name), identities.get(name)) else { continue };
        let nothing = NodeReadings::default();
        let one = One {
            site,
            node,
            identity,
            profile: node.hardware_profile.as_ref().and_then(|p| site.hardware_profiles.get(&p.value)),
            readings: readings.get(name).unwrap_or(&nothing),
            seen: build.bmcs.get(name).and_then(|b| b.known()),
            usual: &usual,
        };
        out.push(NodeReport {
            node: name.clone(),
            rack: node.rack.as_ref().map(|r| r.value.clone()),
            stage: asked.stage.name(),
            machine: one.machine().map(|m| m.id.clone()),
            checks: one.checks(),
        });
    }
    out
}

/// The BMC firmware that most nodes of a hardware profile have.
fn usual_firmware(site: &Site, readings: &BTreeMap<String, NodeReadings>) -> BTreeMap<String, (String, usize)> {
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, readings) in readings {
        let profile = site.nodes.get(name).and_then(|n| n.hardware_profile.as_ref());
        if let (Some(profile), Some(Ok(BmcHealth { firmware: Some(version), .. }))) = (profile, &readings.health) {
            *counts.entry(profile.value.clone()).or_default().entry(version.clone()).or_default() += 1;
        }
    }
    counts.into_iter().filter_map(|(profile, versions)| Some((profile, versions.into_iter().max_by_key(|(_, count)| *count)?))).collect()
}

/// One node and everything that is known of it.
struct One<'a> {
    site: &'a Site,
    node: &'a Node,
    identity: &'a NodeIdentity<'a>,
    profile: Option<&'a HardwareProfile>,
    readings: &'a NodeReadings,
    /// What answers at its BMC's address, whosever it is.
    seen: Option<&'a Bmc>,
    usual: &'a BTreeMap<String, (String, usize)>,
}

const AFTER: &str = "known after commissioning";

impl One<'_> {
    fn machine(&self) -> Option<&Machine> {
        match &self.identity.found {
            Match::Machine { machine, .. } => Some(machine),
            _ => None,
        }
    }

    fn commissioned(&self) -> Option<&Machine> {
        self.machine().filter(|m| m.cpus > 0)
    }

    fn checks(&self) -> Vec<Check> {
        let mut out = vec![self.oob(), self.machine_is_the_nodes(), self.alarms(), self.firmware()];
        for (name, whats) in
            [("bios", ["BIOS version", "boot mode"].as_slice()), ("vendor", &["vendor"]), ("cpus", &["CPUs"]), ("memory", &["memory"])]
        {
            out.push(self.profile_says(name, whats));
        }
        out.extend([self.pci(), self.drives(), self.links(), self.lldp()]);
        out
    }

    fn by_hand(&self) -> bool {
        self.node.oob.kind.as_ref().is_some_and(|k| k.value == OobType::Manual)
    }

    /// Whether its BMC answers and takes the credentials.
    fn oob(&self) -> Check {
        const NAME: &str = "oob";
        if let Some(why) = &self.readings.bmc_error {
            return Check::unread(NAME, why);
        }
        match self.seen {
            Some(bmc) if bmc.address.is_empty() => Check::skipped(NAME, "a person switches this machine"),
            Some(bmc) => Check::ok(NAME, format!("{} at {}, {}", bmc.driver, bmc.address, power(bmc))),
            None => {
                let why = self.identity.bmc_error.clone().unwrap_or_else(|| "it was not asked".to_owned());
                Check::failed(NAME, why, "give the node an `oob` section that a driver can use")
            }
        }
    }

    /// Whether BMC and provisioner show the machine that the node is bound to.
    fn machine_is_the_nodes(&self) -> Check {
        const NAME: &str = "machine";
        match &self.identity.found {
            Match::Unknown { reason, hint } => Check::failed(NAME, reason.clone(), hint.clone()),
            Match::Absent => Check::skipped(NAME, "the provisioner does not have it yet"),
            Match::Machine { machine, confirmed } => {
                let shown = format!("{} ({})", machine.hostname, machine.id);
                match &self.identity.bmc_error {
                    // The check of the BMC says it.
                    Some(_) if self.readings.bmc_error.is_some() => Check::ok(NAME, shown),
                    Some(why) if !self.by_hand() => {
                        Check::failed(NAME, why.clone(), "check the node's OOB address and the machine's power parameters")
                    }
                    _ if !confirmed => {
                        let seen = format!("only host name and BMC address say that it is {shown}");
                        Check::warning(NAME, seen, "set boot_mac in the design")
                    }
                    _ => Check::ok(NAME, shown),
                }
            }
        }
    }

    fn alarms(&self) -> Check {
        match self.seen {
            Some(bmc) if !bmc.address.is_empty() => alarms::check(bmc, self.readings.health.as_ref()),
            _ => Check::skipped("alarms", "no BMC answers"),
        }
    }

    /// Of the BMC; the hardware profile names no version, so that of the node's kind is the measure.
    fn firmware(&self) -> Check {
        const NAME: &str = "firmware";
        let Some(Ok(BmcHealth { firmware: Some(version), .. })) = &self.readings.health else {
            return Check::skipped(NAME, "no driver reads the BMC's firmware version");
        };
        match self.node.hardware_profile.as_ref().and_then(|p| Some((p, self.usual.get(&p.value)?))) {
            Some((profile, (usual, count))) if usual != version && *count > 1 => Check::warning(
                NAME,
                format!("BMC firmware {version}; {count} nodes of hardware profile {} have {usual}", profile.value),
                "bring BMCs of one kind to one firmware version",
            ),
            _ => Check::ok(NAME, format!("BMC firmware {version}")),
        }
    }

    /// What the hardware profile says of firmware, processors and memory.
    fn profile_says(&self, name: &str, whats: &[&str]) -> Check {
        let Some(profile) = self.profile else { return Check::skipped(name, "the node has no hardware profile") };
        let findings: Vec<_> = diff::findings(profile, self.machine(), self.seen).into_iter().filter(|f| whats.contains(&f.what)).collect();
        if findings.is_empty() {
            return Check::skipped(name, format!("hardware profile {} says nothing of it", profile.name.value));
        }
        let (mut seen, mut wrong, mut unknown) = (Vec::new(), Vec::new(), false);
        for finding in findings {
            match finding.has {
                Some(has) if finding.fits => seen.push(has),
                Some(has) => wrong.push(format!("{has}, hardware profile {} says {}", profile.name.value, finding.says)),
                None => unknown = true,
            }
        }
        if wrong.is_empty() && unknown {
            let why = if self.commissioned().is_some() { "neither BMC nor provisioner tells it" } else { AFTER };
            seen.push(why.to_owned());
            return Check::skipped(name, seen.join("; "));
        }
        seen.dedup();
        Check::of(name, &seen, &wrong, &format!("correct the machine, or the hardware profile {}", profile.name.value))
    }

    /// Devices that the hardware profile names by their bus address.
    fn pci(&self) -> Check {
        const NAME: &str = "pci";
        let aliases: Vec<_> = self.profile.iter().flat_map(|p| p.device_aliases.values()).filter(|a| a.bus_type.value == "pci").collect();
        if aliases.is_empty() {
            return Check::skipped(NAME, "the hardware profile names no PCI device");
        }
        let Some(machine) = self.commissioned() else { return Check::skipped(NAME, AFTER) };
        let buses: Vec<&str> = machine
            .interfaces
            .iter()
            .filter_map(|i| i.bus.as_deref())
            .chain(machine.disks.iter().filter_map(|d| d.bus.as_deref()))
            .collect();
        if buses.is_empty() {
            return Check::failed(NAME, "the provisioner has no hardware inventory of the machine", "commission it again");
        }
        let missing: Vec<String> = aliases
            .iter()
            .filter(|a| !buses.iter().any(|b| same_bus_address(b, &a.address.value)))
            .map(|a| format!("nothing at {}, where {} is", a.address.value, a.name.value))
            .collect();
        Check::of(
            NAME,
            &[format!("{} devices where they should be", aliases.len())],
            &missing,
            "check slots and cards, or correct the hardware profile's device aliases",
        )
    }

    /// Disks of the layout, and the hardware profile's.
    fn drives(&self) -> Check {
        const NAME: &str = "drives";
        let layout = diff::devices(self.site, self.node);
        let profile: Vec<Late<Device>> = self
            .profile
            .iter()
            .flat_map(|p| p.device_aliases.values())
            .filter(|a| a.bus_type.value != "pci")
            .map(|a| {
                Late::Fact(FactRef {
                    min_size: None,
                    node: self.node.name.value.clone(),
                    select: diff::disk(self.site, self.node, &a.name.value),
                })
            })
            .collect();
        if layout.is_empty() && profile.is_empty() {
            return Check::skipped(NAME, "neither the storage layout nor the hardware profile names a disk");
        }
        let Some(machine) = self.commissioned() else { return Check::skipped(NAME, AFTER) };
        let mut found: Vec<&str> = Vec::new();
        let mut wrong = Vec::new();
        for device in layout.iter().chain(&profile) {
            match diff::find_disk(machine, device) {
                Ok(disk) => found.push(&disk.name),
                Err(why) => wrong.push(why),
            }
        }
        found.sort_unstable();
        found.dedup();
        wrong.sort();
        wrong.dedup();
        Check::of(NAME, &[found.join(", ")], &wrong, "check the drives and their controller, or correct the layout and the device aliases")
    }

    /// NICs that the design configures, by its names for them.
    fn nics<'m>(&self, machine: &'m Machine) -> (Vec<&'m MachineInterface>, Vec<String>) {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (interface, _) in diff::configured(self.site, self.node) {
            for slave in &interface.slaves {
                let select = diff::nic(self.site, self.node, &slave.value);
                let device = Late::Fact(FactRef { min_size: None, node: self.node.name.value.clone(), select });
                match diff::find_nic(machine, &device) {
                    Ok(nic) => found.push(nic),
                    Err(why) => missing.push(format!("{}: {why}", interface.name.value)),
                }
            }
        }
        found.sort_by_key(|n| n.id);
        found.dedup_by_key(|n| n.id);
        (found, missing)
    }

    /// Whether the NICs that the design configures are there, with a signal on their cables.
    fn links(&self) -> Check {
        const NAME: &str = "links";
        let Some(machine) = self.commissioned() else { return Check::skipped(NAME, AFTER) };
        let (nics, mut wrong) = self.nics(machine);
        if nics.is_empty() && wrong.is_empty() {
            return Check::skipped(NAME, "the design configures no NIC");
        }
        wrong.extend(nics.iter().filter(|n| n.connected == Some(false)).map(|n| format!("{} has no link", n.name)));
        if wrong.is_empty() && nics.iter().any(|n| n.connected.is_none()) {
            return Check::skipped(NAME, "the provisioner does not say whether its NICs have a link");
        }
        let up: Vec<&str> = nics.iter().map(|n| n.name.as_str()).collect();
        Check::of(NAME, &[format!("{} up", up.join(", "))], &wrong, "check cables and switch ports, then commission the machine again")
    }

    /// Whether the NICs that the design configures are cabled to the switches of the node's rack.
    fn lldp(&self) -> Check {
        const NAME: &str = "lldp";
        let switches = self.node.rack.as_ref().and_then(|r| self.site.racks.get(&r.value)).map(|r| &r.tor_switches);
        let Some(switches) = switches.filter(|s| !s.is_empty()) else {
            return Check::skipped(NAME, "the node's rack has no `tor_switches`");
        };
        let Some(machine) = self.commissioned() else { return Check::skipped(NAME, AFTER) };
        let neighbours = match &self.readings.neighbours {
            Some(Ok(neighbours)) => neighbours,
            Some(Err(why)) => return Check::unread(NAME, why),
            None => return Check::skipped(NAME, AFTER),
        };
        let (nics, _) = self.nics(machine);
        let (mut seen, mut wrong, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for nic in nics {
            let heard: Vec<&Neighbour> = neighbours.iter().filter(|n| n.interface == nic.name).collect();
            let switch =
                |n: &Neighbour| switches.iter().find(|s| is_switch(n, &s.name.value, s.address.as_ref().map(|a| a.value.as_str())));
            match heard.iter().find_map(|n| Some((n, switch(n)?))) {
                Some((n, switch)) => seen.push(format!("{} at {}{}", nic.name, switch.name.value, at_port(n))),
                None if heard.is_empty() => silent.push(nic.name.as_str()),
                None => wrong.extend(heard.iter().map(|n| format!("{} at {}{}", nic.name, shown(n), at_port(n)))),
            }
        }
        let names: Vec<&str> = switches.iter().map(|s| s.name.value.as_str()).collect();
        if !wrong.is_empty() {
            let seen = format!("{}; the rack's switches are {}", wrong.join("; "), names.join(", "));
            return Check::failed(NAME, seen, "check the cabling and the rack of the node");
        }
        if !silent.is_empty() {
            let said = format!("nothing was heard at {}", silent.join(", "));
            let todo = "switch LLDP on at the switch ports, then commission the machine again";
            return Check::warning(NAME, seen.into_iter().chain([said]).collect::<Vec<_>>().join("; "), todo);
        }
        Check::ok(NAME, seen.join("; "))
    }
}

fn power(bmc: &Bmc) -> &'static str {
    use crate::build::PowerState as P;
    match bmc.power {
        P::On => "power on",
        P::Off => "power off",
        P::Changing => "power changing",
        P::Unknown => "power unknown",
    }
}

fn at_port(neighbour: &Neighbour) -> String {
    neighbour.port.as_ref().map(|p| format!(" ({p})")).unwrap_or_default()
}

fn shown(neighbour: &Neighbour) -> &str {
    neighbour.name.as_deref().or(neighbour.chassis.as_deref()).unwrap_or("a device without a name")
}

/// Whether a neighbour is a switch: by its system name, with or without its domain, or by a management address.
fn is_switch(neighbour: &Neighbour, name: &str, address: Option<&str>) -> bool {
    let host = |text: &str| text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let by_name = neighbour.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name) || host(n) == host(name));
    by_name || address.is_some_and(|a| neighbour.addresses.iter().any(|seen| seen == a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_known_by_name_or_management_address() {
        let heard = |name: &str, addresses: &[&str]| Neighbour {
            name: (!name.is_empty()).then(|| name.to_owned()),
            addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
            ..Neighbour::default()
        };
        assert!(is_switch(&heard("TOR1.example.net", &[]), "tor1", None));
        assert!(is_switch(&heard("tor1", &[]), "tor1.example.net", None));
        assert!(is_switch(&heard("some-serial", &["fd00::1", "10.0.0.1"]), "tor1", Some("10.0.0.1")));
        assert!(!is_switch(&heard("tor11", &["10.0.0.11"]), "tor1", Some("10.0.0.1")));
        assert!(!is_switch(&heard("", &[]), "tor1", Some("10.0.0.1")));
    }
}

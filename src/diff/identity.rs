//! Which machine is which node.
//!
//! A node is matched, in this order, by the provisioner id it is bound to, by MACs (bound, reported by its BMC, or its `boot_mac`), by system UUID, by
//! serial number. Host name and BMC address only support a match for machines whose BMC cannot be asked; no effect of class reboot or higher
//! rests on them. Two candidates, two nodes on one machine, or a BMC that reports another machine are errors that name both.

use std::collections::BTreeMap;

use super::memory::Memory;
use crate::build::{Binding, Bmc, Build, Fact, Machine, PowerState, same_uuid, untied, uuid_key};
use crate::model::Site;

/// What is known of a node's machine.
#[derive(Debug, Clone)]
pub(crate) enum Match<'a> {
    /// This machine. `confirmed` is false when only host name and BMC address say so.
    Machine { machine: &'a Machine, confirmed: bool },
    /// A complete listing does not have it, and its BMC (or its binding) says which machine was looked for.
    Absent,
    /// It cannot be told: why, and what to do.
    Unknown { reason: String, hint: String },
}

#[derive(Debug, Clone)]
pub(crate) struct NodeIdentity<'a> {
    pub(crate) found: Match<'a>,
    pub(crate) binding: Binding,
    pub(crate) bmc: Option<&'a Bmc>,
    /// Why its BMC is not known, or not to be used.
    pub(crate) bmc_error: Option<String>,
}

impl NodeIdentity<'_> {
    /// Power as the BMC reports it, else as the provisioner believes.
    pub(super) fn power(&self) -> PowerState {
        match (self.bmc, &self.found) {
            (Some(bmc), _) => bmc.power,
            (None, Match::Machine { machine, .. }) => machine.power,
            _ => PowerState::Unknown,
        }
    }
}

struct Index<'a> {
    id: BTreeMap<&'a str, &'a Machine>,
    mac: BTreeMap<&'a str, Vec<&'a Machine>>,
    /// By [`uuid_key`].
    uuid: BTreeMap<String, Vec<&'a Machine>>,
    serial: BTreeMap<&'a str, Vec<&'a Machine>>,
    name: BTreeMap<&'a str, Vec<&'a Machine>>,
}

impl<'a> Index<'a> {
    fn new(machines: &'a [Machine]) -> Self {
        let mut index =
            Self { id: BTreeMap::new(), mac: BTreeMap::new(), uuid: BTreeMap::new(), serial: BTreeMap::new(), name: BTreeMap::new() };
        for m in machines {
            index.id.insert(&m.id, m);
            for mac in &m.macs {
                index.mac.entry(mac).or_default().push(m);
            }
            if let Some(uuid) = &m.uuid {
                index.uuid.entry(uuid_key(uuid)).or_default().push(m);
            }
            if let Some(serial) = &m.serial {
                index.serial.entry(serial).or_default().push(m);
            }
            index.name.entry(&m.hostname).or_default().push(m);
        }
        index
    }
}

impl<'a> Index<'a> {
    /// A machine whose BMC has the node's address, as the provisioner has it.
    fn at(&self, node: &crate::model::Node) -> Option<&'a Machine> {
        let address = node.oob.address.as_ref()?.value.to_string();
        self.id.values().copied().find(|m| m.bmc_address.as_ref() == Some(&address))
    }

    /// The one that also has the node's name.
    fn named_at(&self, node: &crate::model::Node) -> Option<&'a Machine> {
        let address = node.oob.address.as_ref()?.value.to_string();
        self.name.get(node.name.value.as_str())?.iter().copied().find(|m| m.bmc_address.as_ref() == Some(&address))
    }
}

/// Finds every node's machine.
pub(crate) fn identify<'a>(site: &Site, build: &'a Build, memory: &Memory) -> BTreeMap<String, NodeIdentity<'a>> {
    let listing = match &build.provisioner {
        Fact::Unknown(reason) => Err(reason.clone()),
        Fact::Known(p) => match &p.machines {
            Fact::Unknown(reason) => Err(reason.clone()),
            Fact::Known(machines) => Ok(Index::new(machines)),
        },
    };
    let mut out: BTreeMap<String, NodeIdentity<'a>> = BTreeMap::new();
    for (name, node) in &site.nodes {
        let (mut bmc, mut bmc_error) = match build.bmcs.get(name) {
            Some(Fact::Known(b)) => (Some(b), None),
            Some(Fact::Unknown(e)) => (None, Some(e.clone())),
            None => (None, None),
        };
        let bound = memory.bindings.get(name);
        let mut binding = bound.cloned().unwrap_or_default();
        let mut identity = match &listing {
            Err(reason) => Match::Unknown {
                reason: format!("the provisioner's machines are not known: {reason}"),
                hint: "make the provisioner answer, then plan again".into(),
            },
            Ok(index) => find(node, bmc, bmc_error.as_deref(), bound, index),
        };
        if let (Some(bmc), Some(bound)) = (bmc, bound)
            && let Some(why) = bound.contradicts_bmc(bmc)
        {
            identity = match bound_elsewhere(memory, site, name, bmc) {
                Some(other) => Match::Unknown {
                    reason: format!("the BMC at {} is that of {other}'s machine: {why}", bmc.address),
                    hint: format!("check the OOB addresses of {name} and {other}, and the cabling"),
                },
                None => Match::Unknown { reason: why, hint: format!("if the board or server was replaced: drydock rebind node.{name}") },
            };
        }
        if let (Match::Machine { machine, .. }, Some(bmc)) = (&identity, bmc)
            && let Some(why) = bmc_and_machine_disagree(bmc, machine)
        {
            identity = Match::Unknown { reason: why, hint: "check the node's OOB address and the machine's power parameters".into() };
        }
        if let (Match::Machine { machine, .. }, Some(seen)) = (&identity, bmc)
            && let Some(why) = untied(seen, machine)
        {
            // Nothing is decided on a BMC that may be another machine's.
            (bmc, bmc_error) = (None, Some(why));
        }
        // What is seen now completes what was recorded.
        if let Some(bmc) = bmc {
            binding.bmc_address = Some(bmc.address.clone()).filter(|a| !a.is_empty());
            binding.uuid = binding.uuid.or_else(|| bmc.uuid.clone());
            binding.guid = binding.guid.or_else(|| bmc.guid.clone());
            binding.serial = binding.serial.or_else(|| bmc.serial.clone());
            if binding.macs.is_empty() {
                binding.macs.clone_from(&bmc.macs);
            }
        }
        // A record that is gone from the provisioner is not looked for any more; the machine enlists under another id.
        if let Match::Absent = identity {
            binding.machine = None;
        }
        if let Match::Machine { machine, .. } = &identity {
            binding.machine = Some(machine.id.clone());
            binding.uuid = binding.uuid.or_else(|| machine.uuid.clone());
            if binding.macs.is_empty() {
                binding.macs.clone_from(&machine.macs);
            }
        }
        if binding.macs.is_empty()
            && let Some(mac) = &node.boot_mac
        {
            binding.macs = vec![mac.value.to_lowercase()];
        }
        out.insert(name.clone(), NodeIdentity { found: identity, binding, bmc, bmc_error });
    }
    refuse_shared_machines(&mut out);
    out
}

fn find<'a>(
    node: &crate::model::Node,
    bmc: Option<&'a Bmc>,
    bmc_error: Option<&str>,
    bound: Option<&Binding>,
    index: &Index<'a>,
) -> Match<'a> {
    if let Some(machine) = bound.and_then(|b| b.machine.as_deref()).and_then(|id| index.id.get(id)) {
        return match bound.and_then(|b| b.contradicts_machine(machine)) {
            Some(reason) => {
                Match::Unknown { reason, hint: format!("if the board or server was replaced: drydock rebind node.{}", node.name.value) }
            }
            None => Match::Machine { machine, confirmed: true },
        };
    }
    let mut macs: Vec<String> = Vec::new();
    macs.extend(bound.iter().flat_map(|b| b.macs.iter().cloned()));
    macs.extend(bmc.iter().flat_map(|b| b.macs.iter().cloned()));
    macs.extend(node.boot_mac.iter().map(|m| m.value.to_lowercase()));
    let uuid = bound.and_then(|b| b.uuid.clone()).or_else(|| bmc.and_then(|b| b.uuid.clone()));
    // Which may be the system UUID.
    let guid = bound.and_then(|b| b.guid.clone()).or_else(|| bmc.and_then(|b| b.guid.clone()));
    let serial = bound.and_then(|b| b.serial.clone()).or_else(|| bmc.and_then(|b| b.serial.clone()));
    let mut candidates: BTreeMap<&str, (&Machine, String)> = BTreeMap::new();
    for mac in &macs {
        for m in index.mac.get(mac.as_str()).into_iter().flatten() {
            candidates.entry(&m.id).or_insert((m, format!("MAC {mac}")));
        }
    }
    if candidates.is_empty() {
        for m in [&uuid, &guid].into_iter().flatten().filter_map(|u| index.uuid.get(&uuid_key(u))).flatten() {
            candidates.entry(&m.id).or_insert((m, "system UUID".into()));
        }
    }
    if candidates.is_empty() {
        for m in serial.as_deref().and_then(|s| index.serial.get(s)).into_iter().flatten() {
            candidates.entry(&m.id).or_insert((m, "serial number".into()));
        }
    }
    let found: Vec<_> = candidates.into_values().collect();
    // Whether what is looked for is known to be what is behind the BMC.
    let proven = bmc.is_none_or(|b| b.uuid.is_some() || !b.macs.is_empty()) || bound.is_some_and(|b| b.uuid.is_some());
    match found.as_slice() {
        [(machine, _)] => Match::Machine { machine, confirmed: true },
        [] if !proven && index.at(node).is_some() => by_address(node, index),
        [] if !macs.is_empty() || uuid.is_some() || guid.is_some() || serial.is_some() => Match::Absent,
        [] => by_name(node, bmc_error, index),
        many => Match::Unknown {
            reason: format!(
                "{} machines of the provisioner match: {}",
                many.len(),
                many.iter().map(|(m, why)| format!("{} ({}) by {why}", m.hostname, m.id)).collect::<Vec<_>>().join(", ")
            ),
            hint: "remove the stale machine from the provisioner".into(),
        },
    }
}

/// Without any hardware identity: only a machine that has both the node's name and its BMC address is taken for it, unconfirmed.
fn by_name<'a>(node: &crate::model::Node, bmc_error: Option<&str>, index: &Index<'a>) -> Match<'a> {
    match index.named_at(node) {
        Some(machine) => Match::Machine { machine, confirmed: false },
        None => Match::Unknown {
            reason: match bmc_error {
                Some(error) => format!("its BMC could not be read, so which machine it is cannot be told: {error}"),
                None => "nothing identifies its machine: no BMC was read, and the design has no boot_mac".into(),
            },
            hint: "make the BMC answer, or set boot_mac, then plan again".into(),
        },
    }
}

/// A BMC that tells no MAC and no system UUID does not prove a machine absent that the provisioner has at its address: that its GUID or serial number
/// is another may be the vendor's way.
fn by_address<'a>(node: &crate::model::Node, index: &Index<'a>) -> Match<'a> {
    if let Some(machine) = index.named_at(node) {
        return Match::Machine { machine, confirmed: false };
    }
    let found = index.at(node).map(|m| format!("{} ({})", m.hostname, m.id)).unwrap_or_default();
    Match::Unknown {
        reason: format!("the provisioner has the node's BMC address for machine {found}, and nothing else says that it is the node's"),
        hint: "set boot_mac in the design, then plan again".into(),
    }
}

/// The machine that BMC and provisioner show for a node, whatever the node was bound to so far.
///
/// # Errors
/// Why that cannot be told, and what to do.
pub fn fresh_binding(site: &Site, build: &Build, memory: &Memory, node: &str) -> Result<Binding, (String, String)> {
    let mut others = memory.clone();
    others.bindings.remove(node);
    if let Some(Fact::Known(bmc)) = build.bmcs.get(node)
        && let Some(other) = bound_elsewhere(&others, site, node, bmc)
    {
        return Err((
            format!("the BMC at {} is that of {other}'s machine", bmc.address),
            format!("check the OOB addresses of {node} and {other}, and the cabling"),
        ));
    }
    let Some(identity) = identify(site, build, &others).remove(node) else {
        return Err((format!("the design has no node `{node}`"), "nodes of the design are bound to machines".into()));
    };
    match identity.found {
        Match::Unknown { reason, hint } => Err((reason, hint)),
        Match::Machine { confirmed: false, .. } => Err((
            "only host name and BMC address say which machine it is, and its BMC could not be read".into(),
            "make the BMC answer, or set boot_mac".into(),
        )),
        Match::Machine { machine, confirmed: true } => match identity.bmc.and_then(|_| identity.binding.contradicts_machine(machine)) {
            Some(_) => Err((
                format!(
                    "the BMC shows other hardware than the provisioner has for machine {} ({}): system UUID {} there, {} here",
                    machine.hostname,
                    machine.id,
                    machine.uuid.as_deref().unwrap_or("unknown"),
                    identity.binding.uuid.as_deref().unwrap_or("unknown")
                ),
                "commission the machine again in the provisioner, so that it knows the new hardware, then rebind".into(),
            )),
            None => Ok(identity.binding),
        },
        Match::Absent => Ok(identity.binding),
    }
}

/// The other node that is bound to what a BMC manages.
fn bound_elsewhere<'m>(memory: &'m Memory, site: &Site, node: &str, bmc: &Bmc) -> Option<&'m str> {
    let same = |a: Option<&String>, b: Option<&String>| matches!((a, b), (Some(a), Some(b)) if same_uuid(a, b));
    let other = memory.bindings.iter().find(|(name, bound)| {
        *name != node
            && site.nodes.contains_key(*name)
            && (same(bound.uuid.as_ref(), bmc.uuid.as_ref())
                || same(bound.guid.as_ref(), bmc.guid.as_ref())
                || bound.macs.iter().any(|m| bmc.macs.contains(m)))
    });
    other.map(|(name, _)| name.as_str())
}

fn bmc_and_machine_disagree(bmc: &Bmc, machine: &Machine) -> Option<String> {
    if !bmc.macs.is_empty() && !machine.macs.is_empty() && !bmc.macs.iter().any(|m| machine.macs.contains(m)) {
        return Some(format!(
            "the BMC at {} manages a machine with MACs {}, the provisioner's machine {} ({}) has {}",
            bmc.address,
            bmc.macs.join(", "),
            machine.hostname,
            machine.id,
            machine.macs.join(", ")
        ));
    }
    None
}

fn refuse_shared_machines(nodes: &mut BTreeMap<String, NodeIdentity<'_>>) {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, identity) in nodes.iter() {
        if let Match::Machine { machine, .. } = &identity.found {
            users.entry(machine.id.clone()).or_default().push(name.clone());
        }
        if let Match::Absent = identity.found {
            for mac in identity.bmc.iter().flat_map(|b| &b.macs) {
                users.entry(format!("MAC {mac}")).or_default().push(name.clone());
            }
            for guid in identity.bmc.iter().filter_map(|b| b.guid.as_ref()) {
                users.entry(format!("BMC GUID {}", uuid_key(guid))).or_default().push(name.clone());
            }
        }
    }
    for (machine, names) in users {
        if names.len() < 2 {
            continue;
        }
        for name in &names {
            if let Some(identity) = nodes.get_mut(name) {
                identity.found = Match::Unknown {
                    reason: format!("{} are the same machine ({machine})", names.join(" and ")),
                    hint: "two nodes cannot share a machine: check their OOB addresses".into(),
                };
            }
        }
    }
}

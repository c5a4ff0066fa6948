//! Machines that are ours and whose nodes the design no longer has. They are listed; only who names one may have it released: a document that was
//! not read must never release a server.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Comparison, NodeNeeds};
use super::identity::{self, Match, NodeIdentity};
use super::memory::Memory;
use super::node::{Context, is_ours, released};
use super::{Blocked, Goal, NodeStage, Orphan, Policy, Stage};
use crate::action::{Effect, Selectable};
use crate::build::{Binding, Build, Machine, MachineStatus, Provisioner};
use crate::model::Site;

/// Names of the nodes that the design no longer has and whose machines are ours, by what the provisioner lists.
pub fn orphan_names(site: &Site, build: &Build, memory: &Memory) -> BTreeSet<String> {
    let identities = identity::identify(site, build, memory);
    build.provisioner.known().map(|p| find(site, p, memory, &identities).into_keys().collect()).unwrap_or_default()
}

/// Orphaned machines by the names of their nodes.
fn find<'a>(
    site: &Site,
    provisioner: &'a Provisioner,
    memory: &Memory,
    identities: &BTreeMap<String, NodeIdentity<'_>>,
) -> BTreeMap<String, &'a Machine> {
    let mut out: BTreeMap<String, &Machine> = BTreeMap::new();
    let Some(machines) = provisioner.machines.known() else { return out };
    let used: BTreeSet<&str> = identities
        .values()
        .filter_map(|i| if let Match::Machine { machine, .. } = &i.found { Some(machine.id.as_str()) } else { None })
        .collect();
    // Evidence of machines that nodes of the design may have.
    let bound: BTreeSet<&str> =
        memory.bindings.iter().filter(|(n, _)| site.nodes.contains_key(*n)).filter_map(|(_, b)| b.machine.as_deref()).collect();
    let unsure = || site.nodes.values().filter(|n| !matches!(identities.get(&n.name.value).map(|i| &i.found), Some(Match::Machine { .. })));
    let bmcs: BTreeSet<String> = unsure().filter_map(|n| n.oob.address.as_ref()).map(|a| a.value.to_string()).collect();
    let macs: BTreeSet<String> = unsure().filter_map(|n| n.boot_mac.as_ref()).map(|m| m.value.to_ascii_lowercase()).collect();
    let in_doubt = |m: &Machine| {
        bound.contains(m.id.as_str())
            || site.nodes.contains_key(&m.hostname)
            || m.bmc_address.as_ref().is_some_and(|a| bmcs.contains(a))
            || m.macs.iter().any(|mac| macs.contains(mac))
    };
    let mut remembered: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, binding) in memory.bindings.iter().filter(|(n, _)| !site.nodes.contains_key(*n)) {
        if let Some(machine) = &binding.machine {
            remembered.entry(machine).or_insert(name);
        }
    }
    for machine in machines.iter().filter(|m| !used.contains(m.id.as_str()) && !in_doubt(m)) {
        use MachineStatus as S;
        if matches!(machine.status, S::New | S::Commissioning | S::FailedCommissioning | S::Ready | S::Releasing) {
            // Nothing of ours is on it.
            continue;
        }
        let name = remembered.get(machine.id.as_str()).copied().unwrap_or(&machine.hostname);
        if is_ours(&site.name.value, name, machine, memory, &provisioner.user) {
            let name = if out.contains_key(name) { format!("{name}-{}", machine.id) } else { name.to_owned() };
            out.insert(name, machine);
        }
    }
    out
}

/// Whether somebody asked for the release of just this one.
fn is_asked_for(policy: &Policy, orphan: &Selectable<'_>) -> bool {
    let allowed = policy.allow.iter().any(|(class, s)| *class >= Effect::Destroy && s.names(orphan));
    let selected = policy.target.as_ref().map_or(!policy.goal.destroys(), |t| t.matches(orphan));
    allowed && selected && !matches!(policy.goal, Goal::VerifySite | Goal::PrepareSite)
}

/// Lists orphans, and plans the release of those that it was asked for.
pub(super) fn compare(out: &mut Comparison, cx: &Context<'_>, identities: &BTreeMap<String, NodeIdentity<'_>>) {
    let Some(provisioner) = cx.provisioner else { return };
    for (name, machine) in find(cx.site, provisioner, cx.memory, identities) {
        let resource = format!("node.{name}");
        let labels = BTreeMap::new();
        let selectable = Selectable { node: &name, rack: None, tags: &[], labels: &labels, stage: Stage::Orphaned.name() };
        let what = format!("machine {} ({}), {}", machine.hostname, machine.id, machine.status_name);
        if !is_asked_for(cx.policy, &selectable) {
            out.orphans.push(Orphan { resource, detail: what });
            continue;
        }
        let held = matches!(machine.status, MachineStatus::Broken | MachineStatus::Rescue | MachineStatus::Other);
        if machine.locked || held {
            out.blocked.push(Blocked {
                resource: resource.clone(),
                reason: if machine.locked { format!("its {what}, is locked") } else { format!("its {what}, cannot be released as it is") },
                hint: if machine.locked {
                    "unlock it in the provisioner".into()
                } else {
                    "repair it and mark it fixed in the provisioner".into()
                },
            });
            out.orphans.push(Orphan { resource, detail: what });
            continue;
        }
        let (work, change) = released(cx, &name, Stage::Orphaned, binding(cx.memory.bindings.get(&name), machine), machine.power);
        out.nodes.insert(name.clone(), NodeStage { hardware: None, now: Stage::Orphaned, then: work.target, rack: None, profile: None });
        out.node_changes.push(change);
        out.bindings.insert(name.clone(), work.binding.clone());
        out.needs.insert(name.clone(), NodeNeeds::default());
        out.work.insert(name, work);
    }
}

/// Its identity at the provisioner. No driver knows the BMC of a node that the design does not have.
fn binding(bound: Option<&Binding>, machine: &Machine) -> Binding {
    let bound = bound.filter(|b| b.machine.as_deref() == Some(&machine.id)).cloned().unwrap_or_default();
    Binding {
        bmc_address: None,
        uuid: bound.uuid.or_else(|| machine.uuid.clone()),
        guid: bound.guid,
        serial: bound.serial.or_else(|| machine.serial.clone()),
        macs: if bound.macs.is_empty() { machine.macs.clone() } else { bound.macs },
        machine: Some(machine.id.clone()),
        adopted_from: bound.adopted_from,
    }
}

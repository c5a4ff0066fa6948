//! Differences and steps.

use std::collections::BTreeSet;

use super::target::{Target, TargetKind, TargetLink};
use crate::action::params::{BondValues, LinkKind};
use crate::build::{BondParameters, InterfaceKind, LinkMode, Machine, MachineInterface, SubnetLink};

/// One call on the interfaces of a machine. Interfaces are named; ids are looked up when the call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum NetStep {
    /// Removes an interface.
    Delete { interface: String },
    /// Removes a link.
    Unlink { interface: String, link: u64 },
    /// Changes VLAN or MTU.
    Update { interface: String, vlan: Option<u64>, mtu: Option<u32> },
    /// Changes options of a bond.
    UpdateBond { interface: String, values: BondValues },
    /// Creates a bond; it is in the VLAN of its parents, which must all be in the same one.
    CreateBond { name: String, parents: Vec<u64>, values: BondValues, mtu: Option<u32> },
    /// Creates a VLAN interface.
    CreateVlan { name: String, parent: String, vlan: u64, mtu: Option<u32> },
    /// Links an interface to a subnet.
    Link { interface: String, subnet: u64, mode: LinkKind, default_gateway: bool },
    /// Takes the default route from a link of an interface; from its only one if none is named.
    DefaultGateway { interface: String, link: Option<u64> },
}

/// The interface that a target already is.
fn present<'a>(machine: &'a Machine, target: &Target, targets: &[Target]) -> Option<&'a MachineInterface> {
    match &target.kind {
        TargetKind::Nic { id } => machine.interfaces.iter().find(|i| i.id == *id),
        TargetKind::Bond { members, .. } => machine.interfaces.iter().find(|i| {
            i.kind == InterfaceKind::Bond
                && i.name == target.name
                // Changing the VLAN of a bond would leave its members behind.
                && i.vlan == Some(target.vlan)
                && i.parents.iter().collect::<BTreeSet<_>>() == members.iter().map(|(_, n)| n).collect::<BTreeSet<_>>()
        }),
        TargetKind::Vlan { parent } => {
            let parent = targets.iter().find(|t| t.name == *parent).and_then(|t| present(machine, t, targets))?;
            machine
                .interfaces
                .iter()
                .find(|i| i.kind == InterfaceKind::Vlan && i.vlan == Some(target.vlan) && i.parents == [parent.name.clone()])
        }
    }
}

/// Whether the MTU is as wanted. MAAS reports the effective one, which is never below that of the interfaces on top.
fn mtu_fits(machine: &Machine, interface: &MachineInterface, wanted: Option<u32>) -> bool {
    let Some(wanted) = wanted else { return true };
    interface.mtu == wanted
        || (interface.mtu > wanted
            && machine.interfaces.iter().any(|child| child.parents.contains(&interface.name) && child.mtu == interface.mtu))
}

/// The MTU to set when anything is changed. Where an interface on top has the same effective one, it may hide another.
fn new_mtu(machine: &Machine, interface: &MachineInterface, wanted: Option<u32>) -> Option<u32> {
    let hidden = || machine.interfaces.iter().any(|child| child.parents.contains(&interface.name) && child.mtu == interface.mtu);
    wanted.filter(|w| *w != interface.mtu || hidden())
}

fn link_fits(link: &SubnetLink, wanted: &TargetLink) -> bool {
    link.subnet == Some(wanted.cidr)
        && match wanted.mode {
            LinkKind::Static(address) => link.mode == LinkMode::Static && link.address == Some(address),
            LinkKind::Dhcp => link.mode == LinkMode::Dhcp,
            LinkKind::LinkUp => link.mode == LinkMode::LinkUp,
        }
}

/// Links that must go. An interface that is only up keeps its link: MAAS makes one by itself.
fn unwanted<'a>(interface: &'a MachineInterface, wanted: Option<&TargetLink>) -> Vec<&'a SubnetLink> {
    interface.links.iter().filter(|l| l.mode != LinkMode::LinkUp && !wanted.is_some_and(|w| link_fits(l, w))).collect()
}

fn bond_fits(now: &BondParameters, wanted: &BondValues) -> bool {
    fn same<T: PartialEq>(now: Option<&T>, wanted: Option<&T>) -> bool {
        wanted.is_none() || now == wanted
    }
    now.mode == wanted.mode
        && same(now.xmit_hash_policy.as_ref(), wanted.xmit_hash_policy.as_ref())
        && same(now.lacp_rate.as_ref(), wanted.lacp_rate.as_ref())
        && same(now.miimon.as_ref(), wanted.miimon.as_ref())
        && same(now.updelay.as_ref(), wanted.updelay.as_ref())
        && same(now.downdelay.as_ref(), wanted.downdelay.as_ref())
}

/// The NICs that the wanted configuration uses.
fn used(targets: &[Target]) -> BTreeSet<u64> {
    let mut out = BTreeSet::new();
    for target in targets {
        match &target.kind {
            TargetKind::Nic { id } => drop(out.insert(*id)),
            TargetKind::Bond { members, .. } => out.extend(members.iter().map(|(id, _)| *id)),
            TargetKind::Vlan { .. } => {}
        }
    }
    out
}

/// Whether a link holds an address that is wanted on some interface.
fn holds_wanted(link: &SubnetLink, targets: &[Target]) -> bool {
    let wanted = |t: &Target| matches!(t.link.as_ref().map(|l| &l.mode), Some(LinkKind::Static(a)) if link.address == Some(*a));
    link.mode != LinkMode::LinkUp && targets.iter().any(wanted)
}

/// Links of NICs that the wanted configuration does not use. Such NICs are not ours to change, but an address that is wanted elsewhere has to go.
fn in_the_way<'a>(machine: &'a Machine, targets: &'a [Target]) -> impl Iterator<Item = (&'a MachineInterface, &'a SubnetLink)> {
    let used = used(targets);
    let idle = machine.interfaces.iter().filter(move |i| i.kind == InterfaceKind::Physical && !used.contains(&i.id));
    idle.flat_map(move |i| i.links.iter().filter(|l| holds_wanted(l, targets)).map(move |l| (i, l)))
}

/// Interfaces that are not wanted, children before parents: on NICs that the wanted configuration uses, or with a name or address that it
/// uses. Whatever is on other NICs is not ours to change.
fn surplus<'a>(machine: &'a Machine, targets: &[Target]) -> Vec<&'a MachineInterface> {
    let kept: BTreeSet<u64> = targets.iter().filter_map(|t| present(machine, t, targets)).map(|i| i.id).collect();
    let used = used(targets);
    let mut touched: BTreeSet<&str> = machine.interfaces.iter().filter(|i| used.contains(&i.id)).map(|i| i.name.as_str()).collect();
    let virtual_ones = || machine.interfaces.iter().filter(|i| i.kind != InterfaceKind::Physical && !kept.contains(&i.id));
    let taken = |i: &&MachineInterface| targets.iter().any(|t| t.name == i.name) || i.links.iter().any(|l| holds_wanted(l, targets));
    touched.extend(virtual_ones().filter(taken).map(|i| i.name.as_str()));
    loop {
        let before = touched.len();
        let above: Vec<&str> =
            machine.interfaces.iter().filter(|i| i.parents.iter().any(|p| touched.contains(p.as_str()))).map(|i| i.name.as_str()).collect();
        touched.extend(above);
        if touched.len() == before {
            break;
        }
    }
    let mut left: Vec<&MachineInterface> = virtual_ones().filter(|i| touched.contains(i.name.as_str())).collect();
    let mut out = Vec::new();
    while !left.is_empty() {
        let (parents, leaves): (Vec<_>, Vec<_>) = left.iter().partition(|i| left.iter().any(|c| c.parents.contains(&i.name)));
        // A circle of parents cannot be; if MAAS reported one, the order does not matter.
        out.extend(if leaves.is_empty() { parents.clone() } else { leaves.clone() });
        left = if leaves.is_empty() { Vec::new() } else { parents };
    }
    out
}

/// What differs from the wanted configuration, in words; empty when nothing does.
pub(in super::super) fn differences(machine: &Machine, targets: &[Target]) -> Vec<String> {
    let mut out: Vec<String> = surplus(machine, targets).iter().map(|i| format!("{} is not wanted", i.name)).collect();
    out.extend(in_the_way(machine, targets).map(|(i, _)| format!("{} has an address that is wanted elsewhere", i.name)));
    for target in targets {
        let name = &target.name;
        let Some(now) = present(machine, target, targets) else {
            out.push(format!("{name} is missing"));
            continue;
        };
        if now.vlan != Some(target.vlan) {
            out.push(format!("{name} is in another VLAN"));
        }
        if !mtu_fits(machine, now, target.mtu) {
            out.push(format!("{name} has MTU {}", now.mtu));
        }
        if let (TargetKind::Bond { values, .. }, Some(bond)) = (&target.kind, &now.bond)
            && !bond_fits(bond, values)
        {
            out.push(format!("{name} has other bond options"));
        }
        let linked = target.link.as_ref().is_none_or(|w| now.links.iter().any(|l| link_fits(l, w)));
        if !linked || !unwanted(now, target.link.as_ref()).is_empty() {
            out.push(format!("{name} has another address"));
        }
        if let Some(gateway) = target.link.as_ref().and_then(|l| l.gateway)
            && machine.default_gateway != Some(gateway)
        {
            out.push(format!("the default gateway is not {gateway}"));
        }
    }
    out
}

/// The steps from what is to what is wanted; empty when nothing differs.
pub(in super::super) fn plan(machine: &Machine, targets: &[Target]) -> Vec<NetStep> {
    if differences(machine, targets).is_empty() {
        return Vec::new();
    }
    let mut steps: Vec<NetStep> = surplus(machine, targets).iter().map(|i| NetStep::Delete { interface: i.name.clone() }).collect();
    let unlink = |steps: &mut Vec<NetStep>, i: &MachineInterface, wanted: Option<&TargetLink>| {
        steps.extend(unwanted(i, wanted).iter().map(|l| NetStep::Unlink { interface: i.name.clone(), link: l.id }));
    };
    steps.extend(in_the_way(machine, targets).map(|(i, l)| NetStep::Unlink { interface: i.name.clone(), link: l.id }));
    for target in targets {
        match (&target.kind, present(machine, target, targets)) {
            // A change of VLAN takes the links away.
            (TargetKind::Nic { .. }, Some(now)) if now.vlan != Some(target.vlan) => {
                let mtu = new_mtu(machine, now, target.mtu);
                steps.push(NetStep::Update { interface: now.name.clone(), vlan: Some(target.vlan), mtu });
            }
            (TargetKind::Bond { members, .. }, None) => {
                for nic in members.iter().filter_map(|(id, _)| machine.interfaces.iter().find(|i| i.id == *id)) {
                    if nic.vlan == Some(target.vlan) {
                        unlink(&mut steps, nic, None);
                    } else {
                        steps.push(NetStep::Update { interface: nic.name.clone(), vlan: Some(target.vlan), mtu: None });
                    }
                }
            }
            (_, Some(now)) => unlink(&mut steps, now, target.link.as_ref()),
            (_, None) => {}
        }
    }
    for target in targets {
        let now = present(machine, target, targets);
        match (&target.kind, now) {
            (TargetKind::Bond { members, values }, None) => steps.push(NetStep::CreateBond {
                name: target.name.clone(),
                parents: members.iter().map(|(id, _)| *id).collect(),
                values: values.clone(),
                mtu: target.mtu,
            }),
            (TargetKind::Vlan { parent }, None) => {
                steps.push(NetStep::CreateVlan { name: target.name.clone(), parent: parent.clone(), vlan: target.vlan, mtu: target.mtu });
            }
            (kind, Some(now)) => {
                let updated = now.vlan != Some(target.vlan);
                if let Some(mtu) = new_mtu(machine, now, target.mtu).filter(|_| !updated) {
                    steps.push(NetStep::Update { interface: now.name.clone(), vlan: None, mtu: Some(mtu) });
                }
                if let (TargetKind::Bond { values, .. }, Some(bond)) = (kind, &now.bond)
                    && !bond_fits(bond, values)
                {
                    steps.push(NetStep::UpdateBond { interface: now.name.clone(), values: values.clone() });
                }
            }
            (TargetKind::Nic { .. }, None) => {}
        }
        if let Some(link) = &target.link {
            let interface = now.map_or_else(|| target.name.clone(), |i| i.name.clone());
            let kept = now.filter(|i| i.vlan == Some(target.vlan)).and_then(|i| i.links.iter().find(|l| link_fits(l, link)));
            if kept.is_none() {
                let default_gateway = link.gateway.is_some() && matches!(link.mode, LinkKind::Static(_));
                steps.push(NetStep::Link { interface: interface.clone(), subnet: link.subnet, mode: link.mode.clone(), default_gateway });
            }
        }
    }
    steps.extend(gateway_step(machine, targets, &steps));
    steps
}

/// The step that chooses the default gateway, where linking does not do it.
fn gateway_step(machine: &Machine, targets: &[Target], steps: &[NetStep]) -> Option<NetStep> {
    let (target, gateway) = targets.iter().find_map(|t| Some((t, t.link.as_ref()?.gateway?)))?;
    let now = present(machine, target, targets);
    let interface = now.map_or_else(|| target.name.clone(), |i| i.name.clone());
    let linked = steps.iter().find_map(|s| match s {
        NetStep::Link { interface: i, default_gateway, .. } if *i == interface => Some(*default_gateway),
        _ => None,
    });
    match linked {
        Some(true) => None,
        Some(false) => Some(NetStep::DefaultGateway { interface, link: None }),
        // Whatever else changed may have changed MAAS's own choice.
        None if machine.default_gateway == Some(gateway) && steps.is_empty() => None,
        None => {
            let link = now.zip(target.link.as_ref()).and_then(|(i, w)| i.links.iter().find(|l| link_fits(l, w))).map(|l| l.id);
            Some(NetStep::DefaultGateway { interface, link })
        }
    }
}

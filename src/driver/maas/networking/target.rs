//! The wanted interfaces in MAAS's terms.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::lists::Lists;
use crate::action::params::{ApplyNodeNetworking, BondValues, Device, InterfaceParams, Late, LinkKind, LinkParams};
use crate::build::{InterfaceKind, Machine};
use crate::driver::{DriverError, ErrorClass};

/// What kind of interface is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum TargetKind {
    /// A NIC of the machine.
    Nic { id: u64 },
    /// A bond of NICs, in order.
    Bond { members: Vec<(u64, String)>, values: BondValues },
    /// A VLAN on a NIC or bond.
    Vlan { parent: String },
}

/// A wanted link to a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TargetLink {
    pub(in super::super) subnet: u64,
    pub(in super::super) cidr: IpNet,
    pub(in super::super) mode: LinkKind,
    /// The gateway that shall be the machine's default one.
    pub(in super::super) gateway: Option<IpAddr>,
}

/// A wanted interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Target {
    pub(in super::super) name: String,
    pub(in super::super) kind: TargetKind,
    /// VLAN id.
    pub(in super::super) vlan: u64,
    pub(in super::super) mtu: Option<u32>,
    pub(in super::super) link: Option<TargetLink>,
}

/// Translates names into ids. Parents come before their VLANs.
pub(in super::super) fn targets(wanted: &ApplyNodeNetworking, machine: &Machine, lists: &Lists) -> Result<Vec<Target>, DriverError> {
    let mut out: Vec<Target> = Vec::new();
    let mut resolved = Vec::new();
    for interface in &wanted.interfaces {
        let members = interface.members.iter().map(|m| device(m, machine)).collect::<Result<Vec<_>, _>>()?;
        resolved.push((interface, members));
    }
    let bonded: Vec<u64> =
        resolved.iter().filter(|(i, _)| i.bond.is_some()).flat_map(|(_, members)| members.iter().map(|(id, _)| *id)).collect();
    for (interface, members) in resolved {
        if let Some(values) = &interface.bond {
            add(&mut out, &interface.name, TargetKind::Bond { members, values: values.clone() }, interface, lists)?;
            continue;
        }
        let Some((id, name)) = members.into_iter().next() else {
            return Err(DriverError::new(ErrorClass::Rejected, format!("interface {} has no NIC", interface.name)));
        };
        // A NIC in a bond carries nothing of its own.
        if !bonded.contains(&id) {
            add(&mut out, &name, TargetKind::Nic { id }, interface, lists)?;
        }
    }
    Ok(out)
}

fn add(out: &mut Vec<Target>, name: &str, kind: TargetKind, interface: &InterfaceParams, lists: &Lists) -> Result<(), DriverError> {
    let link = interface.link.as_ref().map(|l| link(l, lists)).transpose()?;
    let vlan = match &interface.link {
        Some(l) => lists.subnet(l.subnet)?.vlan,
        None => lists.vlan(&interface.fabric, 0)?.id,
    };
    match out.iter_mut().find(|t| t.name == name) {
        // Two interfaces of the design on one NIC: the one with an address decides.
        Some(same) => {
            if link.is_some() {
                (same.vlan, same.link) = (vlan, link);
            }
            same.mtu = interface.mtu.or(same.mtu);
        }
        None => out.push(Target { name: name.to_owned(), kind, vlan, mtu: interface.mtu, link }),
    }
    for tagged in &interface.vlans {
        let vlan = lists.vlan(&interface.fabric, tagged.vid)?.id;
        let vlan_name = format!("{name}.{}", tagged.vid);
        let link = Some(self::link(&tagged.link, lists)?);
        out.retain(|t| t.name != vlan_name);
        out.push(Target { name: vlan_name, kind: TargetKind::Vlan { parent: name.to_owned() }, vlan, mtu: tagged.mtu, link });
    }
    Ok(())
}

fn link(params: &LinkParams, lists: &Lists) -> Result<TargetLink, DriverError> {
    let subnet = lists.subnet(params.subnet)?;
    // Only these can carry a default route; a machine takes DHCP's from the server unless MAAS is told otherwise.
    let gateway = subnet.gateway.filter(|g| params.default_gateway && g.is_ipv4() && params.mode != LinkKind::LinkUp);
    Ok(TargetLink { subnet: subnet.id, cidr: subnet.cidr, mode: params.mode.clone(), gateway })
}

fn device(late: &Late<Device>, machine: &Machine) -> Result<(u64, String), DriverError> {
    let Late::Value(device) = late else {
        return Err(DriverError::new(ErrorClass::Rejected, "a NIC of the machine was not resolved"));
    };
    let nic = machine.interfaces.iter().find(|i| i.id == device.id && i.kind == InterfaceKind::Physical);
    match nic {
        Some(nic) if nic.name == device.name => Ok((nic.id, nic.name.clone())),
        _ => Err(DriverError::new(
            ErrorClass::Precondition,
            format!("machine {} no longer has the NIC {} (id {})", machine.hostname, device.name, device.id),
        )
        .hint("make a new plan")),
    }
}

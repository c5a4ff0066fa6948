//! Interfaces of a node: what the design wants, what the provisioner has.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::attributes::{PresentMap, WantedMap, want, want_parts};
use crate::action::params::{
    ApplyNodeNetworking, BondValues, Device, DeviceSelector, FactRef, InterfaceParams, Late, LinkKind, LinkParams, VlanInterfaceParams,
};
use crate::build::{InterfaceKind, LinkMode, Machine, MachineInterface, same_bus_address};
use crate::model::{BondMode, Interface, Network, NetworkLink, Node, Site, Text};
use crate::yaml::Span;

/// The VLAN tag a network has on a link: untagged (0) if it is the link's native network or has no tag.
pub(crate) fn vid_on(link: &NetworkLink, network: &Network) -> u16 {
    if link.native_network.as_ref().is_some_and(|n| n.value == network.name.value) {
        0
    } else {
        network.vlan.as_ref().map_or(0, |v| v.value)
    }
}

/// Interfaces of a node that drydock configures, with their links.
pub(crate) fn configured<'a>(site: &'a Site, node: &'a Node) -> impl Iterator<Item = (&'a Interface, &'a NetworkLink)> {
    node.interfaces.values().filter_map(move |i| {
        let link = site.links.get(&i.device_link.as_ref()?.value)?;
        (!i.labels.contains_key("noconfig") && !link.is_noconfig()).then_some((i, link))
    })
}

/// How a device name of the design is found in the machine: by the alias' bus address, else by kernel name.
pub(crate) fn nic(site: &Site, node: &Node, name: &str) -> DeviceSelector {
    let address = alias(site, node, name, "pci");
    address.map_or_else(|| DeviceSelector::NicNamed(name.to_owned()), |address| DeviceSelector::NicAtBus(address.value.clone()))
}

pub(super) fn alias<'a>(site: &'a Site, node: &Node, name: &str, bus: &str) -> Option<&'a Text> {
    let profile = site.hardware_profiles.get(&node.hardware_profile.as_ref()?.value)?;
    let alias = profile.device_aliases.get(name)?;
    (alias.bus_type.value == bus).then_some(&alias.address)
}

/// Parameters and attributes that the design wants.
pub(super) fn wanted(site: &Site, node: &Node) -> (ApplyNodeNetworking, WantedMap) {
    let mut attributes = WantedMap::new();
    let mut interfaces = Vec::new();
    for (interface, link) in configured(site, node) {
        let name = &interface.name.value;
        let bond = (link.bonding.mode.value != BondMode::Disabled).then(|| BondValues {
            mode: link.bonding.mode.value.kernel_name().to_owned(),
            xmit_hash_policy: link.bonding.hash.as_ref().map(|v| v.value.clone()),
            lacp_rate: link.bonding.peer_rate.as_ref().map(|v| v.value.clone()),
            miimon: link.bonding.mon_rate.as_ref().map(|v| v.value),
            updelay: link.bonding.up_delay.as_ref().map(|v| v.value),
            downdelay: link.bonding.down_delay.as_ref().map(|v| v.value),
        });
        let members: Vec<(String, DeviceSelector)> =
            interface.slaves.iter().map(|s| (s.value.clone(), nic(site, node, &s.value))).collect();
        // An alias' address is what is shown and compared, and the hardware profile is where it is written.
        let written = |slave: &Text| alias(site, node, &slave.value, "pci").map_or(slave.span, |address| address.span);
        let parts: Vec<(String, Span)> =
            members.iter().zip(&interface.slaves).map(|((_, select), slave)| (selector_text(select), written(slave))).collect();
        let shown: Vec<String> = parts.iter().map(|(text, _)| text.clone()).collect();
        let span = interface.slaves.first().map_or(interface.name.span, |s| s.span);
        want_parts(&mut attributes, format!("{name}.members"), shown, span, parts);
        want(
            &mut attributes,
            format!("{name}.fabric"),
            link.name.value.as_str(),
            interface.device_link.as_ref().map_or(interface.name.span, |l| l.span),
        );
        if let Some(bond) = &bond {
            want(&mut attributes, format!("{name}.bond"), bond_value(bond), link.bonding.mode.span);
        }
        if let Some(mtu) = &link.mtu {
            want(&mut attributes, format!("{name}.mtu"), mtu.value, mtu.span);
        }
        let mut untagged = None;
        let mut vlans = Vec::new();
        for network_name in &interface.networks {
            let Some(network) = site.networks.get(&network_name.value) else { continue };
            let vid = vid_on(link, network);
            let address = node.address_on(&network_name.value);
            let mode = match address {
                Some(a) => a.address.as_ref().map_or(LinkKind::Dhcp, |ip| LinkKind::Static(ip.value)),
                None => LinkKind::LinkUp,
            };
            let default_gateway = matches!(mode, LinkKind::Static(_))
                && node.primary_network.as_ref().is_some_and(|p| p.value == network_name.value)
                && network.default_gateway().is_some();
            let params = LinkParams { subnet: network.cidr.value, mode, default_gateway };
            let span = address.and_then(|a| a.address.as_ref()).map_or(network_name.span, |a| a.span);
            let mtu = network.mtu.as_ref();
            if vid == 0 {
                want(&mut attributes, format!("{name}.link"), link_value(&params), span);
                untagged = Some(params);
            } else {
                want(&mut attributes, format!("{name}.{vid}.link"), link_value(&params), span);
                if let Some(mtu) = mtu {
                    want(&mut attributes, format!("{name}.{vid}.mtu"), mtu.value, mtu.span);
                }
                vlans.push(VlanInterfaceParams { vid, mtu: mtu.map(|m| m.value), link: params });
            }
        }
        vlans.sort_by_key(|v| v.vid);
        interfaces.push(InterfaceParams {
            name: name.clone(),
            members: members
                .into_iter()
                .map(|(_, select)| Late::Fact(FactRef { node: node.name.value.clone(), select, min_size: None }))
                .collect(),
            bond,
            fabric: link.name.value.clone(),
            mtu: link.mtu.as_ref().map(|m| m.value),
            link: untagged,
            vlans,
        });
    }
    (ApplyNodeNetworking { interfaces }, attributes)
}

fn selector_text(select: &DeviceSelector) -> String {
    match select {
        DeviceSelector::NicAtBus(bus) => format!("NIC at {bus}"),
        DeviceSelector::NicNamed(name) => format!("NIC {name}"),
        DeviceSelector::DiskAtBus(bus) => format!("disk at {bus}"),
        DeviceSelector::DiskNamed(name) => format!("disk {name}"),
        DeviceSelector::DiskWithSerial(serial) => format!("disk with serial {serial}"),
        DeviceSelector::DiskOfModel(model) => format!("disk of model {model}"),
    }
}

fn bond_value(bond: &BondValues) -> Value {
    let mut map = serde_json::Map::new();
    map.insert("mode".into(), json!(bond.mode));
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    put("xmit_hash_policy", bond.xmit_hash_policy.as_ref().map(|v| json!(v)));
    put("lacp_rate", bond.lacp_rate.as_ref().map(|v| json!(v)));
    put("miimon", bond.miimon.map(|v| json!(v)));
    put("updelay", bond.updelay.map(|v| json!(v)));
    put("downdelay", bond.downdelay.map(|v| json!(v)));
    Value::Object(map)
}

fn link_value(link: &LinkParams) -> Value {
    let mode = match &link.mode {
        LinkKind::Static(ip) => format!("{ip} on {}", link.subnet),
        LinkKind::Dhcp => format!("DHCP on {}", link.subnet),
        LinkKind::LinkUp => format!("no address on {}", link.subnet),
    };
    Value::String(if link.default_gateway { format!("{mode}, default gateway") } else { mode })
}

/// The NIC of a machine that a selector means.
///
/// # Errors
/// When none or several match.
pub fn find_nic<'a>(machine: &'a Machine, member: &Late<Device>) -> Result<&'a MachineInterface, String> {
    let physical = machine.interfaces.iter().filter(|i| i.kind == InterfaceKind::Physical);
    let (found, what): (Vec<_>, String) = match member {
        Late::Value(device) => (physical.filter(|i| i.id == device.id).collect(), format!("NIC {}", device.name)),
        Late::Fact(fact) => {
            let text = selector_text(&fact.select);
            let hits = match &fact.select {
                DeviceSelector::NicAtBus(bus) => physical.filter(|i| i.bus.as_deref().is_some_and(|b| same_bus_address(b, bus))).collect(),
                DeviceSelector::NicNamed(name) => physical.filter(|i| i.name == *name).collect(),
                DeviceSelector::DiskAtBus(_)
                | DeviceSelector::DiskNamed(_)
                | DeviceSelector::DiskWithSerial(_)
                | DeviceSelector::DiskOfModel(_) => Vec::new(),
            };
            (hits, text)
        }
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("the machine has no {what}")),
        many => Err(format!("{} interfaces of the machine match {what}", many.len())),
    }
}

/// Names of fabrics by VLAN id, as they will be called after the plan.
pub(super) type FabricNames = BTreeMap<u64, (String, u16)>;

/// Present attributes of a machine, in the terms of what is wanted.
///
/// # Errors
/// When a wanted NIC is not in the machine.
///
/// `gateless` are the subnets that the provisioner has without a gateway: whether a machine there uses it as its default is not seen.
pub(super) fn present(
    machine: &Machine,
    wanted: &ApplyNodeNetworking,
    fabrics: &FabricNames,
    gateless: &BTreeSet<IpNet>,
) -> Result<PresentMap, String> {
    let gateway = Gateway { machine: machine.default_gateway, gateless };
    let mut out = PresentMap::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for interface in &wanted.interfaces {
        let members = interface.members.iter().map(|m| find_nic(machine, m)).collect::<Result<Vec<_>, _>>()?;
        used.extend(members.iter().map(|m| m.name.as_str()));
        let name = &interface.name;
        let actual = if interface.bond.is_some() {
            machine.interfaces.iter().find(|i| i.kind == InterfaceKind::Bond && i.name == *name)
        } else {
            members.first().copied()
        };
        let Some(actual) = actual else { continue };
        seen.push(&actual.name);
        if let Some(values) = &interface.bond {
            // Members are compared as NICs, whatever their names; the wanted text is shown when they are the same.
            let mut have: Vec<&str> = actual.parents.iter().map(String::as_str).collect();
            let mut should: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
            have.sort_unstable();
            should.sort_unstable();
            let shown: Value =
                if have == should { json!(interface.members.iter().map(member_text).collect::<Vec<_>>()) } else { json!(have) };
            out.insert(format!("{name}.members"), shown);
            out.insert(format!("{name}.bond"), present_bond(actual, values));
        } else {
            out.insert(format!("{name}.members"), json!(interface.members.iter().map(member_text).collect::<Vec<_>>()));
        }
        if let Some((fabric, vid)) = actual.vlan.and_then(|v| fabrics.get(&v)) {
            let text = if *vid == 0 { fabric.clone() } else { format!("{fabric}, tag {vid}") };
            out.insert(format!("{name}.fabric"), json!(text));
        }
        if let Some(mtu) = interface.mtu {
            // What is on top of it and will shrink with it covers nothing up.
            let keeps = |child: &MachineInterface| {
                let vid = child.vlan.and_then(|v| fabrics.get(&v)).map(|(_, vid)| *vid);
                let ours = interface.vlans.iter().find(|v| child.kind == InterfaceKind::Vlan && Some(v.vid) == vid);
                ours.is_none_or(|v| v.mtu.is_some_and(|after| after >= child.mtu))
            };
            out.insert(format!("{name}.mtu"), json!(own_mtu(machine, actual, mtu, keeps)));
        }
        insert_links(&mut out, name, actual, &gateway, interface.link.as_ref());
        for child in machine.interfaces.iter().filter(|i| i.kind == InterfaceKind::Vlan && i.parents.contains(&actual.name)) {
            let Some((_, vid)) = child.vlan.and_then(|v| fabrics.get(&v)) else { continue };
            seen.push(&child.name);
            let path = format!("{name}.{vid}");
            let want = interface.vlans.iter().find(|v| v.vid == *vid);
            insert_links(&mut out, &path, child, &gateway, want.map(|v| &v.link));
            match want.map(|v| v.mtu) {
                None => {
                    out.insert(format!("{path}.mtu"), json!(child.mtu));
                }
                Some(Some(mtu)) => {
                    out.insert(format!("{path}.mtu"), json!(own_mtu(machine, child, mtu, |_| true)));
                }
                Some(None) => {}
            }
        }
    }
    // What is on NICs that the design does not configure is not ours to change.
    loop {
        let before = used.len();
        let above: Vec<&str> =
            machine.interfaces.iter().filter(|i| i.parents.iter().any(|p| used.contains(p.as_str()))).map(|i| i.name.as_str()).collect();
        used.extend(above);
        if used.len() == before {
            break;
        }
    }
    for extra in &machine.interfaces {
        if extra.kind != InterfaceKind::Physical && used.contains(extra.name.as_str()) && !seen.contains(&extra.name.as_str()) {
            out.insert(format!("{}.kind", extra.name), json!(extra.kind));
        }
    }
    Ok(out)
}

fn member_text(member: &Late<Device>) -> String {
    match member {
        Late::Fact(fact) => selector_text(&fact.select),
        Late::Value(device) => format!("NIC {}", device.name),
    }
}

/// MAAS reports an effective MTU, which is never below that of the interfaces on top; a wanted one that is only covered up, by one that keeps its own, is there.
fn own_mtu(machine: &Machine, interface: &MachineInterface, wanted: u32, keeps: impl Fn(&MachineInterface) -> bool) -> u32 {
    let on_top = |c: &&MachineInterface| c.parents.contains(&interface.name) && c.mtu == interface.mtu;
    let covered = interface.mtu > wanted && machine.interfaces.iter().filter(on_top).any(keeps);
    if covered { wanted } else { interface.mtu }
}

/// Only options that the design sets are compared; others are the provisioner's defaults.
fn present_bond(actual: &MachineInterface, wanted: &BondValues) -> Value {
    let Some(bond) = &actual.bond else { return Value::Null };
    bond_value(&BondValues {
        mode: bond.mode.clone(),
        xmit_hash_policy: wanted.xmit_hash_policy.as_ref().and(bond.xmit_hash_policy.clone()),
        lacp_rate: wanted.lacp_rate.as_ref().and(bond.lacp_rate.clone()),
        miimon: wanted.miimon.and(bond.miimon),
        updelay: wanted.updelay.and(bond.updelay),
        downdelay: wanted.downdelay.and(bond.downdelay),
    })
}

/// What is known of a machine's default gateway.
struct Gateway<'a> {
    machine: Option<std::net::IpAddr>,
    gateless: &'a BTreeSet<IpNet>,
}

impl Gateway<'_> {
    /// Whether it may be in a subnet. Where the subnet has lost its gateway the machine shows none either; that is mended at the subnet.
    fn is_in(&self, subnet: &IpNet) -> bool {
        self.machine.map_or_else(|| self.gateless.contains(subnet), |g| subnet.contains(&g))
    }
}

fn insert_links(out: &mut PresentMap, path: &str, actual: &MachineInterface, gateway: &Gateway<'_>, wanted: Option<&LinkParams>) {
    let texts: Vec<Value> = actual
        .links
        .iter()
        .filter_map(|l| {
            if l.mode == LinkMode::LinkUp && wanted.is_none() {
                // MAAS keeps its boot NIC up on its subnet by itself.
                return None;
            }
            let Some(subnet) = l.subnet else {
                // A bare link-up without subnet is how the provisioner shows an interface that nothing is configured on.
                return (l.mode != LinkMode::LinkUp).then(|| json!(format!("{:?}", l.mode).to_lowercase()));
            };
            let mode = match (l.mode, l.address) {
                (LinkMode::Static, Some(ip)) => LinkKind::Static(ip),
                (LinkMode::Dhcp, _) => LinkKind::Dhcp,
                (LinkMode::LinkUp, _) => LinkKind::LinkUp,
                (LinkMode::Auto, _) | (LinkMode::Static, None) => return Some(json!(format!("automatic on {subnet}"))),
            };
            // The provisioner has one default gateway per machine; it is compared where the design wants one.
            let default_gateway = wanted.is_some_and(|w| w.default_gateway && w.subnet == subnet) && gateway.is_in(&subnet);
            Some(link_value(&LinkParams { default_gateway, mode, subnet }))
        })
        .collect();
    match texts.len() {
        0 => {}
        1 => {
            out.insert(format!("{path}.link"), texts.into_iter().next().unwrap_or_default());
        }
        _ => {
            out.insert(format!("{path}.link"), Value::Array(texts));
        }
    }
}

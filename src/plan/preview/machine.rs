//! Machines that are as a branch leaves them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::facts::{DEFAULT_DOMAIN, Facts, MTU, USER};
use crate::action::Json;
use crate::action::params::{
    ApplyNodeNetworking, ApplyNodePlatform, ApplyNodeStorage, BondValues, Device, DeviceSelector, DiskParams, FactRef, FilesystemParams,
    InterfaceParams, Late, LinkKind, LinkParams, SizeParam, VolumeGroupParams,
};
use crate::build::{
    BondParameters, Disk, DiskKind, DiskPartition, FilesystemFacts, InterfaceKind, LinkMode, LogicalVolumeFacts, Machine, MachineInterface,
    MachineStatus, PowerState, SubnetLink, VolumeGroupFacts,
};
use crate::diff::{MARK_SITE, MARK_USER_DATA, NO_USER_DATA, NodeWork, configured, devices, find_disk, find_nic, nic};
use crate::model::{Node, OobType, Site, Size};

/// Bytes of a disk of which nothing is known: more than any design asks for, and no round number, so that no absolute size is taken for a share of it.
const DISK: u64 = (1 << 54) + (12_345 << 20);
/// Disks of one machine differ by this, so that sizes which depend on them do too.
const STEP: u64 = 1 << 30;

fn decode<T: DeserializeOwned>(params: Option<&Json>) -> Option<T> {
    T::deserialize(&params?.value()).ok()
}

/// The machine that a node's branch leaves behind.
pub(super) fn deployed(facts: &mut Facts<'_>, site: &str, node: &Node, work: &NodeWork) -> Machine {
    let name = &node.name.value;
    let mut machine = blank(name, work);
    if let Some(kind) = node.oob.kind.as_ref().map(|k| k.value).filter(|k| *k != OobType::Manual) {
        machine.power_type = Some(kind.name().to_owned());
        machine.bmc_address = node.oob.address.as_ref().map(|a| a.value.to_string());
    }
    if let Some(ApplyNodeNetworking { interfaces }) = decode(work.networking.as_ref()) {
        for interface in &interfaces {
            network(facts, &mut machine, interface);
        }
    }
    if let Some(storage) = decode::<ApplyNodeStorage>(work.storage.as_ref()) {
        store(facts, &mut machine, &storage);
    }
    if let Some(params) = decode::<ApplyNodePlatform>(work.platform.as_ref()) {
        platform(facts, &mut machine, params);
    }
    if let Some(deploy) = &work.deploy {
        (machine.os, machine.series) = (deploy.os.clone(), deploy.series.clone());
        machine.kernel.clone_from(&deploy.kernel);
        let given = deploy.user_data.clone().unwrap_or_else(|| NO_USER_DATA.to_owned());
        machine.owner_data.extend([(MARK_SITE.to_owned(), site.to_owned()), (MARK_USER_DATA.to_owned(), given)]);
    }
    machine
}

fn blank(name: &str, work: &NodeWork) -> Machine {
    Machine {
        domain: DEFAULT_DOMAIN.to_owned(),
        power: PowerState::On,
        owner: Some(USER.to_owned()),
        uuid: work.binding.uuid.clone(),
        macs: work.binding.macs.clone(),
        pool: Some("default".to_owned()),
        zone: Some("default".to_owned()),
        ..Machine::bare(name, name, MachineStatus::Deployed)
    }
}

fn platform(facts: &mut Facts<'_>, machine: &mut Machine, params: ApplyNodePlatform) {
    machine.hostname = params.hostname;
    machine.domain = params.domain.unwrap_or_else(|| DEFAULT_DOMAIN.to_owned());
    for tag in params.add_tags {
        facts.static_tag(&tag);
        machine.tags.push(tag);
    }
    if let Some(kernel) = params.kernel_params {
        facts.tag(&kernel.tag, String::new(), kernel.options);
        machine.tags.push(kernel.tag);
    }
    machine.tags.sort_unstable();
    machine.min_kernel = params.min_kernel;
    machine.pool = params.pool.or(machine.pool.take());
    machine.zone = params.zone.or(machine.zone.take());
    machine.owner_data.extend(params.set_owner_data);
}

/// Adds what the other version of a node asks for and the machine does not have.
pub(super) fn fit(facts: &mut Facts<'_>, machine: &mut Machine, site: &Site, node: &Node) {
    for (interface, _) in configured(site, node) {
        for member in &interface.slaves {
            let late = Late::Fact(FactRef { min_size: None, node: node.name.value.clone(), select: nic(site, node, &member.value) });
            nic_of(facts, machine, &late);
        }
    }
    for device in devices(site, node) {
        disk_of(facts, machine, &device);
    }
}

fn without_size(device: &Late<Device>) -> Late<Device> {
    match device {
        Late::Fact(fact) => Late::Fact(FactRef { min_size: None, ..fact.clone() }),
        Late::Value(value) => Late::Value(value.clone()),
    }
}

fn selector(device: &Late<Device>) -> Option<&DeviceSelector> {
    match device {
        Late::Fact(fact) => Some(&fact.select),
        Late::Value(_) => None,
    }
}

/// Name of a NIC, which is there from now on.
fn nic_of(facts: &mut Facts<'_>, machine: &mut Machine, device: &Late<Device>) -> String {
    if let Ok(found) = find_nic(machine, device) {
        return found.name.clone();
    }
    let (name, bus) = match selector(device) {
        Some(DeviceSelector::NicNamed(name)) => (name.clone(), None),
        Some(DeviceSelector::NicAtBus(bus)) => (format!("NIC at {bus}"), Some(bus.clone())),
        _ => return String::new(),
    };
    let mut made = interface(facts.id(), &name, InterfaceKind::Physical);
    made.bus = bus;
    machine.interfaces.push(made);
    name
}

fn interface(id: u64, name: &str, kind: InterfaceKind) -> MachineInterface {
    MachineInterface {
        id,
        name: name.to_owned(),
        kind,
        mac: None,
        bus: None,
        product: None,
        vlan: None,
        mtu: MTU,
        parents: Vec::new(),
        bond: None,
        links: Vec::new(),
        connected: None,
    }
}

fn network(facts: &mut Facts<'_>, machine: &mut Machine, params: &InterfaceParams) {
    let members: Vec<String> = params.members.iter().map(|m| nic_of(facts, machine, m)).collect();
    let untagged = facts.vlan(&params.fabric, 0);
    let (vlan, usual_mtu) = (untagged.id, untagged.mtu);
    let name = match (&params.bond, members.first()) {
        (Some(values), _) => {
            let mut bond = interface(facts.id(), &params.name, InterfaceKind::Bond);
            bond.parents.clone_from(&members);
            bond.parents.sort_unstable();
            bond.bond = Some(bond_parameters(values));
            machine.interfaces.push(bond);
            params.name.clone()
        }
        (None, Some(nic)) => nic.clone(),
        (None, None) => return,
    };
    let mut highest = params.mtu.unwrap_or(usual_mtu);
    for tagged in &params.vlans {
        let carried = facts.vlan(&params.fabric, tagged.vid);
        let (vlan, usual_mtu) = (carried.id, carried.mtu);
        let mut child = interface(facts.id(), &format!("{name}.{}", tagged.vid), InterfaceKind::Vlan);
        child.parents.push(name.clone());
        child.vlan = Some(vlan);
        child.mtu = tagged.mtu.unwrap_or(usual_mtu);
        child.links.push(link(facts, machine, &tagged.link));
        // A provisioner reports an MTU that is never below that of the interfaces on top.
        highest = highest.max(child.mtu);
        machine.interfaces.push(child);
    }
    // A bond takes its NICs along.
    for nic in machine.interfaces.iter_mut().filter(|i| members.contains(&i.name)) {
        (nic.vlan, nic.mtu) = (Some(vlan), highest);
    }
    let own = params.link.as_ref().map(|l| link(facts, machine, l));
    if let Some(interface) = machine.interfaces.iter_mut().find(|i| i.name == name) {
        (interface.vlan, interface.mtu) = (Some(vlan), highest);
        interface.links.extend(own);
    }
}

fn link(facts: &mut Facts<'_>, machine: &mut Machine, params: &LinkParams) -> SubnetLink {
    if params.default_gateway {
        machine.default_gateway = facts.gateway(params.subnet);
    }
    let (mode, address) = match params.mode {
        LinkKind::Static(address) => (LinkMode::Static, Some(address)),
        LinkKind::Dhcp => (LinkMode::Dhcp, None),
        LinkKind::LinkUp => (LinkMode::LinkUp, None),
    };
    SubnetLink { id: facts.id(), mode, subnet: Some(params.subnet), address }
}

fn bond_parameters(values: &BondValues) -> BondParameters {
    BondParameters {
        mode: values.mode.clone(),
        xmit_hash_policy: values.xmit_hash_policy.clone(),
        lacp_rate: values.lacp_rate.clone(),
        miimon: values.miimon,
        updelay: values.updelay,
        downdelay: values.downdelay,
    }
}

/// Place of a disk, which is there from now on.
fn disk_of(facts: &mut Facts<'_>, machine: &mut Machine, device: &Late<Device>) -> Option<usize> {
    if let Ok(found) = find_disk(machine, &without_size(device)) {
        return machine.disks.iter().position(|d| d.id == found.id);
    }
    let (name, bus, serial, model) = match selector(device)? {
        DeviceSelector::DiskNamed(name) => (name.clone(), None, None, None),
        DeviceSelector::DiskAtBus(bus) => (format!("disk at {bus}"), Some(bus.clone()), None, None),
        DeviceSelector::DiskWithSerial(serial) => (format!("disk with serial {serial}"), None, Some(serial.clone()), None),
        DeviceSelector::DiskOfModel(model) => (format!("disk of model {model}"), None, None, Some(model.clone())),
        DeviceSelector::NicAtBus(_) | DeviceSelector::NicNamed(_) => return None,
    };
    let size = DISK + STEP * machine.disks.len() as u64;
    machine.disks.push(Disk {
        id: facts.id(),
        name,
        kind: DiskKind::Physical,
        bus,
        size,
        available: size,
        model,
        serial,
        id_path: None,
        partition_table: None,
        partitions: Vec::new(),
        filesystem: None,
        volume_group: None,
    });
    Some(machine.disks.len() - 1)
}

/// Bytes of each of some sizes in a container, and what is left of it.
fn shares(sizes: &[SizeParam], total: u64) -> (Vec<u64>, u64) {
    let fixed = |size: &SizeParam| match size {
        SizeParam::Bytes(b) | SizeParam::AtLeast(b) => *b,
        SizeParam::Percent(p) => u64::try_from(u128::from(total) * u128::from(*p) / 10_000).unwrap_or(u64::MAX),
    };
    let mut out: Vec<u64> = sizes.iter().map(fixed).collect();
    let left = total.saturating_sub(out.iter().fold(0, |sum, b| sum.saturating_add(*b)));
    match sizes.iter().rposition(|s| matches!(s, SizeParam::AtLeast(_))) {
        Some(last) => {
            out[last] = out[last].saturating_add(left);
            (out, 0)
        }
        None => (out, left),
    }
}

/// Remembers how the base writes a size that depends on the machine.
fn note(facts: &mut Facts<'_>, machine: &Machine, size: SizeParam, bytes: u64) {
    let written = match size {
        SizeParam::Bytes(_) => return,
        SizeParam::AtLeast(b) => Size::AtLeast(b),
        SizeParam::Percent(p) => Size::Percent(p),
    };
    facts.sizes.entry(machine.id.clone()).or_default().insert(Size::Bytes(bytes).to_string(), written.to_string());
}

fn filesystem(params: &FilesystemParams) -> FilesystemFacts {
    FilesystemFacts {
        fstype: params.fstype.clone(),
        label: params.label.clone(),
        mount_point: params.mount_point.clone(),
        mount_options: Some(params.mount_options.clone()),
        uuid: params.uuid.clone(),
    }
}

fn store(facts: &mut Facts<'_>, machine: &mut Machine, params: &ApplyNodeStorage) {
    let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
    for disk in &params.disks {
        lay_out(facts, machine, disk, &mut groups);
    }
    for group in &params.volume_groups {
        let size = groups.get(group.name.as_str()).copied().unwrap_or_default();
        let group = volume_group(facts, machine, group, size);
        machine.volume_groups.push(group);
    }
}

fn lay_out<'p>(facts: &mut Facts<'_>, machine: &mut Machine, params: &'p DiskParams, groups: &mut BTreeMap<&'p str, u64>) {
    let Some(place) = disk_of(facts, machine, &params.device) else { return };
    let total = machine.disks[place].size;
    let sizes: Vec<SizeParam> = params.partitions.iter().map(|p| p.size).collect();
    let (bytes, left) = shares(&sizes, total);
    for (partition, size) in params.partitions.iter().zip(bytes) {
        note(facts, machine, partition.size, size);
        if let Some(group) = &partition.volume_group {
            *groups.entry(group).or_default() += size;
        }
        let made = DiskPartition {
            id: facts.id(),
            size,
            bootable: partition.bootable,
            filesystem: partition.filesystem.as_ref().map(filesystem),
            volume_group: partition.volume_group.clone(),
            uuid: partition.uuid.clone(),
        };
        machine.disks[place].partitions.push(made);
    }
    let disk = &mut machine.disks[place];
    disk.available = left;
    disk.volume_group.clone_from(&params.volume_group);
    if let Some(group) = &params.volume_group {
        *groups.entry(group).or_default() += total;
    }
    if params.boot {
        machine.boot_disk = Some(disk.name.clone());
    }
}

fn volume_group(facts: &mut Facts<'_>, machine: &Machine, params: &VolumeGroupParams, size: u64) -> VolumeGroupFacts {
    let sizes: Vec<SizeParam> = params.logical_volumes.iter().map(|v| v.size).collect();
    let (bytes, available) = shares(&sizes, size);
    let mut logical_volumes = Vec::new();
    for (volume, size) in params.logical_volumes.iter().zip(bytes) {
        note(facts, machine, volume.size, size);
        logical_volumes.push(LogicalVolumeFacts {
            id: facts.id(),
            name: volume.name.clone(),
            size,
            filesystem: volume.filesystem.as_ref().map(filesystem),
            uuid: volume.uuid.clone(),
        });
    }
    VolumeGroupFacts { id: facts.id(), name: params.name.clone(), size, available, logical_volumes, uuid: params.uuid.clone() }
}

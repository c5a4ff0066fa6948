//! A world from a design: one machine for each node, with the hardware that the design lets one expect, and a fresh MAAS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{Network, NetworkLink, Node, OobType, PhysicalDevice, RangeKind, Site, Size};

use super::names;
use super::options::SimOptions;
use super::region;
use super::world::{Bmc, Disk, Machine, Meta, Nic, Running, WORLD_FORMAT, Wire, World};

const GIB: u64 = 1 << 30;
/// No generated disk is smaller.
const SMALLEST_DISK: u64 = 480_000_000_000;

/// Generates the world of a site. The same site and options give the same world.
pub fn generate(site: &Site, options: &SimOptions) -> World {
    let mut world = World {
        format: WORLD_FORMAT,
        meta: Meta { options: options.clone(), next_id: BTreeMap::new(), requests: 0, fault_matches: BTreeMap::new() },
        wires: site.links.values().map(|l| (l.name.value.clone(), wire(site, l))).collect(),
        machines: site.nodes.values().map(|n| (n.name.value.clone(), machine(site, n, options))).collect(),
        nodes: BTreeMap::new(),
        site: super::db::MaasSite::default(),
    };
    region::furnish(&mut world, site);
    region::initial_states(&mut world);
    world
}

/// Adds machines and wires that a changed design has and an older world has not; nothing that exists is touched. Says whether there were any.
pub(crate) fn extend(world: &mut World, site: &Site) -> bool {
    let fresh = generate(site, &world.meta.options);
    let mut changed = false;
    for (name, wire) in fresh.wires {
        changed |= add_new(&mut world.wires, name, wire);
    }
    for (name, machine) in fresh.machines {
        changed |= add_new(&mut world.machines, name, machine);
    }
    for (series, kernels) in fresh.site.offered {
        changed |= add_new(&mut world.site.offered, series, kernels);
    }
    changed
}

fn add_new<V>(map: &mut BTreeMap<String, V>, key: String, value: V) -> bool {
    match map.entry(key) {
        std::collections::btree_map::Entry::Vacant(e) => {
            e.insert(value);
            true
        }
        std::collections::btree_map::Entry::Occupied(_) => false,
    }
}

/// The network that untagged frames of a link belong to.
pub(crate) fn native<'a>(site: &'a Site, link: &'a NetworkLink) -> Option<&'a Network> {
    let name = match &link.native_network {
        Some(n) => &n.value,
        None if !link.trunked.value => &link.allowed_networks.first()?.value,
        None => return None,
    };
    site.networks.get(name)
}

fn wire(site: &Site, link: &NetworkLink) -> Wire {
    let native = native(site, link);
    let tagged = link
        .allowed_networks
        .iter()
        .filter(|_| link.trunked.value)
        .filter_map(|n| site.networks.get(&n.value))
        .filter(|n| native.is_none_or(|u| u.name != n.name))
        .filter_map(|n| Some((n.vlan.as_ref()?.value, n.cidr.value.trunc().to_string())))
        .collect();
    Wire { untagged: native.map(|n| n.cidr.value.trunc().to_string()), tagged }
}

fn machine(site: &Site, node: &Node, options: &SimOptions) -> Machine {
    let seed = options.seed;
    let name = &node.name.value;
    let profile = node.hardware_profile.as_ref().and_then(|p| site.hardware_profiles.get(&p.value));
    let kind = node.oob.kind.as_ref().map(|k| k.value);
    let bmc = (kind != Some(OobType::Manual)).then(|| Bmc {
        address: node.oob.address.as_ref().map_or_else(|| format!("bmc-{name}"), |a| a.value.to_string()),
        user: node.oob.account.as_ref().map_or_else(|| "root".to_owned(), |a| a.value.clone()),
        password: node.oob.credential.as_ref().map_or_else(|| names::password(seed, name), |c| c.value.expose().to_owned()),
        boot_target: "None".into(),
        boot_enabled: "Disabled".into(),
        boot_mode: "UEFI".into(),
        indicator: "Off".into(),
        logins: BTreeMap::new(),
        accounts: BTreeMap::new(),
        owner_etag: 1,
        tasks: BTreeMap::new(),
        log: Vec::new(),
        etag: 1,
    });
    let text = |t: Option<&crate::model::Text>, default: &str| t.map_or_else(|| default.to_owned(), |t| t.value.clone());
    Machine {
        name: name.clone(),
        power_type: match kind {
            Some(OobType::Ipmi) => "ipmi".into(),
            Some(OobType::Manual) => "manual".into(),
            _ => "redfish".into(),
        },
        bmc,
        on: false,
        default_boot: if options.hardware.network_boot_first { "Pxe".into() } else { "Hdd".into() },
        uuid: names::uuid(seed, &format!("system {name}")),
        serial: format!("SN{}", names::serial(seed, name, 10)),
        vendor: text(profile.and_then(|p| p.vendor.as_ref()), "Drydock"),
        model: text(profile.and_then(|p| p.generation.as_ref()), "Simulated Server"),
        bios_version: text(profile.and_then(|p| p.bios_version.as_ref()), "1.0.0"),
        boot_mode: text(profile.and_then(|p| p.boot_mode.as_ref()), "uefi"),
        cpus: 16,
        memory_mib: 65_536,
        nics: nics(site, node, options),
        disks: disks(site, node, options),
        running: Running::Off,
        installed: None,
        timer: None,
        last_reset: None,
    }
}

/// `0000:1a:03.0` → bus 0x1a, device 3, function 0.
fn pci_parts(address: &str) -> Option<(u32, u32, u32)> {
    let (head, function) = address.trim().rsplit_once('.')?;
    let mut parts = head.rsplit(':');
    let device = u32::from_str_radix(parts.next()?, 16).ok()?;
    let bus = u32::from_str_radix(parts.next().unwrap_or("0"), 16).ok()?;
    Some((bus, device, u32::from_str_radix(function, 16).ok()?))
}

/// The name that udev gives a NIC by its bus address.
fn kernel_name(pci: &str) -> Option<String> {
    let (bus, device, function) = pci_parts(pci)?;
    Some(if function == 0 { format!("enp{bus}s{device}") } else { format!("enp{bus}s{device}f{function}") })
}

fn nics(site: &Site, node: &Node, options: &SimOptions) -> Vec<Nic> {
    let profile = node.hardware_profile.as_ref().and_then(|p| site.hardware_profiles.get(&p.value));
    let aliases: BTreeMap<&str, (&str, Option<&str>)> = profile
        .iter()
        .flat_map(|p| &p.device_aliases)
        .filter(|(_, a)| a.bus_type.value == "pci")
        .map(|(n, a)| (n.as_str(), (a.address.value.as_str(), a.dev_type.as_ref().map(|t| t.value.as_str()))))
        .collect();
    // A NIC in two interfaces can be cabled to one link only: the one it can boot from, else the first.
    let mut cabled: BTreeMap<&str, (bool, &str)> = BTreeMap::new();
    for i in node.interfaces.values() {
        let Some(link) = i.device_link.as_ref().and_then(|l| site.links.get(&l.value)) else { continue };
        let boots = native(site, link).is_some_and(Network::has_dhcp_range);
        for slave in &i.slaves {
            let entry = cabled.entry(&slave.value).or_insert((boots, &link.name.value));
            if boots && !entry.0 {
                *entry = (true, &link.name.value);
            }
        }
    }
    let named: BTreeSet<&str> =
        node.interfaces.values().flat_map(|i| i.slaves.iter().map(|s| s.value.as_str())).filter(|s| !aliases.contains_key(s)).collect();
    let mut used_addresses: BTreeSet<String> = aliases.values().map(|a| a.0.to_owned()).collect();
    let mut found: Vec<(String, Option<String>, &str, &str)> = aliases
        .iter()
        .map(|(alias, (address, product))| ((*address).to_owned(), None, *alias, product.unwrap_or("Simulated NIC")))
        .collect();
    let mut device = 16u32;
    for name in &named {
        while used_addresses.contains(&format!("0000:00:{device:02x}.0")) {
            device += 1;
        }
        let address = format!("0000:00:{device:02x}.0");
        used_addresses.insert(address.clone());
        found.push((address, Some((*name).to_owned()), name, "Simulated NIC"));
    }
    if found.is_empty() {
        found.push(("0000:00:03.0".into(), None, "", "Simulated NIC"));
    }
    found.sort_by_key(|f| (pci_parts(&f.0), f.0.clone()));
    let mut taken: BTreeSet<String> = named.iter().map(|n| (*n).to_owned()).collect();
    let rack = node.rack.as_ref().and_then(|r| site.racks.get(&r.value));
    let switches: Vec<String> = rack.iter().flat_map(|r| &r.tor_switches).map(|s| s.name.value.clone()).collect();
    let mut nics: Vec<Nic> = Vec::new();
    for (index, (pci, fixed, alias, product)) in found.into_iter().enumerate() {
        let guess = if options.hardware.renamed_nics { Some(format!("eno{}", index + 1)) } else { kernel_name(&pci) };
        let name = fixed.unwrap_or_else(|| {
            guess.into_iter().chain((0..=u32::MAX).map(|n| format!("eth{n}"))).find(|n| !taken.contains(n)).unwrap_or_default()
        });
        taken.insert(name.clone());
        nics.push(Nic {
            mac: names::mac(options.seed, &format!("{} {pci}", node.name.value)),
            name,
            pci,
            product: product.to_owned(),
            vendor: "Simulated Corporation".into(),
            speed: 10_000,
            // The ports of a bond go to different switches, as they are cabled where there are two.
            switch: cabled.get(alias).and(switches.get(nics.len() % switches.len().max(1))).cloned(),
            wire: cabled.get(alias).map(|c| c.1.to_owned()),
        });
    }
    // The design may say which NIC boots from the network; it is the first that is cabled to a network with DHCP.
    if let Some(mac) = &node.boot_mac {
        let boots =
            |n: &Nic| n.wire.as_ref().and_then(|w| site.links.get(w)).and_then(|l| native(site, l)).is_some_and(Network::has_dhcp_range);
        let index = nics.iter().position(boots).unwrap_or(0);
        if let Some(n) = nics.get_mut(index) {
            n.mac = mac.value.to_ascii_lowercase();
        }
    }
    nics
}

/// Bytes that the absolute sizes in a layout ask of a disk.
fn wanted(node: &Node, device: &PhysicalDevice) -> u64 {
    let bytes = |s: &Size| match s {
        Size::Bytes(b) | Size::AtLeast(b) => *b,
        Size::Percent(_) => 0,
    };
    let partitions: u64 = device.partitions.iter().map(|p| bytes(&p.size.value)).sum();
    let groups = device.partitions.iter().filter_map(|p| p.volume_group.as_ref()).chain(device.volume_group.as_ref());
    let volumes: u64 = groups
        .filter_map(|g| node.storage.volume_groups.get(&g.value))
        .flat_map(|g| &g.logical_volumes)
        .map(|v| bytes(&v.size.value))
        .sum();
    partitions + volumes
}

fn disks(site: &Site, node: &Node, options: &SimOptions) -> Vec<Disk> {
    let profile = node.hardware_profile.as_ref().and_then(|p| site.hardware_profiles.get(&p.value));
    let mut aliases: BTreeMap<&str, (&str, Option<&str>)> = profile
        .iter()
        .flat_map(|p| &p.device_aliases)
        .filter(|(_, a)| a.bus_type.value == "scsi")
        .map(|(n, a)| (n.as_str(), (a.address.value.as_str(), a.dev_type.as_ref().map(|t| t.value.as_str()))))
        .collect();
    // Aliases that name a disk by what is printed on it.
    let printed = |kind: &'static str| {
        let of_kind = move |a: &&crate::model::DeviceAlias| a.bus_type.value == kind;
        profile.iter().flat_map(|p| p.device_aliases.values()).filter(of_kind).map(|a| (a.name.value.as_str(), a.address.value.as_str()))
    };
    let serials: BTreeMap<&str, &str> = printed("serial").collect();
    let models: BTreeMap<&str, &str> = printed("model").collect();
    let mut serial_at: BTreeMap<String, &str> = BTreeMap::new();
    // Bus address, name that the design fixes, layout, model.
    type Found<'a> = (String, Option<String>, Option<&'a PhysicalDevice>, Option<&'a str>);
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut named = Vec::new();
    for (name, device) in &node.storage.physical_devices {
        match aliases.remove(name.as_str()) {
            Some((address, model)) => found.push((address.to_owned(), None, Some(device), model)),
            None if serials.contains_key(name.as_str()) || models.contains_key(name.as_str()) => {
                let address = format!("7:0.0.{}", found.len());
                serial_at.extend(serials.get(name.as_str()).map(|serial| (address.clone(), *serial)));
                found.push((address, None, Some(device), models.get(name.as_str()).copied()));
            }
            None => named.push((name.as_str(), device)),
        }
    }
    // `sda` and an alias that the layout does not use are the same disk: the alias only says where it sits.
    let mut spare = aliases.into_values().collect::<Vec<_>>().into_iter();
    let mut host = 8u32;
    for (name, device) in named {
        let (address, model) = spare.next().map_or_else(|| (String::new(), None), |(a, m)| (a.to_owned(), m));
        let address = if address.is_empty() {
            host += 1;
            format!("{host}:0.0.0")
        } else {
            address
        };
        found.push((address, Some(name.to_owned()), Some(device), model));
    }
    for (address, model) in spare {
        found.push((address.to_owned(), None, None, model));
    }
    for _ in 0..options.hardware.extra_disks.max(u32::from(found.is_empty())) {
        host += 1;
        found.push((format!("{host}:0.0.0"), None, None, None));
    }
    found.sort_by_key(|f| scsi_key(&f.0));
    let mut taken: BTreeSet<String> = found.iter().filter_map(|f| f.1.clone()).collect();
    let mut disks = Vec::new();
    for (scsi, fixed, device, model) in found {
        let name = fixed.unwrap_or_else(|| (0..=u32::MAX).map(disk_name).find(|n| !taken.contains(n)).unwrap_or_default());
        taken.insert(name.clone());
        let needed = device.map_or(0, |d| wanted(node, d)) + GIB;
        let mut size = [SMALLEST_DISK, 960_000_000_000, 1_920_000_000_000, 3_840_000_000_000, 7_680_000_000_000]
            .into_iter()
            .find(|s| *s >= needed)
            .unwrap_or(needed.next_multiple_of(SMALLEST_DISK));
        if options.hardware.odd_disk_sizes {
            size -= 12_345_344;
        }
        let printed = serial_at.get(&scsi).map(|serial| (*serial).to_owned());
        let serial = printed.unwrap_or_else(|| names::serial(options.seed, &format!("disk {} {scsi}", node.name.value), 12));
        disks.push(Disk {
            id_path: format!("/dev/disk/by-id/wwn-0x5{}", names::serial(options.seed, &format!("wwn {serial}"), 15).to_lowercase()),
            model: model.unwrap_or("Simulated Disk").to_owned(),
            name,
            scsi,
            size,
            serial,
            rotary: false,
        });
    }
    disks
}

fn scsi_key(address: &str) -> (Vec<u64>, String) {
    let numbers = address.split([':', '.']).filter_map(|p| p.parse().ok()).collect();
    (numbers, address.to_owned())
}

fn disk_name(index: u32) -> String {
    let letter = |i: u32| char::from(b'a' + (i % 26) as u8);
    if index < 26 { format!("sd{}", letter(index)) } else { format!("sd{}{}", letter(index / 26 - 1), letter(index)) }
}

/// An address of a network for the rack controller: the highest that the design gives to nobody.
pub(crate) fn rack_address(site: &Site, network: &Network) -> Option<IpAddr> {
    use super::lifecycle::{address, number};
    let net: IpNet = network.cidr.value;
    let taken: BTreeSet<IpAddr> =
        site.nodes.values().flat_map(|n| &n.addressing).filter_map(|a| a.address.as_ref().map(|l| l.value)).collect();
    let gateways: BTreeSet<IpAddr> = network.routes.iter().map(|r| r.gateway.value).collect();
    let in_range = |a: u128| {
        network
            .ranges
            .iter()
            .any(|r| matches!(r.kind.value, RangeKind::Dhcp | RangeKind::Static) && number(r.start.value) <= a && a <= number(r.end.value))
    };
    let (first, last) = (number(net.network()) + 1, number(net.broadcast()));
    let candidates = || (first..last).rev().take(1 << 16).map(|n| (n, address(n, net.addr().is_ipv6())));
    let free = |a: &IpAddr| !taken.contains(a) && !gateways.contains(a);
    candidates()
        .find(|(n, a)| free(a) && !in_range(*n))
        .or_else(|| {
            candidates().find(|(n, a)| {
                free(a)
                    && !network
                        .ranges
                        .iter()
                        .any(|r| r.kind.value == RangeKind::Dhcp && number(r.start.value) <= *n && *n <= number(r.end.value))
            })
        })
        .or_else(|| candidates().find(|(_, a)| free(a)))
        .map(|(_, a)| a)
}

//! The MAAS region at first: controller, what it discovered by itself, images, and machines it knows already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use crate::model::{Network, RangeKind, Site};

use super::core::Core;
use super::db::{BootSource, Domain, Group, Interface, IpRange, Link, Repository, Selection, Status, Subnet, Token};
use super::generate::{native, rack_address};
use super::inventory;
use super::lifecycle;
use super::names;
use super::options::InitialState;
use super::world::{Installed, Machine, Running, World};

/// Series of Ubuntu by release.
pub(crate) const RELEASES: [(&str, &str); 7] = [
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("noble", "24.04"),
    ("resolute", "26.04"),
];

/// The image that is always there.
const DEFAULT_SERIES: &str = "noble";

/// Writes MAAS' database as it is after installation: what a rack controller sees on its own interfaces, and defaults.
pub(crate) fn furnish(world: &mut World, site: &Site) {
    let seed = world.meta.options.seed;
    for (kind, first) in [("fabric", 0), ("vlan", 5001), ("domain", 1), ("repository", 3), ("event", 1), ("zone", 2), ("pool", 1)] {
        world.meta.next_id.insert(kind.to_owned(), first);
    }
    let db = &mut world.site;
    db.controller = names::system_id(seed, &format!("controller of {}", site.name.value), 0);
    db.tokens = [("admin", "admin", true), ("other", "other-team", false)]
        .into_iter()
        .map(|(key, user, admin)| Token {
            consumer: names::serial(seed, &format!("consumer {key}"), 18),
            token: names::serial(seed, &format!("token {key}"), 18),
            secret: names::serial(seed, &format!("secret {key}"), 32),
            user: user.to_owned(),
            admin,
        })
        .collect();
    db.zones.insert(1, Group { id: 1, name: "default".into(), description: String::new() });
    db.pools.insert(0, Group { id: 0, name: "default".into(), description: "Default pool".into() });
    db.domains.insert(0, Domain { id: 0, name: "maas".into(), authoritative: true, ttl: None });
    for (id, name, url, arches) in [
        (1, "main_archive", "http://archive.ubuntu.com/ubuntu", vec!["amd64", "i386"]),
        (2, "ports_archive", "http://ports.ubuntu.com/ubuntu-ports", vec!["armhf", "arm64", "ppc64el", "s390x"]),
    ] {
        db.repositories.insert(
            id,
            Repository {
                id,
                name: name.into(),
                url: url.into(),
                distributions: Vec::new(),
                disabled_pockets: Vec::new(),
                disabled_components: Vec::new(),
                disable_sources: true,
                components: Vec::new(),
                arches: arches.into_iter().map(str::to_owned).collect(),
                key: String::new(),
                enabled: true,
            },
        );
    }
    db.config = [
        ("maas_name", json!("simulated")),
        ("default_osystem", json!("ubuntu")),
        ("default_distro_series", json!(DEFAULT_SERIES)),
        ("commissioning_distro_series", json!(DEFAULT_SERIES)),
        ("default_min_hwe_kernel", json!("")),
        ("default_storage_layout", json!("flat")),
        ("kernel_opts", json!("")),
        ("ntp_servers", json!("ntp.ubuntu.com")),
        ("upstream_dns", json!("")),
        ("enable_http_proxy", json!(true)),
        ("http_proxy", json!("")),
        ("boot_images_auto_import", json!(true)),
        ("auto_vlan_creation", json!(true)),
        ("enlist_commissioning", json!(true)),
        ("completed_intro", json!(true)),
        ("node_timeout", json!(30)),
        ("remote_syslog", json!("")),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v))
    .collect();
    images(world, site);
    rack_networks(world, site);
    for net in world.meta.options.hardware.foreign_subnets.clone() {
        let (_, vlan) = new_fabric(world);
        new_subnet(world, &net.trunc(), vlan, None);
    }
}

fn images(world: &mut World, site: &Site) {
    let version = |series: &str| RELEASES.iter().find(|r| r.0 == series).map(|r| r.1);
    let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for series in ["focal", "jammy", "noble"] {
        offered.entry(series.to_owned()).or_default();
    }
    for node in site.nodes.values() {
        let series = node.platform.image.as_ref().map(|i| i.value.rsplit('/').next().unwrap_or_default().to_owned());
        if let Some(series) = series.filter(|s| !s.is_empty()) {
            let kernels = offered.entry(series.clone()).or_default();
            if let Some(k) = node.platform.kernel.as_ref().filter(|k| !k.value.is_empty()) {
                kernels.insert(k.value.clone());
            }
        }
    }
    for (series, kernels) in &mut offered {
        if let Some(v) = version(series) {
            kernels.extend([format!("ga-{v}"), format!("hwe-{v}")]);
        } else if kernels.is_empty() {
            kernels.insert("generic".to_owned());
        }
    }
    world.site.offered = offered.into_iter().map(|(s, k)| (s, k.into_iter().collect())).collect();
    world.site.boot_sources.insert(
        1,
        BootSource {
            id: 1,
            url: "http://images.maas.io/ephemeral-v3/stable/".into(),
            keyring_filename: "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg".into(),
            keyring_data: String::new(),
            created: "2026-01-01T00:00:00.000".into(),
            updated: "2026-01-01T00:00:00.000".into(),
        },
    );
    let mut selected = vec![DEFAULT_SERIES.to_owned()];
    if world.meta.options.images_present {
        selected.extend(world.site.offered.keys().filter(|s| *s != DEFAULT_SERIES).cloned());
    }
    for series in selected {
        let id = world.take_id("selection");
        world.site.selections.insert(id, selection(id, 1, "ubuntu", &series));
        let kernels = world.site.offered.get(&series).cloned().unwrap_or_default();
        for kernel in kernels {
            let id = world.take_id("boot_resource");
            let name = format!("ubuntu/{series}");
            let title = super::render::title(&name);
            world
                .site
                .boot_resources
                .insert(id, super::db::BootResource { id, kind: "Synced".into(), name, architecture: format!("amd64/{kernel}"), title });
        }
    }
}

/// A selection of one release for amd64.
pub(crate) fn selection(id: i64, boot_source: i64, os: &str, release: &str) -> Selection {
    Selection {
        id,
        boot_source,
        os: os.to_owned(),
        release: release.to_owned(),
        arches: vec!["amd64".into()],
        subarches: vec!["*".into()],
        labels: vec!["*".into()],
    }
}

fn new_fabric(world: &mut World) -> (i64, i64) {
    let id = world.take_id("fabric");
    let vlan = world.take_id("vlan");
    world.site.fabrics.insert(
        id,
        super::db::Fabric { id, name: format!("fabric-{id}"), class_type: None, description: String::new(), default_vlan: vlan },
    );
    world.site.vlans.insert(vlan, inventory::new_vlan(vlan, id, 0, "untagged"));
    (id, vlan)
}

fn new_subnet(world: &mut World, net: &IpNet, vlan: i64, gateway: Option<String>) -> i64 {
    let id = world.take_id("subnet");
    world.site.subnets.insert(id, subnet(id, &net.to_string(), vlan, gateway));
    id
}

/// A subnet with MAAS' defaults, named after its address block.
pub(crate) fn subnet(id: i64, cidr: &str, vlan: i64, gateway_ip: Option<String>) -> Subnet {
    Subnet {
        id,
        name: cidr.to_owned(),
        description: String::new(),
        vlan,
        cidr: cidr.to_owned(),
        rdns_mode: 2,
        gateway_ip,
        dns_servers: Vec::new(),
        allow_dns: true,
        allow_proxy: true,
        active_discovery: false,
        managed: true,
        disabled_boot_architectures: Vec::new(),
    }
}

/// The rack controller has a NIC in each network that it serves DHCP to, and one with each address that DHCP is relayed to. MAAS found their
/// subnets by itself and gave them its own names.
fn rack_networks(world: &mut World, site: &Site) {
    let mut fabrics: BTreeMap<String, i64> = BTreeMap::new();
    let mut addresses: Vec<(IpNet, i64, IpAddr, bool)> = Vec::new();
    for link in site.links.values() {
        let Some(network) = native(site, link) else { continue };
        if !network.has_dhcp_range() || network.dhcp_relay.as_ref().is_some_and(|r| r.upstream_target.is_some()) {
            continue;
        }
        if addresses.iter().any(|a| a.0 == network.cidr.value.trunc()) {
            continue;
        }
        let Some(address) = rack_address(site, network) else { continue };
        let (fabric, vlan) = new_fabric(world);
        fabrics.insert(link.name.value.clone(), fabric);
        addresses.push((network.cidr.value.trunc(), vlan, address, false));
    }
    let targets: BTreeSet<IpAddr> =
        site.networks.values().filter_map(|n| n.dhcp_relay.as_ref()?.upstream_target.as_ref().map(|t| t.value)).collect();
    for target in targets {
        if let Some(a) = addresses.iter_mut().find(|a| a.0.contains(&target)) {
            a.2 = target;
            a.3 = true;
            continue;
        }
        let network = site.networks.values().find(|n| n.cidr.value.contains(&target));
        let net = network.map_or_else(|| around(target), |n| n.cidr.value.trunc());
        let vlan = relay_vlan(world, site, network, &mut fabrics);
        addresses.push((net, vlan, target, true));
    }
    if addresses.is_empty() {
        // A MAAS without any DHCP network of the design still has a NIC.
        let net = "10.255.255.0/24".parse::<IpNet>();
        if let Ok(net) = net {
            let (_, vlan) = new_fabric(world);
            addresses.push((net, vlan, IpAddr::from([10, 255, 255, 2]), false));
        }
    }
    for (index, (net, vlan, address, relay_target)) in addresses.into_iter().enumerate() {
        let subnet = new_subnet(world, &net, vlan, None);
        let (interface, link) = (world.take_id("interface"), world.take_id("link"));
        // Relayed requests are answered by a server that the site's owner has set up before; and a MAAS that knows machines has met them by DHCP.
        let known = world.meta.options.machines.values().any(|s| !matches!(s, InitialState::OffUnknown | InitialState::OnUnknown));
        if (relay_target || known)
            && let Some(v) = world.site.vlans.get_mut(&vlan)
        {
            v.dhcp_on = true;
            v.primary_rack = Some(world.site.controller.clone());
        }
        let ranges = site.networks.values().filter(|n| known && n.cidr.value.trunc() == net).flat_map(|n| &n.ranges);
        for r in ranges.filter(|r| r.kind.value == RangeKind::Dhcp) {
            let id = world.take_id("iprange");
            let (start, end) = (r.start.value.to_string(), r.end.value.to_string());
            let range = IpRange { id, subnet, kind: "dynamic".into(), start, end, user: Some("admin".into()), comment: String::new() };
            world.site.ipranges.insert(id, range);
        }
        let seed = world.meta.options.seed;
        world.site.rack_interfaces.push(Interface {
            id: interface,
            name: format!("maas{index}"),
            kind: "physical".into(),
            mac: names::mac(seed, &format!("rack {index}")),
            vlan: Some(vlan),
            parents: Vec::new(),
            params: BTreeMap::new(),
            links: vec![Link { id: link, mode: "static".into(), subnet: Some(subnet), ip: Some(address.to_string()) }],
            tags: Vec::new(),
            product: None,
            vendor: None,
            firmware: None,
            speed: 0,
            discovered: None,
        });
    }
}

fn around(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, length).map_or_else(|_| IpNet::from(address), |n| n.trunc())
}

/// The VLAN of a network that relayed DHCP goes to: in the fabric of its link, tagged where it is tagged.
fn relay_vlan(world: &mut World, site: &Site, network: Option<&Network>, fabrics: &mut BTreeMap<String, i64>) -> i64 {
    let link = network.and_then(|n| n.link.as_ref()).and_then(|l| site.links.get(l));
    let Some((network, link)) = network.zip(link) else { return new_fabric(world).1 };
    let fabric = fabrics.get(&link.name.value).copied().unwrap_or_else(|| new_fabric(world).0);
    fabrics.insert(link.name.value.clone(), fabric);
    let untagged = native(site, link).is_some_and(|n| n.name == network.name);
    let vid = if untagged { 0 } else { network.vlan.as_ref().map_or(0, |v| i64::from(v.value)) };
    if let Some(v) = world.site.vlans.values().find(|v| v.fabric == fabric && v.vid == vid) {
        return v.id;
    }
    let id = world.take_id("vlan");
    world.site.vlans.insert(id, inventory::new_vlan(id, fabric, vid, &vid.to_string()));
    id
}

/// Puts machines in the states that the options name.
pub(crate) fn initial_states(world: &mut World) {
    let options = world.meta.options.clone();
    let states: Vec<(String, InitialState)> = options
        .machines
        .iter()
        .filter(|(n, s)| world.machines.contains_key(*n) && **s != InitialState::OffUnknown)
        .map(|(n, s)| (n.clone(), *s))
        .chain((0..options.hardware.foreign_machines).map(|i| (format!("foreign-{i:02}"), InitialState::Foreign)))
        .collect();
    for (name, state) in states {
        if !world.machines.contains_key(&name) {
            let machine = foreign_machine(world, &name);
            world.machines.insert(name.clone(), machine);
        }
        put_in_state(world, &name, state);
    }
}

fn foreign_machine(world: &World, name: &str) -> Machine {
    let seed = world.meta.options.seed;
    Machine {
        name: name.to_owned(),
        bmc: None,
        power_type: "manual".into(),
        on: true,
        default_boot: "Hdd".into(),
        uuid: names::uuid(seed, &format!("system {name}")),
        serial: format!("SN{}", names::serial(seed, name, 10)),
        vendor: "Somebody".into(),
        model: "Else".into(),
        bios_version: "1.0.0".into(),
        boot_mode: "uefi".into(),
        cpus: 8,
        memory_mib: 32_768,
        nics: vec![super::world::Nic {
            name: "eth0".into(),
            mac: names::mac(seed, &format!("{name} nic")),
            pci: "0000:00:03.0".into(),
            product: "Simulated NIC".into(),
            vendor: "Simulated Corporation".into(),
            speed: 10_000,
            wire: None,
            switch: None,
        }],
        disks: vec![super::world::Disk {
            name: "sda".into(),
            scsi: "2:0.0.0".into(),
            size: 480_000_000_000,
            model: "Simulated Disk".into(),
            serial: names::serial(seed, &format!("disk {name}"), 12),
            id_path: format!("/dev/disk/by-id/wwn-0x5{}", names::serial(seed, &format!("wwn {name}"), 15).to_lowercase()),
            rotary: false,
        }],
        running: Running::OperatingSystem,
        installed: None,
        timer: None,
        last_reset: None,
    }
}

fn put_in_state(world: &mut World, name: &str, state: InitialState) {
    if state == InitialState::OnUnknown {
        if let Some(m) = world.machines.get_mut(name) {
            m.on = true;
            // Long before anybody looked.
            m.last_reset = Some(1_700_000_000_000);
            m.running = Running::OperatingSystem;
            m.installed = Some(foreign_system("unknown", name));
        }
        return;
    }
    // The same code that serves requests brings the machine there, on a world of its own without a file.
    let mut taken = std::mem::replace(world, empty());
    let faults = std::mem::take(&mut taken.meta.options.faults);
    let Ok(mut core) = Core::new(taken, None) else { return };
    lifecycle::enlist(&mut core, name);
    let id = core.node_of(name).map(str::to_owned);
    if let Some(id) = id
        && state != InitialState::New
    {
        if let Some(n) = core.node_mut(&id) {
            name.clone_into(&mut n.hostname);
            n.commissioning = (None, 0);
        }
        lifecycle::ready(&mut core, &id);
        if state != InitialState::Ready {
            let owner = if state == InitialState::Foreign { "other-team" } else { "admin" };
            core.set_status(&id, Status::Deployed, "Deployed");
            if let Some(n) = core.node_mut(&id) {
                n.owner = Some(owner.to_owned());
                n.osystem = "ubuntu".into();
                n.distro_series = DEFAULT_SERIES.into();
                n.hwe_kernel = Some("ga-24.04".into());
                n.netboot = false;
            }
            if let Some(m) = core.machine_mut(name) {
                m.on = true;
                m.running = Running::OperatingSystem;
                m.installed = Some(foreign_system(owner, name));
            }
        }
    }
    *world = core.world;
    world.meta.options.faults = faults;
}

fn foreign_system(by: &str, name: &str) -> Installed {
    Installed {
        by: by.to_owned(),
        marker: format!("{name}-before"),
        osystem: "ubuntu".into(),
        series: DEFAULT_SERIES.into(),
        kernel: "ga-24.04".into(),
        fqdn: format!("{name}.maas"),
        kernel_opts: String::new(),
    }
}

fn empty() -> World {
    World {
        format: super::world::WORLD_FORMAT,
        meta: super::world::Meta {
            options: super::options::SimOptions::default(),
            next_id: BTreeMap::new(),
            requests: 0,
            fault_matches: BTreeMap::new(),
        },
        wires: BTreeMap::new(),
        machines: BTreeMap::new(),
        nodes: BTreeMap::new(),
        site: super::db::MaasSite::default(),
    }
}

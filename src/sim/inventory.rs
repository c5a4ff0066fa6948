//! What a machine's temporary system reports to MAAS, and the layouts MAAS gives it at first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::core::Core;
use super::db::{BlockDevice, Fabric, Filesystem, Interface, Link, Node, Partition, Status, Vlan};
use super::lifecycle::{dhcp_subnet, free_address};
use super::names;
use super::sizes;
use super::world::Machine;

/// A record of a machine that MAAS has just met.
pub(crate) fn new_node(machine: &Machine, system_id: &str, hostname: &str) -> Node {
    let mut power_parameters = BTreeMap::new();
    if let Some(bmc) = &machine.bmc {
        let p = &mut power_parameters;
        if machine.power_type == "ipmi" {
            for (k, v) in [("power_driver", "LAN_2_0"), ("power_off_mode", "hard"), ("cipher_suite_id", "3"), ("power_boot_type", "auto")] {
                p.insert(k.to_owned(), json!(v));
            }
            for (k, v) in [("privilege_level", "OPERATOR"), ("k_g", ""), ("mac_address", "")] {
                p.insert(k.to_owned(), json!(v));
            }
            p.insert("workaround_flags".into(), json!(["opensesspriv"]));
        } else {
            p.insert("node_id".into(), json!(machine.uuid));
        }
        p.insert("power_address".into(), json!(bmc.address));
        p.insert("power_user".into(), json!(bmc.user));
        p.insert("power_pass".into(), json!(bmc.password));
    }
    Node {
        system_id: system_id.to_owned(),
        machine: Some(machine.name.clone()),
        hostname: hostname.to_owned(),
        domain: 0,
        architecture: "amd64/generic".into(),
        status: Status::New,
        previous_status: None,
        power_type: machine.power_type.clone(),
        power_parameters,
        owner: None,
        owner_data: BTreeMap::new(),
        tags: Vec::new(),
        osystem: String::new(),
        distro_series: String::new(),
        hwe_kernel: None,
        min_hwe_kernel: Some(String::new()),
        netboot: true,
        locked: false,
        description: String::new(),
        error_description: String::new(),
        status_message: None,
        status_action: None,
        inventoried: false,
        commissioning: (None, -1),
        testing: (None, -1),
        installation: None,
        cpu_count: 0,
        memory: 0,
        swap_size: None,
        hardware_info: BTreeMap::new(),
        hardware_uuid: None,
        bios_boot_method: None,
        zone: 1,
        pool: 0,
        interfaces: BTreeMap::new(),
        boot_interface: None,
        gateway_links: (None, None),
        block_devices: BTreeMap::new(),
        boot_disk: None,
        volume_groups: BTreeMap::new(),
        skip_networking: false,
        skip_storage: false,
        user_data: None,
        user_data_text: None,
        timeout_at: None,
        release_due: None,
        events: Vec::new(),
    }
}

/// Takes over what a temporary system found: NICs by MAC, disks by serial number, processors and memory.
pub(crate) fn report(core: &mut Core, id: &str, machine: &Machine) {
    report_nics(core, id, machine);
    report_disks(core, id, machine);
    if let Some(n) = core.node_mut(id) {
        n.inventoried = true;
        n.cpu_count = machine.cpus;
        n.memory = machine.memory_mib;
        n.hardware_uuid = Some(machine.uuid.clone());
        n.bios_boot_method = Some(if machine.boot_mode == "uefi" { "uefi".into() } else { "pxe".into() });
        n.hardware_info = hardware_info(machine);
    }
}

fn hardware_info(m: &Machine) -> BTreeMap<String, String> {
    [
        ("system_vendor", m.vendor.as_str()),
        ("system_product", &m.model),
        ("system_family", "Server"),
        ("system_version", "1.0"),
        ("system_sku", "Unknown"),
        ("system_serial", &m.serial),
        ("cpu_model", "Simulated CPU @ 2.40GHz"),
        ("mainboard_vendor", &m.vendor),
        ("mainboard_product", &m.model),
        ("mainboard_serial", &m.serial),
        ("mainboard_version", "1.0"),
        ("mainboard_firmware_vendor", &m.vendor),
        ("mainboard_firmware_date", "01/01/2026"),
        ("mainboard_firmware_version", &m.bios_version),
        ("chassis_vendor", &m.vendor),
        ("chassis_type", "Rack Mount Chassis"),
        ("chassis_serial", &m.serial),
        ("chassis_version", "1.0"),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .collect()
}

/// Adds a fabric with its untagged VLAN; without a name it is called `fabric-<id>`. Returns the VLAN.
pub(crate) fn add_fabric(core: &mut Core, name: Option<&str>, class_type: Option<String>, description: &str) -> (i64, i64) {
    let id = core.take_id("fabric");
    let vlan = core.take_id("vlan");
    let fabric = Fabric {
        id,
        name: name.map_or_else(|| format!("fabric-{id}"), str::to_owned),
        class_type,
        description: description.to_owned(),
        default_vlan: vlan,
    };
    core.add_fabric(fabric, new_vlan(vlan, id, 0, "untagged"));
    (id, vlan)
}

/// A VLAN with MAAS' defaults.
pub(crate) fn new_vlan(id: i64, fabric: i64, vid: i64, name: &str) -> Vlan {
    Vlan {
        id,
        fabric,
        vid,
        name: name.to_owned(),
        description: String::new(),
        mtu: 1500,
        dhcp_on: false,
        relay_vlan: None,
        primary_rack: None,
        secondary_rack: None,
        space: None,
        external_dhcp: None,
    }
}

fn report_nics(core: &mut Core, id: &str, machine: &Machine) {
    for nic in &machine.nics {
        let known = core.world.nodes.get(id).and_then(|n| n.interfaces.values().find(|i| i.mac == nic.mac && i.kind == "physical"));
        let (known_id, known_vlan, known_address) = known.map_or((None, None, None), |i| (Some(i.id), i.vlan, i.discovered.clone()));
        let served = dhcp_subnet(&core.world, nic.wire.as_deref());
        let discovered = served
            .and_then(|s| known_address.filter(|(subnet, _)| *subnet == s).or_else(|| free_address(&core.world, s, true).map(|a| (s, a))));
        let vlan = match (served, known_vlan) {
            (Some(s), _) => core.world.site.subnets.get(&s).map(|s| s.vlan),
            (None, Some(v)) => Some(v),
            // MAAS' `auto_vlan_creation`: a NIC with a link whose network it cannot tell gets a fabric of its own.
            (None, None) if nic.wire.is_some() => Some(add_fabric(core, None, None, "").1),
            (None, None) => None,
        };
        let interface_id = known_id.unwrap_or_else(|| core.take_id("interface"));
        let booted = core.world.nodes.get(id).is_some_and(|n| n.boot_interface.is_none()) && served.is_some();
        let Some(n) = core.node_mut(id) else { return };
        let blank = || Interface { id: interface_id, ..Interface::blank("physical", String::new(), nic.mac.clone()) };
        let i = n.interfaces.entry(interface_id).or_insert_with(blank);
        i.name.clone_from(&nic.name);
        i.vlan = vlan;
        i.product = Some(nic.product.clone());
        i.vendor = Some(nic.vendor.clone());
        i.firmware = Some("1.63, 0x800009fa".into());
        i.speed = if nic.wire.is_some() { nic.speed } else { 0 };
        i.discovered = discovered;
        if booted {
            n.boot_interface = Some(interface_id);
        }
    }
    core.reindex_macs(id);
    if let Some(n) = core.node_mut(id)
        && n.boot_interface.is_none()
    {
        n.boot_interface = n.interfaces.keys().next().copied();
    }
}

fn report_disks(core: &mut Core, id: &str, machine: &Machine) {
    for disk in &machine.disks {
        let known = core
            .world
            .nodes
            .get(id)
            .and_then(|n| n.block_devices.values().find(|d| d.serial.as_deref() == Some(&disk.serial)))
            .map(|d| d.id);
        let device_id = known.unwrap_or_else(|| core.take_id("block_device"));
        let Some(n) = core.node_mut(id) else { return };
        let d = n.block_devices.entry(device_id).or_insert_with(|| BlockDevice {
            id: device_id,
            name: String::new(),
            volume_group: None,
            size: 0,
            block_size: 512,
            model: None,
            serial: Some(disk.serial.clone()),
            id_path: None,
            uuid: None,
            tags: BTreeSet::new(),
            partition_table: None,
            partitions: Vec::new(),
            filesystem: None,
        });
        d.name.clone_from(&disk.name);
        d.size = disk.size;
        d.model = Some(disk.model.clone());
        d.id_path = Some(disk.id_path.clone());
        d.tags = [if disk.rotary { "rotary" } else { "ssd" }, "sata"].map(str::to_owned).into();
    }
}

/// Networking after commissioning: only NICs, the boot interface with an automatic address, the others just up.
pub(crate) fn initial_networking(core: &mut Core, id: &str) {
    let Some(n) = core.world.nodes.get(id) else { return };
    let nics: Vec<i64> = n.interfaces.values().filter(|i| i.kind == "physical").map(|i| i.id).collect();
    let links: Vec<i64> = nics.iter().map(|_| core.take_id("link")).collect();
    let Some(n) = core.node_mut(id) else { return };
    let boot = n.boot_interface;
    n.interfaces.retain(|_, i| i.kind == "physical");
    n.gateway_links = (None, None);
    for (nic, link) in nics.into_iter().zip(links) {
        if let Some(i) = n.interfaces.get_mut(&nic) {
            i.params.clear();
            i.links.clear();
            let discovered = i.discovered.as_ref().map(|d| d.0).filter(|_| Some(nic) == boot);
            if let Some(subnet) = discovered {
                i.links.push(Link { id: link, mode: "auto".into(), subnet: Some(subnet), ip: None });
            } else if i.vlan.is_some() {
                i.links.push(Link { id: link, mode: "link_up".into(), subnet: None, ip: None });
            }
        }
    }
}

/// Storage after commissioning: the layout `flat` on the boot disk.
pub(crate) fn initial_storage(core: &mut Core, id: &str) {
    clear_storage(core, id);
    flat_layout(core, id);
}

/// Removes every filesystem, partition and volume group of a machine.
pub(crate) fn clear_storage(core: &mut Core, id: &str) {
    let Some(n) = core.node_mut(id) else { return };
    n.volume_groups.clear();
    n.block_devices.retain(|_, d| d.volume_group.is_none());
    for d in n.block_devices.values_mut() {
        d.partition_table = None;
        d.partitions.clear();
        d.filesystem = None;
    }
}

/// The disk a machine boots from: the chosen one, else the first.
pub(crate) fn boot_disk(n: &Node) -> Option<&BlockDevice> {
    n.boot_disk.and_then(|d| n.block_devices.get(&d)).or_else(|| n.block_devices.values().find(|d| d.volume_group.is_none()))
}

/// MAAS' layout `flat`: the whole boot disk for the root filesystem, and a partition for UEFI where the firmware wants it.
pub(crate) fn flat_layout(core: &mut Core, id: &str) {
    let Some(n) = core.world.nodes.get(id) else { return };
    let Some(disk) = boot_disk(n).map(|d| d.id) else { return };
    let uefi = n.bios_boot_method.as_deref() == Some("uefi");
    if uefi {
        let size = sizes::align(512 << 20);
        add_partition(core, id, disk, Some(size), true, Some(("fat32", "efi", "/boot/efi")));
    }
    add_partition(core, id, disk, None, false, Some(("ext4", "root", "/")));
}

/// Adds a partition; without a size it gets what is left. Returns its id; the caller has checked that it fits.
pub(crate) fn add_partition(
    core: &mut Core,
    id: &str,
    disk: i64,
    size: Option<u64>,
    bootable: bool,
    filesystem: Option<(&str, &str, &str)>,
) -> Option<i64> {
    let seed = core.world.meta.options.seed;
    let partition = core.take_id("partition");
    let n = core.node_mut(id)?;
    if let Some(d) = n.block_devices.get_mut(&disk)
        && d.partition_table.is_none()
    {
        d.partition_table = Some("GPT".into());
    }
    let free = n.block_devices.get(&disk).map(|d| sizes::available(n, d))?;
    let d = n.block_devices.get_mut(&disk)?;
    let index = d.partitions.iter().map(|p| p.index).max().unwrap_or(0) + 1;
    d.partitions.push(Partition {
        id: partition,
        index,
        uuid: names::uuid(seed, &format!("partition {id} {partition}")),
        size: sizes::align(size.unwrap_or(free)),
        bootable,
        tags: BTreeSet::new(),
        filesystem: filesystem.map(|(fstype, label, mount)| Filesystem {
            fstype: fstype.to_owned(),
            label: Some(label.to_owned()),
            uuid: names::uuid(seed, &format!("filesystem {id} {partition}")),
            mount_point: Some(mount.to_owned()),
            mount_options: None,
            volume_group: None,
        }),
    });
    Some(partition)
}

//! Machines and controllers as MAAS' API shows them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{block_device, domain, interface, pool, uri, zone};
use crate::sim::db::{BlockDevice, Link, Node, Status};
use crate::sim::inventory::boot_disk;
use crate::sim::world::World;

/// Fully qualified name of a machine.
pub(crate) fn fqdn(w: &World, n: &Node) -> String {
    let domain = w.site.domains.get(&n.domain).map_or("maas", |d| &d.name);
    format!("{}.{domain}", n.hostname)
}

/// Whether a machine's BMC lets MAAS in with the password that it has, if it drives one.
pub(crate) fn is_let_in(w: &World, n: &Node) -> bool {
    let bmc = n.machine.as_ref().and_then(|m| w.machines.get(m)).and_then(|m| m.bmc.as_ref());
    let given = n.power_parameters.get("power_pass").and_then(Value::as_str);
    n.power_type == "manual" || bmc.is_none_or(|b| given.is_none_or(|g| g == b.password))
}

/// Power as MAAS last saw it.
pub(crate) fn power_state(w: &World, n: &Node) -> &'static str {
    let machine = n.machine.as_ref().and_then(|m| w.machines.get(m));
    match machine {
        Some(_) if !is_let_in(w, n) => "error",
        Some(m) if n.power_type != "manual" => {
            if m.on {
                "on"
            } else {
                "off"
            }
        }
        _ => "unknown",
    }
}

fn ip_addresses(n: &Node) -> Vec<&str> {
    let fixed: Vec<&str> = n.interfaces.values().flat_map(|i| &i.links).filter_map(|l| l.ip.as_deref()).collect();
    if !fixed.is_empty() {
        return fixed;
    }
    n.interfaces.values().filter_map(|i| i.discovered.as_ref()).map(|(_, a)| a.as_str()).collect()
}

fn default_gateway(w: &World, n: &Node, v6: bool) -> Value {
    let chosen = if v6 { n.gateway_links.1 } else { n.gateway_links.0 };
    let gateway = |l: &Link| {
        let g = w.site.subnets.get(&l.subnet?)?.gateway_ip.clone()?;
        (g.contains(':') == v6).then_some(g)
    };
    let links = || n.interfaces.values().flat_map(|i| &i.links);
    let explicit = chosen.and_then(|c| links().find(|l| l.id == c)).and_then(gateway);
    match explicit {
        Some(g) => json!({ "gateway_ip": g, "link_id": chosen }),
        None => json!({ "gateway_ip": links().find_map(gateway), "link_id": null }),
    }
}

fn script_status(status: i64) -> &'static str {
    match status {
        0 => "Pending",
        1 => "Running",
        2 => "Passed",
        3 => "Failed",
        _ => "Unknown",
    }
}

const HARDWARE_FIELDS: [&str; 18] = [
    "system_vendor",
    "system_product",
    "system_family",
    "system_version",
    "system_sku",
    "system_serial",
    "cpu_model",
    "mainboard_vendor",
    "mainboard_product",
    "mainboard_serial",
    "mainboard_version",
    "mainboard_firmware_vendor",
    "mainboard_firmware_date",
    "mainboard_firmware_version",
    "chassis_vendor",
    "chassis_type",
    "chassis_serial",
    "chassis_version",
];

pub(crate) fn hardware_info(n: Option<&Node>) -> Value {
    HARDWARE_FIELDS
        .into_iter()
        .map(|f| (f.to_owned(), json!(n.and_then(|n| n.hardware_info.get(f)).map_or("Unknown", String::as_str))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A machine in full, as JSON. Its disks and interfaces stand in several lists, and are written once.
pub(crate) fn machine(w: &World, n: &Node) -> String {
    let disks: BTreeMap<i64, String> = n.block_devices.values().map(|d| (d.id, block_device(n, d, true).to_string())).collect();
    let interfaces: BTreeMap<i64, String> =
        n.interfaces.values().map(|i| (i.id, interface(w, &n.system_id, &n.interfaces, i).to_string())).collect();
    let devices = |which: &dyn Fn(&BlockDevice) -> bool| {
        list(n.block_devices.values().filter(|d| which(d)).filter_map(|d| disks.get(&d.id)).map(String::as_str))
    };
    let boot = n.boot_interface.filter(|i| n.interfaces.contains_key(i)).or_else(|| n.interfaces.values().next().map(|i| i.id));
    let one = |text: Option<&String>| text.map_or_else(|| "null".to_owned(), Clone::clone);
    let parts = [
        ("blockdevice_set", devices(&|_| true)),
        ("physicalblockdevice_set", devices(&|d| d.volume_group.is_none())),
        ("virtualblockdevice_set", devices(&|d| d.volume_group.is_some())),
        ("boot_disk", one(boot_disk(n).and_then(|d| disks.get(&d.id)))),
        ("interface_set", list(interfaces.values().map(String::as_str))),
        ("boot_interface", one(boot.and_then(|i| interfaces.get(&i)))),
    ];
    let mut text = apart_from_devices(w, n).to_string();
    text.pop();
    for (name, part) in parts {
        // Writing to a String cannot fail.
        let _ = write!(text, ",\"{name}\":{part}");
    }
    text.push('}');
    text
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for text in texts {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(text);
    }
    out.push(']');
    out
}

fn apart_from_devices(w: &World, n: &Node) -> Value {
    let id = &n.system_id;
    let physical_bytes: u64 = n.block_devices.values().filter(|d| d.volume_group.is_none()).map(|d| d.size).sum();
    let domain_value = w.site.domains.get(&n.domain).map_or(Value::Null, domain);
    let cores: Vec<u32> = (0..n.cpu_count).collect();
    let deployed_os = !n.distro_series.is_empty();
    let mut first = json!({
        "pod": null,
        "ip_addresses": ip_addresses(n),
        "error_description": n.error_description,
        "disable_ipv4": false,
        "default_gateways": { "ipv4": default_gateway(w, n, false), "ipv6": default_gateway(w, n, true) },
        "storage": physical_bytes as f64 / 1e6,
        "owner_data": n.owner_data,
        "workload_annotations": n.owner_data,
        "status": n.status.number(),
        "status_name": n.status.name(),
        "status_message": n.status_message,
        "status_action": n.status_action,
        "raids": [],
    });
    let middle = json!({
        "bcaches": [],
        "cache_sets": [],
        "special_filesystems": [],
        "pool": pool(&w.site, n.pool),
        "zone": zone(&w.site, n.zone),
        "locked": n.locked,
        "distro_series": n.distro_series,
        "osystem": n.osystem,
        "hwe_kernel": if deployed_os { json!(n.hwe_kernel) } else { Value::Null },
        "min_hwe_kernel": n.min_hwe_kernel,
        "memory": n.memory,
        "description": n.description,
        "node_type": 0,
        "node_type_name": "Machine",
        "system_id": id,
        "ephemeral_deploy": false,
        "current_commissioning_result_id": n.commissioning.0,
        "current_testing_result_id": n.testing.0,
        "current_installation_result_id": n.installation,
        "enable_kernel_crash_dump": false,
        "hardware_info": hardware_info(Some(n)),
        "enable_hw_sync": false,
        "sync_interval": null,
        "last_sync": null,
        "next_sync": null,
        "netboot": n.netboot,
    });
    let rest = json!({
        "owner": n.owner,
        "virtualmachine_id": null,
        "swap_size": n.swap_size,
        "numanode_set": [{ "index": 0, "memory": n.memory, "cores": cores, "hugepages_set": [] }],
        "hardware_uuid": n.hardware_uuid,
        "address_ttl": null,
        "bios_boot_method": n.bios_boot_method,
        "is_dpu": false,
        "tag_names": n.tags,
        "domain": domain_value,
        "architecture": n.architecture,
        "fqdn": fqdn(w, n),
        "hostname": n.hostname,
        "power_state": power_state(w, n),
        "power_type": n.power_type,
        "parent": null,
        // The real one shows no more of them here.
        "volume_groups": n.volume_groups.keys().map(|g| json!({ "system_id": id, "id": g, "__incomplete__": true })).collect::<Vec<_>>(),
        "cpu_speed": if n.inventoried { 2400 } else { 0 },
        "cpu_count": n.cpu_count,
        "commissioning_status": n.commissioning.1,
        "commissioning_status_name": script_status(n.commissioning.1),
        "resource_uri": uri(&format!("machines/{id}")),
    });
    test_statuses(&mut first, n.testing.1);
    for part in [middle, rest] {
        if let (Some(a), Value::Object(b)) = (first.as_object_mut(), part) {
            a.extend(b);
        }
    }
    first
}

fn test_statuses(v: &mut Value, testing: i64) {
    for kind in ["testing", "cpu_test", "memory_test", "storage_test", "network_test", "interface_test", "other_test"] {
        // Only the disks have tests that run by themselves.
        let status = if matches!(kind, "testing" | "storage_test") { testing } else { -1 };
        v[format!("{kind}_status")] = json!(status);
        v[format!("{kind}_status_name")] = json!(script_status(status));
    }
}

/// The region and rack controller.
pub(crate) fn controller(w: &World, kind: &str) -> Value {
    let id = &w.site.controller;
    let all = w.site.rack_interfaces.iter().map(|i| (i.id, i.clone())).collect();
    let interfaces: Vec<Value> = w.site.rack_interfaces.iter().map(|i| interface(w, id, &all, i)).collect();
    let addresses: Vec<&str> = w.site.rack_interfaces.iter().flat_map(|i| &i.links).filter_map(|l| l.ip.as_deref()).collect();
    let mut v = json!({
        "ip_addresses": addresses,
        "hardware_info": hardware_info(None),
        "tag_names": [],
        "domain": w.site.domains.get(&0).map(domain),
        "architecture": null,
        "distro_series": "",
        "osystem": "",
        "zone": zone(&w.site, 1),
        "memory": 0,
        "description": "",
        "fqdn": "vm.maas",
        "hostname": "vm",
        "node_type": 4,
        "node_type_name": "Region and rack controller",
        "power_state": "unknown",
        "power_type": "",
        "commissioning_status": 0,
        "commissioning_status_name": "Pending",
        "swap_size": null,
        "system_id": id,
        "hardware_uuid": null,
        "status_action": null,
        "cpu_speed": 0,
        "cpu_count": 0,
        "current_commissioning_result_id": 1,
        "current_installation_result_id": null,
        "current_testing_result_id": null,
        "interface_set": interfaces,
        "version": "3.7.3-18030-g.9122eee68",
        "resource_uri": uri(&format!("{kind}/{id}")),
    });
    test_statuses(&mut v, -1);
    if kind == "rackcontrollers" {
        let services = [
            "temporal",
            "proxy",
            "bind9",
            "ntp_region",
            "reverse_proxy",
            "temporal-worker",
            "syslog_region",
            "regiond",
            "http",
            "dhcpd",
            "tftp",
            "proxy_rack",
            "dhcpd6",
            "rackd",
            "syslog_rack",
            "ntp_rack",
            "agent",
        ];
        let dhcp = w.site.vlans.values().any(|v| v.dhcp_on);
        v["service_set"] = services
            .into_iter()
            .map(|s| {
                let idle = matches!(s, "proxy_rack" | "dhcpd6") || (s == "dhcpd" && !dhcp);
                let dead = w.meta.options.hardware.dead_services.iter().any(|d| d == s);
                json!({ "name": s, "status": if dead { "dead" } else if idle { "off" } else { "running" }, "status_info": "" })
            })
            .collect();
    }
    v
}

/// Whether a machine's interfaces and storage may be changed in its state.
pub(crate) fn is_ready_or_allocated(n: &Node) -> bool {
    matches!(n.status, Status::Ready | Status::Allocated)
}

//! MAAS' objects as its API shows them: every field that the real one has, in the same types.

use serde_json::{Value, json};

use super::db::{
    BlockDevice, BootResource, BootSource, Domain, Fabric, Filesystem, Interface, IpRange, Link, MaasSite, Node, Partition, Repository,
    Selection, Space, StaticRoute, Subnet, Tag, Vlan, VolumeGroup,
};
use super::region::RELEASES;
use super::sizes;
use super::world::World;

mod node;

pub(crate) use node::{controller, fqdn, is_let_in, is_ready_or_allocated, machine, power_state};

pub(crate) const API: &str = "/MAAS/api/2.0";

fn uri(path: &str) -> Value {
    json!(format!("{API}/{path}/"))
}

pub(crate) fn vlan(w: &World, v: &Vlan) -> Value {
    let s = &w.site;
    let relay = v.relay_vlan.and_then(|r| s.vlans.get(&r)).filter(|r| r.relay_vlan.is_none());
    json!({
        "vid": v.vid,
        "mtu": v.mtu,
        "dhcp_on": v.dhcp_on,
        "external_dhcp": v.external_dhcp,
        "relay_vlan": relay.map(|r| vlan(w, r)),
        "fabric_id": v.fabric,
        "primary_rack": v.primary_rack,
        "space": space_name(w, v),
        "name": v.name,
        "fabric": s.fabrics.get(&v.fabric).map(|f| &f.name),
        "secondary_rack": v.secondary_rack,
        "id": v.id,
        "resource_uri": uri(&format!("vlans/{}", v.id)),
    })
}

fn space_name<'a>(w: &'a World, v: &Vlan) -> &'a str {
    v.space.and_then(|s| w.site.spaces.get(&s)).map_or("undefined", |s| &s.name)
}

pub(crate) fn vlan_of(w: &World, id: Option<i64>) -> Value {
    id.and_then(|v| w.site.vlans.get(&v)).map_or(Value::Null, |v| vlan(w, v))
}

pub(crate) fn fabric(w: &World, f: &Fabric) -> Value {
    json!({
        "class_type": f.class_type,
        "vlans": w.site.vlans.values().filter(|v| v.fabric == f.id).map(|v| vlan(w, v)).collect::<Vec<_>>(),
        "name": f.name,
        "id": f.id,
        "resource_uri": uri(&format!("fabrics/{}", f.id)),
    })
}

pub(crate) fn subnet(w: &World, s: &Subnet) -> Value {
    let v = w.site.vlans.get(&s.vlan);
    json!({
        "name": s.name,
        "description": s.description,
        "vlan": vlan_of(w, Some(s.vlan)),
        "cidr": s.cidr,
        "rdns_mode": s.rdns_mode,
        "gateway_ip": s.gateway_ip,
        "dns_servers": s.dns_servers,
        "allow_dns": s.allow_dns,
        "allow_proxy": s.allow_proxy,
        "active_discovery": s.active_discovery,
        "managed": s.managed,
        "disabled_boot_architectures": s.disabled_boot_architectures,
        "space": v.map_or("undefined", |v| space_name(w, v)),
        "id": s.id,
        "resource_uri": uri(&format!("subnets/{}", s.id)),
    })
}

fn subnet_of(w: &World, id: i64) -> Value {
    w.site.subnets.get(&id).map_or(Value::Null, |s| subnet(w, s))
}

pub(crate) fn user(name: &str) -> Value {
    json!({
        "is_superuser": name == "admin",
        "username": name,
        "email": format!("{name}@example.com"),
        "is_local": true,
        "resource_uri": uri(&format!("users/{name}")),
    })
}

pub(crate) fn iprange(w: &World, r: &IpRange) -> Value {
    json!({
        "subnet": subnet_of(w, r.subnet),
        "type": r.kind,
        "start_ip": r.start,
        "end_ip": r.end,
        "user": r.user.as_deref().map(user),
        "comment": r.comment,
        "id": r.id,
        "resource_uri": uri(&format!("ipranges/{}", r.id)),
    })
}

pub(crate) fn static_route(w: &World, r: &StaticRoute) -> Value {
    json!({
        "source": subnet_of(w, r.source),
        "destination": subnet_of(w, r.destination),
        "gateway_ip": r.gateway_ip,
        "metric": r.metric,
        "id": r.id,
        "resource_uri": uri(&format!("static-routes/{}", r.id)),
    })
}

/// An availability zone. One that is not there is the default one, as in worlds that were made before there were others.
pub(crate) fn zone(site: &MaasSite, id: i64) -> Value {
    let (id, name, description) = site.zones.get(&id).map_or((1, "default", ""), |z| (z.id, &z.name, &z.description));
    json!({ "name": name, "description": description, "id": id, "resource_uri": uri(&format!("zones/{name}")) })
}

/// A resource pool.
pub(crate) fn pool(site: &MaasSite, id: i64) -> Value {
    let (id, name, description) = site.pools.get(&id).map_or((0, "default", "Default pool"), |p| (p.id, &p.name, &p.description));
    json!({ "name": name, "description": description, "id": id, "resource_uri": uri(&format!("resourcepool/{id}")) })
}

pub(crate) fn space(w: &World, s: &Space) -> Value {
    space_with(w, Some(s.id), &s.name, &s.description, s.id, &s.id.to_string())
}

/// The pseudo space of everything that has none.
pub(crate) fn undefined_space(w: &World) -> Value {
    let text = "Backward compatibility object to ensure objects not associated with a space can be found.";
    space_with(w, None, "undefined", text, -1, "undefined")
}

fn space_with(w: &World, space: Option<i64>, name: &str, description: &str, id: i64, path: &str) -> Value {
    let vlans: Vec<&Vlan> = w.site.vlans.values().filter(|v| v.space == space).collect();
    let subnets: Vec<Value> = w.site.subnets.values().filter(|s| vlans.iter().any(|v| v.id == s.vlan)).map(|s| subnet(w, s)).collect();
    json!({
        "description": description,
        "subnets": subnets,
        "vlans": vlans.into_iter().map(|v| vlan(w, v)).collect::<Vec<_>>(),
        "name": name,
        "resource_uri": uri(&format!("spaces/{path}")),
        "id": id,
    })
}

pub(crate) fn domain(d: &Domain) -> Value {
    json!({
        "authoritative": d.authoritative,
        "ttl": d.ttl,
        "resource_record_count": 0,
        "name": d.name,
        "is_default": d.id == 0,
        "id": d.id,
        "resource_uri": uri(&format!("domains/{}", d.id)),
    })
}

pub(crate) fn tag(t: &Tag) -> Value {
    json!({
        "name": t.name,
        "definition": t.definition,
        "comment": t.comment,
        "kernel_opts": t.kernel_opts,
        "resource_uri": uri(&format!("tags/{}", t.name)),
    })
}

pub(crate) fn sshkey(id: i64, key: &str) -> Value {
    json!({ "key": key, "keysource": "", "id": id, "resource_uri": uri(&format!("account/prefs/sshkeys/{id}")) })
}

pub(crate) fn repository(r: &Repository) -> Value {
    json!({
        "name": r.name,
        "url": r.url,
        "distributions": r.distributions,
        "disabled_pockets": r.disabled_pockets,
        "disabled_components": r.disabled_components,
        "disable_sources": r.disable_sources,
        "components": r.components,
        "arches": r.arches,
        "key": r.key,
        "enabled": r.enabled,
        "id": r.id,
        "resource_uri": uri(&format!("package-repositories/{}", r.id)),
    })
}

pub(crate) fn boot_source(s: &BootSource) -> Value {
    json!({
        "url": s.url,
        "keyring_filename": s.keyring_filename,
        "keyring_data": s.keyring_data,
        "created": s.created,
        "updated": s.updated,
        "id": s.id,
        "resource_uri": uri(&format!("boot-sources/{}", s.id)),
    })
}

pub(crate) fn selection(s: &Selection) -> Value {
    json!({
        "boot_source_id": s.boot_source,
        "os": s.os,
        "release": s.release,
        "arches": s.arches,
        "subarches": s.subarches,
        "labels": s.labels,
        "id": s.id,
        "resource_uri": uri(&format!("boot-sources/{}/selections/{}", s.boot_source, s.id)),
    })
}

/// Title of an image: the version of a known release.
pub(crate) fn title(name: &str) -> String {
    let series = name.rsplit('/').next().unwrap_or_default();
    RELEASES.iter().find(|r| r.0 == series).map_or_else(|| series.to_owned(), |r| format!("{} LTS", r.1))
}

pub(crate) fn boot_resource(r: &BootResource, sets: bool) -> Value {
    let kernel = r.architecture.rsplit('/').next().unwrap_or_default();
    let mut v = json!({
        "id": r.id,
        "type": r.kind,
        "name": r.name,
        "architecture": r.architecture,
        "resource_uri": uri(&format!("boot-resources/{}", r.id)),
        "last_deployed": null,
        "title": r.title,
        "kflavor": "generic",
        "platform": "generic",
        "subarches": format!("generic,hwe-p,hwe-q,{kernel}"),
        "supported_platforms": "generic",
    });
    if sets {
        let file = |kind: &str, digit: &str| {
            let sha = digit.repeat(64);
            json!({ "filename": kind, "filetype": kind, "sha256": sha, "filename_on_disk": &sha[..7], "size": 512, "complete": true })
        };
        v["sets"] = json!({ "20260801": {
            "version": "20260801", "label": "stable", "size": 1536, "complete": true,
            "files": {
                "boot-initrd": file("boot-initrd", "1"), "squashfs": file("squashfs", "2"), "boot-kernel": file("boot-kernel", "3"),
            },
        }});
    }
    v
}

fn link(w: &World, l: &Link) -> Value {
    let mut v = json!({ "id": l.id, "mode": l.mode });
    if let Some(ip) = &l.ip {
        v["ip_address"] = json!(ip);
    }
    if let Some(s) = l.subnet {
        v["subnet"] = subnet_of(w, s);
    }
    v
}

/// MTU that an interface really has: its own, its VLAN's, and never less than that of an interface on top of it.
pub(crate) fn effective_mtu(w: &World, all: &std::collections::BTreeMap<i64, Interface>, i: &Interface) -> i64 {
    let own = i.params.get("mtu").and_then(Value::as_i64);
    let own = own.or_else(|| i.vlan.and_then(|v| w.site.vlans.get(&v)).map(|v| v.mtu)).unwrap_or(1500);
    all.values().filter(|c| c.parents.contains(&i.id)).map(|c| effective_mtu(w, all, c)).fold(own, i64::max)
}

pub(crate) fn interface(w: &World, system_id: &str, all: &std::collections::BTreeMap<i64, Interface>, i: &Interface) -> Value {
    let names = |ids: &mut dyn Iterator<Item = &Interface>| ids.map(|i| i.name.clone()).collect::<Vec<_>>();
    let physical = i.kind == "physical";
    json!({
        "product": i.product,
        "vlan": vlan_of(w, i.vlan),
        "interface_speed": i.speed,
        "params": i.params,
        "children": names(&mut all.values().filter(|c| c.parents.contains(&i.id))),
        "tags": i.tags,
        "links": i.links.iter().map(|l| link(w, l)).collect::<Vec<_>>(),
        "sriov_max_vf": 0,
        "effective_mtu": effective_mtu(w, all, i),
        "system_id": system_id,
        "vendor": i.vendor,
        "name": i.name,
        "enabled": true,
        "numa_node": if physical { json!(0) } else { Value::Null },
        "link_connected": physical && is_cabled(w, system_id, i),
        "link_speed": i.speed,
        "discovered": i.discovered.as_ref().map(|(s, a)| json!([{ "subnet": subnet_of(w, *s), "ip_address": a }])),
        "firmware_version": i.firmware,
        "parents": names(&mut i.parents.iter().filter_map(|p| all.get(p))),
        "mac_address": i.mac,
        "type": i.kind,
        "id": i.id,
        "resource_uri": uri(&format!("nodes/{system_id}/interfaces/{}", i.id)),
    })
}

/// Whether the NIC that an interface stands for has a cable, as far as the machine is known.
fn is_cabled(w: &World, system_id: &str, interface: &Interface) -> bool {
    let machine = w.nodes.get(system_id).and_then(|n| w.machines.get(n.machine.as_ref()?));
    let nic = machine.and_then(|m| m.nics.iter().find(|nic| nic.mac == interface.mac));
    nic.is_none_or(|nic| nic.wire.is_some())
}

fn filesystem(f: &Filesystem) -> Value {
    json!({ "fstype": f.fstype, "label": f.label, "uuid": f.uuid, "mount_point": f.mount_point, "mount_options": f.mount_options })
}

fn used_for(n: &Node, f: Option<&Filesystem>, partitions: Option<(&str, usize)>) -> String {
    match (f, partitions) {
        (Some(f), _) if f.fstype == "lvm-pv" => {
            let group = f.volume_group.and_then(|g| n.volume_groups.get(&g)).map_or("", |g| &g.name);
            format!("LVM volume for {group}")
        }
        (Some(f), _) => match &f.mount_point {
            Some(m) => format!("{} formatted filesystem mounted at {m}", f.fstype),
            None => format!("Unmounted {} formatted filesystem", f.fstype),
        },
        (None, Some((table, count))) => format!("{table} partitioned with {count} partition{}", if count == 1 { "" } else { "s" }),
        (None, None) => "Unused".to_owned(),
    }
}

pub(crate) fn partition(n: &Node, d: &BlockDevice, p: &Partition) -> Value {
    json!({
        "uuid": p.uuid,
        "size": p.size,
        "bootable": p.bootable,
        "tags": p.tags,
        "filesystem": p.filesystem.as_ref().map(filesystem),
        "used_for": used_for(n, p.filesystem.as_ref(), None),
        "system_id": n.system_id,
        "path": format!("/dev/disk/by-dname/{}-part{}", d.name, p.index),
        "type": "partition",
        "device_id": d.id,
        "id": p.id,
        // The real one has no slash at the end here.
        "resource_uri": format!("{API}/nodes/{}/blockdevices/{}/partition/{}", n.system_id, d.id, p.id),
    })
}

pub(crate) fn block_device(n: &Node, d: &BlockDevice, detailed: bool) -> Value {
    let physical = d.volume_group.is_none();
    let table = d.partition_table.as_deref().map(|t| (t, d.partitions.len()));
    let mut v = json!({
        "storage_pool": null,
        "partition_table_type": d.partition_table,
        "available_size": sizes::available(n, d),
        "id_path": d.id_path,
        "used_size": sizes::used(n, d),
        "serial": d.serial,
        "uuid": d.uuid,
        "tags": d.tags,
        "partitions": d.partitions.iter().map(|p| partition(n, d, p)).collect::<Vec<_>>(),
        "path": format!("/dev/disk/by-dname/{}", d.name),
        "block_size": d.block_size,
        "filesystem": d.filesystem.as_ref().map(filesystem),
        "used_for": used_for(n, d.filesystem.as_ref(), table),
        "model": d.model,
        "system_id": n.system_id,
        "name": d.name,
        "size": d.size,
        "numa_node": if physical { json!(0) } else { Value::Null },
        "type": if physical { "physical" } else { "virtual" },
        "id": d.id,
        "resource_uri": uri(&format!("nodes/{}/blockdevices/{}", n.system_id, d.id)),
    });
    if physical && detailed {
        v["firmware_version"] = json!("1.0");
    }
    v
}

/// What `create_logical_volume` answers: the real one leaves out most fields.
pub(crate) fn logical_volume_created(n: &Node, d: &BlockDevice) -> Value {
    json!({
        "system_id": n.system_id,
        "size": d.size,
        "available_size": sizes::available(n, d),
        "uuid": d.uuid,
        "name": d.name,
        "used_size": sizes::used(n, d),
        "id": d.id,
        "resource_uri": uri(&format!("nodes/{}/blockdevices/{}", n.system_id, d.id)),
    })
}

pub(crate) fn volume_group(n: &Node, g: &VolumeGroup) -> Value {
    let (size, used) = (sizes::group_size(n, g.id), sizes::group_used(n, g.id));
    let member = |f: Option<&Filesystem>| f.is_some_and(|f| f.volume_group == Some(g.id));
    let mut devices: Vec<Value> = Vec::new();
    for d in n.block_devices.values() {
        if member(d.filesystem.as_ref()) {
            devices.push(block_device(n, d, true));
        }
        devices.extend(d.partitions.iter().filter(|p| member(p.filesystem.as_ref())).map(|p| partition(n, d, p)));
    }
    let volumes = n.block_devices.values().filter(|d| d.volume_group == Some(g.id));
    json!({
        "human_available_size": sizes::human(size.saturating_sub(used)),
        "system_id": n.system_id,
        "size": size,
        "logical_volumes": volumes.map(|d| block_device(n, d, true)).collect::<Vec<_>>(),
        "human_size": sizes::human(size),
        "available_size": size.saturating_sub(used),
        "uuid": g.uuid,
        "name": g.name,
        "used_size": used,
        "devices": devices,
        "human_used_size": sizes::human(used),
        "id": g.id,
        "resource_uri": uri(&format!("nodes/{}/volume-group/{}", n.system_id, g.id)),
    })
}

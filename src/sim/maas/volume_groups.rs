//! Volume groups and logical volumes of a machine.

use std::collections::BTreeSet;

use super::call::{Answer, Call, FormErrors, REQUIRED, deleted, form_error, id_of, invalid_choice, list, missing};
use super::storage::{need_ready, size_parameter};
use crate::sim::db::{BlockDevice, Filesystem, Node, VolumeGroup};
use crate::sim::http::Reply;
use crate::sim::{inventory, names, render, sizes};

pub(super) fn groups(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    match call.signature() {
        ("GET", None) => Ok(list(n.volume_groups.values().map(|g| render::volume_group(n, g)).collect())),
        ("POST", None) => {
            need_ready(n, "create volume group")?;
            create(call, id)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

/// Devices that a form adds: unused disks, and unformatted partitions.
fn members(call: &Call<'_>, n: &Node, fields: (&str, &str), errors: &mut FormErrors) -> (Vec<i64>, Vec<i64>) {
    let free_disk = |d: &BlockDevice| d.filesystem.is_none() && d.partition_table.is_none() && d.volume_group.is_none();
    let mut disks = Vec::new();
    for text in call.form.list(fields.0) {
        let found = n.block_devices.values().find(|d| (Some(d.id) == id_of(&text) || d.name == text) && free_disk(d));
        match found {
            Some(d) => disks.push(d.id),
            None => errors.add(fields.0, invalid_choice(&text)),
        }
    }
    let mut partitions = Vec::new();
    for text in call.form.list(fields.1) {
        let mut all = n.block_devices.values().flat_map(|d| &d.partitions);
        match all.find(|p| Some(p.id) == id_of(&text) && p.filesystem.is_none()) {
            Some(p) => partitions.push(p.id),
            None => errors.add(fields.1, invalid_choice(&text)),
        }
    }
    (disks, partitions)
}

fn add_members(call: &mut Call<'_>, id: &str, group: i64, disks: &[i64], partitions: &[i64]) -> Result<(), Reply> {
    let seed = call.core.world.meta.options.seed;
    let volume = |what: &str, device: i64| {
        Some(Filesystem {
            fstype: "lvm-pv".into(),
            label: None,
            uuid: names::uuid(seed, &format!("pv {id} {group} {what} {device}")),
            mount_point: None,
            mount_options: None,
            volume_group: Some(group),
        })
    };
    let n = call.node_mut(id)?;
    for d in n.block_devices.values_mut() {
        if disks.contains(&d.id) {
            d.filesystem = volume("disk", d.id);
        }
        for p in d.partitions.iter_mut().filter(|p| partitions.contains(&p.id)) {
            p.filesystem = volume("partition", p.id);
        }
    }
    Ok(())
}

fn remove_members(n: &mut Node, group: i64, which: impl Fn(i64, Option<i64>) -> bool) {
    let member = |f: &Option<Filesystem>| f.as_ref().is_some_and(|f| f.volume_group == Some(group));
    for d in n.block_devices.values_mut() {
        if member(&d.filesystem) && which(d.id, None) {
            d.filesystem = None;
        }
        for p in &mut d.partitions {
            if member(&p.filesystem) && which(d.id, Some(p.id)) {
                p.filesystem = None;
            }
        }
    }
}

fn create(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let mut errors = FormErrors::default();
    let name = call.form.filled("name").unwrap_or_default().to_owned();
    if name.is_empty() {
        errors.add("name", REQUIRED);
    }
    if n.volume_groups.values().any(|g| g.name == name) {
        errors.add("name", "A volume group with that name already exists.");
    }
    let (mut disks, mut partitions) = members(call, n, ("block_devices", "partitions"), &mut errors);
    let boot = inventory::boot_disk(n).map(|d| d.id);
    if disks.is_empty() && partitions.is_empty() && errors.is_empty() {
        errors.add("__all__", "At least one valid block device or partition is required.");
    }
    errors.check()?;
    let seed = call.core.world.meta.options.seed;
    let group = call.core.take_id("volume_group");
    let uuid = call.form.filled("uuid").map_or_else(|| names::uuid(seed, &format!("vg {id} {group}")), str::to_owned);
    // The boot disk cannot be a physical volume itself: MAAS makes a partition of all of it.
    if let Some(boot) = boot.filter(|b| disks.contains(b)) {
        disks.retain(|d| *d != boot);
        partitions.extend(inventory::add_partition(call.core, id, boot, None, false, None));
    }
    call.node_mut(id)?.volume_groups.insert(group, VolumeGroup { id: group, uuid, name: name.clone() });
    add_members(call, id, group, &disks, &partitions)?;
    let label = call.label(id);
    call.core.effect(format!("create_volume_group {label} {name}"));
    reply(call, id, group)
}

fn reply(call: &Call<'_>, id: &str, group: i64) -> Answer {
    let n = call.node(id)?;
    let g = n.volume_groups.get(&group).ok_or_else(|| missing("VolumeGroup"))?;
    Ok(Reply::json(&render::volume_group(n, g)))
}

pub(super) fn group(call: &mut Call<'_>, id: &str, group: i64) -> Answer {
    let n = call.node(id)?;
    let g = n.volume_groups.get(&group).ok_or_else(|| missing("VolumeGroup"))?;
    let name = g.name.clone();
    match call.signature() {
        ("GET", None) => reply(call, id, group),
        ("PUT", None) => {
            need_ready(n, "update volume group")?;
            let mut errors = FormErrors::default();
            let (disks, partitions) = members(call, n, ("add_block_devices", "add_partitions"), &mut errors);
            errors.check()?;
            let gone_disks: Vec<i64> = call.form.list("remove_block_devices").iter().filter_map(|t| id_of(t)).collect();
            let gone_partitions: Vec<i64> = call.form.list("remove_partitions").iter().filter_map(|t| id_of(t)).collect();
            let (new_name, new_uuid) = (call.form.filled("name").map(str::to_owned), call.form.filled("uuid").map(str::to_owned));
            let n = call.node_mut(id)?;
            remove_members(n, group, |d, p| p.map_or_else(|| gone_disks.contains(&d), |p| gone_partitions.contains(&p)));
            if let Some(g) = n.volume_groups.get_mut(&group) {
                g.name = new_name.unwrap_or_else(|| g.name.clone());
                g.uuid = new_uuid.unwrap_or_else(|| g.uuid.clone());
            }
            add_members(call, id, group, &disks, &partitions)?;
            let label = call.label(id);
            call.core.effect(format!("update_volume_group {label} {name}"));
            reply(call, id, group)
        }
        ("DELETE", None) => {
            need_ready(n, "delete volume group")?;
            if n.block_devices.values().any(|d| d.volume_group == Some(group)) {
                return Err(form_error("__all__", "This volume group has logical volumes; it cannot be deleted."));
            }
            let n = call.node_mut(id)?;
            remove_members(n, group, |_, _| true);
            n.volume_groups.remove(&group);
            let label = call.label(id);
            call.core.effect(format!("delete_volume_group {label} {name}"));
            Ok(deleted())
        }
        ("POST", Some("create_logical_volume")) => {
            need_ready(n, "create logical volume")?;
            create_logical_volume(call, id, group, &name)
        }
        ("POST", Some("delete_logical_volume")) => {
            need_ready(n, "delete logical volume")?;
            let volume = call.form.filled("id").and_then(id_of).ok_or_else(|| form_error("id", REQUIRED))?;
            // 204 also where there is no such volume.
            let n = call.node_mut(id)?;
            if n.block_devices.get(&volume).is_some_and(|d| d.volume_group == Some(group)) {
                n.block_devices.remove(&volume);
            }
            let label = call.label(id);
            call.core.effect(format!("delete_logical_volume {label} {name}"));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

fn create_logical_volume(call: &mut Call<'_>, id: &str, group: i64, group_name: &str) -> Answer {
    let n = call.node(id)?;
    let free = sizes::group_size(n, group).saturating_sub(sizes::group_used(n, group));
    let mut errors = FormErrors::default();
    let name = call.form.filled("name").unwrap_or_default().to_owned();
    if name.is_empty() {
        errors.add("name", REQUIRED);
    }
    // The device is named after group and volume.
    let full = format!("{group_name}-{name}");
    if n.block_devices.values().any(|d| d.name == full) {
        errors.add("name", "A logical volume with that name already exists.");
    }
    errors.check()?;
    let size = sizes::align(size_parameter(call, free, sizes::ALIGNMENT)?.unwrap_or(free));
    if size == 0 {
        return Err(form_error("size", format!("Ensure this value is less than or equal to {free}.")));
    }
    let seed = call.core.world.meta.options.seed;
    let device = call.core.take_id("block_device");
    let uuid = call.form.filled("uuid").map_or_else(|| names::uuid(seed, &format!("lv {id} {device}")), str::to_owned);
    call.node_mut(id)?.block_devices.insert(
        device,
        BlockDevice {
            id: device,
            name: full.clone(),
            volume_group: Some(group),
            size,
            block_size: 4096,
            model: None,
            serial: None,
            id_path: None,
            uuid: Some(uuid),
            tags: BTreeSet::new(),
            partition_table: None,
            partitions: Vec::new(),
            filesystem: None,
        },
    );
    let label = call.label(id);
    call.core.effect(format!("create_logical_volume {label} {full}"));
    let n = call.node(id)?;
    let d = n.block_devices.get(&device).ok_or_else(|| missing("BlockDevice"))?;
    Ok(Reply::json(&render::logical_volume_created(n, d)))
}

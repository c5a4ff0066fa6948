//! Block devices and partitions of a machine.

use super::call::{Answer, Call, FormErrors, REQUIRED, conflict, deleted, form_error, invalid_choice, list, missing};
use crate::sim::db::{BlockDevice, Filesystem, Node, Status};
use crate::sim::http::Reply;
use crate::sim::{inventory, names, render, sizes};

const FILESYSTEMS: [&str; 8] = ["ext2", "ext4", "xfs", "fat32", "vfat", "swap", "btrfs", "zfsroot"];

/// What a filesystem lies on.
#[derive(Debug, Clone, Copy)]
enum Place {
    Device(i64),
    Partition(i64, i64),
}

/// The structure of the storage may be changed only on a machine that is ready.
pub(super) fn need_ready(n: &Node, what: &str) -> Result<(), Reply> {
    if n.status == Status::Ready {
        return Ok(());
    }
    // MAAS says "node" where partitions are made (recorded), "machine" elsewhere.
    let whose = if what == "create partition" { "node" } else { "machine" };
    Err(conflict(format!("Cannot {what} because the {whose} is not Ready.")))
}

/// Filesystems may be changed also on a machine that is allocated.
fn need_ready_or_allocated(n: &Node, what: &str, whose: &str) -> Result<(), Reply> {
    if render::is_ready_or_allocated(n) {
        return Ok(());
    }
    Err(conflict(format!("Cannot {what} because the {whose} is not Ready or Allocated.")))
}

pub(super) fn block_devices(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    match call.signature() {
        ("GET", None) => Ok(list(n.block_devices.values().map(|d| render::block_device(n, d, false)).collect())),
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn device(n: &Node, id: i64) -> Result<&BlockDevice, Reply> {
    n.block_devices.get(&id).ok_or_else(|| missing("BlockDevice"))
}

fn device_reply(call: &Call<'_>, id: &str, device_id: i64) -> Answer {
    let n = call.node(id)?;
    Ok(Reply::json(&render::block_device(n, device(n, device_id)?, true)))
}

fn partition_reply(call: &Call<'_>, id: &str, device_id: i64, partition: i64) -> Answer {
    let n = call.node(id)?;
    let d = device(n, device_id)?;
    let p = d.partitions.iter().find(|p| p.id == partition).ok_or_else(|| missing("Partition"))?;
    Ok(Reply::json(&render::partition(n, d, p)))
}

/// Notes an effect on a device.
fn note(call: &mut Call<'_>, id: &str, device_id: i64, what: &str) {
    let name = call.core.world.nodes.get(id).and_then(|n| n.block_devices.get(&device_id)).map_or_else(String::new, |d| d.name.clone());
    let label = call.label(id);
    call.core.effect(format!("{what} {label} {name}"));
}

pub(super) fn block_device(call: &mut Call<'_>, id: &str, device_id: i64) -> Answer {
    let n = call.node(id)?;
    let d = device(n, device_id)?;
    match call.signature() {
        ("GET", None) => device_reply(call, id, device_id),
        ("PUT", None) => {
            need_ready(n, "update block device")?;
            let (model, name) = (call.form.filled("model").map(str::to_owned), call.form.filled("name").map(str::to_owned));
            if let Some(d) = call.node_mut(id)?.block_devices.get_mut(&device_id) {
                d.model = model.or_else(|| d.model.take());
                if let Some(n) = name {
                    d.name = n;
                }
            }
            note(call, id, device_id, "update_block_device");
            device_reply(call, id, device_id)
        }
        ("DELETE", None) => {
            need_ready(n, "delete block device")?;
            if d.volume_group.is_none() {
                return Err(conflict("Cannot delete a physical block device that is part of a machine."));
            }
            note(call, id, device_id, "delete_block_device");
            call.node_mut(id)?.block_devices.remove(&device_id);
            Ok(deleted())
        }
        ("POST", Some("set_boot_disk")) => {
            need_ready(n, "set as boot disk")?;
            if d.volume_group.is_some() {
                return Err(super::call::bad_request("Cannot set a virtual block device as the boot disk."));
            }
            call.node_mut(id)?.boot_disk = Some(device_id);
            note(call, id, device_id, "set_boot_disk");
            Ok(Reply::bare_text(200, "OK"))
        }
        ("POST", Some(op @ ("add_tag" | "remove_tag"))) => {
            let add = op == "add_tag";
            let tag = call.form.filled("tag").ok_or_else(|| form_error("tag", REQUIRED))?.to_owned();
            if let Some(d) = call.node_mut(id)?.block_devices.get_mut(&device_id) {
                if add {
                    d.tags.insert(tag);
                } else {
                    d.tags.remove(&tag);
                }
            }
            device_reply(call, id, device_id)
        }
        ("POST", Some(op @ ("format" | "unformat" | "mount" | "unmount"))) => {
            let op = op.to_owned();
            need_ready_or_allocated(n, &format!("{op} block device"), "machine")?;
            if op == "format" && inventory::boot_disk(n).is_some_and(|b| b.id == device_id) {
                let text = "Cannot place filesystem directly on the boot disk. Create a partition on the boot disk first and then format the partition.";
                return Err(form_error("__all__", text));
            }
            if op == "format" && d.partition_table.is_some() {
                return Err(form_error("__all__", "Cannot format block device with a partition table."));
            }
            filesystem_operation(call, id, Place::Device(device_id), &op)?;
            note(call, id, device_id, &op);
            device_reply(call, id, device_id)
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

fn filesystem(n: &mut Node, place: Place) -> Option<&mut Option<Filesystem>> {
    match place {
        Place::Device(d) => n.block_devices.get_mut(&d).map(|d| &mut d.filesystem),
        Place::Partition(d, p) => n.block_devices.get_mut(&d)?.partitions.iter_mut().find(|x| x.id == p).map(|p| &mut p.filesystem),
    }
}

fn filesystem_operation(call: &mut Call<'_>, id: &str, place: Place, op: &str) -> Result<(), Reply> {
    let (what, model) = match place {
        Place::Device(_) => ("Block device", "BlockDevice"),
        Place::Partition(..) => ("Partition", "Partition"),
    };
    let seed = call.core.world.meta.options.seed;
    let text = |f: &str| call.form.get(f).map(str::to_owned);
    let (fstype, label, uuid) = (text("fstype"), text("label"), text("uuid"));
    let (mount_point, mount_options) = (text("mount_point"), text("mount_options"));
    if op == "format" {
        match fstype.as_deref() {
            None | Some("") => return Err(form_error("fstype", REQUIRED)),
            Some(t) if !FILESYSTEMS.contains(&t) => return Err(form_error("fstype", invalid_choice(t))),
            Some(_) => {}
        }
    }
    let uuid = uuid.filter(|u| !u.is_empty()).unwrap_or_else(|| {
        let n = call.core.take_id("filesystem");
        names::uuid(seed, &format!("filesystem {id} {n}"))
    });
    let taken = mount_point.as_deref().filter(|_| op == "mount").is_some_and(|m| {
        call.core.world.nodes.get(id).is_some_and(|n| {
            let other = |f: &Option<Filesystem>| f.as_ref().is_some_and(|f| f.mount_point.as_deref() == Some(m));
            n.block_devices.values().any(|d| {
                (other(&d.filesystem) && !matches!(place, Place::Device(x) if x == d.id))
                    || d.partitions.iter().any(|p| other(&p.filesystem) && !matches!(place, Place::Partition(_, x) if x == p.id))
            })
        })
    });
    let n = call.node_mut(id)?;
    let fs = filesystem(n, place).ok_or_else(|| missing(model))?;
    let in_group = fs.as_ref().is_some_and(|f| f.volume_group.is_some());
    match op {
        "format" => {
            if in_group {
                return Err(form_error("__all__", format!("{what} is in use by a volume group.")));
            }
            *fs = Some(Filesystem {
                fstype: fstype.unwrap_or_default(),
                label: Some(label.unwrap_or_default()),
                uuid,
                mount_point: None,
                mount_options: None,
                volume_group: None,
            });
        }
        "unformat" => match fs {
            None => return Err(super::call::bad_request(format!("{what} is not formatted."))),
            Some(f) if f.mount_point.is_some() => {
                let text = format!(
                    "Filesystem is mounted and cannot be unformatted. Unmount the filesystem before unformatting the {}.",
                    what.to_lowercase()
                );
                return Err(super::call::bad_request(text));
            }
            Some(_) if in_group => {
                let what = what.to_lowercase();
                let text = format!(
                    "Filesystem is part of a volume group, and cannot be unformatted. Remove {what} from volume group before unformatting the {what}."
                );
                return Err(super::call::bad_request(text));
            }
            Some(_) => *fs = None,
        },
        "mount" => {
            let Some(f) = fs.as_mut().filter(|f| f.volume_group.is_none()) else {
                let text = if in_group {
                    "Filesystem is part of a filesystem group, and cannot be mounted."
                } else {
                    "Cannot mount an unformatted partition or block device."
                };
                return Err(form_error("__all__", text));
            };
            let mut errors = FormErrors::default();
            match mount_point.as_deref() {
                None | Some("") => errors.add("mount_point", REQUIRED),
                Some(m) if !m.starts_with('/') && f.fstype != "swap" => errors.add("mount_point", "Enter a valid value."),
                Some(m) if taken => errors.add("__all__", format!("Another filesystem is already mounted at {m}.")),
                Some(_) => {}
            }
            errors.check()?;
            f.mount_point = if f.fstype == "swap" { Some("none".to_owned()) } else { mount_point };
            f.mount_options = Some(mount_options.unwrap_or_default());
        }
        _ if fs.is_none() => return Err(super::call::bad_request(format!("{what} is not formatted."))),
        _ => match fs.as_mut().filter(|f| f.mount_point.is_some()) {
            Some(f) => {
                f.mount_point = None;
                f.mount_options = None;
            }
            None => return Err(super::call::bad_request("Filesystem is already unmounted.")),
        },
    }
    Ok(())
}

pub(super) fn partitions(call: &mut Call<'_>, id: &str, device_id: i64) -> Answer {
    let n = call.node(id)?;
    let d = device(n, device_id)?;
    match call.signature() {
        ("GET", None) => Ok(list(d.partitions.iter().map(|p| render::partition(n, d, p)).collect())),
        ("POST", None) => {
            need_ready(n, "create partition")?;
            if d.filesystem.is_some() {
                return Err(form_error("__all__", "Cannot create partition on a formatted block device."));
            }
            let size = size_parameter(call, d.size, sizes::ALIGNMENT)?;
            let mut probe = d.clone();
            probe.partition_table.get_or_insert_with(|| "GPT".into());
            let free = sizes::available(n, &probe);
            let full = free < sizes::ALIGNMENT;
            if full || size.is_some_and(|s| sizes::align(s) > free) {
                return Err(form_error("size", "Partition cannot be saved; not enough free space on the block device."));
            }
            let bootable = call.form.flag("bootable").unwrap_or(false);
            let uuid = call.form.filled("uuid").map(str::to_owned);
            let p = inventory::add_partition(call.core, id, device_id, size, bootable, None).ok_or_else(|| missing("BlockDevice"))?;
            if let Some(u) = uuid
                && let Some(x) =
                    call.node_mut(id)?.block_devices.get_mut(&device_id).and_then(|d| d.partitions.iter_mut().find(|x| x.id == p))
            {
                x.uuid = u;
            }
            note(call, id, device_id, "create_partition");
            partition_reply(call, id, device_id, p)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

/// A size in bytes, within limits; `None` where none is given.
pub(super) fn size_parameter(call: &Call<'_>, most: u64, least: u64) -> Result<Option<u64>, Reply> {
    let Some(text) = call.form.filled("size") else { return Ok(None) };
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let factor: Option<u64> = match text[digits..].trim() {
        "" => Some(1),
        "K" | "k" => Some(1000),
        "M" | "m" => Some(1_000_000),
        "G" | "g" => Some(1_000_000_000),
        "T" | "t" => Some(1_000_000_000_000),
        _ => None,
    };
    let size = text[..digits].parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
    match size {
        None => Err(form_error("size", "Enter a valid size in bytes.")),
        Some(s) if s > most => Err(form_error("size", format!("Ensure this value is less than or equal to {most}."))),
        Some(s) if s < least => Err(form_error("size", format!("Ensure this value is greater than or equal to {least}."))),
        Some(s) => Ok(Some(s)),
    }
}

pub(super) fn partition(call: &mut Call<'_>, id: &str, device_id: i64, partition_id: i64) -> Answer {
    let n = call.node(id)?;
    let d = device(n, device_id)?;
    let p = d.partitions.iter().find(|p| p.id == partition_id).ok_or_else(|| missing("Partition"))?;
    match call.signature() {
        ("GET", None) => partition_reply(call, id, device_id, partition_id),
        ("DELETE", None) => {
            need_ready(n, "delete partition")?;
            if p.filesystem.as_ref().is_some_and(|f| f.volume_group.is_some()) {
                return Err(super::call::bad_request("Cannot delete a partition that is in use by a volume group."));
            }
            note(call, id, device_id, "delete_partition");
            if let Some(d) = call.node_mut(id)?.block_devices.get_mut(&device_id) {
                d.partitions.retain(|p| p.id != partition_id);
                if d.partitions.is_empty() {
                    d.partition_table = None;
                }
            }
            Ok(deleted())
        }
        ("POST", Some(op @ ("add_tag" | "remove_tag"))) => {
            let add = op == "add_tag";
            let tag = call.form.filled("tag").ok_or_else(|| form_error("tag", REQUIRED))?.to_owned();
            let n = call.node_mut(id)?;
            if let Some(p) = n.block_devices.get_mut(&device_id).and_then(|d| d.partitions.iter_mut().find(|p| p.id == partition_id)) {
                if add {
                    p.tags.insert(tag);
                } else {
                    p.tags.remove(&tag);
                }
            }
            partition_reply(call, id, device_id, partition_id)
        }
        ("POST", Some(op @ ("format" | "unformat" | "mount" | "unmount"))) => {
            let op = op.to_owned();
            need_ready_or_allocated(n, &format!("{op} partition"), "node")?;
            filesystem_operation(call, id, Place::Partition(device_id, partition_id), &op)?;
            note(call, id, device_id, &format!("{op}_partition"));
            partition_reply(call, id, device_id, partition_id)
        }
        _ => Err(call.unrecognised(&["GET", "POST", "DELETE"])),
    }
}

//! UUIDs are 32 hexadecimal digits in five groups (RFC 9562); FAT has eight digits.

use super::storage::filesystems;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Text};

pub(super) static RULE: Rule =
    Rule { code: Code("DD3120"), original: None, title: "a UUID is malformed", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let storage = &node.storage;
        let partitions = storage.physical_devices.values().flat_map(|disk| &disk.partitions).filter_map(|part| part.part_uuid.as_ref());
        let volumes = storage.volume_groups.values().flat_map(|group| &group.logical_volumes).filter_map(|volume| volume.lv_uuid.as_ref());
        // LVM's own are 32 letters and digits; what a design gives may be either.
        let of_lvm = storage.volume_groups.values().filter_map(|group| group.vg_uuid.as_ref()).chain(volumes);
        let on_them =
            filesystems(storage).filter_map(|(_, filesystem, _)| Some((filesystem.fs_uuid.as_ref()?, filesystem.fstype.as_str())));
        let plain = partitions.filter(|uuid| !is_uuid(uuid));
        let lvm = of_lvm.filter(|uuid| !is_uuid(uuid) && !is_lvm(uuid));
        let fat = |fstype: &str| matches!(fstype, "fat32" | "vfat");
        let others = on_them.filter(|(uuid, fstype)| !(is_uuid(uuid) || fat(fstype) && is_serial(uuid))).map(|(uuid, _)| uuid);
        for uuid in plain.chain(lvm).chain(others) {
            report(uuid, &node.name, findings);
        }
    }
}

fn report(uuid: &Text, node: &str, findings: &mut Findings<'_>) {
    let found = findings.finding(format!("`{uuid}` is no UUID")).at(uuid.span);
    findings.push(found.help("make one with `uuidgen`, or leave it out").resource(format!("node.{node}")));
}

fn groups(text: &str, lengths: &[usize], valid: fn(&u8) -> bool) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len() && parts.iter().zip(lengths).all(|(part, length)| part.len() == *length && part.bytes().all(|b| valid(&b)))
}

fn is_uuid(text: &str) -> bool {
    groups(text, &[8, 4, 4, 4, 12], u8::is_ascii_hexdigit)
}

fn is_lvm(text: &str) -> bool {
    groups(text, &[6, 4, 4, 4, 4, 4, 6], u8::is_ascii_alphanumeric)
}

fn is_serial(text: &str) -> bool {
    groups(text, &[4, 4], u8::is_ascii_hexdigit)
}

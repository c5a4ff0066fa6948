//! A UUID names one thing.

use std::collections::BTreeMap;

use super::storage::filesystems;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Text};

pub(super) static RULE: Rule =
    Rule { code: Code("DD3115"), original: None, title: "a UUID is given twice", severity: Severity::Error, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let storage = &node.storage;
        let partitions = storage.physical_devices.values().flat_map(|disk| &disk.partitions).filter_map(|part| part.part_uuid.as_ref());
        let groups = storage.volume_groups.values().filter_map(|group| group.vg_uuid.as_ref());
        let volumes = storage.volume_groups.values().flat_map(|group| &group.logical_volumes).filter_map(|volume| volume.lv_uuid.as_ref());
        let on_them = filesystems(storage).filter_map(|(_, filesystem, _)| filesystem.fs_uuid.as_ref());
        let mut first: BTreeMap<String, &Text> = BTreeMap::new();
        for uuid in partitions.chain(groups).chain(volumes).chain(on_them) {
            if let Some(other) = first.insert(uuid.to_ascii_lowercase(), uuid) {
                let found = findings.finding(format!("UUID `{uuid}` is given twice")).at(uuid.span).label(other.span, "the first");
                findings.push(found.help("make another one, with `uuidgen`").resource(format!("node.{}", node.name)));
            }
        }
    }
}

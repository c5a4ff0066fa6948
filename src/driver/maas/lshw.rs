//! Hardware facts from the `lshw -xml` text that commissioning collects: bus addresses of NICs and disks.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use crate::build::{InterfaceKind, Machine};

/// Bus addresses found in one machine's inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inventory {
    /// NICs: MAC in lower case → PCI address.
    pub(super) nics: BTreeMap<String, String>,
    /// Disks.
    pub(super) disks: Vec<DiskAddress>,
}

/// Where a disk is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskAddress {
    pub(super) bus: String,
    pub(super) names: Vec<String>,
    pub(super) serial: Option<String>,
}

/// Reads an inventory; `None` when the text is not XML.
pub(super) fn read(text: &str) -> Option<Inventory> {
    let document = Document::parse(text).ok()?;
    let mut out = Inventory::default();
    for node in document.descendants().filter(|n| n.is_element() && n.tag_name().name() == "node") {
        match node.attribute("class") {
            Some("network") => {
                if let (Some(mac), Some(bus)) = (child(node, "serial"), address(node, &["pci"])) {
                    out.nics.insert(mac.to_ascii_lowercase(), bus);
                }
            }
            Some("disk") => {
                if let Some(bus) = disk_address(node) {
                    let names = children(node, "logicalname").map(|n| n.trim_start_matches("/dev/").to_owned()).collect();
                    out.disks.push(DiskAddress { bus, names, serial: child(node, "serial").map(str::to_owned) });
                }
            }
            _ => {}
        }
    }
    Some(out)
}

/// A disk is known by its SCSI address; disks of other kinds by the PCI address of what they hang on.
fn disk_address(node: Node<'_, '_>) -> Option<String> {
    let own = child(node, "businfo").and_then(|b| b.split_once('@'));
    match own {
        Some(("scsi", at)) => Some(at.to_owned()),
        _ => address(node, &["pci"]).or_else(|| own.map(|(_, at)| at.to_owned())),
    }
}

/// The address on one of the buses, of the node or of the nearest node around it: a virtio NIC is a child of its PCI function.
fn address(node: Node<'_, '_>, buses: &[&str]) -> Option<String> {
    node.ancestors().filter_map(|n| child(n, "businfo")?.split_once('@')).find(|(bus, _)| buses.contains(bus)).map(|(_, at)| at.to_owned())
}

fn children<'a>(node: Node<'a, '_>, name: &'static str) -> impl Iterator<Item = &'a str> {
    node.children().filter(move |c| c.is_element() && c.tag_name().name() == name).filter_map(|c| c.text()).map(str::trim)
}

fn child<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).find(|t| !t.is_empty())
}

/// Writes the bus addresses into the machine's NICs and disks.
pub(super) fn enrich(machine: &mut Machine, inventory: &Inventory) {
    for nic in machine.interfaces.iter_mut().filter(|i| i.kind == InterfaceKind::Physical) {
        nic.bus = nic.mac.as_ref().and_then(|m| inventory.nics.get(m)).cloned();
    }
    for disk in &mut machine.disks {
        let by_serial = disk.serial.as_deref().filter(|s| !s.is_empty()).and_then(|serial| {
            let mut same = inventory.disks.iter().filter(|d| d.serial.as_deref() == Some(serial));
            // Some controllers give several disks one serial.
            same.next().filter(|_| same.next().is_none())
        });
        let found = by_serial.or_else(|| inventory.disks.iter().find(|d| d.names.contains(&disk.name)));
        disk.bus = found.map(|d| d.bus.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0" standalone="yes" ?>
<list>
 <node id="server" class="system"><node id="core" class="bus"><node id="pci" class="bridge"><businfo>pci@0000:00:00.0</businfo>
  <node id="network:0" class="network"><logicalname>eno1</logicalname><businfo>pci@0000:01:00.0</businfo><serial>AA:BB:CC:00:00:01</serial></node>
  <node id="network:1" class="network"><businfo>pci@0000:00:03.0</businfo>
   <node id="virtio0" class="network"><businfo>virtio@0</businfo><logicalname>ens3</logicalname><serial>52:54:00:00:00:02</serial></node></node>
  <node id="raid" class="storage"><businfo>pci@0000:03:00.0</businfo>
   <node id="disk:0" class="disk"><logicalname>/dev/sda</logicalname><businfo>scsi@2:0.0.0</businfo><serial>S1</serial></node>
   <node id="disk:1" class="disk"><logicalname>/dev/sdb</logicalname><logicalname>/srv</logicalname><businfo>scsi@2:0.1.0</businfo></node></node>
  <node id="nvme" class="storage"><businfo>pci@0000:04:00.0</businfo>
   <node id="namespace" class="disk"><logicalname>/dev/nvme0n1</logicalname><businfo>nvme@0:1</businfo><serial>N1</serial></node></node>
 </node></node></node>
</list>"#;

    #[test]
    fn finds_bus_addresses() {
        let inventory = read(TEXT).unwrap();
        assert_eq!(inventory.nics["aa:bb:cc:00:00:01"], "0000:01:00.0");
        assert_eq!(inventory.nics["52:54:00:00:00:02"], "0000:00:03.0", "a virtio NIC has the address of its PCI function");
        let disks: Vec<_> = inventory.disks.iter().map(|d| (d.bus.as_str(), d.names[0].as_str(), d.serial.as_deref())).collect();
        assert_eq!(disks, [("2:0.0.0", "sda", Some("S1")), ("2:0.1.0", "sdb", None), ("0000:04:00.0", "nvme0n1", Some("N1"))]);
    }

    #[test]
    fn what_is_not_xml_is_no_inventory() {
        assert_eq!(read(""), None);
        assert_eq!(read("<list><node>"), None);
        assert_eq!(read("<list/>"), Some(Inventory::default()));
    }
}

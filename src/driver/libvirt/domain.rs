//! Domain XML (<https://libvirt.org/formatdomain.html>): what it says, and another boot order in it.

use roxmltree::{Document, Node};

use crate::action::params::BootTarget;
use crate::build::{BootEnabled, BootOverride};
use crate::driver::level::{Boot, Shown};

/// Largest description of a domain that is read, in bytes; real ones have some ten thousand.
const MOST: usize = 1 << 20;

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub(super) name: String,
    /// Lower case.
    pub(super) uuid: String,
    /// Of its NICs, lower case, sorted.
    pub(super) macs: Vec<String>,
    pub(super) boot: Boot,
}

fn devices<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    document.root_element().children().filter(|n| n.has_tag_name("devices")).flat_map(|n| n.children()).filter(Node::is_element)
}

fn mac_of(interface: Node<'_, '_>) -> Option<String> {
    let mac = interface.children().find(|n| n.has_tag_name("mac"))?;
    mac.attribute("address").map(str::to_ascii_lowercase)
}

fn is_hard_disk(device: Node<'_, '_>) -> bool {
    device.has_tag_name("disk") && matches!(device.attribute("device"), None | Some("disk" | "lun"))
}

/// A device's place in the boot order.
fn order(device: Node<'_, '_>) -> Option<u32> {
    device.children().find(|n| n.has_tag_name("boot"))?.attribute("order")?.parse().ok()
}

fn parse(xml: &str) -> Result<Document<'_>, String> {
    if xml.len() > MOST {
        return Err(format!("its description has more than {MOST} bytes"));
    }
    let document = Document::parse(xml).map_err(|e| format!("its description is not XML: {e}"))?;
    if !document.root_element().has_tag_name("domain") {
        return Err("its description is that of no domain".to_owned());
    }
    Ok(document)
}

/// Reads a description; `boot_mac` is the NIC that PXE means.
pub(super) fn read(xml: &str, boot_mac: &str) -> Result<Domain, String> {
    let document = parse(xml)?;
    let text = |name: &str| document.root_element().children().find(|n| n.has_tag_name(name)).and_then(|n| n.text()).map(str::trim);
    let uuid = text("uuid").filter(|u| u.len() == 36).ok_or("its description has no UUID")?.to_ascii_lowercase();
    let mut macs: Vec<String> = devices(&document).filter(|n| n.has_tag_name("interface")).filter_map(mac_of).collect();
    macs.sort();
    macs.dedup();
    let first = devices(&document).filter_map(|n| Some((order(n)?, n))).min_by_key(|(order, _)| *order).map(|(_, n)| n);
    let old = document.root_element().children().filter(|n| n.has_tag_name("os")).flat_map(|n| n.children());
    let old = old.filter(|n| n.has_tag_name("boot")).find_map(|n| n.attribute("dev"));
    let target = match (first, old) {
        (Some(device), _) if device.has_tag_name("interface") && mac_of(device).as_deref() == Some(boot_mac) => "Pxe",
        (Some(device), _) if is_hard_disk(device) => "Hdd",
        (None, Some("network")) => "Pxe",
        // Without any, libvirt boots from the disk.
        (None, Some("hd") | None) => "Hdd",
        (Some(_), _) | (None, Some(_)) => "Other",
    };
    let shown = |is: &str| if target == is { Shown::Yes } else { Shown::No };
    let fact = BootOverride {
        target: if target == "Hdd" { "None".to_owned() } else { target.to_owned() },
        enabled: if target == "Hdd" { BootEnabled::Disabled } else { BootEnabled::Continuous },
        mode: None,
        allowable: ["None", "Pxe", "Hdd"].map(str::to_owned).to_vec(),
    };
    Ok(Domain { name: text("name").unwrap_or_default().to_owned(), uuid, macs, boot: Boot { pxe: shown("Pxe"), disk: shown("Hdd"), fact } })
}

/// The description with another boot order: the NIC with `boot_mac` first and the disks after it, or the other way round.
pub(super) fn with_boot(xml: &str, boot_mac: &str, target: BootTarget) -> Result<String, String> {
    let document = parse(xml)?;
    let nic = devices(&document).find(|n| n.has_tag_name("interface") && mac_of(*n).as_deref() == Some(boot_mac));
    let nic = nic.ok_or_else(|| format!("it has no NIC with MAC {boot_mac}"))?;
    let disks = devices(&document).filter(|n| is_hard_disk(*n));
    let ordered: Vec<Node<'_, '_>> = match target {
        BootTarget::Pxe => std::iter::once(nic).chain(disks).collect(),
        BootTarget::Disk => disks.chain([nic]).collect(),
    };
    if target == BootTarget::Disk && ordered.len() == 1 {
        return Err("it has no disk".to_owned());
    }
    // The order of devices and that of `os` exclude each other.
    let os = document.root_element().children().filter(|n| n.has_tag_name("os"));
    let stale = devices(&document).chain(os).flat_map(|n| n.children()).filter(|n| n.has_tag_name("boot"));
    let mut edits: Vec<(std::ops::Range<usize>, String)> = stale.map(|n| (n.range(), String::new())).collect();
    for (i, device) in ordered.iter().enumerate() {
        let Some(last) = device.last_child() else { return Err("a boot device is described by nothing".to_owned()) };
        let end = last.range().end;
        edits.push((end..end, format!("<boot order='{}'/>", i + 1)));
    }
    // From the end, so that places stay right; what is inserted where something ends comes after it.
    edits.sort_by_key(|(range, _)| std::cmp::Reverse((range.start, range.end)));
    let mut out = xml.to_owned();
    for (range, text) in edits {
        out.replace_range(range, &text);
    }
    Ok(out)
}

//! A node from its merged tree.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::reader::{Reader, dict_at, entries, key_text, name_at, name_or_unreadable_at, scalar, texts_at};
use crate::diag::Diagnostic;
use crate::document::Document;
use crate::model::profiles::Inherited;
use crate::model::{
    Address, Filesystem, HardwareProfile, Interface, Located, LogicalVolume, Node, Oob, OobType, Partition, PhysicalDevice, Platform, Size,
    Storage, Text, VolumeGroup, codes,
};
use crate::redact::Secret;
use crate::yaml::{Key, Mapping, Node as Tree, Value};

/// What surrounds a node.
pub(in crate::model) struct Host<'a> {
    pub(in crate::model) document: &'a Document,
    pub(in crate::model) inherited: Inherited,
    pub(in crate::model) hardware_profiles: &'a BTreeMap<String, HardwareProfile>,
    pub(in crate::model) layouts: &'a mut Layouts,
}

/// Storage layouts that were decoded before. A tree that nodes inherit unchanged is one tree, and decoded once.
#[derive(Default)]
pub(in crate::model) struct Layouts {
    /// By the address of the tree, which the entry keeps alive.
    known: HashMap<usize, (Arc<Mapping>, Arc<Storage>)>,
}

impl Layouts {
    fn decode(&mut self, tree: Option<&Tree>, r: &mut Reader<'_>) -> Arc<Storage> {
        let Some(Tree { value: Value::Map(mapping), .. }) = tree else { return Arc::default() };
        let entry = self.known.entry(Arc::as_ptr(mapping).addr());
        let (_, storage) = entry.or_insert_with(|| (Arc::clone(mapping), Arc::new(storage(tree, r))));
        Arc::clone(storage)
    }
}

/// Decodes a node. What depends on networks (OOB address, FQDN) is left for later.
pub(in crate::model) fn host(host: Host<'_>, r: &mut Reader<'_>) -> Node {
    let Host { document, inherited: Inherited { tree, chain, incomplete }, hardware_profiles, layouts } = host;
    let tree = &tree;
    let nothing = Tree::nowhere(Value::Null);
    let metadata = tree.get("metadata").unwrap_or(&nothing);
    let hardware_profile = name_at(tree, "hardware_profile");
    let hardware = hardware_profile.as_ref().and_then(|name| hardware_profiles.get(&name.value));
    Node {
        name: Located::new(document.name.clone(), document.name_span),
        span: document.span,
        fqdn: String::new(),
        domain: None,
        host_profiles: chain,
        incomplete,
        oob: oob(tree.get("oob").unwrap_or(&nothing), r),
        primary_network: name_at(tree, "primary_network"),
        interfaces: entries(tree.get("interfaces")).map(|(key, node)| (key.name.to_string(), interface(key, node, r))).collect(),
        storage: layouts.decode(tree.get("storage"), r),
        platform: platform(tree.get("platform").unwrap_or(&nothing), hardware_profile.as_ref(), hardware, r),
        addressing: tree.get("addressing").and_then(Tree::as_seq).unwrap_or_default().iter().filter_map(|node| address(node, r)).collect(),
        tags: texts_at(metadata, "tags"),
        owner_data: dict_at(metadata, "owner_data"),
        rack: name_at(metadata, "rack"),
        boot_mac: metadata.get("boot_mac").and_then(|node| mac(node, r)),
        hardware_profile,
    }
}

fn oob(node: &Tree, r: &mut Reader<'_>) -> Oob {
    const KINDS: [(&str, OobType); 4] =
        [("ipmi", OobType::Ipmi), ("redfish", OobType::Redfish), ("libvirt", OobType::Libvirt), ("manual", OobType::Manual)];
    Oob {
        // A type that could not be read is taken for one that needs nothing, so that nothing else is reported because of it.
        kind: node.get("type").and_then(|kind| {
            scalar(kind)?;
            Some(r.word(kind, "type of out-of-band management", &KINDS).unwrap_or(Located::default_value(OobType::Manual)))
        }),
        network: name_at(node, "network"),
        address: None,
        account: name_at(node, "account"),
        credential: name_at(node, "credential").map(|secret| Located::new(Secret::new(secret.value), secret.span)),
        libvirt_uri: name_at(node, "libvirt_uri"),
    }
}

fn interface(key: &Key, node: &Tree, r: &mut Reader<'_>) -> Interface {
    let sriov = node.get("sriov");
    Interface {
        name: key_text(key),
        device_link: name_at(node, "device_link"),
        slaves: texts_at(node, "slaves"),
        networks: texts_at(node, "networks"),
        labels: dict_at(node, "labels"),
        sriov_vf_count: sriov.and_then(|sriov| r.number_at(sriov, "vf_count")),
        sriov_trusted: sriov.and_then(|sriov| r.bool_at(sriov, "trustedmode").or_else(|| r.bool_at(sriov, "trustmode"))),
    }
}

fn storage(node: Option<&Tree>, r: &mut Reader<'_>) -> Storage {
    let mut physical_devices = BTreeMap::new();
    for (key, node) in entries(node.and_then(|node| node.get("physical_devices"))) {
        let partitions = node.get("partitions").and_then(Tree::as_seq).unwrap_or_default();
        let device = PhysicalDevice {
            name: key_text(key),
            labels: dict_at(node, "labels"),
            partitions: partitions.iter().enumerate().filter_map(|(at, node)| partition(&key.name, at, node, r)).collect(),
            volume_group: name_at(node, "volume_group"),
        };
        physical_devices.insert(key.name.to_string(), device);
    }
    let mut volume_groups = BTreeMap::new();
    for (key, node) in entries(node.and_then(|node| node.get("volume_groups"))) {
        let volumes = node.get("logical_volumes").and_then(Tree::as_seq).unwrap_or_default();
        let group = VolumeGroup {
            name: key_text(key),
            vg_uuid: name_at(node, "vg_uuid"),
            logical_volumes: volumes.iter().filter_map(|node| logical_volume(&key.name, node, r)).collect(),
        };
        volume_groups.insert(key.name.to_string(), group);
    }
    Storage { physical_devices, volume_groups }
}

/// What stands for a size that could not be read, so that the thing itself is still there for the rules.
const UNREADABLE: Located<Size> = Located::default_value(Size::Bytes(u64::MAX));

fn partition(device: &str, at: usize, node: &Tree, r: &mut Reader<'_>) -> Option<Partition> {
    node.as_map()?;
    let name = name_at(node, "name").unwrap_or_else(|| Located::new(format!("{device}-part{}", at + 1), node.span));
    let size = node.get("size").filter(|size| !size.is_null());
    if size.is_none() {
        r.missing(node, format!("partition `{name}` without `size`"), "give a size such as `30g`, `>30g` or `50%`");
    }
    Some(Partition {
        size: size.and_then(|size| r.size(size)).unwrap_or(UNREADABLE),
        bootable: r.bool_at(node, "bootable").unwrap_or(Located::default_value(false)),
        filesystem: node.get("filesystem").and_then(filesystem),
        volume_group: name_at(node, "volume_group"),
        part_uuid: name_at(node, "part_uuid"),
        name,
    })
}

fn logical_volume(group: &str, node: &Tree, r: &mut Reader<'_>) -> Option<LogicalVolume> {
    node.as_map()?;
    let Some(name) = name_at(node, "name") else {
        r.missing(node, format!("logical volume of `{group}` without `name`"), "name it");
        return None;
    };
    let Some(size) = node.get("size").filter(|size| !size.is_null()) else {
        r.missing(node, format!("logical volume `{name}` without `size`"), "give a size such as `30g`, `>30g` or `50%`");
        return None;
    };
    Some(LogicalVolume {
        size: r.size(size).unwrap_or(UNREADABLE),
        filesystem: node.get("filesystem").and_then(filesystem),
        lv_uuid: name_at(node, "lv_uuid"),
        name,
    })
}

/// Defaults are those of Drydock's documentation: `ext4` and `defaults`.
fn filesystem(node: &Tree) -> Option<Filesystem> {
    node.as_map()?;
    let text = |value: &str| Located::default_value(value.to_owned());
    Some(Filesystem {
        mountpoint: name_at(node, "mountpoint"),
        fstype: name_at(node, "fstype").unwrap_or_else(|| text("ext4")),
        mount_options: name_at(node, "mount_options").unwrap_or_else(|| text("defaults")),
        fslabel: name_at(node, "fs_label"),
        fs_uuid: name_at(node, "fs_uuid"),
    })
}

fn platform(node: &Tree, profile: Option<&Text>, hardware: Option<&HardwareProfile>, r: &mut Reader<'_>) -> Platform {
    let (mut kernel_params, mut kernel_params_at) = (BTreeMap::new(), BTreeMap::new());
    for (key, node) in entries(node.get("kernel_params")) {
        if let Some(value) = kernel_param(&key.name, node, profile, hardware, r) {
            if value.span != node.span {
                kernel_params_at.insert(key.name.to_string(), value.span);
            }
            kernel_params.insert(key.name.to_string(), Located::new(value.value, node.span));
        }
    }
    Platform { image: name_or_unreadable_at(node, "image"), kernel: name_at(node, "kernel"), kernel_params, kernel_params_at }
}

/// `true` is a bare word (an empty text here); `false` leaves the parameter out.
fn kernel_param(name: &str, node: &Tree, profile: Option<&Text>, hardware: Option<&HardwareProfile>, r: &mut Reader<'_>) -> Option<Text> {
    match &node.value {
        Value::Bool(true) => return Some(Located::new(String::new(), node.span)),
        Value::Bool(false) => return None,
        // How Python writes a boolean that was turned into a text.
        Value::Str(text) if &**text == "True" => return Some(Located::new(String::new(), node.span)),
        _ => {}
    }
    let text = scalar(node)?;
    let Some(reference) = hardware_reference(&text) else {
        return Some(Located::new(text, node.span));
    };
    let mut found = match (profile, hardware) {
        (None, _) => Diagnostic::error(
            codes::UNKNOWN_HARDWARE_REFERENCE,
            format!("kernel parameter `{name}` refers to a hardware profile, and the node has none"),
        )
        .help("set `hardware_profile`"),
        // The unknown profile is reported by itself.
        (Some(_), None) => return None,
        (Some(profile), Some(hardware)) => match look_up(reference, hardware) {
            Ok(value) => return Some(value),
            Err(help) => Diagnostic::error(
                codes::UNKNOWN_HARDWARE_REFERENCE,
                format!("kernel parameter `{name}`: hardware profile `{profile}` has no `{reference}`"),
            )
            .help(help),
        },
    };
    found = found.at(node.span);
    r.report(found);
    None
}

/// What a kernel parameter refers to in the hardware profile of its node, if it is a reference.
pub(in crate::model) fn hardware_reference(text: &str) -> Option<&str> {
    text.strip_prefix("hardwareprofile:").or_else(|| text.strip_prefix("hardwareprofile."))
}

/// A value of a hardware profile, and where it is written: that is what people change.
fn look_up(reference: &str, hardware: &HardwareProfile) -> Result<Text, String> {
    let (kind, rest) = reference.split_once('.').unwrap_or((reference, ""));
    let known = |names: Vec<&String>| {
        if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
        }
    };
    match kind {
        "cpuset" => hardware
            .cpu_sets
            .get(rest)
            .cloned()
            .ok_or_else(|| format!("define `cpu_sets.{rest}` in the hardware profile; {}", known(hardware.cpu_sets.keys().collect()))),
        "hugepages" => {
            let (name, field) = rest.rsplit_once('.').unwrap_or((rest, ""));
            let pages = hardware.hugepages.get(name).ok_or_else(|| {
                format!("define `hugepages.{name}` in the hardware profile; {}", known(hardware.hugepages.keys().collect()))
            })?;
            match field {
                "size" => Ok(pages.size.clone()),
                "count" => Ok(Located::new(pages.count.value.to_string(), pages.count.span)),
                _ => Err(format!("write `hardwareprofile:hugepages.{name}.size` or `.count`")),
            }
        }
        _ => Err("write `hardwareprofile:cpuset.NAME`, `hardwareprofile:hugepages.NAME.size` or `hardwareprofile:hugepages.NAME.count`"
            .to_owned()),
    }
}

fn address(node: &Tree, r: &mut Reader<'_>) -> Option<Address> {
    node.as_map()?;
    let Some(network) = name_at(node, "network") else {
        r.missing(node, "address without `network`".to_owned(), "name the network that the address is on");
        return None;
    };
    let text = node.get("address").and_then(scalar).unwrap_or_default();
    if text.is_empty() {
        r.missing(node, format!("no address on network `{network}`"), "give an address or `dhcp`, or remove the entry");
        return None;
    }
    if text.eq_ignore_ascii_case("dhcp") {
        return Some(Address { network, address: None, dhcp: true });
    }
    let address = r.ip_at(node, "address");
    Some(Address { network, address, dhcp: false })
}

fn mac(node: &Tree, r: &mut Reader<'_>) -> Option<Text> {
    let text = scalar(node)?;
    let octets: Vec<&str> = text.split([':', '-']).collect();
    if octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Some(Located::new(octets.join(":").to_ascii_lowercase(), node.span));
    }
    r.malformed(node, format!("`{text}` is not a MAC address"), "write six octets, such as `52:54:00:12:34:56`, in quotes");
    None
}

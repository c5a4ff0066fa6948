//! Machines.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::{WireId, nullable, text};
use crate::build::{
    BondParameters, Disk, DiskKind, DiskPartition, FilesystemFacts, Firmware, InterfaceKind, LinkMode, LogicalVolumeFacts, Machine,
    MachineInterface, MachineStatus, PowerState, SubnetLink, VolumeGroupFacts,
};

/// A machine and what its own answer leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Found {
    /// The machine, without bus addresses, BMC address and volume groups.
    pub(in super::super) machine: Machine,
    /// Whether it has volume groups, which a request of their own answers.
    pub(in super::super) has_volume_groups: bool,
    /// Its only volume group, without the UUID, where its devices tell all else.
    pub(in super::super) only_group: Option<VolumeGroupFacts>,
    /// What MAAS says it is doing (`status_message`).
    pub(in super::super) message: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireMachine {
    system_id: String,
    hostname: String,
    #[serde(default)]
    domain: Option<WireName>,
    status: u32,
    #[serde(default)]
    status_name: String,
    #[serde(default)]
    status_message: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default)]
    current_commissioning_result_id: Option<u64>,
    #[serde(default)]
    current_installation_result_id: Option<u64>,
    #[serde(default)]
    power_type: Option<String>,
    #[serde(default)]
    power_state: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    hardware_uuid: Option<String>,
    #[serde(default)]
    hardware_info: Option<WireHardware>,
    #[serde(default)]
    bios_boot_method: Option<String>,
    #[serde(default)]
    boot_interface: Option<WireMac>,
    #[serde(default, deserialize_with = "nullable")]
    architecture: String,
    #[serde(default)]
    cpu_count: u32,
    #[serde(default)]
    memory: u64,
    #[serde(default)]
    interface_set: Vec<WireInterface>,
    #[serde(default)]
    default_gateways: Option<WireGateways>,
    #[serde(default)]
    blockdevice_set: Vec<WireDisk>,
    #[serde(default)]
    boot_disk: Option<WireName>,
    #[serde(default)]
    volume_groups: Vec<WireId>,
    #[serde(default, deserialize_with = "nullable")]
    osystem: String,
    #[serde(default, deserialize_with = "nullable")]
    distro_series: String,
    #[serde(default)]
    hwe_kernel: Option<String>,
    #[serde(default)]
    min_hwe_kernel: Option<String>,
    #[serde(default)]
    pool: Option<WireName>,
    #[serde(default)]
    zone: Option<WireName>,
    #[serde(default)]
    tag_names: Vec<String>,
    #[serde(default)]
    owner_data: BTreeMap<String, String>,
    #[serde(default)]
    workload_annotations: BTreeMap<String, String>,
}

/// Something of which only the name matters: a domain, pool, zone, space or disk.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireName {
    pub(in super::super) name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct WireHardware {
    #[serde(default)]
    system_serial: Option<String>,
    #[serde(default)]
    system_vendor: Option<String>,
    #[serde(default)]
    mainboard_firmware_version: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireMac {
    #[serde(default)]
    mac_address: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireGateways {
    #[serde(default)]
    ipv4: Option<WireGateway>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireGateway {
    #[serde(default)]
    gateway_ip: Option<IpAddr>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireInterface {
    id: u64,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mac_address: Option<String>,
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    vlan: Option<WireId>,
    #[serde(default)]
    effective_mtu: u32,
    #[serde(default)]
    parents: Vec<String>,
    // Older releases answer an empty text for no parameters.
    #[serde(default, deserialize_with = "parameters")]
    params: WireParams,
    #[serde(default)]
    links: Vec<WireLink>,
    #[serde(default)]
    link_connected: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[allow(clippy::struct_field_names)] // As MAAS names them.
struct WireParams {
    #[serde(default)]
    bond_mode: Option<String>,
    #[serde(default)]
    bond_xmit_hash_policy: Option<String>,
    #[serde(default)]
    bond_lacp_rate: Option<String>,
    #[serde(default)]
    bond_miimon: Option<u32>,
    #[serde(default)]
    bond_updelay: Option<u32>,
    #[serde(default)]
    bond_downdelay: Option<u32>,
}

fn parameters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WireParams, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    if value.is_object() { serde_json::from_value(value).map_err(serde::de::Error::custom) } else { Ok(WireParams::default()) }
}

#[derive(Debug, Clone, Deserialize)]
struct WireLink {
    id: u64,
    mode: String,
    #[serde(default)]
    subnet: Option<WireCidr>,
    #[serde(default)]
    ip_address: Option<IpAddr>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireCidr {
    cidr: IpNet,
}

#[derive(Debug, Clone, Deserialize)]
struct WireDisk {
    id: u64,
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    size: u64,
    #[serde(default)]
    available_size: u64,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    serial: Option<String>,
    #[serde(default)]
    id_path: Option<String>,
    #[serde(default)]
    partition_table_type: Option<String>,
    #[serde(default)]
    partitions: Vec<WirePartition>,
    #[serde(default)]
    filesystem: Option<WireFilesystem>,
    #[serde(default, deserialize_with = "nullable")]
    used_for: String,
    #[serde(default)]
    uuid: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct WirePartition {
    id: u64,
    size: u64,
    #[serde(default)]
    bootable: bool,
    #[serde(default)]
    filesystem: Option<WireFilesystem>,
    #[serde(default, deserialize_with = "nullable")]
    used_for: String,
    #[serde(default)]
    uuid: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireFilesystem {
    fstype: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    mount_point: Option<String>,
    #[serde(default)]
    mount_options: Option<String>,
    #[serde(default)]
    uuid: Option<String>,
}

/// `GET nodes/ID/results/current-commissioning/` with `include_output`.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireScriptSet {
    #[serde(default)]
    results: Vec<WireScriptResult>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireScriptResult {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    status_name: String,
    /// Standard output and error together, in base64.
    #[serde(default, deserialize_with = "nullable")]
    output: String,
}

impl WireScriptSet {
    /// Name and output of each script; where a script said nothing, how it ended.
    pub(in super::super) fn into_outputs(self) -> impl Iterator<Item = (String, String)> {
        self.results.into_iter().map(|r| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(r.output.trim()).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (r.name, if text.trim().is_empty() { r.status_name } else { text })
        })
    }
}

/// `op=query_power_state` of a machine.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WirePowerState {
    pub(in super::super) state: String,
}

/// `GET nodes/ID/volume-groups/`; the machine's own answer has ids only.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireVolumeGroup {
    id: u64,
    name: String,
    size: u64,
    #[serde(default)]
    available_size: u64,
    #[serde(default)]
    logical_volumes: Vec<WireDisk>,
    #[serde(default)]
    uuid: Option<String>,
}

impl From<WireVolumeGroup> for VolumeGroupFacts {
    fn from(w: WireVolumeGroup) -> Self {
        let prefix = format!("{}-", w.name);
        let mut logical_volumes: Vec<LogicalVolumeFacts> = w
            .logical_volumes
            .into_iter()
            .map(|v| LogicalVolumeFacts {
                id: v.id,
                name: v.name.strip_prefix(&prefix).map_or_else(|| v.name.clone(), str::to_owned),
                size: v.size,
                filesystem: v.filesystem.and_then(filesystem),
                uuid: text(v.uuid),
            })
            .collect();
        logical_volumes.sort_by_key(|v| v.id);
        Self { id: w.id, name: w.name, size: w.size, available: w.available_size, logical_volumes, uuid: text(w.uuid) }
    }
}

/// A filesystem that holds files or swap; memberships of volume groups are told by the group.
fn filesystem(w: WireFilesystem) -> Option<FilesystemFacts> {
    if w.fstype == "lvm-pv" {
        return None;
    }
    Some(FilesystemFacts {
        fstype: w.fstype,
        label: text(w.label),
        mount_point: text(w.mount_point),
        mount_options: text(w.mount_options),
        uuid: text(w.uuid),
    })
}

/// The volume group a device belongs to: MAAS says it in words only (`LVM volume for vg0`).
fn group(fs: Option<&WireFilesystem>, used_for: &str) -> Option<String> {
    if fs.is_none_or(|f| f.fstype != "lvm-pv") {
        return None;
    }
    Some(used_for.strip_prefix("LVM volume for ").unwrap_or_default().to_owned())
}

/// What MAAS counts volume groups in.
const EXTENT: u64 = 4 << 20;

/// The only volume group of a machine, from its devices: MAAS names members after their group and logical volumes `GROUP-VOLUME`, and keeps one extent of
/// each member for itself (`maasserver.models.filesystemgroup`). Nothing where devices tell of more than that.
fn only_group(groups: &[WireId], devices: &[WireDisk]) -> Option<VolumeGroupFacts> {
    let [WireId { id }] = groups else { return None };
    let (virtual_devices, disks): (Vec<&WireDisk>, Vec<&WireDisk>) = devices.iter().partition(|d| d.kind == "virtual");
    let whole = disks.iter().map(|d| (group(d.filesystem.as_ref(), &d.used_for), d.size));
    let parts = disks.iter().flat_map(|d| &d.partitions).map(|p| (group(p.filesystem.as_ref(), &p.used_for), p.size));
    let members: Vec<(String, u64)> = whole.chain(parts).filter_map(|(group, size)| Some((group?, size))).collect();
    let (name, _) = members.first().filter(|(name, _)| !name.is_empty() && members.iter().all(|m| m.0 == *name))?;
    let prefix = format!("{name}-");
    let volumes: Option<Vec<LogicalVolumeFacts>> = virtual_devices
        .into_iter()
        .map(|d| {
            let name = d.name.strip_prefix(&prefix)?.to_owned();
            let filesystem = d.filesystem.clone().and_then(filesystem);
            Some(LogicalVolumeFacts { id: d.id, name, size: d.size, filesystem, uuid: text(d.uuid.clone()) })
        })
        .collect();
    let mut logical_volumes = volumes?;
    logical_volumes.sort_by_key(|v| v.id);
    let total: u64 = members.iter().map(|m| m.1).sum();
    let size = (total / EXTENT).saturating_sub(members.len() as u64) * EXTENT;
    let used: u64 = logical_volumes.iter().map(|v| v.size).sum();
    Some(VolumeGroupFacts { id: *id, name: name.clone(), size, available: size.saturating_sub(used), logical_volumes, uuid: None })
}

/// Statuses by number (`maasserver.enum.NODE_STATUS`).
fn status(number: u32, has_system: bool) -> MachineStatus {
    match number {
        0 => MachineStatus::New,
        1 => MachineStatus::Commissioning,
        2 => MachineStatus::FailedCommissioning,
        4 => MachineStatus::Ready,
        6 => MachineStatus::Deployed,
        8 => MachineStatus::Broken,
        9 => MachineStatus::Deploying,
        10 => MachineStatus::Allocated,
        11 => MachineStatus::FailedDeployment,
        12 | 14 => MachineStatus::Releasing,
        13 | 15 => MachineStatus::FailedReleasing,
        16..=20 => MachineStatus::Rescue,
        // Tests run as a part of commissioning, or by hand on a machine that is in use.
        21 if !has_system => MachineStatus::Commissioning,
        22 if !has_system => MachineStatus::FailedCommissioning,
        _ => MachineStatus::Other,
    }
}

/// Texts that firmware reports instead of a serial number.
fn placeholder(serial: &str) -> bool {
    let s = serial.trim().to_ascii_lowercase();
    s.is_empty()
        || s.chars().all(|c| matches!(c, '0' | '.' | '-' | ' '))
        || ["unknown", "none", "n/a", "not specified", "not available", "default string", "to be filled by o.e.m.", "system serial number"]
            .contains(&s.as_str())
}

impl WireMachine {
    /// Into the build model.
    pub(in super::super) fn found(self) -> Found {
        let status = status(self.status, !self.osystem.is_empty());
        let failed = matches!(
            status,
            MachineStatus::FailedCommissioning
                | MachineStatus::FailedDeployment
                | MachineStatus::FailedReleasing
                | MachineStatus::Broken
                | MachineStatus::Rescue
                | MachineStatus::Other
        );
        let failure = if failed { text(self.error_description).or_else(|| text(self.status_message.clone())) } else { None };
        let mut macs: Vec<String> = self
            .interface_set
            .iter()
            .filter(|i| i.kind == "physical")
            .filter_map(|i| i.mac_address.as_ref())
            .map(|m| m.to_ascii_lowercase())
            .collect();
        macs.sort();
        macs.dedup();
        let mut tags = self.tag_names;
        tags.sort();
        let annotations = if self.workload_annotations.is_empty() { self.owner_data } else { self.workload_annotations };
        let told = |value: Option<String>| text(value).filter(|v| !placeholder(v));
        let (serial, mut firmware) = match self.hardware_info {
            Some(h) => {
                let firmware =
                    Firmware { vendor: told(h.system_vendor), bios_version: told(h.mainboard_firmware_version), boot_mode: None };
                (told(h.system_serial), firmware)
            }
            None => (None, Firmware::default()),
        };
        // MAAS calls the old way after how it boots.
        firmware.boot_mode = told(self.bios_boot_method).map(|m| if m == "pxe" { "bios".to_owned() } else { m });
        Found {
            has_volume_groups: !self.volume_groups.is_empty(),
            only_group: only_group(&self.volume_groups, &self.blockdevice_set),
            message: text(self.status_message),
            machine: Machine {
                id: self.system_id,
                hostname: self.hostname,
                domain: self.domain.map(|d| d.name).unwrap_or_default(),
                status,
                status_name: self.status_name,
                failure,
                status_since: None,
                commissioning: self.current_commissioning_result_id,
                installation: self.current_installation_result_id,
                power: match self.power_state.as_deref() {
                    Some("on") => PowerState::On,
                    Some("off") => PowerState::Off,
                    _ => PowerState::Unknown,
                },
                power_error: self.power_state.as_deref() == Some("error"),
                power_type: text(self.power_type),
                bmc_address: None,
                owner: text(self.owner),
                locked: self.locked,
                uuid: text(self.hardware_uuid).map(|u| u.to_ascii_lowercase()),
                serial,
                macs,
                boot_mac: self.boot_interface.and_then(|i| i.mac_address).map(|m| m.to_ascii_lowercase()),
                architecture: self.architecture,
                cpus: self.cpu_count,
                memory_mib: self.memory,
                firmware: (firmware != Firmware::default()).then_some(firmware),
                interfaces: self.interface_set.into_iter().map(MachineInterface::from).collect(),
                default_gateway: self.default_gateways.and_then(|g| g.ipv4).and_then(|g| g.gateway_ip),
                disks: self.blockdevice_set.into_iter().map(Disk::from).collect(),
                boot_disk: self.boot_disk.map(|d| d.name),
                volume_groups: Vec::new(),
                os: self.osystem,
                series: self.distro_series,
                kernel: text(self.hwe_kernel),
                min_kernel: text(self.min_hwe_kernel),
                pool: self.pool.map(|p| p.name),
                zone: self.zone.map(|z| z.name),
                tags,
                owner_data: annotations,
            },
        }
    }
}

impl From<WireInterface> for MachineInterface {
    fn from(w: WireInterface) -> Self {
        let kind = match w.kind.as_str() {
            "physical" => InterfaceKind::Physical,
            "bond" => InterfaceKind::Bond,
            "vlan" => InterfaceKind::Vlan,
            "bridge" => InterfaceKind::Bridge,
            _ => InterfaceKind::Other,
        };
        let mut parents = w.parents;
        parents.sort();
        let p = w.params;
        Self {
            id: w.id,
            name: w.name,
            kind,
            mac: text(w.mac_address).map(|m| m.to_ascii_lowercase()),
            bus: None,
            product: text(w.product),
            vlan: w.vlan.map(|v| v.id),
            mtu: w.effective_mtu,
            parents,
            bond: (kind == InterfaceKind::Bond).then(|| BondParameters {
                mode: p.bond_mode.unwrap_or_default(),
                xmit_hash_policy: text(p.bond_xmit_hash_policy),
                lacp_rate: text(p.bond_lacp_rate),
                miimon: p.bond_miimon,
                updelay: p.bond_updelay,
                downdelay: p.bond_downdelay,
            }),
            links: w
                .links
                .into_iter()
                .filter_map(|l| {
                    let mode = match l.mode.as_str() {
                        "static" => LinkMode::Static,
                        "dhcp" => LinkMode::Dhcp,
                        "auto" => LinkMode::Auto,
                        "link_up" => LinkMode::LinkUp,
                        _ => return None,
                    };
                    Some(SubnetLink { id: l.id, mode, subnet: l.subnet.map(|s| s.cidr.trunc()), address: l.ip_address })
                })
                .collect(),
            connected: w.link_connected.filter(|_| kind == InterfaceKind::Physical),
        }
    }
}

impl From<WireDisk> for Disk {
    fn from(mut w: WireDisk) -> Self {
        w.partitions.sort_by_key(|p| p.id);
        Self {
            id: w.id,
            name: w.name,
            kind: if w.kind == "virtual" { DiskKind::Virtual } else { DiskKind::Physical },
            bus: None,
            size: w.size,
            available: w.available_size,
            model: text(w.model),
            serial: text(w.serial),
            id_path: text(w.id_path),
            partition_table: text(w.partition_table_type),
            partitions: w
                .partitions
                .into_iter()
                .map(|p| DiskPartition {
                    id: p.id,
                    size: p.size,
                    bootable: p.bootable,
                    volume_group: group(p.filesystem.as_ref(), &p.used_for),
                    filesystem: p.filesystem.and_then(filesystem),
                    uuid: text(p.uuid),
                })
                .collect(),
            volume_group: group(w.filesystem.as_ref(), &w.used_for),
            filesystem: w.filesystem.and_then(filesystem),
        }
    }
}

//! Facts about a machine as the provisioner sees it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PowerState;

/// Where a machine is in the provisioner's life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineStatus {
    /// Enlisted, not commissioned.
    New,
    /// Being commissioned (or tested as part of it).
    Commissioning,
    /// Commissioning (or its tests) failed.
    FailedCommissioning,
    /// Commissioned and free.
    Ready,
    /// Taken by a user.
    Allocated,
    /// An operating system is being written.
    Deploying,
    /// Runs its operating system.
    Deployed,
    /// Deployment failed.
    FailedDeployment,
    /// Being released or erased.
    Releasing,
    /// Release or erase failed.
    FailedReleasing,
    /// Marked broken.
    Broken,
    /// In or between rescue mode.
    Rescue,
    /// Anything else (retired, missing, reserved).
    Other,
}

/// Kind of network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceKind {
    /// A NIC.
    Physical,
    /// A bond.
    Bond,
    /// A VLAN of another interface.
    Vlan,
    /// A bridge.
    Bridge,
    /// Anything else.
    Other,
}

/// How an interface gets its address on a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkMode {
    /// Fixed address.
    Static,
    /// From DHCP.
    Dhcp,
    /// Chosen by the provisioner at deployment.
    Auto,
    /// Up without address.
    LinkUp,
}

/// A link of an interface to a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetLink {
    /// Provisioner id of the link.
    pub id: u64,
    /// Mode.
    pub mode: LinkMode,
    /// Subnet, if linked to one.
    pub subnet: Option<IpNet>,
    /// Address, if any.
    pub address: Option<IpAddr>,
}

/// Options of a bond. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BondParameters {
    /// Mode as the kernel names it.
    pub mode: String,
    /// Transmit hash policy.
    pub xmit_hash_policy: Option<String>,
    /// LACP rate.
    pub lacp_rate: Option<String>,
    /// MII monitoring interval.
    pub miimon: Option<u32>,
    /// Up delay.
    pub updelay: Option<u32>,
    /// Down delay.
    pub downdelay: Option<u32>,
}

/// A network interface of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineInterface {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: InterfaceKind,
    /// MAC, lower case.
    pub mac: Option<String>,
    /// Bus address (`0000:00:03.0`), for NICs whose hardware inventory is known.
    pub bus: Option<String>,
    /// What its hardware is called (`82540EM Gigabit Ethernet Controller`), if it is a NIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Provisioner id of its VLAN.
    pub vlan: Option<u64>,
    /// Effective MTU.
    pub mtu: u32,
    /// Names of its parents (bond members, VLAN parent), sorted.
    pub parents: Vec<String>,
    /// Bond options.
    pub bond: Option<BondParameters>,
    /// Links to subnets.
    pub links: Vec<SubnetLink>,
    /// Whether commissioning saw a signal on its cable; absent where nobody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected: Option<bool>,
}

/// What a NIC heard from the device at the other end of its cable (LLDP, IEEE 802.1AB).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Kernel name of the NIC.
    pub interface: String,
    /// Chassis ID.
    pub chassis: Option<String>,
    /// System name.
    pub name: Option<String>,
    /// Management addresses.
    pub addresses: Vec<String>,
    /// Port ID.
    pub port: Option<String>,
}

/// A filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesystemFacts {
    /// Type.
    pub fstype: String,
    /// Label.
    pub label: Option<String>,
    /// Mount point.
    pub mount_point: Option<String>,
    /// Mount options.
    pub mount_options: Option<String>,
    /// UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskPartition {
    /// Provisioner id.
    pub id: u64,
    /// Size in bytes.
    pub size: u64,
    /// Boot flag.
    pub bootable: bool,
    /// Filesystem.
    pub filesystem: Option<FilesystemFacts>,
    /// The volume group it is a physical volume of.
    pub volume_group: Option<String>,
    /// UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Kind of block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    /// A disk.
    Physical,
    /// A logical volume, RAID or the like.
    Virtual,
}

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Provisioner id.
    pub id: u64,
    /// Kernel name (`sda`).
    pub name: String,
    /// Kind.
    pub kind: DiskKind,
    /// Bus address (`2:0.0.0`), if the hardware inventory is known.
    pub bus: Option<String>,
    /// Size in bytes.
    pub size: u64,
    /// Bytes not used by partitions.
    pub available: u64,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Stable path.
    pub id_path: Option<String>,
    /// Partition table (`GPT`).
    pub partition_table: Option<String>,
    /// Partitions in order.
    pub partitions: Vec<DiskPartition>,
    /// Filesystem on the whole device.
    pub filesystem: Option<FilesystemFacts>,
    /// The volume group the whole disk is a physical volume of.
    pub volume_group: Option<String>,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogicalVolumeFacts {
    /// Provisioner id.
    pub id: u64,
    /// Name without the group's.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Filesystem.
    pub filesystem: Option<FilesystemFacts>,
    /// UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A volume group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeGroupFacts {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Bytes not used by logical volumes.
    pub available: u64,
    /// Logical volumes.
    pub logical_volumes: Vec<LogicalVolumeFacts>,
    /// UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// What firmware says of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Firmware {
    /// System vendor.
    pub vendor: Option<String>,
    /// BIOS version.
    pub bios_version: Option<String>,
    /// `uefi` or `bios`.
    pub boot_mode: Option<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Provisioner id (MAAS system id).
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// DNS domain.
    pub domain: String,
    /// Life-cycle status.
    pub status: MachineStatus,
    /// The provisioner's own name of the status.
    pub status_name: String,
    /// Seconds since 1970 since when it has this status; known only of a status that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_since: Option<u64>,
    /// What the provisioner says about a failure.
    pub failure: Option<String>,
    /// The commissioning whose results it has, by the provisioner's number; another one after each commissioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commissioning: Option<u64>,
    /// The installation whose results it has, by the provisioner's number; another one after each deployment, and kept when it is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<u64>,
    /// Power state as the provisioner believes.
    pub power: PowerState,
    /// Whether the provisioner reports that it cannot tell: its BMC does not answer it, or refuses its credentials.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub power_error: bool,
    /// Power type (`ipmi`, `redfish`, `manual`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_type: Option<String>,
    /// Address of the BMC the provisioner drives.
    pub bmc_address: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Whether it is locked.
    pub locked: bool,
    /// System UUID, lower case.
    pub uuid: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// MACs of all NICs, lower case, sorted.
    pub macs: Vec<String>,
    /// MAC it boots from.
    pub boot_mac: Option<String>,
    /// Architecture (`amd64/generic`).
    pub architecture: String,
    /// Number of CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// What firmware says of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Interfaces.
    pub interfaces: Vec<MachineInterface>,
    /// Gateway of the IPv4 default route.
    pub default_gateway: Option<IpAddr>,
    /// Block devices.
    pub disks: Vec<Disk>,
    /// Kernel name of the disk it boots from.
    pub boot_disk: Option<String>,
    /// Volume groups.
    pub volume_groups: Vec<VolumeGroupFacts>,
    /// Operating system that is or will be deployed (`ubuntu`).
    pub os: String,
    /// Series (`jammy`).
    pub series: String,
    /// Kernel (`hwe-22.04`).
    pub kernel: Option<String>,
    /// The oldest kernel that it may be started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_kernel: Option<String>,
    /// Resource pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Availability zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Owner data (workload annotations).
    pub owner_data: BTreeMap<String, String>,
}

impl Machine {
    /// A machine of which nothing but this is known: off, without an owner, interfaces and disks, `amd64/generic`.
    pub fn bare(id: &str, hostname: &str, status: MachineStatus) -> Self {
        Self {
            id: id.to_owned(),
            hostname: hostname.to_owned(),
            domain: String::new(),
            status,
            status_name: format!("{status:?}"),
            status_since: None,
            failure: None,
            commissioning: None,
            installation: None,
            power: PowerState::Off,
            power_error: false,
            power_type: None,
            bmc_address: None,
            owner: None,
            locked: false,
            uuid: None,
            serial: None,
            macs: Vec::new(),
            boot_mac: None,
            architecture: "amd64/generic".to_owned(),
            cpus: 0,
            memory_mib: 0,
            firmware: None,
            interfaces: Vec::new(),
            default_gateway: None,
            disks: Vec::new(),
            boot_disk: None,
            volume_groups: Vec::new(),
            os: String::new(),
            series: String::new(),
            kernel: None,
            min_kernel: None,
            pool: None,
            zone: None,
            tags: Vec::new(),
            owner_data: BTreeMap::new(),
        }
    }
}

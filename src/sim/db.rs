//! MAAS' database: what the simulated region controller keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// System id of the controller in worlds that were made before each had one of its own.
fn earlier_controller() -> String {
    "qx8d88".to_owned()
}

/// Everything of MAAS that is no machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MaasSite {
    /// System id of the only region and rack controller: what tells this MAAS from others.
    #[serde(default = "earlier_controller")]
    pub controller: String,
    /// API tokens.
    pub tokens: Vec<Token>,
    /// Fabrics.
    pub fabrics: BTreeMap<i64, Fabric>,
    /// VLANs.
    pub vlans: BTreeMap<i64, Vlan>,
    /// Subnets.
    pub subnets: BTreeMap<i64, Subnet>,
    /// Address ranges.
    pub ipranges: BTreeMap<i64, IpRange>,
    /// Static routes.
    pub static_routes: BTreeMap<i64, StaticRoute>,
    /// Spaces.
    pub spaces: BTreeMap<i64, Space>,
    /// Availability zones.
    #[serde(default)]
    pub zones: BTreeMap<i64, Group>,
    /// Resource pools.
    #[serde(default)]
    pub pools: BTreeMap<i64, Group>,
    /// Domains.
    pub domains: BTreeMap<i64, Domain>,
    /// Tags in order of creation.
    pub tags: Vec<Tag>,
    /// SSH keys of our account.
    pub sshkeys: BTreeMap<i64, String>,
    /// Package repositories.
    pub repositories: BTreeMap<i64, Repository>,
    /// Boot sources.
    pub boot_sources: BTreeMap<i64, BootSource>,
    /// Selections of boot images.
    pub selections: BTreeMap<i64, Selection>,
    /// Releases that the boot source offers: series to kernels (`ga-22.04`).
    pub offered: BTreeMap<String, Vec<String>>,
    /// Boot images that are here.
    pub boot_resources: BTreeMap<i64, BootResource>,
    /// When the running import ends.
    pub import_due: Option<u64>,
    /// Until when the rack controller copies what was imported.
    #[serde(default)]
    pub racks_synced_at: u64,
    /// Interfaces of the controller.
    pub rack_interfaces: Vec<Interface>,
    /// Settings (`get_config`).
    pub config: BTreeMap<String, Value>,
}

/// An API key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Consumer key.
    pub consumer: String,
    /// Token key.
    pub token: String,
    /// Token secret.
    pub secret: String,
    /// Account.
    pub user: String,
    /// Whether the account administers MAAS.
    pub admin: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A fabric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fabric {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Class.
    pub class_type: Option<String>,
    /// Description.
    pub description: String,
    /// Its VLAN that cannot be deleted.
    pub default_vlan: i64,
}

/// A VLAN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vlan {
    /// Id.
    pub id: i64,
    /// Fabric.
    pub fabric: i64,
    /// VLAN tag; 0 is untagged.
    pub vid: i64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// MTU.
    pub mtu: i64,
    /// Whether MAAS serves DHCP.
    pub dhcp_on: bool,
    /// VLAN that DHCP is relayed to.
    pub relay_vlan: Option<i64>,
    /// Rack controller that serves it.
    pub primary_rack: Option<String>,
    /// Its spare.
    pub secondary_rack: Option<String>,
    /// Space.
    pub space: Option<i64>,
    /// Address of a DHCP server that is not ours.
    pub external_dhcp: Option<String>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// VLAN.
    pub vlan: i64,
    /// Address block.
    pub cidr: String,
    /// Reverse DNS.
    pub rdns_mode: i64,
    /// Gateway.
    pub gateway_ip: Option<String>,
    /// DNS servers.
    pub dns_servers: Vec<String>,
    /// Whether clients may ask MAAS' DNS.
    pub allow_dns: bool,
    /// Whether clients may use MAAS' proxy.
    pub allow_proxy: bool,
    /// Whether MAAS scans it.
    pub active_discovery: bool,
    /// Whether MAAS hands out addresses.
    pub managed: bool,
    /// Architectures that may not boot here.
    pub disabled_boot_architectures: Vec<String>,
}

/// An address range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IpRange {
    /// Id.
    pub id: i64,
    /// Subnet.
    pub subnet: i64,
    /// `dynamic` or `reserved`.
    pub kind: String,
    /// First address.
    pub start: String,
    /// Last address.
    pub end: String,
    /// Account that made it.
    pub user: Option<String>,
    /// Comment.
    pub comment: String,
}

/// A route of all machines of a subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Id.
    pub id: i64,
    /// Subnet whose machines get it.
    pub source: i64,
    /// Subnet it leads to.
    pub destination: i64,
    /// Next hop.
    pub gateway_ip: String,
    /// Metric.
    pub metric: i64,
}

/// A space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
}

/// A zone or pool that machines are in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
}

/// A DNS domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Whether MAAS answers for it.
    pub authoritative: bool,
    /// Time to live in seconds.
    pub ttl: Option<i64>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Name.
    pub name: String,
    /// XPath over lshw's XML; empty for tags that are set by hand.
    pub definition: String,
    /// Comment.
    pub comment: String,
    /// Kernel command line of machines that have it.
    pub kernel_opts: String,
}

/// A package repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// URL.
    pub url: String,
    /// Distributions.
    pub distributions: Vec<String>,
    /// Pockets that are left out.
    pub disabled_pockets: Vec<String>,
    /// Components that are left out.
    pub disabled_components: Vec<String>,
    /// Whether source packages are left out.
    pub disable_sources: bool,
    /// Components.
    pub components: Vec<String>,
    /// Architectures.
    pub arches: Vec<String>,
    /// Signing key.
    pub key: String,
    /// Whether machines get it.
    pub enabled: bool,
}

/// Where boot images come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootSource {
    /// Id.
    pub id: i64,
    /// URL.
    pub url: String,
    /// Key ring file.
    pub keyring_filename: String,
    /// Key ring.
    pub keyring_data: String,
    /// When it was made.
    pub created: String,
    /// When it was last changed.
    pub updated: String,
}

/// Which images are imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Id.
    pub id: i64,
    /// Boot source.
    pub boot_source: i64,
    /// `ubuntu`.
    pub os: String,
    /// Series.
    pub release: String,
    /// Architectures.
    pub arches: Vec<String>,
    /// Sub-architectures.
    pub subarches: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
}

/// A boot image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootResource {
    /// Id.
    pub id: i64,
    /// `Synced` or `Uploaded`.
    pub kind: String,
    /// `ubuntu/jammy`.
    pub name: String,
    /// `amd64/ga-22.04`.
    pub architecture: String,
    /// Title.
    pub title: String,
}

/// An entry of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEvent {
    /// Id.
    pub id: i64,
    /// Host name at that time.
    pub hostname: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Type (`Ready`).
    pub kind: String,
    /// Text.
    pub description: String,
}

/// Status of a machine: MAAS' numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// Enlisted.
    New = 0,
    /// Being commissioned.
    Commissioning = 1,
    /// Commissioning failed.
    FailedCommissioning = 2,
    /// Commissioned.
    Ready = 4,
    /// Set aside.
    Reserved = 5,
    /// Deployed.
    Deployed = 6,
    /// Retired.
    Retired = 7,
    /// Marked broken.
    Broken = 8,
    /// Being deployed.
    Deploying = 9,
    /// Given to an account.
    Allocated = 10,
    /// Deployment failed.
    FailedDeployment = 11,
    /// Being released.
    Releasing = 12,
    /// Release failed.
    FailedReleasing = 13,
    /// Disks being erased.
    DiskErasing = 14,
    /// Erasing failed.
    FailedDiskErasing = 15,
    /// In the rescue system.
    RescueMode = 16,
    /// On the way there.
    EnteringRescueMode = 17,
    /// Did not get there.
    FailedEnteringRescueMode = 18,
    /// On the way back.
    ExitingRescueMode = 19,
    /// Did not get back.
    FailedExitingRescueMode = 20,
    /// Being tested.
    Testing = 21,
    /// Tests failed.
    FailedTesting = 22,
}

impl Status {
    /// The number in answers.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Commissioning => "Commissioning",
            Self::FailedCommissioning => "Failed commissioning",
            Self::Ready => "Ready",
            Self::Reserved => "Reserved",
            Self::Deployed => "Deployed",
            Self::Retired => "Retired",
            Self::Broken => "Broken",
            Self::Deploying => "Deploying",
            Self::Allocated => "Allocated",
            Self::FailedDeployment => "Failed deployment",
            Self::Releasing => "Releasing",
            Self::FailedReleasing => "Releasing failed",
            Self::DiskErasing => "Disk erasing",
            Self::FailedDiskErasing => "Failed disk erasing",
            Self::RescueMode => "Rescue mode",
            Self::EnteringRescueMode => "Entering rescue mode",
            Self::FailedEnteringRescueMode => "Failed to enter rescue mode",
            Self::ExitingRescueMode => "Exiting rescue mode",
            Self::FailedExitingRescueMode => "Failed to exit rescue mode",
            Self::Testing => "Testing",
            Self::FailedTesting => "Failed testing",
        }
    }
}

/// A machine as MAAS knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// System id.
    pub system_id: String,
    /// The machine its MACs belong to, if there is one.
    pub machine: Option<String>,
    /// Host name.
    pub hostname: String,
    /// Domain.
    pub domain: i64,
    /// `amd64/generic`.
    pub architecture: String,
    /// Status.
    pub status: Status,
    /// Status before rescue or broken.
    pub previous_status: Option<Status>,
    /// Power type.
    pub power_type: String,
    /// Power parameters; passwords among them.
    pub power_parameters: BTreeMap<String, Value>,
    /// Owner.
    pub owner: Option<String>,
    /// Owner data, which are also the workload annotations.
    pub owner_data: BTreeMap<String, String>,
    /// Tags in order of their setting.
    pub tags: Vec<String>,
    /// Operating system.
    pub osystem: String,
    /// Series.
    pub distro_series: String,
    /// Kernel.
    pub hwe_kernel: Option<String>,
    /// Lowest kernel.
    pub min_hwe_kernel: Option<String>,
    /// Whether it is told to boot from the network.
    pub netboot: bool,
    /// Whether release is forbidden.
    pub locked: bool,
    /// Description.
    pub description: String,
    /// Text of the last failure.
    pub error_description: String,
    /// Type of its last event.
    pub status_message: Option<String>,
    /// Action of its last event.
    pub status_action: Option<String>,
    /// Whether hardware was ever reported.
    pub inventoried: bool,
    /// Commissioning results: id and status (-1 none, 0 pending, 2 passed, 3 failed).
    pub commissioning: (Option<i64>, i64),
    /// Testing results.
    pub testing: (Option<i64>, i64),
    /// Installation results.
    pub installation: Option<i64>,
    /// Processor cores.
    pub cpu_count: u32,
    /// Memory in MiB.
    pub memory: u64,
    /// Swap in bytes.
    pub swap_size: Option<u64>,
    /// `hardware_info`.
    pub hardware_info: BTreeMap<String, String>,
    /// System UUID.
    pub hardware_uuid: Option<String>,
    /// `uefi` or `pxe`.
    pub bios_boot_method: Option<String>,
    /// Zone.
    pub zone: i64,
    /// Pool.
    pub pool: i64,
    /// Interfaces by id.
    pub interfaces: BTreeMap<i64, Interface>,
    /// The interface it booted from.
    pub boot_interface: Option<i64>,
    /// Links whose gateways are the default ones (IPv4, IPv6).
    pub gateway_links: (Option<i64>, Option<i64>),
    /// Block devices by id.
    pub block_devices: BTreeMap<i64, BlockDevice>,
    /// Disk to boot from.
    pub boot_disk: Option<i64>,
    /// Volume groups by id.
    pub volume_groups: BTreeMap<i64, VolumeGroup>,
    /// Whether the running commissioning keeps the networking.
    pub skip_networking: bool,
    /// Whether the running commissioning keeps the storage layout.
    pub skip_storage: bool,
    /// User data given with the deployment: its length, and the digest of its bytes.
    pub user_data: Option<(usize, String)>,
    /// The same as it was given.
    #[serde(default)]
    pub user_data_text: Option<String>,
    /// When the running operation has failed.
    pub timeout_at: Option<u64>,
    /// When a release is finished.
    pub release_due: Option<u64>,
    /// Events, newest last; only the last few.
    pub events: Vec<LogEvent>,
}

/// An interface of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// `physical`, `bond`, `vlan` or `bridge`.
    pub kind: String,
    /// MAC.
    pub mac: String,
    /// VLAN; `None` is disconnected.
    pub vlan: Option<i64>,
    /// Interfaces below it.
    pub parents: Vec<i64>,
    /// Parameters (`mtu`, `bond_mode`).
    pub params: BTreeMap<String, Value>,
    /// Addresses.
    pub links: Vec<Link>,
    /// Tags.
    pub tags: Vec<String>,
    /// Product.
    pub product: Option<String>,
    /// Vendor.
    pub vendor: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
    /// Speed in Mbit/s.
    pub speed: u32,
    /// Addresses that DHCP gave it in a temporary system: subnet and address.
    pub discovered: Option<(i64, String)>,
}

impl Interface {
    /// One that is connected to nothing, without an id.
    pub(crate) fn blank(kind: &str, name: String, mac: String) -> Self {
        Self {
            id: 0,
            name,
            kind: kind.to_owned(),
            mac,
            vlan: None,
            parents: Vec::new(),
            params: BTreeMap::new(),
            links: Vec::new(),
            tags: Vec::new(),
            product: None,
            vendor: None,
            firmware: None,
            speed: 0,
            discovered: None,
        }
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Id.
    pub id: i64,
    /// `auto`, `static`, `dhcp` or `link_up`.
    pub mode: String,
    /// Subnet.
    pub subnet: Option<i64>,
    /// Address.
    pub ip: Option<String>,
}

/// A disk or logical volume of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// The volume group, if it is a logical volume.
    pub volume_group: Option<i64>,
    /// Size in bytes.
    pub size: u64,
    /// Sector size in bytes.
    pub block_size: u64,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Persistent path.
    pub id_path: Option<String>,
    /// UUID of a logical volume.
    pub uuid: Option<String>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// `GPT` or `MBR`.
    pub partition_table: Option<String>,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
    /// Filesystem on the whole device.
    pub filesystem: Option<Filesystem>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Id.
    pub id: i64,
    /// Number on its disk.
    pub index: u32,
    /// UUID.
    pub uuid: String,
    /// Size in bytes.
    pub size: u64,
    /// Boot flag.
    pub bootable: bool,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Filesystem.
    pub filesystem: Option<Filesystem>,
}

/// A filesystem, or the mark of a physical volume (`lvm-pv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Type.
    pub fstype: String,
    /// Label.
    pub label: Option<String>,
    /// UUID.
    pub uuid: String,
    /// Mount point.
    pub mount_point: Option<String>,
    /// Mount options.
    pub mount_options: Option<String>,
    /// The volume group whose physical volume it is.
    pub volume_group: Option<i64>,
}

/// A volume group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeGroup {
    /// Id.
    pub id: i64,
    /// UUID.
    pub uuid: String,
    /// Name.
    pub name: String,
}

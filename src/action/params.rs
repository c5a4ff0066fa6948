//! Parameters of actions: what the planner writes and a driver reads, one structure per kind.
//!
//! A parameter that is not known when the plan is made is [`Late`]: it names a fact, and is resolved just before the effect by
//! the engine. Fields stand in order of name, so that they are written as canonical JSON at once. Names of site resources are used instead of provisioner ids, so that a plan can be made before they exist.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::build::RangeUse;

/// A device of a node, found in its hardware facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceSelector {
    /// The NIC at a PCI address.
    NicAtBus(String),
    /// The NIC with a kernel name.
    NicNamed(String),
    /// The disk at a SCSI address.
    DiskAtBus(String),
    /// The disk with a kernel name.
    DiskNamed(String),
    /// The disk with a serial number.
    DiskWithSerial(String),
    /// The only disk of a model.
    DiskOfModel(String),
}

/// A reference to a fact of a node that is read just before the effect. Exactly one device must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRef {
    /// The device must have at least this many bytes (disks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u64>,
    /// The node.
    pub node: String,
    /// Which device.
    pub select: DeviceSelector,
}

/// A device of the provisioner, after resolution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Provisioner id.
    pub id: u64,
    /// Kernel name.
    pub name: String,
}

/// A value, or the fact it will be read from. On the wire a fact is `{"$fact": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Late<T> {
    /// Known.
    Value(T),
    /// Read just before the effect.
    Fact(FactRef),
}

/// The key that marks a late value in JSON.
pub const FACT_KEY: &str = "$fact";

impl<T: Serialize> Serialize for Late<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(v) => v.serialize(serializer),
            Self::Fact(f) => BTreeMap::from([(FACT_KEY, f)]).serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Late<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if let Some(fact) = value.get(FACT_KEY) {
            return serde_json::from_value(fact.clone()).map(Self::Fact).map_err(D::Error::custom);
        }
        serde_json::from_value(value).map(Self::Value).map_err(D::Error::custom)
    }
}

/// `verify_site`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySite {
    /// Whether a healthy rack controller is needed (machines will boot from the network).
    pub rack_controller: bool,
}

/// `create_network_template`: one network resource. `before` is what the plan saw; `None` when it did not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkResource {
    /// A fabric: created, or an existing one renamed.
    Fabric {
        /// The existing fabric (id and present name) that is taken over.
        before: Option<FabricBefore>,
        /// Name it shall have.
        name: String,
    },
    /// A VLAN of a fabric.
    Vlan {
        /// Values it shall have.
        after: VlanValues,
        /// Values that the plan saw.
        before: Option<VlanValues>,
        /// Fabric name (its final one).
        fabric: String,
        /// Tag; 0 is untagged and always exists.
        vid: u16,
    },
    /// DHCP on a VLAN. Needs the VLAN's dynamic range.
    Dhcp {
        /// Fabric name.
        fabric: String,
        /// Served by a rack controller on the VLAN, or relayed.
        service: DhcpService,
        /// Tag.
        vid: u16,
    },
    /// A subnet.
    Subnet {
        /// Values it shall have.
        after: SubnetValues,
        /// Values that the plan saw.
        before: Option<SubnetValues>,
        /// Address block; identifies it.
        cidr: IpNet,
    },
    /// An address range.
    Range {
        /// DNS servers of the subnet, in order, where a dynamic range holds one of them. Some provisioners create such a range only while
        /// the subnet does not have that server, so that it is set after the range.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        dns_servers: Vec<IpAddr>,
        /// Last address.
        end: IpAddr,
        /// Purpose.
        kind: RangeUse,
        /// First address.
        start: IpAddr,
        /// Its subnet.
        subnet: IpNet,
    },
    /// A static route.
    Route {
        /// Metric that the plan saw.
        before: Option<u32>,
        /// Destination subnet.
        destination: IpNet,
        /// Next hop.
        gateway: IpAddr,
        /// Metric it shall have.
        metric: u32,
        /// Source subnet.
        source: IpNet,
    },
    /// A DNS domain.
    Domain {
        /// Name.
        name: String,
    },
}

/// `delete_network_template`, `delete_user_credentials` and `delete_tags`: a site resource with the values that the plan saw. It is removed only while
/// it has them, and while nothing uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SiteRemoval {
    /// A static route.
    Route {
        /// Source subnet.
        source: IpNet,
        /// Destination subnet.
        destination: IpNet,
        /// Next hop.
        gateway: IpAddr,
        /// Metric.
        metric: u32,
    },
    /// DHCP on a VLAN is switched off.
    Dhcp {
        /// Fabric name (its final one).
        fabric: String,
        /// Tag.
        vid: u16,
        /// How it is served.
        service: DhcpService,
    },
    /// An address range.
    Range {
        /// Its subnet.
        subnet: IpNet,
        /// Purpose.
        kind: RangeUse,
        /// First address.
        start: IpAddr,
        /// Last address.
        end: IpAddr,
    },
    /// A subnet.
    Subnet {
        /// Address block.
        cidr: IpNet,
        /// Its values.
        before: SubnetValues,
    },
    /// A VLAN.
    Vlan {
        /// Fabric name (its final one).
        fabric: String,
        /// Tag; never 0.
        vid: u16,
        /// Its values.
        before: VlanValues,
    },
    /// A fabric.
    Fabric {
        /// Provisioner id.
        id: u64,
        /// Name.
        name: String,
    },
    /// A tag.
    Tag {
        /// Name.
        name: String,
        /// Its values.
        before: TagValues,
    },
    /// An SSH key.
    SshKey {
        /// The public key line.
        key: String,
    },
}

/// An existing fabric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FabricBefore {
    /// Provisioner id.
    pub id: u64,
    /// Name that the plan saw.
    pub name: String,
}

/// Attributes of a VLAN that drydock sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VlanValues {
    /// MTU in bytes.
    pub mtu: u32,
    /// Name.
    pub name: String,
    /// Space, if the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

/// How DHCP reaches a VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DhcpService {
    /// A healthy rack controller with an interface in the VLAN serves it.
    Rack,
    /// Requests are relayed to the VLAN of the rack controller interface with this address.
    Relay {
        /// The upstream target.
        target: IpAddr,
    },
}

/// Attributes of a subnet that drydock sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetValues {
    /// DNS servers in order.
    pub dns_servers: Vec<IpAddr>,
    /// Fabric name (its final one).
    pub fabric: String,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Name.
    pub name: String,
    /// VLAN tag.
    pub vid: u16,
}

/// `configure_user_credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKeyParams {
    /// The public key line.
    pub key: String,
}

/// `configure_node_provisioner`: a package repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryParams {
    /// Values it shall have; `None` removes it.
    pub after: Option<RepositoryValues>,
    /// Values that the plan saw.
    pub before: Option<RepositoryValues>,
    /// Name.
    pub name: String,
}

/// Attributes of a package repository that drydock sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryValues {
    /// Architectures, sorted.
    pub arches: Vec<String>,
    /// Components, sorted.
    pub components: Vec<String>,
    /// Whether the URL has credentials, which are left out of `url` and come from the design when the plan is carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub credentials: bool,
    /// Components switched off, sorted; only for the provisioner's own archives, which have no list of components.
    pub disabled_components: Vec<String>,
    /// Pockets switched off, sorted.
    pub disabled_pockets: Vec<String>,
    /// Distributions, sorted.
    pub distributions: Vec<String>,
    /// Armoured signing key.
    pub key: String,
    /// URL; `***` stands in the place of each credential.
    pub url: String,
}

/// `create_boot_media`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootMediaParams {
    /// Architecture (`amd64`).
    pub arch: String,
    /// Operating system (`ubuntu`).
    pub os: String,
    /// Series (`jammy`).
    pub series: String,
}

/// `configure_tags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagParams {
    /// Values it shall have.
    pub after: TagValues,
    /// Values that the plan saw.
    pub before: Option<TagValues>,
    /// Name.
    pub name: String,
}

/// Attributes of a tag that drydock sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagValues {
    /// XPath definition; empty for a static tag.
    pub definition: String,
    /// Kernel options of machines with the tag.
    pub kernel_opts: String,
}

/// Where a machine boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootTarget {
    /// The network, once.
    Pxe,
    /// The disk: no override is left.
    Disk,
}

/// `set_node_boot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetNodeBoot {
    /// Where it shall boot from.
    pub target: BootTarget,
}

/// `power_on_node` and `power_off_node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerParams {
    /// Seconds a running operating system gets to shut down before it is forced off; 0 forces at once.
    pub graceful_s: u32,
}

/// `identify_node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifyNode {
    /// DNS domain the machine gets; `None` leaves the default.
    pub domain: Option<String>,
    /// Host name the machine gets.
    pub hostname: String,
    /// How the provisioner reaches its BMC; `None` leaves what it has found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerSettings>,
}

/// How the provisioner reaches a BMC. User and password are not here: the driver has them from where the settings and the design say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerSettings {
    /// Address of the BMC.
    pub address: String,
    /// Power type (`ipmi`, `redfish`).
    pub kind: String,
    /// Whether user and password are set although type and address are right: the provisioner cannot use the BMC with those that it has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
}

/// `configure_hardware`: how a machine is commissioned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigureHardware {
    /// The commissioning that the plan saw, where the machine is to be commissioned again although it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_after: Option<u64>,
    /// Commissioning scripts or tags of scripts beside the provisioner's own choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commissioning_scripts: Vec<String>,
    /// Whether the machine stays on with SSH after commissioning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enable_ssh: bool,
    /// Parameters of scripts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Whether the provisioner leaves the BMC's settings as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_bmc_config: bool,
    /// Tests: `None` is the provisioner's own choice, an empty list none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub testing_scripts: Option<Vec<String>>,
}

/// `interrogate_node`, `delete_node`: no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// `apply_node_networking`: the whole wanted configuration; what is not in it is removed from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyNodeNetworking {
    /// NICs and bonds, in order.
    pub interfaces: Vec<InterfaceParams>,
}

/// A NIC or a bond and what runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceParams {
    /// Bond options; `None` for a plain NIC.
    pub bond: Option<BondValues>,
    /// Fabric it is cabled to.
    pub fabric: String,
    /// The untagged network.
    pub link: Option<LinkParams>,
    /// Member NICs: one for a plain NIC, two or more for a bond.
    pub members: Vec<Late<Device>>,
    /// MTU in bytes, if the design says.
    pub mtu: Option<u32>,
    /// Name in the design; a bond gets it, a NIC keeps its own.
    pub name: String,
    /// Tagged networks, ascending by tag.
    pub vlans: Vec<VlanInterfaceParams>,
}

/// Bond options. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BondValues {
    /// Down delay.
    pub downdelay: Option<u32>,
    /// LACP rate.
    pub lacp_rate: Option<String>,
    /// MII monitoring interval.
    pub miimon: Option<u32>,
    /// Mode as the kernel names it.
    pub mode: String,
    /// Up delay.
    pub updelay: Option<u32>,
    /// Transmit hash policy.
    pub xmit_hash_policy: Option<String>,
}

/// An address on a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkParams {
    /// Whether the default route goes through this subnet's gateway.
    pub default_gateway: bool,
    /// How the address is found.
    pub mode: LinkKind,
    /// The subnet.
    pub subnet: IpNet,
}

/// How an address is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Fixed.
    Static(IpAddr),
    /// From DHCP.
    Dhcp,
    /// None; the interface is only up.
    LinkUp,
}

/// A tagged network on an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VlanInterfaceParams {
    /// Its address.
    pub link: LinkParams,
    /// MTU in bytes, if the design says.
    pub mtu: Option<u32>,
    /// VLAN tag.
    pub vid: u16,
}

/// `apply_node_storage`: the whole wanted layout; what is not in it is removed from the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyNodeStorage {
    /// Disks that the design lays out, in order; others are left blank.
    pub disks: Vec<DiskParams>,
    /// Volume groups in order.
    pub volume_groups: Vec<VolumeGroupParams>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskParams {
    /// Whether firmware boots from it.
    pub boot: bool,
    /// The disk.
    pub device: Late<Device>,
    /// Partitions in order.
    pub partitions: Vec<PartitionParams>,
    /// Volume group that the whole disk belongs to.
    pub volume_group: Option<String>,
}

/// A size as the design writes it; the driver applies the provisioner's rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeParam {
    /// That many bytes.
    Bytes(u64),
    /// At least that many bytes, and all that is left.
    AtLeast(u64),
    /// Hundredths of a percent of the disk or group.
    Percent(u32),
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionParams {
    /// Boot flag.
    pub bootable: bool,
    /// Filesystem.
    pub filesystem: Option<FilesystemParams>,
    /// Name in the design (the provisioner has none).
    pub name: String,
    /// Size.
    pub size: SizeParam,
    /// UUID, if the design says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Volume group that it belongs to.
    pub volume_group: Option<String>,
}

/// A filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesystemParams {
    /// Type.
    pub fstype: String,
    /// Label.
    pub label: Option<String>,
    /// Mount options.
    pub mount_options: String,
    /// Mount point.
    pub mount_point: Option<String>,
    /// UUID, if the design says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A volume group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeGroupParams {
    /// Logical volumes in order.
    pub logical_volumes: Vec<LogicalVolumeParams>,
    /// Name.
    pub name: String,
    /// UUID, if the design says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogicalVolumeParams {
    /// Filesystem.
    pub filesystem: Option<FilesystemParams>,
    /// Name.
    pub name: String,
    /// Size.
    pub size: SizeParam,
    /// UUID, if the design says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// `apply_node_platform`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyNodePlatform {
    /// Static tags the machine shall have (created if missing).
    pub add_tags: Vec<String>,
    /// DNS domain; `None` leaves it.
    pub domain: Option<String>,
    /// Host name.
    pub hostname: String,
    /// The tag that carries the node's kernel parameters, and the parameters; `None` if the design has none.
    pub kernel_params: Option<KernelParams>,
    /// The oldest kernel that the provisioner may start it with, if the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_kernel: Option<String>,
    /// Resource pool (created if missing), if the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Owner data keys of ours to remove.
    pub remove_owner_data: Vec<String>,
    /// Static tags of ours that it shall no longer have.
    pub remove_tags: Vec<String>,
    /// Owner data to set.
    pub set_owner_data: BTreeMap<String, String>,
    /// Availability zone (created if missing), if the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Kernel parameters of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelParams {
    /// The parameters as on a kernel command line; without any the machine loses the tag.
    pub options: String,
    /// Tag that carries them (`NODE_kp`).
    pub tag: String,
}

/// `deploy_node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployNode {
    /// Kernel, if the design says.
    pub kernel: Option<String>,
    /// Operating system.
    pub os: String,
    /// Series.
    pub series: String,
    /// What the node gets of its boot actions, in words with a digest; the document itself, which may hold secrets, is read from the design when it is
    /// needed. `None` gives it nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// `destroy_node`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestroyNode {
    /// Whether disks are erased.
    pub erase: bool,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPhase {
    /// Before the first effect of class reboot or higher on a deployed node; its failure keeps the node as it is.
    BeforeDisrupt,
    /// After the node is deployed again; its failure fails the node.
    AfterHealthy,
}

impl HookPhase {
    /// The name in settings, plans and the program's environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeDisrupt => "before_disrupt",
            Self::AfterHealthy => "after_healthy",
        }
    }
}

/// `run_hook`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHook {
    /// Program and arguments; no shell is involved.
    pub argv: Vec<String>,
    /// Kind of the action that disrupts the node.
    pub disrupts: String,
    /// Names of variables that it gets besides drydock's own; their values are read when it runs, and are in no plan.
    pub environment: Vec<String>,
    /// Time limit in seconds, after which it is killed.
    pub limit_s: u32,
    /// Name in the settings.
    pub name: String,
    /// When it runs.
    pub phase: HookPhase,
    /// Rack of the node, if the design says.
    pub rack: Option<String>,
    /// Whether it may run again where it is not known whether it came to its end.
    pub repeatable: bool,
}

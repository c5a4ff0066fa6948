//! The types of the applied model.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{BootAction, Deployment, Located, Size};
use crate::document::Sensitive;
use crate::redact::Secret;
use crate::yaml::Span;

/// A named text with position.
pub type Text = Located<String>;

/// The applied model of one site. Maps are keyed by document name.
#[derive(Debug, Clone)]
pub struct Site {
    /// The name of the Region document.
    pub name: Text,
    /// Site-wide settings.
    pub region: Region,
    /// Racks.
    pub racks: BTreeMap<String, Rack>,
    /// Physical link types.
    pub links: BTreeMap<String, NetworkLink>,
    /// Layer-3 networks.
    pub networks: BTreeMap<String, Network>,
    /// Hardware profiles.
    pub hardware_profiles: BTreeMap<String, HardwareProfile>,
    /// Names of all host profiles with their positions (their content is merged into the nodes).
    pub host_profiles: BTreeMap<String, Span>,
    /// Nodes with everything inherited and resolved.
    pub nodes: BTreeMap<String, Node>,
    /// Boot actions with the nodes that get them.
    pub boot_actions: BTreeMap<String, BootAction>,
    /// In which order nodes are deployed.
    pub deployment: Deployment,
    /// Where secrets are written.
    pub sensitive: Sensitive,
}

/// Region document.
#[derive(Debug, Clone)]
pub struct Region {
    /// Where the document stands.
    pub span: Span,
    /// Tags that the provisioner computes from hardware.
    pub tag_definitions: Vec<TagDefinition>,
    /// SSH public keys, whitespace-normalised to one line.
    pub authorized_keys: Vec<Text>,
    /// Whether package repositories that are not listed are removed.
    pub remove_unlisted_repositories: Located<bool>,
    /// Package repositories by name.
    pub repositories: BTreeMap<String, Repository>,
}

/// A tag with a definition.
#[derive(Debug, Clone)]
pub struct TagDefinition {
    /// Tag name.
    pub name: Text,
    /// `lshw_xpath`.
    pub definition_type: Text,
    /// The XPath expression over lshw's XML.
    pub definition: Text,
}

/// A package repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Name.
    pub name: Text,
    /// `apt`.
    pub repo_type: Text,
    /// Base URL.
    pub url: Text,
    /// Distributions (`xenial`).
    pub distributions: Vec<Text>,
    /// Pockets (`security`, `updates`).
    pub subrepos: Vec<Text>,
    /// Components (`main`).
    pub components: Vec<Text>,
    /// Architectures.
    pub arches: Vec<Text>,
    /// Armoured signing key.
    pub gpgkey: Option<Text>,
}

/// A rack.
#[derive(Debug, Clone)]
pub struct Rack {
    /// Name.
    pub name: Text,
    /// Networks that exist only in this rack.
    pub local_networks: Vec<Text>,
    /// Its top-of-rack switches.
    pub tor_switches: Vec<Switch>,
    /// Labels.
    pub labels: BTreeMap<String, Text>,
}

/// A top-of-rack switch.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Name.
    pub name: Text,
    /// Its management address, as written.
    pub address: Option<Text>,
}

/// How member NICs of a link form one logical interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BondMode {
    /// No bond.
    Disabled,
    /// IEEE 802.3ad LACP.
    Lacp,
    /// One active member.
    ActiveBackup,
    /// Round robin (`balanced-rr` or `balance-rr`).
    BalanceRr,
    /// XOR of addresses.
    BalanceXor,
    /// All members send.
    Broadcast,
    /// Adaptive transmit.
    BalanceTlb,
    /// Adaptive transmit and receive.
    BalanceAlb,
}

impl BondMode {
    /// The name the Linux bonding driver and MAAS use; `disabled` for no bond.
    pub fn kernel_name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Lacp => "802.3ad",
            Self::ActiveBackup => "active-backup",
            Self::BalanceRr => "balance-rr",
            Self::BalanceXor => "balance-xor",
            Self::Broadcast => "broadcast",
            Self::BalanceTlb => "balance-tlb",
            Self::BalanceAlb => "balance-alb",
        }
    }
}

/// Bond options. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct Bonding {
    /// Mode.
    pub mode: Located<BondMode>,
    /// Transmit hash policy (`layer3+4`).
    pub hash: Option<Text>,
    /// LACP rate (`slow` or `fast`).
    pub peer_rate: Option<Text>,
    /// MII monitoring interval.
    pub mon_rate: Option<Located<u32>>,
    /// Delay before a recovered member is used.
    pub up_delay: Option<Located<u32>>,
    /// Delay before a failed member is dropped.
    pub down_delay: Option<Located<u32>>,
}

/// A type of physical link between NICs and switches.
#[derive(Debug, Clone)]
pub struct NetworkLink {
    /// Name; the provisioner's fabric has the same.
    pub name: Text,
    /// Bond options.
    pub bonding: Bonding,
    /// MTU in bytes.
    pub mtu: Option<Located<u32>>,
    /// Speed (`auto`, `10000full`).
    pub linkspeed: Option<Text>,
    /// Whether VLAN tags are carried (802.1q).
    pub trunked: Located<bool>,
    /// The network of untagged frames (`trunking.default_network`).
    pub native_network: Option<Text>,
    /// Networks that may be used on it.
    pub allowed_networks: Vec<Text>,
    /// Labels; `noconfig` means that drydock does not configure interfaces or networks of this link.
    pub labels: BTreeMap<String, Text>,
}

impl NetworkLink {
    /// Whether the link is marked as not ours to configure.
    pub fn is_noconfig(&self) -> bool {
        self.labels.contains_key("noconfig")
    }
}

/// What an address range is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RangeKind {
    /// Addresses that a design assigns.
    Static,
    /// Addresses that DHCP hands out.
    Dhcp,
    /// Addresses that nobody may use.
    Reserved,
}

/// An address range, both ends included.
#[derive(Debug, Clone)]
pub struct Range {
    /// Purpose.
    pub kind: Located<RangeKind>,
    /// First address.
    pub start: Located<IpAddr>,
    /// Last address.
    pub end: Located<IpAddr>,
}

/// A route after route domains are expanded.
#[derive(Debug, Clone)]
pub struct Route {
    /// Destination.
    pub subnet: Located<IpNet>,
    /// The name of the destination network, if the destination is one of the design's.
    pub network: Option<String>,
    /// Next hop.
    pub gateway: Located<IpAddr>,
    /// Metric; lower wins.
    pub metric: Option<Located<u32>>,
    /// The route domain it was expanded from, if any.
    pub routedomain: Option<String>,
}

/// DHCP relay of a network.
#[derive(Debug, Clone)]
pub struct DhcpRelay {
    /// The relay's own address.
    pub self_ip: Option<Located<IpAddr>>,
    /// The DHCP server requests are sent to.
    pub upstream_target: Option<Located<IpAddr>>,
}

/// A layer-3 network.
#[derive(Debug, Clone)]
pub struct Network {
    /// Name.
    pub name: Text,
    /// VLAN tag as written (a link's native network is untagged on it whatever this says).
    pub vlan: Option<Located<u16>>,
    /// MTU in bytes.
    pub mtu: Option<Located<u32>>,
    /// Address block.
    pub cidr: Located<IpNet>,
    /// Address ranges.
    pub ranges: Vec<Range>,
    /// Whether a range is missing there because it could not be read.
    pub lacks_ranges: bool,
    /// Routes, without duplicates.
    pub routes: Vec<Route>,
    /// DNS domain.
    pub dns_domain: Option<Text>,
    /// DNS servers in order.
    pub dns_servers: Vec<Located<IpAddr>>,
    /// DHCP relay.
    pub dhcp_relay: Option<DhcpRelay>,
    /// Route domain it belongs to.
    pub routedomain: Option<Text>,
    /// Labels.
    pub labels: BTreeMap<String, Text>,
    /// The link that carries it: the first, by name, whose allowed networks have it; else the first of which it is the native network; else the first
    /// whose interfaces carry it.
    pub link: Option<String>,
}

impl Network {
    /// Gateway of the default route, if there is one.
    pub fn default_gateway(&self) -> Option<&Located<IpAddr>> {
        self.routes.iter().find(|r| r.subnet.value.prefix_len() == 0).map(|r| &r.gateway)
    }

    /// Whether it has a DHCP range.
    pub fn has_dhcp_range(&self) -> bool {
        self.ranges.iter().any(|r| r.kind.value == RangeKind::Dhcp)
    }
}

/// Where a device sits in the machine.
#[derive(Debug, Clone)]
pub struct DeviceAlias {
    /// Alias.
    pub name: Text,
    /// Bus address (`0000:00:03.0`, `2:0.0.0`).
    pub address: Text,
    /// Product name.
    pub dev_type: Option<Text>,
    /// `pci` or `scsi`; `serial` or `model` where `address` is a disk's serial number or model.
    pub bus_type: Text,
}

/// A set of huge pages.
#[derive(Debug, Clone)]
pub struct Hugepages {
    /// Page size as written (`1G`).
    pub size: Text,
    /// Number of pages.
    pub count: Located<u64>,
}

/// What a kind of machine is made of.
#[derive(Debug, Clone)]
pub struct HardwareProfile {
    /// Name.
    pub name: Text,
    /// Vendor.
    pub vendor: Option<Text>,
    /// Generation.
    pub generation: Option<Text>,
    /// Hardware version.
    pub hw_version: Option<Text>,
    /// Required BIOS version.
    pub bios_version: Option<Text>,
    /// `bios` or `uefi`.
    pub boot_mode: Option<Text>,
    /// `pxe`, `usb` or `hdd`.
    pub bootstrap_protocol: Option<Text>,
    /// Which NIC boots from the network.
    pub pxe_interface: Option<Text>,
    /// Devices by alias.
    pub device_aliases: BTreeMap<String, DeviceAlias>,
    /// CPU sets by name (`2,4`).
    pub cpu_sets: BTreeMap<String, Text>,
    /// Huge pages by name.
    pub hugepages: BTreeMap<String, Hugepages>,
}

/// Kind of out-of-band management.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OobType {
    /// IPMI 2.0.
    Ipmi,
    /// Redfish.
    Redfish,
    /// A libvirt domain.
    Libvirt,
    /// A person.
    Manual,
}

impl OobType {
    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
            Self::Libvirt => "libvirt",
            Self::Manual => "manual",
        }
    }
}

/// Out-of-band settings of a node.
#[derive(Debug, Clone, Default)]
pub struct Oob {
    /// Kind of management.
    pub kind: Option<Located<OobType>>,
    /// Network of the BMC.
    pub network: Option<Text>,
    /// The BMC's address: the node's address on that network.
    pub address: Option<Located<IpAddr>>,
    /// User name.
    pub account: Option<Text>,
    /// Password.
    pub credential: Option<Located<Secret>>,
    /// `qemu+ssh://…`, for libvirt.
    pub libvirt_uri: Option<Text>,
}

/// A network interface of a node.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Name (`bond0`).
    pub name: Text,
    /// The link it is connected to.
    pub device_link: Option<Text>,
    /// Member NICs: device aliases or kernel names.
    pub slaves: Vec<Text>,
    /// Networks it carries.
    pub networks: Vec<Text>,
    /// Labels; `noconfig` leaves the interface as it is.
    pub labels: BTreeMap<String, Text>,
    /// Number of SR-IOV virtual functions.
    pub sriov_vf_count: Option<Located<u32>>,
    /// Whether virtual functions may change their MAC and see all traffic.
    pub sriov_trusted: Option<Located<bool>>,
}

/// A filesystem on a partition or logical volume.
#[derive(Debug, Clone)]
pub struct Filesystem {
    /// Mount point.
    pub mountpoint: Option<Text>,
    /// Type (`ext4`).
    pub fstype: Text,
    /// Mount options, `defaults` if not written.
    pub mount_options: Text,
    /// Filesystem label.
    pub fslabel: Option<Text>,
    /// Filesystem UUID.
    pub fs_uuid: Option<Text>,
}

/// A partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Name.
    pub name: Text,
    /// Size.
    pub size: Located<Size>,
    /// Whether firmware boots from it.
    pub bootable: Located<bool>,
    /// Filesystem.
    pub filesystem: Option<Filesystem>,
    /// The volume group it is a physical volume of.
    pub volume_group: Option<Text>,
    /// Partition UUID.
    pub part_uuid: Option<Text>,
}

/// A disk.
#[derive(Debug, Clone)]
pub struct PhysicalDevice {
    /// Device alias or kernel name.
    pub name: Text,
    /// Labels; `bootdrive: true` marks the disk firmware boots from.
    pub labels: BTreeMap<String, Text>,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
    /// The volume group the whole disk is a physical volume of.
    pub volume_group: Option<Text>,
}

/// A logical volume.
#[derive(Debug, Clone)]
pub struct LogicalVolume {
    /// Name.
    pub name: Text,
    /// Size.
    pub size: Located<Size>,
    /// Filesystem.
    pub filesystem: Option<Filesystem>,
    /// UUID.
    pub lv_uuid: Option<Text>,
}

/// A volume group.
#[derive(Debug, Clone)]
pub struct VolumeGroup {
    /// Name.
    pub name: Text,
    /// UUID.
    pub vg_uuid: Option<Text>,
    /// Logical volumes in order.
    pub logical_volumes: Vec<LogicalVolume>,
}

/// Storage layout of a node.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// Disks by name.
    pub physical_devices: BTreeMap<String, PhysicalDevice>,
    /// Volume groups by name.
    pub volume_groups: BTreeMap<String, VolumeGroup>,
}

/// Operating system of a node.
#[derive(Debug, Clone, Default)]
pub struct Platform {
    /// Image (`jammy`, or `osystem/series`).
    pub image: Option<Text>,
    /// Kernel (`ga-22.04`, `hwe-22.04`).
    pub kernel: Option<Text>,
    /// Kernel parameters, hardware-profile references resolved; a value of `true` is an empty text (a bare word).
    pub kernel_params: BTreeMap<String, Text>,
    /// Where values of kernel parameters are written that the hardware profile gives.
    pub kernel_params_at: BTreeMap<String, Span>,
}

impl Platform {
    /// The operating system and series that the image's name means; a bare name is Ubuntu's.
    pub fn system(&self) -> Option<(&str, &str)> {
        let image = self.image.as_ref()?.as_str();
        Some(image.split_once('/').unwrap_or(("ubuntu", image)))
    }
}

/// An address of a node on a network.
#[derive(Debug, Clone)]
pub struct Address {
    /// The network.
    pub network: Text,
    /// The address; `None` for DHCP, and where what is written is no address.
    pub address: Option<Located<IpAddr>>,
    /// Whether DHCP gives it.
    pub dhcp: bool,
}

/// A node with everything inherited and resolved.
#[derive(Debug, Clone)]
pub struct Node {
    /// Name; also its host name.
    pub name: Text,
    /// Where its document stands.
    pub span: Span,
    /// Fully qualified name: node name + DNS domain of the primary network.
    pub fqdn: String,
    /// DNS domain of the primary network, if it has one.
    pub domain: Option<Text>,
    /// Host profiles, nearest first.
    pub host_profiles: Vec<String>,
    /// Whether it names a host profile that does not exist, itself or through another, so that what it should inherit is unknown.
    pub incomplete: bool,
    /// Hardware profile.
    pub hardware_profile: Option<Text>,
    /// Out-of-band settings.
    pub oob: Oob,
    /// The network of the default gateway and of the FQDN.
    pub primary_network: Option<Text>,
    /// Interfaces by name.
    pub interfaces: BTreeMap<String, Interface>,
    /// Storage; nodes that inherit the same layout share it.
    pub storage: Arc<Storage>,
    /// Operating system.
    pub platform: Platform,
    /// Addresses in order.
    pub addressing: Vec<Address>,
    /// Static tags.
    pub tags: Vec<Text>,
    /// Owner data (labels of the node).
    pub owner_data: BTreeMap<String, Text>,
    /// Rack.
    pub rack: Option<Text>,
    /// MAC of the NIC that boots from the network, if the design says.
    pub boot_mac: Option<Text>,
}

impl Node {
    /// Its address on a network.
    pub fn address_on(&self, network: &str) -> Option<&Address> {
        self.addressing.iter().find(|a| a.network.value == network)
    }
}

//! Facts about the site as a whole.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bmc, Machine};
use crate::redact::without_url_credentials;

/// Something a driver was asked for: known, or unknown with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// The complete answer.
    Known(T),
    /// Not known: the driver failed or answered partly. The text says why, without any secret.
    Unknown(String),
}

impl<T> Fact<T> {
    /// The value, if known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(v) => Some(v),
            Self::Unknown(_) => None,
        }
    }
}

/// An endpoint that facts came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Driver name (`maas`).
    pub driver: String,
    /// What identifies the installation, whatever its URL (for MAAS: its region's identity).
    pub identity: String,
    /// The URL as configured; `simulated` for the simulated site, whose ports change.
    pub url: String,
    /// Whether it is the simulated site.
    pub simulated: bool,
}

/// The build model: everything that was discovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Format version of the file: 1.
    pub format: u32,
    /// Where facts came from.
    pub endpoints: Vec<Endpoint>,
    /// What the provisioner reports; unknown if it could not be reached at all.
    pub provisioner: Fact<Provisioner>,
    /// What each node's BMC reports, by node name.
    pub bmcs: BTreeMap<String, Fact<Bmc>>,
    /// Seconds since 1970 when discovery ended. Advisory; in no digest.
    pub observed_at: u64,
}

/// What the provisioner reports. Every listing is a fact of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisioner {
    /// Driver name (`maas`).
    pub driver: String,
    /// Version text (`3.7.3`).
    pub version: String,
    /// The user that the credentials belong to.
    pub user: String,
    /// Fabrics with their VLANs.
    pub fabrics: Fact<Vec<Fabric>>,
    /// Subnets.
    pub subnets: Fact<Vec<Subnet>>,
    /// Address ranges.
    pub ranges: Fact<Vec<AddressRange>>,
    /// Static routes.
    pub routes: Fact<Vec<StaticRoute>>,
    /// DNS domains.
    pub domains: Fact<Vec<DomainFacts>>,
    /// Tags.
    pub tags: Fact<Vec<TagFacts>>,
    /// SSH keys of the user.
    pub ssh_keys: Fact<Vec<SshKey>>,
    /// Package repositories.
    pub repositories: Fact<Vec<PackageRepository>>,
    /// Boot images.
    pub images: Fact<Vec<Image>>,
    /// Whether an image import is running.
    pub importing: Fact<bool>,
    /// What boot sources are told to import.
    pub selections: Fact<Vec<BootSelection>>,
    /// Rack controllers.
    pub racks: Fact<Vec<RackController>>,
    /// Machines.
    pub machines: Fact<Vec<Machine>>,
}

/// A layer-2 fabric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fabric {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// VLANs.
    pub vlans: Vec<Vlan>,
}

/// A VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    /// Provisioner id.
    pub id: u64,
    /// Tag; 0 is untagged.
    pub vid: u16,
    /// Name.
    pub name: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// Whether the provisioner serves DHCP on it.
    pub dhcp_on: bool,
    /// Address of a foreign DHCP server seen on it.
    pub external_dhcp: Option<String>,
    /// Id of the VLAN that DHCP requests are relayed to.
    pub relay_vlan: Option<u64>,
    /// System id of the primary rack controller.
    pub primary_rack: Option<String>,
    /// Space, if it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Address block.
    pub cidr: IpNet,
    /// Id of its VLAN.
    pub vlan: u64,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// DNS servers in order.
    pub dns_servers: Vec<IpAddr>,
    /// Whether the provisioner allocates addresses in it.
    pub managed: bool,
}

/// What an address range is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeUse {
    /// DHCP hands the addresses out.
    Dynamic,
    /// Nobody may use them.
    Reserved,
}

/// An address range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressRange {
    /// Provisioner id.
    pub id: u64,
    /// Purpose.
    pub kind: RangeUse,
    /// First address.
    pub start: IpAddr,
    /// Last address.
    pub end: IpAddr,
    /// Id of its subnet.
    pub subnet: u64,
}

/// A static route between subnets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticRoute {
    /// Provisioner id.
    pub id: u64,
    /// Id of the source subnet.
    pub source: u64,
    /// Id of the destination subnet.
    pub destination: u64,
    /// Next hop.
    pub gateway: IpAddr,
    /// Metric.
    pub metric: u32,
}

/// A DNS domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainFacts {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Whether it is the default domain.
    pub is_default: bool,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagFacts {
    /// Name.
    pub name: String,
    /// XPath definition; empty for a static tag.
    pub definition: String,
    /// Kernel options that machines with the tag boot with.
    pub kernel_opts: String,
    /// Comment.
    pub comment: String,
}

/// An SSH public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKey {
    /// Provisioner id.
    pub id: u64,
    /// The key line.
    pub key: String,
}

#[allow(clippy::ptr_arg)] // As serde calls it.
fn without_credentials<S: serde::Serializer>(url: &String, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&without_url_credentials(url))
}

/// A package repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageRepository {
    /// Provisioner id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// URL. It may have credentials, which are written as `***`.
    #[serde(serialize_with = "without_credentials")]
    pub url: String,
    /// Distributions.
    pub distributions: Vec<String>,
    /// Components.
    pub components: Vec<String>,
    /// Pockets that are switched off.
    pub disabled_pockets: Vec<String>,
    /// Components that are switched off (the provisioner's own archives only).
    pub disabled_components: Vec<String>,
    /// Architectures.
    pub arches: Vec<String>,
    /// Signing key.
    pub key: String,
    /// Whether it is used.
    pub enabled: bool,
}

/// A boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Operating system (`ubuntu`).
    pub os: String,
    /// Series (`jammy`).
    pub series: String,
    /// Architecture (`amd64`).
    pub arch: String,
    /// Kernels it can boot (`ga-22.04`, `hwe-22.04`, …).
    pub kernels: Vec<String>,
    /// Whether it is complete on the region.
    pub synced: bool,
}

/// One thing a boot source is told to import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootSelection {
    /// Id of the boot source.
    pub source: u64,
    /// Operating system.
    pub os: String,
    /// Series.
    pub release: String,
    /// Architectures.
    pub arches: Vec<String>,
}

/// A network interface of a rack controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackInterface {
    /// Id of its VLAN.
    pub vlan: Option<u64>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// A rack controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackController {
    /// System id.
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// Whether all its services that must run do.
    pub healthy: bool,
    /// Services that are not running, with their status.
    pub problems: Vec<String>,
    /// Interfaces.
    pub interfaces: Vec<RackInterface>,
}

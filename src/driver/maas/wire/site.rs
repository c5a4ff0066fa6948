//! Site-level objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::{WireId, nullable, reference, text};
use crate::build::{
    AddressRange, BootSelection, DomainFacts, Fabric, Image, PackageRepository, RackController, RackInterface, RangeUse, SshKey,
    StaticRoute, Subnet, TagFacts, Vlan,
};

/// `GET version/`.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireVersion {
    pub(in super::super) version: String,
}

/// `GET users/?op=whoami`.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireUser {
    pub(in super::super) username: String,
    #[serde(default)]
    pub(in super::super) is_superuser: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireFabric {
    id: u64,
    name: String,
    #[serde(default)]
    vlans: Vec<WireVlan>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireVlan {
    pub(super) id: u64,
    vid: u16,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    mtu: u32,
    #[serde(default)]
    dhcp_on: bool,
    #[serde(default)]
    external_dhcp: Option<String>,
    #[serde(default, deserialize_with = "reference")]
    relay_vlan: Option<u64>,
    #[serde(default)]
    primary_rack: Option<String>,
    #[serde(default)]
    space: Option<String>,
}

impl From<WireFabric> for Fabric {
    fn from(w: WireFabric) -> Self {
        let mut vlans: Vec<Vlan> = w.vlans.into_iter().map(Vlan::from).collect();
        vlans.sort_by_key(|v| (v.vid, v.id));
        Self { id: w.id, name: w.name, vlans }
    }
}

impl From<WireVlan> for Vlan {
    fn from(w: WireVlan) -> Self {
        Self {
            id: w.id,
            vid: w.vid,
            name: w.name,
            mtu: w.mtu,
            dhcp_on: w.dhcp_on,
            external_dhcp: text(w.external_dhcp),
            relay_vlan: w.relay_vlan,
            primary_rack: text(w.primary_rack),
            // What is in no space is in one that is called so.
            space: text(w.space).filter(|s| s != "undefined"),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireSubnet {
    id: u64,
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    pub(super) cidr: IpNet,
    vlan: WireId,
    #[serde(default, deserialize_with = "address")]
    gateway_ip: Option<IpAddr>,
    #[serde(default, deserialize_with = "nullable")]
    dns_servers: Vec<IpAddr>,
    #[serde(default = "yes")]
    managed: bool,
}

fn yes() -> bool {
    true
}

/// An address, where an empty text stands for none.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    match text(Option::<String>::deserialize(deserializer)?) {
        None => Ok(None),
        Some(t) => t.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

impl From<WireSubnet> for Subnet {
    fn from(w: WireSubnet) -> Self {
        Self {
            id: w.id,
            name: w.name,
            cidr: w.cidr.trunc(),
            vlan: w.vlan.id,
            gateway: w.gateway_ip,
            dns_servers: w.dns_servers,
            managed: w.managed,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireRange {
    id: u64,
    #[serde(rename = "type")]
    kind: RangeUse,
    start_ip: IpAddr,
    end_ip: IpAddr,
    subnet: WireId,
}

impl From<WireRange> for AddressRange {
    fn from(w: WireRange) -> Self {
        Self { id: w.id, kind: w.kind, start: w.start_ip, end: w.end_ip, subnet: w.subnet.id }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireRoute {
    id: u64,
    source: WireId,
    destination: WireId,
    gateway_ip: IpAddr,
    #[serde(default)]
    metric: u32,
}

impl From<WireRoute> for StaticRoute {
    fn from(w: WireRoute) -> Self {
        Self { id: w.id, source: w.source.id, destination: w.destination.id, gateway: w.gateway_ip, metric: w.metric }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireDomain {
    id: u64,
    name: String,
    #[serde(default)]
    is_default: bool,
}

impl From<WireDomain> for DomainFacts {
    fn from(w: WireDomain) -> Self {
        // Before 2.9 the answer did not say; the default domain has always been the one with id 0.
        Self { id: w.id, name: w.name, is_default: w.is_default || w.id == 0 }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireTag {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    definition: String,
    #[serde(default, deserialize_with = "nullable")]
    kernel_opts: String,
    #[serde(default, deserialize_with = "nullable")]
    comment: String,
}

impl From<WireTag> for TagFacts {
    fn from(w: WireTag) -> Self {
        Self { name: w.name, definition: w.definition, kernel_opts: w.kernel_opts, comment: w.comment }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireSshKey {
    id: u64,
    key: String,
}

impl From<WireSshKey> for SshKey {
    fn from(w: WireSshKey) -> Self {
        Self { id: w.id, key: w.key }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireRepository {
    id: u64,
    name: String,
    url: String,
    #[serde(default, deserialize_with = "nullable")]
    distributions: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    components: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    disabled_pockets: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    disabled_components: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    key: String,
    #[serde(default = "yes")]
    enabled: bool,
}

impl From<WireRepository> for PackageRepository {
    fn from(w: WireRepository) -> Self {
        let sorted = |mut v: Vec<String>| {
            v.sort();
            v
        };
        Self {
            id: w.id,
            name: w.name,
            url: w.url,
            distributions: sorted(w.distributions),
            components: sorted(w.components),
            disabled_pockets: sorted(w.disabled_pockets),
            disabled_components: sorted(w.disabled_components),
            arches: sorted(w.arches),
            key: w.key,
            enabled: w.enabled,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireBootResource {
    pub(in super::super) id: u64,
    #[serde(rename = "type", default)]
    kind: String,
    name: String,
    architecture: String,
    /// Only the answer for one resource has them.
    #[serde(default)]
    sets: Option<BTreeMap<String, WireBootSet>>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireBootSet {
    #[serde(default)]
    complete: bool,
}

impl WireBootResource {
    /// Whether one of its versions is complete; `None` if the answer does not say.
    pub(in super::super) fn complete(&self) -> Option<bool> {
        self.sets.as_ref().map(|sets| sets.values().any(|s| s.complete))
    }

    /// Operating system, series and architecture. Uploaded images are of the system `custom`.
    pub(in super::super) fn image(&self) -> (String, String, String) {
        let (os, series) = self.name.split_once('/').unwrap_or(("custom", &self.name));
        let arch = self.architecture.split('/').next().unwrap_or_default();
        (os.to_owned(), series.to_owned(), arch.to_owned())
    }

    fn kernel(&self) -> Option<&str> {
        self.architecture.split_once('/').map(|(_, k)| k)
    }
}

/// Boot resources are per kernel; an image has all of them. `complete` says which resource is known to be complete or not; `otherwise` is
/// taken for the rest.
pub(in super::super) fn images(resources: &[WireBootResource], complete: &BTreeMap<u64, bool>, otherwise: bool) -> Vec<Image> {
    let mut grouped: BTreeMap<(String, String, String), (BTreeSet<String>, bool)> = BTreeMap::new();
    for resource in resources {
        let whole = complete.get(&resource.id).copied().unwrap_or(otherwise);
        let entry = grouped.entry(resource.image()).or_insert_with(|| (BTreeSet::new(), true));
        entry.1 &= whole && matches!(resource.kind.as_str(), "Synced" | "Uploaded" | "Generated" | "");
        entry.0.extend(resource.kernel().map(str::to_owned));
    }
    grouped
        .into_iter()
        .map(|((os, series, arch), (kernels, synced))| Image { os, series, arch, kernels: kernels.into_iter().collect(), synced })
        .collect()
}

/// `GET boot-sources/`.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireBootSource {
    pub(in super::super) id: u64,
}

/// `GET boot-sources/ID/selections/`.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireSelection {
    pub(in super::super) id: u64,
    os: String,
    release: String,
    #[serde(default, deserialize_with = "nullable")]
    arches: Vec<String>,
}

impl WireSelection {
    /// As a fact of its source.
    pub(in super::super) fn of(self, source: u64) -> BootSelection {
        BootSelection { source, os: self.os, release: self.release, arches: self.arches }
    }
}

/// A rack or region controller.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireController {
    pub(in super::super) system_id: String,
    hostname: String,
    #[serde(default)]
    service_set: Vec<WireService>,
    #[serde(default)]
    interface_set: Vec<WireControllerInterface>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireService {
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    status_info: String,
}

#[derive(Debug, Clone, Deserialize)]
struct WireControllerInterface {
    #[serde(default)]
    vlan: Option<WireId>,
    #[serde(default)]
    links: Vec<WireControllerLink>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireControllerLink {
    #[serde(default, deserialize_with = "address")]
    ip_address: Option<IpAddr>,
}

/// Services of a rack controller without which machines cannot boot. `off` is how MAAS reports one that is not wanted (DHCP on no VLAN).
const RACK_SERVICES: [&str; 7] = ["rackd", "agent", "tftp", "http", "dhcpd", "dhcpd6", "ntp_rack"];

impl From<WireController> for RackController {
    fn from(w: WireController) -> Self {
        let connected = w.service_set.iter().any(|s| s.name == "rackd" && s.status == "running");
        let mut problems: Vec<String> = w
            .service_set
            .iter()
            .filter(|s| match s.status.as_str() {
                "running" | "off" | "" => false,
                // What the region has not heard of counts only for the service that reports all others.
                "unknown" => s.name == "rackd",
                _ => RACK_SERVICES.contains(&s.name.as_str()),
            })
            .map(|s| match s.status_info.trim() {
                "" => format!("{} is {}", s.name, s.status),
                info => format!("{} is {}: {info}", s.name, s.status),
            })
            .collect();
        if !connected && problems.is_empty() {
            problems.push("rackd is not running".to_owned());
        }
        problems.sort();
        let interfaces = w
            .interface_set
            .into_iter()
            .map(|i| RackInterface { vlan: i.vlan.map(|v| v.id), addresses: i.links.into_iter().filter_map(|l| l.ip_address).collect() })
            .collect();
        Self { id: w.system_id, hostname: w.hostname, healthy: problems.is_empty(), problems, interfaces }
    }
}

/// `op=list_boot_images` of a rack controller.
#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct WireRackImages {
    #[serde(default)]
    connected: bool,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
}

impl WireRackImages {
    /// What it is at while it has not all of the region's images. One that is not connected is nobody's to wait for.
    pub(in super::super) fn behind(self) -> Option<String> {
        let waits = ["syncing", "out-of-sync", "region-importing"].contains(&self.status.as_str());
        (self.connected && waits).then_some(self.status)
    }
}

/// The one power parameter that is read. The answer also holds passwords; this type cannot.
#[derive(Clone, Deserialize)]
pub(in super::super) struct PowerAddress {
    #[serde(default, deserialize_with = "nullable")]
    power_address: String,
}

impl PowerAddress {
    /// Host part of the address; some power types carry a URL.
    pub(in super::super) fn host(&self) -> Option<String> {
        let given = self.power_address.trim();
        if given.is_empty() {
            return None;
        }
        match url::Url::parse(given) {
            Ok(url) if given.contains("://") => url.host_str().map(|h| h.trim_matches(['[', ']']).to_owned()),
            _ => Some(given.trim_matches(['[', ']']).to_owned()),
        }
    }
}

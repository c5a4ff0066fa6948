//! What is there when a design is fully applied.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::machine;
use crate::action::params::{
    BootMediaParams, DhcpService, NetworkResource, RepositoryParams, RepositoryValues, SshKeyParams, SubnetValues, TagParams,
};
use crate::action::{ActionKind, Json};
use crate::build::{
    AddressRange, Binding, Bmc, Build, DomainFacts, Fabric, Fact, Image, Machine, PackageRepository, PowerState, Provisioner,
    RackController, RackInterface, SshKey, StaticRoute, Subnet, TagFacts, Vlan,
};
use crate::diff::{AttributeChange, Comparison, LastApplied, Memory, Origin, SiteComparison, vid_on};
use crate::model::{Node, OobType, Site};

/// The user that everything belongs to.
pub(super) const USER: &str = "drydock";
/// The DNS domain that every MAAS has.
pub(super) const DEFAULT_DOMAIN: &str = "maas";
/// The archives that a new MAAS has, with their architectures.
const ARCHIVES: [(&str, &str, &[&str]); 2] = [
    ("main_archive", "http://archive.ubuntu.com/ubuntu", &["amd64", "i386"]),
    ("ports_archive", "http://ports.ubuntu.com/ubuntu-ports", &["arm64", "armhf", "ppc64el", "s390x"]),
];
/// Bytes of a frame where nobody says otherwise.
pub(super) const MTU: u32 = 1500;

/// Facts that grow by what a design wants.
pub(super) struct Facts<'a> {
    base: &'a Site,
    oob_driver: Option<&'a str>,
    fabrics: Vec<Fabric>,
    subnets: Vec<Subnet>,
    ranges: Vec<AddressRange>,
    routes: Vec<StaticRoute>,
    domains: Vec<DomainFacts>,
    tags: BTreeMap<String, TagFacts>,
    keys: Vec<SshKey>,
    repositories: Vec<PackageRepository>,
    images: Vec<Image>,
    /// Kernels that either version names, by system and series.
    kernels: BTreeMap<(String, String), BTreeSet<String>>,
    /// Where DHCP requests are relayed to, and the VLAN that is taken to be there.
    relays: BTreeMap<IpAddr, u64>,
    /// By the names that the base gives them.
    pub(super) machines: BTreeMap<String, Machine>,
    /// Links and tags on which either version has a network with a DHCP range: a rack controller is there.
    served: BTreeSet<(String, u16)>,
    /// Nodes of the other version and the nodes of the base whose machines they have.
    pub(super) machine_of: BTreeMap<String, String>,
    bmcs: BTreeMap<String, Fact<Bmc>>,
    memory: Memory,
    next_id: u64,
    /// Attributes that the base sets, by resource.
    pub(super) said: BTreeMap<String, Vec<Arc<AttributeChange>>>,
    /// Sizes that only a machine knows, as the base writes them: node → size as it would be shown → what the base says.
    pub(super) sizes: BTreeMap<String, BTreeMap<String, String>>,
}

/// Parameters of a step; those of the planner always fit.
fn decode<T: DeserializeOwned>(params: &Value) -> Option<T> {
    T::deserialize(params).ok()
}

/// The identity of the machine behind the N-th node of the base; others begin behind those.
fn identity(n: usize) -> (String, String) {
    (
        format!("00000000-0000-0000-0000-{n:012x}"),
        format!("02:dd:{:02x}:{:02x}:{:02x}:{:02x}", n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255),
    )
}

impl<'a> Facts<'a> {
    /// A provisioner that has nothing but what every new one has, and one machine for each node of the base, switched off and not enlisted.
    pub(super) fn new(base: &'a Site, head: &Site, oob_driver: Option<&'a str>) -> Self {
        let mut out = Self {
            base,
            oob_driver,
            fabrics: Vec::new(),
            subnets: Vec::new(),
            ranges: Vec::new(),
            routes: Vec::new(),
            domains: vec![DomainFacts { id: 0, name: DEFAULT_DOMAIN.to_owned(), is_default: true }],
            tags: BTreeMap::new(),
            keys: Vec::new(),
            repositories: Vec::new(),
            images: Vec::new(),
            kernels: BTreeMap::new(),
            relays: BTreeMap::new(),
            machines: BTreeMap::new(),
            served: BTreeSet::new(),
            machine_of: BTreeMap::new(),
            bmcs: BTreeMap::new(),
            memory: Memory::default(),
            next_id: 1,
            said: BTreeMap::new(),
            sizes: BTreeMap::new(),
        };
        for (name, url, arches) in ARCHIVES {
            let values = RepositoryValues {
                credentials: false,
                arches: arches.iter().map(|a| (*a).to_owned()).collect(),
                components: Vec::new(),
                disabled_components: Vec::new(),
                disabled_pockets: Vec::new(),
                distributions: Vec::new(),
                key: String::new(),
                url: url.to_owned(),
            };
            out.repository(RepositoryParams { name: name.to_owned(), after: Some(values), before: None });
        }
        for site in [base, head] {
            for node in site.nodes.values() {
                if let (Some((os, series)), Some(kernel)) = (node.platform.system(), &node.platform.kernel) {
                    out.kernels.entry((os.to_owned(), series.to_owned())).or_default().insert(kernel.value.clone());
                }
            }
            for link in site.links.values() {
                let networks = link.allowed_networks.iter().filter_map(|n| site.networks.get(&n.value)).filter(|n| n.has_dhcp_range());
                out.served.extend(networks.map(|n| (link.name.value.clone(), vid_on(link, n))));
            }
            let relays = site.networks.values().filter_map(|n| n.dhcp_relay.as_ref()?.upstream_target.as_ref());
            for target in relays {
                let id = out.id();
                out.relays.insert(target.value, id);
            }
        }
        for (n, node) in base.nodes.values().enumerate() {
            let bmc = out.bmc(node, n, PowerState::Off);
            out.bmcs.insert(node.name.value.clone(), Fact::Known(bmc));
        }
        out
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// What the BMC of the N-th machine reports.
    fn bmc(&self, node: &Node, n: usize, power: PowerState) -> Bmc {
        let own = node.oob.kind.as_ref().map_or(OobType::Manual, |k| k.value);
        let driver = if own == OobType::Manual { own.name() } else { self.oob_driver.unwrap_or(own.name()) };
        let address = node.oob.address.as_ref().map(|a| a.value.to_string()).filter(|_| own != OobType::Manual).unwrap_or_default();
        let (uuid, mac) = identity(n);
        let mac = node.boot_mac.as_ref().map_or(mac, |m| m.value.to_lowercase());
        Bmc { uuid: Some(uuid), macs: vec![mac], power, ..Bmc::unread(driver, address, node.name.value.clone()) }
    }

    /// What is there, as a build model.
    pub(super) fn build(&self) -> Build {
        let vlans = self.fabrics.iter().flat_map(|f| f.vlans.iter().filter(|v| self.served.contains(&(f.name.clone(), v.vid))));
        let vlans = vlans.map(|v| RackInterface { vlan: Some(v.id), addresses: Vec::new() });
        let relays = self.relays.iter().map(|(target, vlan)| RackInterface { vlan: Some(*vlan), addresses: vec![*target] });
        let racks = vec![RackController {
            id: "rack".to_owned(),
            hostname: "rack".to_owned(),
            healthy: true,
            problems: Vec::new(),
            interfaces: vlans.chain(relays).collect(),
        }];
        let provisioner = Provisioner {
            driver: "maas".to_owned(),
            version: String::new(),
            user: USER.to_owned(),
            fabrics: Fact::Known(self.fabrics.clone()),
            subnets: Fact::Known(self.subnets.clone()),
            ranges: Fact::Known(self.ranges.clone()),
            routes: Fact::Known(self.routes.clone()),
            domains: Fact::Known(self.domains.clone()),
            tags: Fact::Known(self.tags.values().cloned().collect()),
            ssh_keys: Fact::Known(self.keys.clone()),
            repositories: Fact::Known(self.repositories.clone()),
            images: Fact::Known(self.images.clone()),
            importing: Fact::Known(false),
            selections: Fact::Known(Vec::new()),
            racks: Fact::Known(racks),
            machines: Fact::Known(self.machines.values().cloned().collect()),
        };
        Build { format: 1, endpoints: Vec::new(), provisioner: Fact::Known(provisioner), bmcs: self.bmcs.clone(), observed_at: 0 }
    }

    /// What is remembered: that drydock made all of it.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    fn remember(&mut self, resource: &str, attributes: Value) {
        self.memory.last_applied.insert(resource.to_owned(), LastApplied { origin: Origin::Created, attributes });
    }

    /// Puts in what the site's steps bring about.
    pub(super) fn apply_site(&mut self, site: SiteComparison) {
        for (resource, step) in site.steps {
            let params = &step.params;
            match step.kind {
                ActionKind::CreateNetworkTemplate => decode(params).into_iter().for_each(|what| self.network(what)),
                ActionKind::ConfigureUserCredentials => {
                    let id = self.id();
                    self.keys.extend(decode::<SshKeyParams>(params).map(|p| SshKey { id, key: p.key }));
                }
                ActionKind::ConfigureTags => {
                    if let Some(TagParams { after, name, .. }) = decode(params) {
                        self.tag(&name, after.definition, after.kernel_opts);
                    }
                }
                ActionKind::ConfigureNodeProvisioner => decode(params).into_iter().for_each(|p| self.repository(p)),
                ActionKind::CreateBootMedia => decode(params).into_iter().for_each(|p| self.image(p)),
                _ => {}
            }
            self.said.entry(resource.clone()).or_default().extend(step.change.attributes);
            self.remember(&resource, step.params);
        }
    }

    fn fabric(&mut self, name: &str) -> &mut Fabric {
        if !self.fabrics.iter().any(|f| f.name == name) {
            let (id, vlan) = (self.id(), self.id());
            self.fabrics.push(Fabric { id, name: name.to_owned(), vlans: vec![new_vlan(vlan, 0, "untagged")] });
        }
        let at = self.fabrics.iter().position(|f| f.name == name).unwrap_or_default();
        &mut self.fabrics[at]
    }

    /// The VLAN with a tag, which is there from now on.
    pub(super) fn vlan(&mut self, fabric: &str, vid: u16) -> &mut Vlan {
        let id = self.id();
        let fabric = self.fabric(fabric);
        if !fabric.vlans.iter().any(|v| v.vid == vid) {
            fabric.vlans.push(new_vlan(id, vid, &format!("{vid}")));
        }
        let at = fabric.vlans.iter().position(|v| v.vid == vid).unwrap_or_default();
        &mut fabric.vlans[at]
    }

    fn subnet_id(&self, cidr: IpNet) -> u64 {
        self.subnets.iter().find(|s| s.cidr == cidr).map_or(0, |s| s.id)
    }

    /// The gateway of a subnet.
    pub(super) fn gateway(&self, cidr: IpNet) -> Option<IpAddr> {
        self.subnets.iter().find(|s| s.cidr == cidr)?.gateway
    }

    fn network(&mut self, what: NetworkResource) {
        match what {
            NetworkResource::Fabric { name, .. } => {
                self.fabric(&name);
            }
            NetworkResource::Vlan { after, fabric, vid, .. } => {
                let vlan = self.vlan(&fabric, vid);
                (vlan.name, vlan.mtu, vlan.space) = (after.name, after.mtu, after.space);
            }
            NetworkResource::Subnet { after, cidr, .. } => {
                let vlan = self.vlan(&after.fabric, after.vid).id;
                let id = self.id();
                self.subnets.retain(|s| s.cidr != cidr);
                for (_, relay) in self.relays.iter_mut().filter(|(target, _)| cidr.contains(*target)) {
                    *relay = vlan;
                }
                let SubnetValues { dns_servers, gateway, name, .. } = after;
                self.subnets.push(Subnet { id, name, cidr, vlan, gateway, dns_servers, managed: true });
            }
            NetworkResource::Range { kind, start, end, subnet, .. } => {
                let (id, subnet) = (self.id(), self.subnet_id(subnet));
                self.ranges.push(AddressRange { id, kind, start, end, subnet });
            }
            NetworkResource::Dhcp { fabric, service, vid } => {
                let relay = match service {
                    DhcpService::Rack => None,
                    DhcpService::Relay { target } => Some(self.relays.get(&target).copied().unwrap_or_default()),
                };
                let vlan = self.vlan(&fabric, vid);
                vlan.dhcp_on = relay.is_none();
                vlan.relay_vlan = relay;
                vlan.primary_rack = relay.is_none().then(|| "rack".to_owned());
            }
            NetworkResource::Route { destination, gateway, metric, source, .. } => {
                let (source, destination) = (self.subnet_id(source), self.subnet_id(destination));
                let id = self.id();
                self.routes.push(StaticRoute { id, source, destination, gateway, metric });
            }
            NetworkResource::Domain { name } => {
                let id = self.id();
                self.domains.push(DomainFacts { id, name, is_default: false });
            }
        }
    }
}

impl Facts<'_> {
    /// A tag that is there from now on, with these values.
    pub(super) fn tag(&mut self, name: &str, definition: String, kernel_opts: String) {
        let tag = TagFacts { name: name.to_owned(), definition, kernel_opts, comment: String::new() };
        self.tags.insert(name.to_owned(), tag);
    }

    /// A static tag, which keeps its values if it is there already.
    pub(super) fn static_tag(&mut self, name: &str) {
        if !self.tags.contains_key(name) {
            self.tag(name, String::new(), String::new());
        }
    }

    fn repository(&mut self, RepositoryParams { name, after, .. }: RepositoryParams) {
        self.repositories.retain(|r| r.name != name);
        let Some(values) = after else { return };
        let RepositoryValues { arches, components, credentials, disabled_components, disabled_pockets, distributions, key, url } = values;
        // Credentials are in no parameters.
        let written = self.base.region.repositories.get(&name).filter(|_| credentials);
        let url = written.map_or(url, |r| r.url.value.clone());
        let id = self.id();
        self.repositories.push(PackageRepository {
            id,
            name,
            url,
            distributions,
            components,
            disabled_pockets,
            disabled_components,
            arches,
            key,
            enabled: true,
        });
    }

    fn image(&mut self, BootMediaParams { arch, os, series }: BootMediaParams) {
        let kernels = self.kernels.get(&(os.clone(), series.clone())).into_iter().flatten().cloned().collect();
        self.images.push(Image { os, series, arch, kernels, synced: true });
    }

    /// Puts in what the nodes' branches bring about.
    pub(super) fn apply_nodes(&mut self, comparison: Comparison) {
        for change in comparison.node_changes {
            self.said.entry(change.resource).or_default().extend(change.attributes);
        }
        let base = self.base;
        for (name, work) in comparison.work {
            let Some(node) = base.nodes.get(&name) else { continue };
            let part = |part: &str| format!("node.{name}/{part}");
            for (resource, params) in [
                (part("networking"), work.networking.as_ref()),
                (part("storage"), work.storage.as_ref()),
                (part("platform"), work.platform.as_ref()),
            ] {
                if let Some(params) = params {
                    self.remember(&resource, params.value());
                }
            }
            let deploy = work.deploy.as_ref().map_or(Value::Null, |d| Json::of(d).value());
            self.remember(&format!("node.{name}"), deploy);
            let bound = Binding { machine: Some(name.clone()), ..work.binding.clone() };
            self.memory.bindings.insert(name.clone(), bound);
            let machine = machine::deployed(self, &base.name.value, node, &work);
            self.machines.insert(name, machine);
        }
    }

    /// Lets the machines fit another version of the design: its nodes have BMCs, and its devices are there.
    pub(super) fn fit(&mut self, head: &Site) {
        let base = self.base;
        let address = |node: &Node| {
            node.oob.address.as_ref().map(|a| a.value).filter(|_| node.oob.kind.as_ref().is_some_and(|k| k.value != OobType::Manual))
        };
        let places: BTreeMap<&str, usize> = base.nodes.keys().enumerate().map(|(n, name)| (name.as_str(), n)).collect();
        let at: BTreeMap<IpAddr, &str> = base.nodes.iter().filter_map(|(name, node)| Some((address(node)?, name.as_str()))).collect();
        // Behind an address of the base is the base's machine, whatever the node's name is now.
        let mut found: BTreeMap<&str, &str> =
            head.nodes.iter().filter_map(|(name, node)| Some((name.as_str(), *at.get(&address(node)?)?))).collect();
        let taken: BTreeSet<&str> = found.values().copied().collect();
        for (name, _) in head.nodes.iter().filter(|(name, _)| places.contains_key(name.as_str()) && !taken.contains(name.as_str())) {
            found.entry(name).or_insert(name);
        }
        let mut bmcs = BTreeMap::new();
        for (n, (name, node)) in head.nodes.iter().enumerate() {
            let of_base = found.get(name.as_str()).and_then(|old| Some((base.nodes.get(*old)?, *places.get(old)?)));
            let bmc = match of_base {
                Some((old, place)) => {
                    let power = if self.machines.contains_key(&old.name.value) { PowerState::On } else { PowerState::Off };
                    // Its MAC is that of the machine, not what the other version takes it for.
                    Bmc { macs: self.bmc(old, place, power).macs, ..self.bmc(node, place, power) }
                }
                None => self.bmc(node, places.len() + n, PowerState::Off),
            };
            if let Some(mut machine) = of_base.and_then(|(old, _)| self.machines.remove(&old.name.value)) {
                machine::fit(self, &mut machine, head, node);
                self.machines.insert(machine.id.clone(), machine);
            }
            bmcs.insert(name.clone(), Fact::Known(bmc));
        }
        self.bmcs = bmcs;
        self.machine_of = found.into_iter().map(|(now, before)| (now.to_owned(), before.to_owned())).collect();
    }
}

fn new_vlan(id: u64, vid: u16, name: &str) -> Vlan {
    Vlan {
        id,
        vid,
        name: name.to_owned(),
        mtu: MTU,
        dhcp_on: false,
        external_dhcp: None,
        relay_vlan: None,
        primary_rack: None,
        space: None,
    }
}

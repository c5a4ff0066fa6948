//! Site resources: fabrics, VLANs, subnets, ranges, DHCP, routes, domains, tags, keys, repositories, images.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::attributes::{Class, Pool, PresentMap, WantedMap, created, differences, want};
use super::memory::Memory;
use super::networking::{FabricNames, vid_on};
use super::removal::{self, Removal};
use super::{AttributeChange, Blocked, Change, HeldBack, Operation, Policy};
use crate::action::params::{DhcpService, FabricBefore, NetworkResource, SubnetValues, VlanValues};
use crate::action::{ActionKind, Effect};
use crate::build::{Fabric, Fact, LinkMode, Provisioner, RangeUse, Subnet};
use crate::model::{Network, NetworkLink, RangeKind, Site};

/// A site resource that differs, and how it is brought about.
#[derive(Debug, Clone)]
pub struct SiteStep {
    /// The change.
    pub change: Change,
    /// Kind of action.
    pub kind: ActionKind,
    /// Its parameters.
    pub params: Value,
    /// Resources that must be there before, whether or not they change.
    pub needs: Vec<String>,
}

/// What a comparison of the site's resources says.
#[derive(Debug, Clone, Default)]
pub struct SiteComparison {
    /// Steps by resource.
    pub steps: BTreeMap<String, SiteStep>,
    /// Resources about which nothing can be planned.
    pub blocked: BTreeMap<String, Blocked>,
    /// What the policy holds back.
    pub held_back: Vec<HeldBack>,
    /// What is removed, each after what it needs.
    pub removals: Vec<Removal>,
    /// Design statements that no driver carries out: what → resources.
    pub not_managed: BTreeMap<String, BTreeSet<String>>,
    /// VLAN ids to the fabric's final name and the tag.
    pub(super) fabrics: FabricNames,
}

/// Resource address of a VLAN.
pub(super) fn vlan_resource(link: &str, vid: u16) -> String {
    format!("vlan.{link}/{vid}")
}

/// Resource address of DHCP on a VLAN.
pub(super) fn dhcp_resource(link: &str, vid: u16) -> String {
    format!("dhcp.{link}/{vid}")
}

/// Resource address of an image.
pub(super) fn image_resource(os: &str, series: &str, arch: &str) -> String {
    if arch == USUAL_ARCHITECTURE { format!("image.{os}/{series}") } else { format!("image.{os}/{series}/{arch}") }
}

/// What a machine is taken for of which nothing is known yet.
const USUAL_ARCHITECTURE: &str = "amd64";

/// The architecture of a node's machine, as far as it is known: by its binding, else by its name.
pub(super) fn architecture<'a>(node: &str, provisioner: Option<&'a Provisioner>, memory: &Memory) -> &'a str {
    let bound = memory.bindings.get(node).and_then(|b| b.machine.as_deref());
    let machines = || provisioner.and_then(|p| p.machines.known()).into_iter().flatten();
    let machine = machines().find(|m| Some(m.id.as_str()) == bound).or_else(|| machines().find(|m| m.hostname == node));
    let arch = machine.and_then(|m| m.architecture.split('/').next()).unwrap_or_default();
    if arch.is_empty() { USUAL_ARCHITECTURE } else { arch }
}

mod region;

struct Builder<'a> {
    site: &'a Site,
    pool: &'a Pool<'a>,
    provisioner: &'a Provisioner,
    policy: &'a Policy,
    memory: &'a Memory,
    out: SiteComparison,
}

/// Compares the site's resources.
pub(super) fn compare(site: &Site, pool: &Pool<'_>, provisioner: &Provisioner, policy: &Policy, memory: &Memory) -> SiteComparison {
    let mut b = Builder { site, pool, provisioner, policy, memory, out: SiteComparison::default() };
    b.networks();
    b.routes();
    b.domains();
    b.tags();
    b.keys();
    b.repositories();
    b.images();
    b.drop_repeated_rejections();
    b.out
}

fn params(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl Builder<'_> {
    fn block(&mut self, resource: impl Into<String>, reason: impl Into<String>, hint: impl Into<String>) {
        let resource = resource.into();
        self.out.blocked.entry(resource.clone()).or_insert(Blocked { resource, reason: reason.into(), hint: hint.into() });
    }

    fn unknown(&mut self, resource: impl Into<String>, what: &str, why: &str) {
        self.block(resource, format!("{what} of the provisioner are not known: {why}"), "make the provisioner answer, then plan again");
    }

    /// Adds a step if any attribute differs.
    fn step(
        &mut self,
        resource: &str,
        kind: ActionKind,
        existing: bool,
        attributes: Vec<Arc<AttributeChange>>,
        params: Value,
        needs: Vec<String>,
    ) {
        if attributes.is_empty() {
            return;
        }
        let operation = if existing { Operation::Update } else { Operation::Create };
        let effect = attributes.iter().map(|a| a.effect).max().unwrap_or(Effect::Online);
        let change = Change { resource: resource.to_owned(), node: None, operation, effect, reason: String::new(), attributes };
        self.out.steps.insert(resource.to_owned(), SiteStep { change, kind, params, needs });
    }

    /// Holds a step back if it changes something of the whole region and the provisioner is not ours alone.
    fn guard_region(&mut self, resource: &str) {
        if self.policy.owns_region {
            return;
        }
        let Some(step) = self.out.steps.get(resource) else { return };
        if step.change.operation == Operation::Create {
            return;
        }
        if let Some(step) = self.out.steps.remove(resource) {
            self.out.held_back.push(HeldBack {
                change: step.change,
                reason: "it belongs to the whole region of the provisioner, which other sites may share".into(),
                hint: "if this provisioner serves only this site, set `drivers.maas.owns_region: true`".into(),
            });
        }
    }

    fn drop_repeated_rejections(&mut self) {
        let repeated: Vec<(String, String)> = self
            .out
            .steps
            .iter()
            .filter_map(|(resource, step)| {
                let r = self.memory.rejections.get(resource)?;
                (r.params == step.params).then(|| (resource.clone(), r.message.clone()))
            })
            .collect();
        for (resource, message) in repeated {
            if let Some(step) = self.out.steps.remove(&resource) {
                self.out.held_back.push(HeldBack {
                    change: step.change,
                    reason: format!("the provisioner has refused exactly this before: {message}"),
                    hint: "change it in the design; the same request would be refused again".into(),
                });
            }
        }
    }

    fn managed_links(&self) -> Vec<&NetworkLink> {
        self.site.links.values().filter(|l| !l.is_noconfig()).collect()
    }

    fn networks(&mut self) {
        let site = self.site;
        let (fabrics, subnets) = match (&self.provisioner.fabrics, &self.provisioner.subnets) {
            (Fact::Known(f), Fact::Known(s)) => (f, s),
            (Fact::Unknown(e), _) | (_, Fact::Unknown(e)) => {
                for link in self.managed_links().into_iter().map(|l| l.name.value.clone()).collect::<Vec<_>>() {
                    self.unknown(format!("fabric.{link}"), "fabrics or subnets", e);
                }
                for network in site.networks.values() {
                    self.unknown(format!("subnet.{}", network.name.value), "fabrics or subnets", e);
                }
                return;
            }
        };
        let mut taken: BTreeMap<u64, String> = BTreeMap::new();
        let mut chosen: Vec<(&NetworkLink, Vec<&Network>, Option<&Fabric>)> = Vec::new();
        for link in site.links.values().filter(|l| !l.is_noconfig()) {
            let networks: Vec<&Network> = link.allowed_networks.iter().filter_map(|n| site.networks.get(&n.value)).collect();
            let resource = format!("fabric.{}", link.name.value);
            let found: BTreeMap<u64, &Fabric> = networks
                .iter()
                .filter_map(|n| subnets.iter().find(|s| s.cidr == n.cidr.value))
                .filter_map(|s| fabrics.iter().find(|f| f.vlans.iter().any(|v| v.id == s.vlan)))
                .map(|f| (f.id, f))
                .collect();
            let named = fabrics.iter().find(|f| f.name == link.name.value);
            let fabric = match found.len() {
                0 => named,
                1 => found.values().next().copied(),
                _ => {
                    let names: Vec<&str> = found.values().map(|f| f.name.as_str()).collect();
                    self.block(
                        &resource,
                        format!("its subnets lie in several fabrics of the provisioner: {}", names.join(", ")),
                        "move the subnets into one fabric, or put the networks on links of their own",
                    );
                    continue;
                }
            };
            if let Some(fabric) = fabric {
                if let Some(other) = taken.insert(fabric.id, link.name.value.clone()) {
                    self.block(
                        &resource,
                        format!("the provisioner's fabric {} holds subnets of link {other} and of link {}", fabric.name, link.name.value),
                        "a fabric is one link: move the subnets apart in the provisioner",
                    );
                    continue;
                }
                if let Some(named) = named.filter(|n| n.id != fabric.id) {
                    self.block(
                        &resource,
                        format!(
                            "its subnets lie in fabric {}, but another fabric (id {}) has the name {}",
                            fabric.name, named.id, named.name
                        ),
                        "rename or delete one of the two fabrics",
                    );
                    continue;
                }
            }
            chosen.push((link, networks, fabric));
        }
        for fabric in fabrics {
            let name = taken.get(&fabric.id).unwrap_or(&fabric.name);
            for vlan in &fabric.vlans {
                self.out.fabrics.insert(vlan.id, (name.clone(), vlan.vid));
            }
        }
        for (link, networks, fabric) in chosen {
            self.link(link, &networks, fabric, subnets);
        }
        self.block_networks_of_blocked_links();
        for network in site.networks.values().filter(|n| n.link.is_none()) {
            self.out.not_managed.entry("networks on no link".into()).or_default().insert(format!("network.{}", network.name.value));
        }
    }

    fn block_networks_of_blocked_links(&mut self) {
        let site = self.site;
        for link in site.links.values() {
            let resource = format!("fabric.{}", link.name.value);
            if self.out.blocked.contains_key(&resource) {
                for n in &link.allowed_networks {
                    self.block(format!("subnet.{}", n.value), format!("{resource} is blocked"), format!("see {resource}"));
                }
            }
        }
    }

    fn link(&mut self, link: &NetworkLink, networks: &[&Network], fabric: Option<&Fabric>, subnets: &[Subnet]) {
        let name = &link.name.value;
        let fabric_resource = format!("fabric.{name}");
        let mut wanted = WantedMap::new();
        want(&mut wanted, "name", name.as_str(), link.name.span);
        let attributes = match fabric {
            None => created(&wanted, self.pool, Effect::Online, None),
            Some(f) => {
                differences(&wanted, &PresentMap::from([("name".to_owned(), Value::from(f.name.as_str()))]), self.pool, Class::Of("fabric"))
            }
        };
        let before = fabric.map(|f| FabricBefore { id: f.id, name: f.name.clone() });
        let p = params(&NetworkResource::Fabric { name: name.clone(), before });
        self.step(&fabric_resource, ActionKind::CreateNetworkTemplate, fabric.is_some(), attributes, p, Vec::new());

        let mut by_vid: BTreeMap<u16, Vec<&Network>> = BTreeMap::new();
        by_vid.entry(0).or_default();
        for n in networks {
            by_vid.entry(vid_on(link, n)).or_default().push(n);
        }
        for (vid, members) in &by_vid {
            self.vlan(link, *vid, members, fabric);
            for network in members {
                self.subnet(link, *vid, network, fabric, subnets);
            }
            self.dhcp(link, *vid, members, fabric);
        }
    }

    fn vlan(&mut self, link: &NetworkLink, vid: u16, members: &[&Network], fabric: Option<&Fabric>) {
        let link_name = &link.name.value;
        let resource = vlan_resource(link_name, vid);
        let mut wanted = WantedMap::new();
        let present = fabric.and_then(|f| f.vlans.iter().find(|v| v.vid == vid));
        // The untagged VLAN comes with its fabric; its name stays what it is.
        let vlan_name = if vid == 0 {
            present.map_or_else(|| "untagged".to_owned(), |v| v.name.clone())
        } else {
            let name = members.first().map_or_else(|| format!("{link_name}-{vid}"), |n| n.name.value.clone());
            want(&mut wanted, "name", name.as_str(), members.first().map_or(link.name.span, |n| n.name.span));
            name
        };
        let mtu = members.iter().filter_map(|n| n.mtu.as_ref()).max().or(link.mtu.as_ref());
        let mtu_value = mtu.map_or_else(|| present.map_or(1500, |v| v.mtu), |m| m.value);
        want(&mut wanted, "mtu", mtu_value, mtu.map_or(link.name.span, |m| m.span));
        let space = members.iter().find_map(|n| self.policy.spaces.get(&n.name.value)).cloned();
        if let Some(space) = &space {
            want(&mut wanted, "space", space.as_str(), crate::yaml::Span::NOWHERE);
        }
        let values = VlanValues { name: vlan_name, mtu: mtu_value, space };
        let (attributes, before) = match present {
            Some(v) => {
                let mut have = PresentMap::from([("mtu".to_owned(), Value::from(v.mtu))]);
                if vid != 0 {
                    have.insert("name".into(), Value::from(v.name.as_str()));
                }
                if let (Some(now), Some(_)) = (&v.space, &values.space) {
                    have.insert("space".into(), Value::from(now.as_str()));
                }
                let before = VlanValues { name: v.name.clone(), mtu: v.mtu, space: v.space.clone() };
                (differences(&wanted, &have, self.pool, Class::Of("vlan")), Some(before))
            }
            // A new fabric comes with an untagged VLAN of 1500 bytes.
            None if vid == 0 && mtu_value == 1500 && values.space.is_none() => (Vec::new(), None),
            None => (created(&wanted, self.pool, Effect::Online, None), None),
        };
        let p = params(&NetworkResource::Vlan { fabric: link_name.clone(), vid, after: values, before });
        self.step(
            &resource,
            ActionKind::CreateNetworkTemplate,
            present.is_some() || vid == 0,
            attributes,
            p,
            vec![format!("fabric.{link_name}")],
        );
    }

    fn subnet(&mut self, link: &NetworkLink, vid: u16, network: &Network, fabric: Option<&Fabric>, subnets: &[Subnet]) {
        let link_name = &link.name.value;
        let name = &network.name.value;
        let resource = format!("subnet.{name}");
        let mut wanted = WantedMap::new();
        want(&mut wanted, "name", name.as_str(), network.name.span);
        want(&mut wanted, "cidr", network.cidr.value.to_string(), network.cidr.span);
        want(&mut wanted, "vlan", format!("{link_name}/{vid}"), network.vlan.as_ref().map_or(network.name.span, |v| v.span));
        let gateway = network.default_gateway();
        if let Some(gateway) = gateway {
            want(&mut wanted, "gateway", gateway.value.to_string(), gateway.span);
        }
        let dns: Vec<IpAddr> = network.dns_servers.iter().map(|s| s.value).collect();
        if !dns.is_empty() {
            let shown: Vec<String> = dns.iter().map(ToString::to_string).collect();
            want(&mut wanted, "dns_servers", shown, network.dns_servers.first().map_or(network.name.span, |s| s.span));
        }
        let after =
            SubnetValues { name: name.clone(), fabric: link_name.clone(), vid, gateway: gateway.map(|g| g.value), dns_servers: dns };
        let present = subnets.iter().find(|s| s.cidr == network.cidr.value);
        let (attributes, before) = match present {
            None => (created(&wanted, self.pool, Effect::Online, None), None),
            Some(s) => {
                let (fabric_name, now_vid) = self.out.fabrics.get(&s.vlan).cloned().unwrap_or_else(|| (format!("vlan id {}", s.vlan), 0));
                let mut have = PresentMap::from([
                    ("name".to_owned(), Value::from(s.name.as_str())),
                    ("cidr".to_owned(), Value::from(s.cidr.to_string())),
                    ("vlan".to_owned(), Value::from(format!("{fabric_name}/{now_vid}"))),
                ]);
                if let Some(g) = s.gateway {
                    have.insert("gateway".into(), Value::from(g.to_string()));
                }
                if !s.dns_servers.is_empty() {
                    have.insert("dns_servers".into(), s.dns_servers.iter().map(ToString::to_string).collect::<Vec<_>>().into());
                }
                let attributes = differences(&wanted, &have, self.pool, Class::Of("subnet"));
                if attributes.iter().any(|a| a.path == "vlan")
                    && let Some(user) = self.machine_on(s)
                {
                    self.block(
                        &resource,
                        format!(
                            "it would move from VLAN {fabric_name}/{now_vid} to {link_name}/{vid} while machine {user} is configured on it"
                        ),
                        "release the machines on it first, or change the design back",
                    );
                    return;
                }
                let before = SubnetValues {
                    name: s.name.clone(),
                    fabric: fabric_name,
                    vid: now_vid,
                    gateway: s.gateway,
                    dns_servers: s.dns_servers.clone(),
                };
                (attributes, Some(before))
            }
        };
        let p = params(&NetworkResource::Subnet { cidr: network.cidr.value, after, before });
        self.step(
            &resource,
            ActionKind::CreateNetworkTemplate,
            present.is_some(),
            attributes,
            p,
            vec![vlan_resource(link_name, vid), format!("fabric.{link_name}")],
        );
        self.ranges(network, present, fabric);
    }

    fn machine_on(&self, subnet: &Subnet) -> Option<String> {
        let machines = self.provisioner.machines.known()?;
        let on = |m: &&crate::build::Machine| m.interfaces.iter().flat_map(|i| &i.links).any(|l| l.subnet == Some(subnet.cidr));
        machines.iter().find(on).map(|m| m.hostname.clone())
    }

    fn ranges(&mut self, network: &Network, present: Option<&Subnet>, _fabric: Option<&Fabric>) {
        let name = &network.name.value;
        let listed = match &self.provisioner.ranges {
            Fact::Known(r) => r,
            Fact::Unknown(e) => {
                self.unknown(format!("range.{name}"), "address ranges", e);
                return;
            }
        };
        for range in &network.ranges {
            let kind = match range.kind.value {
                RangeKind::Static => continue,
                RangeKind::Dhcp => RangeUse::Dynamic,
                RangeKind::Reserved => RangeUse::Reserved,
            };
            let (start, end) = (range.start.value, range.end.value);
            let resource = format!("range.{name}/{start}-{end}");
            let mine = |r: &&crate::build::AddressRange| present.is_some_and(|s| s.id == r.subnet);
            if listed.iter().filter(mine).any(|r| r.kind == kind && r.start == start && r.end == end) {
                continue;
            }
            let mut needs = vec![format!("subnet.{name}")];
            let mut overlapping = None;
            for other in listed.iter().filter(mine).filter(|r| r.start <= end && start <= r.end) {
                match removal::in_the_way(self.site, self.provisioner, self.memory, self.policy, other) {
                    Some((old, step)) => {
                        needs.push(old.clone());
                        self.out.steps.insert(old, step);
                    }
                    None => overlapping = Some(other),
                }
            }
            if let Some(other) = overlapping {
                self.block(
                    &resource,
                    format!("the provisioner has a {} range {}-{} that overlaps it", use_name(other.kind), other.start, other.end),
                    "delete that range in the provisioner, or make the design's the same",
                );
                continue;
            }
            if kind == RangeUse::Dynamic
                && let Some(user) = self.address_in_use(network, start, end)
            {
                self.block(
                    &resource,
                    format!("it holds {user}; the provisioner refuses a dynamic range that holds an address in use"),
                    "shorten the range in the design, or move the address out of it",
                );
                continue;
            }
            let mut wanted = WantedMap::new();
            want(&mut wanted, "type", use_name(kind), range.kind.span);
            want(&mut wanted, "start", start.to_string(), range.start.span);
            want(&mut wanted, "end", end.to_string(), range.end.span);
            let attributes = created(&wanted, self.pool, Effect::Online, None);
            let dns: Vec<IpAddr> = network.dns_servers.iter().map(|s| s.value).collect();
            let holds_server = kind == RangeUse::Dynamic && dns.iter().any(|a| (start..=end).contains(a));
            let dns_servers = if holds_server { dns } else { Vec::new() };
            let p = params(&NetworkResource::Range { subnet: network.cidr.value, kind, start, end, dns_servers });
            self.step(&resource, ActionKind::CreateNetworkTemplate, false, attributes, p, needs);
        }
    }

    /// An address between two that somebody has already: the gateway, a rack controller or a machine.
    fn address_in_use(&self, network: &Network, start: IpAddr, end: IpAddr) -> Option<String> {
        let inside = |a: &IpAddr| (start..=end).contains(a);
        if let Some(gateway) = network.default_gateway().filter(|g| inside(&g.value)) {
            return Some(format!("the gateway {}", gateway.value));
        }
        let racks = self.provisioner.racks.known().into_iter().flatten();
        let on_racks =
            racks.flat_map(|r| r.interfaces.iter().flat_map(|i| &i.addresses).map(|a| (format!("rack controller {}", r.hostname), *a)));
        let machines = self.provisioner.machines.known().into_iter().flatten();
        let on_machines = machines.flat_map(|m| {
            let links = m.interfaces.iter().flat_map(|i| &i.links).filter(|l| matches!(l.mode, LinkMode::Static | LinkMode::Auto));
            links.filter_map(|l| Some((format!("machine {}", m.hostname), l.address?)))
        });
        on_racks.chain(on_machines).find(|(_, a)| inside(a)).map(|(who, a)| format!("address {a} of {who}"))
    }

    fn dhcp(&mut self, link: &NetworkLink, vid: u16, members: &[&Network], fabric: Option<&Fabric>) {
        let Some(network) = members.iter().find(|n| n.has_dhcp_range()) else { return };
        let link_name = &link.name.value;
        let resource = dhcp_resource(link_name, vid);
        let relay = network.dhcp_relay.as_ref().and_then(|r| r.upstream_target.as_ref());
        let service = relay.map_or(DhcpService::Rack, |t| DhcpService::Relay { target: t.value });
        let racks = match &self.provisioner.racks {
            Fact::Known(r) => r,
            Fact::Unknown(e) => return self.unknown(&resource, "rack controllers", e),
        };
        let vlan = fabric.and_then(|f| f.vlans.iter().find(|v| v.vid == vid));
        let mut wanted = WantedMap::new();
        let mut have = PresentMap::new();
        let span = network.ranges.iter().find(|r| r.kind.value == RangeKind::Dhcp).map_or(network.name.span, |r| r.kind.span);
        match &service {
            DhcpService::Rack => {
                want(&mut wanted, "dhcp", "served by a rack controller", span);
                let reachable = vlan.is_some_and(|v| racks.iter().any(|r| r.interfaces.iter().any(|i| i.vlan == Some(v.id))));
                if vlan.is_some_and(|v| v.dhcp_on) {
                    have.insert("dhcp".into(), "served by a rack controller".into());
                } else if let Some(foreign) = vlan.and_then(|v| v.external_dhcp.as_ref()) {
                    return self.block(
                        &resource,
                        format!("the provisioner sees a foreign DHCP server at {foreign} on that VLAN"),
                        "switch that server off; two DHCP servers on one VLAN break both",
                    );
                } else if !reachable {
                    return self.block(
                        &resource,
                        "no rack controller has an interface in that VLAN".to_owned(),
                        format!("connect a rack controller to network {}, or set dhcp_relay", network.name.value),
                    );
                }
            }
            DhcpService::Relay { target } => {
                let text = format!("relayed to {target}");
                want(&mut wanted, "dhcp", text.as_str(), relay.map_or(span, |t| t.span));
                let upstream = racks.iter().flat_map(|r| &r.interfaces).find(|i| i.addresses.contains(target)).and_then(|i| i.vlan);
                match upstream {
                    None => {
                        return self.block(
                            &resource,
                            format!("no rack controller has an interface with the relay's upstream target {target}"),
                            "give a rack controller that address, or change dhcp_relay.upstream_target",
                        );
                    }
                    Some(id) if vlan.is_some_and(|v| v.relay_vlan == Some(id)) => {
                        have.insert("dhcp".into(), text.into());
                    }
                    Some(_) => {}
                }
            }
        }
        let attributes = differences(&wanted, &have, self.pool, Class::Of("dhcp"));
        let mut needs = vec![vlan_resource(link_name, vid), format!("fabric.{link_name}")];
        for n in members {
            needs.push(format!("subnet.{}", n.name.value));
            needs.extend(dynamic_ranges(n));
        }
        // Where ranges are not known, none of a network is: MAAS refuses DHCP without one, and what it refuses is not asked for again.
        let unread: Vec<String> = members.iter().map(|n| format!("range.{}", n.name.value)).collect();
        if let Some(range) = needs.iter().chain(&unread).find_map(|n| self.out.blocked.get(n))
            && !attributes.is_empty()
        {
            let (reason, hint) = (format!("it needs {}, which is blocked: {}", range.resource, range.reason), range.hint.clone());
            return self.block(&resource, reason, hint);
        }
        let p = params(&NetworkResource::Dhcp { fabric: link_name.clone(), vid, service });
        self.step(&resource, ActionKind::CreateNetworkTemplate, vlan.is_some(), attributes, p, needs);
    }

    fn routes(&mut self) {
        let site = self.site;
        for network in site.networks.values() {
            let Some(link) = network.link.as_ref().and_then(|l| site.links.get(l)) else { continue };
            if link.is_noconfig() {
                continue;
            }
            let name = &network.name.value;
            for route in network.routes.iter().filter(|r| r.subnet.value.prefix_len() != 0) {
                let destination = route.subnet.value;
                let resource = format!("route.{name}/{destination}");
                let known_subnet = self.provisioner.subnets.known().is_some_and(|s| s.iter().any(|x| x.cidr == destination));
                let target = site.networks.values().find(|n| n.cidr.value == destination).filter(|n| n.link.is_some());
                if target.is_none() && !known_subnet {
                    self.out
                        .not_managed
                        .entry("routes to a network that is not a subnet of the provisioner".into())
                        .or_default()
                        .insert(resource);
                    continue;
                }
                let (routes, subnets) = match (&self.provisioner.routes, &self.provisioner.subnets) {
                    (Fact::Known(r), Fact::Known(s)) => (r, s),
                    (Fact::Unknown(e), _) | (_, Fact::Unknown(e)) => {
                        self.unknown(&resource, "static routes", e);
                        continue;
                    }
                };
                let id = |cidr| subnets.iter().find(|s| s.cidr == cidr).map(|s| s.id);
                let (from, to) = (id(network.cidr.value), id(destination));
                let present =
                    routes.iter().find(|r| Some(r.source) == from && Some(r.destination) == to && r.gateway == route.gateway.value);
                let metric = route.metric.as_ref().map_or_else(|| present.map_or(0, |p| p.metric), |m| m.value);
                let mut wanted = WantedMap::new();
                want(&mut wanted, "destination", destination.to_string(), route.subnet.span);
                want(&mut wanted, "gateway", route.gateway.value.to_string(), route.gateway.span);
                want(&mut wanted, "metric", metric, route.metric.as_ref().map_or(route.gateway.span, |m| m.span));
                let attributes = match present {
                    None => created(&wanted, self.pool, Effect::Online, None),
                    Some(p) => {
                        let have = PresentMap::from([
                            ("destination".to_owned(), Value::from(destination.to_string())),
                            ("gateway".to_owned(), Value::from(p.gateway.to_string())),
                            ("metric".to_owned(), Value::from(p.metric)),
                        ]);
                        differences(&wanted, &have, self.pool, Class::Of("route"))
                    }
                };
                // A dynamic range cannot be made around a gateway that is in use, so it comes first.
                let mut needs = vec![format!("subnet.{name}")];
                needs.extend(dynamic_ranges(network));
                needs.extend(target.map(|t| format!("subnet.{}", t.name.value)));
                let p = params(&NetworkResource::Route {
                    source: network.cidr.value,
                    destination,
                    gateway: route.gateway.value,
                    metric,
                    before: present.map(|p| p.metric),
                });
                self.step(&resource, ActionKind::CreateNetworkTemplate, present.is_some(), attributes, p, needs);
            }
        }
    }
}

/// Resource addresses of a network's dynamic ranges.
fn dynamic_ranges(network: &Network) -> impl Iterator<Item = String> {
    let name = &network.name.value;
    let dynamic = network.ranges.iter().filter(|r| r.kind.value == RangeKind::Dhcp);
    dynamic.map(move |r| format!("range.{name}/{}-{}", r.start.value, r.end.value))
}

fn use_name(kind: RangeUse) -> &'static str {
    match kind {
        RangeUse::Dynamic => "dynamic",
        RangeUse::Reserved => "reserved",
    }
}

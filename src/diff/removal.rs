//! Site resources that drydock created and the design no longer has: removed where their values are still ours and nothing else uses them.
//!
//! What is remembered says that we created a resource; what is there now says whether it is still ours to remove. Everything else that we
//! created is listed with the reason why it stays. Nothing of this happens in a plan with a selection.

mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::compare::Comparison;
use super::networking::vid_on;
use super::node::Context;
use super::site::{SiteComparison, SiteStep};
use super::{AttributeChange, Change, HeldBack, LastApplied, Memory, Operation, Origin, Orphan, Policy};
use crate::action::params::{DhcpService, NetworkResource, SiteRemoval, SshKeyParams, SubnetValues, TagParams, VlanValues};
use crate::action::{ActionKind, Effect};
use crate::build::{AddressRange, Fabric, LinkMode, Provisioner, RangeUse, StaticRoute, Subnet, Vlan};
use crate::model::{RangeKind, Site};
use usage::{Usage, Users};

/// A resource that is removed.
#[derive(Debug, Clone)]
pub struct Removal {
    /// How; its needs are other removals, and changes that move something away from it.
    pub step: SiteStep,
    /// Nodes whose branches leave it.
    pub leaving: BTreeSet<String>,
}

/// Whether this plan removes anything at all.
fn applies(policy: &Policy) -> bool {
    use super::Goal as G;
    policy.target.is_none() && matches!(policy.goal, G::PrepareSite | G::PrepareNodes | G::DeployNodes)
}

/// What is remembered of network resources.
fn remembered(memory: &Memory) -> impl Iterator<Item = (&str, &LastApplied, NetworkResource)> {
    let kinds = ["fabric.", "vlan.", "subnet.", "range.", "route.", "dhcp."];
    let networks = memory.last_applied.iter().filter(move |(resource, _)| kinds.iter().any(|k| resource.starts_with(k)));
    networks.filter_map(|(resource, last)| Some((resource.as_str(), last, serde_json::from_value(last.attributes.clone()).ok()?)))
}

fn is_wanted(site: &Site, subnet: &Subnet, range: &AddressRange) -> bool {
    let kind = |k: RangeKind| match k {
        RangeKind::Dhcp => Some(RangeUse::Dynamic),
        RangeKind::Reserved => Some(RangeUse::Reserved),
        RangeKind::Static => None,
    };
    let networks = site.networks.values().filter(|n| n.cidr.value.trunc() == subnet.cidr);
    networks
        .flat_map(|n| &n.ranges)
        .any(|r| kind(r.kind.value) == Some(range.kind) && r.start.value == range.start && r.end.value == range.end)
}

/// Ranges that we created and the design no longer has, by their ids.
fn ranges<'a>(
    site: &Site,
    provisioner: &'a Provisioner,
    memory: &Memory,
    policy: &Policy,
) -> BTreeMap<u64, (String, &'a Subnet, &'a AddressRange)> {
    let mut out = BTreeMap::new();
    let (Some(subnets), Some(listed)) = (provisioner.subnets.known(), provisioner.ranges.known()) else { return out };
    if !applies(policy) {
        return out;
    }
    for (resource, last, what) in remembered(memory) {
        let NetworkResource::Range { subnet, kind, start, end, .. } = what else { continue };
        let same = |r: &&AddressRange| r.kind == kind && r.start == start && r.end == end;
        let Some(subnet) = subnets.iter().find(|s| s.cidr == subnet.trunc()) else { continue };
        let Some(range) = listed.iter().filter(|r| r.subnet == subnet.id).find(same) else { continue };
        if last.origin == Origin::Created && !is_wanted(site, subnet, range) {
            out.insert(range.id, (resource.to_owned(), subnet, range));
        }
    }
    out
}

fn range_step(subnet: &Subnet, range: &AddressRange, resource: &str) -> SiteStep {
    let (start, end) = (range.start, range.end);
    let params = SiteRemoval::Range { subnet: subnet.cidr, kind: range.kind, start, end };
    let kind = if range.kind == RangeUse::Dynamic { "dynamic" } else { "reserved" };
    let before = [("type", json!(kind)), ("start", json!(start)), ("end", json!(end))];
    step(resource, ActionKind::DeleteNetworkTemplate, &params, before)
}

/// The removal of a range that stands in the way of one of the design's: it comes before that, and so before any node's branch.
pub(super) fn in_the_way(
    site: &Site,
    provisioner: &Provisioner,
    memory: &Memory,
    policy: &Policy,
    range: &AddressRange,
) -> Option<(String, SiteStep)> {
    let (resource, subnet, range) = ranges(site, provisioner, memory, policy).remove(&range.id)?;
    let step = range_step(subnet, range, &resource);
    Some((resource, step))
}

fn step<const N: usize>(resource: &str, kind: ActionKind, params: &SiteRemoval, before: [(&str, Value); N]) -> SiteStep {
    let attributes = before
        .into_iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(path, value)| {
            Arc::new(AttributeChange {
                path: path.to_owned(),
                before: Some(value),
                after: None,
                known_after: None,
                effect: Effect::Online,
                reason: String::new(),
                source: None,
            })
        })
        .collect();
    let change = Change {
        resource: resource.to_owned(),
        node: None,
        operation: Operation::Delete,
        effect: Effect::Online,
        reason: "drydock created it, and the design no longer has it".to_owned(),
        attributes,
    };
    SiteStep { change, kind, params: serde_json::to_value(params).unwrap_or(Value::Null), needs: Vec::new() }
}

/// Everything that removals of networks are decided from.
struct Planner<'a> {
    site: &'a Site,
    memory: &'a Memory,
    part: &'a SiteComparison,
    usage: Usage<'a>,
    fabrics: &'a [Fabric],
    subnets: &'a [Subnet],
    routes: &'a [StaticRoute],
    listed_ranges: &'a [AddressRange],
    /// By what is removed, in order.
    removals: Vec<Removal>,
    stays: Vec<Orphan>,
    /// What of the provisioner's objects goes, with its resource.
    gone_routes: BTreeMap<u64, String>,
    gone_ranges: BTreeMap<u64, String>,
    gone_dhcp: BTreeMap<u64, String>,
    gone_subnets: BTreeMap<u64, String>,
    gone_vlans: BTreeMap<u64, String>,
}

/// Plans removals, and lists what stays.
pub(super) fn compare(out: &mut Comparison, cx: &Context<'_>, part: &SiteComparison) -> Vec<Removal> {
    let Some(p) = cx.provisioner.filter(|_| applies(cx.policy)) else { return Vec::new() };
    let Some((mut removals, mut stays)) = network(out, cx, part, p) else { return Vec::new() };
    if cx.policy.owns_region {
        region(cx, p, &mut removals, &mut stays);
    }
    removals.retain(|r| {
        let resource = &r.step.change.resource;
        let Some(rejection) = cx.memory.rejections.get(resource).filter(|j| j.params == r.step.params) else { return true };
        out.held_back.push(HeldBack {
            change: r.step.change.clone(),
            reason: format!("the provisioner has refused exactly this before: {}", rejection.message),
            hint: "remove it in the provisioner".into(),
        });
        false
    });
    out.orphans.extend(stays);
    removals
}

fn network(out: &Comparison, cx: &Context<'_>, part: &SiteComparison, p: &Provisioner) -> Option<(Vec<Removal>, Vec<Orphan>)> {
    // Without all of it, it cannot be told that nothing uses a resource.
    let (fabrics, subnets, listed_ranges, routes) = (p.fabrics.known()?, p.subnets.known()?, p.ranges.known()?, p.routes.known()?);
    let usage = Usage::new(p.machines.known()?, p.racks.known()?, &out.work);
    let early: BTreeMap<u64, String> = ranges(cx.site, p, cx.memory, cx.policy)
        .into_iter()
        .filter(|(_, (resource, ..))| part.steps.get(resource).is_some_and(|s| s.change.operation == Operation::Delete))
        .map(|(id, (resource, ..))| (id, resource))
        .collect();
    let mut planner = Planner {
        site: cx.site,
        memory: cx.memory,
        part,
        usage,
        fabrics,
        subnets,
        routes,
        listed_ranges,
        removals: Vec::new(),
        stays: Vec::new(),
        gone_routes: BTreeMap::new(),
        gone_ranges: early,
        gone_dhcp: BTreeMap::new(),
        gone_subnets: BTreeMap::new(),
        gone_vlans: BTreeMap::new(),
    };
    planner.routes();
    planner.dhcp();
    for (id, (resource, subnet, range)) in ranges(cx.site, p, cx.memory, cx.policy) {
        planner.range(id, &resource, subnet, range);
    }
    planner.subnets();
    planner.vlans();
    planner.fabrics();
    Some((planner.removals, planner.stays))
}

impl<'a> Planner<'a> {
    /// The address that a removal has in the plan: the resource's, unless the design gives that to something else.
    fn address(&self, resource: &str, which: &str) -> String {
        if self.part.steps.contains_key(resource) { format!("{resource}@{which}") } else { resource.to_owned() }
    }

    fn remove(&mut self, mut step: SiteStep, needs: Vec<String>, leaving: BTreeSet<String>) -> String {
        step.needs = needs;
        let resource = step.change.resource.clone();
        self.removals.push(Removal { step, leaving });
        resource
    }

    fn stay(&mut self, resource: &str, why: impl std::fmt::Display) {
        self.stays.push(Orphan { resource: resource.to_owned(), detail: format!("created by drydock; it stays, since {why}") });
    }

    fn subnet_at(&self, cidr: ipnet::IpNet) -> Option<&'a Subnet> {
        self.subnets.iter().find(|s| s.cidr == cidr.trunc())
    }

    fn vlan_at(&self, fabric: &str, vid: u16) -> Option<(&'a Fabric, &'a Vlan)> {
        let fabric = self.fabrics.iter().find(|f| f.name == fabric)?;
        fabric.vlans.iter().find(|v| v.vid == vid).map(|v| (fabric, v))
    }

    /// Name of a VLAN's fabric after this plan.
    fn final_fabric(&self, vlan: &Vlan) -> Option<&str> {
        self.part.fabrics.get(&vlan.id).map(|(name, _)| name.as_str())
    }

    /// Tags that the design has on a link, and whether with DHCP.
    fn tags_of(&self, link: &str) -> Option<BTreeMap<u16, bool>> {
        let link = self.site.links.get(link)?;
        let mut out = BTreeMap::from([(0, false)]);
        for network in link.allowed_networks.iter().filter_map(|n| self.site.networks.get(&n.value)) {
            *out.entry(vid_on(link, network)).or_default() |= network.has_dhcp_range();
        }
        Some(out)
    }

    fn routes(&mut self) {
        for (resource, last, what) in remembered(self.memory) {
            let NetworkResource::Route { source, destination, gateway, metric, .. } = what else { continue };
            let (Some(from), Some(to)) = (self.subnet_at(source), self.subnet_at(destination)) else { continue };
            let there = |r: &&StaticRoute| r.source == from.id && r.destination == to.id && r.gateway == gateway;
            let Some(route) = self.routes.iter().find(there) else { continue };
            let networks = self.site.networks.values().filter(|n| n.cidr.value.trunc() == from.cidr);
            let wanted = networks.flat_map(|n| &n.routes).any(|r| r.subnet.value.trunc() == to.cidr && r.gateway.value == gateway);
            if last.origin != Origin::Created || wanted || self.gone_routes.contains_key(&route.id) {
                continue;
            }
            if route.metric != metric {
                self.stay(resource, format!("its metric is {} now", route.metric));
                continue;
            }
            let params = SiteRemoval::Route { source: from.cidr, destination: to.cidr, gateway, metric };
            let before = [("destination", json!(to.cidr)), ("gateway", json!(gateway)), ("metric", json!(metric))];
            let address = self.address(resource, &from.cidr.to_string());
            let step = step(&address, ActionKind::DeleteNetworkTemplate, &params, before);
            let leaving = match self.leaving_with(from) {
                Ok(nodes) => nodes,
                Err(why) => {
                    self.stay(resource, format!("subnet {} stays: {why}", from.cidr));
                    continue;
                }
            };
            let address = self.remove(step, Vec::new(), leaving);
            self.gone_routes.insert(route.id, address);
        }
    }

    fn leaving_subnet(&self, subnet: &Subnet) -> Users {
        self.usage.of(|i| i.links.iter().any(|l| l.subnet == Some(subnet.cidr)), |i| i.addresses.iter().any(|a| subnet.cidr.contains(a)))
    }

    /// Who has to leave a subnet before what is in it goes: nobody, where the design still has the subnet.
    fn leaving_with(&self, subnet: &Subnet) -> Users {
        if self.has_network(subnet) { Ok(BTreeSet::new()) } else { self.leaving_subnet(subnet) }
    }

    fn has_network(&self, subnet: &Subnet) -> bool {
        self.site.networks.values().any(|n| n.cidr.value.trunc() == subnet.cidr)
    }

    fn dhcp(&mut self) {
        for (resource, last, what) in remembered(self.memory) {
            let NetworkResource::Dhcp { fabric, vid, service } = what else { continue };
            let Some((_, vlan)) = self.vlan_at(&fabric, vid) else { continue };
            let Some(name) = self.final_fabric(vlan).map(str::to_owned) else { continue };
            let served = match service {
                DhcpService::Rack => vlan.dhcp_on,
                DhcpService::Relay { .. } => vlan.relay_vlan.is_some(),
            };
            let wanted = self.tags_of(&name).is_some_and(|tags| tags.get(&vid) == Some(&true));
            if last.origin != Origin::Created || !served || wanted {
                continue;
            }
            let users = self.usage.of(|i| i.vlan == Some(vlan.id) && i.links.iter().any(|l| l.mode == LinkMode::Dhcp), |_| false);
            let leaving = match users {
                Ok(nodes) => nodes,
                Err(why) => {
                    self.stay(resource, why);
                    continue;
                }
            };
            let shown = match &service {
                DhcpService::Rack => "served by a rack controller".to_owned(),
                DhcpService::Relay { target } => format!("relayed to {target}"),
            };
            let params = SiteRemoval::Dhcp { fabric: name, vid, service };
            let address = self.address(resource, &vid.to_string());
            let step = step(&address, ActionKind::DeleteNetworkTemplate, &params, [("dhcp", json!(shown))]);
            let address = self.remove(step, Vec::new(), leaving);
            self.gone_dhcp.insert(vlan.id, address);
        }
    }

    fn range(&mut self, id: u64, resource: &str, subnet: &Subnet, range: &AddressRange) {
        if self.gone_ranges.contains_key(&id) {
            return;
        }
        let dhcp = self.gone_dhcp.get(&subnet.vlan).cloned();
        let leaving = match self.leaving_with(subnet) {
            Ok(nodes) => nodes,
            Err(why) => return self.stay(resource, format!("subnet {} stays: {why}", subnet.cidr)),
        };
        let address = self.address(resource, &subnet.cidr.to_string());
        let address = self.remove(range_step(subnet, range, &address), dhcp.into_iter().collect(), leaving);
        self.gone_ranges.insert(id, address);
    }

    /// Where a subnet is, in the words of the design after this plan.
    fn values_of(&self, subnet: &Subnet) -> Option<SubnetValues> {
        let (fabric, vlan) = self.fabrics.iter().find_map(|f| f.vlans.iter().find(|v| v.id == subnet.vlan).map(|v| (f, v)))?;
        Some(SubnetValues {
            name: subnet.name.clone(),
            fabric: fabric.name.clone(),
            vid: vlan.vid,
            gateway: subnet.gateway,
            dns_servers: subnet.dns_servers.clone(),
        })
    }

    fn subnets(&mut self) {
        let known: Vec<_> = remembered(self.memory)
            .filter_map(|(resource, last, what)| match what {
                NetworkResource::Subnet { cidr, after, .. } => Some((resource, last.origin, cidr.trunc(), after)),
                _ => None,
            })
            .collect();
        for (resource, origin, cidr, _) in &known {
            let Some(subnet) = self.subnet_at(*cidr) else { continue };
            if *origin != Origin::Created || self.has_network(subnet) || self.gone_subnets.contains_key(&subnet.id) {
                continue;
            }
            let Some(values) = self.values_of(subnet) else { continue };
            // Whichever of our plans wrote them last.
            if !known.iter().any(|(_, _, c, after)| c == cidr && *after == values) {
                self.stay(resource, "it was changed by others");
                continue;
            }
            let leaving = match self.leaving_subnet(subnet) {
                Ok(nodes) => nodes,
                Err(why) => {
                    self.stay(resource, why);
                    continue;
                }
            };
            if let Some(r) = self.listed_ranges.iter().find(|r| r.subnet == subnet.id && !self.gone_ranges.contains_key(&r.id)) {
                self.stay(resource, format!("range {}-{} is in it", r.start, r.end));
                continue;
            }
            let on = |r: &&StaticRoute| r.source == subnet.id || r.destination == subnet.id;
            if let Some(r) = self.routes.iter().filter(on).find(|r| !self.gone_routes.contains_key(&r.id)) {
                self.stay(resource, format!("a static route through {} refers to it", r.gateway));
                continue;
            }
            let ranges = self.listed_ranges.iter().filter(|r| r.subnet == subnet.id).filter_map(|r| self.gone_ranges.get(&r.id));
            let routes = self.routes.iter().filter(on).filter_map(|r| self.gone_routes.get(&r.id));
            let needs = ranges.chain(routes).chain(self.gone_dhcp.get(&subnet.vlan)).cloned().collect();
            let before = [
                ("name", json!(values.name)),
                ("cidr", json!(cidr)),
                ("vlan", json!(format!("{}/{}", values.fabric, values.vid))),
                ("gateway", json!(values.gateway)),
                ("dns_servers", if values.dns_servers.is_empty() { Value::Null } else { json!(values.dns_servers) }),
            ];
            let fabric = self.part.fabrics.get(&subnet.vlan).map_or_else(|| values.fabric.clone(), |(name, _)| name.clone());
            let params = SiteRemoval::Subnet { cidr: *cidr, before: SubnetValues { fabric, ..values } };
            let address = self.address(resource, &cidr.to_string());
            let address = self.remove(step(&address, ActionKind::DeleteNetworkTemplate, &params, before), needs, leaving);
            self.gone_subnets.insert(subnet.id, address);
        }
    }

    /// Subnets that stay in a VLAN; else the steps that empty it.
    fn emptied(&self, vlan: &Vlan) -> Result<Vec<String>, String> {
        let mut needs = Vec::new();
        for subnet in self.subnets.iter().filter(|s| s.vlan == vlan.id) {
            let moves =
                self.site.networks.values().filter(|n| n.cidr.value.trunc() == subnet.cidr).map(|n| format!("subnet.{}", n.name.value));
            let away = |r: &String| self.part.steps.get(r).is_some_and(|s| s.change.attributes.iter().any(|a| a.path == "vlan"));
            match self.gone_subnets.get(&subnet.id).cloned().or_else(|| moves.into_iter().find(away)) {
                Some(step) => needs.push(step),
                None => return Err(format!("subnet {} is in it", subnet.cidr)),
            }
        }
        match self.gone_dhcp.get(&vlan.id) {
            Some(step) => needs.push(step.clone()),
            None if vlan.dhcp_on || vlan.relay_vlan.is_some() => return Err("DHCP is on there".to_owned()),
            None => {}
        }
        let relayed =
            |v: &&Vlan| v.relay_vlan == Some(vlan.id) && !self.gone_dhcp.contains_key(&v.id) && !self.gone_vlans.contains_key(&v.id);
        if let Some(other) = self.fabrics.iter().flat_map(|f| &f.vlans).find(relayed) {
            return Err(format!("DHCP of VLAN {} is relayed to it", other.name));
        }
        Ok(needs)
    }

    fn users_of(&self, vlan: &Vlan) -> Users {
        self.usage.of(|i| i.vlan == Some(vlan.id), |i| i.vlan == Some(vlan.id))
    }

    /// Where it is not known which fabric is which link, no VLAN is removed.
    fn links_are_clear(&self) -> bool {
        !self.part.blocked.keys().any(|r| r.starts_with("fabric."))
    }

    fn vlans(&mut self) {
        if !self.links_are_clear() {
            return;
        }
        let known: Vec<_> = remembered(self.memory)
            .filter_map(|(resource, last, what)| match what {
                NetworkResource::Vlan { fabric, vid, after, .. } if vid != 0 => Some((resource, last.origin, fabric, vid, after)),
                _ => None,
            })
            .collect();
        for (resource, origin, fabric, vid, _) in &known {
            let Some((_, vlan)) = self.vlan_at(fabric, *vid) else { continue };
            let Some(name) = self.final_fabric(vlan).map(str::to_owned) else { continue };
            let wanted = self.tags_of(&name).is_some_and(|tags| tags.contains_key(vid));
            if *origin != Origin::Created || wanted || self.gone_vlans.contains_key(&vlan.id) {
                continue;
            }
            let values = VlanValues { name: vlan.name.clone(), mtu: vlan.mtu, space: None };
            if !known.iter().any(|(_, _, f, v, after)| f == fabric && v == vid && *after == values) {
                self.stay(resource, "it was changed by others");
                continue;
            }
            let (needs, leaving) = match (self.emptied(vlan), self.users_of(vlan)) {
                (Ok(needs), Ok(leaving)) => (needs, leaving),
                (Err(why), _) | (_, Err(why)) => {
                    self.stay(resource, why);
                    continue;
                }
            };
            let before = [("name", json!(values.name)), ("mtu", json!(values.mtu))];
            let params = SiteRemoval::Vlan { fabric: name, vid: *vid, before: values };
            let address = self.address(resource, &vid.to_string());
            let address = self.remove(step(&address, ActionKind::DeleteNetworkTemplate, &params, before), needs, leaving);
            self.gone_vlans.insert(vlan.id, address);
        }
    }

    fn fabrics(&mut self) {
        if !self.links_are_clear() {
            return;
        }
        let mut gone = BTreeSet::new();
        for (resource, last, what) in remembered(self.memory) {
            let NetworkResource::Fabric { name, .. } = what else { continue };
            let Some(fabric) = self.fabrics.iter().find(|f| f.name == name) else { continue };
            let final_name = fabric.vlans.first().and_then(|v| self.final_fabric(v)).unwrap_or(&name);
            let wanted = final_name != name || self.site.links.contains_key(final_name);
            if last.origin != Origin::Created || wanted || !gone.insert(fabric.id) {
                continue;
            }
            let mut needs = Vec::new();
            let mut leaving = BTreeSet::new();
            let mut why = None;
            for vlan in &fabric.vlans {
                match (self.gone_vlans.get(&vlan.id), self.emptied(vlan), self.users_of(vlan)) {
                    (Some(step), ..) => needs.push(step.clone()),
                    (None, ..) if vlan.vid != 0 => why = why.or_else(|| Some(format!("VLAN {} is in it", vlan.vid))),
                    (None, Ok(more), Ok(nodes)) => {
                        needs.extend(more);
                        leaving.extend(nodes);
                    }
                    (None, Err(reason), _) | (None, _, Err(reason)) => why = why.or(Some(reason)),
                }
            }
            if let Some(why) = why {
                self.stay(resource, why);
                continue;
            }
            let params = SiteRemoval::Fabric { id: fabric.id, name: name.clone() };
            let address = self.address(resource, &fabric.id.to_string());
            self.remove(step(&address, ActionKind::DeleteNetworkTemplate, &params, [("name", json!(name))]), needs, leaving);
        }
    }
}

/// Tags and SSH keys, which belong to the whole region.
fn region(cx: &Context<'_>, p: &Provisioner, removals: &mut Vec<Removal>, stays: &mut Vec<Orphan>) {
    let created = || cx.memory.last_applied.iter().filter(|(_, last)| last.origin == Origin::Created);
    let mut push = |step| removals.push(Removal { step, leaving: BTreeSet::new() });
    let region = &cx.site.region;
    if let (Some(tags), Some(machines)) = (p.tags.known(), p.machines.known()) {
        for (resource, last) in created().filter(|(r, _)| r.starts_with("tag.")) {
            let Ok(TagParams { name, after, .. }) = serde_json::from_value(last.attributes.clone()) else { continue };
            let wanted = region.tag_definitions.iter().any(|t| t.name.value == name)
                || cx.site.nodes.values().any(|n| n.tags.iter().any(|t| t.value == name));
            let Some(tag) = tags.iter().find(|t| t.name == name).filter(|_| !wanted) else { continue };
            let user = machines.iter().find(|m| tag.definition.is_empty() && m.tags.contains(&name));
            let why = match user {
                _ if tag.definition != after.definition || tag.kernel_opts != after.kernel_opts => "it was changed by others".to_owned(),
                Some(machine) => format!("machine {} has it", machine.hostname),
                None => {
                    let before = [("definition", json!(after.definition))];
                    push(step(resource, ActionKind::DeleteTags, &SiteRemoval::Tag { name, before: after }, before));
                    continue;
                }
            };
            stays.push(Orphan { resource: resource.clone(), detail: format!("created by drydock; it stays, since {why}") });
        }
    }
    let identity = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    if let Some(keys) = p.ssh_keys.known() {
        for (resource, last) in created().filter(|(r, _)| r.starts_with("sshkey.")) {
            let Ok(SshKeyParams { key }) = serde_json::from_value(last.attributes.clone()) else { continue };
            let same = |line: &str| identity(line) == identity(&key);
            if keys.iter().any(|k| same(&k.key)) && !region.authorized_keys.iter().any(|k| same(&k.value)) {
                let before = [("key", json!(key.split_whitespace().last()))];
                push(step(resource, ActionKind::DeleteUserCredentials, &SiteRemoval::SshKey { key }, before));
            }
        }
    }
}

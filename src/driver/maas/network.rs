//! `create_network_template`: fabrics, VLANs, DHCP, subnets, ranges, routes, domains.

use std::net::IpAddr;

use super::client::ApiCall;
use super::decide::{Decision, Drift};
use super::lists::{Lists, Needs};
use crate::action::params::{DhcpService, FabricBefore, NetworkResource, SubnetValues, VlanValues};
use crate::build::{RackController, RangeUse, Vlan};
use crate::driver::{DriverError, ErrorClass};

/// The lists a resource needs.
pub(super) fn needs(resource: &NetworkResource) -> Needs {
    let none = Needs::default();
    match resource {
        NetworkResource::Fabric { .. } => Needs { fabrics: true, ..none },
        NetworkResource::Vlan { after, .. } => Needs { fabrics: true, spaces: after.space.is_some(), ..none },
        NetworkResource::Dhcp { .. } => Needs { fabrics: true, racks: true, ..none },
        NetworkResource::Subnet { .. } => Needs { fabrics: true, subnets: true, ..none },
        NetworkResource::Range { .. } => Needs { subnets: true, ranges: true, ..none },
        NetworkResource::Route { .. } => Needs { subnets: true, routes: true, ..none },
        NetworkResource::Domain { .. } => Needs { domains: true, ..none },
    }
}

/// What is to be done for a resource.
pub(super) fn decide(resource: &NetworkResource, lists: &Lists) -> Result<Decision, DriverError> {
    match resource {
        NetworkResource::Fabric { name, before } => fabric(name, before.as_ref(), lists),
        NetworkResource::Vlan { fabric, vid, after, before } => vlan(fabric, *vid, after, before.as_ref(), lists),
        NetworkResource::Dhcp { fabric, vid, service } => dhcp(fabric, *vid, service, lists),
        NetworkResource::Subnet { cidr, after, before } => subnet(*cidr, after, before.as_ref(), lists),
        NetworkResource::Range { subnet, kind, start, end, dns_servers } => range(*subnet, *kind, (*start, *end), dns_servers, lists),
        NetworkResource::Route { source, destination, gateway, metric, before } => {
            let (source, destination) = (lists.subnet(*source)?, lists.subnet(*destination)?);
            let found = lists.routes()?.iter().find(|r| r.source == source.id && r.destination == destination.id && r.gateway == *gateway);
            Ok(match found {
                None if before.is_some() => Decision::precondition(format!(
                    "the static route from {} to {} through {gateway} is no longer there",
                    source.cidr, destination.cidr
                )),
                None => Decision::act([ApiCall::create("static-routes/")
                    .with("source", source.id)
                    .with("destination", destination.id)
                    .with("gateway_ip", gateway)
                    .with("metric", metric)]),
                Some(r) if r.metric == *metric => Decision::done(),
                Some(r) => {
                    let mut drift = Drift::default();
                    drift.check("metric", &r.metric, metric, before.as_ref());
                    drift
                        .refusal(&format!("the static route from {} to {}", source.cidr, destination.cidr))
                        .unwrap_or_else(|| Decision::act([ApiCall::put(format!("static-routes/{}/", r.id)).with("metric", metric)]))
                }
            })
        }
        NetworkResource::Domain { name } => {
            let there = lists.domains()?.iter().any(|d| d.name.eq_ignore_ascii_case(name));
            Ok(if there { Decision::done() } else { Decision::act([ApiCall::create("domains/").with("name", name)]) })
        }
    }
}

fn fabric(name: &str, before: Option<&FabricBefore>, lists: &Lists) -> Result<Decision, DriverError> {
    let fabrics = lists.fabrics()?;
    let named = fabrics.iter().find(|f| f.name == name);
    let Some(before) = before else {
        return Ok(match named {
            Some(_) => Decision::done(),
            None => Decision::act([ApiCall::create("fabrics/").with("name", name)]),
        });
    };
    Ok(match (named, fabrics.iter().find(|f| f.id == before.id)) {
        (Some(f), _) if f.id == before.id => Decision::done(),
        (Some(f), _) => Decision::precondition(format!("another fabric (id {}) has the name {name} already", f.id)),
        (None, Some(f)) if f.name == before.name => Decision::act([ApiCall::put(format!("fabrics/{}/", f.id)).with("name", name)]),
        (None, Some(f)) => {
            Decision::precondition(format!("fabric {} is named {} now, expected {} or {name}", before.id, f.name, before.name))
        }
        (None, None) => Decision::precondition(format!("fabric {} (id {}) is no longer there", before.name, before.id)),
    })
}

fn vlan(fabric: &str, vid: u16, after: &VlanValues, before: Option<&VlanValues>, lists: &Lists) -> Result<Decision, DriverError> {
    let fabric = lists.fabric(fabric)?;
    let mut calls = Vec::new();
    if let Some(space) = &after.space
        && !lists.spaces()?.iter().any(|s| s.name == *space)
    {
        calls.push(ApiCall::create("spaces/").with("name", space));
    }
    let Some(vlan) = fabric.vlans.iter().find(|v| v.vid == vid) else {
        return Ok(if before.is_some() || vid == 0 {
            Decision::precondition(format!("VLAN {vid} of fabric {} is no longer there", fabric.name))
        } else {
            let create = ApiCall::create(format!("fabrics/{}/vlans/", fabric.id)).with("vid", vid).with("name", &after.name);
            calls.push(create.with("mtu", after.mtu).with_some("space", after.space.as_ref()));
            Decision::act(calls)
        });
    };
    let space = after.space.as_ref().filter(|s| vlan.space.as_ref() != Some(*s));
    if vlan.name == after.name && vlan.mtu == after.mtu && space.is_none() {
        return Ok(Decision::done());
    }
    let mut drift = Drift::default();
    // A fabric that this plan creates comes with its untagged VLAN, which nobody has seen before.
    let fresh = VlanValues { name: "untagged".to_owned(), mtu: 1500, space: None };
    let before = before.or_else(|| (vid == 0).then_some(&fresh));
    drift.check("name", &vlan.name, &after.name, before.map(|b| &b.name));
    drift.check("MTU", &vlan.mtu, &after.mtu, before.map(|b| &b.mtu));
    if space.is_some() {
        drift.check("space", &vlan.space, &after.space, before.map(|b| &b.space));
    }
    Ok(drift.refusal(&format!("VLAN {vid} of fabric {}", fabric.name)).unwrap_or_else(|| {
        calls.push(
            vlan_put(fabric.id, vid)
                .with_some("name", (vlan.name != after.name).then_some(&after.name))
                .with_some("mtu", (vlan.mtu != after.mtu).then_some(after.mtu))
                .with_some("space", space),
        );
        Decision::act(calls)
    }))
}

fn vlan_put(fabric: u64, vid: u16) -> ApiCall {
    ApiCall::put(format!("fabrics/{fabric}/vlans/{vid}/"))
}

fn dhcp(fabric: &str, vid: u16, service: &DhcpService, lists: &Lists) -> Result<Decision, DriverError> {
    let fabric = lists.fabric(fabric)?;
    let vlan = lists.vlan(&fabric.name, vid)?;
    let racks = lists.racks()?;
    match service {
        DhcpService::Rack => {
            if vlan.dhcp_on && vlan.primary_rack.is_some() {
                return Ok(Decision::done());
            }
            if let Some(foreign) = &vlan.external_dhcp {
                return Ok(foreign_dhcp(vlan, &fabric.name, foreign));
            }
            let in_vlan = |r: &&RackController| r.interfaces.iter().any(|i| i.vlan == Some(vlan.id));
            // The present one if it can, else the first by id, so that every run chooses the same.
            let mut candidates: Vec<&RackController> = racks.iter().filter(in_vlan).collect();
            candidates.sort_by_key(|r| (Some(&r.id) != vlan.primary_rack.as_ref(), &r.id));
            match candidates.iter().find(|r| r.healthy) {
                Some(rack) => Ok(Decision::act([vlan_put(fabric.id, vid).with("dhcp_on", true).with("primary_rack", &rack.id)])),
                None => Ok(Decision::Failed(no_rack(vlan, &fabric.name, &candidates))),
            }
        }
        DhcpService::Relay { target } => {
            let upstream =
                racks.iter().flat_map(|r| &r.interfaces).find(|i| i.addresses.contains(target)).and_then(|i| i.vlan).ok_or_else(|| {
                    DriverError::new(
                        ErrorClass::NotReady,
                        format!(
                            "no rack controller of MAAS has the address {target}, which DHCP of VLAN {vid} of fabric {} is relayed to",
                            fabric.name
                        ),
                    )
                    .hint("check dhcp_relay.upstream_target, and that the rack controller is connected")
                })?;
            if vlan.relay_vlan == Some(upstream) || (upstream == vlan.id && vlan.dhcp_on) {
                return Ok(Decision::done());
            }
            if let Some(foreign) = &vlan.external_dhcp {
                return Ok(foreign_dhcp(vlan, &fabric.name, foreign));
            }
            if vlan.dhcp_on {
                return Ok(Decision::precondition(format!(
                    "a rack controller serves DHCP on VLAN {vid} of fabric {} itself; switch that off first",
                    fabric.name
                )));
            }
            Ok(Decision::act([vlan_put(fabric.id, vid).with("relay_vlan", upstream)]))
        }
    }
}

fn foreign_dhcp(vlan: &Vlan, fabric: &str, server: &str) -> Decision {
    Decision::Failed(
        DriverError::new(
            ErrorClass::Precondition,
            format!("MAAS sees a DHCP server that is not its own ({server}) on VLAN {} of fabric {fabric}", vlan.vid),
        )
        .hint("switch that server off; two on one network hand out conflicting addresses"),
    )
}

fn no_rack(vlan: &Vlan, fabric: &str, candidates: &[&RackController]) -> DriverError {
    let vid = vlan.vid;
    if candidates.is_empty() {
        return DriverError::new(
            ErrorClass::NotReady,
            format!("no rack controller has an interface in VLAN {vid} of fabric {fabric}, so none can serve DHCP there"),
        )
        .hint("connect a rack controller to that network, or relay DHCP");
    }
    let who: Vec<String> = candidates.iter().map(|r| format!("{} ({})", r.hostname, r.problems.join(", "))).collect();
    DriverError::new(
        ErrorClass::NotReady,
        format!("no healthy rack controller has an interface in VLAN {vid} of fabric {fabric}: {}", who.join(", ")),
    )
    .hint("repair the rack controller")
}

fn subnet(cidr: ipnet::IpNet, after: &SubnetValues, before: Option<&SubnetValues>, lists: &Lists) -> Result<Decision, DriverError> {
    let cidr = cidr.trunc();
    let vlan = lists.vlan(&after.fabric, after.vid)?;
    let Some(found) = lists.subnets()?.iter().find(|s| s.cidr == cidr) else {
        return Ok(if before.is_some() {
            Decision::precondition(format!("subnet {cidr} is no longer there"))
        } else {
            Decision::act([ApiCall::create("subnets/")
                .with("cidr", cidr)
                .with("name", &after.name)
                .with("vlan", vlan.id)
                .with_some("gateway_ip", after.gateway)
                .with_some("dns_servers", (!after.dns_servers.is_empty()).then(|| joined(&after.dns_servers)))])
        });
    };
    let same =
        found.name == after.name && found.vlan == vlan.id && found.gateway == after.gateway && found.dns_servers == after.dns_servers;
    if same {
        return Ok(Decision::done());
    }
    let mut drift = Drift::default();
    drift.check("name", &found.name, &after.name, before.map(|b| &b.name));
    drift.check("gateway", &found.gateway, &after.gateway, before.map(|b| &b.gateway));
    drift.check("DNS servers", &found.dns_servers, &after.dns_servers, before.map(|b| &b.dns_servers));
    if found.vlan != vlan.id {
        // Where it is now, in the names of the plan; a fabric may have been renamed by it.
        let now = lists.vlan_by_id(found.vlan).map(|(f, v)| (f.name.clone(), v.vid));
        let was = before.map(|b| (b.fabric.clone(), b.vid));
        if now.is_none() || now != was {
            let at = |place: Option<(String, u16)>| place.map_or_else(|| "none".to_owned(), |(f, v)| format!("{f}/{v}"));
            let after = (after.fabric.clone(), after.vid);
            drift.check("VLAN", &at(now), &at(Some(after)), was.map(|w| at(Some(w))).as_ref());
        }
    }
    Ok(drift.refusal(&format!("subnet {cidr}")).unwrap_or_else(|| {
        let put = ApiCall::put(format!("subnets/{}/", found.id));
        Decision::act([put
            .with_some("name", (found.name != after.name).then_some(&after.name))
            .with_some("vlan", (found.vlan != vlan.id).then_some(vlan.id))
            .with_some("gateway_ip", (found.gateway != after.gateway).then(|| after.gateway.map(|g| g.to_string()).unwrap_or_default()))
            .with_some("dns_servers", (found.dns_servers != after.dns_servers).then(|| joined(&after.dns_servers)))])
    }))
}

/// A range that holds DNS servers of its subnet is refused by MAAS while the subnet has them, and not afterwards; so they are taken away for as
/// long as it takes to make the range.
fn range(
    cidr: ipnet::IpNet,
    kind: RangeUse,
    (start, end): (IpAddr, IpAddr),
    dns_servers: &[IpAddr],
    lists: &Lists,
) -> Result<Decision, DriverError> {
    let subnet = lists.subnet(cidr)?;
    let ranges = lists.ranges()?;
    let servers = |list: &[IpAddr]| ApiCall::put(format!("subnets/{}/", subnet.id)).with("dns_servers", joined(list));
    let without: Vec<IpAddr> = dns_servers.iter().copied().filter(|a| !(start..=end).contains(a)).collect();
    let taken_away = !dns_servers.is_empty() && subnet.dns_servers == without;
    if ranges.iter().any(|r| r.subnet == subnet.id && r.kind == kind && r.start == start && r.end == end) {
        return Ok(if taken_away { Decision::act([servers(dns_servers)]) } else { Decision::done() });
    }
    let name = |k: RangeUse| match k {
        RangeUse::Dynamic => "dynamic",
        RangeUse::Reserved => "reserved",
    };
    if let Some(other) = ranges.iter().find(|r| r.subnet == subnet.id && r.start <= end && r.end >= start) {
        return Ok(Decision::precondition(format!(
            "the {} range {} to {} of subnet {} overlaps the wanted {} range {start} to {end}",
            name(other.kind),
            other.start,
            other.end,
            subnet.cidr,
            name(kind)
        )));
    }
    let create =
        ApiCall::create("ipranges/").with("type", name(kind)).with("subnet", subnet.id).with("start_ip", start).with("end_ip", end);
    if dns_servers.is_empty() {
        return Ok(Decision::act([create]));
    }
    if subnet.dns_servers != dns_servers && !taken_away {
        let now = if subnet.dns_servers.is_empty() { "none".to_owned() } else { joined(&subnet.dns_servers) };
        return Ok(Decision::precondition(format!(
            "the DNS servers of subnet {} changed since the plan was made: {now}, expected {}",
            subnet.cidr,
            joined(dns_servers)
        )));
    }
    let first = (!taken_away).then(|| servers(&without));
    Ok(Decision::Enclosed { first, main: Box::new(create), last: Box::new(servers(dns_servers)) })
}

fn joined(servers: &[IpAddr]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

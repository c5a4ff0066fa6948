//! Removal of site resources: only what has the values that the plan saw, and what nothing uses. MAAS itself would take along what lies in a
//! subnet, and move what lies in a VLAN.

use super::client::ApiCall;
use super::decide::Decision;
use super::lists::{Lists, Needs};
use crate::action::params::{DhcpService, SiteRemoval, SubnetValues, TagValues, VlanValues};
use crate::build::{Fabric, LinkMode, MachineInterface, RackInterface, Subnet, Vlan};
use crate::driver::DriverError;

/// The lists that a removal needs.
pub(super) fn needs(removal: &SiteRemoval) -> Needs {
    let none = Needs::default();
    let users = Needs { fabrics: true, subnets: true, machines: true, racks: true, ..none };
    match removal {
        SiteRemoval::Route { .. } => Needs { subnets: true, routes: true, ..none },
        SiteRemoval::Range { .. } => Needs { subnets: true, ranges: true, ..none },
        SiteRemoval::Subnet { .. } => Needs { ranges: true, routes: true, ..users },
        SiteRemoval::Dhcp { .. } | SiteRemoval::Vlan { .. } | SiteRemoval::Fabric { .. } => users,
        SiteRemoval::Tag { .. } => Needs { tags: true, machines: true, ..none },
        SiteRemoval::SshKey { .. } => Needs { ssh_keys: true, ..none },
    }
}

/// What is to be done.
pub(super) fn decide(removal: &SiteRemoval, lists: &Lists) -> Result<Decision, DriverError> {
    match removal {
        SiteRemoval::Route { source, destination, gateway, metric } => {
            let id = |cidr: &ipnet::IpNet| Ok::<_, DriverError>(lists.subnets()?.iter().find(|s| s.cidr == cidr.trunc()).map(|s| s.id));
            let (from, to) = (id(source)?, id(destination)?);
            let there = lists.routes()?.iter().find(|r| Some(r.source) == from && Some(r.destination) == to && r.gateway == *gateway);
            Ok(match there {
                None => Decision::done(),
                Some(r) if r.metric != *metric => {
                    changed(&format!("the static route from {source} to {destination}"), &format!("its metric is {}", r.metric))
                }
                Some(r) => Decision::act([ApiCall::delete(format!("static-routes/{}/", r.id))]),
            })
        }
        SiteRemoval::Range { subnet, kind, start, end } => {
            let Some(subnet) = lists.subnets()?.iter().find(|s| s.cidr == subnet.trunc()) else { return Ok(Decision::done()) };
            let there = lists.ranges()?.iter().find(|r| r.subnet == subnet.id && r.kind == *kind && r.start == *start && r.end == *end);
            Ok(there.map_or_else(Decision::done, |r| Decision::act([ApiCall::delete(format!("ipranges/{}/", r.id))])))
        }
        SiteRemoval::Dhcp { fabric, vid, service } => dhcp(fabric, *vid, service, lists),
        SiteRemoval::Subnet { cidr, before } => subnet(*cidr, before, lists),
        SiteRemoval::Vlan { fabric, vid, before } => vlan(fabric, *vid, before, lists),
        SiteRemoval::Fabric { id, name } => fabric(*id, name, lists),
        SiteRemoval::Tag { name, before } => tag(name, before, lists),
        SiteRemoval::SshKey { key } => {
            let identity = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
            let there = lists.ssh_keys()?.iter().find(|k| identity(&k.key) == identity(key));
            Ok(there.map_or_else(Decision::done, |k| Decision::act([ApiCall::delete(format!("account/prefs/sshkeys/{}/", k.id))])))
        }
    }
}

fn changed(what: &str, how: &str) -> Decision {
    Decision::precondition(format!("{what} changed since the plan was made, and is left alone: {how}"))
}

fn used(what: &str, by: &str) -> Decision {
    Decision::precondition(format!("{what} is still in use and is left alone: {by}"))
}

/// Who uses something, by interfaces of machines and rack controllers.
fn user(
    lists: &Lists,
    machine: impl Fn(&MachineInterface) -> bool,
    rack: impl Fn(&RackInterface) -> bool,
) -> Result<Option<String>, DriverError> {
    for m in lists.machines()? {
        if let Some(i) = m.interfaces.iter().find(|i| machine(i)) {
            return Ok(Some(format!("{} of machine {} ({})", i.name, m.hostname, m.id)));
        }
    }
    Ok(lists.racks()?.iter().find(|r| r.interfaces.iter().any(&rack)).map(|r| format!("rack controller {}", r.hostname)))
}

fn find<'a>(fabric: &str, vid: u16, lists: &'a Lists) -> Result<Option<(&'a Fabric, &'a Vlan)>, DriverError> {
    let fabric = lists.fabrics()?.iter().find(|f| f.name == fabric);
    Ok(fabric.and_then(|f| f.vlans.iter().find(|v| v.vid == vid).map(|v| (f, v))))
}

fn dhcp(fabric: &str, vid: u16, service: &DhcpService, lists: &Lists) -> Result<Decision, DriverError> {
    let Some((fabric, vlan)) = find(fabric, vid, lists)? else { return Ok(Decision::done()) };
    let put = ApiCall::put(format!("fabrics/{}/vlans/{vid}/", fabric.id));
    let call = match service {
        DhcpService::Rack if vlan.dhcp_on => put.with("dhcp_on", false),
        DhcpService::Relay { .. } if vlan.relay_vlan.is_some() => put.with("relay_vlan", ""),
        _ => return Ok(Decision::done()),
    };
    let what = format!("DHCP on VLAN {vid} of fabric {}", fabric.name);
    let leases = |i: &MachineInterface| i.vlan == Some(vlan.id) && i.links.iter().any(|l| l.mode == LinkMode::Dhcp);
    Ok(match user(lists, leases, |_| false)? {
        Some(by) => used(&what, &by),
        None => Decision::act([call]),
    })
}

fn subnet(cidr: ipnet::IpNet, before: &SubnetValues, lists: &Lists) -> Result<Decision, DriverError> {
    let Some(now) = lists.subnets()?.iter().find(|s| s.cidr == cidr.trunc()) else { return Ok(Decision::done()) };
    let what = format!("subnet {}", now.cidr);
    let at = lists.vlan_by_id(now.vlan).map(|(f, v)| (f.name.as_str(), v.vid));
    if now.name != before.name || now.gateway != before.gateway || now.dns_servers != before.dns_servers {
        return Ok(changed(&what, &format!("it is named {}, with other values", now.name)));
    }
    if at != Some((&before.fabric, before.vid)) {
        return Ok(changed(&what, "it lies in another VLAN"));
    }
    if let Some(r) = lists.ranges()?.iter().find(|r| r.subnet == now.id) {
        return Ok(used(&what, &format!("range {} to {} is in it", r.start, r.end)));
    }
    if let Some(r) = lists.routes()?.iter().find(|r| r.source == now.id || r.destination == now.id) {
        return Ok(used(&what, &format!("a static route through {} refers to it", r.gateway)));
    }
    let linked = |i: &MachineInterface| i.links.iter().any(|l| l.subnet == Some(now.cidr));
    Ok(match user(lists, linked, |i| i.addresses.iter().any(|a| now.cidr.contains(a)))? {
        Some(by) => used(&what, &by),
        None => Decision::act([ApiCall::delete(format!("subnets/{}/", now.id))]),
    })
}

/// Why a VLAN is not empty.
fn holds(vlan: &Vlan, lists: &Lists) -> Result<Option<String>, DriverError> {
    if let Some(Subnet { cidr, .. }) = lists.subnets()?.iter().find(|s| s.vlan == vlan.id) {
        return Ok(Some(format!("subnet {cidr} is in it")));
    }
    if let Some(other) = lists.fabrics()?.iter().flat_map(|f| &f.vlans).find(|v| v.relay_vlan == Some(vlan.id)) {
        return Ok(Some(format!("DHCP of VLAN {} is relayed to it", other.name)));
    }
    user(lists, |i| i.vlan == Some(vlan.id), |i| i.vlan == Some(vlan.id))
}

fn vlan(fabric: &str, vid: u16, before: &VlanValues, lists: &Lists) -> Result<Decision, DriverError> {
    let Some((fabric, vlan)) = find(fabric, vid, lists)? else { return Ok(Decision::done()) };
    let what = format!("VLAN {vid} of fabric {}", fabric.name);
    if vlan.name != before.name || vlan.mtu != before.mtu {
        return Ok(changed(&what, &format!("it is named {}, with MTU {}", vlan.name, vlan.mtu)));
    }
    Ok(match holds(vlan, lists)? {
        Some(by) => used(&what, &by),
        None => Decision::act([ApiCall::delete(format!("fabrics/{}/vlans/{vid}/", fabric.id))]),
    })
}

fn fabric(id: u64, name: &str, lists: &Lists) -> Result<Decision, DriverError> {
    let Some(now) = lists.fabrics()?.iter().find(|f| f.id == id) else { return Ok(Decision::done()) };
    let what = format!("fabric {name}");
    if now.name != name {
        return Ok(changed(&what, &format!("it is named {}", now.name)));
    }
    if let Some(v) = now.vlans.iter().find(|v| v.vid != 0) {
        return Ok(used(&what, &format!("VLAN {} is in it", v.vid)));
    }
    for vlan in &now.vlans {
        if let Some(by) = holds(vlan, lists)? {
            return Ok(used(&what, &by));
        }
    }
    Ok(Decision::act([ApiCall::delete(format!("fabrics/{id}/"))]))
}

fn tag(name: &str, before: &TagValues, lists: &Lists) -> Result<Decision, DriverError> {
    let Some(now) = lists.tags()?.iter().find(|t| t.name == name) else { return Ok(Decision::done()) };
    let what = format!("tag {name}");
    if now.definition != before.definition || now.kernel_opts != before.kernel_opts {
        return Ok(changed(&what, "it has another definition or other kernel options"));
    }
    // MAAS gives and takes tags with a definition by itself.
    let holder = lists.machines()?.iter().find(|m| now.definition.is_empty() && m.tags.iter().any(|t| t == name));
    Ok(match holder {
        Some(m) => used(&what, &format!("machine {} ({})", m.hostname, m.id)),
        None => Decision::act([ApiCall::delete(format!("tags/{name}/"))]),
    })
}

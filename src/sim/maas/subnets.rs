//! Subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::call::{Answer, Call, FormErrors, REQUIRED, bad_request, deleted, form_error, id_of, list, missing};
use crate::sim::db::Subnet;
use crate::sim::http::Reply;
use crate::sim::lifecycle::{address, number};
use crate::sim::{region, render};

/// A subnet by id, address block or name, with or without a prefix that says which.
pub(super) fn find(call: &Call<'_>, which: &str) -> Option<i64> {
    let subnets = &call.core.world.site.subnets;
    let cidr = which.strip_prefix("cidr:").unwrap_or(which);
    let name = which.strip_prefix("name:").unwrap_or(which);
    id_of(which).filter(|i| subnets.contains_key(i)).or_else(|| subnets.values().find(|s| s.cidr == cidr || s.name == name).map(|s| s.id))
}

pub(super) fn subnets(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let w = &call.core.world;
            Ok(list(w.site.subnets.values().map(|s| render::subnet(w, s)).collect()))
        }
        ("POST", None) => {
            let cidr = call.form.filled("cidr").ok_or_else(|| form_error("cidr", REQUIRED))?.to_owned();
            let net: IpNet = cidr.parse().map_err(|_| form_error("cidr", "Required format: <network>/<prefixlen>."))?;
            let net = net.trunc();
            let default = call.core.world.site.fabrics.values().next().map_or(0, |f| f.default_vlan);
            let mut s = region::subnet(0, &net.to_string(), default, None);
            fill(call, &mut s)?;
            s.id = call.core.take_id("subnet");
            call.core.effect(format!("create subnet {}", s.cidr));
            call.core.site_mut().subnets.insert(s.id, s.clone());
            Ok(Reply::json(&render::subnet(&call.core.world, &s)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn fill(call: &Call<'_>, s: &mut Subnet) -> Result<(), Reply> {
    let (f, w) = (&call.form, &call.core.world);
    let mut errors = FormErrors::default();
    for (name, target) in [("name", &mut s.name), ("description", &mut s.description)] {
        if let Some(v) = f.filled(name) {
            v.clone_into(target);
        }
    }
    if let Some(c) = f.filled("cidr") {
        match c.parse::<IpNet>() {
            Ok(n) => s.cidr = n.trunc().to_string(),
            Err(_) => errors.add("cidr", "Required format: <network>/<prefixlen>."),
        }
    }
    let net: Option<IpNet> = s.cidr.parse().ok();
    for other in w.site.subnets.values().filter(|o| o.id != s.id) {
        let theirs: Option<IpNet> = other.cidr.parse().ok();
        let overlap = net.zip(theirs).is_some_and(|(a, b)| a.contains(&b) || b.contains(&a));
        if overlap {
            errors.add("__all__", format!("Subnet {} would overlap with existing subnets.", s.cidr));
        }
        if other.cidr == s.cidr {
            errors.add("cidr", "Subnet with this Cidr already exists.");
        }
        if overlap {
            break;
        }
    }
    if let Some(v) = f.filled("vlan") {
        match id_of(v).filter(|v| w.site.vlans.contains_key(v)) {
            Some(v) => s.vlan = v,
            None => errors.add("vlan", "Select a valid choice. That choice is not one of the available choices."),
        }
    } else if let Some(vid) = f.filled("vid").and_then(id_of) {
        let fabric = f.filled("fabric").and_then(id_of).or_else(|| w.site.vlans.get(&s.vlan).map(|v| v.fabric));
        match w.site.vlans.values().find(|v| Some(v.fabric) == fabric && v.vid == vid) {
            Some(v) => s.vlan = v.id,
            None => errors.add("vid", format!("No VLAN with vid {vid} in default fabric.")),
        }
    }
    if let Some(g) = f.get("gateway_ip") {
        if g.is_empty() {
            s.gateway_ip = None;
        } else if let Ok(ip) = g.parse::<IpAddr>() {
            if net.is_some_and(|n| n.contains(&ip)) {
                s.gateway_ip = Some(ip.to_string());
            } else {
                errors.add("gateway_ip", "Gateway IP must be within CIDR range.");
            }
        } else {
            errors.add("gateway_ip", "Enter a valid IPv4 or IPv6 address.");
        }
    }
    if f.get("dns_servers").is_some() {
        let servers: Vec<String> =
            f.all("dns_servers").flat_map(|v| v.split([',', ' '])).filter(|v| !v.is_empty()).map(str::to_owned).collect();
        if let Some(bad) = servers.iter().find(|s| s.parse::<IpAddr>().is_err()) {
            errors.add("dns_servers", format!("Invalid IP address: {bad}; provide a list of space-separated IP addresses"));
        }
        s.dns_servers = servers;
    }
    if let Some(m) = f.filled("rdns_mode").and_then(id_of) {
        s.rdns_mode = m;
    }
    for (name, target) in [
        ("allow_dns", &mut s.allow_dns),
        ("allow_proxy", &mut s.allow_proxy),
        ("active_discovery", &mut s.active_discovery),
        ("managed", &mut s.managed),
    ] {
        if let Some(v) = f.flag(name) {
            *target = v;
        }
    }
    errors.check()
}

pub(super) fn subnet(call: &mut Call<'_>, which: &str) -> Answer {
    let id = find(call, which).ok_or_else(|| missing("Subnet"))?;
    let w = &call.core.world;
    let mut s = w.site.subnets.get(&id).cloned().ok_or_else(|| missing("Subnet"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::subnet(w, &s))),
        ("GET", Some("ip_addresses")) => Ok(list(addresses(call, id))),
        ("GET", Some("reserved_ip_ranges")) => Ok(list(spans(call, &s, true))),
        ("GET", Some("unreserved_ip_ranges")) => Ok(list(spans(call, &s, false))),
        ("GET", Some("statistics")) => Ok(statistics(call, &s)),
        ("PUT", None) => {
            fill(call, &mut s)?;
            call.core.effect(format!("update subnet {}", s.cidr));
            let site = call.core.site_mut();
            // The rack controller's next report puts its interface where its subnet is.
            for i in site.rack_interfaces.iter_mut().filter(|i| i.links.iter().any(|l| l.subnet == Some(id))) {
                i.vlan = Some(s.vlan);
            }
            site.subnets.insert(id, s.clone());
            Ok(Reply::json(&render::subnet(&call.core.world, &s)))
        }
        ("DELETE", None) => {
            let dynamic = w.site.ipranges.values().any(|r| r.subnet == id && r.kind == "dynamic");
            if dynamic && w.site.vlans.get(&s.vlan).is_some_and(|v| v.dhcp_on) {
                return Err(bad_request(
                    "Cannot delete a subnet that is actively servicing a dynamic IP range. (Delete the dynamic range or disable DHCP first.)",
                ));
            }
            let links = w.site.rack_interfaces.iter().chain(w.nodes.values().flat_map(|n| n.interfaces.values())).flat_map(|i| &i.links);
            if call.form.flag("force") != Some(true)
                && links.into_iter().any(|l| l.subnet == Some(id) && l.ip.is_some() && l.mode != "dhcp")
            {
                return Err(bad_request(
                    "Cannot delete a subnet that has IP addresses in use by nodes. (Use the 'force' parameter to override.)",
                ));
            }
            let nodes: Vec<String> = w
                .nodes
                .values()
                .filter(|n| {
                    n.interfaces
                        .values()
                        .any(|i| i.links.iter().any(|l| l.subnet == Some(id)) || i.discovered.as_ref().is_some_and(|d| d.0 == id))
                })
                .map(|n| n.system_id.clone())
                .collect();
            for node in nodes {
                for i in call.node_mut(&node)?.interfaces.values_mut() {
                    i.links.retain(|l| l.subnet != Some(id));
                    i.discovered.take_if(|d| d.0 == id);
                }
            }
            let site = call.core.site_mut();
            site.subnets.remove(&id);
            site.ipranges.retain(|_, r| r.subnet != id);
            site.static_routes.retain(|_, r| r.source != id && r.destination != id);
            for i in &mut site.rack_interfaces {
                i.links.retain(|l| l.subnet != Some(id));
            }
            call.core.effect(format!("delete subnet {}", s.cidr));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

fn addresses(call: &Call<'_>, subnet: i64) -> Vec<Value> {
    let w = &call.core.world;
    let mut out = Vec::new();
    for n in w.nodes.values() {
        for l in n.interfaces.values().flat_map(|i| &i.links).filter(|l| l.subnet == Some(subnet)) {
            if let Some(ip) = &l.ip {
                out.push(json!({
                    "ip": ip, "alloc_type": i32::from(l.mode != "auto"), "user": n.owner,
                    "node_summary": { "system_id": n.system_id, "hostname": n.hostname, "fqdn": render::fqdn(w, n), "node_type": 0 },
                }));
            }
        }
    }
    out
}

/// Address spans of a subnet that are in use (`reserved`), or those between them.
fn spans(call: &Call<'_>, s: &Subnet, reserved: bool) -> Vec<Value> {
    let Ok(net) = s.cidr.parse::<IpNet>() else { return Vec::new() };
    let v6 = net.addr().is_ipv6();
    let mut used: Vec<(u128, u128, String)> = call
        .core
        .world
        .site
        .ipranges
        .values()
        .filter(|r| r.subnet == s.id)
        .filter_map(|r| Some((number(r.start.parse().ok()?), number(r.end.parse().ok()?), r.kind.clone())))
        .collect();
    if let Some(g) = s.gateway_ip.as_deref().and_then(|g| g.parse().ok()).map(number) {
        used.push((g, g, "gateway-ip".into()));
    }
    let rack = call.core.world.site.rack_interfaces.iter().flat_map(|i| &i.links);
    let nodes = call.core.world.nodes.values().flat_map(|n| n.interfaces.values()).flat_map(|i| &i.links);
    for l in rack.chain(nodes).filter(|l| l.subnet == Some(s.id)) {
        if let Some(n) = l.ip.as_deref().and_then(|i| i.parse().ok()).map(number) {
            used.push((n, n, "assigned-ip".into()));
        }
    }
    used.sort();
    let span = |a: u128, b: u128| json!({ "start": address(a, v6).to_string(), "end": address(b, v6).to_string(), "num_addresses": (b - a + 1) as u64 });
    if reserved {
        return used
            .into_iter()
            .map(|(a, b, purpose)| {
                let mut v = span(a, b);
                v["purpose"] = json!([purpose]);
                v
            })
            .collect();
    }
    let mut out = Vec::new();
    let mut next = number(net.network()) + 1;
    for (a, b, _) in used {
        if a > next {
            out.push(span(next, a - 1));
        }
        next = next.max(b + 1);
    }
    let last = number(net.broadcast()).saturating_sub(u128::from(!v6));
    if next <= last {
        out.push(span(next, last));
    }
    out
}

fn statistics(call: &Call<'_>, s: &Subnet) -> Reply {
    let Ok(net) = s.cidr.parse::<IpNet>() else { return missing("Subnet") };
    let v6 = net.addr().is_ipv6();
    let count = |spans: &[Value]| spans.iter().filter_map(|v| v["num_addresses"].as_u64()).collect::<Vec<_>>();
    let free = count(&spans(call, s, false));
    let (first, last) = (number(net.network()) + 1, number(net.broadcast()).saturating_sub(u128::from(!v6)));
    let total = (last - first + 1) as u64;
    let available: u64 = free.iter().sum();
    let used = total.saturating_sub(available);
    let usage = if total == 0 { 0.0 } else { used as f64 / total as f64 };
    Reply::json(&json!({
        "num_available": available,
        "largest_available": free.iter().max().copied().unwrap_or(0),
        "num_unavailable": used,
        "total_addresses": total,
        "usage": usage,
        "usage_string": format!("{:.0}%", usage * 100.0),
        "available_string": format!("{:.0}%", 100.0 - usage * 100.0),
        "first_address": address(first, v6).to_string(),
        "last_address": address(last, v6).to_string(),
        "ip_version": if v6 { 6 } else { 4 },
    }))
}

//! Address ranges and static routes.

use std::net::IpAddr;

use ipnet::IpNet;

use super::call::{Answer, Call, FormErrors, REQUIRED, choices, deleted, form_error, id_of, list, missing};
use super::subnets;
use crate::sim::db::{IpRange, StaticRoute, Subnet};
use crate::sim::http::Reply;
use crate::sim::lifecycle::number;
use crate::sim::render;

pub(super) fn ipranges(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let world = &call.core.world;
            Ok(list(world.site.ipranges.values().map(|r| render::iprange(world, r)).collect()))
        }
        ("POST", None) => {
            let mut errors = FormErrors::default();
            for field in ["type", "start_ip", "end_ip"] {
                if call.form.filled(field).is_none() {
                    errors.add(field, REQUIRED);
                }
            }
            errors.check()?;
            let text = |f: &str| call.form.get(f).unwrap_or_default().to_owned();
            let start: Option<IpAddr> = text("start_ip").parse().ok();
            let by_address = || {
                let site = &call.core.world.site;
                site.subnets.values().find(|s| s.cidr.parse::<IpNet>().is_ok_and(|n| start.is_some_and(|a| n.contains(&a)))).map(|s| s.id)
            };
            let given = call.form.filled("subnet").map(|s| subnets::find(call, s));
            let subnet = match given {
                Some(None) => return Err(form_error("subnet", "Select a valid choice. That choice is not one of the available choices.")),
                Some(found) => found,
                None => by_address(),
            };
            let subnet = subnet.ok_or_else(|| form_error("subnet", REQUIRED))?;
            let mut r = IpRange {
                id: 0,
                subnet,
                kind: text("type"),
                start: String::new(),
                end: String::new(),
                user: Some(call.user.clone()),
                comment: text("comment"),
            };
            fill(call, &mut r)?;
            r.id = call.core.take_id("iprange");
            call.core.effect(format!("create iprange {} {}-{}", r.kind, r.start, r.end));
            call.core.site_mut().ipranges.insert(r.id, r.clone());
            Ok(Reply::json(&render::iprange(&call.core.world, &r)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn fill(call: &Call<'_>, r: &mut IpRange) -> Result<(), Reply> {
    let (form, world) = (&call.form, &call.core.world);
    let mut errors = FormErrors::default();
    if let Some(k) = form.filled("type") {
        k.clone_into(&mut r.kind);
    }
    if !matches!(r.kind.as_str(), "dynamic" | "reserved") {
        errors.add("type", choices(&r.kind, "type", &["dynamic", "reserved"]));
    }
    if let Some(c) = form.get("comment") {
        c.clone_into(&mut r.comment);
    }
    for (name, target) in [("start_ip", &mut r.start), ("end_ip", &mut r.end)] {
        if let Some(v) = form.filled(name) {
            match v.parse::<IpAddr>() {
                Ok(a) => *target = a.to_string(),
                Err(_) => errors.add(name, "Enter a valid IPv4 or IPv6 address."),
            }
        }
    }
    errors.check()?;
    let (Ok(start), Ok(end)) = (r.start.parse::<IpAddr>(), r.end.parse::<IpAddr>()) else {
        return Err(form_error("start_ip", REQUIRED));
    };
    let both = |text: &str| {
        let mut e = FormErrors::default();
        e.add("start_ip", text);
        e.add("end_ip", text);
        e.check()
    };
    let subnet = world.site.subnets.get(&r.subnet).ok_or_else(|| missing("Subnet"))?;
    let net: Option<IpNet> = subnet.cidr.parse().ok();
    if start.is_ipv4() != end.is_ipv4() {
        return both("Start IP address and end IP address must be in the same address family.");
    }
    if number(end) < number(start) {
        return Err(form_error("end_ip", "End IP address must not be less than Start IP address."));
    }
    if let Some(net) = net {
        match (net.contains(&start), net.contains(&end)) {
            (false, false) => return both(&format!("IP addresses must be within subnet: {net}.")),
            (false, true) => return Err(form_error("start_ip", format!("Start IP address must be within subnet: {net}."))),
            (true, false) => return Err(form_error("end_ip", format!("End IP address must be within subnet: {net}."))),
            (true, true) => {}
        }
        if start == net.network() {
            return Err(form_error("start_ip", "Reserved network address cannot be included in IP range."));
        }
        if end.is_ipv4() && end == net.broadcast() {
            return Err(form_error("end_ip", "Broadcast address cannot be included in IP range."));
        }
        if start.is_ipv6() && r.kind == "dynamic" && number(end) - number(start) < 255 {
            return both("IPv6 dynamic range must be at least 256 addresses in size.");
        }
    }
    let dynamic = r.kind == "dynamic";
    let wanted = (number(start), number(end));
    let was = world.site.ipranges.get(&r.id).filter(|o| dynamic && o.kind == "dynamic" && o.subnet == r.subnet).and_then(span);
    if added(wanted, was).into_iter().any(|part| taken(call, subnet, r, part)) {
        let what = if dynamic { "IP address or " } else { "" };
        return both(&format!("Requested {} range conflicts with an existing {what}range.", r.kind));
    }
    Ok(())
}

/// First and last address, both included.
type Span = (u128, u128);

fn span(r: &IpRange) -> Option<Span> {
    Some((number(r.start.parse().ok()?), number(r.end.parse().ok()?)))
}

/// What a range has more than the dynamic range that it was; all of it where it was none. What an older range holds is not looked at again.
fn added(wanted: Span, was: Option<Span>) -> Vec<Span> {
    let Some(was) = was else { return vec![wanted] };
    let left = (wanted.0, wanted.1.min(was.0.saturating_sub(1)));
    let right = (wanted.0.max(was.1.saturating_add(1)), wanted.1);
    [left, right].into_iter().filter(|s| s.0 <= s.1).collect()
}

/// Whether an address of a span is something's already. Reserved ranges may hold addresses in use, dynamic ones may not; where MAAS does not manage
/// a subnet, dynamic ranges lie inside its reserved ones.
fn taken(call: &Call<'_>, subnet: &Subnet, r: &IpRange, part: Span) -> bool {
    let world = &call.core.world;
    let dynamic = r.kind == "dynamic";
    let overlaps = |o: &Span| o.0 <= part.1 && part.0 <= o.1;
    let others = |kind: &'static str| {
        world.site.ipranges.values().filter(move |o| o.id != r.id && o.subnet == r.subnet && o.kind == kind).filter_map(span)
    };
    let clash = match (subnet.managed, dynamic) {
        (true, _) => others("dynamic").chain(others("reserved")).any(|o| overlaps(&o)),
        (false, false) => others("reserved").any(|o| overlaps(&o)),
        (false, true) => others("dynamic").any(|o| overlaps(&o)) || !others("reserved").any(|o| o.0 <= part.0 && part.1 <= o.1),
    };
    if clash || !dynamic {
        return clash;
    }
    let links = world.site.rack_interfaces.iter().chain(world.nodes.values().flat_map(|n| n.interfaces.values())).flat_map(|i| &i.links);
    let assigned = links.filter(|l| l.subnet == Some(r.subnet)).filter_map(|l| l.ip.as_deref());
    let routers = world.site.static_routes.values().filter(|x| x.source == r.subnet).map(|x| x.gateway_ip.as_str());
    let services = subnet.gateway_ip.as_deref().into_iter().chain(subnet.dns_servers.iter().map(String::as_str));
    services.chain(routers).chain(assigned).filter_map(|a| a.parse().ok()).map(number).any(|a| overlaps(&(a, a)))
}

pub(super) fn iprange(call: &mut Call<'_>, id: i64) -> Answer {
    let world = &call.core.world;
    let mut r = world.site.ipranges.get(&id).cloned().ok_or_else(|| missing("IPRange"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::iprange(world, &r))),
        ("PUT", None) => {
            fill(call, &mut r)?;
            call.core.effect(format!("update iprange {} {}-{}", r.kind, r.start, r.end));
            call.core.site_mut().ipranges.insert(id, r.clone());
            Ok(Reply::json(&render::iprange(&call.core.world, &r)))
        }
        ("DELETE", None) => {
            call.core.site_mut().ipranges.remove(&id);
            call.core.effect(format!("delete iprange {} {}-{}", r.kind, r.start, r.end));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

pub(super) fn static_routes(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let world = &call.core.world;
            Ok(list(world.site.static_routes.values().map(|r| render::static_route(world, r)).collect()))
        }
        ("POST", None) => {
            let mut errors = FormErrors::default();
            for field in ["source", "destination", "gateway_ip"] {
                if call.form.filled(field).is_none() {
                    errors.add(field, REQUIRED);
                }
            }
            errors.check()?;
            let mut r = StaticRoute { id: 0, source: 0, destination: 0, gateway_ip: String::new(), metric: 0 };
            fill_route(call, &mut r)?;
            r.id = call.core.take_id("static_route");
            call.core.effect(format!("create static_route {}", r.gateway_ip));
            call.core.site_mut().static_routes.insert(r.id, r.clone());
            Ok(Reply::json(&render::static_route(&call.core.world, &r)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn fill_route(call: &Call<'_>, r: &mut StaticRoute) -> Result<(), Reply> {
    let (form, world) = (&call.form, &call.core.world);
    let mut errors = FormErrors::default();
    for (name, target) in [("source", &mut r.source), ("destination", &mut r.destination)] {
        if let Some(v) = form.filled(name) {
            match subnets::find(call, v) {
                Some(s) => *target = s,
                None => errors.add(name, "Select a valid choice. That choice is not one of the available choices."),
            }
        }
    }
    if let Some(g) = form.filled("gateway_ip") {
        let net: Option<IpNet> = world.site.subnets.get(&r.source).and_then(|s| s.cidr.parse().ok());
        match (g.parse::<IpAddr>(), net) {
            (Ok(a), Some(n)) if n.contains(&a) => r.gateway_ip = a.to_string(),
            (Ok(_), Some(n)) => {
                errors.add("gateway_ip", format!("Enter an IP address in {n}."));
                errors.add("__all__", "gateway_ip must be with in the source subnet.");
            }
            _ => errors.add("gateway_ip", "Enter a valid IPv4 or IPv6 address."),
        }
    }
    if let Some(m) = form.filled("metric").and_then(id_of) {
        r.metric = m;
    }
    let same = |o: &&StaticRoute| o.id != r.id && o.source == r.source && o.destination == r.destination && o.gateway_ip == r.gateway_ip;
    if world.site.static_routes.values().any(|o| same(&o)) {
        errors.add("__all__", "Static route with this Source, Destination and Gateway ip already exists.");
    }
    errors.check()
}

pub(super) fn static_route(call: &mut Call<'_>, id: i64) -> Answer {
    let world = &call.core.world;
    let mut r = world.site.static_routes.get(&id).cloned().ok_or_else(|| missing("StaticRoute"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::static_route(world, &r))),
        ("PUT", None) => {
            fill_route(call, &mut r)?;
            call.core.effect(format!("update static_route {}", r.gateway_ip));
            call.core.site_mut().static_routes.insert(id, r.clone());
            Ok(Reply::json(&render::static_route(&call.core.world, &r)))
        }
        ("DELETE", None) => {
            call.core.site_mut().static_routes.remove(&id);
            call.core.effect(format!("delete static_route {}", r.gateway_ip));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

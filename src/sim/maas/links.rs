//! Addresses of interfaces.

use std::net::IpAddr;

use ipnet::IpNet;

use super::call::{Answer, Call, FormErrors, REQUIRED, choices, form_error, id_of, missing};
use super::interfaces::note;
use super::subnets;
use crate::sim::db::{Link, Subnet};
use crate::sim::http::Reply;
use crate::sim::lifecycle::{free_address, number};

const MODES: [&str; 4] = ["auto", "dhcp", "static", "link_up"];
const NOT_OFFERED: &str = "Select a valid choice. That choice is not one of the available choices.";

pub(super) fn link(call: &mut Call<'_>, id: &str, interface: i64) -> Answer {
    let f = &call.form;
    let force = f.flag("force").unwrap_or(false);
    let mode = f.filled("mode").ok_or_else(|| form_error("mode", REQUIRED))?.to_ascii_lowercase();
    if !MODES.contains(&mode.as_str()) {
        return Err(form_error("mode", choices(&mode, "mode", &MODES)));
    }
    let mut errors = FormErrors::default();
    let n = call.node(id)?;
    let i = n.interfaces.get(&interface).ok_or_else(|| missing("Interface"))?;
    let subnet = match f.filled("subnet") {
        Some(s) => {
            let site = &call.core.world.site;
            let found =
                subnets::find(call, s).and_then(|s| site.subnets.get(&s)).filter(|s| force || i.vlan.is_none() || Some(s.vlan) == i.vlan);
            if found.is_none() {
                errors.add("subnet", NOT_OFFERED);
            }
            found.cloned()
        }
        None => None,
    };
    if subnet.is_none() && matches!(mode.as_str(), "auto" | "static") && errors.is_empty() {
        errors.add("subnet", REQUIRED);
    }
    if let Some(bond) = n.interfaces.values().find(|c| c.kind == "bond" && c.parents.contains(&interface)) {
        errors.add("bond", format!("Cannot link interface({}) when interface is in a bond({}).", i.name, bond.name));
    }
    let up_only = i.links.iter().all(|l| l.mode == "link_up");
    if mode == "link_up" && !up_only && !force {
        errors.add(
            "mode",
            "Cannot configure interface to link up (with no IP address) while other links are already configured. Specify force=True to override this behavior and delete all links.",
        );
    }
    if mode == "dhcp"
        && let Some(l) = i.links.iter().find(|l| l.mode == "dhcp")
    {
        let from = l.subnet.and_then(|s| call.core.world.site.subnets.get(&s)).map(|s| format!(" from '{}'", described(call, s)));
        errors.add("mode", format!("Interface is already set to DHCP{}.", from.unwrap_or_default()));
    }
    let gateway = f.flag("default_gateway").unwrap_or(false);
    if gateway && !matches!(mode.as_str(), "auto" | "static") {
        errors.add("default_gateway", format!("Cannot use in mode '{mode}'."));
    } else if gateway && let Some(s) = subnet.as_ref().filter(|s| s.gateway_ip.is_none()) {
        let text = format!("Cannot set as default gateway because subnet {} doesn't provide a gateway IP address.", described(call, s));
        errors.add("default_gateway", text);
    }
    let asked = f.filled("ip_address").map(str::to_owned);
    let mut ip = None;
    if let (Some(s), true) = (&subnet, mode == "static") {
        let net: Option<IpNet> = s.cidr.parse().ok();
        match asked.as_deref().map(str::parse::<IpAddr>) {
            Some(Err(_)) => errors.add("ip_address", "Enter a valid IPv4 or IPv6 address."),
            Some(Ok(a)) if !net.is_some_and(|n| n.contains(&a)) => {
                errors.add("ip_address", format!("IP address is not in the given subnet '{}'.", described(call, s)));
            }
            Some(Ok(a)) => {
                if let Some((start, end)) = dynamic_range(call, s.id, a) {
                    errors.add("ip_address", format!("IP address is inside a dynamic range {start} to {end}."));
                }
                ip = Some(a.to_string());
            }
            None => ip = free_address(&call.core.world, s.id, false),
        }
    }
    errors.check()?;
    if ip.as_ref().is_some_and(|a| used(call, a)) {
        // The recorded answer is a 404.
        return Err(Reply::text(404, "IP address is already in use."));
    }
    let link_id = call.core.take_id("link");
    let n = call.node_mut(id)?;
    let i = n.interfaces.get_mut(&interface).ok_or_else(|| missing("Interface"))?;
    if force || mode == "link_up" {
        i.links.clear();
    }
    if i.vlan.is_none() || force {
        i.vlan = subnet.as_ref().map(|s| s.vlan).or(i.vlan);
    }
    i.links.retain(|l| l.mode != "link_up");
    i.links.push(Link { id: link_id, mode: mode.clone(), subnet: subnet.as_ref().map(|s| s.id), ip });
    if gateway {
        let v6 = subnet.as_ref().and_then(|s| s.gateway_ip.as_deref()).is_some_and(|g| g.contains(':'));
        if v6 {
            n.gateway_links.1 = Some(link_id);
        } else {
            n.gateway_links.0 = Some(link_id);
        }
    }
    note(call, id, interface, "link_subnet");
    call.interface_reply(id, interface)
}

fn used(call: &Call<'_>, ip: &str) -> bool {
    let w = &call.core.world;
    w.site
        .rack_interfaces
        .iter()
        .chain(w.nodes.values().flat_map(|n| n.interfaces.values()))
        .flat_map(|i| &i.links)
        .any(|l| l.ip.as_deref() == Some(ip))
}

/// The dynamic range of a subnet that an address lies in.
fn dynamic_range<'c>(call: &'c Call<'_>, subnet: i64, address: IpAddr) -> Option<(&'c str, &'c str)> {
    call.core.world.site.ipranges.values().filter(|r| r.subnet == subnet && r.kind == "dynamic").find_map(|r| {
        let (start, end) = (r.start.parse::<IpAddr>().ok()?, r.end.parse::<IpAddr>().ok()?);
        (number(start) <= number(address) && number(address) <= number(end)).then_some((r.start.as_str(), r.end.as_str()))
    })
}

/// A subnet in texts.
fn described(call: &Call<'_>, s: &Subnet) -> String {
    let vid = call.core.world.site.vlans.get(&s.vlan).map_or(0, |v| v.vid);
    format!("{}:{}(vid={vid})", s.name, s.cidr)
}

pub(super) fn unlink(call: &mut Call<'_>, id: &str, interface: i64) -> Answer {
    let link = call.form.filled("id").ok_or_else(|| form_error("id", REQUIRED))?;
    let n = call.node(id)?;
    let i = n.interfaces.get(&interface).ok_or_else(|| missing("Interface"))?;
    let link =
        id_of(link).filter(|l| i.links.iter().any(|x| x.id == *l)).ok_or_else(|| form_error("id", super::call::invalid_choice(link)))?;
    if let Some(i) = call.node_mut(id)?.interfaces.get_mut(&interface) {
        i.links.retain(|l| l.id != link);
    }
    note(call, id, interface, "unlink_subnet");
    drop_stale_gateways(call, id)?;
    ensure_up(call, id)?;
    call.interface_reply(id, interface)
}

pub(super) fn default_gateway(call: &mut Call<'_>, id: &str, interface: i64) -> Answer {
    let n = call.node(id)?;
    let i = n.interfaces.get(&interface).ok_or_else(|| missing("Interface"))?;
    let gateway = |l: &Link| call.core.world.site.subnets.get(&l.subnet?)?.gateway_ip.clone();
    let candidates: Vec<(i64, String)> = i.links.iter().filter_map(|l| Some((l.id, gateway(l)?))).collect();
    let chosen: Vec<(i64, String)> = match call.form.filled("link_id") {
        Some(text) => {
            let wanted = id_of(text);
            let found: Vec<_> = candidates.into_iter().filter(|(l, _)| Some(*l) == wanted).collect();
            if found.is_empty() {
                return Err(form_error("link_id", super::call::invalid_choice(text)));
            }
            found
        }
        None if candidates.is_empty() => return Err(form_error("__all__", "This interface has no usable gateways.")),
        None if candidates.len() > 1 => {
            return Err(form_error("link_id", "This field is required; Interface has more than one usable gateway."));
        }
        None => candidates,
    };
    let n = call.node_mut(id)?;
    for (link, g) in chosen {
        if g.contains(':') {
            n.gateway_links.1 = Some(link);
        } else {
            n.gateway_links.0 = Some(link);
        }
    }
    note(call, id, interface, "set_default_gateway");
    call.interface_reply(id, interface)
}

/// Default gateways whose links are gone are no default gateways.
pub(super) fn drop_stale_gateways(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node_mut(id)?;
    let live: Vec<i64> = n.interfaces.values().flat_map(|i| &i.links).map(|l| l.id).collect();
    n.gateway_links.0.take_if(|l| !live.contains(l));
    n.gateway_links.1.take_if(|l| !live.contains(l));
    Ok(())
}

/// MAAS keeps every connected interface up that has no address and is no part of a bond or bridge.
pub(super) fn ensure_up(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node(id)?;
    let down: Vec<i64> = n
        .interfaces
        .values()
        .filter(|i| i.links.is_empty() && i.vlan.is_some())
        .filter(|i| !n.interfaces.values().any(|c| c.parents.contains(&i.id) && c.kind != "vlan"))
        .map(|i| i.id)
        .collect();
    for interface in down {
        let link = call.core.take_id("link");
        if let Some(i) = call.node_mut(id)?.interfaces.get_mut(&interface) {
            i.links.push(Link { id: link, mode: "link_up".into(), subnet: None, ip: None });
        }
    }
    Ok(())
}

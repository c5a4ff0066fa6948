//! Fabrics, VLANs and spaces.

use super::call::{Answer, Call, FormErrors, REQUIRED, bad_request, deleted, form_error, id_of, invalid_choice, list, missing};
use crate::sim::db::{Space, Vlan};
use crate::sim::http::Reply;
use crate::sim::inventory;
use crate::sim::render;

fn fabric_id(call: &Call<'_>, which: &str) -> Result<i64, Reply> {
    let fabrics = &call.core.world.site.fabrics;
    let name = which.strip_prefix("name:").unwrap_or(which);
    id_of(which)
        .filter(|i| fabrics.contains_key(i))
        .or_else(|| fabrics.values().find(|f| f.name == name).map(|f| f.id))
        .ok_or_else(|| missing("Fabric"))
}

pub(super) fn fabrics(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let bytes = if let Some(b) = call.core.lists.get("fabrics") {
                b.clone()
            } else {
                let w = &call.core.world;
                let all = serde_json::Value::Array(w.site.fabrics.values().map(|f| render::fabric(w, f)).collect());
                let bytes = axum::body::Bytes::from(all.to_string());
                call.core.lists.insert("fabrics".into(), bytes.clone());
                bytes
            };
            Ok(Reply::json_bytes(bytes))
        }
        ("POST", None) => {
            let name = call.form.filled("name").map(str::to_owned);
            if name.as_ref().is_some_and(|n| call.core.world.site.fabrics.values().any(|f| f.name == *n)) {
                return Err(form_error("name", "Fabric with this Name already exists."));
            }
            let class = call.form.filled("class_type").map(str::to_owned);
            let description = call.form.get("description").unwrap_or_default().to_owned();
            let (id, _) = inventory::add_fabric(call.core, name.as_deref(), class, &description);
            let w = &call.core.world;
            let f = w.site.fabrics.get(&id).ok_or_else(|| missing("Fabric"))?;
            let (reply, text) = (Reply::json(&render::fabric(w, f)), format!("create fabric {}", f.name));
            call.core.effect(text);
            Ok(reply)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn fabric(call: &mut Call<'_>, which: &str) -> Answer {
    let id = fabric_id(call, which)?;
    let w = &call.core.world;
    let mut f = w.site.fabrics.get(&id).cloned().ok_or_else(|| missing("Fabric"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::fabric(w, &f))),
        ("PUT", None) => {
            if let Some(n) = call.form.filled("name") {
                if w.site.fabrics.values().any(|o| o.name == n && o.id != id) {
                    return Err(form_error("name", "Fabric with this Name already exists."));
                }
                n.clone_into(&mut f.name);
            }
            if let Some(c) = call.form.get("class_type") {
                f.class_type = Some(c.to_owned()).filter(|c| !c.is_empty());
            }
            if let Some(d) = call.form.get("description") {
                d.clone_into(&mut f.description);
            }
            call.core.effect(format!("update fabric {}", f.name));
            call.core.site_mut().fabrics.insert(id, f.clone());
            Ok(Reply::json(&render::fabric(&call.core.world, &f)))
        }
        ("DELETE", None) => {
            if id == 0 {
                return Err(bad_request("This fabric is the default fabric, it cannot be deleted."));
            }
            let vlans: Vec<i64> = w.site.vlans.values().filter(|v| v.fabric == id).map(|v| v.id).collect();
            let subnets: Vec<&str> = w.site.subnets.values().filter(|s| vlans.contains(&s.vlan)).map(|s| s.cidr.as_str()).collect();
            if !subnets.is_empty() {
                return Err(bad_request(format!("Can't delete fabric; the following subnets are still present: {}", subnets.join(", "))));
            }
            let of_nodes = w.nodes.values().flat_map(|n| n.interfaces.values().map(|i| (n.hostname.as_str(), i)));
            let used: Vec<String> = of_nodes
                .chain(w.site.rack_interfaces.iter().map(|i| ("vm", i)))
                .filter(|(_, i)| i.vlan.is_some_and(|v| vlans.contains(&v)))
                .map(|(host, i)| format!("{} ({}) on {host}", i.name, i.kind))
                .collect();
            if !used.is_empty() {
                return Err(bad_request(format!("Can't delete fabric; the following interfaces are still connected: {}", used.join(", "))));
            }
            let site = call.core.site_mut();
            site.fabrics.remove(&id);
            site.vlans.retain(|_, v| v.fabric != id);
            call.core.effect(format!("delete fabric {}", f.name));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

pub(super) fn vlans(call: &mut Call<'_>, which: &str) -> Answer {
    let fabric = fabric_id(call, which)?;
    match call.signature() {
        ("GET", None) => {
            let w = &call.core.world;
            Ok(list(w.site.vlans.values().filter(|v| v.fabric == fabric).map(|v| render::vlan(w, v)).collect()))
        }
        ("POST", None) => {
            let vid = call.form.filled("vid").ok_or_else(|| form_error("vid", REQUIRED))?;
            let vid = id_of(vid).ok_or_else(|| form_error("vid", "Enter a whole number."))?;
            let name = call.form.filled("name").map_or_else(|| vid.to_string(), str::to_owned);
            let mut v = inventory::new_vlan(0, fabric, vid, &name);
            fill(call, &mut v)?;
            v.id = call.core.take_id("vlan");
            let id = v.id;
            let text = format!("create vlan {}", label(call, &v));
            call.core.site_mut().vlans.insert(id, v);
            call.core.effect(text);
            let w = &call.core.world;
            w.site.vlans.get(&id).map(|v| Reply::json(&render::vlan(w, v))).ok_or_else(|| missing("VLAN"))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

fn label(call: &Call<'_>, v: &Vlan) -> String {
    let fabric = call.core.world.site.fabrics.get(&v.fabric).map_or("?", |f| &f.name);
    format!("{fabric}/{}", v.vid)
}

/// Takes the parameters of a VLAN over.
fn fill(call: &Call<'_>, v: &mut Vlan) -> Result<(), Reply> {
    let (f, w) = (&call.form, &call.core.world);
    let mut errors = FormErrors::default();
    if let Some(vid) = f.filled("vid").and_then(id_of) {
        v.vid = vid;
    }
    if !(0..=4094).contains(&v.vid) {
        errors.add("vid", "VID must be between 0 and 4094.");
    }
    if let Some(other) = f.filled("fabric") {
        match fabric_id(call, other) {
            Ok(id) => v.fabric = id,
            Err(_) => errors.add("fabric", "Select a valid choice. That choice is not one of the available choices."),
        }
    }
    if w.site.vlans.values().any(|o| o.fabric == v.fabric && o.vid == v.vid && o.id != v.id) {
        // The recorded answer to this one has no charset.
        let mut reply = form_error("__all__", "A VLAN with the specified VID already exists in the destination fabric.");
        reply.content_type = "application/json";
        return Err(reply);
    }
    for (name, target) in [("name", &mut v.name), ("description", &mut v.description)] {
        if let Some(t) = f.get(name) {
            t.clone_into(target);
        }
    }
    if let Some(mtu) = f.filled("mtu") {
        match id_of(mtu) {
            Some(m) if (552..=65_535).contains(&m) => v.mtu = m,
            _ => errors.add("mtu", "MTU must be between 552 and 65535."),
        }
    }
    if let Some(space) = f.get("space") {
        let found =
            id_of(space).and_then(|i| w.site.spaces.get(&i)).or_else(|| w.site.spaces.values().find(|s| s.name == space)).map(|s| s.id);
        if found.is_none() && !space.is_empty() && space != "undefined" {
            errors.add("space", "Select a valid choice. That choice is not one of the available choices.");
        }
        v.space = found;
    }
    racks(call, v, &mut errors);
    let was_on = v.dhcp_on;
    if let Some(on) = f.flag("dhcp_on") {
        v.dhcp_on = on;
        let subnets: Vec<i64> = w.site.subnets.values().filter(|s| s.vlan == v.id).map(|s| s.id).collect();
        // As recorded, what is wrong with the rack controller is said alone.
        if on
            && v.primary_rack.is_some()
            && errors.is_empty()
            && !w.site.ipranges.values().any(|r| r.kind == "dynamic" && subnets.contains(&r.subnet))
        {
            errors.add("dhcp_on", "dhcp can only be turned on when a dynamic IP range is defined.");
        }
    }
    if let Some(relay) = f.get("relay_vlan") {
        // A VLAN with DHCP is not relayed, and relays do not lead to relays.
        let offered = |t: &&Vlan| t.id != v.id && t.relay_vlan.is_none() && !was_on;
        let target = id_of(relay).and_then(|i| w.site.vlans.get(&i)).filter(offered).map(|t| t.id);
        if target.is_none() && !relay.is_empty() {
            errors.add("relay_vlan", "Select a valid choice. That choice is not one of the available choices.");
        }
        v.relay_vlan = target;
    }
    if f.flag("dhcp_on") == Some(true) && v.primary_rack.is_none() {
        errors.add("__all__", "dhcp can only be turned on when a primary rack controller is set.");
    }
    if v.dhcp_on {
        v.relay_vlan = None;
    }
    errors.check()
}

/// Only a rack controller with an interface in a VLAN of that tag may be named; whether it reaches this one shows when DHCP is asked.
fn racks(call: &Call<'_>, v: &mut Vlan, errors: &mut FormErrors) {
    let site = &call.core.world.site;
    let vid = |id: i64| site.vlans.get(&id).map(|v| v.vid);
    let present = site.rack_interfaces.iter().any(|i| i.vlan.and_then(vid) == Some(v.vid));
    for (name, target) in [("primary_rack", &mut v.primary_rack), ("secondary_rack", &mut v.secondary_rack)] {
        match call.form.get(name) {
            Some("") => *target = None,
            Some(rack) if rack == site.controller && present => *target = Some(rack.to_owned()),
            Some(rack) => errors.add(name, invalid_choice(rack)),
            None => {}
        }
    }
}

pub(super) fn vlan_by_vid(call: &mut Call<'_>, fabric: &str, vid: &str) -> Answer {
    let fabric = fabric_id(call, fabric)?;
    let vid = if vid == "untagged" { Some(0) } else { id_of(vid) };
    let found = call.core.world.site.vlans.values().find(|v| v.fabric == fabric && Some(v.vid) == vid).map(|v| v.id);
    vlan(call, found.ok_or_else(|| missing("VLAN"))?)
}

pub(super) fn vlan(call: &mut Call<'_>, id: i64) -> Answer {
    let w = &call.core.world;
    let mut v = w.site.vlans.get(&id).cloned().ok_or_else(|| missing("VLAN"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::vlan(w, &v))),
        ("PUT", None) => {
            fill(call, &mut v)?;
            let text = format!("update vlan {}", label(call, &v));
            call.core.site_mut().vlans.insert(id, v.clone());
            call.core.effect(text);
            Ok(Reply::json(&render::vlan(&call.core.world, &v)))
        }
        ("DELETE", None) => {
            if w.site.fabrics.values().any(|f| f.default_vlan == id) {
                return Err(bad_request("This VLAN is the default VLAN in the fabric, it cannot be deleted."));
            }
            let text = format!("delete vlan {}", label(call, &v));
            let fallback = w.site.fabrics.get(&v.fabric).map_or(id, |f| f.default_vlan);
            // Subnets and interfaces fall back to the fabric's untagged VLAN.
            let nodes: Vec<String> =
                w.nodes.values().filter(|n| n.interfaces.values().any(|i| i.vlan == Some(id))).map(|n| n.system_id.clone()).collect();
            for node in nodes {
                for i in call.node_mut(&node)?.interfaces.values_mut().filter(|i| i.vlan == Some(id)) {
                    i.vlan = Some(fallback);
                }
            }
            let site = call.core.site_mut();
            site.vlans.remove(&id);
            for s in site.subnets.values_mut().filter(|s| s.vlan == id) {
                s.vlan = fallback;
            }
            for o in site.vlans.values_mut().filter(|o| o.relay_vlan == Some(id)) {
                o.relay_vlan = None;
            }
            for i in site.rack_interfaces.iter_mut().filter(|i| i.vlan == Some(id)) {
                i.vlan = Some(fallback);
            }
            call.core.effect(text);
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

pub(super) fn spaces(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let w = &call.core.world;
            let mut all: Vec<_> = w.site.spaces.values().map(|s| render::space(w, s)).collect();
            all.push(render::undefined_space(w));
            Ok(list(all))
        }
        ("POST", None) => {
            let name = call.form.filled("name").map(str::to_owned);
            if name.as_ref().is_some_and(|n| call.core.world.site.spaces.values().any(|s| s.name == *n)) {
                return Err(form_error("name", "Space with this Name already exists."));
            }
            let description = call.form.get("description").unwrap_or_default().to_owned();
            let id = call.core.take_id("space");
            let space = Space { id, name: name.unwrap_or_else(|| format!("space-{id}")), description };
            call.core.effect(format!("create space {}", space.name));
            call.core.site_mut().spaces.insert(id, space.clone());
            Ok(Reply::json(&render::space(&call.core.world, &space)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn space(call: &mut Call<'_>, which: &str) -> Answer {
    let w = &call.core.world;
    if which == "undefined" && call.method == "GET" {
        return Ok(Reply::json(&render::undefined_space(w)));
    }
    let found = id_of(which).and_then(|i| w.site.spaces.get(&i)).or_else(|| w.site.spaces.values().find(|s| s.name == which));
    let mut s = found.cloned().ok_or_else(|| missing("Space"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::space(w, &s))),
        ("PUT", None) => {
            for (name, target) in [("name", &mut s.name), ("description", &mut s.description)] {
                if let Some(t) = call.form.get(name) {
                    t.clone_into(target);
                }
            }
            call.core.effect(format!("update space {}", s.name));
            call.core.site_mut().spaces.insert(s.id, s.clone());
            Ok(Reply::json(&render::space(&call.core.world, &s)))
        }
        ("DELETE", None) => {
            let site = call.core.site_mut();
            site.spaces.remove(&s.id);
            for v in site.vlans.values_mut().filter(|v| v.space == Some(s.id)) {
                v.space = None;
            }
            call.core.effect(format!("delete space {}", s.name));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

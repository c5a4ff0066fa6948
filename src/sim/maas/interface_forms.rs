//! Forms that create and change interfaces: bonds, VLANs, bridges, NICs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Answer, Call, FormErrors, REQUIRED, choices, form_error, id_of, invalid_choice};
use super::interfaces::note;
use super::links;
use crate::sim::db::{Interface, Link, Node};
use crate::sim::http::{Form, Reply};

const BOND_MODES: [&str; 7] = ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];
const LACP_RATES: [&str; 2] = ["fast", "slow"];
const HASH_POLICIES: [&str; 6] = ["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac"];
const NOT_OFFERED: &str = "Select a valid choice. That choice is not one of the available choices.";

/// The parents that a form names (by id or name).
fn parents(call: &Call<'_>, n: &Node, field: &str, errors: &mut FormErrors) -> Vec<i64> {
    let mut out = Vec::new();
    for p in call.form.list(field) {
        match id_of(&p).filter(|i| n.interfaces.contains_key(i)).or_else(|| n.interfaces.values().find(|i| i.name == p).map(|i| i.id)) {
            Some(i) => out.push(i),
            None => errors.add(field, invalid_choice(&p)),
        }
    }
    out
}

fn vlan(call: &Call<'_>, errors: &mut FormErrors) -> Option<i64> {
    let text = call.form.filled("vlan")?;
    let found = id_of(text).filter(|v| call.core.world.site.vlans.contains_key(v));
    if found.is_none() {
        errors.add("vlan", NOT_OFFERED);
    }
    found
}

fn unique(n: &Node, name: &str, id: i64, errors: &mut FormErrors) {
    if n.interfaces.values().any(|i| i.name == name && i.id != id) {
        errors.add("name", format!("Node {} ({}) already has an interface named '{name}'.", n.system_id, n.hostname));
    }
}

fn mtu(form: &Form, params: &mut BTreeMap<String, Value>, errors: &mut FormErrors) {
    match form.get("mtu") {
        Some("") => {
            params.remove("mtu");
        }
        Some(text) => match id_of(text) {
            Some(m) if (552..=65_535).contains(&m) => {
                params.insert("mtu".into(), json!(m));
            }
            Some(m) if m < 552 => errors.add("mtu", "Ensure this value is greater than or equal to 552."),
            Some(_) => errors.add("mtu", "Ensure this value is less than or equal to 65535."),
            None => errors.add("mtu", "Enter a whole number."),
        },
        None => {}
    }
}

/// Bond parameters; `defaults` fills those that are not given.
fn bond_params(form: &Form, params: &mut BTreeMap<String, Value>, defaults: bool, errors: &mut FormErrors) {
    let texts: [(&str, &str, &[&str]); 3] = [
        ("bond_mode", "balance-rr", &BOND_MODES),
        ("bond_lacp_rate", "fast", &LACP_RATES),
        ("bond_xmit_hash_policy", "layer2", &HASH_POLICIES),
    ];
    for (name, default, allowed) in texts {
        match form.filled(name) {
            Some(v) if allowed.contains(&v) => {
                params.insert(name.into(), json!(v));
            }
            Some(v) => errors.add(name, choices(v, name, allowed)),
            None if defaults => {
                params.insert(name.into(), json!(default));
            }
            None => {}
        }
    }
    for (name, default) in [("bond_miimon", 100), ("bond_downdelay", 0), ("bond_updelay", 0), ("bond_num_grat_arp", 1)] {
        match form.filled(name).map(id_of) {
            Some(Some(v)) if v >= 0 => {
                params.insert(name.into(), json!(v));
            }
            Some(Some(_)) => errors.add(name, "Ensure this value is greater than or equal to 0."),
            Some(None) => errors.add(name, "Enter a whole number."),
            None if defaults => {
                params.insert(name.into(), json!(default));
            }
            None => {}
        }
    }
}

fn bridge_params(form: &Form, params: &mut BTreeMap<String, Value>, defaults: bool) {
    if let Some(v) = form.filled("bridge_type").or(defaults.then_some("standard")) {
        params.insert("bridge_type".into(), json!(v));
    }
    if let Some(v) = form.flag("bridge_stp").or(defaults.then_some(false)) {
        params.insert("bridge_stp".into(), json!(v));
    }
    if let Some(v) = form.filled("bridge_fd").and_then(id_of).or(defaults.then_some(15)) {
        params.insert("bridge_fd".into(), json!(v));
    }
}

/// Adds an interface that is up, without an address.
fn add(call: &mut Call<'_>, id: &str, mut i: Interface) -> Result<i64, Reply> {
    i.id = call.core.take_id("interface");
    let link = call.core.take_id("link");
    if i.vlan.is_some() {
        i.links.push(Link { id: link, mode: "link_up".into(), subnet: None, ip: None });
    }
    let (interface, what) = (i.id, format!("create_{}", i.kind));
    call.node_mut(id)?.interfaces.insert(interface, i);
    note(call, id, interface, &what);
    Ok(interface)
}

/// What is now on top of them takes over: parents lose their addresses, and have at least the MTU above them.
fn take_over(call: &mut Call<'_>, id: &str, parents: &[i64], mtu: Option<&Value>) -> Result<(), Reply> {
    let n = call.node_mut(id)?;
    for p in parents {
        if let Some(i) = n.interfaces.get_mut(p) {
            i.links.clear();
            if let Some(m) = mtu
                && i.params.get("mtu").and_then(Value::as_i64).unwrap_or(0) < m.as_i64().unwrap_or(0)
            {
                i.params.insert("mtu".into(), m.clone());
            }
        }
    }
    Ok(())
}

pub(super) fn create_bond(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let mut errors = FormErrors::default();
    let name = call.form.filled("name").unwrap_or_default().to_owned();
    if name.is_empty() {
        errors.add("name", REQUIRED);
    }
    unique(n, &name, 0, &mut errors);
    let parents = parents(call, n, "parents", &mut errors);
    let mac = call.form.filled("mac_address").map(str::to_ascii_lowercase);
    let first = parents.first().and_then(|p| n.interfaces.get(p));
    if parents.is_empty() {
        if errors.is_empty() {
            errors.add("parents", "A bond interface must have one or more parents.");
        }
        if mac.is_none() {
            errors.add("mac_address", "This field cannot be blank.");
        }
    }
    let vlans: Vec<Option<i64>> = parents.iter().filter_map(|p| n.interfaces.get(p)).map(|i| i.vlan).collect();
    if vlans.windows(2).any(|w| w[0] != w[1]) {
        errors.add("parents", "All parents must belong to the same VLAN.");
    }
    for p in &parents {
        let taken: Vec<&str> = n.interfaces.values().filter(|i| i.parents.contains(p)).map(|i| i.name.as_str()).collect();
        if !taken.is_empty() {
            let name = n.interfaces.get(p).map_or("", |i| &i.name);
            errors.add("parents", format!("Interfaces already in-use: {name}."));
        }
    }
    let mut i = Interface::blank("bond", name, mac.or_else(|| first.map(|f| f.mac.clone())).unwrap_or_default());
    bond_params(&call.form, &mut i.params, true, &mut errors);
    mtu(&call.form, &mut i.params, &mut errors);
    i.vlan = vlan(call, &mut errors).or_else(|| vlans.first().copied().flatten());
    i.tags = call.form.list("tags");
    errors.check()?;
    i.parents.clone_from(&parents);
    let mtu = i.params.get("mtu").cloned();
    take_over(call, id, &parents, mtu.as_ref())?;
    let interface = add(call, id, i)?;
    call.interface_reply(id, interface)
}

pub(super) fn create_vlan(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let mut errors = FormErrors::default();
    for (field, text) in
        [("vlan", "A VLAN interface must be connected to a tagged VLAN."), ("parent", "A VLAN interface must have exactly one parent.")]
    {
        if call.form.filled(field).is_none() {
            errors.add(field, text);
        }
    }
    let parents = parents(call, n, "parent", &mut errors);
    let vlan = vlan(call, &mut errors);
    errors.check()?;
    let mut errors = FormErrors::default();
    let parent = parents.first().and_then(|p| n.interfaces.get(p)).ok_or_else(|| form_error("parent", REQUIRED))?;
    let v = vlan.and_then(|v| call.core.world.site.vlans.get(&v)).ok_or_else(|| form_error("vlan", REQUIRED))?;
    let parent_fabric = parent.vlan.and_then(|p| call.core.world.site.vlans.get(&p)).map(|p| p.fabric);
    if v.vid == 0 {
        errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.");
    } else if parent_fabric != Some(v.fabric) {
        errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN on the same fabric as its parent interface.");
    }
    if parent.kind == "vlan" {
        errors.add("parent", "VLAN interface can't have another VLAN interface as parent.");
    }
    if n.interfaces.values().any(|i| i.parents.contains(&parent.id) && i.kind == "bond") {
        errors.add("parent", "A VLAN interface can't have a parent that is already in a bond.");
    }
    let name = call.form.filled("name").map_or_else(|| format!("{}.{}", parent.name, v.vid), str::to_owned);
    unique(n, &name, 0, &mut errors);
    let mut i = Interface::blank("vlan", name, parent.mac.clone());
    mtu(&call.form, &mut i.params, &mut errors);
    i.vlan = vlan;
    i.parents = parents;
    i.tags = call.form.list("tags");
    errors.check()?;
    let interface = add(call, id, i)?;
    call.interface_reply(id, interface)
}

pub(super) fn create_bridge(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let mut errors = FormErrors::default();
    let parents = parents(call, n, "parent", &mut errors);
    let parent = parents.first().and_then(|p| n.interfaces.get(p));
    if parent.is_none() && errors.is_empty() {
        errors.add("parent", "A bridge interface must have exactly one parent.");
    }
    let name = call.form.filled("name").map_or_else(|| parent.map_or_else(String::new, |p| format!("br-{}", p.name)), str::to_owned);
    unique(n, &name, 0, &mut errors);
    let mac = call.form.filled("mac_address").map(str::to_ascii_lowercase);
    let mut i = Interface::blank("bridge", name, mac.or_else(|| parent.map(|p| p.mac.clone())).unwrap_or_default());
    bridge_params(&call.form, &mut i.params, true);
    mtu(&call.form, &mut i.params, &mut errors);
    i.vlan = vlan(call, &mut errors).or_else(|| parent.and_then(|p| p.vlan));
    errors.check()?;
    i.parents.clone_from(&parents);
    take_over(call, id, &parents, None)?;
    let interface = add(call, id, i)?;
    call.interface_reply(id, interface)
}

pub(super) fn create_physical(call: &mut Call<'_>, id: &str) -> Answer {
    let n = call.node(id)?;
    let mut errors = FormErrors::default();
    let mac = call.form.filled("mac_address").map(str::to_ascii_lowercase).unwrap_or_default();
    if mac.is_empty() {
        errors.add("mac_address", REQUIRED);
    } else if call.core.node_with_mac(&mac).is_some() {
        errors.add("mac_address", "This MAC address is already in use by another interface.");
    }
    let count = n.interfaces.values().filter(|i| i.kind == "physical").count();
    let name = call.form.filled("name").map_or_else(|| format!("eth{count}"), str::to_owned);
    unique(n, &name, 0, &mut errors);
    let mut i = Interface::blank("physical", name, mac);
    i.vlan = vlan(call, &mut errors);
    errors.check()?;
    let interface = add(call, id, i)?;
    call.core.reindex_macs(id);
    call.interface_reply(id, interface)
}

pub(super) fn update(call: &mut Call<'_>, id: &str, interface: i64) -> Answer {
    let n = call.node(id)?;
    let Some(old) = n.interfaces.get(&interface) else { return Err(super::call::missing("Interface")) };
    let mut i = old.clone();
    let deployed = n.status == crate::sim::db::Status::Deployed;
    let mut errors = FormErrors::default();
    if let Some(name) = call.form.filled("name") {
        unique(n, name, interface, &mut errors);
        name.clone_into(&mut i.name);
    }
    if let Some(mac) = call.form.filled("mac_address") {
        i.mac = mac.to_ascii_lowercase();
        if i.kind == "physical" && i.mac != old.mac && call.core.node_with_mac(&i.mac).is_some() {
            errors.add("mac_address", "This MAC address is already in use by another interface.");
        }
    }
    if !deployed {
        if i.kind == "bond" {
            bond_params(&call.form, &mut i.params, false, &mut errors);
            if call.form.get("parents").is_some() {
                i.parents = parents(call, n, "parents", &mut errors);
            }
        } else if i.kind == "bridge" {
            bridge_params(&call.form, &mut i.params, false);
        }
        mtu(&call.form, &mut i.params, &mut errors);
        match call.form.get("vlan") {
            Some("") => i.vlan = None,
            Some(_) => i.vlan = vlan(call, &mut errors).or(i.vlan),
            None => {}
        }
        if call.form.get("tags").is_some() {
            i.tags = call.form.list("tags");
        }
    }
    errors.check()?;
    let moved = i.vlan != old.vlan;
    if moved {
        i.links.clear();
    }
    let (kind, parents, vlan) = (i.kind.clone(), i.parents.clone(), i.vlan);
    let mtu = i.params.get("mtu").cloned();
    let n = call.node_mut(id)?;
    n.interfaces.insert(interface, i);
    if moved && kind == "bond" {
        for p in &parents {
            if let Some(i) = n.interfaces.get_mut(p) {
                i.vlan = vlan;
            }
        }
    }
    if moved {
        // Interfaces that a moved NIC carries are in its VLAN; its tagged VLANs were in the other fabric.
        for i in n.interfaces.values_mut().filter(|i| i.parents.contains(&interface) && matches!(i.kind.as_str(), "bridge")) {
            i.vlan = vlan;
            i.links.clear();
        }
    }
    if kind == "bond" {
        take_over(call, id, &parents, mtu.as_ref())?;
    }
    call.core.reindex_macs(id);
    note(call, id, interface, "update_interface");
    if moved {
        links::drop_stale_gateways(call, id)?;
    }
    call.interface_reply(id, interface)
}

//! The collection of machines: list, filter, create, allocate.

use std::collections::BTreeSet;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, FormErrors, REQUIRED, conflict, form_error, invalid_choice, missing};
use super::groups::Kind;
use super::{machine_ops, tags};
use crate::sim::db::{Interface, Status};
use crate::sim::http::Reply;
use crate::sim::{inventory, lifecycle, names};

const POWER_TYPES: [&str; 25] = [
    "amt", "apc", "dli", "eaton", "hmc", "hmcz", "ipmi", "manual", "moonshot", "mscm", "msftocs", "nova", "openbmc", "proxmox", "raritan",
    "recs_box", "redfish", "sm15k", "ucsm", "virsh", "vmware", "webhook", "wedge", "lxd", "unknown",
];

pub(super) fn machines(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(listing(call)),
        ("GET", Some("power_parameters")) => {
            let ids: Vec<&str> = call.form.all("id").collect();
            let nodes = call.core.world.nodes.values().filter(|n| ids.is_empty() || ids.contains(&n.system_id.as_str()));
            let all: Map<String, Value> = nodes.map(|n| (n.system_id.clone(), json!(n.power_parameters))).collect();
            Ok(Reply::json(&Value::Object(all)))
        }
        ("GET", Some("list_allocated")) => {
            let nodes = call.core.world.nodes.values().filter(|n| n.owner.as_ref() == Some(&call.user));
            let ids: Vec<String> = nodes.map(|n| n.system_id.clone()).collect();
            Ok(machine_list(call, ids))
        }
        ("GET", Some("is_registered")) => {
            let mac = call.form.get("mac_address").unwrap_or_default().to_ascii_lowercase();
            Ok(Reply::json(&json!(call.core.node_with_mac(&mac).is_some())))
        }
        ("POST", None) => create(call),
        ("POST", Some("allocate")) => allocate(call),
        ("POST", Some("release")) => {
            let mut done = Vec::new();
            for id in call.form.list("machines") {
                machine_ops::release(call, &id)?;
                done.push(json!(id));
            }
            Ok(Reply::json(&Value::Array(done)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

/// Machines as one JSON list; every machine is rendered only if it has changed.
pub(super) fn machine_list(call: &mut Call<'_>, ids: impl IntoIterator<Item = String>) -> Reply {
    let mut out = Vec::new();
    out.push(b'[');
    for id in ids {
        if let Some(b) = call.core.rendered(&id) {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&b);
        }
    }
    out.push(b']');
    Reply::json_bytes(Bytes::from(out))
}

fn listing(call: &mut Call<'_>) -> Reply {
    let filters = ["hostname", "mac_address", "id", "domain", "zone", "pool", "agent_name", "status", "tags"];
    if !filters.iter().any(|f| call.form.get(f).is_some()) {
        if let Some(b) = &call.core.machine_list {
            return Reply::json_bytes(b.clone());
        }
        let ids: Vec<String> = call.core.world.nodes.keys().cloned().collect();
        let reply = machine_list(call, ids);
        call.core.machine_list = Some(reply.body.clone());
        return reply;
    }
    let only = |name: &str| filters.iter().all(|f| *f == name || call.form.get(f).is_none());
    // Asked for by name, machines are looked up, not looked for: there may be thousands.
    if only("id") {
        let ids: BTreeSet<String> = call.form.all("id").filter(|id| call.core.world.nodes.contains_key(*id)).map(str::to_owned).collect();
        return machine_list(call, ids);
    }
    if only("mac_address") {
        let macs = call.form.all("mac_address").map(str::to_ascii_lowercase);
        let ids: BTreeSet<String> = macs.filter_map(|mac| call.core.node_with_mac(&mac).map(str::to_owned)).collect();
        return machine_list(call, ids);
    }
    let w = &call.core.world;
    let f = &call.form;
    let any = |name: &str, test: &dyn Fn(&str) -> bool| f.get(name).is_none() || f.all(name).any(test);
    let ids: Vec<String> = w
        .nodes
        .values()
        .filter(|n| {
            let domain = w.site.domains.get(&n.domain).map_or("", |d| &d.name);
            any("hostname", &|v| v == n.hostname || v.split_once('.').is_some_and(|(h, d)| h == n.hostname && d == domain))
                && any("id", &|v| v == n.system_id)
                && any("domain", &|v| v == domain)
                && any("zone", &|v| Kind::Zone.find(&w.site, v).is_some_and(|g| g.id == n.zone))
                && any("pool", &|v| Kind::Pool.find(&w.site, v).is_some_and(|g| g.id == n.pool))
                && any("status", &|v| v.eq_ignore_ascii_case(n.status.name()))
                && any("agent_name", &str::is_empty)
                && f.all("tags").all(|v| n.tags.iter().any(|t| t == v))
                && any("mac_address", &|v| n.interfaces.values().any(|i| i.mac.eq_ignore_ascii_case(v)))
        })
        .map(|n| n.system_id.clone())
        .collect();
    machine_list(call, ids)
}

/// Power parameters in a form.
pub(super) fn power_parameters(call: &Call<'_>) -> Vec<(String, Value)> {
    call.form
        .iter()
        .filter_map(|(k, v)| Some((k.strip_prefix("power_parameters_")?.to_owned(), json!(v))))
        .filter(|(k, _)| k != "skip_check")
        .collect()
}

/// Whether a power type is one of MAAS'.
pub(super) fn is_power_type(text: &str) -> bool {
    POWER_TYPES.contains(&text)
}

fn create(call: &mut Call<'_>) -> Answer {
    let mut errors = FormErrors::default();
    let macs: Vec<String> = call.form.list("mac_addresses").into_iter().map(|m| m.to_ascii_lowercase()).collect();
    let power_type = call.form.get("power_type").unwrap_or_default().to_owned();
    let parameters = power_parameters(call);
    if call.form.filled("architecture").is_none() {
        errors.add("architecture", REQUIRED);
    }
    if macs.is_empty() {
        errors.add("mac_addresses", REQUIRED);
    }
    for mac in &macs {
        if let Some(id) = call.core.node_with_mac(mac) {
            let host = call.core.world.nodes.get(id).map_or("", |n| &n.hostname);
            errors.add("mac_addresses", format!("MAC address {mac} already in use on {host}."));
            if power_type == "manual" {
                errors.add("power_type", "Can't set power type to manual without network interfaces");
            }
        }
    }
    if !power_type.is_empty() && !is_power_type(&power_type) {
        errors.add("power_type", invalid_choice(&power_type));
    } else if !matches!(power_type.as_str(), "" | "manual") && parameters.is_empty() {
        errors.add("power_parameters", REQUIRED);
    }
    errors.check()?;
    let seed = call.core.world.meta.options.seed;
    let machine = call.core.world.machines.values().find(|m| macs.iter().any(|mac| m.has_mac(mac))).cloned();
    let key = macs.join(",");
    let id = lifecycle::new_system_id(&call.core.world, seed, &key);
    let hostname = call.form.filled("hostname").map_or_else(|| names::hostname(seed, &key, 0), str::to_owned);
    let Some(model) = machine.clone().or_else(|| call.core.world.machines.values().next().cloned()) else {
        return Err(missing("Machine"));
    };
    let mut n = inventory::new_node(&model, &id, &hostname);
    n.machine = machine.map(|m| m.name);
    n.power_type = power_type;
    n.power_parameters = parameters.into_iter().collect();
    call.form.get("architecture").unwrap_or_default().clone_into(&mut n.architecture);
    for (index, mac) in macs.iter().enumerate() {
        let interface = call.core.take_id("interface");
        n.boot_interface.get_or_insert(interface);
        n.interfaces.insert(
            interface,
            Interface {
                id: interface,
                name: format!("eth{index}"),
                kind: "physical".into(),
                mac: mac.clone(),
                vlan: None,
                parents: Vec::new(),
                params: std::collections::BTreeMap::new(),
                links: Vec::new(),
                tags: Vec::new(),
                product: None,
                vendor: None,
                firmware: None,
                speed: 0,
                discovered: None,
            },
        );
    }
    call.core.insert_node(n);
    let label = call.label(&id);
    call.core.effect(format!("create machine {label}"));
    if call.form.flag("commission") != Some(false) {
        machine_ops::start_commissioning(call, &id)?;
    }
    call.machine_reply(&id)
}

fn allocate(call: &mut Call<'_>) -> Answer {
    let f = &call.form;
    let wanted_tags = f.list("tags");
    let unknown = tags::unknown(call, &wanted_tags);
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().filter_map(|v| v.as_str()).map(|t| format!("'{t}'")).collect();
        return Err(form_error("tags", format!("No such tag(s): {}.", names.join(", "))));
    }
    let number = |name: &str| f.filled(name).and_then(|v| v.parse::<f64>().ok());
    let w = &call.core.world;
    let found = w
        .nodes
        .values()
        .find(|n| {
            n.status == Status::Ready
                && f.filled("system_id").is_none_or(|v| v == n.system_id)
                && f.filled("name").is_none_or(|v| v == n.hostname || v == crate::sim::render::fqdn(w, n))
                && wanted_tags.iter().all(|t| n.tags.contains(t))
                && number("cpu_count").is_none_or(|c| f64::from(n.cpu_count) >= c)
                && number("mem").is_none_or(|m| n.memory as f64 >= m)
        })
        .map(|n| n.system_id.clone());
    let Some(id) = found else { return Err(conflict(none_available(call))) };
    let dry_run = call.form.flag("dry_run") == Some(true);
    if !dry_run {
        let user = call.user.clone();
        let n = call.node_mut(&id)?;
        n.status = Status::Allocated;
        n.owner = Some(user);
        let label = call.label(&id);
        call.core.effect(format!("allocate {label}"));
    }
    let rendered = call.core.rendered(&id).ok_or_else(|| missing("Machine"))?;
    let mut value: Value = serde_json::from_slice(&rendered).unwrap_or(Value::Null);
    value["constraints_by_type"] =
        if call.form.flag("verbose") == Some(true) { json!({ "verbose_storage": {}, "verbose_interfaces": {} }) } else { json!({}) };
    Ok(Reply::json(&value))
}

fn none_available(call: &Call<'_>) -> String {
    let given: Vec<(&str, &str)> =
        call.form.iter().filter(|(k, _)| !matches!(*k, "op" | "agent_name" | "comment" | "dry_run" | "verbose")).collect();
    match given.as_slice() {
        [] => "No machine available.".to_owned(),
        [("system_id", id), ..] => format!("No machine with system ID {id} available."),
        _ => {
            let constraints: Vec<String> = given.iter().map(|(k, v)| format!("('{k}', ['{v}'])")).collect();
            let resolved: Vec<String> = given
                .iter()
                .map(|(k, v)| match (*k, v.parse::<f64>()) {
                    ("cpu_count" | "mem", Ok(n)) => format!("{k}={n:?}"),
                    _ => format!("{k}={v}"),
                })
                .collect();
            format!("No available machine matches constraints: [{}] (resolved to \"{}\")", constraints.join(", "), resolved.join(" "))
        }
    }
}

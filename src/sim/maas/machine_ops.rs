//! One machine: read, update, delete, and the operations that change its state.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::call::{Answer, Call, FormErrors, bad_request, choices, conflict, deleted, form_error, id_of, invalid_choice, missing};
use super::groups::Kind;
use super::{details, machines};
use crate::sim::db::{Node, Status};
use crate::sim::http::Reply;
use crate::sim::lifecycle::{self, expect_end, maas_boot, maas_power};
use crate::sim::options::MachineFault;
use crate::sim::physics::Power;
use crate::sim::{inventory, render};

const LAYOUTS: [&str; 7] = ["flat", "vmfs7", "vmfs6", "blank", "lvm", "bcache", "custom"];

pub(super) fn machine(call: &mut Call<'_>, id: &str) -> Answer {
    call.node(id)?;
    match call.signature() {
        ("GET", None) => call.machine_reply(id),
        ("GET", Some("details")) => details::details(call, id),
        ("GET", Some("power_parameters")) => Ok(Reply::json(&json!(call.node(id)?.power_parameters))),
        ("GET", Some("query_power_state")) => {
            let silent = call.core.machine_of(id).is_some_and(|m| call.core.faults.is_permanent(m, MachineFault::BmcUnreachable));
            let state = if silent { "error" } else { render::power_state(&call.core.world, call.node(id)?) };
            Ok(Reply::json(&json!({ "state": state })))
        }
        ("GET", Some("get_curtin_config")) => {
            let n = call.node(id)?;
            if matches!(n.status, Status::Deploying | Status::Deployed) {
                return Ok(Reply::text(200, "datasource: {}\n"));
            }
            Err(bad_request(format!("Machine {} is not in a deployment state.", n.hostname)))
        }
        ("PUT", None) => update(call, id),
        ("DELETE", None) => {
            if call.node(id)?.locked {
                return Err(Reply::text(403, ""));
            }
            let label = call.label(id);
            call.core.remove_node(id);
            call.core.effect(format!("delete machine {label}"));
            Ok(deleted())
        }
        ("POST", Some(op)) => {
            let op = op.to_owned();
            operation(call, id, &op)
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

fn operation(call: &mut Call<'_>, id: &str, op: &str) -> Answer {
    match op {
        "commission" => {
            start_commissioning(call, id)?;
        }
        "deploy" => deploy(call, id)?,
        "release" => release(call, id)?,
        "abort" => abort(call, id)?,
        "lock" | "unlock" => {
            let n = call.node(id)?;
            if n.locked == (op == "lock") {
                return Err(conflict(if n.locked { "Machine is already locked" } else { "Machine is not locked" }));
            }
            if op == "lock" && !matches!(n.status, Status::Deployed | Status::Deploying) {
                return Err(conflict("Can't lock, node is not deployed or deploying"));
            }
            call.node_mut(id)?.locked = op == "lock";
            note(call, id, op);
        }
        "power_on" => power_on(call, id)?,
        "power_off" => {
            let soft = call.form.get("stop_mode") == Some("soft");
            maas_power(call.core, id, if soft { Power::Shutdown } else { Power::Off });
        }
        "mark_broken" => {
            let comment = call.form.get("comment").or_else(|| call.form.get("error_description")).unwrap_or_default().to_owned();
            let n = call.node_mut(id)?;
            n.previous_status = Some(n.status);
            n.status = Status::Broken;
            n.owner = None;
            n.error_description = comment;
            note(call, id, op);
        }
        "mark_fixed" => {
            let n = call.node_mut(id)?;
            if n.status != Status::Broken {
                let text = format!("Can't mark a non-broken machine as 'Ready': it's currently '{}'.", n.status.name());
                return Err(bad_request(text));
            }
            n.status = Status::Ready;
            n.error_description.clear();
            note(call, id, op);
        }
        "rescue_mode" | "exit_rescue_mode" => rescue(call, id, op)?,
        "set_owner_data" | "set_workload_annotations" => {
            let pairs: Vec<(String, String)> =
                call.form.iter().filter(|(k, _)| *k != "op").map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            let n = call.node_mut(id)?;
            for (k, v) in pairs {
                if v.is_empty() {
                    n.owner_data.remove(&k);
                } else {
                    n.owner_data.insert(k, v);
                }
            }
            note(call, id, op);
        }
        "set_storage_layout" => storage_layout(call, id)?,
        "restore_networking_configuration" | "restore_storage_configuration" | "restore_default_configuration" => {
            if !matches!(call.node(id)?.status, Status::Ready | Status::FailedTesting) {
                let what = match op {
                    "restore_networking_configuration" => "networking configuration",
                    "restore_storage_configuration" => "storage configuration.",
                    _ => "default networking and storage configuration.",
                };
                return Err(conflict(format!("Machine must be in a ready or failed testing state to restore {what}")));
            }
            if op != "restore_storage_configuration" {
                inventory::initial_networking(call.core, id);
            }
            if op != "restore_networking_configuration" {
                inventory::initial_storage(call.core, id);
            }
            note(call, id, op);
        }
        "clear_default_gateways" => {
            call.node_mut(id)?.gateway_links = (None, None);
            note(call, id, op);
        }
        "override_failed_testing" => {
            let n = call.node_mut(id)?;
            if n.status == Status::FailedTesting {
                n.status = Status::Ready;
            }
        }
        _ => return Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
    call.machine_reply(id)
}

fn note(call: &mut Call<'_>, id: &str, op: &str) {
    let label = call.label(id);
    call.core.effect(format!("{op} {label}"));
}

fn update(call: &mut Call<'_>, id: &str) -> Answer {
    let mut n = call.node(id)?.clone();
    let f = &call.form;
    let w = &call.core.world;
    let mut errors = FormErrors::default();
    if let Some(h) = f.filled("hostname") {
        if w.nodes.values().any(|o| o.hostname == h && o.domain == n.domain && o.system_id != n.system_id) {
            errors.add("hostname", format!("Node with hostname '{h}' already exists"));
        }
        if h != n.hostname && n.status == Status::Allocated {
            errors.add("hostname", format!("Can't change hostname to {h}: node is in use."));
        }
        let label = |l: &str| !l.is_empty() && l.len() < 64 && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !h.split('.').all(label) {
            errors.add("hostname", format!("Invalid hostname: Label cannot contain special characters: {h}."));
        }
        h.clone_into(&mut n.hostname);
    }
    if let Some(d) = f.filled("domain") {
        let found = id_of(d).and_then(|i| w.site.domains.get(&i)).or_else(|| w.site.domains.values().find(|x| x.name == d));
        match found {
            Some(d) => n.domain = d.id,
            None => errors.add("domain", format!("Unable to find domain {d}")),
        }
    }
    if let Some(a) = f.filled("architecture") {
        if a == "amd64/generic" {
            a.clone_into(&mut n.architecture);
        } else {
            errors.add("architecture", format!("'{a}' is not a valid architecture.  It should be one of: 'amd64/generic'."));
        }
    }
    if let Some(p) = f.filled("power_type") {
        if machines::is_power_type(p) {
            p.clone_into(&mut n.power_type);
        } else {
            errors.add("power_type", invalid_choice(p));
        }
    }
    n.power_parameters.extend(machines::power_parameters(call));
    if let Some(k) = f.get("min_hwe_kernel") {
        n.min_hwe_kernel = Some(k.to_owned());
    }
    if let Some(d) = f.get("description") {
        d.clone_into(&mut n.description);
    }
    if let Some(s) = f.get("swap_size") {
        n.swap_size = s.parse().ok();
    }
    for (field, kind, target) in [("zone", Kind::Zone, &mut n.zone), ("pool", Kind::Pool, &mut n.pool)] {
        if let Some(which) = f.filled(field) {
            match kind.find(&w.site, which) {
                Some(group) => *target = group.id,
                None => errors.add(field, invalid_choice(which)),
            }
        }
    }
    errors.check()?;
    *call.node_mut(id)? = n;
    note(call, id, "update");
    call.machine_reply(id)
}

/// Starts commissioning.
pub(super) fn start_commissioning(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let status = call.node(id)?.status;
    let allowed = [Status::New, Status::Ready, Status::FailedCommissioning, Status::FailedTesting, Status::Broken];
    if !allowed.contains(&status) {
        return Err(form_error("__all__", "Commission is not available because of the current state of the node."));
    }
    let skip_networking = call.form.flag("skip_networking").unwrap_or(false);
    let skip_storage = call.form.flag("skip_storage").unwrap_or(false);
    let testing = call.form.get("testing_scripts") != Some("none");
    let result = call.core.take_id("result");
    let test_result = testing.then(|| call.core.take_id("result"));
    let user = call.user.clone();
    let n = call.node_mut(id)?;
    n.owner = Some(user);
    n.skip_networking = skip_networking;
    n.skip_storage = skip_storage;
    n.commissioning = (Some(result), 0);
    n.testing = test_result.map_or((None, -1), |r| (Some(r), 0));
    n.netboot = true;
    n.error_description.clear();
    call.core.set_status(id, Status::Commissioning, "Commissioning");
    note(call, id, "commission");
    expect_end(call.core, id);
    if !maas_boot(call.core, id) && call.node(id)?.power_type != "manual" {
        lifecycle::fail(call.core, id, Status::FailedCommissioning, "Power on for the node failed: could not contact node's BMC");
    }
    Ok(())
}

/// Series of a deployment: `ubuntu/jammy` or `jammy`, as images that are here allow.
fn series(call: &Call<'_>) -> Result<(String, String), Reply> {
    let site = &call.core.world.site;
    let default = site.config.get("default_distro_series").and_then(Value::as_str).unwrap_or("noble");
    let asked = call.form.filled("distro_series").unwrap_or(default);
    let names: std::collections::BTreeSet<&str> = site.boot_resources.values().map(|r| r.name.as_str()).collect();
    let full = names.iter().find(|n| **n == asked || n.rsplit('/').next() == Some(asked));
    if let Some(n) = full {
        let (os, series) = n.split_once('/').unwrap_or(("custom", n));
        return Ok((os.to_owned(), series.to_owned()));
    }
    let mut allowed = vec![""];
    allowed.extend(names);
    Err(form_error("distro_series", choices(asked, "distro_series", &allowed)))
}

fn kernel(call: &Call<'_>, n: &Node, os: &str, series: &str) -> Result<Option<String>, Reply> {
    let name = format!("{os}/{series}");
    let site = &call.core.world.site;
    let mut here: Vec<&str> =
        site.boot_resources.values().filter(|r| r.name == name).filter_map(|r| r.architecture.rsplit('/').next()).collect();
    here.sort_unstable();
    let asked = call.form.filled("hwe_kernel").or_else(|| n.min_hwe_kernel.as_deref().filter(|k| !k.is_empty()));
    match asked {
        None => Ok(here.iter().find(|k| k.starts_with("ga-")).or_else(|| here.first()).map(|k| (*k).to_owned())),
        Some(k) if here.contains(&k) => Ok(Some(k.to_owned())),
        Some(k) => Err(form_error("hwe_kernel", format!("{k} is not available for {name} on {}.", n.architecture))),
    }
}

fn deploy(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node(id)?.clone();
    if !render::is_ready_or_allocated(&n) {
        return Err(conflict(format!("Can't deploy a machine that is in the '{}' state", n.status.name())));
    }
    if n.status == Status::Allocated && n.owner.as_deref() != Some(call.user.as_str()) {
        return Err(Reply::text(403, ""));
    }
    let (os, series) = series(call)?;
    let kernel = kernel(call, &n, &os, &series)?;
    let mounted = |p: &str| {
        let on = |f: &Option<crate::sim::db::Filesystem>| f.as_ref().is_some_and(|f| f.mount_point.as_deref() == Some(p));
        n.block_devices.values().any(|d| on(&d.filesystem) || d.partitions.iter().any(|x| on(&x.filesystem)))
    };
    if !n.interfaces.values().flat_map(|i| &i.links).any(|l| l.mode != "link_up" && l.subnet.is_some()) {
        return Err(form_error("network", "Node must be configured to use a network"));
    }
    let mut issues = FormErrors::default();
    if n.block_devices.is_empty() {
        issues.add("storage", "Specify a storage device to be able to deploy this node.");
    }
    if !mounted("/") {
        issues.add("storage", "Mount the root '/' filesystem to be able to deploy this node.");
    }
    issues.check()?;
    let user_data_text = call.form.filled("user_data").map(str::to_owned);
    let user_data = user_data_text.as_ref().map(|u| (u.len(), hex::encode(Sha256::digest(u.as_bytes()))));
    claim_addresses(call, id)?;
    let result = call.core.take_id("result");
    let user = call.user.clone();
    let n = call.node_mut(id)?;
    n.owner = Some(user);
    n.osystem = os;
    n.distro_series = series;
    n.hwe_kernel = kernel;
    n.min_hwe_kernel.get_or_insert_default();
    n.netboot = true;
    n.installation = Some(result);
    n.user_data = user_data;
    n.user_data_text = user_data_text;
    n.error_description.clear();
    call.core.set_status(id, Status::Deploying, "Deploying");
    note(call, id, "deploy");
    expect_end(call.core, id);
    if !maas_boot(call.core, id) && call.node(id)?.power_type != "manual" {
        lifecycle::fail(call.core, id, Status::FailedDeployment, "Power on for the node failed: could not contact node's BMC");
    }
    Ok(())
}

/// Gives every automatic link an address.
fn claim_addresses(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let wanting: Vec<(i64, usize, i64)> = call
        .node(id)?
        .interfaces
        .values()
        .flat_map(|i| i.links.iter().enumerate().map(move |(at, l)| (i.id, at, l)))
        .filter(|(_, _, l)| l.mode == "auto" && l.ip.is_none())
        .filter_map(|(i, at, l)| Some((i, at, l.subnet?)))
        .collect();
    for (interface, at, subnet) in wanting {
        let Some(ip) = lifecycle::free_address(&call.core.world, subnet, false) else {
            let cidr = call.core.world.site.subnets.get(&subnet).map_or("", |s| &s.cidr).to_owned();
            return Err(Reply::text(503, format!("No more IPs available in subnet: {cidr}.")));
        };
        if let Some(i) = call.node_mut(id)?.interfaces.get_mut(&interface) {
            i.links[at].ip = Some(ip);
        }
    }
    Ok(())
}

/// Releases a machine.
pub(super) fn release(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node(id)?;
    if n.locked {
        return Err(Reply::text(403, ""));
    }
    match n.status {
        Status::Ready | Status::Releasing => return Ok(()),
        Status::Allocated
        | Status::Deployed
        | Status::Deploying
        | Status::FailedDeployment
        | Status::FailedReleasing
        | Status::FailedDiskErasing
        | Status::Reserved
        | Status::RescueMode
        | Status::FailedEnteringRescueMode
        | Status::FailedExitingRescueMode => {}
        s => return Err(conflict(format!("Machine cannot be released in its current state ('{}').", s.name()))),
    }
    let erase = call.form.flag("erase").unwrap_or(false);
    let on = call.core.machine_of(id).and_then(|m| call.core.world.machines.get(m)).is_some_and(|m| m.on);
    note(call, id, if erase { "erase" } else { "release" });
    if erase {
        call.core.set_status(id, Status::DiskErasing, "Disk erasing");
        expect_end(call.core, id);
        maas_boot(call.core, id);
        return Ok(());
    }
    let n = call.node_mut(id)?;
    n.osystem.clear();
    n.distro_series.clear();
    n.hwe_kernel = None;
    n.netboot = true;
    n.error_description.clear();
    n.user_data = None;
    n.user_data_text = None;
    if on && call.node(id)?.power_type != "manual" {
        call.core.set_status(id, Status::Releasing, "Releasing");
        expect_end(call.core, id);
        if !maas_power(call.core, id, Power::Off) {
            lifecycle::fail(call.core, id, Status::FailedReleasing, "Power off for the node failed: could not contact node's BMC");
        }
    } else {
        lifecycle::released(call.core, id);
    }
    Ok(())
}

fn abort(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node(id)?;
    let (next, keeps_owner) = match n.status {
        Status::Commissioning | Status::Testing => (Status::New, false),
        Status::Deploying => (Status::Allocated, true),
        Status::DiskErasing => (Status::FailedDiskErasing, true),
        s => return Err(conflict(format!("Cannot abort in current state: node {id} is in state {}.", s.name()))),
    };
    let n = call.node_mut(id)?;
    n.timeout_at = None;
    if !keeps_owner {
        n.owner = None;
        n.commissioning.1 = -1;
    }
    call.core.set_status(id, next, &format!("Aborted {}", next.name().to_ascii_lowercase()));
    note(call, id, "abort");
    maas_power(call.core, id, Power::Off);
    Ok(())
}

fn power_on(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let n = call.node(id)?;
    if n.owner.is_none() {
        return Err(conflict("Can't start node: it hasn't been allocated."));
    }
    if n.status == Status::Allocated {
        // As in MAAS: to start an allocated machine is to deploy it.
        return deploy(call, id);
    }
    maas_power(call.core, id, Power::On);
    Ok(())
}

fn rescue(call: &mut Call<'_>, id: &str, op: &str) -> Result<(), Reply> {
    let n = call.node_mut(id)?;
    let enter = op == "rescue_mode";
    let allowed = if enter {
        !matches!(
            n.status,
            Status::New | Status::Commissioning | Status::Deploying | Status::Releasing | Status::DiskErasing | Status::Testing
        )
    } else {
        matches!(
            n.status,
            Status::RescueMode | Status::EnteringRescueMode | Status::FailedEnteringRescueMode | Status::FailedExitingRescueMode
        )
    };
    if !allowed {
        return Err(bad_request(format!("Cannot {} because the machine is in state '{}'.", op.replace('_', " "), n.status.name())));
    }
    if enter {
        n.previous_status = Some(n.status);
        call.core.set_status(id, Status::EnteringRescueMode, "Entering rescue mode");
        expect_end(call.core, id);
        maas_boot(call.core, id);
    } else {
        n.status = Status::ExitingRescueMode;
        let deployed = n.previous_status == Some(Status::Deployed);
        maas_power(call.core, id, if deployed { Power::Cycle } else { Power::Off });
    }
    note(call, id, op);
    Ok(())
}

fn storage_layout(call: &mut Call<'_>, id: &str) -> Result<(), Reply> {
    let layout = call.form.get("storage_layout").unwrap_or_default().to_owned();
    if !LAYOUTS.contains(&layout.as_str()) {
        return Err(form_error("storage_layout", choices(&layout, "storage_layout", &LAYOUTS)));
    }
    if call.node(id)?.status != Status::Ready {
        return Err(conflict("Cannot change the storage layout on a machine that is not Ready."));
    }
    if let Some(disk) = call.form.filled("root_device").and_then(id_of) {
        if !call.node(id)?.block_devices.contains_key(&disk) {
            return Err(missing("BlockDevice"));
        }
        call.node_mut(id)?.boot_disk = Some(disk);
    }
    inventory::clear_storage(call.core, id);
    match layout.as_str() {
        "blank" => {}
        "flat" => inventory::flat_layout(call.core, id),
        other => return Err(bad_request(format!("Failed to configure storage layout '{other}': it is not simulated"))),
    }
    note(call, id, &format!("set_storage_layout {layout}"));
    Ok(())
}

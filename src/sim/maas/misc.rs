//! Accounts, settings, events, keys, domains, package repositories, controllers.

use serde_json::{Value, json};

use super::call::{Answer, Call, FormErrors, REQUIRED, bad_request, deleted, form_error, id_of, list, missing};
use crate::sim::clock;
use crate::sim::db::{Domain, Repository};
use crate::sim::http::Reply;
use crate::sim::render;

/// Names of MAAS' settings, in the order of its error text.
const SETTINGS: &str = "maas_name, theme, kernel_opts, enable_http_proxy, maas_proxy_port, use_peer_proxy, prefer_v4_proxy, http_proxy, \
default_dns_ttl, upstream_dns, dnssec_validation, maas_internal_domain, dns_trusted_acl, ntp_servers, ntp_external_only, \
allow_only_trusted_transfers, remote_syslog, maas_syslog_port, network_discovery, active_discovery_interval, \
default_boot_interface_link_type, default_osystem, default_distro_series, default_min_hwe_kernel, enable_kernel_crash_dump, \
default_storage_layout, commissioning_distro_series, enable_third_party_drivers, windows_kms_host, enable_disk_erasing_on_release, \
disk_erase_with_secure_erase, disk_erase_with_quick_erase, boot_images_auto_import, boot_images_no_proxy, curtin_verbose, \
force_v1_network_yaml, enable_analytics, completed_intro, max_node_commissioning_results, max_node_testing_results, \
max_node_installation_results, max_node_release_results, subnet_ip_exhaustion_threshold_count, release_notifications, use_rack_proxy, \
node_timeout, prometheus_enabled, prometheus_push_gateway, prometheus_push_interval, promtail_enabled, promtail_port, enlist_commissioning, \
maas_auto_ipmi_user, maas_auto_ipmi_user_privilege_level, maas_auto_ipmi_k_g_bmc_key, maas_auto_ipmi_cipher_suite_id, \
maas_auto_ipmi_workaround_flags, vcenter_server, vcenter_username, vcenter_password, vcenter_datacenter, hardware_sync_interval, \
tls_cert_expiration_notification_enabled, tls_cert_expiration_notification_interval, session_length, auto_vlan_creation";

pub(super) fn version() -> Reply {
    Reply::json(&json!({
        "capabilities": [
            "networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu", "devices-management", "storage-deployment-ubuntu",
            "network-deployment-ubuntu", "bridging-interface-ubuntu", "bridging-automatic-ubuntu", "authenticate-api",
        ],
        "version": "3.7.3",
        "subversion": "",
    }))
}

pub(super) fn users(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", Some("whoami")) => Ok(Reply::json(&render::user(&call.user))),
        ("GET", None) => {
            let names: std::collections::BTreeSet<&str> = call.core.world.site.tokens.iter().map(|t| t.user.as_str()).collect();
            Ok(list(names.into_iter().map(render::user).collect()))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn account(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", Some("list_authorisation_tokens")) => {
            let tokens = call.core.world.site.tokens.iter().filter(|t| t.user == call.user);
            Ok(list(
                tokens.map(|t| json!({ "name": "MAAS consumer", "token": format!("{}:{}:{}", t.consumer, t.token, t.secret) })).collect(),
            ))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn config(call: &mut Call<'_>) -> Answer {
    let name = call.form.filled("name").ok_or_else(|| bad_request("No provided name!"))?.to_owned();
    let known = |name: &str| {
        if SETTINGS.split(", ").any(|s| s == name) {
            return Ok(());
        }
        let text = format!("{name} is not a valid config setting (valid settings are: {SETTINGS}).");
        let mut reply = form_error(name, text);
        reply.content_type = "application/json";
        Err(reply)
    };
    match call.signature() {
        ("GET", Some("get_config")) => {
            known(&name)?;
            let value = call.core.world.site.config.get(&name).cloned().unwrap_or(Value::Null);
            Ok(Reply::new(200, "application/json", value.to_string()))
        }
        ("POST", Some("set_config")) => {
            let value = call.form.get("value").ok_or_else(|| bad_request("No provided value!"))?.to_owned();
            known(&name)?;
            call.core.site_mut().config.insert(name.clone(), json!(value));
            call.core.effect(format!("set config {name}"));
            Ok(Reply::bare_text(200, "OK"))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn events(call: &mut Call<'_>) -> Answer {
    let ("GET", Some("query")) = call.signature() else { return Err(call.unrecognised(&["GET"])) };
    let limit = call.form.get("limit").and_then(id_of).unwrap_or(100).clamp(0, 1000) as usize;
    let after = call.form.get("after").and_then(id_of);
    let before = call.form.get("before").and_then(id_of);
    let ids: Vec<&str> = call.form.all("id").collect();
    let names: Vec<&str> = call.form.all("hostname").collect();
    let mut found: Vec<(&str, &crate::sim::db::LogEvent)> = call
        .core
        .world
        .nodes
        .values()
        .filter(|n| ids.is_empty() || ids.contains(&n.system_id.as_str()))
        .filter(|n| names.is_empty() || names.contains(&n.hostname.as_str()))
        .flat_map(|n| n.events.iter().map(|e| (n.system_id.as_str(), e)))
        .filter(|(_, e)| after.is_none_or(|a| e.id > a) && before.is_none_or(|b| e.id < b))
        .collect();
    found.sort_by_key(|(_, e)| std::cmp::Reverse(e.id));
    found.truncate(limit);
    let (newest, oldest) = (found.first().map_or(0, |f| f.1.id), found.last().map_or(0, |f| f.1.id));
    let events: Vec<Value> = found
        .into_iter()
        .map(|(node, e)| {
            json!({
                "username": "unknown", "node": node, "hostname": e.hostname, "id": e.id, "level": "INFO",
                "created": date(e.at), "type": e.kind, "description": e.description,
            })
        })
        .collect();
    let uri = |what: &str, id: i64| format!("/MAAS/api/2.0/events/?op=query&limit={limit}&{what}={id}");
    Ok(Reply::json(&json!({
        "count": events.len(), "events": events, "next_uri": uri("after", newest), "prev_uri": uri("before", oldest),
    })))
}

/// `Sun, 22 Nov. 2026 13:03:41`.
fn date(ms: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan.", "Feb.", "Mar.", "Apr.", "May", "Jun.", "Jul.", "Aug.", "Sep.", "Oct.", "Nov.", "Dec."];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let ((year, month, day), (hour, minute, second)) = (clock::civil(ms), clock::time_of_day(ms));
    format!("{}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02}", DAYS[(ms / 86_400_000 % 7) as usize], MONTHS[(month - 1) as usize])
}

const KEY_TYPES: [&str; 6] = ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss", "ssh-ed25519", "ssh-rsa"];

pub(super) fn sshkeys(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(call.core.world.site.sshkeys.iter().map(|(id, k)| render::sshkey(*id, k)).collect())),
        ("POST", None) => {
            let key = call.form.filled("key").ok_or_else(|| form_error("key", REQUIRED))?.trim().to_owned();
            let mut words = key.split_whitespace();
            let kind = words.next().is_some_and(|t| KEY_TYPES.contains(&t));
            let data = words.next().is_some_and(|d| d.starts_with("AAAA") && d.len() > 20);
            if !kind || !data {
                return Err(form_error("key", "Invalid SSH public key: Invalid value."));
            }
            if call.core.world.site.sshkeys.values().any(|k| *k == key) {
                return Err(form_error("__all__", "This key has already been added for this user."));
            }
            let id = call.core.take_id("sshkey");
            call.core.site_mut().sshkeys.insert(id, key.clone());
            call.core.effect(format!("create sshkey {id}"));
            Ok(Reply::json(&json!({ "key": key, "id": id })).with_status(201))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn sshkey(call: &mut Call<'_>, id: i64) -> Answer {
    let key = call.core.world.site.sshkeys.get(&id).cloned().ok_or_else(|| missing("SSHKey"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::sshkey(id, &key))),
        ("DELETE", None) => {
            call.core.site_mut().sshkeys.remove(&id);
            call.core.effect(format!("delete sshkey {id}"));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "DELETE"])),
    }
}

pub(super) fn domains(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(call.core.world.site.domains.values().map(render::domain).collect())),
        ("POST", None) => {
            let name = call.form.filled("name").ok_or_else(|| form_error("name", REQUIRED))?.to_owned();
            if call.core.world.site.domains.values().any(|d| d.name == name) {
                return Err(form_error("name", "Domain with this Name already exists."));
            }
            let authoritative = call.form.flag("authoritative").unwrap_or(true);
            let ttl = call.form.filled("ttl").and_then(id_of);
            let id = call.core.take_id("domain");
            let domain = Domain { id, name: name.clone(), authoritative, ttl };
            let reply = Reply::json(&render::domain(&domain));
            call.core.site_mut().domains.insert(id, domain);
            call.core.effect(format!("create domain {name}"));
            Ok(reply)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn domain(call: &mut Call<'_>, which: &str) -> Answer {
    let site = &call.core.world.site;
    let found = id_of(which).and_then(|i| site.domains.get(&i)).or_else(|| site.domains.values().find(|d| d.name == which));
    let mut d = found.cloned().ok_or_else(|| missing("Domain"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::domain(&d))),
        ("PUT", None) => {
            if let Some(n) = call.form.filled("name") {
                n.clone_into(&mut d.name);
            }
            if let Some(a) = call.form.flag("authoritative") {
                d.authoritative = a;
            }
            if let Some(t) = call.form.get("ttl") {
                d.ttl = id_of(t);
            }
            let reply = Reply::json(&render::domain(&d));
            call.core.effect(format!("update domain {}", d.name));
            call.core.site_mut().domains.insert(d.id, d);
            Ok(reply)
        }
        ("DELETE", None) if d.id == 0 => Err(bad_request("This domain is the default domain, it cannot be deleted.")),
        ("DELETE", None) => {
            if let Some(n) = call.core.world.nodes.values().find(|n| n.domain == d.id) {
                let node = format!("<Node: {} ({}.{})>", n.system_id, n.hostname, d.name);
                return Err(Reply::text(
                    500,
                    format!(
                        "(\"Cannot delete some instances of model 'Domain' because they are referenced through protected foreign keys: 'Node.domain'.\", {{{node}}})"
                    ),
                ));
            }
            call.core.site_mut().domains.remove(&d.id);
            call.core.effect(format!("delete domain {}", d.name));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "POST", "DELETE"])),
    }
}

fn valid_repository_url(url: &str) -> bool {
    url.starts_with("ppa:") && url.matches('/').count() == 1
        || url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https" | "ftp" | "ftps") && u.host().is_some())
}

fn fill_repository(call: &Call<'_>, r: &mut Repository, errors: &mut FormErrors) {
    let f = &call.form;
    if let Some(v) = f.filled("name") {
        v.clone_into(&mut r.name);
    }
    if let Some(v) = f.filled("url") {
        if valid_repository_url(v) {
            v.clone_into(&mut r.url);
        } else {
            errors.add("url", "Enter a valid repository URL or PPA location.");
        }
    }
    for (name, target) in [
        ("distributions", &mut r.distributions),
        ("disabled_pockets", &mut r.disabled_pockets),
        ("disabled_components", &mut r.disabled_components),
        ("components", &mut r.components),
        ("arches", &mut r.arches),
    ] {
        if f.get(name).is_some() {
            *target = f.list(name);
        }
    }
    for (name, target) in [("disable_sources", &mut r.disable_sources), ("enabled", &mut r.enabled)] {
        if let Some(v) = f.flag(name) {
            *target = v;
        }
    }
    if let Some(v) = f.get("key") {
        v.clone_into(&mut r.key);
    }
}

pub(super) fn repositories(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(call.core.world.site.repositories.values().map(render::repository).collect())),
        ("POST", None) => {
            let mut errors = FormErrors::default();
            for field in ["name", "url"] {
                if call.form.filled(field).is_none() {
                    errors.add(field, REQUIRED);
                }
            }
            let name = call.form.filled("name").unwrap_or_default().to_owned();
            if call.core.world.site.repositories.values().any(|r| r.name == name) {
                errors.add("name", "Package repository with this Name already exists.");
            }
            let mut r = Repository {
                id: 0,
                name: name.clone(),
                url: String::new(),
                distributions: Vec::new(),
                disabled_pockets: Vec::new(),
                disabled_components: Vec::new(),
                disable_sources: false,
                components: Vec::new(),
                arches: Vec::new(),
                key: String::new(),
                enabled: true,
            };
            fill_repository(call, &mut r, &mut errors);
            errors.check()?;
            if r.arches.is_empty() {
                r.arches = ["amd64", "i386"].map(str::to_owned).into();
            }
            r.id = call.core.take_id("repository");
            let reply = Reply::json(&render::repository(&r));
            call.core.site_mut().repositories.insert(r.id, r);
            call.core.effect(format!("create repository {name}"));
            Ok(reply)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn repository(call: &mut Call<'_>, which: &str) -> Answer {
    let repos = &call.core.world.site.repositories;
    let found = id_of(which).and_then(|i| repos.get(&i)).or_else(|| repos.values().find(|r| r.name == which));
    let mut r = found.cloned().ok_or_else(|| missing("PackageRepository"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::repository(&r))),
        ("PUT", None) => {
            let mut errors = FormErrors::default();
            fill_repository(call, &mut r, &mut errors);
            errors.check()?;
            let reply = Reply::json(&render::repository(&r));
            call.core.effect(format!("update repository {}", r.name));
            call.core.site_mut().repositories.insert(r.id, r);
            Ok(reply)
        }
        ("DELETE", None) => {
            call.core.site_mut().repositories.remove(&r.id);
            call.core.effect(format!("delete repository {}", r.name));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

pub(super) fn controllers(call: &mut Call<'_>, kind: &str) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(vec![render::controller(&call.core.world, kind)])),
        ("GET", Some("power_parameters")) => Ok(Reply::json(&json!({ &call.core.world.site.controller: {} }))),
        ("POST", Some("import_boot_images")) => Ok(Reply::text(202, "Import of boot images started on all rack controllers")),
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn controller(call: &mut Call<'_>, kind: &str, id: &str) -> Answer {
    let model = if kind == "rackcontrollers" { "RackController" } else { "RegionController" };
    if id != call.core.world.site.controller {
        return Err(missing(model));
    }
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::controller(&call.core.world, kind))),
        ("GET", Some("list_boot_images")) => {
            let site = &call.core.world.site;
            let images: Vec<Value> = site
                .boot_resources
                .values()
                .map(|r| {
                    let (arch, sub) = r.architecture.split_once('/').unwrap_or((&r.architecture, "generic"));
                    json!({ "name": r.name, "architecture": arch, "subarches": [sub] })
                })
                .collect();
            let status = if call.core.now < site.racks_synced_at { "syncing" } else { "synced" };
            Ok(Reply::json(&json!({ "images": images, "connected": true, "status": status })))
        }
        _ => Err(call.unrecognised(&["GET", "POST", "PUT", "DELETE"])),
    }
}

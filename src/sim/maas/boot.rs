//! Boot sources, selections and images.

use axum::body::Bytes;

use super::call::{Answer, Call, REQUIRED, deleted, form_error, list, missing};
use crate::sim::db::BootSource;
use crate::sim::http::Reply;
use crate::sim::{region, render};

pub(super) fn resources(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let kind = call.form.filled("type").map(str::to_ascii_lowercase);
            let all = call.core.world.site.boot_resources.values();
            let wanted = all.filter(|r| kind.as_ref().is_none_or(|k| r.kind.eq_ignore_ascii_case(k)));
            Ok(list(wanted.map(|r| render::boot_resource(r, false)).collect()))
        }
        ("GET", Some("is_importing")) => {
            let importing = call.core.world.site.import_due.is_some();
            Ok(Reply::json_bytes(Bytes::from(importing.to_string())))
        }
        ("POST", Some("import")) => {
            if call.core.world.site.import_due.is_none() {
                let due = call.core.now + call.core.world.meta.options.timing.import_ms;
                call.core.site_mut().import_due = Some(due);
                call.core.wake_import(due);
            }
            call.core.effect("import images");
            Ok(Reply::text(200, "Import of boot resources started"))
        }
        ("POST", Some("stop_import")) => {
            call.core.site_mut().import_due = None;
            Ok(Reply::text(200, "Import of boot resources is being stopped"))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn resource(call: &mut Call<'_>, id: i64) -> Answer {
    let r = call.core.world.site.boot_resources.get(&id).ok_or_else(|| missing("BootResource"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::boot_resource(r, true))),
        ("DELETE", None) => {
            let text = format!("delete boot_resource {} {}", r.name, r.architecture);
            call.core.site_mut().boot_resources.remove(&id);
            call.core.effect(text);
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "DELETE"])),
    }
}

pub(super) fn sources(call: &mut Call<'_>) -> Answer {
    match call.signature() {
        ("GET", None) => Ok(list(call.core.world.site.boot_sources.values().map(render::boot_source).collect())),
        ("POST", None) => {
            let url = call.form.filled("url").ok_or_else(|| form_error("url", REQUIRED))?.to_owned();
            if call.core.world.site.boot_sources.values().any(|s| s.url == url) {
                return Err(form_error("url", "Boot source with this Url already exists."));
            }
            let id = call.core.world.site.boot_sources.keys().max().copied().unwrap_or(0) + 1;
            let text = |f: &str| call.form.get(f).unwrap_or_default().to_owned();
            let time = "2026-01-01T00:00:00.000".to_owned();
            let s = BootSource {
                id,
                url: url.clone(),
                keyring_filename: text("keyring_filename"),
                keyring_data: text("keyring_data"),
                created: time.clone(),
                updated: time,
            };
            let reply = Reply::json(&render::boot_source(&s)).with_status(201);
            call.core.site_mut().boot_sources.insert(id, s);
            call.core.effect(format!("create boot_source {url}"));
            Ok(reply)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn source(call: &mut Call<'_>, id: i64) -> Answer {
    let mut s = call.core.world.site.boot_sources.get(&id).cloned().ok_or_else(|| missing("BootSource"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::boot_source(&s))),
        ("PUT", None) => {
            let f = &call.form;
            for (name, target) in
                [("url", &mut s.url), ("keyring_filename", &mut s.keyring_filename), ("keyring_data", &mut s.keyring_data)]
            {
                if let Some(v) = f.get(name) {
                    v.clone_into(target);
                }
            }
            let reply = Reply::json(&render::boot_source(&s));
            call.core.effect(format!("update boot_source {}", s.url));
            call.core.site_mut().boot_sources.insert(id, s);
            Ok(reply)
        }
        ("DELETE", None) => {
            let site = call.core.site_mut();
            site.boot_sources.remove(&id);
            site.selections.retain(|_, x| x.boot_source != id);
            call.core.effect(format!("delete boot_source {}", s.url));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

pub(super) fn selections(call: &mut Call<'_>, source: i64) -> Answer {
    if !call.core.world.site.boot_sources.contains_key(&source) {
        return Err(missing("BootSource"));
    }
    match call.signature() {
        ("GET", None) => {
            let all = call.core.world.site.selections.values().filter(|s| s.boot_source == source);
            Ok(list(all.map(render::selection).collect()))
        }
        ("POST", None) => {
            let text = |f: &str, default: &str| call.form.filled(f).unwrap_or(default).to_owned();
            let (os, release) = (text("os", "ubuntu"), text("release", ""));
            let site = &call.core.world.site;
            if os != "ubuntu" || !site.offered.contains_key(&release) {
                return Err(form_error("os", format!("OS {os} with release {release} has no available images for download")));
            }
            if site.selections.values().any(|s| s.boot_source == source && s.os == os && s.release == release) {
                return Err(form_error("__all__", "Boot source selection with this Boot source, Os and Release already exists."));
            }
            let id = call.core.take_id("selection");
            let mut s = region::selection(id, source, &os, &release);
            for (name, target) in [("arches", &mut s.arches), ("subarches", &mut s.subarches), ("labels", &mut s.labels)] {
                if call.form.filled(name).is_some() {
                    *target = call.form.list(name);
                }
            }
            let reply = Reply::json(&render::selection(&s));
            call.core.site_mut().selections.insert(id, s);
            call.core.effect(format!("create selection {os}/{release}"));
            Ok(reply)
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn selection(call: &mut Call<'_>, source: i64, id: i64) -> Answer {
    let found = call.core.world.site.selections.get(&id).filter(|s| s.boot_source == source);
    let mut s = found.cloned().ok_or_else(|| missing("BootSourceSelection"))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&render::selection(&s))),
        ("PUT", None) => {
            for (name, target) in [("arches", &mut s.arches), ("subarches", &mut s.subarches), ("labels", &mut s.labels)] {
                if call.form.filled(name).is_some() {
                    *target = call.form.list(name);
                }
            }
            let reply = Reply::json(&render::selection(&s));
            call.core.site_mut().selections.insert(id, s);
            Ok(reply)
        }
        ("DELETE", None) => {
            call.core.site_mut().selections.remove(&id);
            call.core.effect(format!("delete selection {}/{}", s.os, s.release));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

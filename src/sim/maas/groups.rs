//! Availability zones and resource pools.

use serde_json::Value;

use super::call::{Answer, Call, deleted, form_error, id_of, list, missing};
use crate::sim::db::{Group, MaasSite};
use crate::sim::http::Reply;
use crate::sim::render;

/// The two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of machines in a place.
    Zone,
    /// Of machines for somebody.
    Pool,
}

impl Kind {
    fn all(self, site: &MaasSite) -> &std::collections::BTreeMap<i64, Group> {
        match self {
            Self::Zone => &site.zones,
            Self::Pool => &site.pools,
        }
    }

    fn all_mut(self, site: &mut MaasSite) -> &mut std::collections::BTreeMap<i64, Group> {
        match self {
            Self::Zone => &mut site.zones,
            Self::Pool => &mut site.pools,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Pool => "pool",
        }
    }

    fn render(self, site: &MaasSite, id: i64) -> Value {
        match self {
            Self::Zone => render::zone(site, id),
            Self::Pool => render::pool(site, id),
        }
    }

    /// By name, or by id.
    pub(super) fn find<'a>(self, site: &'a MaasSite, which: &str) -> Option<&'a Group> {
        let all = self.all(site);
        all.values().find(|g| g.name == which).or_else(|| all.get(&id_of(which)?))
    }
}

pub(super) fn groups(call: &mut Call<'_>, kind: Kind) -> Answer {
    match call.signature() {
        ("GET", None) => {
            let site = &call.core.world.site;
            Ok(list(kind.all(site).keys().map(|id| kind.render(site, *id)).collect()))
        }
        ("POST", None) => {
            let name = call.form.filled("name").ok_or_else(|| form_error("name", "This field is required."))?.to_owned();
            if kind.all(&call.core.world.site).values().any(|g| g.name == name) {
                let model = if kind == Kind::Zone { "Physical zone" } else { "Resource pool" };
                return Err(form_error("name", format!("{model} with this Name already exists.")));
            }
            let description = call.form.get("description").unwrap_or_default().to_owned();
            let id = call.core.take_id(kind.name());
            kind.all_mut(call.core.site_mut()).insert(id, Group { id, name: name.clone(), description });
            call.core.effect(format!("create {} {name}", kind.name()));
            Ok(Reply::json(&kind.render(&call.core.world.site, id)))
        }
        _ => Err(call.unrecognised(&["GET", "POST"])),
    }
}

pub(super) fn group(call: &mut Call<'_>, kind: Kind, which: &str) -> Answer {
    let model = if kind == Kind::Zone { "Zone" } else { "ResourcePool" };
    let group = kind.find(&call.core.world.site, which).cloned().ok_or_else(|| missing(model))?;
    match call.signature() {
        ("GET", None) => Ok(Reply::json(&kind.render(&call.core.world.site, group.id))),
        ("DELETE", None) if group.name == "default" => {
            Err(super::call::bad_request(format!("This {} is the default one, it cannot be deleted.", kind.name())))
        }
        ("DELETE", None) => {
            let inside: Vec<String> =
                call.core.world.nodes.values().filter(|n| kind == Kind::Zone && n.zone == group.id).map(|n| n.system_id.clone()).collect();
            for id in inside {
                call.node_mut(&id)?.zone = 1;
            }
            kind.all_mut(call.core.site_mut()).remove(&group.id);
            call.core.effect(format!("delete {} {}", kind.name(), group.name));
            Ok(deleted())
        }
        _ => Err(call.unrecognised(&["GET", "PUT", "DELETE"])),
    }
}

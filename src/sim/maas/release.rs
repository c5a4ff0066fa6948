//! What older releases answer differently. The handlers speak as 3.7 does; here is taken away what a release does not have yet.
//!
//! Sources: MAAS' release notes, and the handlers of each release (`src/maasserver/api`).

use axum::http::Method;
use serde_json::Value;

use super::call::unrecognised;
use crate::sim::core::Core;
use crate::sim::db::Status;
use crate::sim::http::{Reply, Request};
use crate::sim::options::Release;

/// Fields of machines, and the release that they came with.
const FIELDS: [(&str, Release); 11] = [
    ("workload_annotations", Release::V3_0),
    ("last_sync", Release::V3_2),
    ("sync_interval", Release::V3_2),
    ("next_sync", Release::V3_2),
    ("parent", Release::V3_3),
    ("enable_hw_sync", Release::V3_4),
    ("ephemeral_deploy", Release::V3_5),
    ("error_description", Release::V3_5),
    ("enable_kernel_crash_dump", Release::V3_6),
    ("is_dpu", Release::V3_7),
    ("disabled_boot_architectures", Release::V3_0),
];

/// What an older release refuses and 3.7 does not.
pub(super) fn refused(core: &Core, request: &Request<'_>, op: Option<&str>, parts: &[&str]) -> Option<Reply> {
    let release = core.world.meta.options.release;
    if op == Some("set_workload_annotations") && release < Release::V3_0 {
        return Some(unrecognised(request.method.as_str(), op));
    }
    // Before 3.3 interfaces of new machines could not be changed.
    let changes = request.method != Method::GET && matches!(parts, ["nodes", _, "interfaces", ..]);
    if changes && release < Release::V3_3 && core.world.nodes.get(parts[1]).is_some_and(|n| n.status == Status::New) {
        return Some(Reply::bare_text(409, "Cannot update interface because the machine is not Ready, Allocated, or Broken."));
    }
    None
}

/// An answer as a release gives it.
pub(super) fn spoken(release: Release, mut reply: Reply) -> Reply {
    if release == Release::V3_7 {
        return reply;
    }
    if reply.status == 404 && reply.body.ends_with(b"matches the given query.") && release < Release::V3_3 {
        return Reply { body: "Not Found".into(), ..reply };
    }
    if reply.content_type.starts_with("application/json")
        && let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body)
    {
        take_away(release, &mut body);
        reply.body = body.to_string().into();
    }
    reply
}

fn take_away(release: Release, value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| take_away(release, v)),
        Value::Object(map) => {
            for (field, since) in FIELDS {
                if release < since {
                    map.remove(field);
                }
            }
            // The number of the build stood beside the version.
            if map.contains_key("subversion") {
                map.insert("version".to_owned(), release.full().into());
                let build = if release < Release::V3_0 { "9165-g.c3e7848d1" } else { "" };
                map.insert("subversion".to_owned(), build.into());
            }
            // An interface without parameters.
            if release < Release::V3_4
                && map.contains_key("effective_mtu")
                && map.get("params").is_some_and(|p| p == &serde_json::json!({}))
            {
                map.insert("params".to_owned(), "".into());
            }
            map.values_mut().for_each(|v| take_away(release, v));
        }
        _ => {}
    }
}

//! From paths to handlers.

use axum::http::Method;

use super::call::{Answer, Call, id_of, missing, unrecognised};
use super::groups::{self, Kind};
use super::{
    auth, boot, details, interfaces, machine_ops, machines, misc, network, ranges, release, storage, subnets, tags, volume_groups,
};
use crate::sim::core::Core;
use crate::sim::http::{Form, Reply, Request};
use crate::sim::render::API;

/// Answers a request.
pub(crate) fn handle(core: &mut Core, request: &Request<'_>) -> Reply {
    let reply = answer(core, request);
    let reply = release::spoken(core.world.meta.options.release, reply);
    reply.with_header("vary", "Authorization, Cookie").with_header("x-maas-api-hash", "36763f1444f05f8c565d0292aabefcaa9ece4369")
}

fn answer(core: &mut Core, request: &Request<'_>) -> Reply {
    let query = Form::from_query(request.query);
    let reads = request.method == Method::GET || request.method == Method::HEAD;
    let form = if reads { query.clone() } else { Form::from_body(request.headers, request.body) };
    let op = query.get("op").or_else(|| form.get("op")).map(str::to_owned);
    let unknown = || Reply::text(404, format!("Unknown API endpoint: {}.", request.path));
    let Some(rest) = request.path.strip_prefix(API).and_then(|p| p.strip_prefix('/')) else { return unknown() };
    let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    // Only partitions have paths without a slash at the end.
    let is_partition = matches!(parts.as_slice(), ["nodes", _, "blockdevices", _, "partition", _]);
    if !rest.ends_with('/') && !is_partition {
        return unknown();
    }
    if parts == ["version"] {
        return misc::version();
    }
    let method = request.method.as_str();
    let token = match auth::authenticate(core, request) {
        Ok(t) => t,
        Err(reply) => {
            let anonymous_has_no_get = matches!(parts.as_slice(), ["machines" | "nodes" | "devices"]);
            let tried = request.headers.contains_key("authorization");
            return if anonymous_has_no_get && !tried { unrecognised(method, op.as_deref()) } else { reply };
        }
    };
    if !token.admin && !reads {
        return Reply::text(403, "This method is reserved for admin users.");
    }
    if let Some(refused) = release::refused(core, request, op.as_deref(), &parts) {
        return refused;
    }
    let mut call = Call { core, method, op: op.as_deref(), form, user: token.user };
    match dispatch(&mut call, &parts) {
        Some(Ok(reply) | Err(reply)) => reply,
        None => unknown(),
    }
}

fn dispatch(call: &mut Call<'_>, parts: &[&str]) -> Option<Answer> {
    let id = |text: &str, model: &str| id_of(text).ok_or_else(|| missing(model));
    Some(match *parts {
        ["users"] => misc::users(call),
        ["account"] => misc::account(call),
        ["maas"] => misc::config(call),
        ["events"] => misc::events(call),
        ["zones"] => groups::groups(call, Kind::Zone),
        ["zones", zone] => groups::group(call, Kind::Zone, zone),
        ["resourcepools"] => groups::groups(call, Kind::Pool),
        ["resourcepool", pool] => groups::group(call, Kind::Pool, pool),
        ["account", "prefs", "sshkeys"] => misc::sshkeys(call),
        ["account", "prefs", "sshkeys", key] => id(key, "SSHKey").and_then(|k| misc::sshkey(call, k)),
        ["domains"] => misc::domains(call),
        ["domains", domain] => misc::domain(call, domain),
        ["package-repositories"] => misc::repositories(call),
        ["package-repositories", repo] => misc::repository(call, repo),
        ["rackcontrollers"] => misc::controllers(call, "rackcontrollers"),
        ["regioncontrollers"] => misc::controllers(call, "regioncontrollers"),
        ["rackcontrollers", node] => misc::controller(call, "rackcontrollers", node),
        ["regioncontrollers", node] => misc::controller(call, "regioncontrollers", node),
        ["fabrics"] => network::fabrics(call),
        ["fabrics", fabric] => network::fabric(call, fabric),
        ["fabrics", fabric, "vlans"] => network::vlans(call, fabric),
        ["fabrics", fabric, "vlans", vid] => network::vlan_by_vid(call, fabric, vid),
        ["vlans", vlan] => id(vlan, "VLAN").and_then(|v| network::vlan(call, v)),
        ["spaces"] => network::spaces(call),
        ["spaces", space] => network::space(call, space),
        ["subnets"] => subnets::subnets(call),
        ["subnets", subnet] => subnets::subnet(call, subnet),
        ["subnets", net, length] => subnets::subnet(call, &format!("{net}/{length}")),
        ["ipranges"] => ranges::ipranges(call),
        ["ipranges", range] => id(range, "IPRange").and_then(|r| ranges::iprange(call, r)),
        ["static-routes"] => ranges::static_routes(call),
        ["static-routes", route] => id(route, "StaticRoute").and_then(|r| ranges::static_route(call, r)),
        ["tags"] => tags::tags(call),
        ["tags", tag] => tags::tag(call, tag),
        ["boot-resources"] => boot::resources(call),
        ["boot-resources", resource] => id(resource, "BootResource").and_then(|r| boot::resource(call, r)),
        ["boot-sources"] => boot::sources(call),
        ["boot-sources", source] => id(source, "BootSource").and_then(|s| boot::source(call, s)),
        ["boot-sources", source, "selections"] => id(source, "BootSource").and_then(|s| boot::selections(call, s)),
        ["boot-sources", source, "selections", selection] => {
            id(source, "BootSource").and_then(|s| boot::selection(call, s, id(selection, "BootSourceSelection")?))
        }
        ["machines" | "nodes"] => machines::machines(call),
        ["machines" | "nodes", node] => machine_ops::machine(call, node),
        ["nodes", node, "results", which] => details::results(call, node, which),
        ["nodes", _, "devices" | "results"] => Ok(super::call::list(Vec::new())),
        ["nodes", node, "interfaces"] => interfaces::interfaces(call, node),
        ["nodes", node, "interfaces", interface] => interfaces::interface(call, node, interface),
        ["nodes", node, "blockdevices"] => storage::block_devices(call, node),
        ["nodes", node, "blockdevices", device] => id(device, "BlockDevice").and_then(|d| storage::block_device(call, node, d)),
        ["nodes", node, "blockdevices", device, "partitions"] => id(device, "BlockDevice").and_then(|d| storage::partitions(call, node, d)),
        ["nodes", node, "blockdevices", device, "partition", partition] => {
            id(device, "BlockDevice").and_then(|d| storage::partition(call, node, d, id(partition, "Partition")?))
        }
        ["nodes", node, "volume-groups"] => volume_groups::groups(call, node),
        ["nodes", node, "volume-group", group] => id(group, "VolumeGroup").and_then(|g| volume_groups::group(call, node, g)),
        ["nodes", node, "raids" | "bcaches" | "bcache-cache-sets"] => call.node(node).map(|_| super::call::list(Vec::new())),
        _ => return None,
    })
}

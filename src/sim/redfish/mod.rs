//! Redfish: one service per BMC, for one system.
//!
//! Resources are values made of a machine ([`system`], [`service`]); what changes something is in [`change`], [`accounts`] and [`tasks`]; query options work on
//! finished values ([`query`]).

mod accounts;
mod change;
mod query;
mod service;
mod system;
mod tasks;

use serde_json::{Value, json};

use super::core::Core;
use super::http::{Reply, Request};
use super::options::MachineFault;
use super::world::{Bmc, Machine};
use accounts::{Right, User};

const ROOT: &str = "/redfish/v1";

/// A message of the Base registry as an error answer.
fn error(status: u16, key: &str, message: &str, resolution: &str) -> Reply {
    let body = json!({ "error": {
        "code": format!("Base.1.13.{key}"),
        "message": message,
        "@Message.ExtendedInfo": [info(key, message, resolution, if status < 500 { "Warning" } else { "Critical" })],
    }});
    Reply::new(status, "application/json", body.to_string())
}

/// A message of the Base registry.
fn info(key: &str, message: &str, resolution: &str, severity: &str) -> Value {
    json!({
        "@odata.type": "#Message.v1_1_2.Message", "MessageId": format!("Base.1.13.{key}"), "Message": message, "MessageArgs": [],
        "MessageSeverity": severity, "Resolution": resolution,
    })
}

fn not_found(path: &str) -> Reply {
    error(
        404,
        "ResourceMissingAtURI",
        &format!("The resource at the URI {path} was not found."),
        "Place a valid resource at the URI or correct the URI.",
    )
}

fn not_allowed(allow: &str) -> Reply {
    error(405, "OperationNotAllowed", "The HTTP method is not allowed on this resource.", "None.").with_header("allow", allow)
}

fn stale() -> Reply {
    error(
        412,
        "PreconditionFailed",
        "The ETag supplied did not match the ETag required to change this resource.",
        "Try the operation again using the appropriate ETag.",
    )
}

/// A resource as an answer; DSP0266 wants to hear which methods it has and where its schema is.
fn document(value: &Value, allow: &str) -> Reply {
    let kind = value.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    let schema = kind.trim_start_matches('#').split('.').next().unwrap_or_default();
    let reply = Reply::new(200, "application/json", value.to_string())
        .with_header("allow", allow)
        .with_header("link", format!("<http://redfish.dmtf.org/schemas/v1/{schema}.json>; rel=describedby"));
    match value.get("@odata.etag").and_then(Value::as_str) {
        Some(etag) => reply.with_header("etag", etag),
        None => reply,
    }
}

/// The type of a request's change in the log: `Reset` types for resets.
pub(crate) fn operation(request: &Request<'_>) -> Option<String> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    body.get("ResetType").and_then(Value::as_str).map(str::to_owned)
}

/// Answers a request to the BMC of a machine.
pub(crate) fn handle(core: &mut Core, name: &str, request: &Request<'_>) -> Reply {
    let reply = answer(core, name, request).unwrap_or_else(|r| r);
    reply.with_header("odata-version", "4.0").with_header("cache-control", "no-cache")
}

fn answer(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let path = request.path.trim_end_matches('/');
    let get = matches!(request.method.as_str(), "GET" | "HEAD");
    // The root and the version list are open to everybody (DSP0266, 13.3.4).
    match path {
        "/redfish" | ROOT | "/redfish/v1/odata" | "/redfish/v1/$metadata" if !get => return Err(not_allowed("GET, HEAD")),
        _ if header(request, "odata-version").is_some_and(|v| v != "4.0") => {
            return Err(error(412, "PreconditionFailed", "The OData version of the request is not supported.", "Use OData version 4.0."));
        }
        "/redfish" => return Ok(document(&json!({ "v1": "/redfish/v1/" }), "GET, HEAD")),
        ROOT if request.query.is_empty() => return machine(core, name).map(|m| document(&service::root(m), "GET, HEAD")),
        "/redfish/v1/odata" => return Ok(document(&service::odata(), "GET, HEAD")),
        "/redfish/v1/$metadata" => return Ok(Reply::new(200, "application/xml", service::METADATA)),
        _ => {}
    }
    let sessions = matches!(path, "/redfish/v1/SessionService/Sessions" | "/redfish/v1/SessionService/Sessions/Members");
    if sessions && request.method.as_str() == "POST" {
        return accounts::open_session(core, name, request);
    }
    let user = if path == ROOT { User::nobody() } else { accounts::authenticate(core, name, request)? };
    let Some(rest) = path.strip_prefix(ROOT) else { return Err(not_found(request.path)) };
    let parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty()).collect();
    let m = machine(core, name)?;
    let own = |id: &str| id == m.uuid;
    match (request.method.as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["TaskService", "TaskMonitors", id]) => tasks::monitor(core, name, id).ok_or_else(|| not_found(request.path)),
        ("GET" | "HEAD", parts) => {
            let view = View::of(core, m);
            let value = view.read(parts).ok_or_else(|| not_found(request.path))?;
            let known = value.get("@odata.etag").and_then(Value::as_str);
            if known.is_some() && header(request, "if-none-match") == known {
                return Ok(Reply::new(304, "application/json", "").with_header("etag", known.unwrap_or_default()));
            }
            let value = query::apply(&view, value, request)?;
            Ok(document(&value, allowed(parts)))
        }
        ("PATCH", ["Systems", id]) if own(id) => {
            user.needs(Right::ConfigureComponents)?;
            change::patch(core, name, request)
        }
        ("POST", ["Systems", id, "Actions", "ComputerSystem.Reset"]) if own(id) => {
            user.needs(Right::ConfigureComponents)?;
            change::reset(core, name, request)
        }
        ("POST", ["Managers", "BMC", "Actions", "Manager.Reset"]) => {
            user.needs(Right::ConfigureComponents)?;
            Ok(Reply::new(204, "application/json", ""))
        }
        ("DELETE", ["SessionService", "Sessions", session]) => accounts::close_session(core, name, session, &user),
        ("POST", ["AccountService", "Accounts"]) => accounts::create(core, name, request, &user),
        ("PATCH", ["AccountService", "Accounts", id]) => accounts::change(core, name, id, request, &user),
        ("DELETE", ["AccountService", "Accounts", id]) => accounts::remove(core, name, id, &user),
        (_, ["Systems", _, "Actions", "ComputerSystem.Reset"] | ["Managers", "BMC", "Actions", "Manager.Reset"]) => {
            Err(not_allowed("POST"))
        }
        (_, parts) if View::of(core, m).read(parts).is_some() => Err(not_allowed(allowed(parts))),
        _ => Err(not_found(request.path)),
    }
}

/// Methods of a resource.
fn allowed(parts: &[&str]) -> &'static str {
    match parts {
        ["Systems", _] => "GET, HEAD, PATCH",
        ["SessionService", "Sessions"] | ["AccountService", "Accounts"] => "GET, HEAD, POST",
        ["SessionService", "Sessions", _] => "GET, HEAD, DELETE",
        ["AccountService", "Accounts", _] => "GET, HEAD, PATCH, DELETE",
        _ => "GET, HEAD",
    }
}

fn header<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    request.headers.get(name).and_then(|v| v.to_str().ok())
}

fn machine<'c>(core: &'c Core, name: &str) -> Result<&'c Machine, Reply> {
    core.world.machines.get(name).ok_or_else(|| not_found(ROOT))
}

fn bmc_mut<'c>(core: &'c mut Core, name: &str) -> Result<&'c mut Bmc, Reply> {
    core.machine_mut(name).and_then(|m| m.bmc.as_mut()).ok_or_else(|| not_found(ROOT))
}

fn parse(request: &Request<'_>) -> Result<Value, Reply> {
    serde_json::from_slice(request.body).ok().filter(Value::is_object).ok_or_else(|| {
        error(
            400,
            "MalformedJSON",
            "The request body submitted was malformed JSON and could not be parsed by the receiving service.",
            "Ensure that the request body is valid JSON and resubmit the request.",
        )
    })
}

fn not_in_list(property: &str, value: &str) -> Reply {
    error(
        400,
        "PropertyValueNotInList",
        &format!("The value '{value}' for the property {property} is not in the list of acceptable values."),
        "Choose a value from the enumeration list that the implementation can support and resubmit the request.",
    )
}

fn missing(property: &str) -> Reply {
    error(
        400,
        "PropertyMissing",
        &format!("The property {property} is a required property and must be included in the request."),
        "Ensure that the property is in the request body and has a valid value and resubmit the request.",
    )
}

fn link(path: &str) -> Value {
    json!({ "@odata.id": format!("{ROOT}{path}") })
}

fn collection(kind: &str, name: &str, path: &str, members: &[String]) -> Value {
    let members: Vec<Value> = members.iter().map(|m| link(&format!("{path}/{m}"))).collect();
    json!({
        "@odata.type": format!("#{kind}Collection.{kind}Collection"),
        "@odata.id": format!("{ROOT}{path}"),
        "@odata.context": format!("/redfish/v1/$metadata#{kind}Collection.{kind}Collection"),
        "Name": name,
        "Members@odata.count": members.len(),
        "Members": members,
    })
}

/// A resource with its annotations.
fn resource(kind: &str, version: &str, path: &str, id: &str, name: &str, rest: Value) -> Value {
    let mut v = json!({
        "@odata.type": format!("#{kind}.{version}.{kind}"),
        "@odata.id": format!("{ROOT}{path}"),
        "@odata.context": format!("/redfish/v1/$metadata#{kind}.{kind}"),
        "Id": id,
        "Name": name,
    });
    if let (Some(a), Value::Object(b)) = (v.as_object_mut(), rest) {
        a.extend(b);
    }
    v
}

fn status() -> Value {
    health("OK")
}

fn health(health: &str) -> Value {
    json!({ "State": "Enabled", "Health": health })
}

/// A machine as its BMC shows it now.
struct View<'a> {
    m: &'a Machine,
    now: u64,
    /// Members of a collection that come at once; 0 is all.
    page: u32,
    /// Whether it shows the opposite of the power state.
    lies: bool,
    /// Systems that it lists.
    systems: Vec<String>,
    failed_drive: bool,
    /// Reset types, and whether they stand in a resource of their own.
    resets: Vec<String>,
    action_info: bool,
}

impl<'a> View<'a> {
    fn of(core: &Core, m: &'a Machine) -> Self {
        let has = |fault| core.faults.is_permanent(&m.name, fault);
        let systems = if has(MachineFault::BmcListsNoSystem) {
            Vec::new()
        } else if has(MachineFault::BmcListsTwoSystems) {
            vec![m.uuid.clone(), "Other".to_owned()]
        } else {
            vec![m.uuid.clone()]
        };
        Self {
            m,
            now: core.now,
            page: core.world.meta.options.hardware.bmc_page,
            lies: has(MachineFault::BmcLiesAboutPower),
            systems,
            failed_drive: has(MachineFault::FailedDrive),
            resets: system::resets(&core.world.meta.options.hardware),
            action_info: core.world.meta.options.hardware.bmc_action_info,
        }
    }

    /// Everything that can be read.
    fn read(&self, parts: &[&str]) -> Option<Value> {
        match parts {
            [] => Some(service::root(self.m)),
            ["Systems"] => Some(collection("ComputerSystem", "Computer System Collection", "/Systems", &self.systems)),
            ["Systems", id, rest @ ..] if *id == self.m.uuid => system::read(self, rest),
            ["Systems", "Other"] if self.systems.len() > 1 => Some(system::other()),
            ["SessionService" | "AccountService", ..] => accounts::read(self.m, parts),
            ["TaskService", ..] => tasks::read(self, parts),
            _ => service::read(self, parts),
        }
    }
}

//! Redfish: one service per BMC, for one system.

use serde_json::{Value, json};

use super::core::Core;
use super::http::{Reply, Request};
use super::names;
use super::options::MachineFault;
use super::physics::{self, Power};
use super::world::{Bmc, Machine};

const ROOT: &str = "/redfish/v1";
const TARGETS: [&str; 7] = ["None", "Pxe", "Hdd", "Cd", "Usb", "BiosSetup", "UefiHttp"];
const RESETS: [&str; 8] =
    ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "ForceOn", "PowerCycle", "PushPowerButton"];

/// A message of the Base registry as an error answer.
fn error(status: u16, key: &str, message: &str, resolution: &str) -> Reply {
    let id = format!("Base.1.13.{key}");
    let body = json!({ "error": {
        "code": id,
        "message": message,
        "@Message.ExtendedInfo": [{
            "@odata.type": "#Message.v1_1_2.Message", "MessageId": id, "Message": message, "MessageArgs": [],
            "MessageSeverity": if status < 500 { "Warning" } else { "Critical" }, "Resolution": resolution,
        }],
    }});
    Reply::new(status, "application/json", body.to_string())
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

/// A resource as an answer; DSP0266 wants to hear which methods it has and where its schema is.
fn document(value: &Value, allow: &str) -> Reply {
    let kind = value.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    let schema = kind.trim_start_matches('#').split('.').next().unwrap_or_default();
    Reply::new(200, "application/json", value.to_string())
        .with_header("allow", allow)
        .with_header("link", format!("<http://redfish.dmtf.org/schemas/v1/{schema}.json>; rel=describedby"))
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
        ROOT => return machine(core, name).map(|m| document(&service_root(m), "GET, HEAD")),
        "/redfish/v1/odata" => return Ok(document(&odata(), "GET, HEAD")),
        "/redfish/v1/$metadata" => return Ok(Reply::new(200, "application/xml", METADATA)),
        _ => {}
    }
    let sessions = matches!(path, "/redfish/v1/SessionService/Sessions" | "/redfish/v1/SessionService/Sessions/Members");
    if sessions && request.method.as_str() == "POST" {
        return open_session(core, name, request);
    }
    authenticate(core, name, request)?;
    let m = machine(core, name)?;
    let Some(rest) = path.strip_prefix(ROOT) else { return Err(not_found(request.path)) };
    let parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty()).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["Systems", id]) if *id == m.uuid => Ok(document(&system(m), "GET, HEAD, PATCH").with_header("etag", etag(m))),
        ("GET" | "HEAD", parts) => {
            let allow = match parts {
                ["SessionService", "Sessions"] => "GET, HEAD, POST",
                ["SessionService", "Sessions", _] => "GET, HEAD, DELETE",
                _ => "GET, HEAD",
            };
            read(m, parts).map(|v| document(&v, allow)).ok_or_else(|| not_found(request.path))
        }
        ("PATCH", ["Systems", id]) if *id == m.uuid => patch(core, name, request),
        ("POST", ["Systems", id, "Actions", "ComputerSystem.Reset"]) if *id == m.uuid => reset(core, name, request),
        ("POST", ["Managers", "BMC", "Actions", "Manager.Reset"]) => Ok(Reply::new(204, "application/json", "")),
        ("DELETE", ["SessionService", "Sessions", session]) => {
            let session = (*session).to_owned();
            let gone = bmc_mut(core, name)?.sessions.remove(&session);
            gone.map(|_| Reply::new(204, "application/json", "")).ok_or_else(|| not_found(request.path))
        }
        (_, ["Systems", id]) if *id == m.uuid => Err(not_allowed("GET, HEAD, PATCH")),
        (_, ["Systems", id, "Actions", "ComputerSystem.Reset"]) if *id == m.uuid => Err(not_allowed("POST")),
        (_, ["SessionService", "Sessions"]) => Err(not_allowed("GET, HEAD, POST")),
        (_, parts) if read(m, parts).is_some() => Err(not_allowed("GET, HEAD")),
        _ => Err(not_found(request.path)),
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

fn valid(core: &Core, name: &str, user: &str, password: &str) -> bool {
    let known = core.world.machines.get(name).and_then(|m| m.bmc.as_ref());
    known.is_some_and(|b| b.user == user && b.password == password) && !core.faults.is_permanent(name, MachineFault::WrongCredentials)
}

fn unauthorized() -> Reply {
    error(401, "InsufficientPrivilege", "There are insufficient privileges for the account or credentials associated with the current session to perform the requested operation.", "Log in with valid credentials.")
        .with_header("www-authenticate", "Basic realm=\"Redfish\"")
}

fn authenticate(core: &Core, name: &str, request: &Request<'_>) -> Result<(), Reply> {
    use base64::Engine as _;
    if let Some(token) = header(request, "x-auth-token") {
        let open = core.world.machines.get(name).and_then(|m| m.bmc.as_ref()).is_some_and(|b| b.sessions.values().any(|t| t == token));
        return if open { Ok(()) } else { Err(unauthorized()) };
    }
    let basic = header(request, "authorization").and_then(|h| h.strip_prefix("Basic ")).ok_or_else(unauthorized)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(basic.trim()).map_err(|_| unauthorized())?;
    let text = String::from_utf8_lossy(&bytes);
    match text.split_once(':') {
        Some((user, password)) if valid(core, name, user, password) => Ok(()),
        _ => Err(unauthorized()),
    }
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

fn open_session(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = parse(request)?;
    let text = |k: &str| body.get(k).and_then(Value::as_str);
    let (Some(user), Some(password)) = (text("UserName"), text("Password")) else {
        return Err(error(
            400,
            "PropertyMissing",
            "The property UserName or Password is a required property and must be included in the request.",
            "Include both properties and resubmit the request.",
        ));
    };
    if !valid(core, name, user, password) {
        return Err(unauthorized());
    }
    let seed = core.world.meta.options.seed;
    let number = core.take_id("session");
    let (id, token) = (number.to_string(), names::password(seed, &format!("{name} session {number}")));
    let user = user.to_owned();
    let bmc = bmc_mut(core, name)?;
    bmc.sessions.insert(id.clone(), token.clone());
    // A BMC keeps few sessions: the oldest goes.
    if bmc.sessions.len() > 16 {
        bmc.sessions.pop_first();
    }
    let location = format!("{ROOT}/SessionService/Sessions/{id}");
    Ok(document(&session(&id, &user), "GET, HEAD, DELETE")
        .with_status(201)
        .with_header("x-auth-token", token)
        .with_header("location", location))
}

fn session(id: &str, user: &str) -> Value {
    json!({
        "@odata.type": "#Session.v1_3_0.Session", "@odata.id": format!("{ROOT}/SessionService/Sessions/{id}"),
        "@odata.context": "/redfish/v1/$metadata#Session.Session", "Id": id, "Name": "User Session", "UserName": user,
    })
}

fn etag(m: &Machine) -> String {
    format!("W/\"{}-{}\"", m.bmc.as_ref().map_or(0, |b| b.etag), u8::from(m.on))
}

fn patch(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let m = machine(core, name)?;
    if let Some(wanted) = request.headers.get("if-match").and_then(|v| v.to_str().ok())
        && wanted != "*"
        && wanted != etag(m)
    {
        return Err(error(
            412,
            "PreconditionFailed",
            "The ETag supplied did not match the ETag required to change this resource.",
            "Try the operation again using the appropriate ETag.",
        ));
    }
    let body = parse(request)?;
    let unknown: Vec<&str> =
        body.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).filter(|k| !matches!(*k, "Boot" | "IndicatorLED")).collect();
    if let Some(k) = unknown.first() {
        return Err(error(
            400,
            "PropertyNotWritable",
            &format!("The property {k} is a read-only property and cannot be assigned a value."),
            "Remove the property from the request body and resubmit the request.",
        ));
    }
    let not_in_list = |property: &str, value: &str| {
        error(
            400,
            "PropertyValueNotInList",
            &format!("The value '{value}' for the property {property} is not in the list of acceptable values."),
            "Choose a value from the enumeration list that the implementation can support and resubmit the request.",
        )
    };
    if let Some(led) = body.get("IndicatorLED").and_then(Value::as_str) {
        if !matches!(led, "Lit" | "Blinking" | "Off") {
            return Err(not_in_list("IndicatorLED", led));
        }
        led.clone_into(&mut bmc_mut(core, name)?.indicator);
    }
    if let Some(boot) = body.get("Boot") {
        let text = |k: &str| boot.get(k).and_then(Value::as_str).map(str::to_owned);
        let (target, enabled, mode) = (text("BootSourceOverrideTarget"), text("BootSourceOverrideEnabled"), text("BootSourceOverrideMode"));
        if let Some(t) = target.as_deref().filter(|t| !TARGETS.contains(t)) {
            return Err(not_in_list("BootSourceOverrideTarget", t));
        }
        if let Some(e) = enabled.as_deref().filter(|e| !matches!(*e, "Disabled" | "Once" | "Continuous")) {
            return Err(not_in_list("BootSourceOverrideEnabled", e));
        }
        if let Some(m) = &mode {
            if !matches!(m.as_str(), "UEFI" | "Legacy") {
                return Err(not_in_list("BootSourceOverrideMode", m));
            }
            bmc_mut(core, name)?.boot_mode.clone_from(m);
        }
        if target.is_some() || enabled.is_some() {
            let bmc = bmc_mut(core, name)?;
            let old = bmc.boot_enabled.clone();
            let target = target.unwrap_or_else(|| bmc.boot_target.clone());
            // A target without a duration holds for the next boot.
            let enabled = enabled.unwrap_or_else(|| if old == "Disabled" { "Once".to_owned() } else { old });
            physics::set_boot_override(core, name, &target, &enabled);
            core.effect(format!("set_boot {name} {target} {enabled}"));
        }
    }
    let reply = Reply::new(204, "application/json", "");
    Ok(machine(core, name).map_or_else(|_| reply.clone(), |m| reply.clone().with_header("etag", etag(m))))
}

fn reset(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = parse(request)?;
    let Some(kind) = body.get("ResetType").and_then(Value::as_str) else {
        return Err(error(
            400,
            "ActionParameterMissing",
            "The action ComputerSystem.Reset requires the parameter ResetType to be present in the request body.",
            "Supply the action with the required parameter in the request body when the request is resubmitted.",
        ));
    };
    let on = machine(core, name)?.on;
    let command = match kind {
        "ForceOff" => Power::Off,
        "GracefulShutdown" => Power::Shutdown,
        "ForceRestart" | "GracefulRestart" => Power::Reset,
        "PowerCycle" => Power::Cycle,
        "PushPowerButton" if on => Power::Shutdown,
        "On" | "ForceOn" | "PushPowerButton" => Power::On,
        other => {
            return Err(error(
                400,
                "ActionParameterNotSupported",
                &format!(
                    "The parameter ResetType with the value {other} for the action ComputerSystem.Reset is not supported on the target resource."
                ),
                "Choose a value that the resource lists as allowable and resubmit the request.",
            ));
        }
    };
    if !on && matches!(command, Power::Reset | Power::Shutdown) {
        return Err(error(
            409,
            "ResourceInStandby",
            "The request could not be performed because the resource is in standby.",
            "Ensure that the resource is in the correct power state and resubmit the request.",
        ));
    }
    core.effect(match command {
        Power::On => format!("power_on {name}"),
        Power::Off | Power::Shutdown => format!("power_off {name}"),
        Power::Reset => format!("reset {name}"),
        Power::Cycle => format!("power_cycle {name}"),
    });
    physics::power(core, name, command);
    Ok(Reply::new(204, "application/json", ""))
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
    json!({ "State": "Enabled", "Health": "OK" })
}

fn service_root(m: &Machine) -> Value {
    resource(
        "ServiceRoot",
        "v1_5_0",
        "/",
        "RootService",
        "Root Service",
        json!({
            "RedfishVersion": "1.6.0",
            "UUID": m.uuid,
            "Product": "Simulated BMC",
            "Systems": link("/Systems"),
            "Chassis": link("/Chassis"),
            "Managers": link("/Managers"),
            "SessionService": link("/SessionService"),
            "Links": { "Sessions": link("/SessionService/Sessions") },
        }),
    )
}

fn odata() -> Value {
    let service = |name: &str| json!({ "name": name, "kind": "Singleton", "url": format!("{ROOT}/{name}") });
    json!({
        "@odata.context": "/redfish/v1/$metadata",
        "value": [service("Systems"), service("Chassis"), service("Managers"), service("SessionService")],
    })
}

const METADATA: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\"><edmx:DataServices><Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"Service\"><EntityContainer Name=\"Service\" Extends=\"ServiceRoot.v1_5_0.ServiceContainer\"/></Schema></edmx:DataServices></edmx:Edmx>\n";

fn system(m: &Machine) -> Value {
    let path = format!("/Systems/{}", m.uuid);
    let (target, enabled, mode, indicator) = m.bmc.as_ref().map_or(("None", "Disabled", "UEFI", "Off"), |b| {
        (b.boot_target.as_str(), b.boot_enabled.as_str(), b.boot_mode.as_str(), b.indicator.as_str())
    });
    let rollup = json!({ "State": "Enabled", "Health": "OK", "HealthRollup": "OK" });
    resource(
        "ComputerSystem",
        "v1_13_0",
        &path,
        &m.uuid,
        &m.name,
        json!({
            "UUID": m.uuid,
            "SystemType": "Physical",
            "Manufacturer": m.vendor,
            "Model": m.model,
            "SerialNumber": m.serial,
            "BiosVersion": m.bios_version,
            "HostName": m.installed.as_ref().map_or("", |i| i.fqdn.as_str()),
            "Status": rollup,
            "PowerState": if m.on { "On" } else { "Off" },
            "IndicatorLED": indicator,
            "Boot": {
                "BootSourceOverrideEnabled": enabled,
                "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
                "BootSourceOverrideTarget": target,
                "BootSourceOverrideTarget@Redfish.AllowableValues": TARGETS,
                "BootSourceOverrideMode": mode,
                "BootSourceOverrideMode@Redfish.AllowableValues": ["UEFI", "Legacy"],
            },
            "ProcessorSummary": { "Count": m.cpus, "Model": "Simulated CPU @ 2.40GHz", "Status": rollup },
            "MemorySummary": { "TotalSystemMemoryGiB": m.memory_mib / 1024, "Status": rollup },
            "EthernetInterfaces": link(&format!("{path}/EthernetInterfaces")),
            "Storage": link(&format!("{path}/Storage")),
            "Links": { "Chassis": [link("/Chassis/Chassis")], "ManagedBy": [link("/Managers/BMC")] },
            "Actions": { "#ComputerSystem.Reset": {
                "target": format!("{ROOT}{path}/Actions/ComputerSystem.Reset"),
                "ResetType@Redfish.AllowableValues": RESETS,
            }},
        }),
    )
}

/// Everything that can only be read.
fn read(m: &Machine, parts: &[&str]) -> Option<Value> {
    let id = m.uuid.as_str();
    if let ["Systems", given, rest @ ..] = parts
        && *given == id
    {
        return system_part(m, rest);
    }
    let manager = "/Managers/BMC";
    Some(match parts {
        ["Systems"] => collection("ComputerSystem", "Computer System Collection", "/Systems", &[id.to_owned()]),
        ["Chassis"] => collection("Chassis", "Chassis Collection", "/Chassis", &["Chassis".to_owned()]),
        ["Chassis", "Chassis"] => resource(
            "Chassis",
            "v1_10_0",
            "/Chassis/Chassis",
            "Chassis",
            "Chassis",
            json!({
                "ChassisType": "RackMount", "Manufacturer": m.vendor, "Model": m.model, "SerialNumber": m.serial,
                "PowerState": if m.on { "On" } else { "Off" }, "Status": status(),
                "Links": { "ComputerSystems": [link(&format!("/Systems/{id}"))], "ManagedBy": [link(manager)] },
            }),
        ),
        ["Managers"] => collection("Manager", "Manager Collection", "/Managers", &["BMC".to_owned()]),
        ["Managers", "BMC"] => resource(
            "Manager",
            "v1_9_0",
            manager,
            "BMC",
            "Manager",
            json!({
                "ManagerType": "BMC", "UUID": id, "Model": "Simulated BMC", "FirmwareVersion": "1.00", "PowerState": "On", "Status": status(),
                "EthernetInterfaces": link(&format!("{manager}/EthernetInterfaces")),
                "Links": { "ManagerForServers": [link(&format!("/Systems/{id}"))], "ManagerForChassis": [link("/Chassis/Chassis")] },
                "Actions": { "#Manager.Reset": {
                    "target": format!("{ROOT}{manager}/Actions/Manager.Reset"), "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
                }},
            }),
        ),
        ["Managers", "BMC", "EthernetInterfaces"] => {
            collection("EthernetInterface", "Ethernet Interface Collection", &format!("{manager}/EthernetInterfaces"), &["1".to_owned()])
        }
        ["Managers", "BMC", "EthernetInterfaces", "1"] => {
            let mac = names::mac(0, &format!("bmc {}", m.serial));
            resource(
                "EthernetInterface",
                "v1_6_0",
                &format!("{manager}/EthernetInterfaces/1"),
                "1",
                "Manager Ethernet Interface",
                json!({
                    "MACAddress": mac, "PermanentMACAddress": mac, "Status": status(), "LinkStatus": "LinkUp", "InterfaceEnabled": true,
                    "IPv4Addresses": [{ "Address": m.bmc.as_ref().map(|b| &b.address), "AddressOrigin": "Static" }],
                }),
            )
        }
        ["SessionService"] => resource(
            "SessionService",
            "v1_1_8",
            "/SessionService",
            "SessionService",
            "Session Service",
            json!({
                "ServiceEnabled": true, "SessionTimeout": 1800, "Status": status(), "Sessions": link("/SessionService/Sessions"),
            }),
        ),
        ["SessionService", "Sessions"] => {
            let open: Vec<String> = m.bmc.iter().flat_map(|b| b.sessions.keys().cloned()).collect();
            collection("Session", "Session Collection", "/SessionService/Sessions", &open)
        }
        ["SessionService", "Sessions", s] => {
            let bmc = m.bmc.as_ref().filter(|b| b.sessions.contains_key(*s))?;
            session(s, &bmc.user)
        }
        _ => return None,
    })
}

fn system_part(m: &Machine, rest: &[&str]) -> Option<Value> {
    let path = format!("/Systems/{}", m.uuid);
    Some(match rest {
        ["EthernetInterfaces"] => {
            let members: Vec<String> = m.nics.iter().map(|n| n.mac.clone()).collect();
            collection("EthernetInterface", "Ethernet Interface Collection", &format!("{path}/EthernetInterfaces"), &members)
        }
        ["EthernetInterfaces", mac] => {
            let n = m.nics.iter().find(|n| n.mac.eq_ignore_ascii_case(mac))?;
            resource(
                "EthernetInterface",
                "v1_6_0",
                &format!("{path}/EthernetInterfaces/{}", n.mac),
                &n.mac,
                &n.product,
                json!({
                    "MACAddress": n.mac, "PermanentMACAddress": n.mac, "SpeedMbps": n.speed, "Status": status(),
                    "LinkStatus": if n.wire.is_some() { "LinkUp" } else { "LinkDown" }, "InterfaceEnabled": true,
                    "UefiDevicePath": format!("PciRoot(0x0)/Pci({})", n.pci),
                }),
            )
        }
        ["Storage"] => collection("Storage", "Storage Collection", &format!("{path}/Storage"), &["1".to_owned()]),
        ["Storage", "1"] => {
            let drives: Vec<Value> = m.disks.iter().map(|d| link(&format!("{path}/Storage/1/Drives/{}", d.serial))).collect();
            resource(
                "Storage",
                "v1_8_0",
                &format!("{path}/Storage/1"),
                "1",
                "Local Storage Controller",
                json!({
                    "Status": status(), "Drives@odata.count": drives.len(), "Drives": drives,
                    "Volumes": link(&format!("{path}/Storage/1/Volumes")),
                }),
            )
        }
        ["Storage", "1", "Volumes"] => collection("Volume", "Volume Collection", &format!("{path}/Storage/1/Volumes"), &[]),
        ["Storage", "1", "Drives", serial] => {
            let d = m.disks.iter().find(|d| d.serial == *serial)?;
            resource(
                "Drive",
                "v1_4_0",
                &format!("{path}/Storage/1/Drives/{serial}"),
                serial,
                &d.model,
                json!({
                    "CapacityBytes": d.size, "SerialNumber": d.serial, "Model": d.model, "Manufacturer": "Simulated Corporation",
                    "MediaType": if d.rotary { "HDD" } else { "SSD" }, "Protocol": "SATA", "BlockSizeBytes": 512, "Status": status(),
                }),
            )
        }
        _ => return None,
    })
}

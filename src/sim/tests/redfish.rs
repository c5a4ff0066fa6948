//! The BMC's side.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::fixture::{Lab, shared};
use crate::sim::options::{FaultRule, MachineFault, SimOptions};

fn lab() -> Lab {
    Lab::new(&SimOptions::default())
}

#[test]
fn power_follows_after_a_while() {
    let mut lab = lab();
    let system = lab.system("node01");
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    let state = |lab: &mut Lab| lab.bmc("node01", "GET", &system, &Value::Null).body["PowerState"].clone();
    assert_eq!(state(&mut lab), "Off");
    assert_eq!(lab.bmc("node01", "POST", &reset, &json!({ "ResetType": "ForceRestart" })).status, 409);
    assert_eq!(lab.bmc("node01", "POST", &reset, &json!({ "ResetType": "On" })).status, 204);
    assert_eq!(state(&mut lab), "Off");
    lab.tick(50);
    assert_eq!(state(&mut lab), "On");
    lab.tick(1000);
    assert_eq!(lab.bmc("node01", "POST", &reset, &json!({ "ResetType": "GracefulShutdown" })).status, 204);
    lab.tick(1000);
    assert_eq!(state(&mut lab), "On", "no operating system listens");
    assert_eq!(lab.bmc("node01", "POST", &reset, &json!({ "ResetType": "ForceOff" })).status, 204);
    lab.tick(50);
    assert_eq!(state(&mut lab), "Off");
    let bogus = lab.bmc("node01", "POST", &reset, &json!({ "ResetType": "Bogus" }));
    assert_eq!(bogus.status, 400);
    assert_eq!(bogus.body["error"]["code"], "Base.1.13.ActionParameterNotSupported");
}

#[test]
fn boot_overrides_are_checked_and_kept() {
    let mut lab = lab();
    let system = lab.system("node01");
    let before = lab.bmc("node01", "GET", &system, &Value::Null);
    let etag = before.headers["etag"].clone();
    let boot = |t: &str, e: &str| json!({ "Boot": { "BootSourceOverrideTarget": t, "BootSourceOverrideEnabled": e } });
    assert_eq!(lab.bmc("node01", "PATCH", &system, &boot("Pxe", "Continuous")).status, 204);
    let after = lab.bmc("node01", "GET", &system, &Value::Null);
    assert_eq!(after.body["Boot"]["BootSourceOverrideTarget"], "Pxe");
    assert_eq!(after.body["Boot"]["BootSourceOverrideEnabled"], "Continuous");
    assert_ne!(after.headers["etag"], etag);
    assert_eq!(lab.bmc("node01", "PATCH", &system, &boot("Floppy", "Once")).status, 400);
    assert_eq!(lab.bmc("node01", "PATCH", &system, &json!({ "AssetTag": "x" })).status, 400);
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Basic cm9vdDpjYW5hcnktYm1j".parse().unwrap());
    headers.insert("if-match", etag.parse().unwrap());
    assert_eq!(lab.bmc_with(&headers, "node01", "PATCH", &system, &boot("Hdd", "Once")).status, 412);
    assert_eq!(lab.bmc("node01", "DELETE", &system, &Value::Null).status, 405);
}

#[test]
fn sessions_and_basic_authentication() {
    let mut lab = lab();
    let none = HeaderMap::new();
    assert_eq!(lab.bmc_with(&none, "node01", "GET", "/redfish/v1/", &Value::Null).status, 200);
    let refused = lab.bmc_with(&none, "node01", "GET", "/redfish/v1/Systems", &Value::Null);
    assert_eq!(refused.status, 401);
    assert!(refused.headers.contains_key("www-authenticate"));
    let sessions = "/redfish/v1/SessionService/Sessions";
    assert_eq!(lab.bmc_with(&none, "node01", "POST", sessions, &json!({ "UserName": "root", "Password": "x" })).status, 401);
    let open = lab.bmc_with(&none, "node01", "POST", sessions, &json!({ "UserName": "root", "Password": "canary-bmc" }));
    assert_eq!(open.status, 201);
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-token", open.headers["x-auth-token"].parse().unwrap());
    assert_eq!(lab.bmc_with(&headers, "node01", "GET", "/redfish/v1/Systems", &Value::Null).status, 200);
    assert_eq!(lab.bmc_with(&headers, "node02", "GET", "/redfish/v1/Systems", &Value::Null).status, 401);
    assert_eq!(lab.bmc_with(&headers, "node01", "DELETE", &open.headers["location"], &Value::Null).status, 204);
    assert_eq!(lab.bmc_with(&headers, "node01", "GET", "/redfish/v1/Systems", &Value::Null).status, 401);
}

/// Every link leads to a resource that names itself and its type.
#[test]
fn the_tree_is_whole() {
    let mut lab = lab();
    let mut todo = vec!["/redfish/v1/".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = todo.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let got = lab.bmc("node01", "GET", &path, &Value::Null);
        assert_eq!(got.status, 200, "{path}");
        assert_eq!(got.body["@odata.id"].as_str().map(|p| p.trim_end_matches('/')), Some(path.trim_end_matches('/')));
        assert!(got.body["@odata.type"].as_str().is_some_and(|t| t.starts_with('#')), "{path}");
        assert!(got.body["@odata.context"].is_string(), "{path}");
        links(&got.body, &mut todo);
    }
    assert!(seen.len() >= 18, "{seen:?}");
}

fn links(v: &Value, out: &mut Vec<String>) {
    match v {
        Value::Object(m) => {
            out.extend(m.get("@odata.id").and_then(Value::as_str).map(str::to_owned));
            m.values().for_each(|x| links(x, out));
        }
        Value::Array(a) => a.iter().for_each(|x| links(x, out)),
        _ => {}
    }
}

#[test]
fn systems_have_what_recorded_systems_have() {
    let Some(root) = shared() else {
        eprintln!("skipped: the recorded answers are not here (DRYDOCK_SHARED)");
        return;
    };
    let mut lab = lab();
    let path = lab.system("node01");
    let ours = lab.bmc("node01", "GET", &path, &Value::Null).body;
    let text = std::fs::read_to_string(root.join("reference/redfish-sushy-libvirt/system.json")).unwrap();
    let theirs: Value = serde_json::from_str(&text).unwrap();
    // What the emulator has beyond a plain server.
    let extra = ["@Redfish.Copyright", "Bios", "Memory", "Processors", "SecureBoot", "VirtualMedia"];
    for (k, v) in theirs.as_object().unwrap().iter().filter(|(k, _)| !extra.contains(&k.as_str())) {
        assert_eq!(std::mem::discriminant(v), std::mem::discriminant(&ours[k]), "{k}");
    }
    for k in ["BootSourceOverrideEnabled", "BootSourceOverrideTarget", "BootSourceOverrideTarget@Redfish.AllowableValues"] {
        assert!(!ours["Boot"][k].is_null(), "{k}");
    }
    let error = lab.bmc("node01", "GET", "/redfish/v1/Nothing", &Value::Null);
    assert_eq!(error.status, 404);
    assert!(error.body["error"]["code"].as_str().unwrap().starts_with("Base.1."));
    assert!(error.body["error"]["@Message.ExtendedInfo"][0]["MessageId"].is_string());
}

#[test]
fn wrong_credentials_and_lost_power() {
    let rule = |node: &str, f| FaultRule { node: Some(node.into()), machine: Some(f), ..FaultRule::default() };
    let faults = vec![rule("node01", MachineFault::WrongCredentials), rule("node02", MachineFault::LostPower)];
    let mut lab = Lab::new(&SimOptions { faults, ..SimOptions::default() });
    let system = lab.system("node01");
    assert_eq!(lab.bmc("node01", "GET", &system, &Value::Null).status, 401);
    let system = lab.system("node02");
    let reset = format!("{system}/Actions/ComputerSystem.Reset");
    assert_eq!(lab.bmc("node02", "POST", &reset, &json!({ "ResetType": "On" })).status, 204);
    lab.tick(10_000);
    assert_eq!(lab.bmc("node02", "GET", &system, &Value::Null).body["PowerState"], "Off");
}

use serde_json::Value;

use super::super::client::{Api, ApiCall};
use super::server::{CANARY, HANGS, Recorded, Server, all_recordings, every_recording, recorded};
use crate::build::Fact;
use crate::driver::http::{HttpOptions, Method};
use crate::driver::{DriverError, ErrorClass, NodeDriver};
use crate::redact::Secret;

/// The error that a recorded answer becomes.
async fn error_of(recording: Recorded) -> DriverError {
    let method = Method::from_bytes(recording.method.as_bytes()).unwrap();
    let op: Option<&'static str> = recording.op.clone().map(|o| &*o.leak());
    let call = ApiCall { method, path: recording.path.clone(), op, params: recording.params.clone(), secrets: Vec::new() };
    let server = Server::start(vec![recording]).await;
    let options = HttpOptions { attempts: 1, ..HttpOptions::default() };
    let api = Api::new(&server.url, &Secret::new(format!("LiveConsumer:LiveToken:{CANARY}")), options, 2).unwrap();
    api.send(&call).await.unwrap_err()
}

#[tokio::test]
async fn failures_have_the_class_that_they_are() {
    for (name, class, said) in [
        ("error-no-auth", ErrorClass::Credentials, "401"),
        ("error-no-auth-machines", ErrorClass::Credentials, "Unrecognised signature"),
        ("error-wrong-secret", ErrorClass::Credentials, "401"),
        ("error-not-admin", ErrorClass::Credentials, "reserved for admin users"),
        ("error-bad-op", ErrorClass::Rejected, "op=nosuch"),
        ("error-missing-machine", ErrorClass::Precondition, "No Machine matches"),
        ("error-missing-url", ErrorClass::Rejected, "Unknown API endpoint"),
        ("tag-create-bad-definition", ErrorClass::Rejected, "Invalid xpath expression"),
        ("interface-link-subnet-ip-taken", ErrorClass::Rejected, "IP address is already in use."),
        ("machine-deploy-while-deploying", ErrorClass::NotReady, "in the 'Deploying' state"),
        ("machine-release-locked", ErrorClass::Rejected, "403"),
        ("norack-power-off", ErrorClass::Busy, "Unable to connect to any rack controller"),
        ("norack-deploy", ErrorClass::Transient, "BMC task queue"),
        ("machine-commission-when-deployed", ErrorClass::NotReady, "current state of the node"),
        ("subnet-create-duplicate", ErrorClass::Rejected, "already exists"),
    ] {
        let error = error_of(recorded(name)).await;
        assert_eq!(error.class, class, "{name}: {error}");
        assert!(error.message.contains(said), "{name}: {error}");
        assert!(!format!("{error:?}").contains(CANARY), "{name}");
    }
    let locked = error_of(recorded("machine-release-locked")).await;
    assert!(locked.hint.unwrap().contains("unlock"));
}

#[tokio::test]
async fn no_recorded_failure_leaks_the_secret_or_panics() {
    let Some(folder) = all_recordings() else { return };
    let mut failures = 0;
    for (name, mut recording) in every_recording(&folder) {
        if recording.status < 400 {
            continue;
        }
        if let Value::String(text) = &recording.body {
            recording.body = Value::String(text.replace("LiveAdminTokenSecret000000000001", CANARY));
        }
        let error = error_of(recording).await;
        assert!(!format!("{error:?}").contains(CANARY), "{name}: {error}");
        failures += 1;
    }
    assert!(failures > 40, "{failures}");
}

#[tokio::test]
async fn credentials_fail_discovery_as_such() {
    let mut denied = recorded("error-wrong-secret").at("GET", "users/", Some("whoami"));
    denied.body = Value::String(format!("Expected signature base string: &{CANARY}"));
    let server = Server::start(vec![recorded("version"), denied]).await;
    let error = server.driver().discover().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.hint.as_deref().unwrap().contains("API key"));
    assert!(!format!("{error:?}").contains(CANARY));
}

#[tokio::test]
async fn every_request_is_signed_and_no_nonce_is_used_twice() {
    let mut busy = recorded("version");
    busy.status = 503;
    let server = Server::start(vec![busy.clone(), busy, recorded("version"), recorded("users-whoami")]).await;
    let _ = server.driver().discover().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|a| a.path == "version/").count(), 3, "a read that was refused for now is repeated");
    let mut nonces: Vec<String> = asked
        .iter()
        .map(|a| {
            let header = a.authorization.clone().unwrap();
            assert!(header.starts_with("OAuth ") && header.contains(&format!("oauth_signature=\"%26{CANARY}\"")));
            header.split("oauth_nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        })
        .collect();
    let all = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), all);
}

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let mut busy = recorded("fabric-create");
    busy.status = 503;
    let server = Server::start(vec![busy]).await;
    let api = Api::new(&server.url, &Secret::new("a:b:c"), HttpOptions::default(), 2).unwrap();
    let error = api.send(&ApiCall::create("fabrics/").with("name", "dc1")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Busy);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_list_that_hangs_is_unknown_after_the_request_timeout() {
    let lists = ["fabrics", "subnets", "ipranges", "static-routes", "domains", "tags", "package-repositories", "boot-resources"];
    let mut answers: Vec<Recorded> = ["version", "users-whoami", "sshkeys", "rackcontrollers", "regioncontrollers"].map(recorded).into();
    answers.extend(lists.map(recorded));
    answers.push(Recorded { status: HANGS, ..recorded("machines") });
    let server = Server::start(answers).await;
    let driver = server.driver_with(|o| o.http.set_request_timeout(std::time::Duration::from_millis(300)));
    let seen = driver.discover().await.unwrap();
    assert_eq!(seen.machines, Fact::Unknown("MAAS: GET machines/: no answer within 300 ms".into()));
    assert!(seen.fabrics.known().is_some() && seen.tags.known().is_some(), "what answered is known");
    assert_eq!(server.asked().iter().filter(|a| a.path == "machines/" && a.op.is_none()).count(), 1);

    let server = Server::start(vec![Recorded { status: HANGS, ..recorded("version") }]).await;
    let driver = server.driver_with(|o| o.http.set_request_timeout(std::time::Duration::from_millis(300)));
    let error = driver.discover().await.unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Transient, "MAAS: GET version/: no answer within 300 ms"));
    assert!(error.hint.unwrap().contains("`request_timeout`"));
}

#[tokio::test]
async fn details_that_hang_hold_up_no_more_than_a_few_machines() {
    let first = recorded("machines").body[0].clone();
    let many: Vec<Value> = (0..60)
        .map(|i| {
            let mut m = first.clone();
            m["system_id"] = Value::from(format!("m{i:05}"));
            m["volume_groups"] = Value::Array(vec![]);
            m
        })
        .collect();
    let mut answers: Vec<Recorded> = ["version", "users-whoami"].map(recorded).into();
    answers.push(Recorded { body: Value::Array(many), ..recorded("machines") });
    answers.extend(
        (0..60).map(|i| Recorded { status: HANGS, ..Recorded::made("GET", &format!("machines/m{i:05}/"), Some("details"), Value::Null) }),
    );
    let server = Server::start(answers).await;
    let driver = server.driver_with(|o| o.http.set_request_timeout(std::time::Duration::from_millis(800)));
    let seen = driver.discover().await.unwrap();
    assert_eq!(seen.machines.known().map(Vec::len), Some(60), "{:?}", seen.machines);
    let asked = server.asked().iter().filter(|a| a.op.as_deref() == Some("details")).count();
    assert!(asked < 40, "{asked}");
}

#[tokio::test]
async fn what_a_lost_answer_has_removed_is_removed() {
    let lost = || Recorded { status: 502, ..Recorded::made("DELETE", "subnets/7/", None, Value::Null) };
    let gone = || recorded("error-missing-machine").at("DELETE", "subnets/7/", None);
    let options = HttpOptions { backoff: std::time::Duration::from_millis(1), ..HttpOptions::default() };
    let api = |server: &Server| Api::new(&server.url, &Secret::new("a:b:c"), options.clone(), 2).unwrap();
    let server = Server::start(vec![lost(), gone()]).await;
    assert!(api(&server).send(&ApiCall::delete("subnets/7/")).await.is_ok());
    assert_eq!(server.asked().len(), 2);
    // What was not there at the first attempt was removed by somebody else.
    let server = Server::start(vec![gone()]).await;
    assert!(api(&server).send(&ApiCall::delete("subnets/7/")).await.is_err());
}

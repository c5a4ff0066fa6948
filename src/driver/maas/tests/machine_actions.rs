use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::DesignSecrets;
use super::super::client::ANNOTATE;
use super::server::{Asked, Recorded, Server, recorded};
use super::site_actions::{call as site_call, failed, observe};
use crate::action::ActionKind;
use crate::action::params::{
    ApplyNodePlatform, ConfigureHardware, DeployNode, DestroyNode, IdentifyNode, KernelParams, NoParams, PowerSettings,
};
use crate::build::Binding;
use crate::driver::{Begun, Call, Driver, ErrorClass, Observation};
use crate::redact::Secret;

const ID: &str = "xna7aq";
const MAC: &str = "52:54:00:46:19:38";

pub(super) fn call(kind: ActionKind, params: &impl Serialize) -> Call {
    Call {
        resource: "node.node01".into(),
        node: Some("node01".into()),
        binding: Binding { machine: Some(ID.into()), macs: vec![MAC.into()], ..Binding::default() },
        ..site_call(kind, params)
    }
}

/// `machines/` with the recorded machine in another state; one in use is the key's user's.
pub(super) fn machine(status: u64, name: &str, change: Value) -> Recorded {
    let mut list = recorded("machines");
    list.body.as_array_mut().unwrap().truncate(1);
    let machine = list.body[0].as_object_mut().unwrap();
    machine.insert("status".into(), json!(status));
    machine.insert("status_name".into(), json!(name));
    machine.insert("status_message".into(), json!(name));
    if ![0, 1, 2, 4, 21, 22].contains(&status) {
        machine.insert("owner".into(), json!("admin"));
    }
    if let Value::Object(fields) = change {
        machine.extend(fields);
    }
    list
}

fn op(op: &'static str) -> Recorded {
    Recorded::made("POST", "machines/xna7aq/", Some(op), json!({"system_id": ID}))
}

fn said(asked: &Asked) -> String {
    let form: Vec<String> = asked.params.iter().map(|(n, v)| format!("{n}={v}")).collect();
    format!("{} {} {} {}", asked.method, asked.path, asked.op.as_deref().unwrap_or("-"), form.join("&"))
}

/// What begin changes.
pub(super) async fn changes(server: &Server, call: &Call) -> (Begun, Vec<String>) {
    let begun = server.driver().begin(call).await.unwrap();
    (begun, server.changes().iter().map(said).collect())
}

fn progress(observation: Observation) -> String {
    match observation {
        Observation::InProgress { detail } => detail,
        other => panic!("not in progress: {other:?}"),
    }
}

fn none() -> Recorded {
    Recorded::made("GET", "machines/", None, json!([]))
}

#[tokio::test]
async fn a_machine_is_found_by_its_macs_and_named() {
    let params = IdentifyNode { hostname: "compute01".into(), domain: Some("example.test".into()), power: None };
    let mut identify = call(ActionKind::IdentifyNode, &params);
    identify.binding.machine = None;
    let server = Server::start(vec![none()]).await;
    assert!(progress(observe(&server, &identify).await).contains("waiting for enlistment"));
    assert_eq!(said(&server.asked()[0]), format!("GET machines/ - mac_address={MAC}"));

    let put = Recorded::made("PUT", "machines/xna7aq/", None, json!({"system_id": ID}));
    let server = Server::start(vec![machine(0, "New", Value::Null), put]).await;
    assert_eq!(observe(&server, &identify).await, Observation::NotStarted);
    let (begun, sent) = changes(&server, &identify).await;
    assert_eq!((begun, sent), (Begun::Complete, vec!["PUT machines/xna7aq/ - hostname=compute01&domain=example.test".to_owned()]));

    let named = machine(0, "New", json!({"hostname": "compute01", "domain": {"id": 1, "name": "example.test"}}));
    let server = Server::start(vec![named]).await;
    let outputs = BTreeMap::from([("machine".to_owned(), ID.to_owned())]);
    assert_eq!(observe(&server, &identify).await, Observation::Done { outputs });

    let mut two = machine(0, "New", Value::Null);
    let mut twin = two.body[0].clone();
    twin["system_id"] = json!("twin01");
    two.body.as_array_mut().unwrap().push(twin);
    let error = failed(observe(&Server::start(vec![two]).await, &identify).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("two machines") && error.message.contains("twin01"), "{error}");

    identify.binding.macs.clear();
    let error = failed(observe(&Server::start(vec![none()]).await, &identify).await);
    assert!(error.message.contains("neither MACs nor a UUID nor a machine id"), "{error}");
}

#[tokio::test]
async fn power_settings_are_sent_with_credentials_that_nothing_shows() {
    let power = PowerSettings { address: "10.9.0.11".into(), kind: "redfish".into(), renew: false };
    let params = IdentifyNode { hostname: "compute01".into(), domain: None, power: Some(power) };
    let identify = call(ActionKind::IdentifyNode, &params);
    let named = |kind: &str| machine(0, "New", json!({"hostname": "compute01", "power_type": kind}));
    let address =
        |text: &str| Recorded::made("GET", "machines/xna7aq/", Some("power_parameters"), json!({"power_address": text, "power_pass": "x"}));
    let put = Recorded::made("PUT", "machines/xna7aq/", None, json!({"system_id": ID}));
    let server = Server::start(vec![named("redfish"), address("10.9.0.11")]).await;
    assert!(matches!(observe(&server, &identify).await, Observation::Done { .. }));
    for (kind, at) in [("ipmi", "10.9.0.11"), ("redfish", "10.9.0.99")] {
        let server = Server::start(vec![named(kind), address(at), put.clone()]).await;
        // Without credentials nothing is sent.
        let error = failed(observe(&server, &identify).await);
        assert!(error.class == ErrorClass::Settings && error.message.contains("10.9.0.11"), "{error}");
        let driver = server.driver_with(|o| {
            o.bmc_credentials.insert("node01".into(), ("root".into(), Secret::new("canary-power")));
        });
        assert!(!format!("{driver:?}").contains("canary-power"));
        assert_eq!(driver.begin(&identify).await.unwrap(), Begun::Complete);
        let sent: Vec<String> = server.changes().iter().map(said).collect();
        let form = "power_type=redfish&power_parameters_power_address=10.9.0.11&power_parameters_power_user=root&power_parameters_power_pass=canary-power";
        assert_eq!(sent, [format!("PUT machines/xna7aq/ - {form}")]);
    }
}

#[tokio::test]
async fn another_machine_than_the_bound_one_is_refused() {
    let mut bound = call(ActionKind::ConfigureHardware, &NoParams {});
    bound.binding.machine = Some("other1".into());
    let server = Server::start(vec![machine(0, "New", Value::Null)]).await;
    let error = failed(observe(&server, &bound).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("the node is bound to machine other1"), "{error}");
    assert_eq!(server.driver().begin(&bound).await.unwrap_err().class, ErrorClass::Precondition);

    bound.binding = Binding { uuid: Some("0000".into()), machine: Some(ID.into()), ..Binding::default() };
    let server = Server::start(vec![machine(0, "New", json!({"hardware_uuid": "FFFF"}))]).await;
    assert!(failed(observe(&server, &bound).await).message.contains("system UUID ffff"));
    assert_eq!(server.changes(), []);
}

#[tokio::test]
async fn commissioning_by_status() {
    let commission = call(ActionKind::ConfigureHardware, &NoParams {});
    let begun = Call { begun: true, ..commission.clone() };
    let at = |status, name| machine(status, name, json!({"error_description": "a test failed"}));
    for (status, name, call, expected) in [
        (0, "New", &commission, Observation::NotStarted),
        (2, "Failed commissioning", &commission, Observation::NotStarted),
        (22, "Failed testing", &commission, Observation::NotStarted),
        (4, "Ready", &begun, Observation::done()),
        (10, "Allocated", &commission, Observation::done()),
        (9, "Deploying", &commission, Observation::done()),
        (6, "Deployed", &commission, Observation::done()),
        (1, "Commissioning", &begun, Observation::InProgress { detail: "Commissioning".into() }),
        (21, "Testing", &begun, Observation::InProgress { detail: "Testing".into() }),
    ] {
        let server = Server::start(vec![at(status, name)]).await;
        assert_eq!(observe(&server, call).await, expected, "{name}");
    }
    let error = failed(observe(&Server::start(vec![at(2, "Failed commissioning")]).await, &begun).await);
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Failed, "Failed commissioning: a test failed"));
    // The same commissioning as before the intent: that one failed, and this one never began.
    let earlier = |id: u64| machine(2, "Failed commissioning", json!({"current_commissioning_result_id": id}));
    let before = Call { before: Some("commissioning 7".into()), ..begun.clone() };
    assert_eq!(observe(&Server::start(vec![earlier(7)]).await, &before).await, Observation::NotStarted);
    assert_eq!(failed(observe(&Server::start(vec![earlier(8)]).await, &before).await).class, ErrorClass::Failed);
    let error = failed(observe(&Server::start(vec![at(8, "Broken")]).await, &commission).await);
    assert_eq!(error.class, ErrorClass::Precondition);

    let server = Server::start(vec![at(0, "New"), op("commission")]).await;
    let (begun, sent) = changes(&server, &commission).await;
    assert_eq!((begun, sent), (Begun::Wait { reason: "commissioning".into() }, vec!["POST machines/xna7aq/ commission ".to_owned()]));
}

#[tokio::test]
async fn a_machine_is_commissioned_again_once_and_as_the_settings_say() {
    let params = ConfigureHardware {
        again_after: Some(7),
        commissioning_scripts: vec!["update_firmware".into(), "configure_raid".into()],
        enable_ssh: true,
        parameters: BTreeMap::from([("smartctl-validate_storage".into(), "sda".into())]),
        skip_bmc_config: true,
        testing_scripts: Some(Vec::new()),
    };
    let again = call(ActionKind::ConfigureHardware, &params);
    let at = |result: u64| machine(4, "Ready", json!({"current_commissioning_result_id": result}));
    let server = Server::start(vec![at(7), op("commission")]).await;
    assert_eq!(observe(&server, &again).await, Observation::NotStarted);
    let sent = "POST machines/xna7aq/ commission enable_ssh=1&skip_bmc_config=1&commissioning_scripts=update_firmware,configure_raid&testing_scripts=none&smartctl-validate_storage=sda";
    assert_eq!(changes(&server, &again).await.1, [sent]);
    // Another result: it was commissioned again, whoever looks.
    assert_eq!(observe(&Server::start(vec![at(8)]).await, &again).await, Observation::done());
}

#[tokio::test]
async fn only_the_record_of_a_free_machine_is_deleted() {
    let delete = call(ActionKind::DeleteNode, &NoParams {});
    let gone = Recorded::made("DELETE", "machines/xna7aq/", None, Value::Null);
    for (status, name) in [(4, "Ready"), (0, "New"), (2, "Failed commissioning")] {
        let server = Server::start(vec![machine(status, name, Value::Null), gone.clone()]).await;
        assert_eq!(observe(&server, &delete).await, Observation::NotStarted, "{name}");
        assert_eq!(changes(&server, &delete).await.1, ["DELETE machines/xna7aq/ - "]);
    }
    assert_eq!(observe(&Server::start(vec![none()]).await, &delete).await, Observation::done());
    // Deleted, and enlisted anew under another id.
    let mut anew = delete.clone();
    anew.binding.machine = Some("gone01".into());
    let server = Server::start(vec![machine(0, "New", Value::Null)]).await;
    assert_eq!(observe(&server, &anew).await, Observation::done());
    for (status, name, locked) in
        [(6, "Deployed", false), (9, "Deploying", false), (8, "Broken", false), (12, "Releasing", false), (4, "Ready", true)]
    {
        let server = Server::start(vec![machine(status, name, json!({ "locked": locked }))]).await;
        failed(observe(&server, &delete).await);
        assert!(server.driver().begin(&delete).await.is_err());
        assert_eq!(server.changes(), [], "{name}");
    }
}

fn deploy() -> Call {
    call(
        ActionKind::DeployNode,
        &DeployNode { os: "ubuntu".into(), series: "noble".into(), kernel: Some("ga-24.04".into()), user_data: None },
    )
}

fn owned(action: &str) -> Value {
    json!({"owner": "admin", "osystem": "ubuntu", "distro_series": "noble",
           "workload_annotations": {"drydock.site": "site1", "drydock.action": action}})
}

#[tokio::test]
async fn a_machine_is_allocated_marked_and_deployed() {
    let answers = || vec![recorded("machines-allocate"), op("set_workload_annotations"), op("deploy")];
    let server = Server::start([vec![machine(4, "Ready", Value::Null)], answers()].concat()).await;
    assert_eq!(observe(&server, &deploy()).await, Observation::NotStarted);
    let (begun, sent) = changes(&server, &deploy()).await;
    assert_eq!(begun, Begun::Wait { reason: "deploying".into() });
    let last = "POST machines/xna7aq/ deploy distro_series=ubuntu/noble&hwe_kernel=ga-24.04&comment=drydock action a1b2";
    let mark = "POST machines/xna7aq/ set_workload_annotations drydock.site=site1&drydock.action=a1b2&drydock.user_data=none";
    assert_eq!(sent, ["POST machines/ allocate system_id=xna7aq&comment=drydock action a1b2", mark, last]);

    // Stopped between the calls.
    let begun = Call { begun: true, ..deploy() };
    let unmarked = machine(10, "Allocated", json!({"owner": "admin"}));
    let server = Server::start([vec![unmarked.clone()], answers()].concat()).await;
    assert_eq!(changes(&server, &begun).await.1, [mark, last]);
    let server = Server::start([vec![machine(10, "Allocated", owned("a1b2"))], answers()].concat()).await;
    assert_eq!(changes(&server, &begun).await.1, [last]);
    // Allocated by somebody else.
    let error = failed(observe(&Server::start(vec![unmarked]).await, &deploy()).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("allocated to admin"), "{error}");
}

#[tokio::test]
async fn user_data_is_sent_if_it_is_what_the_plan_says() {
    let planned = "1 file, 99 bytes, SHA-256 0123";
    let params = DeployNode { os: "ubuntu".into(), series: "noble".into(), kernel: None, user_data: Some(planned.into()) };
    let deploy = call(ActionKind::DeployNode, &params);
    let answers = vec![machine(4, "Ready", Value::Null), recorded("machines-allocate"), op("set_workload_annotations"), op("deploy")];
    for (given, why) in [(None, "the design has nothing for it"), (Some("2 files, 100 bytes, SHA-256 4567"), "2 files")] {
        let server = Server::start(answers.clone()).await;
        let driver = server.driver();
        let user_data = given.map(|g| ("node01".into(), (g.to_owned(), Secret::new("canary-data")))).into_iter().collect();
        driver.give(DesignSecrets { user_data, ..DesignSecrets::default() });
        let error = driver.begin(&deploy).await.unwrap_err();
        assert!(error.class == ErrorClass::Precondition && error.message.contains(why) && error.message.contains(planned), "{error}");
        assert_eq!(driver.prerequisites(std::slice::from_ref(&deploy)).await.unwrap_err(), error, "it is said before anything is given up");
        assert_eq!(server.changes(), []);
    }
    let server = Server::start(answers).await;
    let driver = server.driver();
    let user_data = [("node01".into(), (planned.to_owned(), Secret::new("canary-data")))].into();
    driver.give(DesignSecrets { user_data, ..DesignSecrets::default() });
    assert!(!format!("{driver:?}").contains("canary-data"));
    driver.begin(&deploy).await.unwrap();
    let sent: Vec<String> = server.changes().iter().map(said).collect();
    assert!(sent[1].ends_with(&format!("&drydock.user_data={planned}")) && sent[2].ends_with("&user_data=canary-data"), "{sent:?}");
}

#[tokio::test]
async fn what_is_deployed_has_to_be_what_was_asked_for() {
    let observed = |change: Value| async move {
        let mut machine_as = owned("a1b2");
        machine_as.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        observe(&Server::start(vec![machine(6, "Deployed", machine_as)]).await, &deploy()).await
    };
    assert_eq!(observed(json!({"hwe_kernel": "ga-24.04"})).await, Observation::done());
    assert_eq!(observed(json!({"hwe_kernel": null})).await, Observation::done(), "images of others have none that MAAS knows");
    for (change, said) in [
        (json!({"hwe_kernel": "hwe-24.04"}), "kernel hwe-24.04 instead of ga-24.04"),
        (json!({"hwe_kernel": "ga-24.04", "distro_series": "jammy"}), "image ubuntu/jammy instead of ubuntu/noble"),
    ] {
        let error = failed(observed(change).await);
        assert!(error.class == ErrorClass::Failed && error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn credentials_that_maas_cannot_use_are_set_anew_once() {
    let power = PowerSettings { address: "10.9.0.11".into(), kind: "redfish".into(), renew: true };
    let params = IdentifyNode { hostname: "compute01".into(), domain: None, power: Some(power) };
    let identify = call(ActionKind::IdentifyNode, &params);
    let server = |states: &[&str]| {
        let mut answers = vec![
            machine(6, "Deployed", json!({"hostname": "compute01", "power_type": "redfish"})),
            Recorded::made("GET", "machines/xna7aq/", Some("power_parameters"), json!({"power_address": "10.9.0.11"})),
            Recorded::made("PUT", "machines/xna7aq/", None, json!({"system_id": ID})),
        ];
        answers.extend(states.iter().map(|s| Recorded::made("GET", "machines/xna7aq/", Some("query_power_state"), json!({ "state": s }))));
        Server::start(answers)
    };
    assert!(matches!(observe(&server(&["on"]).await, &identify).await, Observation::Done { .. }), "it works by now");
    let server_that_learns = server(&["error", "on"]).await;
    let driver = server_that_learns.driver_with(|o| drop(o.bmc_credentials.insert("node01".into(), ("root".into(), Secret::new("new")))));
    assert_eq!(driver.begin(&identify).await.unwrap(), Begun::Complete);
    assert_eq!(server_that_learns.changes().len(), 1);
    assert!(matches!(driver.observe(std::slice::from_ref(&identify)).await[0], Ok(Observation::Done { .. })));
    // They are not set over and over again.
    let error = failed(observe(&server(&["error"]).await, &Call { begun: true, ..identify }).await);
    assert!(error.class == ErrorClass::Failed && error.message.contains("MAAS cannot use the BMC at 10.9.0.11"), "{error}");
}

#[tokio::test]
async fn older_releases_call_annotations_owner_data() {
    let mut unknown = recorded("error-bad-op").at("POST", "machines/xna7aq/", Some("set_workload_annotations"));
    unknown.body = json!("Unrecognised signature: method=POST op=set_workload_annotations");
    let server = Server::start(vec![machine(10, "Allocated", owned("other")), unknown, op("set_owner_data"), op("deploy")]).await;
    let ops: Vec<_> = {
        server.driver().begin(&deploy()).await.unwrap();
        server.changes().into_iter().map(|a| a.op.unwrap()).collect()
    };
    assert_eq!(ops, ["set_workload_annotations", "set_owner_data", "deploy"]);
}

#[tokio::test]
async fn deployment_by_status() {
    let begun = Call { begun: true, ..deploy() };
    for (list, call, expected) in [
        (machine(9, "Deploying", owned("a1b2")), &begun, Observation::InProgress { detail: "Deploying".into() }),
        (machine(6, "Deployed", owned("a1b2")), &begun, Observation::done()),
        (machine(6, "Deployed", owned("earlier")), &deploy(), Observation::done()),
        (machine(11, "Failed deployment", owned("earlier")), &deploy(), Observation::NotStarted),
    ] {
        assert_eq!(observe(&Server::start(vec![list]).await, call).await, expected);
    }
    let foreign = machine(6, "Deployed", json!({"osystem": "ubuntu", "distro_series": "noble"}));
    let error = failed(observe(&Server::start(vec![foreign]).await, &begun).await);
    assert_eq!(error.class, ErrorClass::Precondition);
    assert!(error.message.contains("deployed by somebody else"), "{error}");
    let mut jammy = owned("earlier");
    jammy["distro_series"] = json!("jammy");
    let error = failed(observe(&Server::start(vec![machine(6, "Deployed", jammy)]).await, &deploy()).await);
    assert!(error.message.contains("deployed already, with ubuntu/jammy by action earlier"), "{error}");
    let mut broke = owned("a1b2");
    broke["error_description"] = json!("curtin failed");
    let error = failed(observe(&Server::start(vec![machine(11, "Failed deployment", broke)]).await, &begun).await);
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Failed, "Failed deployment: curtin failed"));
    // The same installation as before the intent: an earlier one failed, and this one never began.
    let mut earlier = owned("a1b2");
    earlier["current_installation_result_id"] = json!(17);
    let with = |before: &str| Call { before: Some(before.into()), ..begun.clone() };
    for (before, expected) in [("installation 17, mark a1b2", true), ("installation 16, mark a1b2", false)] {
        let seen = observe(&Server::start(vec![machine(11, "Failed deployment", earlier.clone())]).await, &with(before)).await;
        assert_eq!(seen == Observation::NotStarted, expected, "{before}: {seen:?}");
    }

    // MAAS deploys a machine again only after it was released.
    let states =
        [machine(11, "Failed deployment", owned("earlier")), machine(12, "Releasing", Value::Null), machine(4, "Ready", Value::Null)];
    let answers = [op("release"), recorded("machines-allocate"), op("set_workload_annotations"), op("deploy")];
    let server = Server::start(states.into_iter().chain(answers).collect()).await;
    let (begun, sent) = changes(&server, &deploy()).await;
    assert_eq!(begun, Begun::Wait { reason: "deploying".into() });
    assert_eq!(sent[0], "POST machines/xna7aq/ release erase=false&comment=drydock action a1b2");
    assert_eq!(sent.iter().map(|s| s.split(' ').nth(2).unwrap()).collect::<Vec<_>>(), ["release", "allocate", ANNOTATE, "deploy"]);
}

#[tokio::test]
async fn release_by_status() {
    let destroy = |erase| call(ActionKind::DestroyNode, &DestroyNode { erase });
    let with_racks = |list: Recorded| vec![list, recorded("rackcontrollers"), op("release")];
    for (status, name, expected) in [
        (6, "Deployed", Observation::NotStarted),
        (10, "Allocated", Observation::NotStarted),
        (12, "Releasing", Observation::InProgress { detail: "Releasing".into() }),
        (14, "Disk erasing", Observation::InProgress { detail: "Disk erasing".into() }),
        (4, "Ready", Observation::done()),
        (0, "New", Observation::done()),
    ] {
        let server = Server::start(with_racks(machine(status, name, Value::Null))).await;
        assert_eq!(observe(&server, &destroy(false)).await, expected, "{name}");
    }
    let server = Server::start(with_racks(machine(6, "Deployed", Value::Null))).await;
    assert_eq!(changes(&server, &destroy(false)).await.1, ["POST machines/xna7aq/ release erase=false&comment=drydock action a1b2"]);
    let server = Server::start(with_racks(machine(6, "Deployed", Value::Null))).await;
    let erased = "POST machines/xna7aq/ release erase=true&secure_erase=true&quick_erase=true&comment=drydock action a1b2";
    assert_eq!(changes(&server, &destroy(true)).await.1, [erased]);

    // Released, and in use anew: with another installation, without the mark, or taken and not deployed yet.
    let before = Some("installation 17, mark a1b2".to_owned());
    let begun = Call { begun: true, before, ..destroy(false) };
    let now = |status, name, id: u64, mark: &str| {
        let mut machine_as = owned(mark);
        machine_as["current_installation_result_id"] = json!(id);
        machine(status, name, machine_as)
    };
    let at = |list: Recorded| async { observe(&Server::start(with_racks(list)).await, &begun).await };
    assert_eq!(at(now(6, "Deployed", 17, "a1b2")).await, Observation::NotStarted);
    for list in
        [now(6, "Deployed", 18, "a1b2"), now(6, "Deployed", 17, "later"), now(10, "Allocated", 17, "a1b2"), now(9, "Deploying", 18, "a1b2")]
    {
        let error = failed(at(list).await);
        assert!(error.class == ErrorClass::Precondition && error.message.contains("was released since this run began"), "{error}");
    }

    let locked = machine(6, "Deployed", json!({"locked": true}));
    let error = failed(observe(&Server::start(with_racks(locked)).await, &destroy(false)).await);
    assert!(error.class == ErrorClass::Rejected && error.message.contains("is locked"), "{error}");
    let mut rack = destroy(false);
    rack.binding.machine = Some("qx8d88".into());
    let error = failed(observe(&Server::start(with_racks(none())).await, &rack).await);
    assert!(error.message.contains("is a rack controller"), "{error}");
}

#[tokio::test]
async fn platform_sets_names_tags_parameters_and_data() {
    let params = ApplyNodePlatform {
        min_kernel: None,
        pool: None,
        zone: None,
        hostname: "compute01".into(),
        domain: None,
        add_tags: vec!["fast".into(), "gpu".into()],
        remove_tags: vec!["old".into(), "absent".into()],
        kernel_params: Some(KernelParams { tag: "compute01_kp".into(), options: "hugepages=8".into() }),
        set_owner_data: BTreeMap::from([("rack".into(), "r1".into())]),
        remove_owner_data: vec!["gone".into()],
    };
    let platform = call(ActionKind::ApplyNodePlatform, &params);
    let mut answers = vec![
        recorded("tags"),
        recorded("tag-create"),
        Recorded::made("PUT", "machines/xna7aq/", None, json!({})),
        recorded("machines-allocate"),
        op("set_workload_annotations"),
    ];
    for tag in ["fast", "gpu", "old", "compute01_kp"] {
        answers.push(recorded("tag-update-nodes").at("POST", &format!("tags/{tag}/"), Some("update_nodes")));
    }
    let ready = machine(4, "Ready", json!({"tag_names": ["old"]}));
    let server = Server::start([vec![ready], answers.clone()].concat()).await;
    assert_eq!(observe(&server, &platform).await, Observation::NotStarted);
    let (_, sent) = changes(&server, &platform).await;
    assert_eq!(
        sent,
        [
            "PUT machines/xna7aq/ - hostname=compute01",
            "POST tags/ - name=compute01_kp&kernel_opts=hugepages=8",
            "POST tags/compute01_kp/ update_nodes add=xna7aq",
            "POST tags/fast/ update_nodes add=xna7aq",
            "POST tags/ - name=gpu",
            "POST tags/gpu/ update_nodes add=xna7aq",
            "POST tags/old/ update_nodes remove=xna7aq",
            "POST machines/ allocate system_id=xna7aq&comment=drydock action a1b2",
            "POST machines/xna7aq/ set_workload_annotations drydock.site=site1&rack=r1",
        ]
    );

    let mut tags = recorded("tags");
    tags.body.as_array_mut().unwrap().push(json!({"name": "compute01_kp", "kernel_opts": "hugepages=8", "definition": ""}));
    tags.body.as_array_mut().unwrap().push(json!({"name": "gpu", "definition": "//gpu"}));
    let set = json!({"hostname": "compute01", "tag_names": ["gpu", "compute01_kp", "fast"], "owner": "admin",
                     "workload_annotations": {"rack": "r1", "theirs": "x"}});
    let server = Server::start(vec![machine(10, "Allocated", set.clone()), tags.clone()]).await;
    assert_eq!(observe(&server, &platform).await, Observation::done(), "what others set is left alone");

    let mut without = set;
    without["tag_names"] = json!(["compute01_kp", "fast"]);
    let error = failed(observe(&Server::start(vec![machine(10, "Allocated", without), tags]).await, &platform).await);
    assert!(error.class == ErrorClass::Rejected && error.message.contains("tag gpu has the definition `//gpu`"), "{error}");
}

#[tokio::test]
async fn one_list_serves_all_waiters() {
    let server = Server::start(vec![recorded("machines"), recorded("rackcontrollers")]).await;
    let calls: Vec<Call> = [ID, "e8x8nr", ID]
        .iter()
        .zip([ActionKind::ConfigureHardware, ActionKind::ConfigureHardware, ActionKind::DestroyNode])
        .map(|(id, kind)| {
            let params = if kind == ActionKind::DestroyNode { json!({"erase": false}) } else { json!({}) };
            let binding = Binding { machine: Some((*id).into()), ..Binding::default() };
            Call { binding, ..call(kind, &params) }
        })
        .collect();
    let seen = server.driver().observe(&calls).await;
    assert!(seen.iter().all(|s| *s == Ok(Observation::done())));
    let lists: Vec<String> = server.asked().iter().filter(|a| a.path == "machines/").map(said).collect();
    assert_eq!(lists, ["GET machines/ - id=e8x8nr&id=xna7aq"]);
}

#[tokio::test]
async fn parameters_of_another_version_are_refused() {
    let server = Server::start(vec![]).await;
    let error = failed(observe(&server, &call(ActionKind::DeployNode, &json!({"image": "x"}))).await);
    assert!(error.class == ErrorClass::Bug && error.message.contains("do not fit"), "{error}");
    let error = failed(observe(&server, &call(ActionKind::PowerOnNode, &json!({"graceful_s": 0}))).await);
    assert!(error.message.contains("power_on_node is not an action of the MAAS driver"), "{error}");
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn trouble_with_maas_is_an_error_and_not_an_observation() {
    let mut down = none();
    down.status = 500;
    let server = Server::start(vec![down]).await;
    let seen = server.driver().observe(&[call(ActionKind::ConfigureHardware, &NoParams {})]).await;
    assert_eq!(seen[0].as_ref().unwrap_err().class, ErrorClass::Transient);
}

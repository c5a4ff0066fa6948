//! Machines that somebody else has taken since the plan was made.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::machine_actions::{call, machine};
use super::machine_setup::{networking, storage};
use super::server::{Recorded, Server, recorded};
use super::site_actions::{dc1, fabrics, failed, observe};
use crate::action::ActionKind;
use crate::action::params::{ApplyNodePlatform, DeployNode, DestroyNode, IdentifyNode, NoParams};
use crate::driver::{Call, Driver, DriverError, ErrorClass, Observation};

/// An action of every kind that changes a machine.
fn actions() -> Vec<Call> {
    let platform = ApplyNodePlatform {
        min_kernel: None,
        pool: None,
        zone: None,
        hostname: "compute01".into(),
        domain: None,
        add_tags: vec!["fast".into()],
        remove_tags: vec![],
        kernel_params: None,
        set_owner_data: BTreeMap::from([("rack".into(), "r1".into())]),
        remove_owner_data: vec![],
    };
    let deploy = DeployNode { os: "ubuntu".into(), series: "noble".into(), kernel: None, user_data: None };
    vec![
        call(ActionKind::IdentifyNode, &IdentifyNode { hostname: "compute01".into(), domain: None, power: None }),
        call(ActionKind::ConfigureHardware, &NoParams {}),
        call(ActionKind::InterrogateNode, &NoParams {}),
        call(ActionKind::ApplyNodeNetworking, &networking()),
        call(ActionKind::ApplyNodeStorage, &storage()),
        call(ActionKind::ApplyNodePlatform, &platform),
        call(ActionKind::DeployNode, &deploy),
        call(ActionKind::DestroyNode, &DestroyNode { erase: false }),
        call(ActionKind::DeleteNode, &NoParams {}),
    ]
}

async fn server(machine: Recorded) -> Server {
    Server::start(vec![machine, fabrics(&[dc1()]), recorded("subnets"), recorded("tags"), recorded("rackcontrollers")]).await
}

async fn refusal(server: &Server, call: &Call) -> DriverError {
    let seen = failed(observe(server, call).await);
    assert_eq!(server.driver().begin(call).await.unwrap_err(), seen, "{}", call.kind);
    seen
}

const IN_USE: [(u64, &str); 7] = [
    (10, "Allocated"),
    (9, "Deploying"),
    (6, "Deployed"),
    (11, "Failed deployment"),
    (13, "Releasing failed"),
    (8, "Broken"),
    (17, "Rescue mode"),
];

#[tokio::test]
async fn no_action_touches_a_machine_of_somebody_else() {
    for (status, name) in IN_USE {
        let server = server(machine(status, name, json!({"owner": "bob"}))).await;
        for call in actions() {
            for call in [Call { begun: true, ..call.clone() }, call] {
                let error = refusal(&server, &call).await;
                assert_eq!(error.class, ErrorClass::Precondition, "{} {name}", call.kind);
                let said = format!("machine node01 (xna7aq) is {name}, owned by bob: it was not taken by drydock for this site");
                assert_eq!(error.message, said, "{}", call.kind);
            }
        }
        assert_eq!(server.changes(), [], "{name}");
    }
}

#[tokio::test]
async fn the_mark_of_another_site_counts_more_than_the_owner() {
    let theirs = json!({"owner": "admin", "workload_annotations": {"drydock.site": "site2"}});
    let server = server(machine(6, "Deployed", theirs)).await;
    for call in actions() {
        let error = refusal(&server, &call).await;
        assert!(error.message.ends_with("owned by admin: drydock manages it for site site2"), "{} {error}", call.kind);
    }
    assert_eq!(server.changes(), []);
}

#[tokio::test]
async fn machines_with_our_mark_or_of_our_user_are_ours() {
    let destroy = call(ActionKind::DestroyNode, &DestroyNode { erase: false });
    let marked = json!({"owner": "somebody-renamed", "workload_annotations": {"drydock.site": "site1"}});
    let asks = |server: &Server| server.asked().iter().filter(|a| a.op.as_deref() == Some("whoami")).count();
    let at = server(machine(6, "Deployed", marked)).await;
    assert_eq!(observe(&at, &destroy).await, Observation::NotStarted);
    assert_eq!(asks(&at), 0, "the mark says it");
    let at = server(machine(6, "Deployed", json!({"owner": "admin"}))).await;
    assert_eq!(observe(&at, &destroy).await, Observation::NotStarted);
    assert_eq!(asks(&at), 1);
    // Nobody owns a free machine.
    let at = server(machine(4, "Ready", Value::Null)).await;
    assert_eq!(observe(&at, &destroy).await, Observation::done());
    assert_eq!(asks(&at), 0);
}

#[tokio::test]
async fn without_an_answer_to_whose_it_is_nothing_is_decided() {
    let mut down = recorded("users-whoami");
    down.status = 500;
    let at = Server::start(vec![machine(6, "Deployed", json!({"owner": "admin"})), recorded("rackcontrollers"), down]).await;
    let destroy = call(ActionKind::DestroyNode, &DestroyNode { erase: false });
    let seen = at.driver().observe(std::slice::from_ref(&destroy)).await;
    assert_eq!(seen[0].as_ref().unwrap_err().class, ErrorClass::Transient);
    assert!(at.driver().begin(&destroy).await.is_err());
    assert_eq!(at.changes(), []);
}

#[tokio::test]
async fn a_failed_deployment_that_is_not_ours_is_not_released_to_deploy() {
    let at = server(machine(11, "Failed deployment", json!({"owner": "admin"}))).await;
    let deploy = call(ActionKind::DeployNode, &DeployNode { os: "ubuntu".into(), series: "noble".into(), kernel: None, user_data: None });
    let error = refusal(&at, &deploy).await;
    assert!(error.message.contains("is Failed deployment, and not by drydock for this site"), "{error}");
    assert_eq!(at.changes(), []);
}

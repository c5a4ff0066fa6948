//! Every status that MAAS has leads to a stage, and every stage to a plan: go on, repair, wait, or say what stands in the way and what to do about it.

use drydock::sim::Status;
use serde_json::Value;

use crate::perturbed_support::{Site, node, node_mut, of};

/// Kinds of actions of a node, in order.
fn actions(plan: &Value, node: &str) -> Vec<String> {
    let list = plan["actions"].as_array().unwrap();
    list.iter().filter(|a| a["node"] == node).map(|a| a["kind"].as_str().unwrap().to_owned()).collect()
}

enum Expected {
    /// The first action of the branch, and the last.
    Goes(&'static str, &'static str),
    /// A part of the reason, and of what to do.
    Blocked(&'static str, &'static str),
    Nothing,
}

#[test]
fn every_status_has_a_stage_and_a_plan() {
    use Expected::{Blocked, Goes, Nothing};
    let site = Site::applied();
    let cases: [(Status, &str, Expected); 22] = [
        (Status::New, "enlisted", Goes("configure_hardware", "set_node_boot")),
        (Status::Commissioning, "commissioning", Goes("configure_hardware", "set_node_boot")),
        (Status::FailedCommissioning, "failed_commissioning", Goes("configure_hardware", "set_node_boot")),
        (Status::Ready, "ready", Goes("apply_node_platform", "set_node_boot")),
        (Status::Reserved, "held", Blocked("is Reserved", "bring it back to Ready")),
        (Status::Deployed, "deployed", Nothing),
        (Status::Retired, "held", Blocked("is Retired", "take the node out of the design")),
        (Status::Broken, "held", Blocked("is Broken", "mark it fixed")),
        (Status::Deploying, "deploying", Goes("deploy_node", "set_node_boot")),
        (Status::Allocated, "allocated", Goes("deploy_node", "set_node_boot")),
        (Status::FailedDeployment, "failed_deployment", Goes("destroy_node", "set_node_boot")),
        (Status::Releasing, "releasing", Goes("destroy_node", "set_node_boot")),
        (Status::FailedReleasing, "failed_releasing", Goes("destroy_node", "set_node_boot")),
        (Status::DiskErasing, "releasing", Goes("destroy_node", "set_node_boot")),
        (Status::FailedDiskErasing, "failed_releasing", Goes("destroy_node", "set_node_boot")),
        (Status::RescueMode, "held", Blocked("is Rescue mode", "leave rescue mode")),
        (Status::EnteringRescueMode, "held", Blocked("is Entering rescue mode", "when that has ended")),
        (Status::FailedEnteringRescueMode, "held", Blocked("ailed to enter rescue mode", "look at its console")),
        (Status::ExitingRescueMode, "held", Blocked("is Exiting rescue mode", "when that has ended")),
        (Status::FailedExitingRescueMode, "held", Blocked("ailed to exit rescue mode", "look at its console")),
        (Status::Testing, "held", Blocked("is Testing", "when the tests have ended")),
        (Status::FailedTesting, "held", Blocked("is Failed testing", "look at its test results")),
    ];
    let data = node(&site.world(), "compute01").unwrap().owner_data.clone();
    for (status, stage, expected) in cases {
        site.change(|w| {
            let n = node_mut(w, "compute01");
            n.status = status;
            n.timeout_at = None;
            // What MAAS forgets of a machine that is free.
            let free = matches!(status, Status::New | Status::Commissioning | Status::FailedCommissioning | Status::Ready);
            n.owner = (!free).then(|| "admin".to_owned());
            if free {
                n.owner_data.clear();
                n.osystem.clear();
            } else {
                n.owner_data.clone_from(&data);
                n.osystem = "ubuntu".into();
            }
            n.events.clear();
        });
        let (plan, _) = site.plan(&[]);
        assert_eq!(plan["nodes"]["compute01"]["now"], stage, "{status:?}: {plan:#}");
        let actions = actions(&plan, "compute01");
        let blocked = of(&plan, "blocked", "node.compute01");
        match expected {
            Goes(first, last) => {
                assert_eq!(
                    (actions.first().map(String::as_str), actions.last().map(String::as_str)),
                    (Some(first), Some(last)),
                    "{status:?}"
                );
                assert!(blocked.is_empty(), "{status:?}: {blocked:?}");
            }
            Blocked(reason, hint) => {
                assert!(actions.is_empty(), "{status:?}: {actions:?}");
                let says = |what: &str, part: &str| blocked.iter().any(|b| b[what].as_str().is_some_and(|t| t.contains(part)));
                assert!(says("reason", reason) && says("hint", hint), "{status:?}: {blocked:?}");
            }
            Nothing => assert!(blocked.is_empty() && !actions.iter().any(|a| a == "deploy_node"), "{status:?}: {plan:#}"),
        }
    }
}

#[test]
fn what_has_taken_too_long_is_stuck_and_not_waited_for() {
    let site = Site::applied();
    site.folder().edit("drydock.yaml", "deploy_node: 20s", "deploy_node: 90s");
    let deploying_since = |seconds: u64| {
        site.change(|w| {
            let n = node_mut(w, "compute01");
            n.status = Status::Deploying;
            n.timeout_at = None;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let mut event = n.events.last().unwrap().clone();
            (event.kind, event.at) = ("Deploying".into(), u64::try_from(now.as_millis()).unwrap() - seconds * 1000);
            event.id += 1_000_000 + i64::try_from(seconds).unwrap();
            n.events.push(event);
        });
    };
    deploying_since(600);
    let (plan, code) = site.plan(&[]);
    let blocked = of(&plan, "blocked", "node.compute01");
    assert_eq!((code, actions(&plan, "compute01").len()), (7, 0), "{plan:#}");
    assert!(blocked[0]["reason"].as_str().unwrap().contains("has been Deploying for 10 min; deploy_node may take 2 min"), "{blocked:?}");
    assert!(blocked[0]["hint"].as_str().unwrap().contains("abort what it does"), "{blocked:?}");
    deploying_since(5);
    let (plan, _) = site.plan(&[]);
    assert_eq!(actions(&plan, "compute01").first().map(String::as_str), Some("deploy_node"), "{plan:#}");
}

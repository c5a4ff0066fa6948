//! What moved at the site between a plan and its apply: named with its values, and only what rests on it is left alone.

use std::os::unix::fs::PermissionsExt as _;

use drydock::sim::World;

use crate::perturbed_support::{Moment, Site, node_mut};

const OTHERS: [&str; 2] = ["compute02", "control01"];

/// A plan that deploys all nodes again, with a hook before each; what fails is switched off.
fn redeployment() -> Site {
    let site = Site::applied();
    site.settings("on_failure: power_off\nhooks: {before_disrupt: [{name: drain, run: [./drain.sh]}]}", "");
    let hook = site.folder().write("drain.sh", "#!/bin/sh\necho \"$DRYDOCK_NODE\" >> drained\n");
    std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=*"]).expect(0).shows(&["3 nodes redeployed"]);
    site
}

/// Nodes whose hook was run.
fn drained(site: &Site) -> Vec<String> {
    let log = std::fs::read_to_string(site.path().join("drained")).unwrap_or_default();
    let mut nodes: Vec<String> = log.lines().map(str::to_owned).collect();
    nodes.sort();
    nodes
}

/// The kernel that a machine runs.
fn kernel(site: &Site, machine: &str) -> String {
    site.world().machines[machine].installed.as_ref().map_or(String::new(), |i| i.kernel.clone())
}

/// With `--strict` nothing is done; without it everything but `compute01`.
#[track_caller]
fn expect_scope(site: &Site, before: &Moment, named: &str) {
    site.run(&["apply", "plan.json", "--strict"]).expect(6).says(&[
        "moved since the plan was made: ",
        named,
        "moved since the plan was made; nothing was done",
        "help: plan again, and review what is different",
    ]);
    site.expect_no_requests(before);
    let ended = site.run(&["apply", "plan.json"]).expect(4).says(&[named, "what rests on it is left alone"]);
    ended.shows(&["2 nodes done: compute02, control01"]);
    site.expect_untouched(before, "compute01");
    assert_eq!(drained(site), OTHERS);
    for node in OTHERS {
        assert_eq!(kernel(site, node), "ga-22.04", "{node}");
    }
}

#[track_caller]
fn check(what: impl FnOnce(&mut World), named: &str) {
    let site = redeployment();
    site.change(what);
    let before = site.now();
    expect_scope(&site, &before, named);
}

#[test]
fn owner_data_that_was_changed_by_hand() {
    check(
        |w| drop(node_mut(w, "compute01").owner_data.insert("team".into(), "other".into())),
        "node.compute01/platform owner_data.team: platform → other",
    );
}

#[test]
fn a_tag_that_was_taken_away_by_hand() {
    check(|w| node_mut(w, "compute01").tags.retain(|t| t != "compute"), "node.compute01/platform tags.compute: true → nothing");
}

#[test]
fn an_image_that_somebody_deployed_instead() {
    check(|w| node_mut(w, "compute01").distro_series = "focal".into(), "node.compute01 image: ubuntu/jammy → ubuntu/focal");
}

#[test]
fn a_machine_that_somebody_else_deployed() {
    check(
        |w| {
            let node = node_mut(w, "compute01");
            node.owner = Some("other-team".into());
            node.owner_data.clear();
        },
        "node.compute01 stage: deployed → foreign",
    );
}

#[test]
fn a_machine_that_is_gone() {
    let site = redeployment();
    site.change(|w| {
        let id = node_mut(w, "compute01").system_id.clone();
        w.nodes.retain(|_, n| n.system_id != id);
    });
    let before = site.now();
    expect_scope(&site, &before, "node.compute01 stage: deployed → absent");
}

#[test]
fn a_machine_that_was_replaced() {
    check(
        |w| {
            let node = node_mut(w, "compute01");
            node.hardware_info.insert("system_uuid".into(), "11111111-2222-3333-4444-555555555555".into());
            for (n, interface) in node.interfaces.values_mut().enumerate() {
                interface.mac = format!("52:54:00:99:99:{n:02x}");
            }
        },
        "node.compute01 stage: deployed → unknown",
    );
}

#[test]
fn power_that_was_switched_on_by_hand() {
    let site = Site::new("");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    site.switch_on("compute01");
    let before = site.now();
    site.run(&["apply", "plan.json", "--strict"]).expect(6).says(&["moved since the plan was made: node.compute01 power: off → on"]);
    site.expect_no_requests(&before);
    site.run(&["apply", "plan.json"]).expect(4).shows(&["2 nodes done: compute02, control01"]);
    site.expect_untouched(&before, "compute01");
}

#[test]
fn a_subnet_that_was_moved_stops_all_its_nodes() {
    let site = redeployment();
    site.change(|w| {
        let other = w.site.vlans.values().find(|v| v.vid == 102).unwrap().id;
        w.site.subnets.values_mut().find(|s| s.cidr == "10.10.2.0/24").unwrap().vlan = other;
    });
    let before = site.now();
    let moved = "it needs subnet.mgmt, which is blocked: it would move from VLAN data/102 to data/0";
    let ended = site.run(&["apply", "plan.json"]).expect(4).says(&[moved]);
    ended.reads(&["compute01 is not as the plan saw it: node.compute01 is blocked now: it needs subnet.mgmt"]);
    assert_eq!(drained(&site), Vec::<String>::new());
    for node in ["compute01", "compute02", "control01"] {
        site.expect_untouched(&before, node);
        assert_eq!(kernel(&site, node), "hwe-22.04", "{node}");
    }
}

#[test]
fn what_has_become_as_the_plan_wants_it_is_no_obstacle() {
    let site = Site::applied();
    site.folder().edit("design/nodes.yaml", "team: research", "team: other");
    site.folder().edit("design/nodes.yaml", "role: control", "role: boss");
    site.run(&["plan", "--out", "plan.json"]).expect(0);
    site.change(|w| drop(node_mut(w, "compute02").owner_data.insert("team".into(), "other".into())));
    let ended = site.run(&["apply", "plan.json", "--strict"]).expect(0);
    assert!(!ended.stderr.contains("moved since"), "{}", ended.stderr);
    site.expect_as_designed();
}

#[test]
fn a_design_that_was_changed_meanwhile_is_not_taken_for_a_site_that_was() {
    let site = redeployment();
    site.folder().edit("design/nodes.yaml", "team: research", "team: other");
    site.run(&["apply", "plan.json", "--strict"])
        .expect(6)
        .says(&["the design was changed since the plan was made", "--ref COMMIT apply --strict PLAN"]);
    site.run(&["apply", "plan.json"]).expect(0).says(&["the design was changed since the plan was made"]);
    site.run(&["apply", "plan.json", "--strict"]).expect(6);
    site.run(&["apply", "--strict", "--auto-approve"]).expect(64);
}

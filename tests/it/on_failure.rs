//! What becomes of a node whose branch failed, on the simulated site.

use drydock::sim::Status;

use crate::perturbed_support::{Site, node};

const FAULT: &str = "  faults: [{node: compute01, machine: deployment_fails}]";

#[test]
fn a_node_that_failed_is_switched_off() {
    let site = Site::new("");
    site.settings("on_failure: power_off", FAULT);
    site.run(&["plan"]).expect(0).reads(&["on failure a node that fails is switched off, unless it held an operating system"]);
    let ended = site.run(&["apply", "--auto-approve"]).expect(4).says(&["node.compute01 is switched off, as its branch failed"]);
    ended.shows(&["2 nodes done: compute02, control01"]);
    let on = |name: &str| site.world().machines[name].on;
    assert!(!on("compute01") && on("compute02") && on("control01"));
    site.run(&["resume"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_node_that_failed_is_marked_broken_at_the_provisioner() {
    let site = Site::new("");
    site.settings("on_failure: mark_broken", FAULT);
    let ended = site.run(&["apply", "--auto-approve"]).expect(4).says(&["node.compute01 is marked broken, as its branch failed"]);
    ended.shows(&["2 nodes done: compute02, control01"]);
    let world = site.world();
    let broken = node(&world, "compute01").unwrap();
    assert_eq!(broken.status, Status::Broken);
    assert!(
        broken.error_description.starts_with("drydock run r-") && broken.error_description.contains("deploy_node failed"),
        "{}",
        broken.error_description
    );
    // Somebody has to look at it first.
    site.run(&["plan"]).expect(7).shows(&["compute01"]);
}

#[test]
fn a_deployed_node_whose_labels_cannot_be_changed_goes_on_running() {
    let site = Site::applied();
    site.settings(
        "on_failure: power_off",
        "  faults: [{server: maas, path: '.*tags/.*', method: POST, count: 0, status: 400, body: 'no'}]",
    );
    site.folder().edit("design/nodes.yaml", "tags: [control]", "tags: [control, new]");
    site.run(&["apply", "--auto-approve"]).expect(4);
    assert!(site.world().machines["control01"].on);
    let effects = site.requests().iter().filter(|r| r.op.as_deref().is_some_and(|op| op.contains("Off"))).count();
    assert_eq!(effects, 0);
}

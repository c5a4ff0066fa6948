//! Release, with its shown parameters; and release followed by a bootstrap from scratch, as one plan.

use drydock::sim::Status;
use serde_json::Value;

use crate::perturbed_support::{Site, node, of};

fn attribute<'a>(change: &'a Value, path: &str) -> &'a Value {
    change["attributes"].as_array().unwrap().iter().find(|a| a["path"] == path).unwrap_or(&Value::Null)
}

#[test]
fn disks_are_erased_only_where_it_is_said_and_the_plan_says_it() {
    let site = Site::applied();
    let before = site.now();
    let ended = site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(0);
    assert!(ended.stdout.contains("its disks are not erased"), "{}", ended.stdout);
    assert_eq!((site.effects(&before, "release", "compute01"), site.effects(&before, "erase", "compute01")), (1, 0));
    let before = site.now();
    let ended = site.run(&["destroy", "--target", "node=compute02", "--erase", "--auto-approve"]).expect(0);
    assert!(ended.stdout.contains("erased") && ended.stdout.contains("destroy_node(erase)"), "{}", ended.stdout);
    assert_eq!((site.effects(&before, "release", "compute02"), site.effects(&before, "erase", "compute02")), (0, 1));
    assert!(site.world().machines["compute02"].installed.is_none(), "its disks were erased");
    assert!(site.world().machines["compute01"].installed.is_some(), "its disks were left as they are");
    site.run(&["plan", "--erase"]).expect(64);
}

#[test]
fn the_record_of_a_released_machine_is_deleted_where_the_settings_say_so() {
    let site = Site::applied();
    site.settings("", "");
    site.folder().edit("drydock.yaml", "owns_region: true", "owns_region: true, delete_released: true");
    let before = site.now();
    let ended = site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(0);
    assert!(ended.stdout.contains("delete_node"), "{}", ended.stdout);
    assert_eq!((site.effects(&before, "release", "compute01"), node(&site.world(), "compute01")), (1, None));
    site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(0).shows(&["No changes in the selection"]);
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_node_is_replaced_by_one_plan() {
    let site = Site::applied();
    let (plan, code) = site.plan(&["--replace", "node=compute01", "--out", "replace.plan"]);
    assert_eq!(code, 2, "{plan:#}");
    let change = of(&plan, "changes", "node.compute01")[0];
    assert_eq!((&change["operation"], &change["effect"]), (&"replace".into(), &"destroy".into()), "{plan:#}");
    assert_eq!(attribute(change, "disks")["after"], "as they are", "{plan:#}");
    assert!(of(&plan, "changes", "node.compute02").is_empty(), "{plan:#}");
    let before = site.now();
    site.run(&["apply", "replace.plan"]).expect(0);
    for (effect, times) in [("release", 1), ("commission", 1), ("deploy", 1), ("erase", 0)] {
        assert_eq!(site.effects(&before, effect, "compute01"), times, "{effect}");
        assert_eq!(site.effects(&before, effect, "compute02"), 0, "{effect}");
    }
    site.expect_as_designed();
    // The same plan a second time is refused; without the option nothing is left to do.
    site.run(&["apply", "replace.plan"]).expect(6);
}

#[test]
fn a_node_is_replaced_from_nothing_where_its_record_is_deleted() {
    let site = Site::applied();
    site.settings("", "");
    site.folder().edit("drydock.yaml", "owns_region: true", "owns_region: true, delete_released: true");
    let before = site.now();
    site.run(&["apply", "--replace", "node=compute01", "--erase", "--auto-approve"]).expect(0);
    for (effect, times) in [("erase", 1), ("enlist", 1), ("commission", 1), ("deploy", 1)] {
        assert_eq!(site.effects(&before, effect, "compute01"), times, "{effect}");
    }
    site.expect_as_designed();
}

#[test]
fn what_is_not_ours_or_cannot_be_confirmed_is_not_replaced() {
    let site = Site::applied();
    site.change(|w| {
        let n = crate::perturbed_support::node_mut(w, "compute01");
        n.owner = Some("other-team".into());
        n.owner_data.clear();
    });
    let before = site.now();
    let (plan, code) = site.plan(&["--replace", "node=compute01"]);
    assert_eq!((code, of(&plan, "changes", "node.compute01").len()), (7, 0), "{plan:#}");
    site.run(&["apply", "--replace", "node=compute01", "--auto-approve"]).expect(7);
    site.expect_untouched(&before, "compute01");
    let site = Site::applied();
    site.simulate("  faults: [{node: compute01, machine: bmc_unreachable}]");
    let (plan, _) = site.plan(&["--replace", "node=compute01"]);
    assert!(of(&plan, "changes", "node.compute01").is_empty(), "{plan:#}");
    let reasons = of(&plan, "blocked", "node.compute01");
    assert!(reasons.iter().any(|b| b["reason"].as_str().unwrap().contains("could not be read to confirm which machine it is")), "{plan:#}");
    assert_eq!(node(&site.world(), "compute01").map(|n| n.status), Some(Status::Deployed));
}

//! Machines that were deployed before drydock came are taken over without being touched.

use serde_json::Value;

use crate::perturbed_support::{Site, node, node_mut, of};

/// A site as another tool left it: everything is deployed as the design says, and nothing bears our mark.
fn deployed_by_others(owner: &str) -> Site {
    let site = Site::applied();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(site.path().join(".drydock").join(file));
    }
    site.change(|w| {
        for name in ["compute01", "compute02"] {
            let n = node_mut(w, name);
            n.owner = Some(owner.to_owned());
            n.owner_data.remove("drydock.site");
            n.owner_data.remove("drydock.action");
        }
    });
    site
}

#[test]
fn a_machine_is_taken_over_without_a_request_that_changes_anything() {
    for owner in ["admin", "airship"] {
        let site = deployed_by_others(owner);
        let ended = site.run(&["plan", "--detailed-exitcode"]).expect(7);
        assert!(ended.stdout.contains("drydock adopt node="), "{}", ended.stdout);
        let before = site.now();
        let ended = site.run(&["adopt", "stage=foreign"]).expect(0);
        assert!(ended.stdout.starts_with("2 nodes were taken over; no machine was touched:\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains(&format!("Deployed, owned by {owner}")), "{}", ended.stdout);
        site.expect_no_requests(&before);
        site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);

        // It is managed like any other node: what can be changed online is, the rest is held back.
        site.folder().edit("design/nodes.yaml", "name: compute02\n", "name: compute02\n  # taken over\n");
        site.change(|w| node_mut(w, "compute02").tags.retain(|tag| tag.ends_with("_kp")));
        let (plan, _) = site.plan(&[]);
        let changes = of(&plan, "changes", "node.compute02/platform");
        assert_eq!(changes.len(), 1, "{plan:#}");
        assert_eq!(changes[0]["effect"], "online");
        let before = site.now();
        site.run(&["apply", "--auto-approve"]).expect(0);
        assert_eq!((site.effects(&before, "deploy", "compute02"), site.effects(&before, "release", "compute02")), (0, 0));
        site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);

        // Without its document it is listed, and released only by its name.
        let text = site.folder().read("design/nodes.yaml");
        let at = text.rfind("---\nschema: drydock/BaremetalNode/v1").unwrap();
        site.folder().write("design/nodes.yaml", &text[..at]);
        let before = site.now();
        let (plan, _) = site.plan(&[]);
        assert_eq!(of(&plan, "orphans", "node.compute02").len(), 1, "{plan:#}");
        site.run(&["apply", "--auto-approve"]).expect(0);
        site.expect_untouched(&before, "compute02");
        site.run(&["destroy", "--target", "node=compute02", "--auto-approve"]).expect(0);
        assert_eq!(site.effects(&before, "release", "compute02"), 1);
    }
}

#[test]
fn nothing_is_taken_over_while_a_run_may_be_under_way() {
    let site = deployed_by_others("admin");
    site.run(&["adopt", "node=compute01"]).expect(0);
    // As a run on another host has it, which cannot be seen from here.
    let state = rusqlite::Connection::open(site.path().join(".drydock/state.db")).unwrap();
    let lock = "INSERT INTO locks VALUES ('l1', 'maas', (SELECT site FROM bindings), 'run-7', 'elsewhere', 'ops', 1, 5, 9000000000000)";
    state.execute(lock, []).unwrap();
    let ended = site.run(&["adopt", "node=compute02"]).expect(1);
    ended.says(&["no node was taken over: site", "is locked by run run-7 of ops on elsewhere", "drydock unlock l1"]);
    site.change(|w| {
        w.machines.get_mut("compute01").unwrap().uuid = "11111111-2222-4333-8444-555555555555".into();
        node_mut(w, "compute01").hardware_uuid = Some("11111111-2222-4333-8444-555555555555".into());
    });
    site.run(&["rebind", "node.compute01"]).expect(1).says(&["node.compute01 is bound as before: site", "is locked by run run-7"]);
    state.execute("DELETE FROM locks", []).unwrap();
    site.run(&["rebind", "node.compute01"]).expect(0).shows(&["node.compute01 was bound to"]);
    site.run(&["adopt", "node=compute02"]).expect(0).shows(&["1 node was taken over"]);
}

#[test]
fn what_cannot_be_taken_over_is_said_and_left_alone() {
    let site = deployed_by_others("airship");
    site.change(|w| {
        node_mut(w, "compute01").owner_data.insert("drydock.site".into(), "elsewhere".into());
        let n = node_mut(w, "compute02");
        n.status = drydock::sim::Status::Allocated;
    });
    let before = site.now();
    let ended = site.run(&["adopt", "node=compute*", "--format", "json"]).expect(7);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["adopted"], Value::Array(Vec::new()), "{answer:#}");
    let reasons: Vec<&str> = answer["not_adopted"].as_array().unwrap().iter().filter_map(|n| n["reason"].as_str()).collect();
    assert!(reasons.iter().any(|r| r.contains("is managed by drydock for site elsewhere")), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.contains("is in use and not deployed")), "{reasons:?}");
    site.expect_no_requests(&before);
    // Ours already, or nothing to take over: nobody has to look.
    let ours = Site::applied();
    ours.run(&["adopt", "*"]).expect(0).shows(&["No node was taken over.", "it is ours already"]);
    let wrong = ours.run(&["adopt", "node=compute9"]).expect(64);
    assert!(wrong.stderr.contains("no node `compute9`"), "{}", wrong.stderr);
}

#[test]
fn a_machine_that_changes_hands_again_is_foreign_again() {
    let site = deployed_by_others("airship");
    site.run(&["adopt", "*"]).expect(0);
    site.change(|w| node_mut(w, "compute01").owner = Some("another-team".into()));
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 7, "{plan:#}");
    assert_eq!(plan["nodes"]["compute01"]["now"], "foreign", "{plan:#}");
    site.run(&["destroy", "--target", "node=compute01", "--auto-approve"]).expect(7);
    site.expect_untouched(&before, "compute01");
    assert!(node(&site.world(), "compute01").is_some());
}

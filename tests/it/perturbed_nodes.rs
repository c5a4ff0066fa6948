//! Machines that are not in the state that a new site has them in: running, foreign, enlisted, half done, locked, odd hardware.

use drydock::sim::{Activity, Status};

use crate::perturbed_support::{Site, node, node_mut, of};

/// `compute01` may not be touched, and a plan says why; the other two nodes are carried out.
#[track_caller]
fn expect_left_alone(site: &Site, reason: &[&str]) {
    let before = site.now();
    site.run(&["plan"]).expect(0).reads(reason);
    site.run(&["apply", "--auto-approve"]).expect(0).reads(&["2 nodes done: compute02, control01"]);
    site.expect_untouched(&before, "compute01");
    assert_eq!((site.effects(&before, "deploy", "compute02"), site.effects(&before, "deploy", "control01")), (1, 1));
    // Nothing more can be done, and that is not the same as no changes.
    let again = site.now();
    let ended = site.run(&["apply", "--auto-approve"]).expect(7).reads(&["Nothing can be done now"]).reads(reason);
    assert!(!ended.stdout.contains("No changes"), "{}", ended.stdout);
    site.expect_no_requests(&again);
}

#[test]
fn a_machine_that_is_on_and_unknown_is_left_alone_until_it_is_allowed() {
    let site = Site::new("  machines: {compute01: on_unknown}");
    let before = site.now();
    expect_left_alone(
        &site,
        &[
            "Held back",
            "node.compute01 redeploy",
            "the machine is on and unknown to the provisioner; it may be in production",
            "--allow redeploy=node=compute01",
        ],
    );
    let installed = before.machine("compute01").installed.clone().expect("an operating system");
    assert_eq!(site.now().machine("compute01").installed.as_ref(), Some(&installed));
    // An allowance for another node, or for something less, is none for this one.
    site.run(&["plan", "--allow", "redeploy=node=compute02", "--allow", "reboot=node=compute01"]).expect(7);
    let before = site.now();
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(0).reads(&["1 node done: compute01"]);
    site.expect_as_designed();
    assert_eq!(site.effects(&before, "deploy", "compute01"), 1);
    assert_eq!(site.requests_to(&before, "compute02"), []);
    assert_ne!(site.now().machine("compute01").installed.as_ref().map(|i| &i.marker), Some(&installed.marker));
}

#[test]
fn a_machine_of_another_account_is_left_alone() {
    let site = Site::new("  machines: {compute01: foreign}");
    let reason = ["Blocked", "node.compute01", "its machine is Deployed, owned by other-team", "drydock adopt node=compute01"];
    expect_left_alone(&site, &reason);
    // No leave makes it ours.
    let before = site.now();
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(7);
    site.run(&["destroy", "--auto-approve", "--target", "node=compute01"])
        .expect(7)
        .reads(&["it was not deployed by drydock for this site"]);
    site.expect_untouched(&before, "compute01");
    assert_eq!(site.now().machine("compute01").installed.as_ref().map(|i| i.by.as_str()), Some("other-team"));
}

#[test]
fn a_machine_of_our_account_that_drydock_did_not_deploy_is_left_alone() {
    let site = Site::new("  machines: {compute01: deployed}");
    expect_left_alone(&site, &["its machine is Deployed, owned by admin, and was not deployed by drydock for this site"]);
}

#[test]
fn a_machine_of_another_site_at_the_same_provisioner_is_left_alone() {
    let site = Site::applied();
    // The mark of a deployment says for which site it was; it counts more than what this state remembers.
    site.change(|w| drop(node_mut(w, "compute01").owner_data.insert("drydock.site".into(), "other-site".into())));
    let before = site.now();
    let ended = site.run(&["plan", "--detailed-exitcode"]).expect(7);
    ended.reads(&["its machine is Deployed, owned by admin, and was not deployed by drydock for this site"]);
    site.run(&["destroy", "--auto-approve", "--target", "node=compute01"]).expect(7);
    site.expect_untouched(&before, "compute01");
}

#[test]
fn a_machine_that_maas_has_is_taken_from_where_it_is() {
    let site = Site::new("  machines: {compute01: new, compute02: ready}");
    let (plan, code) = site.plan(&[]);
    assert_eq!((code, &plan["nodes"]["compute01"]["now"], &plan["nodes"]["compute02"]["now"]), (2, &"enlisted".into(), &"ready".into()));
    let before = site.now();
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
    // Nobody switches a machine on over its BMC that MAAS has, and what is commissioned is not commissioned again.
    let resets = |machine| site.requests_to(&before, machine).iter().filter(|r| r.path.ends_with("ComputerSystem.Reset")).count();
    assert_eq!((resets("compute01"), resets("compute02"), resets("control01")), (0, 0, 1));
    let commissioned = |machine| site.requests_to(&before, machine).iter().filter(|r| r.op.as_deref() == Some("commission")).count();
    assert_eq!((commissioned("compute01"), commissioned("compute02"), commissioned("control01")), (1, 0, 1));
}

#[test]
fn a_machine_whose_commissioning_failed_is_commissioned_again() {
    let site = Site::new("  machines: {compute01: new}");
    site.change(|w| node_mut(w, "compute01").status = Status::FailedCommissioning);
    let (plan, _) = site.plan(&[]);
    assert_eq!(plan["nodes"]["compute01"]["now"], "failed_commissioning");
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_failed_deployment_is_released_and_repeated_if_it_was_ours() {
    let site = Site::applied();
    site.change(|w| {
        for machine in ["compute01", "compute02"] {
            let node = node_mut(w, machine);
            node.status = Status::FailedDeployment;
            if machine == "compute02" {
                node.owner = Some("other-team".into());
                node.owner_data.clear();
            }
        }
    });
    let before = site.now();
    let ended = site.run(&["apply", "--auto-approve"]).expect(0).reads(&["1 failed_deployment → deployed", "1 node done: compute01"]);
    ended.reads(&["its machine is Failed deployment, owned by other-team"]);
    assert_eq!((site.effects(&before, "release", "compute01"), site.effects(&before, "deploy", "compute01")), (1, 1));
    site.expect_untouched(&before, "compute02");
    let differences = site.differences();
    assert!(differences.iter().all(|d| d.contains("compute02")), "{differences:#?}");
}

#[test]
fn a_locked_machine_is_held() {
    let site = Site::applied();
    site.change(|w| node_mut(w, "compute01").locked = true);
    site.folder().edit("design/profiles.yaml", "hwe-22.04", "ga-22.04");
    let before = site.now();
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01 || node=compute02"]).expect(0).reads(&[
        "node.compute01",
        "its machine is locked (Deployed)",
        "unlock it in the provisioner",
        "1 node done: compute02",
    ]);
    site.expect_untouched(&before, "compute01");
    // Nor is it released, or planned for when nothing else is left.
    let before = site.now();
    site.run(&["destroy", "--auto-approve", "--target", "node=compute01"]).expect(7).reads(&["locked"]);
    site.expect_no_requests(&before);
    // Unlocked, it is an ordinary one again.
    site.change(|w| node_mut(w, "compute01").locked = false);
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01 || node=control01"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_machine_that_is_broken_or_in_rescue_is_held() {
    let site = Site::applied();
    site.change(|w| {
        node_mut(w, "compute01").status = Status::Broken;
        node_mut(w, "compute02").status = Status::RescueMode;
    });
    let before = site.now();
    let ended = site.run(&["apply", "--auto-approve", "--allow", "redeploy=*"]).expect(7);
    ended.reads(&["its machine is Broken", "its machine is Rescue mode", "repair it and mark it fixed in the provisioner"]);
    site.expect_no_requests(&before);
}

#[test]
fn hardware_that_is_not_as_expected_is_no_hindrance() {
    let hardware = "{renamed_nics: true, odd_disk_sizes: true, extra_disks: 2, bmc_ignores_once: true, network_boot_first: true, foreign_machines: 2, foreign_subnets: [192.0.2.0/24]}";
    let site = Site::new(&format!("  hardware: {hardware}"));
    let before = site.now();
    site.run(&["apply", "--auto-approve"]).expect(0).reads(&["3 nodes done"]);
    site.expect_as_designed();
    let world = site.world();
    let compute = node(&world, "compute01").unwrap();
    // Members of the bond were found by bus address.
    let bond = compute.interfaces.values().find(|i| i.name == "bond0").expect("a bond");
    let names: Vec<&str> = bond.parents.iter().map(|p| compute.interfaces[p].name.as_str()).collect();
    assert!(names.iter().all(|n| n.starts_with("eno")), "{names:?}");
    // Disks that the design does not mention stay empty.
    let disks: Vec<_> = compute.block_devices.values().filter(|d| d.volume_group.is_none()).collect();
    assert_eq!(disks.len(), 4);
    let empty = disks.iter().filter(|d| d.partitions.is_empty() && d.filesystem.is_none()).count();
    assert_eq!(empty, 2);
    // A BMC that keeps `Continuous` is put back to its disk.
    assert!(world.machines["compute01"].bmc.as_ref().is_some_and(|b| b.boot_enabled == "Disabled" || b.boot_target == "Hdd"));
    for stranger in ["foreign-00", "foreign-01"] {
        site.expect_untouched(&before, stranger);
    }
    let foreign = |w: &drydock::sim::World| {
        let subnet = w.site.subnets.values().find(|s| s.cidr == "192.0.2.0/24").cloned().expect("the foreign subnet");
        let vlan = w.site.vlans[&subnet.vlan].clone();
        let fabric = w.site.fabrics[&vlan.fabric].clone();
        (subnet, vlan, fabric)
    };
    assert_eq!(foreign(before.world()), foreign(&world));
}

#[test]
fn a_node_that_left_the_design_is_shown_and_kept() {
    let site = Site::applied();
    let text = site.folder().read("design/nodes.yaml");
    let at = text.rfind("---\nschema: drydock/BaremetalNode/v1").unwrap();
    assert!(text[at..].contains("name: compute02"));
    site.folder().write("design/nodes.yaml", &text[..at]);
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 0, "{plan:#}");
    let orphans = of(&plan, "orphans", "node.compute02");
    assert_eq!(orphans.len(), 1, "{plan:#}");
    assert!(orphans[0]["detail"].as_str().unwrap().starts_with("machine compute02 ("), "{plan:#}");
    site.run(&["plan"]).expect(0).reads(&["node.compute02", "No longer in the design nothing is done to these"]);
    site.run(&["apply", "--auto-approve", "--allow", "destroy=*", "--allow", "redeploy=*"]).expect(0);
    site.expect_untouched(&before, "compute02");
    assert_eq!(before.machine("compute02").running, Activity::OperatingSystem);
}

//! Somebody changed a deployed site: the next plan finds it, with the effect that mending it has; and machines that are not who they were are refused.

use drydock::sim::Activity;
use serde_json::{Value, json};

use crate::perturbed_support::{Site, node, node_mut, of};

const ALL: [&str; 3] = ["compute01", "compute02", "control01"];

/// Path, before, after and effect of the attributes that a resource's change has.
fn attributes(plan: &Value, list: &str, resource: &str) -> Vec<(String, Value, Value, String)> {
    let entries = of(plan, list, resource);
    assert_eq!(entries.len(), 1, "{list} of {resource} in {plan:#}");
    let change = entries[0].get("change").unwrap_or(entries[0]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    change["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (text(&a["path"]), a["before"].clone(), a["after"].clone(), text(&a["effect"])))
        .collect()
}

fn kinds(plan: &Value) -> Vec<&str> {
    plan["actions"].as_array().unwrap().iter().filter(|a| !a["node"].is_null()).map(|a| a["kind"].as_str().unwrap()).collect()
}

#[test]
fn tags_and_owner_data_are_mended_online() {
    let site = Site::applied();
    site.change(|w| {
        let node = node_mut(w, "compute01");
        node.tags.retain(|t| t != "lab");
        node.tags.push("somebody-elses".into());
        node.owner_data.insert("team".into(), "sales".into());
        node.owner_data.insert("note".into(), "not of drydock".into());
    });
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 2);
    let platform = attributes(&plan, "changes", "node.compute01/platform");
    let expected = [
        ("owner_data.team".to_owned(), json!("sales"), json!("platform"), "online".to_owned()),
        ("tags.lab".to_owned(), Value::Null, json!("true"), "online".to_owned()),
    ];
    assert_eq!(platform.len(), expected.len(), "{platform:?}");
    assert_eq!((&platform[0], &platform[1].0, &platform[1].3), (&expected[0], &expected[1].0, &expected[1].3));
    assert_eq!(kinds(&plan), ["apply_node_platform"]);
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["nothing is interrupted or overwritten"]);
    site.expect_as_designed();
    assert_eq!(site.effects(&before, "power_off", "compute01") + site.effects(&before, "deploy", "compute01"), 0);
    for other in ["compute02", "control01"] {
        site.expect_untouched(&before, other);
    }
    // What somebody else wrote there stays.
    let world = site.world();
    let node = node(&world, "compute01").unwrap();
    assert_eq!(node.owner_data.get("note").map(String::as_str), Some("not of drydock"));
    assert!(node.tags.iter().any(|t| t == "somebody-elses"), "{:?}", node.tags);
}

#[test]
fn a_machine_that_was_switched_off_is_switched_on_only_with_leave() {
    let site = Site::applied();
    site.change(|w| {
        let machine = w.machines.get_mut("control01").unwrap();
        machine.on = false;
        machine.running = Activity::Off;
    });
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 7, "{plan:#}");
    assert_eq!(
        attributes(&plan, "held_back", "node.control01/power"),
        [("power".to_owned(), json!("off"), json!("on"), "reboot".to_owned())]
    );
    site.run(&["apply", "--auto-approve"]).expect(7).shows(&["--allow reboot=node=control01"]);
    site.expect_no_requests(&before);
    site.run(&["apply", "--auto-approve", "--allow", "reboot=node=control01"]).expect(0);
    site.expect_as_designed();
    assert_eq!((site.effects(&before, "power_on", "control01"), site.effects(&before, "deploy", "control01")), (1, 0));
    assert_eq!(site.requests_to(&before, "compute01"), []);
}

#[test]
fn a_boot_override_that_somebody_left_is_removed_without_a_restart() {
    let site = Site::applied();
    site.change(|w| {
        let bmc = w.machines.get_mut("compute02").unwrap().bmc.as_mut().unwrap();
        bmc.boot_target = "Pxe".into();
        bmc.boot_enabled = "Continuous".into();
    });
    let before = site.now();
    let (plan, _) = site.plan(&[]);
    let boot = attributes(&plan, "changes", "node.compute02/boot");
    assert_eq!((boot[0].1.as_str(), boot[0].3.as_str()), (Some("Pxe, every boot"), "online"));
    assert_eq!(kinds(&plan), ["set_node_boot"]);
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
    assert_eq!(site.requests_to(&before, "compute02").len(), 1);
    assert_eq!(site.world().machines["compute02"].running, Activity::OperatingSystem);
}

#[test]
fn site_resources_that_somebody_changed_are_put_back() {
    let site = Site::applied();
    site.change(|w| {
        let db = &mut w.site;
        let subnet = db.subnets.values_mut().find(|s| s.name == "mgmt").unwrap();
        subnet.dns_servers = vec!["192.0.2.53".into()];
        subnet.gateway_ip = None;
        db.subnets.values_mut().find(|s| s.name == "storage").unwrap().name = "10.10.3.0/24".into();
        let fabric = db.fabrics.values_mut().find(|f| f.name == "data").unwrap();
        fabric.name = "fabric-7".into();
        let vlan = db.vlans.values_mut().find(|v| v.name == "storage").unwrap();
        vlan.mtu = 1500;
        vlan.name = "102".into();
        let vlan = db.vlans.values_mut().find(|v| v.dhcp_on).unwrap();
        vlan.dhcp_on = false;
        vlan.primary_rack = None;
        db.ipranges.retain(|_, r| r.kind != "reserved");
        db.static_routes.clear();
        db.repositories.retain(|_, r| r.name != "tools");
        db.tags.retain(|t| t.name != "virtualization");
        db.sshkeys.clear();
    });
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 2, "{plan:#}");
    let subnet = attributes(&plan, "changes", "subnet.mgmt");
    assert_eq!(subnet.iter().map(|a| a.0.as_str()).collect::<Vec<_>>(), ["dns_servers", "gateway"]);
    assert_eq!(subnet[0].1, json!(["192.0.2.53"]));
    let mut changed: Vec<&str> = plan["changes"].as_array().unwrap().iter().map(|c| c["resource"].as_str().unwrap()).collect();
    changed.sort_unstable();
    let expected = [
        "dhcp.pxe/0",
        "fabric.data",
        "range.pxe/10.10.1.1-10.10.1.19",
        "repository.tools",
        "route.storage/10.10.0.0/24",
        "sshkey.operator@hello-site",
        "subnet.mgmt",
        "subnet.storage",
        "tag.virtualization",
        "vlan.data/102",
    ];
    assert_eq!(changed, expected);
    // No machine is to be deployed again for what is mended at the site.
    assert_eq!((plan["held_back"].as_array().map(Vec::len), plan["blocked"].as_array().map(Vec::len)), (Some(0), Some(0)), "{plan:#}");
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=*"]).expect(0).shows(&["no node is touched"]);
    site.expect_as_designed();
    for machine in ALL {
        site.expect_untouched(&before, machine);
    }
}

#[test]
fn another_image_is_installed_only_with_leave() {
    let site = Site::applied();
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 7);
    for node in ALL {
        let expected = [("kernel".to_owned(), json!("hwe-22.04"), json!("ga-22.04"), "redeploy".to_owned())];
        assert_eq!(attributes(&plan, "held_back", &format!("node.{node}")), expected);
    }
    site.run(&["apply", "--auto-approve"]).expect(7).shows(&["it would write the operating system again", "--allow"]);
    site.expect_no_requests(&before);
    let ended = site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(0);
    ended.shows(&["Interrupts or destroys", "1 node done: compute01", "2 changes are held back"]);
    let times = |effect| [site.effects(&before, effect, "compute01"), site.effects(&before, effect, "compute02")];
    assert_eq!((times("release"), times("deploy")), ([1, 0], [1, 0]));
    site.expect_untouched(&before, "compute02");
    site.expect_untouched(&before, "control01");
    let world = site.world();
    assert_eq!(world.machines["compute01"].installed.as_ref().map(|i| i.kernel.as_str()), Some("ga-22.04"));
    assert_eq!(world.machines["compute02"].installed.as_ref().map(|i| i.kernel.as_str()), Some("hwe-22.04"));
}

#[test]
fn a_disk_layout_that_differs_is_never_changed_under_a_running_system() {
    let site = Site::applied();
    site.folder().edit("design/profiles.yaml", "size: 60g", "size: 50g");
    site.folder().edit("design/nodes.yaml", "address: 10.10.2.31", "address: 10.10.2.71");
    let before = site.now();
    let (plan, code) = site.plan(&[]);
    assert_eq!(code, 7, "{plan:#}");
    let storage = attributes(&plan, "held_back", "node.compute01/storage");
    assert!(storage.iter().all(|a| a.3 == "redeploy") && storage.iter().any(|a| a.0 == "boot_disk.root.size"), "{storage:?}");
    let networking = attributes(&plan, "held_back", "node.compute01/networking");
    assert!(networking.iter().all(|a| a.3 == "redeploy" && a.0 == "bond0.link"), "{networking:?}");
    site.run(&["apply", "--auto-approve"]).expect(7);
    site.expect_no_requests(&before);
}

#[test]
fn swapped_bmc_addresses_are_refused() {
    let site = Site::applied();
    let swap = |site: &Site| {
        site.change(|w| {
            let address = |w: &drydock::sim::World, m: &str| w.machines[m].bmc.as_ref().unwrap().address.clone();
            let (one, two) = (address(w, "compute01"), address(w, "compute02"));
            w.machines.get_mut("compute01").unwrap().bmc.as_mut().unwrap().address = two;
            w.machines.get_mut("compute02").unwrap().bmc.as_mut().unwrap().address = one;
        });
    };
    // A plan from before, that would deploy again and power-cycle.
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=node=compute01"]).expect(0);
    swap(&site);
    let before = site.now();
    let ended = site.run(&["plan", "--allow", "redeploy=*"]).expect(0);
    // Each says whose machine the BMC has, not only that it is another.
    ended.reads(&[
        "2 unknown",
        "the BMC at 10.10.0.31 is that of compute02's machine",
        "the BMC at 10.10.0.32 is that of compute01's machine",
        "check the OOB addresses of compute01 and compute02, and the cabling",
    ]);
    site.expect_no_requests(&before);
    site.run(&["apply", "plan.json"]).expect(4).reads(&["compute01 is not the machine it is bound to: the BMC reports system UUID"]);
    for machine in ["compute01", "compute02"] {
        site.expect_untouched(&before, machine);
    }
}

#[test]
fn a_new_system_uuid_is_refused() {
    let site = Site::applied();
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=node=compute01"]).expect(0);
    site.change(|w| w.machines.get_mut("compute01").unwrap().uuid = "11111111-2222-4333-8444-555555555555".into());
    let before = site.now();
    let ended = site.run(&["plan", "--allow", "redeploy=node=compute01"]).expect(7);
    ended.reads(&["node.compute01", "the BMC reports system UUID 11111111-2222-4333-8444-555555555555, the node is bound to"]);
    site.run(&["apply", "plan.json"]).expect(4).reads(&["compute01 is not the machine it is bound to"]);
    site.expect_untouched(&before, "compute01");
}

#[test]
fn an_operating_system_is_kept_where_another_could_not_be_installed() {
    let planned = || {
        let site = Site::applied();
        site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
        site.settings("hooks: {before_disrupt: [{name: drain, run: [touch, drained]}]}", "");
        site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=node=compute01"]).expect(0);
        site
    };
    type Happens = fn(&mut drydock::sim::World);
    let cases: [(Happens, &str, &str); 3] = [
        (|w| w.site.boot_resources.clear(), "image.ubuntu/jammy image: ubuntu/jammy → nothing", "MAAS has no image ubuntu/jammy for amd64"),
        (
            |w| {
                let gone = w.site.subnets.values().find(|s| s.name == "storage").unwrap().id;
                w.site.subnets.remove(&gone);
                w.site.static_routes.retain(|_, r| r.source != gone && r.destination != gone);
                for node in w.nodes.values_mut() {
                    for interface in node.interfaces.values_mut() {
                        interface.links.retain(|l| l.subnet != Some(gone));
                    }
                }
            },
            "subnet.storage cidr: 10.10.3.0/24 → nothing",
            "subnet 10.10.3.0/24 does not exist in MAAS",
        ),
        (
            |w| {
                node_mut(w, "compute01").tags.retain(|t| t != "lab");
                w.site.tags.iter_mut().find(|t| t.name == "lab").unwrap().definition = "//node".into();
            },
            "node.compute01/platform tags.lab: true → nothing",
            "tag lab has the definition `//node`",
        ),
    ];
    for (change, moved, why) in cases {
        let site = planned();
        site.change(change);
        let before = site.now();
        site.run(&["apply", "--strict", "plan.json"]).expect(6).says(&[moved, "nothing was done"]);
        site.expect_no_requests(&before);
        // With another design values are not compared beforehand: the last look is that of the release itself.
        site.folder().edit("design/nodes.yaml", "team: research", "team: other");
        let kept = format!("node.compute01 keeps its operating system, as another could not be installed: {why}");
        site.run(&["apply", "plan.json"]).expect(4).reads(&[&kept]);
        site.expect_untouched(&before, "compute01");
        assert!(!site.path().join("drained").exists(), "a node is drained for nothing");
    }
    // What is in order is drained.
    let site = planned();
    site.run(&["apply", "plan.json"]).expect(0);
    assert!(site.path().join("drained").exists());
}

#[test]
fn a_machine_that_maas_lost_is_not_taken_for_a_new_one_in_silence() {
    let site = Site::applied();
    site.change(|w| {
        let id = node(w, "compute01").unwrap().system_id.clone();
        w.nodes.remove(&id);
    });
    let before = site.now();
    // One of three is more than `guards.max_absent`: perhaps this is another MAAS.
    site.run(&["plan"]).expect(6).says(&["1 of the 3 nodes that were deployed are absent", "guards.max_absent"]);
    site.settings("guards: {max_absent: 50}", "");
    // It runs, so it may be in production.
    site.run(&["plan"]).expect(7).shows(&["it may be in production", "--allow redeploy=node=compute01"]);
    site.expect_no_requests(&before);
    site.run(&["apply", "--auto-approve", "--allow", "redeploy=node=compute01"]).expect(0);
    site.expect_as_designed();
}

#[test]
fn a_machine_that_enlisted_anew_is_recognised() {
    let site = Site::applied();
    let old = node(&site.world(), "compute01").unwrap().system_id.clone();
    // Somebody deleted it from MAAS, and it booted from the network.
    site.change(|w| {
        let mut record = w.nodes.remove(&old).unwrap();
        record.system_id = "new123".into();
        record.hostname = "lucky-otter".into();
        record.status = drydock::sim::Status::New;
        record.owner = None;
        record.owner_data.clear();
        record.tags.clear();
        w.nodes.insert("new123".into(), record);
        let machine = w.machines.get_mut("compute01").unwrap();
        machine.on = false;
        machine.running = Activity::Off;
    });
    let before = site.now();
    site.run(&["apply", "--auto-approve"]).expect(0).shows(&["1 enlisted → deployed", "1 node done: compute01"]);
    site.expect_as_designed();
    assert_eq!(site.effects(&before, "deploy", "compute01"), 1);
    site.run(&["state", "show"]).expect(0).shows(&["node.compute01: bound to machine new123"]);
}

#[test]
fn a_node_is_bound_anew_only_when_bmc_and_provisioner_agree() {
    let site = Site::applied();
    site.folder().edit("design/profiles.yaml", "kernel: hwe-22.04", "kernel: ga-22.04");
    site.run(&["plan", "--out", "plan.json", "--allow", "redeploy=node=compute01"]).expect(0);
    site.folder().edit("design/profiles.yaml", "kernel: ga-22.04", "kernel: hwe-22.04");
    let uuid = "11111111-2222-4333-8444-555555555555";
    site.run(&["rebind", "node.compute1"]).expect(64).says(&["the design has no node `compute1`", "did you mean `node.compute01`?"]);
    site.run(&["rebind", "node.compute01"]).expect(0).shows(&["as before"]);
    // A new board, which MAAS has not seen yet.
    site.change(|w| w.machines.get_mut("compute01").unwrap().uuid = uuid.into());
    let before = site.now();
    let ended = site.run(&["rebind", "node.compute01"]).expect(1);
    ended.says(&["the BMC shows other hardware than the provisioner has for machine compute01", "help: commission the machine again"]);
    site.run(&["plan"]).expect(7);
    site.change(|w| node_mut(w, "compute01").hardware_uuid = Some(uuid.into()));
    site.run(&["rebind", "node.compute01"]).expect(0).shows(&["node.compute01 was bound to machine", &format!("system UUID {uuid}")]);
    site.expect_as_designed();
    site.run(&["apply", "plan.json"]).expect(6).says(&["help: plan again"]);
    // What another node is bound to is not given to this one.
    site.change(|w| {
        let other = w.machines["compute02"].bmc.as_ref().unwrap().address.clone();
        w.machines.get_mut("compute02").unwrap().bmc.as_mut().unwrap().address = "10.10.0.99".into();
        w.machines.get_mut("control01").unwrap().bmc.as_mut().unwrap().address = other;
    });
    let ended = site.run(&["rebind", "node.compute02"]).expect(1);
    ended.says(&["the BMC at 10.10.0.32 is that of control01's machine", "check the OOB addresses of compute02 and control01"]);
    site.expect_no_requests(&before);
}

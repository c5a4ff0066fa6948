//! Site resources that drydock created and the design no longer has.

use drydock::sim::World;
use serde_json::Value;

use crate::perturbed_support::{SPARE, Site, node_mut, of};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjMBM3IFMkmZPCK9s4VZfi4VGpG1mQvGYzEBvC1ZbNX second@hello-site";

const TAG: &str = "    - {tag: big, definition_type: lshw_xpath, definition: '//node[@id=\"memory\"]'}\n";

/// The applied site with a link of its own that no node uses, a second key and a second tag; and the design without all of that.
fn with_spare() -> Site {
    let site = Site::applied();
    let networks = site.folder().read("design/networks.yaml");
    let region = site.folder().read("design/region.yaml");
    site.folder().write("design/networks.yaml", &format!("{networks}{SPARE}"));
    site.folder().edit("design/region.yaml", "operator@hello-site\n", &format!("operator@hello-site\n    - {KEY}\n"));
    site.folder().edit("design/region.yaml", "  repositories:\n", &format!("{TAG}  repositories:\n"));
    site.run(&["apply", "--auto-approve"]).expect(0);
    let world = site.world();
    assert!(world.site.subnets.values().any(|s| s.cidr == "10.10.51.0/24") && world.site.tags.iter().any(|t| t.name == "big"));
    site.folder().write("design/networks.yaml", &networks);
    site.folder().write("design/region.yaml", &region);
    site
}

fn deleted(plan: &Value) -> Vec<&str> {
    let changes = plan["changes"].as_array().unwrap();
    changes.iter().filter(|c| c["operation"] == "delete").map(|c| c["resource"].as_str().unwrap()).collect()
}

fn stays<'a>(plan: &'a Value, resource: &str) -> &'a str {
    of(plan, "orphans", resource).first().unwrap_or_else(|| panic!("{resource} is not listed: {plan:#}"))["detail"].as_str().unwrap()
}

/// Everything of MAAS that is no machine, without what only counts or names.
fn of_site(world: &World) -> ([Vec<String>; 4], [usize; 3]) {
    let s = &world.site;
    let named = [
        s.fabrics.values().map(|f| f.name.clone()).collect(),
        s.vlans.values().map(|v| format!("{} {} {}", v.fabric, v.vid, v.name)).collect(),
        s.subnets.values().map(|n| n.cidr.clone()).collect(),
        s.tags.iter().map(|t| t.name.clone()).collect(),
    ];
    (named, [s.ipranges.len(), s.static_routes.len(), s.sshkeys.len()])
}

#[test]
fn what_drydock_created_and_the_design_no_longer_has_is_removed_in_order() {
    let applied = of_site(&Site::applied().world());
    let site = with_spare();
    let (plan, code) = site.plan(&["--out", "remove.plan"]);
    assert_eq!(code, 2, "{plan:#}");
    let expected = [
        "route.spare/10.10.2.0/24",
        "range.spare/10.10.50.1-10.10.50.9",
        "subnet.lab",
        "subnet.spare",
        "vlan.spare/51",
        "fabric.spare",
        "tag.big",
        "sshkey.second@hello-site",
    ];
    assert_eq!(deleted(&plan), expected, "{plan:#}");
    assert!(plan["changes"].as_array().unwrap().iter().all(|c| c["effect"] == "online"), "{plan:#}");
    site.run(&["plan"]).expect(0).shows(&["subnet.lab", "drydock created it, and the design no longer has it"]);
    let before = site.now();
    site.run(&["apply", "remove.plan"]).expect(0);
    let effects: Vec<String> = site.since(&before).into_iter().flat_map(|r| r.effects).collect();
    let at = |what: &str| effects.iter().position(|e| e.starts_with(what)).unwrap_or_else(|| panic!("no {what} in {effects:#?}"));
    assert!(at("delete static_route") < at("delete subnet 10.10.50.0/24") && at("delete iprange") < at("delete subnet 10.10.50.0/24"));
    assert!(at("delete subnet 10.10.51.0/24") < at("delete vlan spare/51") && at("delete vlan spare/51") < at("delete fabric spare"));
    assert_eq!(of_site(&site.world()), applied);
    site.expect_as_designed();
}

#[test]
fn a_plan_with_a_selection_or_for_other_goals_removes_nothing() {
    let site = with_spare();
    for options in [&["--target", "node=compute01"][..], &["--goal", "verify_site"]] {
        let (plan, _) = site.plan(options);
        assert_eq!(deleted(&plan), Vec::<&str>::new(), "{options:?}");
    }
    // Nor does it where it is not known what is remembered.
    std::fs::remove_file(site.path().join(".drydock/state.db")).unwrap();
    assert_eq!(deleted(&site.plan(&[]).0), Vec::<&str>::new());
}

#[test]
fn what_others_changed_or_use_stays_and_is_listed() {
    let site = with_spare();
    site.change(|w| {
        let vlan = w.site.vlans.values().find(|v| v.vid == 51).unwrap().id;
        let lab = w.site.subnets.values_mut().find(|s| s.cidr == "10.10.51.0/24").unwrap();
        lab.name = "theirs".into();
        let spare = w.site.subnets.values().find(|s| s.cidr == "10.10.50.0/24").unwrap().id;
        let (id, range) = w.site.ipranges.iter().find(|(_, r)| r.subnet == spare).map(|(id, r)| (id + 100, r.clone())).unwrap();
        let range = drydock::sim::IpRange { id, start: "10.10.50.20".into(), end: "10.10.50.30".into(), ..range };
        w.site.ipranges.insert(id, range);
        w.site.tags.iter_mut().find(|t| t.name == "big").unwrap().definition = "//node".into();
        assert!(vlan > 0);
    });
    let (plan, _) = site.plan(&[]);
    assert_eq!(deleted(&plan), ["route.spare/10.10.2.0/24", "range.spare/10.10.50.1-10.10.50.9", "sshkey.second@hello-site"], "{plan:#}");
    assert!(stays(&plan, "subnet.lab").ends_with("it stays, since it was changed by others"), "{plan:#}");
    assert!(stays(&plan, "subnet.spare").contains("range 10.10.50.20-10.10.50.30 is in it"));
    assert!(stays(&plan, "vlan.spare/51").contains("subnet 10.10.51.0/24 is in it"));
    assert!(stays(&plan, "fabric.spare").contains("is in it"));
    assert!(stays(&plan, "tag.big").contains("changed by others"));
    site.run(&["apply", "--auto-approve"]).expect(0);
    let world = site.world();
    assert!(["10.10.50.0/24", "10.10.51.0/24"].iter().all(|c| world.site.subnets.values().any(|s| s.cidr == *c)));
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes", "vlan.spare/51"]);
}

/// Links an interface of a machine to one more subnet.
fn connect(world: &mut World, machine: &str, cidr: &str) {
    let subnet = world.site.subnets.values().find(|s| s.cidr == cidr).unwrap().clone();
    let interface = node_mut(world, machine).interfaces.values_mut().find(|i| !i.links.is_empty()).unwrap();
    let link = drydock::sim::Link { id: 9000, mode: "auto".into(), subnet: Some(subnet.id), ip: None };
    interface.links.push(link);
}

#[test]
fn what_comes_into_use_between_plan_and_apply_is_left_alone() {
    let site = with_spare();
    site.plan(&["--out", "remove.plan"]);
    site.change(|w| connect(w, "compute01", "10.10.51.0/24"));
    let ended = site.run(&["apply", "remove.plan"]).expect(4);
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("subnet 10.10.51.0/24 is still in use and is left alone") && said.contains("of machine compute01"), "{said}");
    let world = site.world();
    let left: Vec<&str> = world.site.subnets.values().map(|s| s.cidr.as_str()).filter(|c| c.starts_with("10.10.5")).collect();
    assert_eq!(left, ["10.10.51.0/24"], "what nothing uses is gone");
    assert!(world.site.fabrics.values().any(|f| f.name == "spare"));
    let (plan, _) = site.plan(&[]);
    assert!(stays(&plan, "subnet.lab").contains("of machine compute01 uses it"), "{plan:#}");
}

#[test]
fn a_network_is_removed_after_the_nodes_that_leave_it() {
    let site = Site::applied();
    let folder = site.folder();
    let networks = folder.read("design/networks.yaml");
    let at = networks.rfind("---\nschema: drydock/Network/v1").unwrap();
    assert!(networks[at..].contains("name: storage"));
    folder.write("design/networks.yaml", &networks[..at].replace("allowed_networks: [mgmt, storage]", "allowed_networks: [mgmt]"));
    let nodes = folder.read("design/nodes.yaml");
    let without: Vec<&str> = nodes.lines().filter(|l| !l.contains("{network: storage")).collect();
    folder.write("design/nodes.yaml", &(without.join("\n") + "\n"));
    folder.edit("design/profiles.yaml", "networks: [mgmt, storage]", "networks: [mgmt]");
    // The nodes keep it, as nobody allowed to deploy them again.
    let (plan, _) = site.plan(&[]);
    assert_eq!(deleted(&plan), Vec::<&str>::new(), "{plan:#}");
    assert!(stays(&plan, "subnet.storage").contains("uses it"), "{plan:#}");
    let (plan, _) = site.plan(&["--allow", "redeploy=*", "--out", "move.plan"]);
    assert_eq!(deleted(&plan), ["route.storage/10.10.0.0/24", "subnet.storage", "vlan.data/102"], "{plan:#}");
    let before = site.now();
    site.run(&["apply", "move.plan"]).expect(0);
    let effects: Vec<String> = site.since(&before).into_iter().flat_map(|r| r.effects).collect();
    let subnet = effects.iter().position(|e| e == "delete subnet 10.10.3.0/24").unwrap();
    let vlan = effects.iter().position(|e| e == "delete vlan data/102").unwrap();
    let deployed = effects.iter().rposition(|e| e.starts_with("deploy ")).unwrap();
    assert!(deployed < subnet && subnet < vlan, "{effects:#?}");
    site.expect_as_designed();
}

#[test]
fn a_range_that_the_design_changes_is_replaced() {
    let site = Site::applied();
    site.folder().edit("design/networks.yaml", "end: 10.10.1.199}", "end: 10.10.1.180}");
    let (plan, _) = site.plan(&["--out", "range.plan"]);
    assert_eq!(deleted(&plan), ["range.pxe/10.10.1.100-10.10.1.199"], "{plan:#}");
    site.run(&["apply", "range.plan"]).expect(0);
    site.expect_as_designed();
}

//! How MAAS reaches a machine's BMC, from the design: type, address, and credentials that nothing shows.

use crate::perturbed_support::{Site, node, node_mut, of};

#[test]
fn power_settings_are_those_of_the_design_where_it_says_so() {
    let site = Site::applied();
    let broken = |w: &mut drydock::sim::World| {
        let n = node_mut(w, "compute01");
        n.power_type = "manual".into();
        n.power_parameters.clear();
    };
    site.change(broken);
    let (plan, code) = site.plan(&[]);
    assert_eq!((code, of(&plan, "changes", "node.compute01/power_settings").len()), (0, 0), "they are MAAS' own without the setting");
    site.folder().edit("drydock.yaml", "owns_region: true", "owns_region: true, manage_power: true");
    let (plan, code) = site.plan(&["--out", "power.plan"]);
    let changes = of(&plan, "changes", "node.compute01/power_settings");
    assert_eq!((code, changes.len(), &changes[0]["effect"]), (2, 1, &"online".into()), "{plan:#}");
    assert!(of(&plan, "changes", "node.compute02/power_settings").is_empty(), "{plan:#}");
    assert!(!site.folder().read("power.plan").contains("hello-bmc-password"), "no password is in a plan");
    let before = site.now();
    let ended = site.run(&["apply", "power.plan"]).expect(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hello-bmc-password"));
    let world = site.world();
    let n = node(&world, "compute01").unwrap();
    assert_eq!(n.power_type, "redfish");
    assert_eq!(
        (n.power_parameters["power_pass"].as_str(), n.power_parameters["power_address"].as_str()),
        (Some("hello-bmc-password"), Some("10.10.0.31"))
    );
    for effect in ["deploy", "release", "power_on", "power_off"] {
        assert_eq!(site.effects(&before, effect, "compute01"), 0, "{effect}");
    }
    site.expect_as_designed();
}

#[test]
fn a_machine_gets_its_power_settings_before_it_is_commissioned() {
    let site = Site::new("");
    site.folder().edit(
        "drydock.yaml",
        "owns_region: true",
        "owns_region: true, manage_power: true, commissioning: {skip_bmc_config: true, testing: []}",
    );
    site.run(&["apply", "--auto-approve"]).expect(0);
    site.expect_as_designed();
    assert!(site.world().nodes.values().filter(|n| n.machine.is_some()).all(|n| n.power_type == "redfish" && n.testing.0.is_none()));
}

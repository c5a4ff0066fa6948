//! Whole applies over IPMI: the BMCs are OpenIPMI's, the provisioner is simulated, and what one does the other sees.

use std::path::Path;

use drydock::action::ActionKind;
use drydock::action::params::PowerParams;
use drydock::build::Binding;
use drydock::driver::ipmi::{BootMode, IpmiDriver, IpmiOptions};
use drydock::driver::{Call, Driver};
use drydock::model::Site;
use drydock::sim::{SimOptions, Timing, generate};

use crate::cli_support::{Ended, Folder};
use crate::ipmi_peer::{Fleet, available};
use crate::{oracle, support};

fn options() -> SimOptions {
    let timing =
        Timing { post_ms: 20, enlist_ms: 40, commission_ms: 80, deploy_ms: 100, release_ms: 50, import_ms: 40, ..Timing::default() };
    SimOptions { timing, ..SimOptions::default() }
}

/// A site folder whose settings name the fleet's provisioner and BMCs.
struct Applied {
    folder: Folder,
    fleet: Fleet,
    site: Site,
}

impl Applied {
    fn new(folder: Folder, design: &str) -> Self {
        let site = support::design(folder.path(), &[design]).site;
        let fleet = Fleet::start(generate(&site, &options()));
        let applied = Self { folder, fleet, site };
        applied.folder.write("key", applied.fleet.running().maas_api_key.expose());
        applied.settings(design, |node| applied.fleet.at(node));
        applied
    }

    fn settings(&self, design: &str, at: impl Fn(&str) -> String) {
        let endpoints: Vec<String> =
            self.site.nodes.values().map(|n| format!("{}: '{}'", n.oob.address.as_ref().unwrap().value, at(&n.name.value))).collect();
        let maas = &self.fleet.running().maas_url;
        let text = format!(
            "design: [{design}]\ndrivers:\n  maas: {{url: '{maas}', api_key: {{file: key}}, poll_interval: 100ms, owns_region: true}}\n  ipmi: {{poll_interval: 300ms, parallel: 6, endpoints: {{{}}}}}\nlimits: {{nodes_in_flight: 16, unavailable_per_rack: 16, power_ups_per_rack: 16}}\n",
            endpoints.join(", ")
        );
        self.folder.write("drydock.yaml", &text);
    }

    fn run(&self, code: i32, arguments: &[&str]) -> Ended {
        self.folder.run(arguments).expect(code)
    }

    /// Plans, applies, and finds nothing left to do; every machine was switched on over IPMI.
    fn is_applied(&self) {
        self.run(2, &["plan", "--detailed-exitcode", "--out", "first.plan"]);
        assert!(!self.folder.read("first.plan").contains("password"), "no secret is in a plan");
        self.run(0, &["apply", "first.plan"]);
        for name in self.fleet.names() {
            let calls = self.fleet.calls(&name);
            let count = |what: &str| calls.iter().filter(|c| *c == what).count();
            // The tool itself repeats a message whose answer is late.
            assert!(count("set boot pxe") > 0 && count("set power 1") > 0, "{name}: {calls:?}");
            assert_eq!(count("set power 0") + count("set reset 1"), 0, "{name}: {calls:?}");
        }
        let after = self.run(0, &["plan", "--detailed-exitcode"]);
        assert!(after.stdout.to_lowercase().contains("no changes"), "{}", after.stdout);
        let differences = oracle::differences(&self.site, &self.fleet.world());
        assert!(differences.is_empty(), "{differences:#?}");
    }

    /// Somebody switches a machine off.
    fn switch_off(&self, node: &str) {
        let driver = IpmiDriver::new(vec![(self.fleet.endpoint(node), BootMode::Bios)], &IpmiOptions::default()).unwrap();
        let call = Call {
            action: "by-hand".into(),
            site: "elsewhere".into(),
            kind: ActionKind::PowerOffNode,
            resource: format!("node.{node}/power"),
            node: Some(node.into()),
            params: serde_json::to_value(PowerParams { graceful_s: 0 }).unwrap(),
            binding: Binding::default(),
            begun: false,
            before: None,
        };
        self.fleet.runtime.block_on(async { driver.begin(&call).await }).unwrap();
        self.fleet.running().skip(1000);
        assert!(!self.fleet.world().machines[node].on);
    }
}

#[test]
fn a_small_site_is_applied_over_ipmi() {
    if !available() {
        return;
    }
    let folder = Folder::hello();
    folder.edit("design/profiles.yaml", "type: redfish", "type: ipmi");
    let site = Applied::new(folder, "design");
    site.is_applied();
    site.run(0, &["verify", "nodes"]).reads(&["3 nodes: 3 in order"]);
    site.run(0, &["verify", "site"]).reads(&["ok ipmi 3 of 3 BMCs answer, program version 1."]);

    // A machine that is off is switched on only with leave, and over its own BMC.
    site.switch_off("control01");
    let held = site.run(7, &["plan", "--detailed-exitcode"]);
    assert!(held.stdout.contains("--allow reboot=node=control01"), "{}", held.stdout);
    let ons = |node: &str| site.fleet.calls(node).iter().filter(|c| *c == "set power 1").count();
    let before = ons("control01");

    // Behind its address is now another machine's BMC: that is seen, and neither is switched.
    let swapped = |node: &str| match node {
        "control01" => site.fleet.at("compute01"),
        "compute01" => site.fleet.at("control01"),
        other => site.fleet.at(other),
    };
    site.settings("design", swapped);
    let refused = site.run(7, &["apply", "--allow", "reboot=node=*", "--auto-approve"]);
    assert!(refused.stdout.contains("is that of compute01's machine: the BMC reports GUID"), "{}", refused.stdout);
    assert_eq!(ons("control01"), before);

    site.settings("design", |node| site.fleet.at(node));
    site.run(0, &["apply", "--allow", "reboot=node=control01", "--auto-approve"]);
    assert!(site.fleet.world().machines["control01"].on);
    assert!(ons("control01") > before);
}

#[test]
fn a_real_site_with_ipmi_is_applied_unchanged() {
    let Some(path) = support::shared("sites/rendered-by-deckhand/seaworthy.yaml") else { return };
    if !available() {
        return;
    }
    let folder = Folder::empty();
    std::fs::copy(Path::new(&path), folder.path().join("site.yaml")).unwrap();
    let site = Applied::new(folder, "site.yaml");
    assert!(site.site.nodes.values().all(|n| n.oob.kind.as_ref().is_some_and(|k| k.value.name() == "ipmi") && n.boot_mac.is_none()));
    site.is_applied();
}

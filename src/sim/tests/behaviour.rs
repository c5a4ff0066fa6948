//! What happens over time.

use serde_json::json;

use super::fixture::{Lab, relayed_site};
use crate::sim::options::{FaultRule, InitialState, MachineFault, SimOptions};
use crate::sim::world::Running;

#[test]
fn a_machine_that_boots_from_the_network_is_enlisted() {
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.enlist("node01");
    let m = lab.ok("GET", &format!("machines/{id}/"), None, &[]);
    assert_eq!((&m["status_name"], &m["power_state"], &m["power_type"]), (&"New".into(), &"off".into(), &"redfish".into()));
    let macs: Vec<&str> = m["interface_set"].as_array().unwrap().iter().map(|i| i["mac_address"].as_str().unwrap()).collect();
    let real: Vec<&str> = lab.core.world.machines["node01"].nics.iter().map(|n| n.mac.as_str()).collect();
    assert_eq!(macs, real);
    let p = lab.ok("GET", &format!("machines/{id}/"), Some("power_parameters"), &[]);
    assert_eq!((&p["power_address"], &p["power_pass"]), (&"10.9.0.11".into(), &"canary-bmc".into()));
    let bmc = lab.core.world.machines["node01"].bmc.clone().unwrap();
    assert_eq!(bmc.boot_enabled, "Disabled", "Once is used up");
}

#[test]
fn without_dhcp_nothing_is_enlisted() {
    let mut lab = Lab::new(&SimOptions::default());
    let system = lab.system("node01");
    lab.bmc("node01", "PATCH", &system, &json!({ "Boot": { "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once" } }));
    lab.bmc("node01", "POST", &format!("{system}/Actions/ComputerSystem.Reset"), &json!({ "ResetType": "On" }));
    lab.tick(10_000);
    assert_eq!(lab.ok("GET", "machines/", None, &[]), json!([]));
    assert_eq!(lab.core.world.machines["node01"].running, Running::NoBootDevice);
}

#[test]
fn relayed_dhcp_enlists_too() {
    let mut lab = Lab::of(&relayed_site(), &SimOptions::default());
    let all = lab.ok("GET", "subnets/", None, &[]);
    let cidrs: Vec<&str> = all.as_array().unwrap().iter().map(|s| s["cidr"].as_str().unwrap()).collect();
    assert_eq!(cidrs, ["172.16.5.0/24"], "the relay's target has its own subnet, the relayed network is unknown");
    let target = all[0]["vlan"]["id"].to_string();
    let fabric = lab.ok("POST", "fabrics/", None, &[("name", "pxe")]);
    let vlan = fabric["vlans"][0]["id"].to_string();
    lab.ok("POST", "subnets/", None, &[("cidr", "10.10.0.0/24"), ("vlan", &vlan)]);
    lab.ok("POST", "ipranges/", None, &[("type", "dynamic"), ("start_ip", "10.10.0.100"), ("end_ip", "10.10.0.200")]);
    lab.ok("PUT", &format!("vlans/{vlan}/"), None, &[("relay_vlan", &target)]);
    let id = lab.enlist("node01");
    let m = lab.ok("GET", &format!("machines/{id}/"), None, &[]);
    assert_eq!(m["boot_interface"]["vlan"]["relay_vlan"]["id"].to_string(), target);
}

#[test]
fn deployment_boots_twice_and_ends_on_the_disk() {
    let mut lab = Lab::new(&SimOptions { images_present: true, ..SimOptions::default() });
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let m = format!("machines/{id}/");
    lab.ok("POST", "tags/", None, &[("name", "opts"), ("kernel_opts", "console=ttyS2 quiet")]);
    lab.ok("POST", "tags/opts/", Some("update_nodes"), &[("add", &id)]);
    lab.ok("POST", &m, Some("set_owner_data"), &[("drydock", "a1"), ("foo", "bar")]);
    lab.ok("POST", &m, Some("deploy"), &[("distro_series", "jammy"), ("hwe_kernel", "hwe-22.04")]);
    lab.tick(400);
    assert_eq!(lab.core.world.machines["node01"].running, Running::Installing);
    lab.tick(5000);
    let machine = &lab.core.world.machines["node01"];
    assert_eq!(machine.running, Running::OperatingSystem);
    let installed = machine.installed.clone().unwrap();
    assert_eq!((installed.by.as_str(), installed.series.as_str(), installed.kernel.as_str()), ("admin", "jammy", "hwe-22.04"));
    assert_eq!(installed.kernel_opts, "console=ttyS2 quiet");
    let now = lab.ok("GET", &m, None, &[]);
    assert_eq!((&now["status_name"], &now["owner_data"]["foo"]), (&"Deployed".into(), &"bar".into()));
    lab.ok("POST", &m, Some("release"), &[]);
    assert_eq!(lab.ok("GET", &m, None, &[])["status_name"], "Releasing");
    lab.tick(5000);
    let now = lab.ok("GET", &m, None, &[]);
    assert_eq!((&now["status_name"], &now["owner_data"], &now["power_state"]), (&"Ready".into(), &json!({}), &"off".into()));
    assert_eq!(now["tag_names"], json!(["opts"]), "tags stay");
    assert!(lab.core.world.machines["node01"].installed.is_some(), "a release without erasing leaves the disk");
    lab.ok("POST", &m, Some("deploy"), &[("distro_series", "jammy")]);
    lab.tick(5000);
    lab.ok("POST", &m, Some("release"), &[("erase", "true")]);
    lab.tick(5000);
    assert_eq!(lab.ok("GET", &m, None, &[])["status_name"], "Ready");
    assert_eq!(lab.core.world.machines["node01"].installed, None);
}

#[test]
fn late_looks_see_what_early_looks_see() {
    let run = |step: u64| {
        let mut lab = Lab::new(&SimOptions::default());
        lab.serve_dhcp();
        let id = lab.commission("node01");
        lab.ok("POST", &format!("machines/{id}/"), Some("deploy"), &[]);
        for _ in 0..(10_000 / step) {
            lab.tick(step);
        }
        lab.core.world
    };
    assert_eq!(run(7), run(7));
    let (mut a, mut b) = (run(1), run(10_000));
    for w in [&mut a, &mut b] {
        w.meta.requests = 0;
    }
    assert_eq!(a.nodes, b.nodes);
    assert_eq!(a.machines, b.machines);
}

#[test]
fn images_appear_when_they_are_selected_and_imported() {
    let mut lab = Lab::new(&SimOptions::default());
    let names = |lab: &mut Lab| {
        let all = lab.ok("GET", "boot-resources/", None, &[]);
        all.as_array()
            .unwrap()
            .iter()
            .map(|r| format!("{} {}", r["name"].as_str().unwrap(), r["architecture"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&mut lab), ["ubuntu/noble amd64/ga-24.04", "ubuntu/noble amd64/hwe-24.04"]);
    lab.ok(
        "POST",
        "boot-sources/1/selections/",
        None,
        &[("os", "ubuntu"), ("release", "jammy"), ("arches", "amd64"), ("subarches", "*"), ("labels", "*")],
    );
    let again = lab.maas("POST", "boot-sources/1/selections/", None, &[("os", "ubuntu"), ("release", "jammy")]);
    assert_eq!(again.status, 400);
    assert_eq!(lab.maas("POST", "boot-sources/1/selections/", None, &[("os", "ubuntu"), ("release", "nosuch")]).status, 400);
    lab.ok("POST", "boot-resources/", Some("import"), &[]);
    assert_eq!(lab.ok("GET", "boot-resources/", Some("is_importing"), &[]), json!(true));
    lab.tick(1000);
    assert_eq!(lab.ok("GET", "boot-resources/", Some("is_importing"), &[]), json!(false));
    assert_eq!(names(&mut lab)[2..], ["ubuntu/jammy amd64/ga-22.04", "ubuntu/jammy amd64/hwe-22.04"]);
}

#[test]
fn a_machine_can_fail_and_hang() {
    let rule = |node: &str, machine| FaultRule { node: Some(node.into()), machine: Some(machine), ..FaultRule::default() };
    let options = SimOptions {
        faults: vec![
            rule("node01", MachineFault::CommissioningFails),
            rule("node02", MachineFault::DeploymentFails),
            rule("node03", MachineFault::DeploymentHangs),
        ],
        ..SimOptions::default()
    };
    let mut lab = Lab::new(&options);
    lab.serve_dhcp();
    let one = lab.commission("node01");
    let path = format!("machines/{one}/");
    let m = lab.ok("GET", &path, None, &[]);
    assert_eq!((&m["status"], &m["commissioning_status_name"]), (&2.into(), &"Failed".into()));
    lab.ok("POST", &path, Some("commission"), &[]);
    lab.tick(5000);
    assert_eq!(lab.ok("GET", &path, None, &[])["status_name"], "Ready", "the rule hits once");
    for (node, within, after) in [("node02", "Failed deployment", "Failed deployment"), ("node03", "Deploying", "Failed deployment")] {
        let id = lab.commission(node);
        let path = format!("machines/{id}/");
        lab.ok("POST", &path, Some("deploy"), &[]);
        lab.tick(20_000);
        assert_eq!(lab.ok("GET", &path, None, &[])["status_name"], within, "{node}");
        lab.tick(60_000);
        assert_eq!(lab.ok("GET", &path, None, &[])["status_name"], after, "{node}");
    }
}

#[test]
fn initial_states_are_what_they_say() {
    let machines = [("node01", InitialState::Ready), ("node02", InitialState::Foreign), ("node03", InitialState::OnUnknown)];
    let options = SimOptions { machines: machines.map(|(n, s)| (n.to_owned(), s)).into(), ..SimOptions::default() };
    let mut lab = Lab::new(&options);
    let all = lab.ok("GET", "machines/", None, &[]);
    let mut seen: Vec<(String, String)> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["status_name"].as_str().unwrap().to_owned(), m["owner"].as_str().unwrap_or("-").to_owned()))
        .collect();
    seen.sort();
    assert_eq!(seen, [("Deployed".to_owned(), "other-team".to_owned()), ("Ready".to_owned(), "-".to_owned())]);
    let on = &lab.core.world.machines["node03"];
    assert!(on.on && on.installed.is_some());
    let refused = lab.core.node_of("node02").unwrap().to_owned();
    assert_eq!(lab.maas("POST", &format!("machines/{refused}/"), Some("commission"), &[]).status, 400);
}

#[test]
fn details_are_lshw_with_bus_addresses() {
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    lab.commission("node01");
    let machine = lab.core.world.machines["node01"].clone();
    let text = crate::sim::maas::lshw(&machine);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let business = |info: &str| doc.descendants().find(|n| n.has_tag_name("businfo") && n.text() == Some(info)).and_then(|n| n.parent());
    let child =
        |n: roxmltree::Node<'_, '_>, tag: &str| n.children().find(|c| c.has_tag_name(tag)).and_then(|c| c.text().map(str::to_owned));
    let nic = business("pci@0000:00:03.0").unwrap();
    assert_eq!(child(nic, "serial"), Some(machine.nics[0].mac.clone()));
    assert_eq!(child(nic, "logicalname"), Some("enp0s3".to_owned()));
    let disk = business("scsi@2:0.0.0").unwrap();
    assert_eq!(child(disk, "logicalname"), Some("/dev/sda".to_owned()));
    assert_eq!(child(disk, "serial"), Some(machine.disks[0].serial.clone()));
}

#[test]
fn tags_with_definitions_follow_the_hardware() {
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    lab.ok("POST", "tags/", None, &[("name", "hp"), ("definition", "//node[@class='system']/vendor = 'HP'")]);
    lab.ok("POST", "tags/", None, &[("name", "gpu"), ("definition", "//node[@id='display']")]);
    let m = lab.ok("GET", &format!("machines/{id}/"), None, &[]);
    assert_eq!(m["tag_names"], json!(["hp"]));
    let sample = "//node[@id=\"display\"]/'clock units=\"Hz\"' > 1000000000";
    let bad = lab.maas("POST", "tags/", None, &[("name", "test"), ("definition", sample)]);
    assert_eq!((bad.status, bad.body), (400, json!({ "definition": ["Invalid xpath expression: Invalid expression"] })));
}

#[test]
fn foreign_bmc_troubles_are_seen_by_maas_too() {
    let rule = FaultRule { node: Some("node01".into()), machine: Some(MachineFault::BmcUnreachable), ..FaultRule::default() };
    let mut lab = Lab::new(&SimOptions {
        faults: vec![rule],
        machines: [("node01".to_owned(), InitialState::Ready)].into(),
        ..SimOptions::default()
    });
    let id = lab.core.node_of("node01").unwrap().to_owned();
    let path = format!("machines/{id}/");
    assert_eq!(lab.ok("GET", &path, Some("query_power_state"), &[]), json!({ "state": "error" }));
    let m = lab.ok("POST", &path, Some("deploy"), &[]);
    assert_eq!(m["status_name"], "Failed deployment");
}

#[test]
fn once_is_ignored_by_some_bmcs() {
    let mut options = SimOptions::default();
    options.hardware.bmc_ignores_once = true;
    let mut lab = Lab::new(&options);
    lab.serve_dhcp();
    lab.enlist("node01");
    let system = lab.system("node01");
    let boot = lab.bmc("node01", "GET", &system, &json!(null)).body["Boot"].clone();
    assert_eq!((&boot["BootSourceOverrideEnabled"], &boot["BootSourceOverrideTarget"]), (&"Continuous".into(), &"Pxe".into()));
}

#[test]
fn dynamic_ranges_hold_nothing_that_is_in_use() {
    let mut lab = Lab::new(&SimOptions::default());
    let subnet = lab.ok("GET", "subnets/cidr:10.10.0.0/24/", None, &[])["id"].to_string();
    let path = format!("subnets/{subnet}/");
    let make = |lab: &mut Lab, kind: &str, start: &str, end: &str| {
        lab.maas("POST", "ipranges/", None, &[("type", kind), ("subnet", &subnet), ("start_ip", start), ("end_ip", end)])
    };
    let conflict = json!(["Requested dynamic range conflicts with an existing IP address or range."]);
    // The rack controller has 10.10.0.254.
    let refused = make(&mut lab, "dynamic", "10.10.0.100", "10.10.0.254");
    assert_eq!((refused.status, &refused.body["start_ip"], &refused.body["end_ip"]), (400, &conflict, &conflict));
    lab.ok("PUT", &path, None, &[("dns_servers", "10.10.0.150,8.8.8.8"), ("gateway_ip", "10.10.0.1")]);
    for (start, end) in [("10.10.0.100", "10.10.0.200"), ("10.10.0.150", "10.10.0.150"), ("10.10.0.1", "10.10.0.9")] {
        assert_eq!(make(&mut lab, "dynamic", start, end).body["start_ip"], conflict, "{start}");
    }
    assert_eq!(make(&mut lab, "reserved", "10.10.0.140", "10.10.0.160").status, 200, "a reserved range may hold addresses in use");
    assert_eq!(make(&mut lab, "dynamic", "10.10.0.160", "10.10.0.170").status, 400, "ranges do not overlap");

    // A range stays what it is where a server is set in it later, and may grow where nothing is.
    let range = make(&mut lab, "dynamic", "10.10.0.20", "10.10.0.40");
    let path_of_range = format!("ipranges/{}/", range.body["id"]);
    lab.ok("PUT", &path, None, &[("dns_servers", "10.10.0.30,10.10.0.50")]);
    assert_eq!(lab.maas("PUT", &path_of_range, None, &[("end_ip", "10.10.0.45")]).status, 200);
    assert_eq!(lab.maas("PUT", &path_of_range, None, &[("end_ip", "10.10.0.50")]).body["end_ip"], conflict);

    // Where MAAS does not manage a subnet, dynamic ranges lie in reserved ones.
    lab.ok("PUT", &path, None, &[("managed", "false")]);
    assert_eq!(make(&mut lab, "dynamic", "10.10.0.60", "10.10.0.70").status, 400);
    assert_eq!(make(&mut lab, "dynamic", "10.10.0.141", "10.10.0.149").status, 200);
}

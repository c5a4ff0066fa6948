//! The world that a design gives.

use super::fixture::{site, site_with};
use crate::sim::generate;
use crate::sim::options::SimOptions;

#[test]
fn machines_have_the_hardware_of_the_design() {
    let w = generate(&site(), &SimOptions::default());
    let m = &w.machines["node01"];
    let nics: Vec<(&str, &str, Option<&str>)> = m.nics.iter().map(|n| (n.name.as_str(), n.pci.as_str(), n.wire.as_deref())).collect();
    assert_eq!(
        nics,
        [("enp0s3", "0000:00:03.0", Some("pxe")), ("enp4s0", "0000:04:00.0", Some("data")), ("enp4s0f1", "0000:04:00.1", Some("data")),]
    );
    let disks: Vec<(&str, &str, u64)> = m.disks.iter().map(|d| (d.name.as_str(), d.scsi.as_str(), d.size)).collect();
    assert_eq!(disks, [("sda", "2:0.0.0", 480_000_000_000), ("sdb", "9:0.0.0", 480_000_000_000)]);
    let bmc = m.bmc.as_ref().unwrap();
    assert_eq!((bmc.address.as_str(), bmc.user.as_str(), bmc.password.as_str()), ("10.9.0.11", "root", "canary-bmc"));
    assert_eq!((m.vendor.as_str(), m.bios_version.as_str(), m.boot_mode.as_str()), ("HP", "2.2.3", "uefi"));
    assert_eq!(w.machines["node02"].power_type, "ipmi");
}

#[test]
fn maas_has_found_the_dhcp_network_by_itself() {
    let w = generate(&site(), &SimOptions::default());
    let subnets: Vec<(&str, &str)> = w.site.subnets.values().map(|s| (s.name.as_str(), s.cidr.as_str())).collect();
    assert_eq!(subnets, [("10.10.0.0/24", "10.10.0.0/24")]);
    assert_eq!(w.site.fabrics[&0].name, "fabric-0");
    let rack = &w.site.rack_interfaces[0];
    assert_eq!(rack.links[0].ip.as_deref(), Some("10.10.0.254"));
    assert!(w.nodes.is_empty());
}

#[test]
fn the_same_input_gives_the_same_world_and_another_seed_another() {
    let w = generate(&site(), &SimOptions::default());
    assert_eq!(w, generate(&site(), &SimOptions::default()));
    let other = generate(&site(), &SimOptions { seed: 2, ..SimOptions::default() });
    assert_ne!(w.machines["node01"].nics[0].mac, other.machines["node01"].nics[0].mac);
}

#[test]
fn every_world_has_a_region_of_its_own() {
    let id = |site: &_, seed| generate(site, &SimOptions { seed, ..SimOptions::default() }).site.controller;
    let mut elsewhere = site();
    elsewhere.name.value = "elsewhere".into();
    let ids = [id(&site(), 1), id(&site(), 2), id(&elsewhere, 1)];
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 3, "{ids:?}");
    // A world of an earlier version keeps the one that it had.
    let mut stored = serde_json::to_value(generate(&site(), &SimOptions::default())).unwrap();
    stored["site"].as_object_mut().unwrap().remove("controller");
    let world: crate::sim::World = serde_json::from_value(stored).unwrap();
    assert_eq!(world.site.controller, "qx8d88");
}

#[test]
fn disks_hold_the_layout() {
    let w = generate(&site_with("", "eth_a, eth_b", "3t"), &SimOptions::default());
    assert_eq!(w.machines["node01"].disks[0].size, 3_840_000_000_000);
}

#[test]
fn hardware_can_differ_from_what_one_expects() {
    let mut options = SimOptions::default();
    options.hardware.renamed_nics = true;
    options.hardware.odd_disk_sizes = true;
    options.hardware.extra_disks = 1;
    options.hardware.foreign_machines = 2;
    options.hardware.foreign_subnets = vec!["10.77.0.0/16".parse().unwrap()];
    let w = generate(&site(), &options);
    let m = &w.machines["node01"];
    assert_eq!(m.nics.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["eno1", "eno2", "eno3"]);
    assert_eq!(m.disks.len(), 3);
    assert!(m.disks.iter().all(|d| d.size % 1_000_000_000 != 0));
    assert_eq!(w.nodes.values().filter(|n| n.owner.as_deref() == Some("other-team")).count(), 2);
    assert!(w.site.subnets.values().any(|s| s.cidr == "10.77.0.0/16"));
}

#[test]
fn kernel_names_are_kept_and_a_nic_in_two_interfaces_is_cabled_where_it_can_boot() {
    let w = generate(&site_with("", "eno49, pxe_nic", "30g"), &SimOptions::default());
    let nics = &w.machines["node01"].nics;
    let wire = |name: &str| nics.iter().find(|n| n.name == name).unwrap().wire.clone();
    assert_eq!(wire("eno49").as_deref(), Some("data"));
    assert_eq!(wire("enp0s3").as_deref(), Some("pxe"));
    assert_eq!(wire("enp4s0"), None, "an alias that no interface uses is not cabled");
}

#[test]
fn options_refuse_unknown_keys_and_read_yaml() {
    let text = "seed: 7\ntiming: {deploy_ms: 10}\nmachines: {node01: on_unknown}\nfaults:\n- {op: deploy, kill: after_effect}\n";
    let o: SimOptions = serde_yaml::from_str(text).unwrap();
    assert_eq!((o.seed, o.timing.deploy_ms, o.timing.post_ms), (7, 10, 150));
    assert_eq!(o.faults[0].nth, 1);
    assert!(serde_yaml::from_str::<SimOptions>("sed: 7").unwrap_err().to_string().contains("sed"));
}

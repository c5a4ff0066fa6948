//! More of the recordings of a real MAAS 3.7.3, and the account of all of them: each is compared, or listed with the reason why not. The tables of calls in
//! `docs/simulated-site.md` and in the README are made here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::fidelity::{Recordings, asked, recordings};
use super::fixture::Lab;
use crate::sim::options::{FaultRule, MachineFault, SimOptions};

#[test]
fn power_and_rescue_answer_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let m = format!("machines/{id}/");
    r.fields("machine-commissioned", &lab.maas("GET", &m, None, &[]));
    r.fields("machine-ipmi-ready", &lab.maas("GET", &m, None, &[]));
    r.answers("machine-details", &lab.maas("GET", &m, Some("details"), &[]));
    r.answers("machines-power-parameters", &lab.maas("GET", "machines/", Some("power_parameters"), &[]));
    r.fields("machine-ipmi-deploy-from-ready", &lab.maas("POST", &m, Some("deploy"), &[]));
    lab.tick(10_000);
    r.fields("machine-ipmi-deployed", &lab.maas("GET", &m, None, &[]));
    r.fields("machine-ipmi-power-off-deployed", &lab.maas("POST", &m, Some("power_off"), &[]));
    lab.tick(1000);
    r.same("machine-ipmi-query-power-state-off", &lab.maas("GET", &m, Some("query_power_state"), &[]));
    r.fields("machine-ipmi-power-on", &lab.maas("POST", &m, Some("power_on"), &[]));
    lab.tick(1000);
    r.fields("machine-ipmi-power-off", &lab.maas("POST", &m, Some("power_off"), &[]));
    lab.tick(1000);
    r.fields("machine-ipmi-release-1", &lab.maas("POST", &m, Some("release"), &[]));
    lab.tick(10_000);
    r.same("tag-create-fake-fail", &lab.maas("POST", "tags/", None, &[("name", "fake-fail")]));
    let constraints = [("system_id", id.as_str()), ("agent_name", "test"), ("comment", "mine")];
    let again = lab.maas("POST", "machines/", Some("allocate"), &constraints);
    assert_eq!(again.body["status_name"], "Allocated");
    r.fields("machine-release", &lab.maas("POST", &m, Some("release"), &[("comment", "done")]));
    lab.tick(10_000);
    r.fields("machine-deploy-direct-from-ready", &lab.maas("POST", &m, Some("deploy"), &[]));
    lab.tick(10_000);
    r.fields("machine-ipmi-rescue", &lab.maas("POST", &m, Some("rescue_mode"), &[]));
    lab.tick(10_000);
    r.fields("machine-ipmi-rescue-mode", &lab.maas("GET", &m, None, &[]));
    r.fields("machine-ipmi-exit-rescue", &lab.maas("POST", &m, Some("exit_rescue_mode"), &[]));
    lab.tick(10_000);
    r.same("machine-delete-deployed", &lab.maas("DELETE", &m, None, &[]));
    let manual = [
        ("architecture", "amd64/generic"),
        ("mac_addresses", "52:54:00:11:22:33"),
        ("power_type", "manual"),
        ("hostname", "new01"),
        ("commission", "false"),
    ];
    let by_hand = lab.ok("POST", "machines/", None, &manual)["system_id"].as_str().unwrap().to_owned();
    r.same("machine-power-parameters", &lab.maas("GET", &format!("machines/{by_hand}/"), Some("power_parameters"), &[]));
    r.same("machine-query-power-state-manual", &lab.maas("GET", &format!("machines/{by_hand}/"), Some("query_power_state"), &[]));
    r.same("machine-delete-ready", &lab.maas("DELETE", &format!("machines/{by_hand}/"), None, &[]));
    r.finish(20);
}

#[test]
fn a_failed_deployment_answers_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let fails = FaultRule { node: Some("node01".into()), machine: Some(MachineFault::DeploymentFails), ..FaultRule::default() };
    let mut lab = Lab::new(&SimOptions { faults: vec![fails], ..SimOptions::default() });
    lab.serve_dhcp();
    let id = lab.commission("node01");
    let m = format!("machines/{id}/");
    lab.ok("POST", "machines/", Some("allocate"), &[("system_id", &id)]);
    r.fields("machine-deploy-2", &lab.maas("POST", &m, Some("deploy"), &[]));
    lab.tick(10_000);
    let failed = lab.maas("GET", &m, None, &[]);
    assert_eq!(failed.body["status_name"], "Failed deployment");
    r.fields("machine-failed-deployment", &failed);
    r.finish(2);
}

#[test]
fn more_of_networks_and_disks_answers_as_recorded() {
    let Some(mut r) = recordings() else { return };
    let mut lab = Lab::new(&SimOptions::default());
    lab.serve_dhcp();
    r.fields("boot-sources", &lab.maas("GET", "boot-sources/", None, &[]));
    let id = lab.commission("node01");
    let base = format!("nodes/{id}/interfaces/");
    let all = lab.ok("GET", &base, None, &[]);
    let ids: Vec<String> = all.as_array().unwrap().iter().map(|i| i["id"].to_string()).collect();
    let vlan = all[1]["vlan"]["id"].to_string();
    lab.ok("PUT", &format!("{base}{}/", ids[2]), None, &[("vlan", &vlan)]);
    let bond = lab.maas("POST", &base, Some("create_bond"), &[("name", "bond0"), ("parents", &ids[1]), ("parents", &ids[2])]);
    r.fields("interface-create-bond-defaults", &bond);
    let m = format!("machines/{id}/");
    lab.ok("POST", &m, Some("set_storage_layout"), &[("storage_layout", "blank")]);
    let disk = lab.ok("GET", &m, None, &[])["physicalblockdevice_set"][0]["id"].to_string();
    let parts = format!("nodes/{id}/blockdevices/{disk}/partitions/");
    let part = lab.ok("POST", &parts, None, &[("size", "536870912"), ("bootable", "true")]);
    let path = part["resource_uri"].as_str().unwrap().trim_start_matches("/MAAS/api/2.0/").to_owned();
    r.fields("partition-format-efi", &lab.maas("POST", &path, Some("format"), &[("fstype", "fat32"), ("label", "efi")]));
    r.fields("partition-mount-efi", &lab.maas("POST", &path, Some("mount"), &[("mount_point", "/boot/efi")]));
    r.fields("vlan-dhcp-off", &lab.maas("PUT", "fabrics/0/vlans/0/", None, &[("dhcp_on", "false")]));
    r.finish(5);
}

/// Recordings that are not replayed, by how their names begin, and why.
const NOT_REPLAYED: [(&str, &str); 26] = [
    ("boot-resource-after-upload", "uploads of images"),
    ("boot-resource-upload", "uploads of images"),
    ("describe", "the description of the API"),
    ("device", "devices"),
    ("dhcp-snippets", "DHCP snippets"),
    ("discoveries", "network discovery"),
    ("dnsresource", "DNS records"),
    ("domain-delete-in-use", "DNS records"),
    ("error-not-admin-users", "users"),
    ("users", "users"),
    ("interface-link-subnet-dhcp-ipv6", "addresses that MAAS chooses in IPv6 subnets"),
    ("ipaddresses", "reserved addresses"),
    ("reserved-ip", "reserved addresses"),
    ("machine-create-ipmi", "machines that are added with a BMC"),
    ("machine-ipmi-allocate", "another recording of a call that is compared"),
    ("machines-allocate-2", "another recording of a call that is compared"),
    ("machine-ipmi-deployed-by-power-on", "a deployment that begins with power_on"),
    ("machine-deploy-not-allocated-new", "an image that was uploaded stands in the answer"),
    ("machines-allocate-dry-run", "dry runs of allocate"),
    ("node-scripts", "scripts"),
    ("norack-", "a region without a rack controller"),
    ("notifications", "notifications"),
    ("raid", "RAID"),
    ("resourcepool", "resource pools"),
    ("vm-hosts", "hosts of virtual machines"),
    ("zone", "zones"),
];

/// Names of the recordings that the tests compare with.
fn compared() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for file in [include_str!("fidelity.rs"), include_str!("replay.rs")] {
        for name in ["same", "same_but", "fields", "answers"] {
            let call = format!("r.{name}(");
            for (at, _) in file.match_indices(&call) {
                let rest = file[at + call.len()..].trim_start();
                out.extend(rest.strip_prefix('"').and_then(|r| r.split_once('"')).map(|(name, _)| name.to_owned()));
            }
        }
    }
    out.extend(["interface-update-vlan-eth1", "interface-update-vlan-eth2"].map(str::to_owned));
    out
}

/// All recordings.
fn all(r: &Recordings) -> BTreeSet<String> {
    let files = std::fs::read_dir(&r.dir).unwrap().map(|e| e.unwrap().path());
    let names = files.filter(|p| p.extension().is_some_and(|e| e == "json")).map(|p| p.file_stem().unwrap().to_string_lossy().into_owned());
    names.filter(|n| r.load(n)["request"].is_object()).collect()
}

fn update(file: &str, begin: &str, end: &str, table: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(begin).expect("a begin mark");
    let (found, tail) = rest.split_once(end).expect("an end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, table, "{file}: run the test with UPDATE_DOCS=1");
    }
}

#[test]
fn every_recording_is_accounted_for_and_the_tables_are_made_from_that() {
    let Some(r) = recordings() else { return };
    let (all, compared) = (all(&r), compared());
    let unknown: Vec<&String> = compared.difference(&all).collect();
    assert!(unknown.is_empty(), "no such recordings: {unknown:?}");
    let mut left: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for name in all.difference(&compared) {
        let (_, why) =
            NOT_REPLAYED.iter().find(|(begin, _)| name.starts_with(begin)).unwrap_or_else(|| panic!("{name} is not accounted for"));
        left.entry(why).or_default().push(name);
    }
    for (begin, _) in NOT_REPLAYED {
        assert!(left.values().flatten().any(|n| n.starts_with(begin)), "nothing is left of {begin}");
    }
    let mut calls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut things: BTreeMap<String, (BTreeSet<String>, usize)> = BTreeMap::new();
    for name in &compared {
        let recording = r.load(name);
        let asked = asked(&recording["request"]);
        let thing = asked.path.split('/').rfind(|p| !matches!(*p, "" | "{}")).unwrap_or_default().to_owned();
        let entry = things.entry(thing).or_default();
        entry.0.insert(format!("{}{}", asked.method, asked.op.as_ref().map_or(String::new(), |op| format!(" {op}"))));
        entry.1 += 1;
        calls.entry(asked.call()).or_default().push(format!("{name} ({})", recording["status"]));
    }
    let mut table = format!(
        "{} of {} recordings are replayed, with {} calls.\n\n| call | compared with the recordings (status) |\n|---|---|\n",
        compared.len(),
        all.len(),
        calls.len()
    );
    for (call, names) in &calls {
        writeln!(table, "| `{call}` | {} |", names.join(", ")).unwrap();
    }
    table.push_str("\n| not replayed | recordings |\n|---|---|\n");
    for (why, names) in &left {
        writeln!(table, "| {why} | {} |", names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")).unwrap();
    }
    update("docs/simulated-site.md", "<!-- calls: made from src/sim/tests/replay.rs -->\n", "<!-- end of calls -->", &table);
    let mut short = String::from("| of the MAAS API | calls | recordings |\n|---|---|---|\n");
    for (thing, (calls, count)) in &things {
        writeln!(short, "| `{thing}` | {} | {count} |", calls.iter().cloned().collect::<Vec<_>>().join(", ")).unwrap();
    }
    update("README.md", "<!-- calls: made from src/sim/tests/replay.rs -->\n", "<!-- end of calls -->", &short);
}

//! What designs mean.

#![allow(clippy::format_push_string, clippy::format_collect, clippy::needless_for_each, clippy::needless_pass_by_value)] // texts of tests are small

use super::profiles::Profiles;
use super::sink::Sink;
use super::{BondMode, Node, Site, Size, resolve};
use crate::diag::Diagnostic;
use crate::document;
use crate::yaml::{SourceMap, Span};

const REGION: &str = "---\nschema: drydock/Region/v1\nmetadata: {schema: metadata/Document/v1, name: site}\ndata: {}\n";

fn doc(kind: &str, name: &str, data: &str) -> String {
    let indented = data.replace('\n', "\n  ");
    format!("---\nschema: drydock/{kind}/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\ndata:\n  {indented}\n")
}

fn read(documents: &[String]) -> (Site, Vec<Diagnostic>) {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", format!("{REGION}{}", documents.concat()));
    let document::Read { documents, sensitive, diagnostics: found, .. } = document::read_all(&map, &[file]);
    assert!(found.is_empty(), "{found:?}");
    let (site, found) = resolve(&documents, &sensitive);
    (site.expect("a site"), found)
}

fn site(documents: &[String]) -> Site {
    let (site, found) = read(documents);
    assert!(found.is_empty(), "{found:#?}");
    site
}

fn partitions(node: &Node, disk: &str) -> Vec<String> {
    let disk = &node.storage.physical_devices[disk];
    disk.partitions.iter().map(|p| format!("{} {} {}", p.name, p.size, p.filesystem.as_ref().map_or("-", |f| f.fstype.as_str()))).collect()
}

const LAYOUT: &str = "
storage:
  physical_devices:
    sda:
      labels: {bootdrive: true}
      partitions:
        - {name: root, size: 30g, filesystem: {mountpoint: /, fstype: xfs}}
        - {name: boot, size: 1g, filesystem: {mountpoint: /boot}}
        - {name: var, size: '>100g', filesystem: {mountpoint: /var}}
    sdb: {volume_group: data_vg}
    sdc: {volume_group: data_vg}
  volume_groups:
    data_vg:
      logical_volumes:
        - {name: one, size: 10%}
        - {name: two, size: 20%}
    spare_vg: {}
";

/// The Python original lost all but the last of the inherited siblings here.
#[test]
fn overriding_one_partition_disk_or_volume_keeps_the_others() {
    let child = "
host_profile: base
storage:
  physical_devices:
    sda:
      partitions:
        - {name: boot, size: 2g}
        - {name: log, size: 5g}
    sdc: null
  volume_groups:
    data_vg:
      logical_volumes:
        - {name: two, size: 30%}
";
    let site = site(&[doc("HostProfile", "base", LAYOUT), doc("BaremetalNode", "n1", child)]);
    let node = &site.nodes["n1"];
    assert_eq!(partitions(node, "sda"), ["root 30g xfs", "boot 2g ext4", "var >100g ext4", "log 5g -"]);
    assert_eq!(node.storage.physical_devices.keys().collect::<Vec<_>>(), ["sda", "sdb"]);
    assert_eq!(node.storage.volume_groups.keys().collect::<Vec<_>>(), ["data_vg", "spare_vg"]);
    let volumes: Vec<String> =
        node.storage.volume_groups["data_vg"].logical_volumes.iter().map(|v| format!("{} {}", v.name, v.size)).collect();
    assert_eq!(volumes, ["one 10%", "two 30%"]);
    let boot = node.storage.physical_devices["sda"].partitions[1].filesystem.as_ref().expect("inherited");
    assert_eq!(boot.mountpoint.as_ref().expect("inherited").value, "/boot");
}

/// The Python original crashed here.
#[test]
fn storage_may_begin_in_the_child() {
    let site =
        site(&[doc("HostProfile", "base", "platform: {image: jammy}"), doc("BaremetalNode", "n1", &format!("host_profile: base{LAYOUT}"))]);
    assert_eq!(partitions(&site.nodes["n1"], "sda").len(), 3);
    assert_eq!(site.nodes["n1"].storage.physical_devices["sda"].labels["bootdrive"].value, "true");
}

#[test]
fn values_know_the_line_that_set_them() {
    let documents = [
        doc("HostProfile", "base", "platform: {image: jammy}\nmetadata:\n  owner_data:\n    a: base\n    b: base"),
        doc("HostProfile", "middle", "host_profile: base\nmetadata:\n  owner_data:\n    b: middle"),
        doc("BaremetalNode", "n1", "host_profile: middle\nmetadata:\n  owner_data:\n    c: own"),
    ];
    let site = site(&documents);
    let node = &site.nodes["n1"];
    assert_eq!(node.host_profiles, ["middle", "base"]);
    let text: String = format!("{REGION}{}", documents.concat());
    let at = |span: Span| text.lines().nth(span.line as usize - 1).expect("a line").trim().to_owned();
    assert_eq!(at(node.owner_data["a"].span), "a: base");
    assert_eq!(at(node.owner_data["b"].span), "b: middle");
    assert_eq!(at(node.owner_data["c"].span), "c: own");
    assert_eq!(at(node.platform.image.as_ref().expect("inherited").span), "platform: {image: jammy}");
    assert_eq!(node.owner_data["b"].value, "middle");
}

#[test]
fn nodes_with_the_same_layout_share_it() {
    let site = site(&[
        doc("HostProfile", "base", LAYOUT),
        doc("BaremetalNode", "n1", "host_profile: base"),
        doc("BaremetalNode", "n2", "host_profile: base\nmetadata: {tags: [x]}"),
        doc("BaremetalNode", "n3", "host_profile: base\nstorage: {physical_devices: {sdb: null}}"),
    ]);
    assert!(std::sync::Arc::ptr_eq(&site.nodes["n1"].storage, &site.nodes["n2"].storage));
    assert!(!std::sync::Arc::ptr_eq(&site.nodes["n1"].storage, &site.nodes["n3"].storage));
    assert!(!site.nodes["n3"].storage.physical_devices.contains_key("sdb"));
}

#[test]
fn addresses_are_not_inherited() {
    let profile = doc("HostProfile", "base", "platform: {image: jammy}");
    let site = site(&[profile, doc("BaremetalNode", "n1", "host_profile: base\naddressing:\n  - {network: a, address: DHCP}")]);
    assert_eq!(site.nodes["n1"].addressing.len(), 1);
    assert!(site.nodes["n1"].addressing[0].address.is_none());
}

fn chain(length: usize) -> Vec<String> {
    let profile =
        |n: usize| doc("HostProfile", &format!("p{n}"), &format!("host_profile: p{}\nmetadata: {{owner_data: {{k: v{n}}}}}", n - 1));
    let mut documents: Vec<String> = (1..length).map(profile).collect();
    documents.push(doc("HostProfile", "p0", "platform: {image: jammy}"));
    documents.push(doc("BaremetalNode", "n1", &format!("host_profile: p{}", length - 1)));
    documents
}

#[test]
fn a_long_chain_of_profiles_resolves() {
    let site = site(&chain(200));
    let node = &site.nodes["n1"];
    assert_eq!(node.host_profiles.len(), 200);
    assert_eq!(node.owner_data["k"].value, "v199");
    assert_eq!(node.platform.image.as_ref().expect("from p0").value, "jammy");
}

#[test]
fn an_absurd_chain_of_profiles_is_cut() {
    let (site, found) = read(&chain(2000));
    assert_eq!(found.len(), 9, "each 200 profiles begin anew");
    assert!(found.iter().all(|d| d.code.0 == "DD1110" && d.span.is_some()));
    assert_eq!(found[0].resource.as_deref(), Some("host_profile.p200"));
    let node = &site.nodes["n1"];
    assert!(node.incomplete);
    assert_eq!((node.host_profiles.len(), node.owner_data["k"].value.as_str()), (200, "v1999"));
}

/// What is inherited is copied where it differs: a large mapping in a profile, and many that add to it.
#[test]
fn what_is_inherited_is_bounded() {
    let large: String = (0..200).map(|n| format!("k{n}: v, ")).collect();
    let mut documents = vec![doc("HostProfile", "base", &format!("metadata: {{owner_data: {{{large}}}}}"))];
    documents.extend((0..60).map(|n| doc("BaremetalNode", &format!("n{n:03}"), "host_profile: base\nmetadata: {owner_data: {own: v}}")));
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", documents.concat());
    let documents = document::read_all(&map, &[file]).documents;
    let mut profiles = Profiles::new(documents.iter().filter(|d| d.name == "base"));
    profiles.left = 10_000;
    let mut sink = Sink::default();
    let inherited: Vec<usize> = documents[1..]
        .iter()
        .map(|node| {
            let inherited = profiles.apply(node, &node.name, &mut sink);
            let owner_data = inherited.tree.get("metadata").and_then(|m| m.get("owner_data")).and_then(|d| d.as_map()).expect("own");
            assert_eq!(inherited.incomplete, owner_data.entries.len() == 1);
            owner_data.entries.len()
        })
        .collect();
    assert_eq!((inherited[0], inherited[59]), (201, 1));
    assert!(inherited.iter().sum::<usize>() < 10_000);
    let found = sink.finish();
    assert_eq!(found.iter().map(|d| d.code.0).collect::<Vec<_>>(), ["DD1110"], "told once");
    assert_eq!(found[0].resource.as_deref(), Some("n048"));
}

#[test]
fn route_domains_are_bounded() {
    let mut documents: Vec<String> =
        (0..200).map(|n| doc("Network", &format!("n{n}"), &format!("cidr: 10.0.{n}.0/24\nroutedomain: d"))).collect();
    let routes = "\n  - {routedomain: d, gateway: 10.1.0.1}".repeat(5100);
    documents.push(doc("Network", "all", &format!("cidr: 10.1.0.0/24\nroutes:{routes}")));
    let (site, found) = read(&documents);
    assert!(found.iter().all(|d| d.code.0 == "DD1110" && d.span.is_some()), "{found:#?}");
    assert_eq!(found.len(), 5100 - 1_000_000 / 200);
    assert_eq!(site.networks["all"].routes.len(), 200);
}

#[test]
fn a_cycle_is_reported_once_and_ends() {
    let (site, found) = read(&[
        doc("HostProfile", "a", "host_profile: b\nplatform: {image: jammy}"),
        doc("HostProfile", "b", "host_profile: a\nplatform: {kernel: ga-22.04}"),
        doc("HostProfile", "self", "host_profile: self"),
        doc("BaremetalNode", "n1", "host_profile: a"),
        doc("BaremetalNode", "n2", "host_profile: b"),
    ]);
    let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        ["host profiles inherit from one another: `a` → `b` → `a`", "host profiles inherit from one another: `self` → `self`"]
    );
    let node = &site.nodes["n1"];
    assert_eq!(node.host_profiles, ["a", "b"]);
    assert_eq!(node.platform.kernel.as_ref().expect("from b").value, "ga-22.04");
}

#[test]
fn kernel_parameters() {
    let hardware = "cpu_sets: {sriov: '2,4'}\nhugepages:\n  big: {size: 1G, count: 300}\n  two.parts: {size: 2M, count: '8'}";
    let params = "
hardware_profile: hw
platform:
  kernel_params:
    quiet: true
    splash: false
    debug: 'True'
    console: ttyS2
    maxcpus: 8
    isolcpus: hardwareprofile:cpuset.sriov
    hugepagesz: hardwareprofile:hugepages.big.size
    hugepages: hardwareprofile:hugepages.big.count
    other: hardwareprofile:hugepages.two.parts.count
";
    let site = site(&[doc("HardwareProfile", "hw", hardware), doc("BaremetalNode", "n1", params)]);
    let params: Vec<String> = site.nodes["n1"].platform.kernel_params.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(params, ["console=ttyS2", "debug=", "hugepages=300", "hugepagesz=1G", "isolcpus=2,4", "maxcpus=8", "other=8", "quiet="]);
}

#[test]
fn tolerant_values() {
    let network =
        "vlan: 100\nmtu: '1500'\ncidr: 10.0.0.0/24\ndns: {domain: example.com, servers: [10.0.0.2, 10.0.0.3]}\nlabels: {a: 1, b: true}";
    let other =
        "vlan: '101'\ncidr: 10.0.1.7\ndns: {servers: '10.0.0.2, 10.0.0.3,'}\nranges: [{type: DHCP, start: 10.0.1.7, end: 10.0.1.7}]";
    let link = "bonding: {mode: balanced-rr, mon_rate: '50'}\ntrunking: {mode: 802.1q}\nallowed_networks: [a, b]";
    let site = site(&[doc("Network", "a", network), doc("Network", "b", other), doc("NetworkLink", "l", link)]);
    let (a, b) = (&site.networks["a"], &site.networks["b"]);
    assert_eq!((a.vlan.expect("a tag").value, a.mtu.expect("an MTU").value, a.dns_servers.len()), (100, 1500, 2));
    assert_eq!((a.labels["a"].value.as_str(), a.labels["b"].value.as_str()), ("1", "true"));
    assert_eq!((b.cidr.to_string().as_str(), b.dns_servers.len(), b.has_dhcp_range()), ("10.0.1.7/32", 2, true));
    let bonding = &site.links["l"].bonding;
    assert_eq!(bonding.mode.value, BondMode::BalanceRr);
    assert_eq!((bonding.mon_rate.expect("written").value, bonding.up_delay.expect("a default").value), (50, 200));
    assert!(bonding.hash.is_none() && site.links["l"].trunked.value);
    assert_eq!(b.link.as_deref(), Some("l"));
}

#[test]
fn sizes_are_read() {
    let layout = "storage:\n  physical_devices:\n    sda:\n      partitions:\n        - {size: 12.5%}\n        - {name: b, size: 100}";
    let site = site(&[doc("BaremetalNode", "n1", layout)]);
    let partitions = &site.nodes["n1"].storage.physical_devices["sda"].partitions;
    assert_eq!((partitions[0].name.as_str(), partitions[0].size.value), ("sda-part1", Size::Percent(1250)));
    assert_eq!(partitions[1].size.value, Size::Bytes(100));
}

#[test]
fn route_domains_and_known_destinations() {
    let network = |block: u32, routes: &str| format!("cidr: 10.0.{block}.0/24\nroutedomain: storage\nroutes:\n{routes}");
    let (site, found) = read(&[
        doc(
            "Network",
            "a",
            &network(1, "  - {routedomain: storage, gateway: 10.0.1.1, metric: 10}\n  - {subnet: 10.0.2.0/24, gateway: 10.0.1.1}"),
        ),
        doc("Network", "b", &network(2, "  - {subnet: 10.0.3.0/24, gateway: 10.0.2.1}\n  - {subnet: 0.0.0.0/0, gateway: 10.0.2.1}")),
        doc("Network", "c", &network(3, "  - {routedomain: nowhere, gateway: 10.0.3.1}")),
    ]);
    assert_eq!(found.iter().map(|found| found.code.0).collect::<Vec<_>>(), ["DD2112"], "the domain that nobody is in");
    let routes = |name: &str| {
        let routes = &site.networks[name].routes;
        routes
            .iter()
            .map(|r| format!("{} {} {}", r.subnet, r.network.as_deref().unwrap_or("-"), r.routedomain.as_deref().unwrap_or("-")))
            .collect::<Vec<_>>()
    };
    assert_eq!(routes("a"), ["10.0.2.0/24 b storage", "10.0.3.0/24 c storage"]);
    assert_eq!(routes("b"), ["10.0.3.0/24 c -", "0.0.0.0/0 - -"]);
    assert!(routes("c").is_empty());
    assert_eq!(site.networks["b"].default_gateway().expect("a default route").to_string(), "10.0.2.1");
}

fn selected(filter: &str) -> Vec<String> {
    let node = |name: &str, tag: &str, label: &str, rack: &str| {
        doc("BaremetalNode", name, &format!("metadata: {{tags: [{tag}], owner_data: {{role: {label}}}, rack: {rack}}}"))
    };
    let (site, found) = read(&[
        doc("Rack", "r1", "labels: {row: a}"),
        doc("Rack", "r2", "labels: {row: b}"),
        node("n1", "gpu", "compute", "r1"),
        node("n2", "gpu", "control", "r2"),
        node("n3", "ssd", "compute", "r2"),
        doc("BootAction", "action", &format!("assets: []\n{filter}")),
    ]);
    assert!(found.iter().all(|found| found.code.0 == "DD2113"), "only sets without criteria: {found:#?}");
    site.boot_actions["action"].nodes.clone()
}

#[test]
fn node_filters() {
    let one = |set: &str| selected(&format!("node_filter: {{filter_set_type: union, filter_set: [{set}]}}"));
    assert_eq!(selected(""), ["n1", "n2", "n3"]);
    assert_eq!(selected("node_filter: null"), ["n1", "n2", "n3"]);
    assert_eq!(one("{filter_type: union, node_tags: [gpu]}"), ["n1", "n2"]);
    assert_eq!(one("{filter_type: union, node_tags: [gpu], node_names: [n3]}"), ["n1", "n2", "n3"]);
    assert_eq!(one("{filter_type: intersection, node_tags: [gpu], node_labels: {role: compute}}"), ["n1"]);
    assert_eq!(one("{filter_type: intersection, rack_names: [r2], node_tags: [ssd, gpu]}"), ["n2", "n3"]);
    assert_eq!(one("{filter_type: intersection, rack_labels: {row: b}, node_labels: {role: compute}}"), ["n3"]);
    assert_eq!(one("{filter_type: union}"), Vec::<String>::new());
    assert_eq!(one("{filter_type: intersection}"), ["n1", "n2", "n3"]);
    let two = "{filter_type: union, node_tags: [gpu]}, {filter_type: union, rack_names: [r2]}";
    assert_eq!(selected(&format!("node_filter: {{filter_set_type: intersection, filter_set: [{two}]}}")), ["n2"]);
    assert_eq!(selected(&format!("node_filter: {{filter_set_type: union, filter_set: [{two}]}}")), ["n1", "n2", "n3"]);
    assert_eq!(selected("node_filter: {filter_set_type: union, filter_set: []}"), Vec::<String>::new());
}

#[test]
fn names_and_oob_addresses() {
    let node = "primary_network: mgmt\noob: {type: ipmi, network: oob}\naddressing:\n  - {network: oob, address: 10.0.9.5}";
    let site = site(&[
        doc("Network", "mgmt", "cidr: 10.0.1.0/24\ndns: {domain: example.com}"),
        doc("BaremetalNode", "n1", node),
        doc("BaremetalNode", "n2", "metadata: {boot_mac: 52-54-00-AB-CD-EF}"),
    ]);
    assert_eq!((site.nodes["n1"].fqdn.as_str(), site.nodes["n2"].fqdn.as_str()), ("n1.example.com", "n2"));
    assert_eq!(site.nodes["n1"].oob.address.expect("on oob").to_string(), "10.0.9.5");
    assert_eq!(site.nodes["n2"].boot_mac.as_ref().expect("a MAC").value, "52:54:00:ab:cd:ef");
}

#[test]
fn keys_broken_over_lines() {
    let join = super::decode::key_on_one_line;
    assert_eq!(join("ssh-rsa AAAA\n  BBBB\n  CCCC== me at home\n"), "ssh-rsa AAAABBBBCCCC== me at home");
    assert_eq!(join("ssh-ed25519 AAAA   me"), "ssh-ed25519 AAAA me");
    assert_eq!(join("  \n"), "");
}

#[test]
fn credentials_are_not_printed() {
    let site = site(&[doc("BaremetalNode", "n1", "oob: {type: ipmi, account: admin, credential: canary-secret}")]);
    let node = &site.nodes["n1"];
    assert_eq!(node.oob.credential.as_ref().expect("a credential").value.expose(), "canary-secret");
    assert!(!format!("{site:?}").contains("canary-secret"));
}

#[test]
fn a_problem_that_many_inherit_is_one() {
    let mut documents = vec![doc("HostProfile", "base", "interfaces:\n  i: {device_link: l, sriov: {vf_count: many}}")];
    documents.extend((0..5).map(|n| doc("BaremetalNode", &format!("n{n}"), "host_profile: base")));
    let (_, found) = read(&documents);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].note.as_deref(), Some("4 more inherit this"));
}

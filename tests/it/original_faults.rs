//! What Airship Drydock gets wrong: a case for each, so that none of it comes back.
//!
//! Each case is a valid design with some lines changed, and everything that is reported about it. Inheritance is compared with what the applied model holds.

use std::path::Path;

use drydock::document::{self, Read};
use drydock::model::{Site, resolve};
use drydock::yaml::SourceMap;
use drydock::{check, diag::Diagnostic};

use crate::cli_support::Folder;

fn valid() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/check/valid/design.yaml");
    std::fs::read_to_string(file).expect("design.yaml")
}

fn edited(edits: &[(&str, &str)]) -> String {
    let mut text = valid();
    for (from, to) in edits {
        assert!(text.contains(from), "the design holds no {from:?}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn validate(text: &str) -> (Option<Site>, Vec<Diagnostic>) {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text.to_owned());
    let Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&map, &[file]);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    if let Some(site) = &site {
        diagnostics.extend(check::run(site));
    }
    (site, diagnostics)
}

/// `error[DD2107] rack9: rack `rack9` does not exist`: severity, code, the text that is pointed to, and the message.
fn told(text: &str, found: &Diagnostic) -> String {
    let severity = found.severity.name();
    let place = found.span.map_or("", |span| &text[span.start as usize..span.end as usize]);
    let place = place.lines().next().unwrap_or("");
    format!("{severity}[{}] {place}: {}", found.code.0, found.message)
}

/// Everything that is reported. Each finding says where and what to do.
fn reported(text: &str) -> Vec<String> {
    let (_, found) = validate(text);
    for diagnostic in &found {
        assert!(diagnostic.help.is_some() || !diagnostic.labels.is_empty(), "no remedy: {diagnostic:?}");
        assert!(diagnostic.span.is_some() || !text.contains("node01"), "no place: {diagnostic:?}");
    }
    found.iter().map(|found| told(text, found)).collect()
}

/// The lines to change, and what is reported then.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

fn hold(cases: &[Case<'_>]) {
    let mut different = String::new();
    for (edits, expected) in cases {
        let actual = reported(&edited(edits));
        if actual != *expected {
            different.push_str(&format!("{edits:#?}\nexpected {expected:#?}\nreported {actual:#?}\n"));
        }
    }
    assert!(different.is_empty(), "{different}");
}

const OOB: &str = "oob: {type: redfish, network: oob, account: operator, credential: not-a-secret}";
const LACP: &str = "bonding: {mode: 802.3ad}";
const ROOT: &str = "{name: root, size: 30g, bootable: true, filesystem: {mountpoint: /}}";
const VOLUME: &str = "- {name: images, size: 50%, filesystem: {mountpoint: /var/lib/images, fstype: xfs}}";
const DISK: &str = "      sdb:\n        volume_group: data_vg\n";

/// Each of these ended a validation there, and hid all rules after it.
#[test]
fn what_crashed_is_reported() {
    hold(&[
        (&[(OOB, "oob: {type: ipmi, network: oob, account: operator, credential: not-a-secret}")], &[]),
        (
            &[(OOB, "oob: {type: ipmi, network: oob, credential: not-a-secret}")],
            &["error[DD4101] ipmi: management by ipmi needs `oob.account`"],
        ),
        (
            &[(OOB, "oob: {type: ipmi, network: oob, account: operator}")],
            &["error[DD4101] ipmi: management by ipmi needs `oob.credential`"],
        ),
        (
            &[(OOB, "oob: {type: ipmi, account: operator, credential: not-a-secret}")],
            &["error[DD4101] ipmi: management by ipmi needs `oob.network`"],
        ),
        (&[(OOB, "oob: {type: ipmi}")], &["error[DD4101] ipmi: management by ipmi needs `oob.network`, `oob.account`, `oob.credential`"]),
        (
            &[("    - {network: oob, address: 10.0.100.11}\n", "")],
            &["error[DD4101] node01: node `node01` has no address on `oob`, the network of its BMC"],
        ),
        (
            &[(VOLUME, "- {name: images, size: 60%}\n          - {name: more, size: 60%}")],
            &["error[DD3108] 60%: shares of volume group `data_vg` add up to 120.00 %"],
        ),
        (&[(VOLUME, "- {name: images, size: 99%}\n          - {name: more, size: 1%}")], &[]),
        (&[(VOLUME, "- {name: images, size: -5%}")], &["error[DD1103] -5%: `-5%` is not a size"]),
        (&[(LACP, "bonding: {mode: active-backup}")], &[]),
        (&[(LACP, "bonding: {mode: active-backup, mon_rate: 100, up_delay: 200, down_delay: 200}")], &[]),
        (
            &[(LACP, "bonding: {mode: active-backup, mon_rate: 100, up_delay: 50, down_delay: 200}")],
            &["warning[DD2314] 50: `up_delay` of link `data` is 50 ms, below the monitoring interval of 100 ms"],
        ),
        (
            &[(LACP, "bonding: {mode: active-backup, hash: layer3+4}")],
            &["warning[DD2316] layer3+4: `bonding.hash` has no effect in mode `active-backup`"],
        ),
    ]);
}

/// One mistake never hides another.
#[test]
fn no_rule_stops_another() {
    hold(&[(
        &[
            (LACP, "bonding: {mode: active-backup, up_delay: 50}"),
            (OOB, "oob: {type: ipmi, network: oob, credential: not-a-secret}"),
            (VOLUME, "- {name: images, size: 60%}\n          - {name: more, size: 60%}"),
            ("metadata: {rack: rack1}", "metadata: {rack: rack9}"),
            ("10.0.2.12", "10.0.2.11"),
        ],
        &[
            "warning[DD2314] 50: `up_delay` of link `data` is 50 ms, below the monitoring interval of 100 ms",
            "error[DD4101] ipmi: management by ipmi needs `oob.account`",
            "error[DD3108] 60%: shares of volume group `data_vg` add up to 120.00 %",
            "warning[DD2107] rack9: rack `rack9` does not exist",
            "error[DD2201] 10.0.2.11: address 10.0.2.11 of node `node02` on network `storage` is already assigned",
        ],
    )]);
}

#[test]
fn checks_that_could_never_fire_fire() {
    hold(&[
        (
            &[(LACP, "bonding: {mode: disabled, mon_rate: 100}"), (", nic03], networks", "], networks")],
            &["warning[DD2316] 100: `bonding.mon_rate` has no effect in mode `disabled`"],
        ),
        (
            &[
                (LACP, "bonding: {mode: disabled, hash: layer2, peer_rate: slow, up_delay: 10, down_delay: 10}"),
                (", nic03], networks", "], networks"),
            ],
            &[
                "warning[DD2316] layer2: `bonding.hash` has no effect in mode `disabled`",
                "warning[DD2316] slow: `bonding.peer_rate` has no effect in mode `disabled`",
                "warning[DD2316] 10: `bonding.up_delay` has no effect in mode `disabled`",
                "warning[DD2316] 10: `bonding.down_delay` has no effect in mode `disabled`",
            ],
        ),
        (
            &[(LACP, "bonding: {mode: balanced-rr, hash: layer3+4}")],
            &["warning[DD2316] layer3+4: `bonding.hash` has no effect in mode `balance-rr`"],
        ),
        (
            &[(LACP, "bonding: {mode: balance-rr, peer_rate: fast}")],
            &["warning[DD2316] fast: `bonding.peer_rate` has no effect in mode `balance-rr`"],
        ),
        (
            &[(LACP, "bonding: {mode: balanced-rr, mon_rate: 100, down_delay: 99}")],
            &["warning[DD2314] 99: `down_delay` of link `data` is 99 ms, below the monitoring interval of 100 ms"],
        ),
        (
            &[(DISK, "      sdb:\n        volume_group: data_vg\n        partitions: [{name: one, size: 1g}]\n")],
            &["error[DD3102] data_vg: disk `sdb` is a physical volume of `data_vg` and has partitions"],
        ),
        (
            &[(DISK, "      sdb:\n        partitions: [{name: one, size: 1g, volume_group: data_vg, filesystem: {mountpoint: /one}}]\n")],
            &["error[DD3104] data_vg: partition `one` is a physical volume of `data_vg` and has a filesystem"],
        ),
        (
            &[(DISK, "      sdb:\n        partitions: []\n")],
            &[
                "error[DD3103] sdb: disk `sdb` has neither partitions nor a volume group",
                "error[DD3106] data_vg: no disk or partition is a physical volume of `data_vg`",
            ],
        ),
    ]);
}

#[test]
fn what_is_right_is_not_reported() {
    hold(&[
        (&[], &[]),
        (&[(DISK, "      sdb:\n        partitions: [{name: pv, size: '>10g', volume_group: data_vg}]\n")], &[]),
        (&[(ROOT, "{name: root, size: '>20g', bootable: true, filesystem: {mountpoint: /}}")], &[]),
        (
            &[(ROOT, "{name: root, size: '>19g', bootable: true, filesystem: {mountpoint: /}}")],
            &["warning[DD3110] '>19g': partition `root` of `sda` has >19g, less than 20g"],
        ),
        (&[(ROOT, "{name: root, size: 20g, filesystem: {mountpoint: /}}")], &[]),
        (&[(ROOT, "{name: root, size: 20gi, filesystem: {mountpoint: /}}")], &[]),
        (&[(ROOT, "{name: root, size: 25%, filesystem: {mountpoint: /}}")], &[]),
        (
            &[(
                "---\nschema: drydock/BaremetalNode/v1",
                "---\nschema: drydock/BootAction/v1\nmetadata: {schema: metadata/Document/v1, name: tools}\ndata:\n  assets:\n    - {type: pkg_list, \
                 data: {tool: 1.2.3, other: '1:2.3-4~rc1', any: null}}\n---\nschema: drydock/BaremetalNode/v1",
            )],
            &[],
        ),
    ]);
}

#[test]
fn what_was_silently_accepted_is_told() {
    const FILTER: &str = "---\nschema: drydock/BootAction/v1\nmetadata: {schema: metadata/Document/v1, name: action}\ndata:\n  node_filter:\n    \
        filter_set_type: union\n    filter_set:\n      - {filter_type: union, node_names: [node01, node02, node3]}\n---\nschema: drydock/BaremetalNode/v1";
    hold(&[
        // Duplicates.
        (&[("name: node02", "name: node01")], &["error[DD0016] node01: two BaremetalNode documents with the name `node01`"]),
        (
            &[
                ("metadata: {rack: rack1}", "metadata: {rack: rack1, boot_mac: '52:54:00:00:00:01'}"),
                ("10.0.2.12}\n  metadata: {rack: rack1}", "10.0.2.12}\n  metadata: {rack: rack1, boot_mac: '52-54-00-00-00-01'}"),
            ],
            &["error[DD5107] '52-54-00-00-00-01': nodes `node01` and `node02` have the same boot MAC 52:54:00:00:00:01"],
        ),
        (&[("vlan: '101'", "vlan: 100")], &["warning[DD2307] 100: networks `mgmt` and `storage` of link `data` both have VLAN tag 100"]),
        // Names of nothing.
        (&[("metadata: {rack: rack1}", "metadata: {rack: rack9}")], &["warning[DD2107] rack9: rack `rack9` does not exist"]),
        (
            &[("allowed_networks: [mgmt, storage]", "allowed_networks: [mgmt, storage, overlay]")],
            &["warning[DD2104] overlay: network `overlay` does not exist"],
        ),
        (
            &[("trunking: {mode: 802.1q}", "trunking: {mode: 802.1q, default_network: nativ}")],
            &["warning[DD2104] nativ: network `nativ` does not exist"],
        ),
        (
            &[("---\nschema: drydock/BaremetalNode/v1", FILTER)],
            &["warning[DD2110] node3: node filter names node `node3`, which does not exist"],
        ),
        // Address blocks and ranges.
        (
            &[("cidr: 10.0.2.0/24", "cidr: 10.0.0.0/22")],
            &[
                "warning[DD2211] 10.0.0.0/24: network `pxe` (10.0.0.0/24) overlaps `storage` (10.0.0.0/22)",
                "warning[DD2211] 10.0.1.0/24: network `mgmt` (10.0.1.0/24) overlaps `storage` (10.0.0.0/22)",
            ],
        ),
        (
            &[("end: 10.0.0.199", "end: 10.0.1.199")],
            &["error[DD2207] 10.0.1.199: range ends at 10.0.1.199, outside network `pxe` (10.0.0.0/24)"],
        ),
        (
            &[("start: 10.0.0.100, end: 10.0.0.199", "start: 10.0.0.199, end: 10.0.0.100")],
            &["error[DD2207] 10.0.0.199: range 10.0.0.199 to 10.0.0.100 runs backwards"],
        ),
        (
            &[("{network: pxe, address: dhcp}", "{network: pxe, address: 10.0.0.150}")],
            &["warning[DD2209] 10.0.0.150: address 10.0.0.150 is in a DHCP range of network `pxe`"],
        ),
        (
            &[("networks: [mgmt, storage]}", "networks: [mgmt]}")],
            &[
                "warning[DD2213] storage: no interface of node `node01` carries network `storage`",
                "warning[DD2213] storage: no interface of node `node02` carries network `storage`",
            ],
        ),
        // Units.
        (&[("size: 30g,", "size: 30gibberish,")], &["error[DD1103] 30gibberish: `30gibberish` is not a size"]),
        (&[("size: 50%", "size: 50 percent")], &["error[DD1103] 50 percent: `50 percent` is not a size"]),
        (&[("size: 30g,", "size: 30.5g,")], &["error[DD1103] 30.5g: `30.5g` is not a size"]),
    ]);
}

#[test]
fn a_tree_without_a_drydock_document_is_no_success() {
    assert_eq!(
        reported("---\nschema: pegleg/SiteDefinition/v1\nmetadata: {name: x}\ndata: {}\n"),
        ["error[DD0017] : no drydock document in 1 file"]
    );
    assert_eq!(reported(""), ["error[DD0017] : no drydock document in 1 file"]);
}

#[test]
fn malformed_values_are_reported_with_their_place() {
    hold(&[
        // What its documentation allows.
        (&[("size: 30g,", "size: 30Gb,")], &[]),
        (&[("size: 30g,", "size: 30Gbit,")], &["error[DD1103] 30Gbit: `30Gbit` is not a size"]),
        (&[("cidr: 10.0.1.0/24", "cidr: 10.0.1.0/33")], &["error[DD1103] 10.0.1.0/33: `10.0.1.0/33` is not an address block"]),
        (&[("cidr: 10.0.1.0/24", "cidr: ''")], &["error[DD1103] '': `` is not an address block"]),
        (&[("address: 10.0.1.11", "address: 10.0.1.11/24")], &["error[DD1103] 10.0.1.11/24: `10.0.1.11/24` is not an IP address"]),
        (
            &[("address: 10.0.1.11", "address: ''")],
            &[
                "error[DD1104] {network: mgmt, address: ''}: no address on network `mgmt`",
                "warning[DD5102] node01: node `node01` has no address on its primary network `mgmt`",
            ],
        ),
        (
            &[("address: 10.0.1.11", "address:")],
            &[
                "error[DD1104] {network: mgmt, address:}: no address on network `mgmt`",
                "warning[DD5102] node01: node `node01` has no address on its primary network `mgmt`",
            ],
        ),
        (
            &[("address: 10.0.1.11", "address: [10.0.1.11]")],
            &[
                "error[DD1102] [10.0.1.11]: `addressing[2].address` is a list, and a single value belongs there",
                "error[DD1104] {network: mgmt, address: [10.0.1.11]}: no address on network `mgmt`",
                "warning[DD5102] node01: node `node01` has no address on its primary network `mgmt`",
            ],
        ),
        (
            &[("mtu: 9000\n  cidr", "mtu: 1500.5\n  cidr")],
            &["error[DD1103] 1500.5: `1500.5` is not a whole number of at most 4294967295 (mtu)"],
        ),
        (&[("mtu: 9000\n  cidr", "mtu: -1\n  cidr")], &["error[DD1103] -1: `-1` is not a whole number of at most 4294967295 (mtu)"]),
        (
            &[("mtu: 9000\n  cidr", "mtu: jumbo\n  cidr")],
            &["error[DD1103] jumbo: `jumbo` is not a whole number of at most 4294967295 (mtu)"],
        ),
        (&[("gateway: 10.0.1.1}", "gateway: ''}")], &["error[DD1103] '': `` is not an IP address"]),
        (&[("start: 10.0.0.100", "start: 10.0.0.0/25")], &["error[DD1103] 10.0.0.0/25: `10.0.0.0/25` is not an IP address"]),
    ]);
}

/// There, results are cached and documents changed by validating them, and a failure stays for half an hour.
#[test]
fn a_design_is_judged_by_what_it_says_now() {
    let (right, wrong) =
        (valid(), edited(&[("rack: rack1", "rack: rack9"), ("10.0.2.12", "10.0.2.11"), (LACP, "bonding: {mode: disabled, hash: layer2}")]));
    let first = validate(&wrong).1;
    assert!(first.len() >= 3, "{first:#?}");
    for _ in 0..3 {
        assert_eq!(validate(&right).1, []);
        assert_eq!(validate(&wrong).1, first);
    }
    // The same documents, too.
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", wrong);
    let Read { documents, sensitive, .. } = document::read_all(&map, &[file]);
    let before = format!("{documents:?}");
    let (site, found) = resolve(&documents, &sensitive);
    let site = site.expect("a site");
    let checked = check::run(&site);
    assert_eq!(check::run(&site), checked);
    let (again, found_again) = resolve(&documents, &sensitive);
    assert_eq!((found_again, check::run(&again.expect("a site"))), (found, checked));
    assert_eq!(format!("{documents:?}"), before);
}

/// There, the task ends in failure, without a message, whatever the design.
#[test]
fn validating_says_what_it_found() {
    let folder = Folder::empty();
    folder.write("right.yaml", &valid());
    folder.write("wrong.yaml", &edited(&[("rack: rack1", "rack: rack9"), ("10.0.2.12", "10.0.2.11")]));
    let right = folder.run(&["validate", "right.yaml"]);
    assert_eq!((right.code, right.stdout.lines().next()), (0, Some("no problems")), "{right:?}");
    for _ in 0..2 {
        let wrong = folder.run(&["validate", "wrong.yaml"]);
        assert_eq!(wrong.code, 3, "{wrong:?}");
        assert!(wrong.stdout.contains("error[DD2201]") && wrong.stdout.contains("warning[DD2107]"), "{wrong:?}");
        assert!(wrong.stdout.contains("1 error, 1 warning"), "{wrong:?}");
    }
}

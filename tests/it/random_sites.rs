//! Random valid designs over random, perturbed hardware: applied, the plan is empty, the oracle agrees, and MAAS refused nothing.
//!
//! Each case is made from a seed alone; `DRYDOCK_CASES=N` makes more of them. What occurs in too few cases fails the test: a generator that has
//! stopped to make something proves nothing about it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cli_support::Folder;
use crate::{oracle, support};

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn of<'a>(&mut self, what: &[&'a str]) -> &'a str {
        what[self.below(what.len())]
    }
}

/// A case: its files, and what occurs in it.
struct Case {
    design: String,
    settings: String,
    occurs: Vec<String>,
}

fn uuid(dice: &mut Dice) -> String {
    let (a, b) = (dice.next(), dice.next());
    format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, a & 0xffff, b >> 52, (b >> 40) & 0xfff, b & 0xffff_ffff_ffff)
}

/// A filesystem in flow style.
fn filesystem(dice: &mut Dice, mountpoint: &str, occurs: &mut Vec<String>) -> String {
    let mut out = format!("{{mountpoint: {mountpoint}, fstype: {}", dice.of(&["ext4", "xfs"]));
    if dice.coin() {
        occurs.push("mount options".into());
        out.push_str(", mount_options: 'noatime,nodev'");
    }
    if dice.coin() {
        occurs.push("filesystem label".into());
        write!(out, ", fs_label: l{}", dice.below(1000)).unwrap();
    }
    if dice.coin() {
        occurs.push("filesystem UUID".into());
        write!(out, ", fs_uuid: {}", uuid(dice)).unwrap();
    }
    out + "}"
}

fn storage(dice: &mut Dice, occurs: &mut Vec<String>) -> String {
    let mut out = String::from("  storage:\n    physical_devices:\n      first:\n");
    if dice.coin() {
        occurs.push("boot drive label".into());
        out.push_str("        labels: {bootdrive: 'true'}\n");
    }
    out.push_str("        partitions:\n");
    let root = dice.of(&["30g", "30gi", "30000m", "'25%'"]);
    occurs.push(format!("size {}", root.trim_start_matches(|c: char| c == '\'' || c.is_ascii_digit()).trim_end_matches('\'')));
    let bootable = if dice.coin() {
        occurs.push("boot flag".into());
        ", bootable: true"
    } else {
        ""
    };
    let part_uuid = if dice.coin() {
        occurs.push("partition UUID".into());
        format!(", part_uuid: {}", uuid(dice))
    } else {
        String::new()
    };
    let fs = filesystem(dice, "/", occurs);
    writeln!(out, "          - {{name: root, size: {root}{bootable}{part_uuid}, filesystem: {fs}}}").unwrap();
    let more = dice.below(4);
    occurs.push(format!("{more} partitions that take the rest"));
    for i in 0..more {
        let fs = filesystem(dice, ["/var", "/srv", "/opt"][i], occurs);
        let size = ["'>10g'", "'>40gi'", "'>1t'"][usize::from(i == 1)];
        writeln!(out, "          - {{name: p{i}, size: {size}, filesystem: {fs}}}").unwrap();
    }
    let group = dice.below(3);
    match group {
        0 => {
            occurs.push("no volume group".into());
            return out;
        }
        1 => {
            occurs.push("volume group on a disk".into());
            out.push_str("      second: {volume_group: data}\n");
        }
        _ => {
            occurs.push("volume group on partitions".into());
            out.push_str("      second:\n        partitions: [{name: pv0, size: 100g, volume_group: data}, {name: pv1, size: '>50g', volume_group: data}]\n");
        }
    }
    out.push_str("    volume_groups:\n      data:\n");
    if dice.coin() {
        occurs.push("volume group UUID".into());
        writeln!(out, "        vg_uuid: {}", uuid(dice)).unwrap();
    }
    out.push_str("        logical_volumes:\n");
    for (i, size) in ["20g", "'30%'", "'>1g'"].iter().enumerate().take(1 + dice.below(3)) {
        let lv_uuid = if dice.coin() {
            occurs.push("logical volume UUID".into());
            format!(", lv_uuid: {}", uuid(dice))
        } else {
            String::new()
        };
        let fs = filesystem(dice, &format!("/data{i}"), occurs);
        writeln!(out, "          - {{name: lv{i}, size: {size}{lv_uuid}, filesystem: {fs}}}").unwrap();
    }
    out
}

fn bonding(dice: &mut Dice, occurs: &mut Vec<String>) -> String {
    let mode = dice.of(&["disabled", "802.3ad", "active-backup", "balance-rr"]);
    occurs.push(format!("bond mode {mode}"));
    let mut out = format!("{{mode: {mode}");
    if mode == "802.3ad" {
        occurs.push("hash policy, LACP rate".into());
        write!(out, ", hash: {}, peer_rate: {}", dice.of(&["layer2+3", "layer3+4"]), dice.of(&["slow", "fast"])).unwrap();
    }
    if mode != "disabled" && dice.coin() {
        occurs.push("MII interval and delays".into());
        out.push_str(", mon_rate: 100, up_delay: 200, down_delay: 300");
    }
    out + "}"
}

fn case(seed: u64) -> Case {
    let mut dice = Dice(seed);
    let dice = &mut dice;
    let mut occurs: Vec<String> = Vec::new();
    let mut optional = |dice: &mut Dice, what: &str, text: &str| {
        if dice.coin() {
            occurs.push(what.to_owned());
            text.to_owned()
        } else {
            String::new()
        }
    };
    let tag = optional(dice, "tag definition", "tag_definitions: [{tag: fast, definition_type: lshw_xpath, definition: '//node'}], ");
    let repository = optional(
        dice,
        "package repository",
        "repositories: {remove_unlisted: true, tools: {repo_type: apt, url: 'https://packages.example.net/tools', distributions: [jammy], components: [main], arches: [amd64]}}, ",
    );
    let key = optional(
        dice,
        "SSH key",
        "authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcsc5GQau6GxmeN9opb8SBlr3Sv+JxsESypS6pEs+Mf a@b'], ",
    );
    let reserved = optional(dice, "reserved range", ", {type: reserved, start: 10.10.1.1, end: 10.10.1.9}");
    let dns = optional(dice, "DNS servers and domain", "\n  dns: {domain: lab.example, servers: '10.10.2.2,10.10.2.3'}");
    let mtu = optional(dice, "link MTU", "\n  mtu: 9000");
    let network_mtu = optional(dice, "network MTU", "\n  mtu: 1500");
    let route = optional(dice, "static route", "\n  routes: [{subnet: 10.10.1.0/24, gateway: 10.10.3.1, metric: 20}]");
    let kernel = optional(dice, "kernel", ", kernel: hwe-22.04");
    let parameters = optional(
        dice,
        "kernel parameters",
        ", kernel_params: {console: ttyS0, nomodeset: true, isolcpus: hardwareprofile:cpuset.isolated}",
    );
    let tags = optional(dice, "static tags", ", tags: [lab, spare]");
    let data = optional(dice, "owner data", ", owner_data: {team: platform, note: 'two words'}");
    let trunk = optional(dice, "tagged network", "y");
    let bonding = bonding(dice, &mut occurs);
    let bonded = !bonding.contains("disabled");
    let storage = storage(dice, &mut occurs);
    let by = dice.of(&["scsi", "serial", "model"]);
    occurs.push(format!("disk by {by}"));
    let nodes = 1 + dice.below(2);
    occurs.push(format!("{nodes} nodes"));
    let first = match by {
        "scsi" => "{address: '2:0.0.0', bus_type: scsi}",
        "serial" => "{address: SER-0001, bus_type: serial}",
        _ => "{address: FAST DISK 1, bus_type: model}",
    };
    let slaves = if bonded { "[nic1, nic2]" } else { "[nic1]" };
    let (trunking, allowed) = if trunk.is_empty() { ("disabled", "[mgmt]") } else { ("802.1q", "[mgmt, storage]") };
    let mut design = format!(
        "
{{schema: drydock/Region/v1, metadata: {{name: lab}}, data: {{{tag}{repository}{key}}}}}
---
{{schema: drydock/NetworkLink/v1, metadata: {{name: oob}}, data: {{bonding: {{mode: disabled}}, trunking: {{mode: disabled, default_network: oob}}, allowed_networks: [oob]}}}}
---
{{schema: drydock/NetworkLink/v1, metadata: {{name: pxe}}, data: {{bonding: {{mode: disabled}}, trunking: {{mode: disabled, default_network: pxe}}, allowed_networks: [pxe]}}}}
---
schema: drydock/NetworkLink/v1
metadata: {{name: data}}
data:
  bonding: {bonding}{mtu}
  trunking: {{mode: {trunking}, default_network: mgmt}}
  allowed_networks: {allowed}
---
{{schema: drydock/Network/v1, metadata: {{name: oob}}, data: {{cidr: 10.10.0.0/24}}}}
---
schema: drydock/Network/v1
metadata: {{name: pxe}}
data:
  cidr: 10.10.1.0/24
  ranges: [{{type: dhcp, start: 10.10.1.100, end: 10.10.1.199}}{reserved}]
---
schema: drydock/Network/v1
metadata: {{name: mgmt}}
data:
  cidr: 10.10.2.0/24{network_mtu}
  routes: [{{subnet: 0.0.0.0/0, gateway: 10.10.2.1, metric: 10}}]{dns}
---
schema: drydock/HardwareProfile/v1
metadata: {{name: server}}
data:
  device_aliases:
    pxe_nic: {{address: '0000:02:00.0', bus_type: pci}}
    nic1: {{address: '0000:3b:00.0', bus_type: pci}}
    nic2: {{address: '0000:3b:00.1', bus_type: pci}}
    first: {first}
    second: {{address: '2:0.1.0', bus_type: scsi}}
  cpu_sets: {{isolated: '2-3'}}
---
schema: drydock/HostProfile/v1
metadata: {{name: host}}
data:
  hardware_profile: server
  primary_network: mgmt
  oob: {{type: redfish, network: oob, account: root, credential: pass}}
  interfaces:
    pxe0: {{device_link: pxe, slaves: [pxe_nic], networks: [pxe]}}
    data0: {{device_link: data, slaves: {slaves}, networks: {allowed}}}
{storage}  platform: {{image: jammy{kernel}{parameters}}}
  metadata: {{rack: r1{tags}{data}}}
---
{{schema: drydock/Rack/v1, metadata: {{name: r1}}, data: {{}}}}
"
    );
    if !trunk.is_empty() {
        write!(design, "---\nschema: drydock/Network/v1\nmetadata: {{name: storage}}\ndata:\n  vlan: 102\n  cidr: 10.10.3.0/24{route}\n")
            .unwrap();
    }
    for n in 1..=nodes {
        let link = dice.below(3);
        let address = match link {
            0 => format!(", {{network: mgmt, address: 10.10.2.{}}}", 20 + n),
            1 => ", {network: mgmt, address: dhcp}".to_owned(),
            _ => String::new(),
        };
        occurs.push(["static address and default gateway", "address by DHCP", "no address"][link].to_owned());
        let tagged =
            if trunk.is_empty() || dice.coin() { String::new() } else { format!(", {{network: storage, address: 10.10.3.{}}}", 20 + n) };
        write!(
            design,
            "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n{n}}}\ndata:\n  host_profile: host\n  addressing: [{{network: oob, address: 10.10.0.{}}}, {{network: pxe, address: dhcp}}{address}{tagged}]\n",
            20 + n
        )
        .unwrap();
    }
    let mut hardware = Vec::new();
    for (text, what) in [
        ("renamed_nics: true", "renamed NICs"),
        ("odd_disk_sizes: true", "odd disk sizes"),
        ("extra_disks: 1", "extra disks"),
        ("foreign_machines: 1", "foreign machines"),
        ("foreign_subnets: [192.0.2.0/24]", "foreign subnets"),
        ("bmc_ignores_once: true", "BMC that ignores Once"),
        ("network_boot_first: true", "network boot first"),
    ] {
        if dice.coin() {
            occurs.push(what.to_owned());
            hardware.push(text);
        }
    }
    let state = dice.of(&["off_unknown", "new", "ready"]);
    occurs.push(format!("stage {state}"));
    let images = dice.coin();
    occurs.push(format!("images present: {images}"));
    let settings = format!(
        "site: lab\ndesign: [site.yaml]\ndrivers: {{maas: {{owns_region: true}}}}\nlimits: {{unavailable_per_rack: 3, power_ups_per_rack: 3}}\nsimulate:\n  images_present: {images}\n  machines: {{n1: {state}}}\n  hardware: {{{}}}\n  timing: {{power_ms: 5, post_ms: 10, enlist_ms: 20, commission_ms: 30, deploy_ms: 40, release_ms: 10, import_ms: 20}}\n",
        hardware.join(", ")
    );
    Case { design, settings, occurs }
}

fn check(seed: u64) -> Vec<String> {
    let case = case(seed);
    let folder = Folder::empty();
    folder.write("site.yaml", &case.design);
    folder.write("drydock.yaml", &case.settings);
    let label = format!("seed {seed}\n{}\n{}", case.settings, case.design);
    let applied = folder.run(&["apply", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{label}\n{}\n{}", applied.stdout, applied.stderr);
    let plan = folder.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{label}\n{}", plan.stdout);
    let world = folder.path().join(".drydock/sim");
    // Two branches may make the same static tag at the same time; the second one is told that it is there.
    let is_tag_twice = |r: &drydock::sim::RequestRecord| r.method == "POST" && r.path.ends_with("/tags/") && r.status == 400;
    let all = drydock::sim::read_requests(&world).unwrap();
    let refused: Vec<_> = all.into_iter().filter(|r| r.status >= 400 && !is_tag_twice(r)).collect();
    assert!(refused.is_empty(), "{label}\n{refused:#?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(async {
        let running = drydock::sim::Server::reopen(&world).await.unwrap();
        let world = running.world().unwrap();
        running.shutdown().await.unwrap();
        world
    });
    let differences = oracle::differences(&support::design(folder.path(), &["site.yaml"]).site, &world);
    assert!(differences.is_empty(), "{label}\n{differences:#?}");
    case.occurs
}

#[test]
fn random_designs_over_random_hardware_are_applied_once_and_for_all() {
    let cases: u64 = std::env::var("DRYDOCK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let next = std::sync::atomic::AtomicU64::new(0);
    let seen: std::sync::Mutex<BTreeMap<String, u64>> = std::sync::Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= cases {
                        break;
                    }
                    let mut occurs = check(seed);
                    occurs.sort();
                    occurs.dedup();
                    let mut seen = seen.lock().unwrap();
                    for what in occurs {
                        *seen.entry(what).or_default() += 1;
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    let rare: Vec<_> = seen.iter().filter(|(_, n)| **n * 20 < cases).collect();
    eprintln!("{cases} cases; how many have what: {seen:#?}");
    assert!(rare.is_empty(), "in fewer than 5 % of {cases} cases: {rare:?}");
    assert!(seen.len() >= 50, "{} things occur", seen.len());
}

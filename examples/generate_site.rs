//! Prints a realistic site of any size, for benchmarks and experiments.
//!
//! ```console
//! cargo run --release --example generate_site -- 1000 > site.yaml
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;

const NODES_PER_RACK: u32 = 40;
/// What networks need below the nodes' addresses: gateway, switches, controllers.
const RESERVED: u32 = 32;
/// Name, VLAN (0: untagged), MTU, second octet of its block. The blocks are /12, so a network holds a million nodes.
const NETWORKS: [(&str, u32, u32, u32); 5] =
    [("oob", 0, 1500, 16), ("pxe", 0, 1500, 32), ("mgmt", 100, 9000, 48), ("storage", 101, 9000, 64), ("overlay", 102, 9000, 80)];

fn main() -> ExitCode {
    let nodes = match std::env::args().nth(1).map(|count| count.parse::<u32>()) {
        None => 100,
        Some(Ok(count)) if (1..=1_000_000).contains(&count) => count,
        Some(_) => {
            let _ = writeln!(std::io::stderr(), "usage: generate_site [NODES]   (1 to 1000000)");
            return ExitCode::from(64);
        }
    };
    match std::io::stdout().write_all(site(nodes).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn site(nodes: u32) -> String {
    let mut out = String::with_capacity(600 * nodes as usize + 16_384);
    document(&mut out, "Region", "generated");
    out.push_str(REGION);
    for (name, data) in [("oob", OOB_LINK), ("pxe", PXE_LINK), ("bond", BOND_LINK)] {
        document(&mut out, "NetworkLink", name);
        out.push_str(data);
    }
    for (name, vlan, mtu, octet) in NETWORKS {
        network(&mut out, name, vlan, mtu, octet, nodes);
    }
    for rack in 1..=nodes.div_ceil(NODES_PER_RACK) {
        document(&mut out, "Rack", &format!("rack{rack:04}"));
        let _ =
            write!(out, "  tor_switches:\n    tor{rack:04}a:\n      mgmt_ip: 192.0.2.1\n    tor{rack:04}b:\n      mgmt_ip: 192.0.2.2\n");
        let _ = write!(out, "  labels:\n    row: 'r{:02}'\n", rack.div_ceil(10));
    }
    for (name, bus) in [("dell_r740", "0000:3b"), ("hpe_dl380", "0000:12")] {
        hardware(&mut out, name, bus);
    }
    document(&mut out, "HostProfile", "defaults");
    out.push_str(DEFAULTS);
    for key in 1..=20 {
        let _ = writeln!(out, "      generated.example.com/role-{key:02}: enabled");
    }
    document(&mut out, "HostProfile", "control");
    out.push_str(CONTROL);
    document(&mut out, "HostProfile", "compute");
    out.push_str(COMPUTE);
    for index in 0..nodes {
        node(&mut out, index, nodes);
    }
    document(&mut out, "BootAction", "join");
    out.push_str(BOOT_ACTION);
    out
}

fn document(out: &mut String, kind: &str, name: &str) {
    let _ = write!(out, "---\nschema: drydock/{kind}/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: {name}\n");
    out.push_str("  layeringDefinition:\n    abstract: false\n    layer: site\n  storagePolicy: cleartext\ndata:\n");
}

fn address(octet: u32, host: u32) -> Ipv4Addr {
    Ipv4Addr::from((10 << 24) + (octet << 16) + host)
}

/// The longest prefix whose block holds `nodes` twice, static and by DHCP.
fn prefix(nodes: u32) -> u32 {
    let needed = 2 * nodes + RESERVED + 2;
    (needed.next_power_of_two().leading_zeros() + 1).min(24)
}

fn network(out: &mut String, name: &str, vlan: u32, mtu: u32, octet: u32, nodes: u32) {
    document(out, "Network", name);
    if vlan > 0 {
        let _ = writeln!(out, "  vlan: '{vlan}'");
    }
    let range = |kind: &str, start: u32, end: u32| {
        format!("  - type: {kind}\n    start: {}\n    end: {}\n", address(octet, start), address(octet, end))
    };
    let _ = writeln!(out, "  mtu: {mtu}\n  cidr: {}/{}", address(octet, 0), prefix(nodes));
    let _ = write!(out, "  ranges:\n{}", range("reserved", 1, RESERVED - 1));
    out.push_str(&range("static", RESERVED, RESERVED + nodes - 1));
    if name == "pxe" {
        out.push_str(&range("dhcp", RESERVED + nodes, RESERVED + 2 * nodes - 1));
    }
    let gateway = address(octet, 1);
    let _ = match name {
        "mgmt" => write!(out, "  routes:\n  - subnet: 0.0.0.0/0\n    gateway: {gateway}\n    metric: 100\n"),
        "storage" => write!(out, "  routes:\n  - subnet: 192.0.2.0/24\n    gateway: {gateway}\n    metric: 100\n"),
        _ => Ok(()),
    };
    let _ = writeln!(out, "  dns:\n    domain: {name}.generated.example.com\n    servers: 192.0.2.53,192.0.2.54");
}

fn hardware(out: &mut String, name: &str, bus: &str) {
    document(out, "HardwareProfile", name);
    out.push_str("  vendor: Example\n  generation: '14'\n  hw_version: '1'\n  bios_version: 2.2.3\n  boot_mode: uefi\n");
    out.push_str("  bootstrap_protocol: pxe\n  pxe_interface: 0\n  device_aliases:\n");
    for (alias, function) in [("pxe_nic", "00.0"), ("data_nic1", "00.1"), ("data_nic2", "00.2")] {
        let _ = write!(out, "    {alias}:\n      address: '{bus}:{function}'\n      dev_type: Ethernet 25G\n      bus_type: pci\n");
    }
    for (alias, place) in [("bootdisk", "0:2.0.0"), ("datadisk", "0:2.1.0")] {
        let _ = write!(out, "    {alias}:\n      address: '{place}'\n      dev_type: SSD\n      bus_type: scsi\n");
    }
    out.push_str("  cpu_sets:\n    sriov: 2-15,34-47\n  hugepages:\n    dpdk:\n      size: 1G\n      count: 64\n");
}

fn node(out: &mut String, index: u32, nodes: u32) {
    document(out, "BaremetalNode", &format!("node{:05}", index + 1));
    let control = index < nodes.div_ceil(20).min(9);
    let _ = writeln!(out, "  host_profile: {}", if control { "control" } else { "compute" });
    let _ = writeln!(out, "  hardware_profile: {}", if index.is_multiple_of(3) { "hpe_dl380" } else { "dell_r740" });
    out.push_str("  addressing:\n");
    for (name, _, _, octet) in NETWORKS {
        // The control plane has no interface on the overlay.
        if name == "overlay" && control {
            continue;
        }
        if name == "pxe" {
            out.push_str("  - network: pxe\n    address: dhcp\n");
        } else {
            let _ = writeln!(out, "  - network: {name}\n    address: {}", address(octet, RESERVED + index));
        }
    }
    let _ = writeln!(out, "  metadata:\n    rack: rack{:04}", index / NODES_PER_RACK + 1);
    let _ = writeln!(out, "    owner_data:\n      generated.example.com/slot: 's{:02}'", index % NODES_PER_RACK + 1);
}

const REGION: &str = "  tag_definitions:
  - tag: virtual
    definition_type: lshw_xpath
    definition: //node[@id=\"core\"]/product[contains(., \"Virtual\")]
  authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSnSqsm8oUBAN3bFcUSOOMFBm5C9MFsEL3sGk0l3o operator@example.com
  repositories:
    remove_unlisted: false
    main_archive:
      repo_type: apt
      url: http://archive.ubuntu.com/ubuntu
      distributions:
      - jammy
      subrepos:
      - security
      - updates
      components:
      - main
      - universe
      arches:
      - amd64
";

const OOB_LINK: &str = "  labels:
    noconfig: enabled
  bonding:
    mode: disabled
  mtu: 1500
  linkspeed: auto
  trunking:
    mode: disabled
    default_network: oob
  allowed_networks:
  - oob
";

const PXE_LINK: &str = "  bonding:
    mode: disabled
  mtu: 1500
  linkspeed: auto
  trunking:
    mode: disabled
    default_network: pxe
  allowed_networks:
  - pxe
";

const BOND_LINK: &str = "  bonding:
    mode: 802.3ad
    hash: layer3+4
    peer_rate: fast
    mon_rate: 100
    up_delay: 1000
    down_delay: 3000
  mtu: 9000
  linkspeed: auto
  trunking:
    mode: 802.1q
  allowed_networks:
  - mgmt
  - storage
  - overlay
";

const DEFAULTS: &str = "  oob:
    type: redfish
    network: oob
    account: operator
    credential: generated
  primary_network: mgmt
  interfaces:
    pxe:
      device_link: pxe
      slaves:
      - pxe_nic
      networks:
      - pxe
    bond0:
      device_link: bond
      slaves:
      - data_nic1
      - data_nic2
      networks:
      - mgmt
      - storage
  storage:
    physical_devices:
      bootdisk:
        labels:
          bootdrive: 'true'
        partitions:
        - name: root
          size: 30g
          bootable: true
          filesystem:
            mountpoint: /
            fstype: ext4
            mount_options: defaults
        - name: boot
          size: 1g
          filesystem:
            mountpoint: /boot
            fstype: ext4
        - name: var_log
          size: 100g
          filesystem:
            mountpoint: /var/log
            fstype: ext4
        - name: var
          size: '>100g'
          filesystem:
            mountpoint: /var
            fstype: ext4
      datadisk:
        volume_group: data_vg
    volume_groups:
      data_vg:
        logical_volumes:
        - name: images
          size: 50%
          filesystem:
            mountpoint: /var/lib/images
            fstype: xfs
  platform:
    image: jammy
    kernel: ga-22.04
    kernel_params:
      console: ttyS1,115200n8
      intel_iommu: 'on'
      quiet: true
  metadata:
    tags:
    - generated
    owner_data:
";

const CONTROL: &str = "  host_profile: defaults
  metadata:
    tags:
    - masters
    owner_data:
      generated.example.com/control: enabled
";

const COMPUTE: &str = "  host_profile: defaults
  interfaces:
    bond0:
      networks:
      - overlay
      sriov:
        vf_count: 8
  platform:
    kernel_params:
      isolcpus: hardwareprofile:cpuset.sriov
      hugepagesz: hardwareprofile:hugepages.dpdk.size
      hugepages: hardwareprofile:hugepages.dpdk.count
      quiet: null
  metadata:
    tags:
    - workers
    owner_data:
      generated.example.com/compute: enabled
";

const BOOT_ACTION: &str = "  signaling: false
  node_filter:
    filter_set_type: union
    filter_set:
    - filter_type: union
      node_tags:
      - masters
      - workers
  assets:
  - path: /opt/join.sh
    type: file
    permissions: '555'
    data_pipeline:
    - utf8_decode
    data: |
      #!/bin/sh
      exit 0
";

//! Random valid designs: values from a seed, their text, and a random change of them. What can occur is in [`VALUES`], so that what never occurs is seen.

use std::fmt::Write as _;

/// Numbers from a seed (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub(crate) fn of<T: Copy>(&mut self, what: &[T]) -> T {
        what[self.below(what.len())]
    }

    fn maybe<T: Copy>(&mut self, what: &[T]) -> Option<T> {
        if self.coin() { Some(self.of(what)) } else { None }
    }

    fn uuid(&mut self) -> Option<String> {
        let (a, b) = (self.next(), self.next());
        self.coin().then(|| {
            format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, a & 0xffff, b >> 52, (b >> 40) & 0xfff, b & 0xffff_ffff_ffff)
        })
    }
}

/// Sizes of the root partition, one for each way of writing one: unit, decimal or binary, with a `b`, without a unit, percent, at least.
pub(crate) const SIZES: [(&str, &str); 14] = [
    ("30000000000", "bytes"),
    ("30000000k", "k"),
    ("30000m", "m"),
    ("30g", "g"),
    ("30gb", "gb"),
    ("30720mi", "mi"),
    ("31457280ki", "ki"),
    ("30gi", "gi"),
    ("30gib", "gib"),
    ("'25%'", "%"),
    ("'12.5%'", "% with a part"),
    ("'>30g'", ">g"),
    ("'>30gi'", ">gi"),
    ("'>29000m'", ">m"),
];

/// Sizes that only a large device holds: on the second disk, which is made to fit.
pub(crate) const LARGE: [(&str, &str); 3] = [("1t", "t"), ("1ti", "ti"), ("'>1t'", ">t")];

const MODES: [&str; 7] = ["disabled", "802.3ad", "active-backup", "balance-rr", "balance-xor", "balance-tlb", "balance-alb"];
const POLICIES: [&str; 4] = ["layer2", "layer2+3", "layer3+4", "encap2+3"];
const KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\\nmQ\\n-----END PGP PUBLIC KEY BLOCK-----";

#[derive(Clone)]
struct Filesystem {
    kind: &'static str,
    options: Option<&'static str>,
    label: Option<usize>,
    uuid: Option<String>,
}

impl Filesystem {
    fn new(dice: &mut Dice) -> Self {
        Self {
            kind: dice.of(&["ext4", "xfs"]),
            options: dice.maybe(&["'noatime,nodev'", "'nodev'"]),
            label: dice.maybe(&[1, 2, 3]),
            uuid: dice.uuid(),
        }
    }

    fn text(&self, mountpoint: &str) -> String {
        let mut out = format!("{{mountpoint: {mountpoint}, fstype: {}", self.kind);
        out.extend(self.options.map(|o| format!(", mount_options: {o}")));
        out.extend(self.label.map(|l| format!(", fs_label: l{l}")));
        out.extend(self.uuid.as_ref().map(|u| format!(", fs_uuid: {u}")));
        out + "}"
    }
}

#[derive(Clone)]
enum Group {
    None,
    /// The group has the whole disk.
    Disk,
    /// Two partitions, the first of a large size.
    Partitions,
}

#[derive(Clone)]
struct Storage {
    bootdrive: bool,
    bootable: bool,
    root: usize,
    part_uuid: Option<String>,
    root_fs: Filesystem,
    /// Partitions that share what is left.
    rest: Vec<Filesystem>,
    group: Group,
    large: usize,
    vg_uuid: Option<String>,
    volumes: Vec<(Option<String>, Filesystem)>,
}

impl Storage {
    fn new(dice: &mut Dice) -> Self {
        let group = match dice.below(4) {
            0 => Group::None,
            1 => Group::Disk,
            _ => Group::Partitions,
        };
        let rest = dice.below(4);
        let volumes = 1 + dice.below(3);
        Self {
            bootdrive: dice.coin(),
            bootable: dice.coin(),
            root: dice.below(SIZES.len()),
            part_uuid: dice.uuid(),
            root_fs: Filesystem::new(dice),
            rest: (0..rest).map(|_| Filesystem::new(dice)).collect(),
            group,
            large: dice.below(LARGE.len()),
            vg_uuid: dice.uuid(),
            volumes: (0..volumes).map(|_| (dice.uuid(), Filesystem::new(dice))).collect(),
        }
    }

    fn occurs(&self, out: &mut Vec<&'static str>) {
        out.push(SIZES[self.root].1);
        let at_least = usize::from(SIZES[self.root].0.contains('>')) + self.rest.len();
        if at_least > 1 {
            out.push("several > on a device");
        }
        let volumes = ["lv g", "lv %", "lv >"];
        match self.group {
            Group::None => out.push("no volume group"),
            Group::Disk => out.push("volume group on a disk"),
            Group::Partitions => {
                out.push("volume group on partitions");
                out.push(LARGE[self.large].1);
            }
        }
        if !matches!(self.group, Group::None) {
            out.extend(&volumes[..self.volumes.len()]);
        }
        let all = self.rest.iter().chain([&self.root_fs]);
        for fs in all {
            out.extend(fs.options.map(|_| "mount options"));
            out.extend(fs.label.map(|_| "filesystem label"));
            out.extend(fs.uuid.as_ref().map(|_| "filesystem UUID"));
        }
        out.extend(self.part_uuid.as_ref().map(|_| "partition UUID"));
        if !matches!(self.group, Group::None) {
            out.extend(self.vg_uuid.as_ref().map(|_| "volume group UUID"));
            out.extend(self.volumes.iter().filter_map(|v| v.0.as_ref()).map(|_| "logical volume UUID"));
        }
    }

    fn text(&self) -> String {
        let mut out = String::from("  storage:\n    physical_devices:\n      first:\n");
        if self.bootdrive {
            out.push_str("        labels: {bootdrive: 'true'}\n");
        }
        out.push_str("        partitions:\n");
        let bootable = if self.bootable { ", bootable: true" } else { "" };
        let uuid = self.part_uuid.as_ref().map_or(String::new(), |u| format!(", part_uuid: {u}"));
        let fs = self.root_fs.text("/");
        writeln!(out, "          - {{name: root, size: {}{bootable}{uuid}, filesystem: {fs}}}", SIZES[self.root].0).unwrap();
        for (i, fs) in self.rest.iter().enumerate() {
            let fs = fs.text(["/var", "/srv", "/opt"][i]);
            writeln!(out, "          - {{name: p{i}, size: {}, filesystem: {fs}}}", ["'>10g'", "'>40gi'", "'>20g'"][i]).unwrap();
        }
        match self.group {
            Group::None => return out,
            Group::Disk => out.push_str("      second: {volume_group: data}\n"),
            Group::Partitions => {
                let size = LARGE[self.large].0;
                let parts = format!("[{{name: pv0, size: {size}, volume_group: data}}, {{name: pv1, size: 100g, volume_group: data}}]");
                writeln!(out, "      second:\n        partitions: {parts}").unwrap();
            }
        }
        out.push_str("    volume_groups:\n      data:\n");
        out.extend(self.vg_uuid.as_ref().map(|u| format!("        vg_uuid: {u}\n")));
        out.push_str("        logical_volumes:\n");
        for (i, (uuid, fs)) in self.volumes.iter().enumerate() {
            let uuid = uuid.as_ref().map_or(String::new(), |u| format!(", lv_uuid: {u}"));
            let fs = fs.text(&format!("/data{i}"));
            writeln!(out, "          - {{name: lv{i}, size: {}{uuid}, filesystem: {fs}}}", ["20g", "'30%'", "'>1g'"][i]).unwrap();
        }
        out
    }
}

#[derive(Clone)]
struct Repository {
    url: &'static str,
    distributions: &'static str,
    components: &'static str,
    arches: &'static str,
    pockets: Option<&'static str>,
    key: bool,
}

impl Repository {
    fn new(dice: &mut Dice, builtin: bool) -> Self {
        Self {
            url: dice.of(&[
                "https://packages.example.net/one",
                "https://packages.example.net/two",
                "https://bearer:first@packages.example.net/one",
                "https://bearer:second@packages.example.net/one?sig=third",
            ]),
            distributions: dice.of(&["[jammy]", "[jammy, focal]"]),
            components: if builtin { dice.of(&["[main]", "[main, universe]"]) } else { dice.of(&["[main]", "[main, contrib]"]) },
            arches: dice.of(&["[amd64]", "[amd64, i386]"]),
            pockets: dice.maybe(&["[updates]", "[updates, security]"]),
            key: dice.coin(),
        }
    }

    fn text(&self, name: &str) -> String {
        let Self { url, distributions, components, arches, .. } = self;
        let pockets = self.pockets.map_or(String::new(), |p| format!(", subrepos: {p}"));
        let key = if self.key { format!(", gpgkey: \"{KEY}\"") } else { String::new() };
        format!(
            "{name}: {{repo_type: apt, url: '{url}', distributions: {distributions}, components: {components}, arches: {arches}{pockets}{key}}}, "
        )
    }
}

/// How a node is linked to the management network.
#[derive(Clone, Copy)]
enum Address {
    Static(u8),
    Dhcp,
    None,
}

#[derive(Clone)]
struct NodeValues {
    address: Address,
    /// Host part on the tagged network.
    tagged: Option<u8>,
}

/// The values of a design.
#[derive(Clone)]
pub(crate) struct Design {
    tag: Option<&'static str>,
    remove_unlisted: bool,
    tools: Option<Repository>,
    archive: Option<Repository>,
    ssh_key: bool,
    reserved: Option<u8>,
    dhcp_end: u8,
    gateway: u8,
    dns: Option<(&'static str, &'static str)>,
    link_mtu: Option<u16>,
    network_mtu: Option<u16>,
    route: Option<(u8, u16)>,
    image: &'static str,
    kernel: Option<&'static str>,
    parameters: Option<&'static str>,
    tags: Option<&'static str>,
    data: Option<&'static str>,
    /// What a boot action writes into a file.
    file: Option<&'static str>,
    /// A tagged network beside the native one, of this tag.
    trunk: Option<u16>,
    mode: &'static str,
    policy: Option<&'static str>,
    rate: &'static str,
    delays: Option<u16>,
    storage: Storage,
    by: &'static str,
    nodes: Vec<NodeValues>,
}

impl Design {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let nodes = 1 + usize::from(dice.below(3) == 0);
        let mut design = Self {
            tag: dice.maybe(&["//node", "//node[@id=\"memory\"]"]),
            remove_unlisted: dice.coin(),
            tools: dice.coin().then(|| Repository::new(dice, false)),
            archive: dice.coin().then(|| Repository::new(dice, true)),
            ssh_key: dice.coin(),
            reserved: dice.maybe(&[9, 19]),
            dhcp_end: dice.of(&[199, 180]),
            gateway: dice.of(&[1, 2]),
            dns: dice.maybe(&[("lab.example", "10.10.2.2,10.10.2.3"), ("lab2.example", "10.10.2.3"), ("lab.example", "10.10.2.4")]),
            link_mtu: dice.maybe(&[9000, 8000]),
            network_mtu: dice.maybe(&[1500, 1400]),
            route: dice.maybe(&[(1, 20), (1, 30), (2, 20)]),
            image: dice.of(&["jammy", "focal"]),
            kernel: None,
            parameters: dice.maybe(&[
                "{console: ttyS0, nomodeset: true, isolcpus: hardwareprofile:cpuset.isolated}",
                "{console: ttyS1, hugepagesz: 2M, hugepages: 16}",
            ]),
            tags: dice.maybe(&["[lab, spare]", "[lab]", "[gpu]"]),
            data: dice.maybe(&["{team: platform, note: 'two words'}", "{team: research}"]),
            file: dice.maybe(&["one", "two"]),
            trunk: dice.maybe(&[102, 103]),
            mode: dice.of(&MODES),
            policy: dice.maybe(&POLICIES),
            rate: dice.of(&["slow", "fast"]),
            delays: dice.maybe(&[200, 400]),
            storage: Storage::new(dice),
            by: dice.of(&["scsi", "serial", "model", "name"]),
            nodes: (0..nodes).map(|_| NodeValues { address: Address::None, tagged: None }).collect(),
        };
        design.kernel = design.some_kernel(dice);
        for n in 0..nodes {
            design.nodes[n] = NodeValues::new(dice, n);
        }
        design
    }

    fn some_kernel(&self, dice: &mut Dice) -> Option<&'static str> {
        match self.image {
            "jammy" => dice.maybe(&["hwe-22.04", "ga-22.04"]),
            _ => dice.maybe(&["hwe-20.04", "ga-20.04"]),
        }
    }

    /// Another design: some of the values are others now. Always at least one.
    pub(crate) fn change(&mut self, dice: &mut Dice) {
        let other = Self::new(dice);
        let nodes = self.nodes.len();
        // The machine has then no more disks than the one that is named.
        let one_disk = self.by == "name" && matches!(self.storage.group, Group::None);
        for _ in 0..=dice.below(4) {
            match dice.below(26) {
                0 => self.tag = other.tag,
                1 => self.tools.clone_from(&other.tools),
                2 => self.archive.clone_from(&other.archive),
                3 => self.ssh_key = !self.ssh_key,
                4 => self.reserved = other.reserved,
                5 => self.gateway = 3 - self.gateway,
                6 => self.dns = other.dns,
                7 => self.link_mtu = other.link_mtu,
                8 => self.network_mtu = other.network_mtu,
                9 => self.route = other.route,
                10 => (self.image, self.kernel) = (other.image, other.kernel),
                11 => self.kernel = self.some_kernel(dice),
                12 | 13 => self.parameters = other.parameters,
                14 => self.tags = other.tags,
                15 => self.data = other.data,
                16 | 17 => (self.mode, self.policy, self.rate, self.delays) = (other.mode, other.policy, other.rate, other.delays),
                18 | 19 => {
                    let large = matches!(self.storage.group, Group::Partitions);
                    self.storage = other.storage.clone();
                    // Disks were made for the first design.
                    if !large && matches!(self.storage.group, Group::Partitions) {
                        self.storage.group = Group::Disk;
                    }
                }
                20 => self.nodes = (0..nodes).map(|n| NodeValues::new(dice, n)).collect(),
                22 | 23 => self.file = other.file,
                21 => self.remove_unlisted = !self.remove_unlisted,
                _ => self.storage.group = Group::None,
            }
        }
        if one_disk {
            self.storage.group = Group::None;
        }
    }

    /// The root partition's size is written in this way.
    pub(crate) fn root(&mut self, way: u64) {
        self.storage.root = usize::try_from(way).unwrap() % SIZES.len();
    }

    /// The last node is no longer in the design.
    pub(crate) fn drop_node(&mut self) {
        self.nodes.pop();
    }

    /// There are two nodes.
    pub(crate) fn two_nodes(&mut self, dice: &mut Dice) {
        while self.nodes.len() < 2 {
            let n = self.nodes.len();
            self.nodes.push(NodeValues::new(dice, n));
        }
    }

    /// What MAAS is told to deploy: parameters of the call.
    pub(crate) fn deploys(&self) -> String {
        let kernel = self.kernel.map_or(String::new(), |k| format!("&hwe_kernel={k}"));
        format!("distro_series=ubuntu%2F{}{kernel}", self.image)
    }

    /// The oldest kernel of its image.
    pub(crate) fn oldest_kernel(&self) -> &'static str {
        if self.image == "jammy" { "ga-22.04" } else { "ga-20.04" }
    }

    /// What occurs in it, by the names of [`VALUES`].
    pub(crate) fn occurs(&self) -> Vec<&'static str> {
        let mut out = vec![self.mode, self.by];
        self.storage.occurs(&mut out);
        if self.mode != "disabled" {
            out.extend(self.delays.map(|_| "MII interval and delays"));
            out.extend(self.hash().map(|_| "hash policy"));
        }
        out.extend(self.trunk.map(|_| "tagged network"));
        out.extend(self.kernel.map(|k| if k.starts_with("hwe") { "kernel hwe" } else { "kernel ga" }));
        for n in &self.nodes {
            out.push(match n.address {
                Address::Static(_) => "static address and default gateway",
                Address::Dhcp => "address by DHCP",
                Address::None => "no address",
            });
        }
        if self.nodes.len() > 1 {
            out.push("two nodes");
        }
        out
    }

    fn hash(&self) -> Option<&'static str> {
        self.policy.filter(|_| matches!(self.mode, "802.3ad" | "balance-xor" | "balance-tlb"))
    }

    pub(crate) fn text(&self) -> String {
        let mut region = String::new();
        region.extend(self.tag.map(|t| format!("tag_definitions: [{{tag: fast, definition_type: lshw_xpath, definition: '{t}'}}], ")));
        let tools = self.tools.as_ref().map_or(String::new(), |r| r.text("tools"));
        let archive = self.archive.as_ref().map_or(String::new(), |r| r.text("main_archive"));
        write!(region, "repositories: {{remove_unlisted: {}, {tools}{archive}}}, ", self.remove_unlisted).unwrap();
        if self.ssh_key {
            region.push_str("authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcsc5GQau6GxmeN9opb8SBlr3Sv+JxsESypS6pEs+Mf a@b'], ");
        }
        let reserved = self.reserved.map_or(String::new(), |end| format!(", {{type: reserved, start: 10.10.1.3, end: 10.10.1.{end}}}"));
        let dns = self.dns.map_or(String::new(), |(domain, servers)| format!("\n  dns: {{domain: {domain}, servers: '{servers}'}}"));
        let mtu = |m: Option<u16>| m.map_or(String::new(), |m| format!("\n  mtu: {m}"));
        let mut bonding = format!("{{mode: {}", self.mode);
        bonding.extend(self.hash().map(|h| format!(", hash: {h}")));
        if self.mode == "802.3ad" {
            write!(bonding, ", peer_rate: {}", self.rate).unwrap();
        }
        if self.mode != "disabled" {
            bonding.extend(self.delays.map(|d| format!(", mon_rate: 100, up_delay: {d}, down_delay: {d}")));
        }
        bonding.push('}');
        let slaves = if self.mode == "disabled" { "[nic1]" } else { "[nic1, nic2]" };
        let (trunking, allowed) = if self.trunk.is_some() { ("802.1q", "[mgmt, storage]") } else { ("disabled", "[mgmt]") };
        let first = match self.by {
            "scsi" => "\n    first: {address: '2:0.0.0', bus_type: scsi}",
            "serial" => "\n    first: {address: SER-0001, bus_type: serial}",
            "model" => "\n    first: {address: FAST DISK 1, bus_type: model}",
            _ => "",
        };
        let storage = self.storage.text();
        let storage = if self.by == "name" { storage.replace("first:", "sda:") } else { storage };
        let kernel = self.kernel.map_or(String::new(), |k| format!(", kernel: {k}"));
        let parameters = self.parameters.map_or(String::new(), |p| format!(", kernel_params: {p}"));
        let tags = self.tags.map_or(String::new(), |t| format!(", tags: {t}"));
        let data = self.data.map_or(String::new(), |d| format!(", owner_data: {d}"));
        let mut out = format!(
            "
{{schema: drydock/Region/v1, metadata: {{name: lab}}, data: {{{region}}}}}
---
{{schema: drydock/NetworkLink/v1, metadata: {{name: oob}}, data: {{bonding: {{mode: disabled}}, trunking: {{mode: disabled, default_network: oob}}, allowed_networks: [oob]}}}}
---
{{schema: drydock/NetworkLink/v1, metadata: {{name: pxe}}, data: {{bonding: {{mode: disabled}}, trunking: {{mode: disabled, default_network: pxe}}, allowed_networks: [pxe]}}}}
---
schema: drydock/NetworkLink/v1
metadata: {{name: data}}
data:
  bonding: {bonding}{link_mtu}
  trunking: {{mode: {trunking}, default_network: mgmt}}
  allowed_networks: {allowed}
---
{{schema: drydock/Network/v1, metadata: {{name: oob}}, data: {{cidr: 10.10.0.0/24}}}}
---
schema: drydock/Network/v1
metadata: {{name: pxe}}
data:
  cidr: 10.10.1.0/24
  ranges: [{{type: dhcp, start: 10.10.1.100, end: 10.10.1.{dhcp_end}}}{reserved}]
---
schema: drydock/Network/v1
metadata: {{name: mgmt}}
data:
  cidr: 10.10.2.0/24{network_mtu}
  routes: [{{subnet: 0.0.0.0/0, gateway: 10.10.2.{gateway}, metric: 10}}]{dns}
---
schema: drydock/HardwareProfile/v1
metadata: {{name: server}}
data:
  device_aliases:
    pxe_nic: {{address: '0000:02:00.0', bus_type: pci}}
    nic1: {{address: '0000:3b:00.0', bus_type: pci}}
    nic2: {{address: '0000:3b:00.1', bus_type: pci}}{first}
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
{storage}  platform: {{image: {image}{kernel}{parameters}}}
  metadata: {{rack: r1{tags}{data}}}
---
{{schema: drydock/Rack/v1, metadata: {{name: r1}}, data: {{}}}}
",
            link_mtu = mtu(self.link_mtu),
            network_mtu = mtu(self.network_mtu),
            dhcp_end = self.dhcp_end,
            gateway = self.gateway,
            image = self.image,
        );
        if let Some(tag) = self.trunk {
            let route = self.route.map_or(String::new(), |(gateway, metric)| {
                format!("\n  routes: [{{subnet: 10.10.1.0/24, gateway: 10.10.3.{gateway}, metric: {metric}}}]")
            });
            write!(
                out,
                "---\nschema: drydock/Network/v1\nmetadata: {{name: storage}}\ndata:\n  vlan: {tag}\n  cidr: 10.10.3.0/24{route}\n"
            )
            .unwrap();
        }
        if let Some(data) = self.file {
            write!(
                out,
                "---\nschema: drydock/BootAction/v1\nmetadata: {{name: motd}}\ndata:\n  signaling: false\n  assets: [{{path: /etc/motd, type: file, permissions: '0644', data: {data}}}]\n"
            )
            .unwrap();
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let address = match node.address {
                Address::Static(host) => format!(", {{network: mgmt, address: 10.10.2.{host}}}"),
                Address::Dhcp => ", {network: mgmt, address: dhcp}".to_owned(),
                Address::None => String::new(),
            };
            let tagged = node
                .tagged
                .filter(|_| self.trunk.is_some())
                .map_or(String::new(), |host| format!(", {{network: storage, address: 10.10.3.{host}}}"));
            write!(
                out,
                "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n{n}}}\ndata:\n  host_profile: host\n  addressing: [{{network: oob, address: 10.10.0.{oob}}}, {{network: pxe, address: dhcp}}{address}{tagged}]\n",
                n = i + 1,
                oob = 21 + i,
            )
            .unwrap();
        }
        out
    }
}

impl NodeValues {
    fn new(dice: &mut Dice, n: usize) -> Self {
        let host = 20 + 20 * u8::try_from(n).unwrap() + u8::try_from(dice.below(2)).unwrap();
        let address = match dice.below(3) {
            0 => Address::Static(host),
            1 => Address::Dhcp,
            _ => Address::None,
        };
        Self { address, tagged: dice.coin().then_some(host) }
    }
}

/// Everything that [`Design::occurs`] can name.
pub(crate) const VALUES: [&str; 50] = [
    "bytes",
    "k",
    "m",
    "g",
    "gb",
    "mi",
    "ki",
    "gi",
    "gib",
    "%",
    "% with a part",
    ">g",
    ">gi",
    ">m",
    "t",
    "ti",
    ">t",
    "several > on a device",
    "lv g",
    "lv %",
    "lv >",
    "no volume group",
    "volume group on a disk",
    "volume group on partitions",
    "mount options",
    "filesystem label",
    "filesystem UUID",
    "partition UUID",
    "volume group UUID",
    "logical volume UUID",
    "disabled",
    "802.3ad",
    "active-backup",
    "balance-rr",
    "balance-xor",
    "balance-tlb",
    "balance-alb",
    "hash policy",
    "MII interval and delays",
    "scsi",
    "serial",
    "model",
    "name",
    "tagged network",
    "static address and default gateway",
    "address by DHCP",
    "no address",
    "two nodes",
    "kernel hwe",
    "kernel ga",
];

//! No rule takes more than n log n: on designs that are hostile to one rule or another, four times as much takes at most some seven times as long.

use std::fmt::Write as _;
use std::time::Duration;

use drydock::check;
use drydock::document::{self, Read};
use drydock::model::{Site, resolve};
use drydock::yaml::SourceMap;

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0))
}

fn site(text: String) -> Site {
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text);
    let Read { documents, sensitive, .. } = document::read_all(&map, &[file]);
    resolve(&documents, &sensitive).0.expect("a site")
}

fn document(out: &mut String, kind: &str, name: &str, data: &str) {
    let _ = write!(out, "---\nschema: drydock/{kind}/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\ndata: {data}\n");
}

fn list(n: usize, member: impl Fn(usize) -> String) -> String {
    (0..n).map(member).collect::<Vec<_>>().join(", ")
}

/// Many networks, ranges, routes, links, misspelt names, disks and volumes in few documents, with faults of every sort.
fn hostile(n: usize) -> String {
    let address = |block: u32, n: usize| std::net::Ipv4Addr::from((block << 24) + u32::try_from(n).expect("small"));
    let mut out = String::new();
    let keys = list(n / 10, |_| "ssh-ed25519 AAAA".to_owned());
    let tags = list(n / 10, |at| format!("{{tag: t{}, definition: '//node['}}", at / 2));
    document(&mut out, "Region", "site", &format!("{{authorized_keys: [{keys}], tag_definitions: [{tags}]}}"));
    let names = list(n, |at| format!("net{at}"));
    document(
        &mut out,
        "NetworkLink",
        "all",
        &format!("{{bonding: {{mode: 802.3ad}}, trunking: {{mode: 802.1q}}, allowed_networks: [{names}]}}"),
    );
    document(&mut out, "Rack", "rack", &format!("{{local_networks: [{}]}}", list(n, |at| format!("nett{at}"))));
    for at in 0..n {
        let relay = format!("dhcp_relay: {{self_ip: {0}, upstream_target: {0}}}", address(11, at));
        let data = format!("{{cidr: {}/30, vlan: {}, mtu: {}, {relay}}}", address(10, at * 2), at % (n / 4) % 4000, 1000 + at * 2000 / n);
        document(&mut out, "Network", &format!("net{at}"), &data);
    }
    // Of one path on nodes of their own, and of one path on all nodes.
    for at in 0..n / 10 {
        let asset =
            "{type: file, path: /etc/motd, permissions: '0644', data: x}, {type: file, path: /etc//motd, permissions: '0644', data: x}";
        let filter = format!("{{filter_set: [{{filter_type: union, node_names: [paged{at}]}}]}}");
        document(&mut out, "BootAction", &format!("own{at}"), &format!("{{node_filter: {filter}, assets: [{asset}]}}"));
    }
    let pages = list(n / 10, |at| format!("p{at}: {{size: 1X{at}, count: 1}}"));
    let aliases = list(n / 10, |at| format!("nic{at}: {{address: '0000:00:{at}.0', bus_type: pci, dev_type: x}}"));
    let sets = list(n / 10, |at| format!("c{at}: 'x{at}'"));
    document(
        &mut out,
        "HardwareProfile",
        "server",
        &format!("{{pxe_interface: nic0, hugepages: {{{pages}}}, device_aliases: {{{aliases}}}, cpu_sets: {{{sets}}}}}"),
    );
    let ranges = list(n, |at| {
        format!("{{type: {}, start: {}, end: {}}}", ["static", "dhcp", "reserved"][at % 3], address(12, at * 2), address(12, at * 2))
    });
    let routes = list(n, |at| format!("{{subnet: {}/32, gateway: {}}}", address(13, at / 2), address(12, at)));
    document(&mut out, "Network", "wide", &format!("{{cidr: 12.0.0.0/8, ranges: [{ranges}], routes: [{routes}]}}"));
    let interfaces = list(n / 10, |at| format!("i{at}: {{device_link: all, slaves: [nic{at}, nic0], networks: [net{at}, nt{at}]}}"));
    let disks = list(n / 10, |at| format!("d{at}: {{volume_group: vg{}, labels: {{bootdrive: true}}}}", at + 1));
    let groups =
        list(n / 10, |at| format!("vg{at}: {{logical_volumes: [{{name: v, size: 60%, filesystem: {{mountpoint: /m{}}}}}]}}", at / 2));
    let profile = format!("{{interfaces: {{{interfaces}}}, storage: {{physical_devices: {{{disks}}}, volume_groups: {{{groups}}}}}}}");
    document(&mut out, "HostProfile", "all", &profile);
    // One node that is on every network, over one interface, and not on as many others.
    let everywhere = list(n, |at| format!("{{network: net{at}, address: {}}}, {{network: none{at}, address: dhcp}}", address(10, at * 2)));
    let carried = list(n, |at| format!("net{at}"));
    let params = "platform: {kernel_params: {hugepagesz: 1Y, hugepages: '1'}}";
    let data = format!(
        "{{hardware_profile: server, {params}, interfaces: {{all: {{device_link: all, slaves: [nic0], networks: [{carried}]}}}}, addressing: [{everywhere}]}}"
    );
    document(&mut out, "BaremetalNode", "everywhere", &data);
    let many = ".".repeat(n);
    document(&mut out, "Network", "dotted", &format!("{{cidr: 14.0.0.0/8, dns: {{domain: 'x{many}'}}}}"));
    document(&mut out, "BaremetalNode", "dotted", "{primary_network: dotted, addressing: [{network: dotted, address: 14.0.0.1}]}");
    for at in 0..n / 10 {
        let data = format!("{{hardware_profile: server, platform: {{kernel_params: {{hugepagesz: 1Z{at}, hugepages: '1'}}}}}}");
        document(&mut out, "BaremetalNode", &format!("paged{at}"), &data);
    }
    for at in 0..n / 100 {
        let profile = if at < 2 { "host_profile: all, " } else { "" };
        let addresses = list(100, |k| format!("{{network: wide, address: {}}}", address(12, at * 100 + k)));
        let data = format!("{{{profile}hardware_profile: hp{at}, addressing: [{addresses}], metadata: {{rack: rak{at}}}}}");
        document(&mut out, "BaremetalNode", &format!("node{at}"), &data);
    }
    out
}

#[test]
fn no_rule_is_worse_than_n_log_n() {
    const SMALL: usize = 4_000;
    let (small, large) = (site(hostile(SMALL)), site(hostile(4 * SMALL)));
    let time = |rule, site: &Site| {
        let start = cpu();
        let found = check::run_one(rule, site).len();
        (cpu().saturating_sub(start), found)
    };
    let (mut wrong, mut reported) = (String::new(), 0);
    for rule in check::rules() {
        let ((mut short, _), (mut long, found)) = (time(rule, &small), time(rule, &large));
        reported += found;
        // What takes next to no time says nothing. The least of some counts, so that what else the machine does counts little.
        let is_worse = |short: Duration, long: Duration| long > Duration::from_millis(40) && long > short * 8;
        for _ in 0..6 {
            if is_worse(short, long) {
                (short, long) = (short.min(time(rule, &small).0), long.min(time(rule, &large).0));
            }
        }
        if is_worse(short, long) {
            let _ = writeln!(wrong, "{}: {short:?}, with four times as much {long:?}", rule.code.0);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(reported > 10_000, "{reported}: the design is not hostile");
}

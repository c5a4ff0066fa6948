//! Kinds that are not inherited: Region, Rack, NetworkLink, Network, HardwareProfile.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::reader::{Reader, dict_at, entries, key_on_one_line, key_text, name_at, texts_at};
use crate::document::Document;
use crate::model::{
    BondMode, Bonding, DeviceAlias, DhcpRelay, HardwareProfile, Hugepages, Located, Network, NetworkLink, Rack, Range, RangeKind, Region,
    Repository, Switch, TagDefinition, Text,
};
use crate::yaml::{Key, Node, Value};

/// A route as written.
pub(in crate::model) struct RawRoute {
    pub(in crate::model) subnet: Option<Located<IpNet>>,
    pub(in crate::model) gateway: Located<IpAddr>,
    pub(in crate::model) metric: Option<Located<u32>>,
    pub(in crate::model) routedomain: Option<Text>,
}

/// A network before its routes are expanded.
pub(in crate::model) struct RawNetwork {
    pub(in crate::model) network: Network,
    pub(in crate::model) routes: Vec<RawRoute>,
}

pub(super) fn name_of(document: &Document) -> Text {
    Located::new(document.name.clone(), document.name_span)
}

pub(in crate::model) fn region(document: &Document, r: &mut Reader<'_>) -> Region {
    let data = &document.data;
    let mut tag_definitions = Vec::new();
    for definition in data.get("tag_definitions").and_then(Node::as_seq).unwrap_or_default() {
        let (name, expression) = (name_at(definition, "tag"), name_at(definition, "definition"));
        let definition_type = name_at(definition, "definition_type").unwrap_or_else(|| Located::default_value("lshw_xpath".to_owned()));
        match (name, expression) {
            (Some(name), Some(definition)) => tag_definitions.push(TagDefinition { name, definition_type, definition }),
            (None, _) => r.missing(definition, "tag definition without `tag`".to_owned(), "name the tag that it defines"),
            (Some(name), None) => {
                r.missing(definition, format!("tag `{name}` without `definition`"), "give the XPath over lshw's XML that selects machines");
            }
        }
    }
    let authorized_keys = texts_at(data, "authorized_keys")
        .into_iter()
        .map(|key| Located::new(key_on_one_line(&key), key.span))
        .filter(|key| !key.is_empty());
    let authorized_keys = authorized_keys.collect();
    let repositories = data.get("repositories");
    let remove_unlisted_repositories =
        repositories.and_then(|map| r.bool_at(map, "remove_unlisted")).unwrap_or(Located::default_value(false));
    let mut by_name = BTreeMap::new();
    for (key, node) in entries(repositories).filter(|(key, node)| &*key.name != "remove_unlisted" && node.as_map().is_some()) {
        if let Some(repository) = repository(key, node, r) {
            by_name.insert(key.name.to_string(), repository);
        }
    }
    Region { span: document.span, tag_definitions, authorized_keys, remove_unlisted_repositories, repositories: by_name }
}

fn repository(key: &Key, node: &Node, r: &mut Reader<'_>) -> Option<Repository> {
    let Some(url) = name_at(node, "url") else {
        r.missing(node, format!("repository `{}` without `url`", key.name), "give its base URL");
        return None;
    };
    Some(Repository {
        name: key_text(key),
        repo_type: name_at(node, "repo_type").unwrap_or_else(|| Located::default_value("apt".to_owned())),
        url,
        distributions: texts_at(node, "distributions"),
        subrepos: texts_at(node, "subrepos"),
        components: texts_at(node, "components"),
        arches: texts_at(node, "arches"),
        gpgkey: name_at(node, "gpgkey"),
    })
}

pub(in crate::model) fn rack(document: &Document) -> Rack {
    let data = &document.data;
    Rack {
        name: name_of(document),
        local_networks: texts_at(data, "local_networks"),
        tor_switches: entries(data.get("tor_switches"))
            .map(|(key, switch)| Switch { name: key_text(key), address: name_at(switch, "mgmt_ip") })
            .collect(),
        labels: dict_at(data, "labels"),
    }
}

const BOND_MODES: [(&str, BondMode); 9] = [
    ("disabled", BondMode::Disabled),
    ("802.3ad", BondMode::Lacp),
    ("active-backup", BondMode::ActiveBackup),
    ("balanced-rr", BondMode::BalanceRr),
    ("balance-rr", BondMode::BalanceRr),
    ("balance-xor", BondMode::BalanceXor),
    ("broadcast", BondMode::Broadcast),
    ("balance-tlb", BondMode::BalanceTlb),
    ("balance-alb", BondMode::BalanceAlb),
];

pub(in crate::model) fn network_link(document: &Document, r: &mut Reader<'_>) -> NetworkLink {
    let data = &document.data;
    let nothing = Node::nowhere(Value::Null);
    let trunking = data.get("trunking").unwrap_or(&nothing);
    // A mode that could not be read is taken for the one that allows more, so that nothing else is reported because of it.
    let mode = trunking
        .get("mode")
        .filter(|mode| !mode.is_null())
        .map(|mode| r.word(mode, "trunking mode", &[("disabled", false), ("802.1q", true)]).unwrap_or(Located::default_value(true)));
    NetworkLink {
        name: name_of(document),
        bonding: bonding(data.get("bonding").unwrap_or(&nothing), r),
        mtu: r.number_at(data, "mtu"),
        linkspeed: name_at(data, "linkspeed"),
        trunked: mode.unwrap_or(Located::default_value(false)),
        native_network: name_at(trunking, "default_network"),
        allowed_networks: texts_at(data, "allowed_networks"),
        labels: dict_at(data, "labels"),
    }
}

/// Defaults are those of Drydock's documentation: LACP with `layer3+4` and `fast`, monitoring every 100 ms, delays of 200 ms.
fn bonding(node: &Node, r: &mut Reader<'_>) -> Bonding {
    // A mode that could not be read is taken for some bond, so that nothing else is reported because of it.
    let mode =
        node.get("mode").map(|mode| r.word(mode, "bonding mode", &BOND_MODES).unwrap_or(Located::default_value(BondMode::ActiveBackup)));
    let mode = mode.unwrap_or(Located::default_value(BondMode::Disabled));
    let (lacp, bonded) = (mode.value == BondMode::Lacp, mode.value != BondMode::Disabled);
    let text = |value: &str| Located::default_value(value.to_owned());
    let time = |milliseconds: u32| bonded.then(|| Located::default_value(milliseconds));
    Bonding {
        mode,
        hash: name_at(node, "hash").or_else(|| lacp.then(|| text("layer3+4"))),
        peer_rate: name_at(node, "peer_rate").or_else(|| lacp.then(|| text("fast"))),
        mon_rate: r.number_at(node, "mon_rate").or_else(|| time(100)),
        up_delay: r.number_at(node, "up_delay").or_else(|| time(200)),
        down_delay: r.number_at(node, "down_delay").or_else(|| time(200)),
    }
}

/// What stands for an address block that could not be read: everything is in it, so that nothing else is reported because of it.
const ANYWHERE: Located<IpNet> = Located::default_value(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)));

pub(in crate::model) fn network(document: &Document, r: &mut Reader<'_>) -> RawNetwork {
    let data = &document.data;
    let cidr = match data.get("cidr") {
        Some(node) if !node.is_null() => r.cidr(node),
        _ => {
            let place = Node::new(document.name_span, Value::Null);
            r.missing(&place, format!("network `{}` without `cidr`", document.name), "give its address block, such as `10.0.0.0/24`");
            None
        }
    };
    let written = data.get("ranges").and_then(Node::as_seq).unwrap_or_default();
    let ranges: Vec<Range> = written.iter().filter_map(|node| range(node, r)).collect();
    let mut routes = Vec::new();
    for node in data.get("routes").and_then(Node::as_seq).unwrap_or_default() {
        routes.extend(route(node, r));
    }
    let dns = data.get("dns");
    let relay = data.get("dhcp_relay").filter(|relay| relay.as_map().is_some());
    let network = Network {
        name: name_of(document),
        vlan: data.get("vlan").and_then(|node| vlan(node, r)),
        mtu: r.number_at(data, "mtu"),
        cidr: cidr.unwrap_or(ANYWHERE),
        lacks_ranges: ranges.len() < written.len(),
        ranges,
        routes: Vec::new(),
        dns_domain: dns.and_then(|dns| name_at(dns, "domain")),
        dns_servers: dns.and_then(|dns| dns.get("servers")).map(|servers| dns_servers(servers, r)).unwrap_or_default(),
        dhcp_relay: relay.map(|relay| DhcpRelay { self_ip: r.ip_at(relay, "self_ip"), upstream_target: r.ip_at(relay, "upstream_target") }),
        routedomain: name_at(data, "routedomain"),
        labels: dict_at(data, "labels"),
        link: None,
    };
    RawNetwork { network, routes }
}

/// 802.1Q has 1 to 4094; 0 says untagged.
fn vlan(node: &Node, r: &mut Reader<'_>) -> Option<Located<u16>> {
    let tag: Located<u16> = r.number(node, "vlan", "a VLAN tag (1 to 4094)")?;
    match tag.value {
        0 => None,
        1..=4094 => Some(tag),
        // Still a tag: taken for untagged, the network would be reported for that as well.
        other => {
            r.malformed(
                node,
                format!("`{other}` is not a VLAN tag (1 to 4094)"),
                "give the tag that the switches know, or leave `vlan` out where frames are untagged",
            );
            Some(tag)
        }
    }
}

fn range(node: &Node, r: &mut Reader<'_>) -> Option<Range> {
    const KINDS: [(&str, RangeKind); 3] = [("static", RangeKind::Static), ("dhcp", RangeKind::Dhcp), ("reserved", RangeKind::Reserved)];
    node.as_map()?;
    for key in ["type", "start", "end"] {
        if node.get(key).is_none_or(Node::is_null) {
            r.missing(node, format!("address range without `{key}`"), "a range has `type`, `start` and `end`");
        }
    }
    let kind = node.get("type").and_then(|kind| r.word(kind, "type of range", &KINDS));
    let (start, end) = (r.ip_at(node, "start"), r.ip_at(node, "end"));
    Some(Range { kind: kind?, start: start?, end: end? })
}

fn route(node: &Node, r: &mut Reader<'_>) -> Option<RawRoute> {
    node.as_map()?;
    let subnet = node.get("subnet").filter(|subnet| !subnet.is_null());
    let routedomain = name_at(node, "routedomain");
    if subnet.is_none() && routedomain.is_none() {
        r.missing(node, "route without destination".to_owned(), "give `subnet` or `routedomain`");
    }
    if node.get("gateway").is_none_or(Node::is_null) {
        r.missing(node, "route without `gateway`".to_owned(), "give the address of the next hop on this network");
    }
    let known = subnet.is_none();
    let subnet = subnet.and_then(|subnet| r.cidr(subnet));
    let metric = r.number_at(node, "metric");
    let gateway = r.ip_at(node, "gateway")?;
    // A destination that could not be read is not a route to a domain.
    (known || subnet.is_some()).then_some(RawRoute { subnet, gateway, metric, routedomain })
}

/// A comma-separated text or a list.
fn dns_servers(node: &Node, r: &mut Reader<'_>) -> Vec<Located<IpAddr>> {
    if let Some(members) = node.as_seq() {
        return members.iter().filter_map(|member| r.ip(member)).collect();
    }
    let Some(text) = node.as_str() else { return Vec::new() };
    let words = text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
    words.filter_map(|word| r.ip(&Node::new(node.span, Value::Str(word.into())))).collect()
}

pub(in crate::model) fn hardware_profile(document: &Document, r: &mut Reader<'_>) -> HardwareProfile {
    let data = &document.data;
    let mut device_aliases = BTreeMap::new();
    for (key, node) in entries(data.get("device_aliases")).filter(|(_, node)| node.as_map().is_some()) {
        let Some(address) = name_at(node, "address") else {
            r.missing(node, format!("device alias `{}` without `address`", key.name), "give the bus address, such as `0000:00:03.0`");
            continue;
        };
        let alias = DeviceAlias {
            name: key_text(key),
            address,
            dev_type: name_at(node, "dev_type"),
            bus_type: name_at(node, "bus_type").unwrap_or_else(|| Located::default_value("pci".to_owned())),
        };
        device_aliases.insert(key.name.to_string(), alias);
    }
    let mut hugepages = BTreeMap::new();
    for (name, node) in entries(data.get("hugepages")).filter(|(_, node)| node.as_map().is_some()) {
        for key in ["size", "count"] {
            if node.get(key).is_none_or(Node::is_null) {
                r.missing(node, format!("huge pages `{}` without `{key}`", name.name), "huge pages have `size` and `count`");
            }
        }
        let (size, count) = (name_at(node, "size"), node.get("count").and_then(|count| r.number(count, "count", "a whole number")));
        if let (Some(size), Some(count)) = (size, count) {
            hugepages.insert(name.name.to_string(), Hugepages { size, count });
        }
    }
    HardwareProfile {
        name: name_of(document),
        vendor: name_at(data, "vendor"),
        generation: name_at(data, "generation"),
        hw_version: name_at(data, "hw_version"),
        bios_version: name_at(data, "bios_version"),
        boot_mode: word_text(data, "boot_mode", "boot mode", &["bios", "uefi"], r),
        bootstrap_protocol: word_text(data, "bootstrap_protocol", "bootstrap protocol", &["pxe", "usb", "hdd"], r),
        pxe_interface: name_at(data, "pxe_interface"),
        device_aliases,
        cpu_sets: dict_at(data, "cpu_sets"),
        hugepages,
    }
}

fn word_text(data: &Node, key: &str, what: &str, words: &[&'static str], r: &mut Reader<'_>) -> Option<Text> {
    let words: Vec<(&str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
    let word = r.word(data.get(key)?, what, &words)?;
    Some(Located::new(word.value.to_owned(), word.span))
}

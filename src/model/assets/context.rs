//! What templates may use.

use std::collections::BTreeMap;

use minijinja::Value;

use crate::model::{Node, Site, Text};
use crate::yaml::Span;

/// What stands for a value that exists only once a node is deployed.
pub const KNOWN_AT_DEPLOYMENT: &str = "(known at deployment)";

/// What stands for a secret.
pub const SENSITIVE: &str = "(sensitive)";

/// What is minted or decided when a boot action of a node is prepared.
#[derive(Clone)]
pub struct ActionFacts {
    /// Identifies the boot action on the node.
    pub action_id: String,
    /// Authenticates reports about it.
    pub action_key: String,
    /// Where reports are sent.
    pub report_url: String,
    /// Which design it is from.
    pub design_ref: String,
}

impl ActionFacts {
    /// None of them is known yet.
    pub fn unknown() -> Self {
        let unknown = || KNOWN_AT_DEPLOYMENT.to_owned();
        Self { action_id: unknown(), action_key: unknown(), report_url: unknown(), design_ref: unknown() }
    }

    fn value(&self) -> Value {
        let facts = [
            ("action_id", &self.action_id),
            ("action_key", &self.action_key),
            ("report_url", &self.report_url),
            ("design_ref", &self.design_ref),
        ];
        Value::from_pairs(facts.into_iter().map(|(name, value)| (name, value.as_str())))
    }
}

/// Which values are secrets and shown as such.
pub(super) type Masking<'a> = Option<&'a dyn Fn(Span) -> bool>;

/// What a template sees: `node` and `action`.
pub(super) fn context(node: &Value, action: &ActionFacts) -> Value {
    Value::from(BTreeMap::from([("node", node.clone()), ("action", action.value())]))
}

/// `node` of a template.
pub(super) fn node_value(site: &Site, node: &Node, masking: Masking<'_>) -> Value {
    let text = |text: &Text| shown(text, masking);
    let labels = Value::from_pairs(node.owner_data.iter().map(|(key, value)| (key.as_str(), text(value))));
    let domain = node.domain.as_ref().map_or_else(|| Value::from("local"), text);
    Value::from(BTreeMap::from([
        ("hostname", text(&node.name)),
        ("domain", domain),
        ("tags", Value::from(node.tags.iter().map(text).collect::<Vec<Value>>())),
        ("labels", labels),
        ("network", networks(site, node, masking)),
        ("interfaces", interfaces(node)),
    ]))
}

fn shown(text: &Text, masking: Masking<'_>) -> Value {
    if masking.is_some_and(|is_secret| is_secret(text.span)) { Value::from(SENSITIVE) } else { Value::from(text.as_str()) }
}

/// Networks on which the design gives the node an address, and `default`, the primary one.
fn networks(site: &Site, node: &Node, masking: Masking<'_>) -> Value {
    let mut networks: BTreeMap<&str, Value> = BTreeMap::new();
    for address in &node.addressing {
        let Some(ip) = &address.address else { continue };
        let network = site.networks.get(&address.network.value);
        let cidr = network.map_or_else(|| Value::from(()), |network| Value::from(network.cidr.to_string()));
        let suffix = network.and_then(|network| network.dns_domain.as_ref()).map_or_else(|| Value::from(()), |text| shown(text, masking));
        let entry = Value::from(BTreeMap::from([("ip", Value::from(ip.to_string())), ("cidr", cidr), ("dns_suffix", suffix)]));
        if node.primary_network.as_ref().is_some_and(|primary| primary.value == address.network.value) {
            networks.insert("default", entry.clone());
        }
        networks.insert(&address.network, entry);
    }
    Value::from(networks)
}

fn interfaces(node: &Node) -> Value {
    let entries = node.interfaces.iter().map(|(name, interface)| {
        let wanted = interface.sriov_vf_count.is_some() || interface.sriov_trusted.is_some();
        let mut entry = BTreeMap::from([("sriov", Value::from(wanted))]);
        if wanted {
            entry.insert("vf_count", Value::from(interface.sriov_vf_count.map_or(0, |count| count.value)));
            entry.insert("trustedmode", Value::from(interface.sriov_trusted.is_some_and(|trusted| trusted.value)));
        }
        (name.as_str(), Value::from(entry))
    });
    Value::from_pairs(entries)
}

/// Why a name that a template uses means nothing, and what was probably meant; `None` if it means something.
pub fn unknown_name(site: &Site, name: &str) -> Option<(String, Option<String>)> {
    const ROOTS: [&str; 2] = ["node", "action"];
    const NODE: [&str; 6] = ["hostname", "domain", "tags", "labels", "network", "interfaces"];
    const ACTION: [&str; 4] = ["action_id", "action_key", "report_url", "design_ref"];
    const NETWORK: [&str; 3] = ["ip", "cidr", "dns_suffix"];
    const INTERFACE: [&str; 3] = ["sriov", "vf_count", "trustedmode"];
    const METHODS: [&str; 4] = ["items", "keys", "values", "get"];
    let mut parts = name.split('.');
    let root = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let unknown = |part: &str, known: &[&str]| {
        if known.contains(&part) || METHODS.contains(&part) {
            return None;
        }
        Some((name.to_owned(), crate::design::similar(part, known.iter().copied()).map(str::to_owned)))
    };
    match (root, rest.as_slice()) {
        ("node" | "action", []) => None,
        ("action", [part, ..]) => unknown(part, &ACTION),
        ("node", ["network", network]) => unknown_network(site, name, network),
        ("node", ["network", network, part, ..]) if !METHODS.contains(network) => {
            unknown_network(site, name, network).or_else(|| unknown(part, &NETWORK))
        }
        ("node", ["interfaces", interface, part, ..]) if !METHODS.contains(interface) => unknown(part, &INTERFACE),
        ("node", [part, ..]) => unknown(part, &NODE),
        _ => Some((name.to_owned(), crate::design::similar(root, ROOTS.into_iter()).map(str::to_owned))),
    }
}

fn unknown_network(site: &Site, name: &str, network: &str) -> Option<(String, Option<String>)> {
    let known = || site.networks.keys().map(String::as_str).chain(["default"]);
    if known().any(|known| known == network) || ["items", "keys", "values", "get"].contains(&network) {
        return None;
    }
    Some((name.to_owned(), crate::design::similar(network, known()).map(str::to_owned)))
}

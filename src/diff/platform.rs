//! Name, tags, owner data, kernel parameters and operating system of a node.

use std::collections::BTreeMap;

use serde_json::json;

use super::Placement;
use super::attributes::{PresentMap, WantedMap, want, want_parts};
use super::memory::LastApplied;
use crate::action::params::{ApplyNodePlatform, DeployNode, KernelParams, PowerSettings};
use crate::build::{Machine, TagFacts};
use crate::model::{Node, OobType, Site, Text, assets};
use crate::yaml::Span;

/// Owner-data keys that drydock itself sets on a machine.
pub const MARK_SITE: &str = "drydock.site";
/// The action that deployed it.
pub const MARK_ACTION: &str = "drydock.action";
/// What it was given with its deployment, in words with a digest.
pub const MARK_USER_DATA: &str = "drydock.user_data";
/// Its value where it was given nothing.
pub const NO_USER_DATA: &str = "none";

/// Name of the tag that carries a node's kernel parameters.
pub(super) fn kernel_tag(node: &str) -> String {
    format!("{node}_kp")
}

/// Kernel parameters as on a command line. `hugepagesz` must stand before `hugepages`, the rest is in order of name.
pub fn kernel_options(node: &Node) -> String {
    kernel_words(node).into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" ")
}

/// The words of the command line, and where their values are written.
fn kernel_words(node: &Node) -> Vec<(String, Span)> {
    let given = &node.platform.kernel_params;
    let word = |key: &str, value: &Text| {
        let text = if value.value.is_empty() { key.to_owned() } else { format!("{key}={}", value.value) };
        (text, node.platform.kernel_params_at.get(key).copied().unwrap_or(value.span))
    };
    let mut words = Vec::new();
    for (key, value) in given.iter().filter(|(key, _)| *key != "hugepagesz") {
        if key == "hugepages" {
            words.extend(given.get("hugepagesz").map(|size| word("hugepagesz", size)));
        }
        words.push(word(key, value));
    }
    if !given.contains_key("hugepages") {
        words.extend(given.get("hugepagesz").map(|size| word("hugepagesz", size)));
    }
    words
}

/// How the provisioner is to reach a node's BMC; `None` where the design does not say, or the provisioner has no such type.
pub(super) fn wanted_power(node: &Node) -> Option<PowerSettings> {
    let kind = match node.oob.kind.as_ref()?.value {
        OobType::Ipmi => "ipmi",
        OobType::Redfish => "redfish",
        OobType::Libvirt | OobType::Manual => return None,
    };
    Some(PowerSettings { kind: kind.to_owned(), address: node.oob.address.as_ref()?.value.to_string(), renew: false })
}

/// Power settings that differ, as attributes. Credentials are not read back: `renew` says that those of the provisioner do not work.
pub(super) fn power_attributes(node: &Node, wanted: &PowerSettings, machine: Option<&Machine>) -> (WantedMap, PresentMap) {
    let (mut attributes, mut present) = (WantedMap::new(), PresentMap::new());
    want(&mut attributes, "type", wanted.kind.as_str(), node.oob.kind.as_ref().map_or(node.span, |k| k.span));
    want(&mut attributes, "address", wanted.address.as_str(), node.oob.address.as_ref().map_or(node.span, |a| a.span));
    if wanted.renew {
        want(&mut attributes, "credentials", "as in the design", node.oob.credential.as_ref().map_or(node.span, |c| c.span));
        present.insert("credentials".into(), json!("the provisioner cannot use the BMC with those that it has"));
    }
    present.extend(machine.and_then(|m| m.power_type.as_ref()).map(|t| ("type".to_owned(), json!(t))));
    present.extend(machine.and_then(|m| m.bmc_address.as_ref()).map(|a| ("address".to_owned(), json!(a))));
    (attributes, present)
}

pub(super) fn wanted_deploy(site: &Site, node: &Node) -> Option<DeployNode> {
    let (os, series) = node.platform.system()?;
    let kernel = node.platform.kernel.as_ref().map(|k| k.value.clone());
    Some(DeployNode { os: os.to_owned(), series: series.to_owned(), kernel, user_data: assets::delivery(site, node).shown })
}

/// What was applied last and the design no longer has: it is ours to remove.
fn no_longer<'a>(last: Option<&'a LastApplied>, key: &str) -> Vec<&'a str> {
    let Some(value) = last.and_then(|l| l.attributes.get(key)) else { return Vec::new() };
    match value {
        serde_json::Value::Array(items) => items.iter().filter_map(serde_json::Value::as_str).collect(),
        serde_json::Value::Object(map) => map.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Parameters and attributes that the design wants.
pub(super) fn wanted(node: &Node, placed: Placement, last: Option<&LastApplied>) -> (ApplyNodePlatform, WantedMap) {
    let mut attributes = WantedMap::new();
    let Placement { pool, zone, min_kernel, nodes: _ } = placed;
    for (path, value) in [("pool", &pool), ("zone", &zone), ("min_kernel", &min_kernel)] {
        if let Some(value) = value {
            want(&mut attributes, path, value.as_str(), Span::NOWHERE);
        }
    }
    let name = &node.name.value;
    want(&mut attributes, "hostname", name.as_str(), node.name.span);
    if let Some(domain) = &node.domain {
        want(&mut attributes, "domain", domain.value.as_str(), domain.span);
    }
    let mut tags: Vec<String> = Vec::new();
    for tag in &node.tags {
        want(&mut attributes, format!("tags.{}", tag.value), true, tag.span);
        tags.push(tag.value.clone());
    }
    tags.sort_unstable();
    tags.dedup();
    let options = kernel_options(node);
    let kernel_params = (!options.is_empty()).then(|| KernelParams { tag: kernel_tag(name), options });
    if let Some(params) = &kernel_params {
        let words = kernel_words(node);
        let span = words.first().map_or(node.span, |(_, span)| *span);
        want_parts(&mut attributes, "kernel_params", params.options.as_str(), span, words);
    }
    let mut owner_data = BTreeMap::new();
    for (key, value) in &node.owner_data {
        want(&mut attributes, format!("owner_data.{key}"), value.value.as_str(), value.span);
        owner_data.insert(key.clone(), value.value.clone());
    }
    let remove_tags = no_longer(last, "add_tags").into_iter().filter(|t| !tags.iter().any(|x| x == t)).map(str::to_owned).collect();
    let remove_owner_data =
        no_longer(last, "set_owner_data").into_iter().filter(|k| !owner_data.contains_key(*k)).map(str::to_owned).collect();
    let params = ApplyNodePlatform {
        hostname: name.clone(),
        domain: node.domain.as_ref().map(|d| d.value.clone()),
        add_tags: tags,
        remove_tags,
        kernel_params,
        min_kernel,
        pool,
        set_owner_data: owner_data,
        remove_owner_data,
        zone,
    };
    (params, attributes)
}

/// The same for a machine: one that carries the tag of kernel parameters which the design no longer has loses it.
pub(super) fn wanted_of(
    node: &Node,
    placed: Placement,
    last: Option<&LastApplied>,
    machine: Option<&Machine>,
) -> (ApplyNodePlatform, WantedMap) {
    let (mut params, attributes) = wanted(node, placed, last);
    let tag = kernel_tag(&params.hostname);
    if params.kernel_params.is_none() && machine.is_some_and(|m| m.tags.contains(&tag)) {
        params.kernel_params = Some(KernelParams { tag, options: String::new() });
    }
    (params, attributes)
}

/// Present attributes of a machine, in the terms of what is wanted: tags and owner data of others are not ours to compare.
pub(super) fn present(machine: &Machine, wanted: &ApplyNodePlatform, tags: &BTreeMap<&str, &TagFacts>) -> PresentMap {
    let mut out = PresentMap::new();
    out.insert("hostname".into(), json!(machine.hostname));
    if wanted.domain.is_some() {
        out.insert("domain".into(), json!(machine.domain));
    }
    let placed = [
        ("pool", &machine.pool, &wanted.pool),
        ("zone", &machine.zone, &wanted.zone),
        ("min_kernel", &machine.min_kernel, &wanted.min_kernel),
    ];
    for (path, now, wanted) in placed {
        if let (Some(now), Some(_)) = (now, wanted) {
            out.insert(path.into(), json!(now));
        }
    }
    for tag in &machine.tags {
        if wanted.add_tags.contains(tag) || wanted.remove_tags.contains(tag) {
            out.insert(format!("tags.{tag}"), json!(true));
        }
    }
    let kernel_tag = kernel_tag(&wanted.hostname);
    if machine.tags.contains(&kernel_tag)
        && let Some(tag) = tags.get(kernel_tag.as_str())
        && !tag.kernel_opts.is_empty()
    {
        out.insert("kernel_params".into(), json!(tag.kernel_opts));
    }
    for (key, value) in &machine.owner_data {
        if wanted.set_owner_data.contains_key(key) || wanted.remove_owner_data.contains(key) {
            out.insert(format!("owner_data.{key}"), json!(value));
        }
    }
    out
}

//! Sets of nodes of which only so many may be unavailable, or deployed, at once.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::{Branch, Scope, selects};
use super::rules::CONTROL_PLANE;
use super::{Rules, Share, UnavailableOf};
use crate::action::Effect;
use crate::diff::Stage;
use crate::model::{Node, Site};
use crate::plan::{Counts, Limits, Pool};

/// The limit of racks, and the pools of all other rules.
pub(super) fn resolve(
    rules: &Rules,
    limits: &Limits,
    scope: &Scope<'_>,
    branches: &BTreeMap<&str, Branch<'_>>,
    warnings: &mut Vec<String>,
) -> (u32, Vec<Pool>) {
    let mut pools = Vec::new();
    let mut per_rack = limits.unavailable_per_rack;
    let disrupted: BTreeSet<&str> = branches.iter().filter(|(_, b)| b.effect >= Effect::Reboot).map(|(n, _)| *n).collect();
    let pool = |of: String, limit: u32, members: &BTreeSet<&str>| Pool {
        counts: Counts::Unavailable,
        limit,
        nodes: members.intersection(&disrupted).map(|n| (*n).to_owned()).collect(),
        of,
    };
    let mut of_rules = Vec::new();
    for rule in &rules.max_unavailable {
        match &rule.of {
            UnavailableOf::Racks => {
                let racks = racks(scope.site);
                let all: BTreeMap<&str, u32> = racks.iter().map(|(rack, nodes)| (*rack, rule.limit.at_most(nodes.len()))).collect();
                per_rack = all.values().copied().max().unwrap_or_else(|| rule.limit.at_most(0));
                for (rack, limit) in all.into_iter().filter(|(_, limit)| *limit < per_rack || *limit == 0) {
                    of_rules.push((pool(format!("rack {rack}"), limit, &racks[rack]), rule.limit, racks[rack].len()));
                }
            }
            UnavailableOf::Label(label) => {
                for (value, nodes) in by_label(scope.site, label) {
                    of_rules.push((
                        pool(format!("label {label}={value}"), rule.limit.at_most(nodes.len()), &nodes),
                        rule.limit,
                        nodes.len(),
                    ));
                }
            }
            UnavailableOf::Nodes(selector) => {
                let stage = |name: &str| scope.nodes.get(name).map_or(Stage::Unknown, |n| n.now);
                let selected = scope.site.nodes.iter().filter(|(name, node)| selects(selector, node, stage(name)));
                let nodes: BTreeSet<&str> = selected.map(|(name, _)| name.as_str()).collect();
                if nodes.is_empty() {
                    warnings.push(format!("`rollout.max_unavailable` has a limit for `{selector}`, which selects no node"));
                }
                of_rules.push((pool(selector.to_string(), rule.limit.at_most(nodes.len()), &nodes), rule.limit, nodes.len()));
            }
        }
    }
    for (pool, share, size) in of_rules {
        if pool.nodes.is_empty() {
            continue;
        }
        if pool.limit == 0 {
            warnings.push(never(&pool, share, size));
        }
        pools.push(pool);
    }
    let named = |label: &str| rules.max_unavailable.iter().any(|r| matches!(&r.of, UnavailableOf::Label(l) if l == label));
    for label in CONTROL_PLANE.into_iter().filter(|label| !named(label)) {
        for (value, nodes) in by_label(scope.site, label) {
            let made = pool(format!("label {label}={value}"), 1, &nodes);
            // One node is never too many, and the same nodes under another label are no other limit.
            let says_more = made.nodes.len() > 1 && !pools.iter().any(|p| p.nodes == made.nodes && p.limit <= made.limit);
            if says_more && !matches!(value, "disabled" | "false" | "no") {
                pools.push(made);
            }
        }
    }
    if let Some(limit) = rules.deployments_per_network {
        let mut networks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, branch) in branches.iter().filter(|(_, b)| b.deploys) {
            let network = branch.node.and_then(|node| boots_from(scope.site, node)).unwrap_or("not known");
            networks.entry(network).or_default().push((*name).to_owned());
        }
        for (network, nodes) in networks {
            pools.push(Pool { counts: Counts::Deployments, limit, nodes, of: format!("network {network}") });
        }
    }
    (per_rack, pools)
}

fn never(pool: &Pool, share: Share, size: usize) -> String {
    let rounded = match share {
        Share::Count(_) => String::new(),
        Share::Percent(_) => format!(" ({share} of {size} rounds to nothing)"),
    };
    format!(
        "no node of {} may be unavailable{rounded}, so {} never begin{} what interrupts {}: raise the limit in `rollout.max_unavailable`",
        pool.of,
        some(&pool.nodes),
        if pool.nodes.len() == 1 { "s" } else { "" },
        if pool.nodes.len() == 1 { "it" } else { "them" },
    )
}

/// The first of many names.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

fn racks(site: &Site) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut racks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, node) in &site.nodes {
        if let Some(rack) = &node.rack {
            racks.entry(&rack.value).or_default().insert(name);
        }
    }
    racks
}

fn by_label<'s>(site: &'s Site, label: &str) -> BTreeMap<&'s str, BTreeSet<&'s str>> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, node) in &site.nodes {
        if let Some(value) = node.owner_data.get(label) {
            values.entry(&value.value).or_default().insert(name);
        }
    }
    values
}

/// The network that a node boots from: the native one of the link of its PXE interface, else the one with DHCP, else the primary one.
fn boots_from<'s>(site: &'s Site, node: &'s Node) -> Option<&'s str> {
    let profile = node.hardware_profile.as_ref().and_then(|name| site.hardware_profiles.get(&name.value));
    let native = profile.and_then(|p| p.pxe_interface.as_ref()).and_then(|nic| {
        let interface = node.interfaces.values().find(|i| i.name == *nic || i.slaves.contains(nic))?;
        site.links.get(&interface.device_link.as_ref()?.value)?.native_network.as_ref()
    });
    let dhcp = || node.addressing.iter().find(|a| a.dhcp).map(|a| &a.network);
    native.or_else(dhcp).or(node.primary_network.as_ref()).map(|n| n.value.as_str())
}

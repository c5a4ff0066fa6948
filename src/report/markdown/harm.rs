//! Every node that is interrupted, overwritten or given up, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::escape::{code, sentence};
use super::{Links, nodeset};
use crate::action::Effect;
use crate::diff::Change;
use crate::plan::Plan;
use crate::report::plan_text::count;
use crate::report::view;

/// Attributes that are named as a reason.
const ATTRIBUTES: usize = 5;

/// The list, in at most `room` bytes: with reasons; without; with names only; and where not even the names fit, with counts and a line that says so.
pub(super) fn list(plan: &Plan, links: &Links, room: usize) -> String {
    let classes: Vec<(Effect, Vec<&str>)> =
        view::nodes_by_effect(plan).into_iter().filter(|(effect, _)| *effect >= Effect::Reboot).collect();
    let site: Vec<&Change> = plan.changes.iter().filter(|c| c.node.is_none() && c.effect >= Effect::Reboot).collect();
    if classes.is_empty() && site.is_empty() {
        return String::new();
    }
    let mut changes: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|c| c.effect >= Effect::Reboot) {
        if let Some(node) = change.node.as_deref() {
            changes.entry(node).or_default().push(change);
        }
    }
    let mut kinds: BTreeMap<(&str, Effect), BTreeSet<&str>> = BTreeMap::new();
    for action in plan.actions.iter().filter(|a| a.effect >= Effect::Reboot) {
        if let Some(node) = action.node.as_deref() {
            kinds.entry((node, action.effect)).or_default().insert(action.kind.name());
        }
    }
    let evidence = Evidence { changes, kinds };
    let variants: [&dyn Fn() -> String; 3] =
        [&|| with_reasons(plan, links, &classes, &evidence), &|| by_rack(plan, &classes), &|| counted(plan, &classes)];
    let head = "> [!CAUTION]\n> **Interrupts or destroys**\n>\n";
    let site = site_lines(&site, links);
    for variant in variants {
        let out = format!("{head}{}{site}\n", variant());
        if out.len() <= room {
            return out;
        }
    }
    format!("{head}{}\n", counted(plan, &classes))
}

/// What reaches each node.
struct Evidence<'p> {
    /// Changes of class reboot or higher by node.
    changes: BTreeMap<&'p str, Vec<&'p Change>>,
    /// Kinds of action by node and class.
    kinds: BTreeMap<(&'p str, Effect), BTreeSet<&'p str>>,
}

fn heading(effect: Effect, nodes: usize) -> String {
    format!("> **{effect}**: {}\n", count(nodes, "node"))
}

fn with_reasons(plan: &Plan, links: &Links, classes: &[(Effect, Vec<&str>)], evidence: &Evidence) -> String {
    let mut out = String::new();
    for (effect, nodes) in classes {
        out.push_str(&heading(*effect, nodes.len()));
        let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for node in nodes {
            reasons.entry(reason(evidence, links, node, *effect)).or_default().push(node);
        }
        let mut reasons: Vec<(String, Vec<&str>)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        for (reason, nodes) in reasons {
            let _ = writeln!(out, "> * because {reason}");
            for line in rack_lines(plan, &nodes) {
                let _ = writeln!(out, ">   * {line}");
            }
        }
        out.push_str(">\n");
    }
    out
}

fn by_rack(plan: &Plan, classes: &[(Effect, Vec<&str>)]) -> String {
    let mut out = String::new();
    for (effect, nodes) in classes {
        out.push_str(&heading(*effect, nodes.len()));
        for line in rack_lines(plan, nodes) {
            let _ = writeln!(out, "> * {line}");
        }
        out.push_str(">\n");
    }
    out.push_str("> Reasons are left out here, as there are too many different ones; `drydock show` has them.\n>\n");
    out
}

fn counted(plan: &Plan, classes: &[(Effect, Vec<&str>)]) -> String {
    let mut out = String::new();
    for (effect, nodes) in classes {
        out.push_str(&heading(*effect, nodes.len()));
        let racks: BTreeSet<&str> = nodes.iter().filter_map(|n| plan.nodes.get(*n)?.rack.as_deref()).collect();
        let _ = writeln!(out, "> * in {}", count(racks.len(), "rack"));
        out.push_str(">\n");
    }
    out.push_str("> **The names of these nodes do not fit into a comment. Do not approve by this comment alone: `drydock show` names each of them.**\n>\n");
    out
}

/// Rack, number, names: a line for each rack.
fn rack_lines(plan: &Plan, nodes: &[&str]) -> Vec<String> {
    let mut racks: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        racks.entry(plan.nodes.get(*node).and_then(|n| n.rack.as_deref())).or_default().push(node);
    }
    racks
        .into_iter()
        .map(|(rack, nodes)| {
            let place = rack.map_or_else(|| "no rack".to_owned(), |rack| format!("rack {}", code(rack)));
            let number = count(nodes.len(), "node");
            let names: Vec<String> = nodeset::fold(nodes).iter().map(|set| code(set)).collect();
            format!("{place}, {number}: {}", names.join(", "))
        })
        .collect()
}

/// Why a node is reached: its changes of this class, or the actions where no change says so.
fn reason(evidence: &Evidence, links: &Links, node: &str, effect: Effect) -> String {
    let mut parts: Vec<String> = Vec::new();
    for change in evidence.changes.get(node).into_iter().flatten().filter(|c| c.effect == effect) {
        let attributes: Vec<_> = change.attributes.iter().filter(|a| a.effect == effect).collect();
        let mut names: Vec<String> = attributes.iter().take(ATTRIBUTES).map(|a| code(&a.path)).collect();
        if attributes.len() > ATTRIBUTES {
            names.push(format!("{} more", attributes.len() - ATTRIBUTES));
        }
        let what = match change.resource.strip_prefix("node.").and_then(|rest| rest.strip_prefix(node)).and_then(|r| r.strip_prefix('/')) {
            Some(part) if names.is_empty() || names == [code(part)] => code(part),
            Some(part) => format!("{} ({})", code(part), names.join(", ")),
            None => names.join(", "),
        };
        let why = std::iter::once(change.reason.as_str())
            .chain(attributes.iter().map(|a| a.reason.as_str()))
            .find(|reason| !reason.is_empty())
            .map(|reason| sentence(&view::named(reason, node)).into_owned())
            .unwrap_or_default();
        let between = if what.is_empty() || why.is_empty() { "" } else { ": " };
        let place = attributes.iter().find_map(|a| a.source.as_deref()).map(|s| format!(", {}", links.place(s))).unwrap_or_default();
        parts.push(format!("{what}{between}{why}{place}"));
    }
    if parts.is_empty() {
        let kinds = evidence.kinds.get(&(node, effect)).into_iter().flatten();
        parts.push(format!("of {}", kinds.map(|kind| code(kind)).collect::<Vec<_>>().join(", ")));
    }
    parts.join("; ")
}

fn site_lines(changes: &[&Change], links: &Links) -> String {
    let mut out = String::new();
    for change in changes {
        let place = change.attributes.iter().find_map(|a| a.source.as_deref()).map(|s| format!(", {}", links.place(s))).unwrap_or_default();
        let reason = if change.reason.is_empty() { String::new() } else { format!(": {}", sentence(&change.reason)) };
        let _ = writeln!(out, "> * {} **{}**{reason}{place}", code(&change.resource), change.effect);
    }
    out
}

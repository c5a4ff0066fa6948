//! Node filters: which nodes a boot action is for.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{RawFilter, RawFilterSet, Reader};
use super::{Node, Rack, Text, codes};
use crate::diag::Diagnostic;

/// Names of the nodes that the filter selects, in order. No filter selects all nodes.
pub(super) fn select(
    filter: Option<&RawFilter>,
    nodes: &BTreeMap<String, Node>,
    racks: &BTreeMap<String, Rack>,
    r: &mut Reader<'_>,
) -> Vec<String> {
    let Some(filter) = filter else { return nodes.keys().cloned().collect() };
    let sets: Vec<BTreeSet<&str>> = filter.sets.iter().map(|set| select_set(set, nodes, racks, r)).collect();
    combine(sets, filter.all, nodes).into_iter().map(str::to_owned).collect()
}

/// A union of nothing selects nothing, an intersection of nothing everything.
fn combine<'n>(sets: Vec<BTreeSet<&'n str>>, all: bool, nodes: &'n BTreeMap<String, Node>) -> BTreeSet<&'n str> {
    let mut sets = sets.into_iter();
    match (sets.next(), all) {
        (None, false) => BTreeSet::new(),
        (None, true) => nodes.keys().map(String::as_str).collect(),
        (Some(first), false) => sets.fold(first, |mut union, set| {
            union.extend(set);
            union
        }),
        (Some(first), true) => sets.fold(first, |kept, set| kept.intersection(&set).copied().collect()),
    }
}

/// Each criterion selects nodes that match any of its members; a criterion that is not written takes no part.
fn select_set<'n>(
    set: &RawFilterSet,
    nodes: &'n BTreeMap<String, Node>,
    racks: &BTreeMap<String, Rack>,
    r: &mut Reader<'_>,
) -> BTreeSet<&'n str> {
    let mut criteria = Vec::new();
    if !set.node_names.is_empty() {
        criteria.push(set.node_names.iter().filter_map(|name| known(name, nodes, "node", r)).collect());
    }
    let matching = |wanted: &dyn Fn(&Node) -> bool| -> BTreeSet<&'n str> {
        nodes.iter().filter(|(_, node)| wanted(node)).map(|(name, _)| name.as_str()).collect()
    };
    if !set.node_tags.is_empty() {
        let tags: BTreeSet<&str> = set.node_tags.iter().map(|tag| tag.as_str()).collect();
        criteria.push(matching(&|node| node.tags.iter().any(|tag| tags.contains(tag.as_str()))));
    }
    if !set.node_labels.is_empty() {
        criteria.push(matching(&|node| any_label(&set.node_labels, &node.owner_data)));
    }
    if !set.rack_names.is_empty() {
        let names: BTreeSet<&str> = set.rack_names.iter().map(|name| name.as_str()).collect();
        criteria.push(matching(&|node| node.rack.as_ref().is_some_and(|rack| names.contains(rack.as_str()))));
    }
    if !set.rack_labels.is_empty() {
        let rack_of = |node: &Node| node.rack.as_ref().and_then(|rack| racks.get(&rack.value));
        criteria.push(matching(&|node| rack_of(node).is_some_and(|rack| any_label(&set.rack_labels, &rack.labels))));
    }
    combine(criteria, set.all, nodes)
}

fn any_label(wanted: &BTreeMap<String, Text>, labels: &BTreeMap<String, Text>) -> bool {
    wanted.iter().any(|(key, value)| labels.get(key).is_some_and(|label| label.value == value.value))
}

fn known<'n, T>(name: &Text, things: &'n BTreeMap<String, T>, what: &str, r: &mut Reader<'_>) -> Option<&'n str> {
    let found = things.get_key_value(&name.value).map(|(key, _)| key.as_str());
    if found.is_none() {
        let warning = Diagnostic::warning(codes::UNKNOWN_FILTER_NAME, format!("node filter names {what} `{name}`, which does not exist"));
        let warning = match crate::design::similar(name, things.keys().map(String::as_str)) {
            Some(similar) => warning.help(format!("did you mean `{similar}`?")),
            None => warning.help("it selects nothing; remove it, or add the node"),
        };
        r.report(warning.at(name.span));
    }
    found
}

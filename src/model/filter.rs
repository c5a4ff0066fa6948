//! Node filters: which nodes a boot action is for.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{RawFilter, RawFilterSet, Reader};
use super::{Node, Rack, Text, codes};
use crate::diag::Diagnostic;
use crate::yaml::Span;

/// Names of the nodes that the filter selects, in order. No filter selects all nodes.
pub(super) fn select(
    filter: Option<&RawFilter>,
    nodes: &BTreeMap<String, Node>,
    racks: &BTreeMap<String, Rack>,
    r: &mut Reader<'_>,
) -> Vec<String> {
    let Some(filter) = filter else { return nodes.keys().cloned().collect() };
    if filter.sets.is_empty() {
        let what = if filter.all { "selects every node" } else { "selects no node" };
        empty(&format!("the node filter has no sets, and {what}"), filter.span, r);
    }
    let sets: Vec<BTreeSet<&str>> = filter.sets.iter().map(|set| select_set(set, nodes, racks, r)).collect();
    let selected: Vec<String> = combine(sets, filter.all, nodes).into_iter().map(str::to_owned).collect();
    // What selects nothing because a name in it is unknown is reported as that.
    if selected.is_empty() && !nodes.is_empty() && !r.has_reported() {
        let warning = Diagnostic::warning(codes::SELECTS_NOTHING, "the node filter selects no node").at(filter.span);
        r.report(warning.help("its criteria exclude one another: widen them, or write `union`"));
    }
    selected
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
    let names = [&set.node_names, &set.node_tags, &set.rack_names].into_iter().all(Vec::is_empty);
    if names && set.node_labels.is_empty() && set.rack_labels.is_empty() {
        let what = if set.all { "selects every node" } else { "selects no node" };
        empty(&format!("this set of the node filter has no criteria, and {what}"), set.span, r);
    }
    if !set.node_names.is_empty() {
        criteria.push(set.node_names.iter().filter_map(|name| known(name, nodes, "node", r)).collect());
    }
    let matching = |wanted: &dyn Fn(&Node) -> bool| -> BTreeSet<&'n str> {
        nodes.iter().filter(|(_, node)| wanted(node)).map(|(name, _)| name.as_str()).collect()
    };
    if !set.node_tags.is_empty() {
        let given: BTreeSet<&str> = nodes.values().flat_map(|node| &node.tags).map(|tag| tag.as_str()).collect();
        for tag in set.node_tags.iter().filter(|tag| !given.contains(tag.as_str())) {
            unknown(&format!("node filter names tag `{tag}`, which no node has"), tag, given.iter().copied(), "tag", r);
        }
        let tags: BTreeSet<&str> = set.node_tags.iter().map(|tag| tag.as_str()).collect();
        criteria.push(matching(&|node| node.tags.iter().any(|tag| tags.contains(tag.as_str()))));
    }
    let of_nodes = || nodes.values().map(|node| &node.owner_data);
    unknown_labels(&set.node_labels, of_nodes, "node", r);
    unknown_labels(&set.rack_labels, || racks.values().map(|rack| &rack.labels), "rack", r);
    if !set.node_labels.is_empty() {
        criteria.push(matching(&|node| any_label(&set.node_labels, &node.owner_data)));
    }
    if !set.rack_names.is_empty() {
        let of_nodes = nodes.values().filter_map(|node| node.rack.as_ref()).map(|rack| rack.as_str());
        let given: BTreeSet<&str> = racks.keys().map(String::as_str).chain(of_nodes).collect();
        for rack in set.rack_names.iter().filter(|rack| !given.contains(rack.as_str())) {
            unknown(&format!("node filter names rack `{rack}`, which does not exist"), rack, given.iter().copied(), "rack", r);
        }
        let names: BTreeSet<&str> = set.rack_names.iter().map(|name| name.as_str()).collect();
        criteria.push(matching(&|node| node.rack.as_ref().is_some_and(|rack| names.contains(rack.as_str()))));
    }
    if !set.rack_labels.is_empty() {
        let rack_of = |node: &Node| node.rack.as_ref().and_then(|rack| racks.get(&rack.value));
        criteria.push(matching(&|node| rack_of(node).is_some_and(|rack| any_label(&set.rack_labels, &rack.labels))));
    }
    combine(criteria, set.all, nodes)
}

/// Labels that nothing has.
fn unknown_labels<'a, L: Iterator<Item = &'a BTreeMap<String, Text>>>(
    wanted: &BTreeMap<String, Text>,
    labels: impl Fn() -> L,
    what: &str,
    r: &mut Reader<'_>,
) {
    for (key, value) in wanted {
        if labels().any(|labels| labels.get(key).is_some_and(|label| label.value == value.value)) {
            continue;
        }
        let message = format!("node filter names label `{key}: {value}`, which no {what} has");
        let warning = Diagnostic::warning(codes::UNKNOWN_FILTER_NAME, message).at(value.span);
        r.report(warning.help(format!("it selects nothing; remove it, or label a {what}")));
    }
}

fn any_label(wanted: &BTreeMap<String, Text>, labels: &BTreeMap<String, Text>) -> bool {
    wanted.iter().any(|(key, value)| labels.get(key).is_some_and(|label| label.value == value.value))
}

fn known<'n, T>(name: &Text, things: &'n BTreeMap<String, T>, what: &str, r: &mut Reader<'_>) -> Option<&'n str> {
    let found = things.get_key_value(&name.value).map(|(key, _)| key.as_str());
    if found.is_none() {
        let message = format!("node filter names {what} `{name}`, which does not exist");
        unknown(&message, name, things.keys().map(String::as_str), what, r);
    }
    found
}

fn unknown<'n>(message: &str, name: &Text, things: impl Iterator<Item = &'n str>, what: &str, r: &mut Reader<'_>) {
    let warning = Diagnostic::warning(codes::UNKNOWN_FILTER_NAME, message);
    let warning = match r.similar(name, things) {
        Some(similar) => warning.help(format!("did you mean `{similar}`?")),
        None => warning.help(format!("it selects nothing; remove it, or add the {what}")),
    };
    r.report(warning.at(name.span));
}

fn empty(message: &str, span: Span, r: &mut Reader<'_>) {
    let warning = Diagnostic::warning(codes::EMPTY_FILTER, message).at(span);
    r.report(warning.help("name nodes, tags, labels or racks, or leave `node_filter` out to select every node"));
}

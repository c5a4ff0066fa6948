//! Airship's deployment groups: which nodes are deployed before which, and how many of them have to be well.
//!
//! In: documents `shipyard/DeploymentStrategy/v1` and `shipyard/DeploymentConfiguration/v1`, as Shipyard describes them
//! (<https://docs.airshipit.org/shipyard/site-definition-documents.html>). Out: a [`Deployment`] with the nodes of each group, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{Reader, scalar};
use super::{Node, Sink, Text, codes};
use crate::diag::Diagnostic;
use crate::document::{Document, Schema};
use crate::yaml;

const STRATEGY: &str = "shipyard/DeploymentStrategy/";
const CONFIGURATION: &str = "shipyard/DeploymentConfiguration/";

/// What the design says of the order in which nodes are deployed.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Strategies by name.
    pub strategies: BTreeMap<String, DeploymentStrategy>,
    /// The strategy that the deployment configuration names.
    pub strategy: Option<Text>,
}

/// Groups of nodes.
#[derive(Debug, Clone)]
pub struct DeploymentStrategy {
    /// Name of its document.
    pub name: Text,
    /// Its groups; each stands after those that it depends on.
    pub groups: Vec<DeploymentGroup>,
}

/// Nodes that are deployed together.
#[derive(Debug, Clone)]
pub struct DeploymentGroup {
    /// Name.
    pub name: Text,
    /// Whether the deployment is a failure where it is not successful.
    pub critical: bool,
    /// Groups that have to be successful before.
    pub depends_on: Vec<Text>,
    /// Its nodes, in order of name.
    pub nodes: Vec<String>,
    /// Percent of its nodes that have to be through.
    pub percent_successful: Option<u32>,
    /// Nodes that have to be through.
    pub minimum_successful: Option<u32>,
    /// Nodes that may fail.
    pub maximum_failed: Option<u32>,
}

/// Reads the strategies of a design.
pub(super) fn decode(documents: &[Document], nodes: &BTreeMap<String, Node>, sink: &mut Sink) -> Deployment {
    let of = |prefix: &'static str| documents.iter().filter(move |d| matches!(&d.schema, Schema::Other(s) if s.starts_with(prefix)));
    let mut out = Deployment::default();
    for document in of(STRATEGY) {
        let resource = format!("deployment_strategy.{}", document.name);
        let strategy = strategy(document, nodes, &mut Reader::new(&resource, sink));
        out.strategies.insert(document.name.clone(), strategy);
    }
    for document in of(CONFIGURATION) {
        let Some(named) = document.data.get("physical_provisioner").and_then(|p| p.get("deployment_strategy")) else { continue };
        let Some(name) = named.as_str() else { continue };
        if !out.strategies.contains_key(name) {
            let found = Diagnostic::error(codes::UNKNOWN_DEPLOYMENT, format!("deployment strategy `{name}` does not exist")).at(named.span);
            let help = match sink.similar(name, out.strategies.keys().map(String::as_str)) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "add a document of schema shipyard/DeploymentStrategy/v1 with that name, or remove the line".to_owned(),
            };
            sink.push(found.help(help).resource(format!("deployment_configuration.{}", document.name)));
        }
        out.strategy = Some(Text::new(name.to_owned(), named.span));
    }
    out
}

fn strategy(document: &Document, nodes: &BTreeMap<String, Node>, r: &mut Reader<'_>) -> DeploymentStrategy {
    let mut groups: Vec<DeploymentGroup> = Vec::new();
    for entry in items(&document.data, "groups", r) {
        let Some(group) = group(entry, nodes, r) else { continue };
        if let Some(first) = groups.iter().find(|g| g.name.value == group.name.value) {
            let found = Diagnostic::error(codes::MALFORMED_VALUE, format!("deployment group `{}` stands twice", group.name));
            r.report(found.at(group.name.span).label(first.name.span, "the first one").help("give each group its own name"));
            continue;
        }
        groups.push(group);
    }
    known_dependencies(&groups, r);
    shared_nodes(&groups, r);
    DeploymentStrategy { name: Text::new(document.name.clone(), document.name_span), groups: ordered(groups, r) }
}

/// Members of a list; none, with a report, where something else stands there.
fn items<'d>(map: &'d yaml::Node, key: &str, r: &mut Reader<'_>) -> &'d [yaml::Node] {
    match map.get(key) {
        None => &[],
        Some(node) if node.is_null() => &[],
        Some(node) => node.as_seq().unwrap_or_else(|| {
            r.malformed(node, format!("`{key}` is {}, not a list", node.kind()), "write a list, with a `-` before each of its members");
            &[]
        }),
    }
}

fn texts(map: &yaml::Node, key: &str, r: &mut Reader<'_>) -> Vec<Text> {
    items(map, key, r).iter().filter_map(|n| n.as_str().map(|s| Text::new(s.to_owned(), n.span))).collect()
}

fn group(entry: &yaml::Node, nodes: &BTreeMap<String, Node>, r: &mut Reader<'_>) -> Option<DeploymentGroup> {
    let Some(name) = entry.get("name").and_then(|n| n.as_str().filter(|s| !s.is_empty()).map(|s| Text::new(s.to_owned(), n.span))) else {
        r.missing(entry, "a deployment group has no `name`".to_owned(), "give it one");
        return None;
    };
    let criteria = entry.get("success_criteria");
    let mut number = |key: &str| criteria.and_then(|c| r.number_at(c, key));
    let (percent, minimum, maximum) =
        (number("percent_successful_nodes"), number("minimum_successful_nodes"), number("maximum_failed_nodes"));
    if let Some(percent) = percent.filter(|p| p.value > 100) {
        let found = Diagnostic::error(codes::MALFORMED_VALUE, format!("`percent_successful_nodes` of group `{name}` is {}", percent.value));
        r.report(found.at(percent.span).help("write a number from 0 to 100"));
    }
    Some(DeploymentGroup {
        critical: r.bool_at(entry, "critical").is_some_and(|c| c.value),
        depends_on: texts(entry, "depends_on", r),
        nodes: selected(entry, &name, nodes, r),
        percent_successful: percent.map(|p| p.value.min(100)),
        minimum_successful: minimum.map(|p| p.value),
        maximum_failed: maximum.map(|p| p.value),
        name,
    })
}

/// Nodes that pass one of the selectors; a selector takes nodes that pass all of its criteria, and no selector, or an empty one, takes all.
fn selected(entry: &yaml::Node, group: &Text, nodes: &BTreeMap<String, Node>, r: &mut Reader<'_>) -> Vec<String> {
    let selectors = items(entry, "selectors", r);
    if selectors.is_empty() {
        return nodes.keys().cloned().collect();
    }
    let mut out: BTreeSet<&String> = BTreeSet::new();
    for selector in selectors {
        let (names, tags, racks) = (texts(selector, "node_names", r), texts(selector, "node_tags", r), texts(selector, "rack_names", r));
        let labels = labels(selector, r);
        let one_of = |wanted: &[Text], has: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|w| has(&w.value));
        for name in names.iter().filter(|name| !nodes.contains_key(&name.value)) {
            let found = Diagnostic::warning(
                codes::UNKNOWN_FILTER_NAME,
                format!("deployment group `{group}` names node `{name}`, which does not exist"),
            );
            let help = match r.similar(name, nodes.keys().map(String::as_str)) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "it selects nothing; remove it, or add the node".to_owned(),
            };
            r.report(found.at(name.span).help(help));
        }
        out.extend(
            nodes
                .iter()
                .filter(|(name, node)| {
                    one_of(&names, &|n| n == name.as_str())
                        && one_of(&tags, &|t| node.tags.iter().any(|tag| tag.value == t))
                        && one_of(&racks, &|k| node.rack.as_ref().is_some_and(|rack| rack.value == k))
                        && (labels.is_empty()
                            || labels.iter().any(|(key, value)| node.owner_data.get(key).is_some_and(|v| v.value == *value)))
                })
                .map(|(name, _)| name),
        );
    }
    if out.is_empty() && !nodes.is_empty() && !r.has_reported() {
        let found = Diagnostic::warning(codes::SELECTS_NOTHING, format!("deployment group `{group}` selects no node")).at(group.span);
        r.report(found.help("correct its selectors; what depends on it begins as if it were through"));
    }
    out.into_iter().cloned().collect()
}

/// Labels are written `key: value` or `"key:value"`.
fn labels(selector: &yaml::Node, r: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in items(selector, "node_labels", r) {
        if let Some(text) = entry.as_str() {
            match text.split_once(':') {
                Some((key, value)) => out.push((key.trim().to_owned(), value.trim().to_owned())),
                None => r.malformed(entry, format!("`{text}` is no label"), "write `key: value`"),
            }
        } else if let Some(map) = entry.as_map() {
            out.extend(map.entries.iter().filter_map(|(key, value)| Some((key.name.to_string(), scalar(value)?))));
        }
    }
    out
}

fn known_dependencies(groups: &[DeploymentGroup], r: &mut Reader<'_>) {
    for group in groups {
        for name in group.depends_on.iter().filter(|d| !groups.iter().any(|g| g.name.value == d.value)) {
            let found =
                Diagnostic::error(codes::UNKNOWN_DEPLOYMENT, format!("group `{}` depends on `{name}`, which is no group", group.name));
            let help = match r.similar(name, groups.iter().map(|g| g.name.as_str())) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "remove it, or add the group".to_owned(),
            };
            r.report(found.at(name.span).help(help));
        }
    }
}

fn shared_nodes(groups: &[DeploymentGroup], r: &mut Reader<'_>) {
    let mut first: BTreeMap<&str, &DeploymentGroup> = BTreeMap::new();
    for group in groups {
        let shared: Vec<&str> = group.nodes.iter().map(String::as_str).filter(|n| first.contains_key(n)).collect();
        if let Some(node) = shared.first() {
            let of = first[node];
            let more = if shared.len() > 1 { format!(", and {} more", shared.len() - 1) } else { String::new() };
            let message = format!("node `{node}` is in the deployment groups `{}` and `{}`{more}", of.name, group.name);
            let found = Diagnostic::warning(codes::NODE_IN_TWO_GROUPS, message).at(group.name.span).label(of.name.span, "it counts here");
            r.report(found.help("select each node once: it is deployed with the first of its groups, and counts there alone"));
        }
        for node in &group.nodes {
            first.entry(node).or_insert(group);
        }
    }
}

/// Groups after those that they depend on, else as they are written. Those of a cycle are reported, and left without what they depend on.
fn ordered(groups: Vec<DeploymentGroup>, r: &mut Reader<'_>) -> Vec<DeploymentGroup> {
    let mut left = groups;
    let mut out: Vec<DeploymentGroup> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |g: &DeploymentGroup| g.depends_on.iter().any(|d| left.iter().any(|l| l.name.value == d.value));
        if let Some(next) = left.iter().position(|g| !waits(g)) {
            out.push(left.remove(next));
            continue;
        }
        let chain = cycle(&left);
        let found = Diagnostic::error(codes::DEPLOYMENT_CYCLE, format!("deployment groups depend on one another: {}", chain.join(" → ")));
        let first = left.iter().position(|g| Some(&g.name.value) == chain.first()).unwrap_or(0);
        r.report(found.at(left[first].name.span).help("remove one of the dependencies"));
        left[first].depends_on.clear();
    }
    out
}

/// The names of groups that depend on one another, the first again at the end.
fn cycle(groups: &[DeploymentGroup]) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut at = groups.first();
    while let Some(group) = at {
        if let Some(start) = path.iter().position(|p| *p == group.name.value) {
            return path[start..].iter().chain([&path[start]]).map(|p| (*p).to_owned()).collect();
        }
        path.push(&group.name.value);
        at = group.depends_on.iter().find_map(|d| groups.iter().find(|g| g.name.value == d.value));
    }
    path.into_iter().map(str::to_owned).collect()
}

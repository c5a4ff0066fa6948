//! The actions of a plan as a graph: a lane for each node, or for the like branches of each rack.
//!
//! In: a plan, and which chain of actions is the longest. Out: Graphviz DOT, Mermaid, SVG. One model; the formats only write.

mod dot;
mod mermaid;
mod picture;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use dot::graph_dot;
pub use mermaid::graph_mermaid;
pub use picture::graph_svg;

use super::names::natural;
use super::view;
use crate::action::{Action, Effect};
use crate::plan::Plan;

/// What has a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Every node.
    Node,
    /// The branches of a rack's nodes that have the same steps.
    Rack,
}

/// Nodes up to which each has a lane unless something else is asked for.
pub const NODE_LANES: usize = 40;

/// A lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) name: String,
}

/// A step: an action, or the same action of like branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vertex {
    pub(super) label: String,
    /// What is said of it where there is room: resource, or number of nodes.
    pub(super) detail: String,
    pub(super) lane: usize,
    pub(super) effect: Effect,
    pub(super) critical: bool,
    /// Steps before it on the longest way to it.
    pub(super) depth: usize,
}

/// The graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    pub(super) title: String,
    /// Whether it is of a preview, which every format says.
    pub(super) preview: bool,
    pub(super) lanes: Vec<Lane>,
    pub(super) vertices: Vec<Vertex>,
    /// From, to, whether it is on the longest chain; each pair once.
    pub(super) edges: BTreeMap<(usize, usize), bool>,
}

/// Builds the graph. `critical` are places of actions in the plan.
pub fn graph(plan: &Plan, by: By, critical: &[u32]) -> Graph {
    let chain: BTreeSet<u32> = critical.iter().copied().collect();
    let ids: BTreeMap<&str, usize> = plan.actions.iter().enumerate().map(|(n, a)| (a.id.as_str(), n)).collect();
    let mut depths = vec![0; plan.actions.len()];
    for (n, action) in plan.actions.iter().enumerate() {
        depths[n] = action.after.iter().filter_map(|id| ids.get(id.as_str())).map(|before| depths[*before] + 1).max().unwrap_or(0);
    }
    let (lanes, keys) = lanes(plan, by);
    let mut graph = Graph { title: view::title(plan), preview: plan.preview.is_some(), lanes: Vec::new(), ..Graph::default() };
    graph.lanes = lanes.into_iter().map(|name| Lane { name }).collect();
    let mut vertices: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut of_action = Vec::with_capacity(plan.actions.len());
    let mut counts: Vec<usize> = Vec::new();
    for (n, action) in plan.actions.iter().enumerate() {
        let (lane, position) = keys[n];
        let index = *vertices.entry((lane, position)).or_insert_with(|| {
            let detail = if action.node.is_some() && by == By::Rack { String::new() } else { detail(action) };
            graph.vertices.push(Vertex { label: view::step(action), detail, lane, effect: action.effect, critical: false, depth: 0 });
            counts.push(0);
            graph.vertices.len() - 1
        });
        counts[index] += 1;
        let vertex = &mut graph.vertices[index];
        vertex.critical |= chain.contains(&(n as u32));
        vertex.depth = vertex.depth.max(depths[n]);
        of_action.push(index);
    }
    if by == By::Rack {
        for (vertex, count) in graph.vertices.iter_mut().zip(&counts) {
            if *count > 1 {
                vertex.detail = format!("×{count}");
            }
        }
    }
    let follows: BTreeSet<(u32, u32)> = critical.windows(2).map(|w| (w[0], w[1])).collect();
    for (n, action) in plan.actions.iter().enumerate() {
        for before in action.after.iter().filter_map(|id| ids.get(id.as_str())) {
            let edge = graph.edges.entry((of_action[*before], of_action[n])).or_default();
            *edge |= follows.contains(&(*before as u32, n as u32));
        }
    }
    graph
}

/// Names of the lanes, and for each action its lane and its place there.
fn lanes(plan: &Plan, by: By) -> (Vec<String>, Vec<(usize, usize)>) {
    let mut branches: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut site = 0;
    let mut keys = vec![(0, 0); plan.actions.len()];
    for (n, action) in plan.actions.iter().enumerate() {
        if let Some(node) = action.node.as_deref() {
            branches.entry(node).or_default().push(n);
        } else {
            keys[n] = (0, site);
            site += 1;
        }
    }
    let mut names = if site > 0 { vec!["site".to_owned()] } else { Vec::new() };
    let mut groups: BTreeMap<(String, Vec<String>), Vec<&str>> = BTreeMap::new();
    for (node, list) in &branches {
        let key = match by {
            By::Node => ((*node).to_owned(), Vec::new()),
            By::Rack => {
                let rack = plan.nodes.get(*node).and_then(|n| n.rack.as_deref()).unwrap_or("no rack");
                let steps = list.iter().map(|n| format!("{} {}", view::step(&plan.actions[*n]), plan.actions[*n].effect));
                (rack.to_owned(), steps.collect())
            }
        };
        groups.entry(key).or_default().push(node);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|((a, _), x), ((b, _), y)| natural(a, b).then(Vec::len(y).cmp(&Vec::len(x))));
    for ((name, _), nodes) in groups {
        let lane = names.len();
        names.push(match (by, nodes.as_slice()) {
            (By::Node, _) => format!("node.{name}"),
            (By::Rack, [one]) => format!("rack {name}: node.{one}"),
            (By::Rack, many) => format!("rack {name}: {} nodes", many.len()),
        });
        for node in nodes {
            for (position, n) in branches[node].iter().enumerate() {
                keys[*n] = (lane, position);
            }
        }
    }
    (names, keys)
}

/// What an action changes, where its lane does not say it.
fn detail(action: &Action) -> String {
    match &action.node {
        Some(node) => action.resource.strip_prefix("node.").and_then(|rest| rest.strip_prefix(node.as_str())).unwrap_or("").to_owned(),
        None if action.resource == "site" => String::new(),
        None => action.resource.clone(),
    }
}

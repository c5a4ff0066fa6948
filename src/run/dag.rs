//! The actions of a plan as a graph with dense indices.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::action::Action;

/// What is wrong with a plan's actions. Only an edited or foreign plan file can have it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DagError {
    /// Two actions have one id.
    #[error("action id {0} stands twice in the plan")]
    Duplicate(String),
    /// An action names one that is not there.
    #[error("action {action} ({resource}) names {missing}, which is not in the plan")]
    Missing {
        /// The action.
        action: String,
        /// Its resource.
        resource: String,
        /// The id that is missing.
        missing: String,
    },
    /// Actions wait for each other.
    #[error("action {0} waits for itself through others")]
    Cycle(String),
}

/// The graph: index `i` is the `i`-th action of the plan; an edge goes from what must be done before to what waits for it.
#[derive(Debug, Clone)]
pub struct Dag {
    graph: DiGraph<(), (), u32>,
    order: Vec<u32>,
    ids: HashMap<String, u32>,
}

impl Dag {
    /// Builds it.
    ///
    /// # Errors
    /// When ids repeat, are missing or form a cycle.
    pub fn new(actions: &[Action]) -> Result<Self, DagError> {
        let mut ids = HashMap::with_capacity(actions.len());
        let mut graph = DiGraph::with_capacity(actions.len(), actions.len());
        for (i, action) in actions.iter().enumerate() {
            if ids.insert(action.id.clone(), i as u32).is_some() {
                return Err(DagError::Duplicate(action.id.clone()));
            }
            graph.add_node(());
        }
        for (i, action) in actions.iter().enumerate() {
            let find = |id: &String| {
                ids.get(id).copied().ok_or_else(|| DagError::Missing {
                    action: action.id.clone(),
                    resource: action.resource.clone(),
                    missing: id.clone(),
                })
            };
            // Named twice it is one edge. The graph could see to that, but looks through all that wait for the same: for an action of the site, every node.
            let mut before = action.after.iter().map(find).collect::<Result<Vec<u32>, _>>()?;
            before.sort_unstable();
            before.dedup();
            for before in before {
                graph.add_edge(NodeIndex::new(before as usize), NodeIndex::new(i), ());
            }
        }
        let order = toposort(&graph, None).map_err(|cycle| DagError::Cycle(actions[cycle.node_id().index()].id.clone()))?;
        Ok(Self { order: order.into_iter().map(|n| n.index() as u32).collect(), graph, ids })
    }

    /// Number of actions.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of an action.
    pub fn index(&self, id: &str) -> Option<u32> {
        self.ids.get(id).copied()
    }

    /// A topological order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// What waits for an action.
    pub fn successors(&self, i: u32) -> impl Iterator<Item = u32> + '_ {
        self.graph.neighbors_directed(NodeIndex::new(i as usize), Direction::Outgoing).map(|n| n.index() as u32)
    }

    /// What an action waits for.
    pub fn predecessors(&self, i: u32) -> impl Iterator<Item = u32> + '_ {
        self.graph.neighbors_directed(NodeIndex::new(i as usize), Direction::Incoming).map(|n| n.index() as u32)
    }

    /// For each action, the length of the longest path that begins with it, given each action's own length (any unit).
    pub fn longest_remaining(&self, lengths: &[u64]) -> Vec<u64> {
        let mut remaining = vec![0u64; self.len()];
        for &i in self.order.iter().rev() {
            let after = self.successors(i).map(|s| remaining[s as usize]).max().unwrap_or(0);
            remaining[i as usize] = lengths.get(i as usize).copied().unwrap_or(0).saturating_add(after);
        }
        remaining
    }
}

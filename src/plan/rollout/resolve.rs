//! Rules for the nodes of one plan.

use std::collections::BTreeMap;

use super::{Rules, pools, waves};
use crate::action::{Action, Effect, Selectable, Selector};
use crate::diff::{Goal, NodeStage, Stage};
use crate::model::{Node, Site};
use crate::plan::{Limits, Pool, Rollout};

/// What rules are applied to.
pub(in crate::plan) struct Scope<'a> {
    pub site: &'a Site,
    pub goal: Goal,
    /// Whether the plan is for a selection of nodes.
    pub partial: bool,
    /// Stages of the nodes of the plan.
    pub nodes: &'a BTreeMap<String, NodeStage>,
    pub actions: &'a [Action],
}

/// What a plan says of its rollout.
pub(in crate::plan) struct Resolved {
    pub unavailable_per_rack: u32,
    pub pools: Vec<Pool>,
    pub rollout: Rollout,
}

/// A node's branch, as far as rules look at it.
pub(super) struct Branch<'a> {
    /// Highest effect of its actions.
    pub effect: Effect,
    /// Whether its operating system is written.
    pub deploys: bool,
    pub node: Option<&'a Node>,
    pub stage: Stage,
}

impl Scope<'_> {
    /// The branches of the plan, by node.
    pub(super) fn branches(&self) -> BTreeMap<&str, Branch<'_>> {
        let mut out: BTreeMap<&str, Branch<'_>> = BTreeMap::new();
        for action in self.actions {
            let Some(name) = action.node.as_deref() else { continue };
            let branch = out.entry(name).or_insert_with(|| Branch {
                effect: action.effect,
                deploys: false,
                node: self.site.nodes.get(name),
                stage: self.nodes.get(name).map_or(Stage::Unknown, |n| n.now),
            });
            branch.effect = branch.effect.max(action.effect);
            branch.deploys |= action.kind == crate::action::ActionKind::DeployNode;
        }
        out
    }

    /// Whether a node without a branch of its own is as the goal wants it.
    pub(super) fn is_through(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|n| match self.goal {
            Goal::PrepareNodes => matches!(n.now, Stage::Ready | Stage::Allocated | Stage::Deploying | Stage::Deployed),
            _ => n.now == Stage::Deployed,
        })
    }
}

/// Whether a selector selects a node of the design.
pub(super) fn selects(selector: &Selector, node: &Node, stage: Stage) -> bool {
    let tags: Vec<String> = node.tags.iter().map(|t| t.value.clone()).collect();
    let labels = node.owner_data.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect();
    selector.matches(&Selectable {
        node: &node.name.value,
        rack: node.rack.as_ref().map(|r| r.value.as_str()),
        tags: &tags,
        labels: &labels,
        stage: stage.name(),
    })
}

/// Makes numbers and names of the rules.
///
/// # Errors
/// When a deployment strategy is asked for that the design does not have.
pub(in crate::plan) fn resolve(rules: &Rules, limits: &Limits, scope: &Scope<'_>) -> Result<Resolved, String> {
    let branches = scope.branches();
    let mut warnings = Vec::new();
    let (unavailable_per_rack, pools) = pools::resolve(rules, limits, scope, &branches, &mut warnings);
    let mut rollout = waves::resolve(rules, scope, &branches, &mut warnings)?;
    rollout.warnings = warnings;
    Ok(Resolved { unavailable_per_rack, pools, rollout })
}

//! From design and facts to a plan: one pure function.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::digest::digest_of;
use super::{Allowance, Digests, Limits, Plan};
use crate::build::{Build, Fact};
use crate::diff::{Change, Comparison, Memory, Policy, compare};
use crate::graph::{GraphError, GraphOptions, construct};
use crate::model::Site;
use crate::yaml::SourceMap;

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The applied model.
    pub site: &'a Site,
    /// Files that positions point into.
    pub sources: &'a SourceMap,
    /// Digest of the design's documents.
    pub design_digest: &'a str,
    /// The build model.
    pub build: &'a Build,
    /// The remembered state.
    pub memory: &'a Memory,
    /// What is asked for and allowed.
    pub policy: &'a Policy,
    /// Limits of the run.
    pub limits: &'a Limits,
    /// Time limits in seconds that differ from the defaults.
    pub timeouts_s: &'a BTreeMap<crate::action::ActionKind, u32>,
    /// Warnings of the design's check, one line each.
    pub warnings: &'a [String],
}

/// Why no plan is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A guard refuses it.
    #[error("plan refused: {0}")]
    Refused(String),
    /// No order exists.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A file is not a plan, or was changed.
    #[error("{0}")]
    File(String),
}

/// Makes the plan.
///
/// # Errors
/// When a guard refuses it.
pub fn assemble(inputs: &Inputs<'_>) -> Result<Plan, PlanError> {
    let comparison = compare(inputs.site, inputs.sources, inputs.build, inputs.memory, inputs.policy);
    if !comparison.refused.is_empty() {
        return Err(PlanError::Refused(comparison.refused.join("; ")));
    }
    let options = GraphOptions {
        site: inputs.site.name.value.clone(),
        node_driver: inputs.build.provisioner.known().map_or_else(|| "maas".to_owned(), |p| p.driver.clone()),
        oob_drivers: inputs.build.bmcs.iter().filter_map(|(n, f)| Some((n.clone(), f.known()?.driver.clone()))).collect(),
        timeouts_s: inputs.timeouts_s.clone(),
        domains: inputs.site.nodes.iter().filter_map(|(n, node)| Some((n.clone(), node.domain.as_ref()?.value.clone()))).collect(),
        generations: inputs.memory.generations.clone(),
        partial: inputs.policy.target.is_some(),
    };
    let graph = construct(&comparison, inputs.policy.goal, &options)?;
    let generations =
        graph.actions.iter().map(|a| (a.resource.clone(), inputs.memory.generations.get(&a.resource).copied().unwrap_or(0))).collect();
    let Comparison { site: site_part, node_changes, held_back, blocked, orphans, not_managed, nodes, bindings, .. } = comparison;
    let mut changes: Vec<Change> =
        site_part.steps.into_iter().filter(|(r, _)| graph.site_resources.contains(r)).map(|(_, s)| s.change).collect();
    changes.extend(node_changes);
    let mut plan = Plan {
        drydock: env!("CARGO_PKG_VERSION").to_owned(),
        site: inputs.site.name.value.clone(),
        goal: inputs.policy.goal,
        selection: inputs.policy.target.as_ref().map(ToString::to_string),
        endpoints: inputs.build.endpoints.clone(),
        allow: inputs.policy.allow.iter().map(|(effect, s)| Allowance { effect: *effect, selector: s.to_string() }).collect(),
        limits: inputs.limits.clone(),
        bindings,
        nodes,
        generations,
        changes,
        actions: graph.actions,
        held_back,
        blocked,
        orphans,
        not_managed,
        warnings: inputs.warnings.to_vec(),
        expected_s: None,
        observed_at: inputs.build.observed_at,
        digests: Digests { design: inputs.design_digest.to_owned(), ..Digests::default() },
    };
    plan.digests.build = digest_of(&facts_used(&plan, inputs.build));
    plan.digests.intent = digest_of(&intent(&plan));
    plan.digests.plan = super::file::plan_digest(&plan);
    Ok(plan)
}

/// The facts that the plan rests on, normalised: what apply finds changed makes it refuse.
fn facts_used(plan: &Plan, build: &Build) -> Value {
    let before: Vec<Value> = plan
        .changes
        .iter()
        .chain(plan.held_back.iter().map(|h| &h.change))
        .map(|c| json!([c.resource, c.attributes.iter().map(|a| (&a.path, &a.before)).collect::<Vec<_>>()]))
        .collect();
    json!({
        "endpoints": plan.endpoints.iter().map(|e| (&e.driver, &e.identity, e.simulated)).collect::<Vec<_>>(),
        "provisioner_known": matches!(build.provisioner, Fact::Known(_)),
        "stages": plan.nodes.iter().map(|(n, s)| (n, s.now)).collect::<Vec<_>>(),
        "bindings": plan.bindings,
        "before": before,
    })
}

/// What the plan wants, without facts: approval signs this.
fn intent(plan: &Plan) -> Value {
    json!({
        "site": plan.site,
        "goal": plan.goal,
        "selection": plan.selection,
        "allow": plan.allow,
        "limits": plan.limits,
        "changes": plan.changes.iter().map(|c| json!([c.resource, c.operation, c.effect, c.attributes.iter().map(|a| (&a.path, &a.after, a.effect)).collect::<Vec<_>>()])).collect::<Vec<_>>(),
    })
}

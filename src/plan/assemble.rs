//! From design and facts to a plan: one pure function.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Allowance, Digests, Limits, Plan};
use crate::action::{Action, ActionKind, Effect, digest_of};
use crate::build::{Binding, Build, Fact};
use crate::diff::{Change, Comparison, Goal, Memory, Operation, Policy, Stage, compare};
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
        // What changes nothing may be done between two plans.
        graph.actions.iter().filter(|a| a.effect > Effect::None).map(|a| (a.resource.clone(), inputs.memory.generations.get(&a.resource).copied().unwrap_or(0))).collect();
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
        sealed: super::Sealed::default(),
    };
    plan.digests.build = digest_of(&facts_used(&plan, inputs.build));
    plan.digests.intent = digest_of(&intent(&plan));
    plan.expected_s = expected_s(&plan.actions, &inputs.memory.durations_ms);
    super::file::seal(&mut plan);
    Ok(plan)
}

/// Seconds of the longest path, by the mean duration of each kind of action so far; `None` while a kind that takes long was never seen.
fn expected_s(actions: &[Action], durations_ms: &BTreeMap<String, u64>) -> Option<u64> {
    const LONG: [ActionKind; 3] = [ActionKind::ConfigureHardware, ActionKind::DeployNode, ActionKind::DestroyNode];
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut longest = 0;
    for action in actions {
        let own = match durations_ms.get(action.kind.name()) {
            Some(ms) => *ms,
            None if LONG.contains(&action.kind) => return None,
            None => 0,
        };
        let start = action.after.iter().filter_map(|id| ends.get(id.as_str())).max().copied().unwrap_or(0);
        ends.insert(&action.id, start + own);
        longest = longest.max(start + own);
    }
    (!actions.is_empty()).then_some(longest.div_ceil(1000))
}

/// Path and present value of each attribute that changes.
type Before<'a> = Vec<(&'a str, &'a Option<Value>)>;

/// The facts that the plan rests on, normalised: what apply finds changed makes it refuse.
#[derive(Serialize)]
struct FactsUsed<'a> {
    endpoints: Vec<(&'a str, &'a str, bool)>,
    provisioner_known: bool,
    stages: Vec<(&'a String, Stage)>,
    bindings: &'a BTreeMap<String, Binding>,
    before: Vec<(&'a str, Before<'a>)>,
}

fn facts_used<'a>(plan: &'a Plan, build: &'a Build) -> FactsUsed<'a> {
    FactsUsed {
        endpoints: plan.endpoints.iter().map(|e| (e.driver.as_str(), e.identity.as_str(), e.simulated)).collect(),
        provisioner_known: matches!(build.provisioner, Fact::Known(_)),
        stages: plan.nodes.iter().map(|(n, s)| (n, s.now)).collect(),
        bindings: &plan.bindings,
        before: plan
            .changes
            .iter()
            .chain(plan.held_back.iter().map(|h| &h.change))
            .map(|c| (c.resource.as_str(), c.attributes.iter().map(|a| (a.path.as_str(), &a.before)).collect()))
            .collect(),
    }
}

/// What the plan wants, without facts: approval signs this.
#[derive(Serialize)]
struct Intent<'a> {
    site: &'a str,
    goal: Goal,
    selection: Option<&'a str>,
    allow: &'a [Allowance],
    limits: &'a Limits,
    changes: Vec<IntendedChange<'a>>,
}

#[derive(Serialize)]
struct IntendedChange<'a> {
    resource: &'a str,
    operation: Operation,
    effect: Effect,
    attributes: Vec<(&'a str, &'a Option<Value>, Effect)>,
}

fn intent(plan: &Plan) -> Intent<'_> {
    Intent {
        site: &plan.site,
        goal: plan.goal,
        selection: plan.selection.as_deref(),
        allow: &plan.allow,
        limits: &plan.limits,
        changes: plan
            .changes
            .iter()
            .map(|c| IntendedChange {
                resource: &c.resource,
                operation: c.operation,
                effect: c.effect,
                attributes: c.attributes.iter().map(|a| (a.path.as_str(), &a.after, a.effect)).collect(),
            })
            .collect(),
    }
}

//! From design and facts to a plan: one pure function.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::rollout::{self, Scope};
use super::{Allowance, Digests, FailureRules, Limits, Plan, Policies, PolicyReport, Rules, policy};
use crate::action::params::RunHook;
use crate::action::{ActionKind, Effect, JsonDigest};
use crate::build::{Build, Fact};
use crate::diff::{AttributeChange, Change, Comparison, Memory, Policy, Stage, compare};
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
    /// Programs of the site's own around disruptions, by node; what they disrupt is filled in here.
    pub hooks: &'a BTreeMap<String, Vec<RunHook>>,
    /// What a run does about trouble.
    pub failures: &'a FailureRules,
    /// Rules of the order in which branches begin, and of who may be unavailable at once.
    pub rollout: &'a Rules,
    /// Time limits in seconds that differ from the defaults.
    pub timeouts_s: &'a BTreeMap<crate::action::ActionKind, u32>,
    /// Warnings of the design's check, one line each.
    pub warnings: &'a [String],
    /// What the site asks of every plan.
    pub policies: &'a Policies,
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
    Ok(sealed(make(inputs, comparison)?, inputs))
}

/// Digests of a plan that is complete, its expected duration, and its file.
pub(super) fn sealed(mut plan: Plan, inputs: &Inputs<'_>) -> Plan {
    plan.policy = policy::evaluate(&plan, inputs.site, inputs.memory, inputs.policies);
    plan.digests.build = facts_used(&plan, inputs.build);
    plan.digests.intent = intent_digest(&plan);
    plan.expected_s = expected_s(&plan, &inputs.memory.durations_ms);
    super::file::seal(&mut plan);
    plan
}

/// The plan of a comparison, without digests.
pub(super) fn make(inputs: &Inputs<'_>, comparison: Comparison) -> Result<Plan, PlanError> {
    let options = GraphOptions {
        site: inputs.site.name.value.clone(),
        node_driver: inputs.build.provisioner.known().map_or_else(|| "maas".to_owned(), |p| p.driver.clone()),
        oob_drivers: inputs.build.bmcs.iter().filter_map(|(n, f)| Some((n.clone(), f.known()?.driver.clone()))).collect(),
        timeouts_s: inputs.timeouts_s.clone(),
        domains: inputs.site.nodes.iter().filter_map(|(n, node)| Some((n.clone(), node.domain.as_ref()?.value.clone()))).collect(),
        generations: inputs.memory.generations.clone(),
        hooks: inputs.hooks.clone(),
        partial: inputs.policy.target.is_some(),
    };
    let graph = construct(&comparison, inputs.policy.goal, &options)?;
    let generations =
        // What changes nothing may be done between two plans.
        graph.actions.iter().filter(|a| a.effect > Effect::None).map(|a| (a.resource.clone(), inputs.memory.generations.get(&a.resource).copied().unwrap_or(0))).collect();
    let Comparison { warnings, site: site_part, node_changes, held_back, blocked, orphans, not_managed, nodes, bindings, .. } = comparison;
    let crate::diff::SiteComparison { steps, removals, .. } = site_part;
    let mut changes: Vec<Change> = steps.into_iter().filter(|(r, _)| graph.site_resources.contains(r)).map(|(_, s)| s.change).collect();
    changes.extend(node_changes);
    changes.extend(removals.into_iter().map(|r| r.step.change));
    let scope = Scope {
        site: inputs.site,
        goal: inputs.policy.goal,
        partial: inputs.policy.target.is_some(),
        nodes: &nodes,
        actions: &graph.actions,
    };
    let rolled = rollout::resolve(inputs.rollout, inputs.limits, &scope).map_err(PlanError::Refused)?;
    let mut limits = Limits { unavailable_per_rack: rolled.unavailable_per_rack, pools: rolled.pools, ..inputs.limits.clone() };
    let drivers: BTreeSet<&str> = graph.actions.iter().map(|a| a.driver.as_str()).collect();
    limits.requests.retain(|driver, _| drivers.contains(driver.as_str()));
    let mut plan = Plan {
        drydock: env!("CARGO_PKG_VERSION").to_owned(),
        site: inputs.site.name.value.clone(),
        goal: inputs.policy.goal,
        selection: inputs.policy.target.as_ref().map(ToString::to_string),
        preview: None,
        endpoints: inputs.build.endpoints.clone(),
        allow: inputs.policy.allow.iter().map(|(effect, s)| Allowance { effect: *effect, selector: s.to_string() }).collect(),
        failures: inputs.failures.clone(),
        limits,
        rollout: rolled.rollout,
        policy: PolicyReport::default(),
        bindings,
        nodes,
        generations,
        changes,
        actions: graph.actions,
        held_back,
        blocked,
        orphans,
        not_managed,
        warnings: inputs.warnings.iter().cloned().chain(warnings).collect(),
        expected_s: None,
        observed_at: inputs.build.observed_at,
        digests: Digests { design: inputs.design_digest.to_owned(), ..Digests::default() },
        sealed: super::Sealed::default(),
    };
    // Of kinds that it has.
    let kinds: BTreeSet<ActionKind> = plan.actions.iter().map(|a| a.kind).collect();
    plan.failures.no_progress_s.retain(|kind, _| kinds.contains(kind));
    Ok(plan)
}

/// Seconds of the longest path, by the mean duration of each kind of action so far, on machines of the same hardware profile where there were any; `None` while a kind that takes long was never seen.
fn expected_s(plan: &Plan, durations_ms: &BTreeMap<String, u64>) -> Option<u64> {
    const LONG: [ActionKind; 3] = [ActionKind::ConfigureHardware, ActionKind::DeployNode, ActionKind::DestroyNode];
    let actions = &plan.actions;
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut longest = 0;
    for action in actions {
        let hardware = action.node.as_ref().and_then(|n| plan.nodes.get(n)?.hardware.as_deref());
        let like = hardware.and_then(|h| durations_ms.get(&action.kind.duration_key(Some(h))));
        let own = match like.or_else(|| durations_ms.get(action.kind.name())) {
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

/// Digest of the facts that the plan rests on, normalised: what apply finds changed makes it refuse.
fn facts_used(plan: &Plan, build: &Build) -> String {
    let endpoints: Vec<(&str, &str, bool)> = plan.endpoints.iter().map(|e| (e.driver.as_str(), e.identity.as_str(), e.simulated)).collect();
    let stages: Vec<(&String, Stage)> = plan.nodes.iter().map(|(n, s)| (n, s.now)).collect();
    let mut digest = JsonDigest::new();
    digest.text("{\"endpoints\":").json(&endpoints);
    digest.text(",\"provisioner_known\":").json(&matches!(build.provisioner, Fact::Known(_)));
    digest.text(",\"stages\":").json(&stages);
    digest.text(",\"bindings\":").json(&plan.bindings);
    digest.text(",\"before\":[");
    let mut pieces = Pieces::new(|a| serde_json::to_string(&(&a.path, &a.before)));
    for (i, c) in plan.changes.iter().chain(plan.held_back.iter().map(|h| &h.change)).enumerate() {
        digest.text(if i == 0 { "[" } else { ",[" }).json(&c.resource).text(",");
        pieces.list(&mut digest, &c.attributes);
        digest.text("]");
    }
    digest.text("]}");
    digest.finish()
}

/// Digest of what a plan wants, and of the policies it was made under, without facts: approval signs this.
pub fn intent_digest(plan: &Plan) -> String {
    let mut digest = JsonDigest::new();
    digest.text("{\"site\":").json(&plan.site);
    digest.text(",\"goal\":").json(&plan.goal);
    digest.text(",\"selection\":").json(&plan.selection);
    digest.text(",\"allow\":").json(&plan.allow);
    digest.text(",\"limits\":").json(&plan.limits);
    digest.text(",\"on_failure\":").json(&plan.failures.on_failure);
    digest.text(",\"rollout\":").json(&plan.rollout);
    let hooks: BTreeSet<(&str, &str)> =
        plan.actions.iter().filter(|a| a.kind == ActionKind::RunHook).map(|a| (a.resource.as_str(), a.params.text())).collect();
    digest.text(",\"hooks\":").json(&hooks);
    digest.text(",\"policy\":").json(&plan.policy);
    digest.text(",\"changes\":[");
    let mut pieces = Pieces::new(|a| serde_json::to_string(&(&a.path, &a.after, a.effect)));
    for (i, c) in plan.changes.iter().enumerate() {
        digest.text(if i == 0 { "{\"resource\":" } else { ",{\"resource\":" }).json(&c.resource);
        digest.text(",\"operation\":").json(&c.operation);
        digest.text(",\"effect\":").json(&c.effect);
        digest.text(",\"attributes\":");
        pieces.list(&mut digest, &c.attributes);
        digest.text("}");
    }
    digest.text("]}");
    digest.finish()
}

/// What a digest takes of attributes, as JSON that is made once for those that several changes share.
struct Pieces {
    of: fn(&AttributeChange) -> serde_json::Result<String>,
    known: HashMap<*const AttributeChange, String>,
}

impl Pieces {
    fn new(of: fn(&AttributeChange) -> serde_json::Result<String>) -> Self {
        Self { of, known: HashMap::new() }
    }

    fn list(&mut self, digest: &mut JsonDigest, attributes: &[Arc<AttributeChange>]) {
        // None of our types refuses to be serialised.
        let make = |a: &Arc<AttributeChange>| (self.of)(a).unwrap_or_default();
        digest.text("[");
        for (i, attribute) in attributes.iter().enumerate() {
            if i > 0 {
                digest.text(",");
            }
            if Arc::strong_count(attribute) == 1 {
                digest.text(&make(attribute));
            } else {
                digest.text(self.known.entry(Arc::as_ptr(attribute)).or_insert_with(|| make(attribute)));
            }
        }
        digest.text("]");
    }
}

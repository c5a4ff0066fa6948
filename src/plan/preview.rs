//! What a design changes against another version of itself, without the site.
//!
//! In: two versions of a design with their settings. Out: a plan that is marked as a preview. The base is taken as if it were fully applied: from an empty
//! provisioner it is compared again and again, and what each comparison wants is put into the facts, until nothing is wanted any more. So the facts of the base
//! are made from the parameters of the very steps that would bring it about, and the comparison that follows is the ordinary one. What no design says and only
//! machines tell (devices, their sizes, kernels of images, power) is taken to be there and to fit both versions.

mod facts;
mod machine;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::{Inputs, PlanError, make, sealed};
use super::{FailureRules, Limits, Plan, Policies, Preview, Rules};
use crate::action::ActionKind;
use crate::action::params::RunHook;
use crate::diff::{Blocked, Change, Comparison, Goal, HeldBack, Policy, compare};
use crate::model::Site;
use crate::yaml::SourceMap;
use facts::Facts;

/// A version of a design.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// The applied model.
    pub site: &'a Site,
    /// Files that positions point into.
    pub sources: &'a SourceMap,
    /// What its settings ask for.
    pub policy: &'a Policy,
}

/// What a preview is made from.
#[derive(Debug, Clone, Copy)]
pub struct PreviewInputs<'a> {
    /// The version that is taken as applied.
    pub base: Version<'a>,
    /// The version that is planned.
    pub head: Version<'a>,
    /// What the two are.
    pub origin: &'a Preview,
    /// Digest of the planned design.
    pub design_digest: &'a str,
    /// The driver of all BMCs, where the settings say one.
    pub oob_driver: Option<&'a str>,
    /// Limits of the run.
    pub limits: &'a Limits,
    /// Rules of the order in which branches begin.
    pub rollout: &'a Rules,
    /// What failures stop.
    pub failures: &'a FailureRules,
    /// Programs of the site's own around disruptions, by node.
    pub hooks: &'a BTreeMap<String, Vec<RunHook>>,
    /// Time limits in seconds that differ from the defaults.
    pub timeouts_s: &'a BTreeMap<ActionKind, u32>,
    /// Warnings of the design's check, one line each.
    pub warnings: &'a [String],
    /// What is asked of every plan.
    pub policies: &'a Policies,
}

/// Comparisons until the site of a base is applied: networks, then what needs them. What still differs after that is blocked.
const ROUNDS: usize = 6;

/// Makes the preview.
///
/// # Errors
/// When a guard refuses it.
pub fn preview(inputs: &PreviewInputs<'_>) -> Result<Plan, PlanError> {
    let PreviewInputs { base, head, origin, .. } = *inputs;
    let mut facts = Facts::new(base.site, head.site, inputs.oob_driver);
    let mut of_site = Policy { owns_region: true, ..Policy::new(Goal::PrepareSite) };
    of_site.spaces.clone_from(&base.policy.spaces);
    for _ in 0..ROUNDS {
        let comparison = compare(base.site, base.sources, &facts.build(), facts.memory(), &of_site);
        if comparison.site.steps.is_empty() {
            break;
        }
        facts.apply_site(comparison.site);
    }
    let of_nodes = Policy { goal: Goal::DeployNodes, placements: base.policy.placements.clone(), ..of_site };
    let comparison = compare(base.site, base.sources, &facts.build(), facts.memory(), &of_nodes);
    let open = Open::of(&comparison);
    facts.apply_nodes(comparison);
    facts.fit(head.site);

    let (build, memory) = (facts.build(), facts.memory());
    let assembled = Inputs {
        site: head.site,
        sources: head.sources,
        design_digest: inputs.design_digest,
        build: &build,
        memory,
        policy: head.policy,
        limits: inputs.limits,
        rollout: inputs.rollout,
        failures: inputs.failures,
        hooks: inputs.hooks,
        timeouts_s: inputs.timeouts_s,
        warnings: inputs.warnings,
        policies: inputs.policies,
    };
    let mut comparison = compare(head.site, head.sources, &build, memory, head.policy);
    if !comparison.refused.is_empty() {
        return Err(PlanError::Refused(comparison.refused.join("; ")));
    }
    let as_before = open.leave_out(&mut comparison);
    words::put(&mut comparison, &facts, base, origin);
    let mut plan = make(&assembled, comparison)?;
    if as_before > 0 {
        let (noun, verb) = if as_before == 1 { ("thing", "is") } else { ("things", "are") };
        plan.warnings.push(format!("{as_before} {noun} {verb} held back or blocked for the base as well, and no part of this preview"));
    }
    plan.preview = Some(origin.clone());
    // Identities here are made up, and mean nothing to anybody else.
    plan.bindings.clear();
    Ok(sealed(plan, &assembled))
}

/// What stands open when a base is applied: it is held back or blocked whatever is changed.
struct Open {
    held_back: BTreeSet<String>,
    blocked: BTreeSet<(String, String)>,
}

impl Open {
    fn of(comparison: &Comparison) -> Self {
        Self {
            held_back: comparison.held_back.iter().map(|h| wanted(&h.change)).collect(),
            blocked: comparison.blocked.iter().map(|b| (b.resource.clone(), b.reason.clone())).collect(),
        }
    }

    /// Leaves it out of another comparison; how much that is.
    fn leave_out(&self, comparison: &mut Comparison) -> usize {
        let before = comparison.held_back.len() + comparison.blocked.len();
        comparison.held_back.retain(|h: &HeldBack| !self.held_back.contains(&wanted(&h.change)));
        comparison.blocked.retain(|b: &Blocked| !self.blocked.contains(&(b.resource.clone(), b.reason.clone())));
        before - comparison.held_back.len() - comparison.blocked.len()
    }
}

/// What a change wants, whatever is there now.
fn wanted(change: &Change) -> String {
    let after: Vec<_> = change.attributes.iter().map(|a| (&a.path, &a.after)).collect();
    format!("{}{after:?}", change.resource)
}

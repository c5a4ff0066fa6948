//! Programs of the site's own in the branch of a node that is in use: before the first step that disrupts it, and after the last.

use super::branch::Step;
use crate::action::params::{HookPhase, RunHook};
use crate::action::{ActionKind, Effect, Json};
use crate::diff::{NodeWork, Stage};

/// The steps of a branch with the hooks of its node. A node that is not deployed serves nobody, so nothing has to be drained.
pub(super) fn around<'a>(name: &str, work: &NodeWork, mut steps: Vec<Step<'a>>, hooks: &[RunHook]) -> Vec<Step<'a>> {
    let Some(first) = steps.iter().position(|s| s.effect >= Effect::Reboot).filter(|_| work.now == Stage::Deployed) else { return steps };
    let gate = steps[first].kind;
    let step = |hook: &RunHook, effect, needs, verified_site, before| Step {
        kind: ActionKind::RunHook,
        resource: format!("node.{name}/hooks/{}", hook.name),
        effect,
        params: Json::of(&RunHook { disrupts: gate.name().to_owned(), ..hook.clone() }),
        needs,
        preconditions: Vec::new(),
        verified_site,
        before,
    };
    let of = |phase| hooks.iter().filter(move |h| h.phase == phase);
    if work.target == Stage::Deployed {
        steps.extend(of(HookPhase::AfterHealthy).map(|hook| step(hook, Effect::Online, Vec::new(), false, None)));
    }
    // A node is drained when all that its disruption needs is there, not before.
    let (needs, verified_site) = (steps[first].needs.clone(), steps[first].verified_site);
    let before: Vec<Step<'a>> =
        of(HookPhase::BeforeDisrupt).map(|hook| step(hook, Effect::Reboot, needs.clone(), verified_site, Some(gate))).collect();
    steps.splice(first..first, before);
    steps
}

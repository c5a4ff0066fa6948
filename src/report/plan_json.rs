//! A plan as JSON for programs; `docs/plan-json.md` describes it.

use serde_json::{Value, json};

use super::view::{self, Verdict};
use crate::plan::Plan;

/// Version of the shape. New keys do not raise it.
const VERSION: u32 = 1;

/// The plan as JSON, with its verdict and counts. Not the plan file: `apply` does not read it.
pub fn plan_json(plan: &Plan) -> Value {
    let verdict = match view::verdict(plan) {
        Verdict::Changes => "changes",
        Verdict::NoChanges => "no_changes",
        Verdict::NothingPlanned => "nothing_planned",
    };
    let changes: serde_json::Map<String, Value> =
        view::changes_by_effect(plan).into_iter().map(|(effect, n)| (effect.name().to_owned(), json!(n))).collect();
    let nodes: serde_json::Map<String, Value> =
        view::nodes_by_effect(plan).into_iter().map(|(effect, nodes)| (effect.name().to_owned(), json!(nodes.len()))).collect();
    let stages: Vec<Value> =
        view::stages(plan).into_iter().map(|(now, then, count)| json!({"now": now.name(), "then": then.name(), "count": count})).collect();
    let actions: Vec<Value> = plan
        .actions
        .iter()
        .map(|a| {
            json!({
                "id": a.id, "kind": a.kind.name(), "resource": a.resource, "node": a.node, "driver": a.driver, "effect": a.effect.name(),
                "params": a.params, "after": a.after, "preconditions": a.preconditions, "timeout_s": a.timeout_s,
            })
        })
        .collect();
    json!({
        "version": VERSION,
        "drydock": plan.drydock,
        "site": plan.site,
        "goal": plan.goal.name(),
        "selection": plan.selection,
        "partial": plan.selection.is_some(),
        "preview": plan.preview,
        "verdict": verdict,
        "summary": {
            "changes": plan.changes.len(),
            "changes_by_effect": changes,
            "nodes_by_effect": nodes,
            "stages": stages,
            "actions": plan.actions.len(),
            "longest_path": view::longest_path(&plan.actions),
            "expected_s": plan.expected_s,
            "held_back": plan.held_back.len(),
            "blocked": plan.blocked.len(),
        },
        "endpoints": plan.endpoints,
        "allow": plan.allow,
        "limits": plan.limits,
        "failures": plan.failures,
        "rollout": plan.rollout,
        "policy": plan.policy,
        "nodes": plan.nodes,
        "changes": plan.changes,
        "actions": actions,
        "held_back": plan.held_back,
        "blocked": plan.blocked,
        "orphans": plan.orphans,
        "not_managed": plan.not_managed,
        "warnings": plan.warnings,
        "observed_at": plan.observed_at,
        "digests": plan.digests,
    })
}

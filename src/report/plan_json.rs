//! A plan as JSON for programs; `docs/plan-json.md` describes it.

use serde_json::{Value, json};

use super::policy::standing_json;
use super::view::{self, Verdict};
use crate::action::Effect;
use crate::plan::{self, Plan, Standing};

/// The plan as JSON: what its file has, and beside that its verdict, its counts, and how its approvals stand, if that is known.
pub fn plan_json(plan: &Plan, approvals: Option<&[Standing]>) -> Value {
    let mut json: Value = serde_json::from_str(&plan::write(plan)).unwrap_or_default();
    let verdict = match view::verdict(plan) {
        Verdict::Changes => "changes",
        Verdict::NoChanges => "no_changes",
        Verdict::NothingPlanned => "nothing_planned",
    };
    json["verdict"] = json!(verdict);
    json["summary"] = json!({
        "actions": plan.actions.len(),
        "blocked": plan.blocked.len(),
        "changes": plan.changes.len(),
        "changes_by_effect": counts(view::changes_by_effect(plan)),
        "held_back": plan.held_back.len(),
        "longest_path": view::longest_path(&plan.actions),
        "nodes_by_effect": counts(view::nodes_by_effect(plan).into_iter().map(|(effect, nodes)| (effect, nodes.len()))),
        "stages": view::stages(plan).into_iter().map(|(now, then, n)| json!({"now": now, "then": then, "count": n})).collect::<Vec<_>>(),
    });
    if let Some(standing) = approvals {
        json["approvals"] = standing_json(standing);
    }
    json
}

fn counts(of: impl IntoIterator<Item = (Effect, usize)>) -> Value {
    of.into_iter().map(|(effect, n)| (effect.name().to_owned(), json!(n))).collect::<serde_json::Map<_, _>>().into()
}

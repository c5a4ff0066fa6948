//! The plan file: canonical JSON, format version, digest.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assemble::PlanError;
use super::digest::{canonical, digest_of};
use super::template::{Family, expand, factor};
use super::{Digests, FORMAT, Plan};
use crate::action::{Action, ActionKind, Effect, Precondition, RetryClass};

/// An action as it stands in the file; its place in the list is in its family.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRecord {
    id: String,
    kind: ActionKind,
    resource: String,
    node: Option<String>,
    driver: String,
    effect: Effect,
    params: Value,
    after: Vec<String>,
    fulfilled_by: Vec<String>,
    preconditions: Vec<Precondition>,
    timeout_s: u32,
    retry: RetryClass,
}

impl From<&Action> for ActionRecord {
    fn from(a: &Action) -> Self {
        Self {
            id: a.id.clone(),
            kind: a.kind,
            resource: a.resource.clone(),
            node: a.node.clone(),
            driver: a.driver.clone(),
            effect: a.effect,
            params: a.params.clone(),
            after: a.after.clone(),
            fulfilled_by: a.fulfilled_by.clone(),
            preconditions: a.preconditions.clone(),
            timeout_s: a.timeout_s,
            retry: a.retry,
        }
    }
}

impl From<ActionRecord> for Action {
    fn from(a: ActionRecord) -> Self {
        Self {
            id: a.id,
            kind: a.kind,
            resource: a.resource,
            node: a.node,
            driver: a.driver,
            effect: a.effect,
            params: a.params,
            after: a.after,
            fulfilled_by: a.fulfilled_by,
            preconditions: a.preconditions,
            timeout_s: a.timeout_s,
            retry: a.retry,
        }
    }
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// `{template, instances: [[index, args…]]}` per family.
fn factored<'a, T: 'a, R: Serialize + From<&'a T>>(items: &'a [T]) -> Value {
    let values: Vec<Value> = items.iter().map(|i| to_value(&R::from(i))).collect();
    families(&values)
}

fn families(values: &[Value]) -> Value {
    let list = factor(values)
        .into_iter()
        .map(|Family { template, instances }| {
            let instances: Vec<Value> = instances
                .into_iter()
                .map(|(index, args)| {
                    let mut row = vec![Value::from(index)];
                    row.extend(args);
                    Value::Array(row)
                })
                .collect();
            json!({"template": template, "instances": instances})
        })
        .collect();
    Value::Array(list)
}

/// Back from families to values in order.
fn unfactored(value: &Value, what: &str) -> Result<Vec<Value>, String> {
    let families = value.as_array().ok_or_else(|| format!("`{what}` is not a list"))?;
    let mut out: Vec<Option<Value>> = Vec::new();
    let total: usize = families.iter().filter_map(|f| f.get("instances")?.as_array()).map(Vec::len).sum();
    out.resize(total, None);
    for family in families {
        let template = family.get("template").ok_or_else(|| format!("`{what}` has a family without template"))?;
        for row in family.get("instances").and_then(Value::as_array).into_iter().flatten() {
            let row = row.as_array().ok_or_else(|| format!("`{what}` has a malformed instance"))?;
            let (index, args) = row.split_first().ok_or_else(|| format!("`{what}` has an empty instance"))?;
            let index = index.as_u64().and_then(|i| usize::try_from(i).ok()).filter(|i| *i < total);
            let slot = index.and_then(|i| out.get_mut(i)).ok_or_else(|| format!("`{what}` has an instance out of place"))?;
            *slot = Some(expand(template, args)?);
        }
    }
    out.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| format!("`{what}` has a gap"))
}

/// Everything that the plan's digest covers.
fn body(plan: &Plan) -> Value {
    json!({
        "format": FORMAT,
        "drydock": plan.drydock,
        "site": plan.site,
        "goal": plan.goal,
        "selection": plan.selection,
        "endpoints": plan.endpoints,
        "allow": plan.allow,
        "limits": plan.limits,
        "bindings": plan.bindings,
        "nodes": plan.nodes,
        "generations": plan.generations,
        "changes": families(&plan.changes.iter().map(to_value).collect::<Vec<_>>()),
        "actions": factored::<Action, ActionRecord>(&plan.actions),
        "held_back": families(&plan.held_back.iter().map(to_value).collect::<Vec<_>>()),
        "blocked": plan.blocked,
        "orphans": plan.orphans,
        "not_managed": plan.not_managed,
        "warnings": plan.warnings,
        "digests": {"design": plan.digests.design, "build": plan.digests.build, "intent": plan.digests.intent},
    })
}

pub(super) fn plan_digest(plan: &Plan) -> String {
    digest_of(&body(plan))
}

/// The plan as the text of a plan file: canonical JSON (RFC 8785) and a newline.
pub fn write(plan: &Plan) -> String {
    let mut value = body(plan);
    if let Value::Object(map) = &mut value {
        map.insert("digest".into(), Value::from(plan.digests.plan.as_str()));
        map.insert("advisory".into(), json!({"expected_s": plan.expected_s, "observed_at": plan.observed_at}));
    }
    let mut text = canonical(&value);
    text.push('\n');
    text
}

/// Reads a plan file and checks its version and digest.
///
/// # Errors
/// When it is not a plan, was made by another format version, is cut off, or was changed.
pub fn read(text: &str) -> Result<Plan, PlanError> {
    let err = |m: String| PlanError::File(m);
    let mut value: Value = serde_json::from_str(text)
        .map_err(|e| err(format!("not a plan file, or cut off: {e}; make a new one with `drydock plan --out FILE`")))?;
    let Some(map) = value.as_object_mut() else { return Err(err("not a plan file: it is not a JSON object".into())) };
    match map.get("format").and_then(Value::as_u64) {
        Some(f) if f == u64::from(FORMAT) => {}
        Some(f) => {
            return Err(err(format!("the plan has format {f}, this drydock reads format {FORMAT}; make a new plan with this version")));
        }
        None => return Err(err("not a plan file: it has no `format`".into())),
    }
    let digest = map.remove("digest").and_then(|d| d.as_str().map(str::to_owned)).unwrap_or_default();
    let advisory = map.remove("advisory").unwrap_or(Value::Null);
    let actual = digest_of(&value);
    if digest != actual {
        return Err(err(
            "the plan was changed after it was made (its digest does not fit); make a new one with `drydock plan --out FILE`".into()
        ));
    }
    decode(&value, &advisory, digest).map_err(|m| err(format!("the plan file does not fit this version: {m}; make a new plan")))
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Result<T, String> {
    serde_json::from_value(value.get(name).cloned().unwrap_or(Value::Null)).map_err(|e| format!("`{name}`: {e}"))
}

fn list<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Result<Vec<T>, String> {
    unfactored(value.get(name).unwrap_or(&Value::Null), name)?
        .into_iter()
        .map(|v| serde_json::from_value(v).map_err(|e| format!("`{name}`: {e}")))
        .collect()
}

fn decode(value: &Value, advisory: &Value, digest: String) -> Result<Plan, String> {
    let actions: Vec<ActionRecord> = list(value, "actions")?;
    let digests = value.get("digests").cloned().unwrap_or(Value::Null);
    Ok(Plan {
        drydock: field(value, "drydock")?,
        site: field(value, "site")?,
        goal: field(value, "goal")?,
        selection: field(value, "selection")?,
        endpoints: field(value, "endpoints")?,
        allow: field(value, "allow")?,
        limits: field(value, "limits")?,
        bindings: field(value, "bindings")?,
        nodes: field(value, "nodes")?,
        generations: field(value, "generations")?,
        changes: list(value, "changes")?,
        actions: actions.into_iter().map(Action::from).collect(),
        held_back: list(value, "held_back")?,
        blocked: field(value, "blocked")?,
        orphans: field(value, "orphans")?,
        not_managed: field(value, "not_managed")?,
        warnings: field(value, "warnings")?,
        expected_s: field(advisory, "expected_s")?,
        observed_at: field(advisory, "observed_at")?,
        digests: Digests {
            design: field(&digests, "design")?,
            build: field(&digests, "build")?,
            intent: field(&digests, "intent")?,
            plan: digest,
        },
    })
}

//! The plan file: canonical JSON, format version, digest.
//!
//! Identical attribute changes are stored once, in `attributes`, and changes refer to them by place. Actions of one shape share a template; an action
//! is `[template, id, resource, node, after, arguments…]`, in a topological order, and refers to others by place.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assemble::PlanError;
use super::digest::{canonical, digest_of_text};
use super::template::{expand, factor};
use super::{Digests, FORMAT, Plan, Sealed};
use crate::action::{Action, ActionKind, Effect, Precondition, RetryClass};
use crate::diff::{AttributeChange, Change, HeldBack, Operation};

/// What actions of one template have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateRecord {
    kind: ActionKind,
    driver: String,
    effect: Effect,
    preconditions: Vec<Precondition>,
    timeout_s: u32,
    retry: RetryClass,
    params: Value,
}

/// A change whose attributes stand in the table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRecord {
    resource: String,
    node: Option<String>,
    operation: Operation,
    effect: Effect,
    reason: String,
    attributes: Vec<usize>,
}

/// A held-back change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldBackRecord {
    change: ChangeRecord,
    reason: String,
    hint: String,
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Attribute changes, each once.
#[derive(Default)]
struct AttributeTable {
    rows: Vec<Value>,
    places: HashMap<String, usize>,
}

impl AttributeTable {
    fn place(&mut self, attribute: &AttributeChange) -> usize {
        let key = serde_json::to_string(attribute).unwrap_or_default();
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.rows.len();
        self.rows.push(to_value(attribute));
        self.places.insert(key, place);
        place
    }

    fn change(&mut self, change: &Change) -> ChangeRecord {
        ChangeRecord {
            resource: change.resource.clone(),
            node: change.node.clone(),
            operation: change.operation,
            effect: change.effect,
            reason: change.reason.clone(),
            attributes: change.attributes.iter().map(|a| self.place(a)).collect(),
        }
    }
}

/// Everything that the plan's digest covers, part by part.
fn parts(plan: &Plan) -> BTreeMap<&'static str, String> {
    let mut table = AttributeTable::default();
    let changes: Vec<Value> = plan.changes.iter().map(|c| to_value(&table.change(c))).collect();
    let changes = canonical(&Value::Array(changes));
    let held_back: Vec<Value> = plan
        .held_back
        .iter()
        .map(|h| to_value(&HeldBackRecord { change: table.change(&h.change), reason: h.reason.clone(), hint: h.hint.clone() }))
        .collect();
    let (templates, actions) = encode_actions(&plan.actions);
    BTreeMap::from([
        ("format", canonical(&json!(FORMAT))),
        ("drydock", canonical(&json!(plan.drydock))),
        ("site", canonical(&json!(plan.site))),
        ("goal", canonical(&to_value(&plan.goal))),
        ("selection", canonical(&json!(plan.selection))),
        ("endpoints", canonical(&to_value(&plan.endpoints))),
        ("allow", canonical(&to_value(&plan.allow))),
        ("limits", canonical(&to_value(&plan.limits))),
        ("bindings", canonical(&to_value(&plan.bindings))),
        ("nodes", canonical(&to_value(&plan.nodes))),
        ("generations", canonical(&to_value(&plan.generations))),
        ("attributes", canonical(&Value::Array(table.rows))),
        ("changes", changes),
        ("templates", canonical(&templates)),
        ("actions", canonical(&actions)),
        ("held_back", canonical(&Value::Array(held_back))),
        ("blocked", canonical(&to_value(&plan.blocked))),
        ("orphans", canonical(&to_value(&plan.orphans))),
        ("not_managed", canonical(&to_value(&plan.not_managed))),
        ("warnings", canonical(&json!(plan.warnings))),
        ("digests", canonical(&json!({"design": plan.digests.design, "build": plan.digests.build, "intent": plan.digests.intent}))),
    ])
}

/// One JSON object of parts; their names are plain words in order, so it is canonical when they are.
fn join<'a>(parts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (name, text) in parts {
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        out.push_str(text);
    }
    out.push('}');
    out
}

fn encode_actions(actions: &[Action]) -> (Value, Value) {
    let places: HashMap<&str, usize> = actions.iter().enumerate().map(|(i, a)| (a.id.as_str(), i)).collect();
    let place_list = |ids: &[String]| Value::from(ids.iter().filter_map(|id| places.get(id.as_str()).copied()).collect::<Vec<_>>());
    // Only actions that agree in everything but parameters share a template.
    let mut classes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, a) in actions.iter().enumerate() {
        let class = serde_json::to_string(&(a.kind, &a.driver, a.effect, &a.preconditions, a.timeout_s, a.retry)).unwrap_or_default();
        classes.entry(class).or_default().push(i);
    }
    let mut templates: Vec<Value> = Vec::new();
    let mut rows: Vec<Value> = vec![Value::Null; actions.len()];
    for members in classes.values() {
        let params: Vec<&Value> = members.iter().map(|i| &actions[*i].params).collect();
        for family in factor(&params) {
            let Some(a) = family.instances.first().and_then(|(m, _)| actions.get(members[*m])) else { continue };
            for (member, args) in family.instances {
                let i = members[member];
                let action = &actions[i];
                let mut row = vec![
                    Value::from(templates.len()),
                    Value::from(action.id.as_str()),
                    Value::from(action.resource.as_str()),
                    action.node.as_deref().map_or(Value::Null, Value::from),
                    place_list(&action.after),
                ];
                row.extend(args);
                rows[i] = Value::Array(row);
            }
            templates.push(to_value(&TemplateRecord {
                kind: a.kind,
                driver: a.driver.clone(),
                effect: a.effect,
                preconditions: a.preconditions.clone(),
                timeout_s: a.timeout_s,
                retry: a.retry,
                params: family.template,
            }));
        }
    }
    (Value::Array(templates), Value::Array(rows))
}

/// Sets the plan's own digest and keeps its parts.
pub(super) fn seal(plan: &mut Plan) {
    let parts = parts(plan);
    plan.digests.plan = digest_of_text(&join(parts.iter().map(|(n, t)| (*n, t.as_str()))));
    plan.sealed = Sealed(Some(Arc::new(parts)));
}

/// The plan as the text of a plan file: canonical JSON (RFC 8785) and a newline.
pub fn write(plan: &Plan) -> String {
    let parts = plan.sealed.0.clone().unwrap_or_else(|| Arc::new(parts(plan)));
    let digest = canonical(&json!(plan.digests.plan));
    let advisory = canonical(&json!({"expected_s": plan.expected_s, "observed_at": plan.observed_at}));
    let mut all: BTreeMap<&str, &str> = parts.iter().map(|(n, t)| (*n, t.as_str())).collect();
    all.insert("digest", &digest);
    all.insert("advisory", &advisory);
    let mut text = join(all.into_iter());
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
    let actual = digest_of_text(&canonical(&value));
    if digest != actual {
        return Err(err(
            "the plan was changed after it was made (its digest does not fit); make a new one with `drydock plan --out FILE`".into()
        ));
    }
    decode(&value, &advisory, digest).map_err(|m| err(format!("the plan file does not fit this version: {m}; make a new plan")))
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Result<T, String> {
    T::deserialize(value.get(name).unwrap_or(&Value::Null)).map_err(|e| format!("`{name}`: {e}"))
}

fn change(record: ChangeRecord, table: &[AttributeChange]) -> Result<Change, String> {
    let attributes = record
        .attributes
        .iter()
        .map(|place| table.get(*place).cloned().ok_or_else(|| format!("`changes` refers to attribute {place}, which is missing")))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Change {
        resource: record.resource,
        node: record.node,
        operation: record.operation,
        effect: record.effect,
        reason: record.reason,
        attributes,
    })
}

fn decode_actions(value: &Value) -> Result<Vec<Action>, String> {
    let templates: Vec<TemplateRecord> = field(value, "templates")?;
    let rows = value.get("actions").and_then(Value::as_array).ok_or("`actions` is not a list")?;
    let mut actions: Vec<Action> = Vec::with_capacity(rows.len());
    for row in rows {
        let malformed = || format!("action {} is malformed", actions.len());
        let [template, id, resource, node, after, args @ ..] = row.as_array().map(Vec::as_slice).ok_or_else(malformed)? else {
            return Err(malformed());
        };
        let template = template.as_u64().and_then(|t| usize::try_from(t).ok()).and_then(|t| templates.get(t)).ok_or_else(malformed)?;
        let after = after
            .as_array()
            .ok_or_else(malformed)?
            .iter()
            // An action only waits for earlier ones, so the order in the file is topological and free of cycles.
            .map(|p| p.as_u64().and_then(|p| usize::try_from(p).ok()).and_then(|p| actions.get(p)).map(|a| a.id.clone()))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| format!("action {} waits for one that does not come before it", actions.len()))?;
        let node = match node {
            Value::Null => None,
            Value::String(n) => Some(n.clone()),
            _ => return Err(malformed()),
        };
        let action = Action {
            id: id.as_str().ok_or_else(malformed)?.to_owned(),
            kind: template.kind,
            resource: resource.as_str().ok_or_else(malformed)?.to_owned(),
            node,
            driver: template.driver.clone(),
            effect: template.effect,
            params: expand(&template.params, args)?,
            after,
            fulfilled_by: Vec::new(),
            preconditions: template.preconditions.clone(),
            timeout_s: template.timeout_s,
            retry: template.retry,
        };
        actions.push(action);
    }
    Ok(actions)
}

fn decode(value: &Value, advisory: &Value, digest: String) -> Result<Plan, String> {
    let table: Vec<AttributeChange> = field(value, "attributes")?;
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
        changes: field::<Vec<ChangeRecord>>(value, "changes")?.into_iter().map(|c| change(c, &table)).collect::<Result<_, _>>()?,
        actions: decode_actions(value)?,
        held_back: field::<Vec<HeldBackRecord>>(value, "held_back")?
            .into_iter()
            .map(|h| Ok(HeldBack { change: change(h.change, &table)?, reason: h.reason, hint: h.hint }))
            .collect::<Result<_, String>>()?,
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
        sealed: Sealed::default(),
    })
}

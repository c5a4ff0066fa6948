//! The plan file: canonical JSON, format version, digest.
//!
//! Identical attribute changes are stored once, in `attributes`, and changes refer to them by place. Actions of one shape share a template; an action
//! is `[template, id, resource, node, after, arguments…]`, in a topological order, and refers to others by place.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assemble::PlanError;
use super::digest::digest_of_text;
use super::template::{Template, factor};
use super::{Digests, FORMAT, Plan, Sealed};
use crate::action::{Action, ActionKind, Effect, JsonDigest, Precondition, RetryClass, canonical, canonical_of};
use crate::diff::{AttributeChange, Change, HeldBack, Operation};

/// What actions of one template have in common.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRecord {
    resource: String,
    node: Option<String>,
    operation: Operation,
    effect: Effect,
    reason: String,
    attributes: Vec<usize>,
}

/// The same, as it is written: fields in order of name.
#[derive(Serialize)]
struct ChangeRow<'a> {
    attributes: Vec<usize>,
    effect: Effect,
    node: Option<&'a str>,
    operation: Operation,
    reason: &'a str,
    resource: &'a str,
}

/// A held-back change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldBackRecord {
    change: ChangeRecord,
    reason: String,
    hint: String,
}

/// The same, as it is written: fields in order of name.
#[derive(Serialize)]
struct HeldBackRow<'a> {
    change: ChangeRow<'a>,
    hint: &'a str,
    reason: &'a str,
}

/// A list as canonical JSON, item by item.
struct List(String);

impl List {
    fn new() -> Self {
        Self("[".to_owned())
    }

    /// Makes place for an item.
    fn item(&mut self) -> &mut String {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        &mut self.0
    }

    fn push(&mut self, value: &impl Serialize) {
        let text = canonical_of(value);
        self.item().push_str(&text);
    }

    fn end(mut self) -> String {
        self.0.push(']');
        self.0.shrink_to_fit();
        self.0
    }
}

fn list<T: Serialize>(items: &[T]) -> String {
    let mut out = List::new();
    for item in items {
        out.push(item);
    }
    out.end()
}

/// A map as canonical JSON, entry by entry.
fn map<T: Serialize>(map: &BTreeMap<String, T>) -> String {
    if !map.keys().all(|k| k.is_ascii()) {
        return canonical_of(map);
    }
    let mut out = String::from("{");
    for (key, value) in map {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&canonical_of(key));
        out.push(':');
        out.push_str(&canonical_of(value));
    }
    out.push('}');
    out.shrink_to_fit();
    out
}

/// Attribute changes, each once.
struct AttributeTable<'a> {
    rows: List,
    count: usize,
    /// By identity, which costs nothing, and by content.
    shared: HashMap<*const AttributeChange, usize>,
    places: HashMap<&'a AttributeChange, usize>,
}

impl<'a> AttributeTable<'a> {
    fn new() -> Self {
        Self { rows: List::new(), count: 0, shared: HashMap::new(), places: HashMap::new() }
    }

    fn place(&mut self, attribute: &'a Arc<AttributeChange>) -> usize {
        if let Some(place) = self.shared.get(&Arc::as_ptr(attribute)) {
            return *place;
        }
        let place = *self.places.entry(attribute.as_ref()).or_insert_with(|| {
            self.rows.push(attribute.as_ref());
            self.count += 1;
            self.count - 1
        });
        self.shared.insert(Arc::as_ptr(attribute), place);
        place
    }

    fn change(&mut self, change: &'a Change) -> ChangeRow<'a> {
        ChangeRow {
            attributes: change.attributes.iter().map(|a| self.place(a)).collect(),
            effect: change.effect,
            node: change.node.as_deref(),
            operation: change.operation,
            reason: &change.reason,
            resource: &change.resource,
        }
    }
}

/// Everything that the plan's digest covers, part by part.
fn parts(plan: &Plan) -> BTreeMap<&'static str, String> {
    let mut table = AttributeTable::new();
    let mut changes = List::new();
    for change in &plan.changes {
        changes.push(&table.change(change));
    }
    let mut held_back = List::new();
    for held in &plan.held_back {
        held_back.push(&HeldBackRow { change: table.change(&held.change), hint: &held.hint, reason: &held.reason });
    }
    let (templates, actions) = encode_actions(&plan.actions);
    let digests = json!({"design": plan.digests.design, "build": plan.digests.build, "intent": plan.digests.intent});
    BTreeMap::from([
        ("format", canonical_of(&FORMAT)),
        ("drydock", canonical_of(&plan.drydock)),
        ("site", canonical_of(&plan.site)),
        ("goal", canonical_of(&plan.goal)),
        ("selection", canonical_of(&plan.selection)),
        ("preview", canonical_of(&plan.preview)),
        ("endpoints", list(&plan.endpoints)),
        ("allow", list(&plan.allow)),
        ("limits", canonical_of(&plan.limits)),
        ("failures", canonical_of(&plan.failures)),
        ("rollout", canonical_of(&plan.rollout)),
        ("policy", canonical_of(&plan.policy)),
        ("bindings", map(&plan.bindings)),
        ("nodes", map(&plan.nodes)),
        ("generations", map(&plan.generations)),
        ("attributes", table.rows.end()),
        ("changes", changes.end()),
        ("templates", templates),
        ("actions", actions),
        ("held_back", held_back.end()),
        ("blocked", list(&plan.blocked)),
        ("orphans", list(&plan.orphans)),
        ("not_managed", list(&plan.not_managed)),
        ("warnings", list(&plan.warnings)),
        ("digests", canonical(&digests)),
    ])
}

/// One JSON object of parts, piece by piece; their names are plain words in order, so it is canonical when they are.
fn join<'a>(parts: impl Iterator<Item = (&'a str, &'a str)>, mut write: impl FnMut(&str)) {
    write("{");
    for (i, (name, text)) in parts.enumerate() {
        for piece in [if i == 0 { "\"" } else { ",\"" }, name, "\":", text] {
            write(piece);
        }
    }
    write("}");
}

/// Templates and rows of actions. Only actions that agree in everything but parameters share a template.
fn encode_actions(actions: &[Action]) -> (String, String) {
    /// What stands in the row of an action besides what is in the action.
    struct Row<'a> {
        template: usize,
        args: Vec<Cow<'a, str>>,
    }
    let places: HashMap<&str, usize> = actions.iter().enumerate().map(|(i, a)| (a.id.as_str(), i)).collect();
    let mut classes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, a) in actions.iter().enumerate() {
        let class = serde_json::to_string(&(a.kind, &a.driver, a.effect, &a.preconditions, a.timeout_s, a.retry)).unwrap_or_default();
        match classes.get_mut(&class) {
            Some(members) => members.push(i),
            None => drop(classes.insert(class, vec![i])),
        }
    }
    let mut count = 0;
    let mut templates = List::new();
    let mut rows: Vec<Row<'_>> = Vec::new();
    rows.resize_with(actions.len(), || Row { template: 0, args: Vec::new() });
    for members in classes.values() {
        let params: Vec<&str> = members.iter().map(|i| actions[*i].params.text()).collect();
        for family in factor(&params) {
            let Some(a) = family.instances.first().and_then(|(m, _)| actions.get(members[*m])) else { continue };
            for (member, args) in family.instances {
                rows[members[member]] = Row { template: count, args };
            }
            count += 1;
            // Fields in order of name.
            let _ = write!(
                templates.item(),
                "{{\"driver\":{},\"effect\":{},\"kind\":{},\"params\":{},\"preconditions\":{},\"retry\":{},\"timeout_s\":{}}}",
                canonical_of(&a.driver),
                canonical_of(&a.effect),
                canonical_of(&a.kind),
                family.template,
                canonical_of(&a.preconditions),
                canonical_of(&a.retry),
                a.timeout_s
            );
        }
    }
    let mut list = List::new();
    for (action, row) in actions.iter().zip(rows) {
        let after: Vec<usize> = action.after.iter().filter_map(|id| places.get(id.as_str()).copied()).collect();
        let fixed = serde_json::to_string(&(row.template, &action.id, &action.resource, &action.node, after)).unwrap_or_default();
        let out = list.item();
        out.push_str(fixed.strip_suffix(']').unwrap_or(&fixed));
        for arg in row.args {
            out.push(',');
            out.push_str(&arg);
        }
        out.push(']');
    }
    (templates.end(), list.end())
}

/// Sets the plan's own digest and keeps its parts.
pub(super) fn seal(plan: &mut Plan) {
    let parts = parts(plan);
    let mut digest = JsonDigest::new();
    join(parts.iter().map(|(n, t)| (*n, t.as_str())), |piece| {
        digest.text(piece);
    });
    plan.digests.plan = digest.finish();
    plan.sealed = Sealed(Some(Arc::new(parts)));
}

/// The plan as the text of a plan file: canonical JSON (RFC 8785) and a newline.
pub fn write(plan: &Plan) -> String {
    let parts = plan.sealed.0.clone().unwrap_or_else(|| Arc::new(parts(plan)));
    let digest = canonical_of(&plan.digests.plan);
    let advisory = canonical(&json!({"expected_s": plan.expected_s, "observed_at": plan.observed_at}));
    let mut all: BTreeMap<&str, &str> = parts.iter().map(|(n, t)| (*n, t.as_str())).collect();
    all.insert("digest", &digest);
    all.insert("advisory", &advisory);
    let mut text = String::with_capacity(all.iter().map(|(n, t)| n.len() + t.len() + 4).sum::<usize>() + 2);
    join(all.into_iter(), |piece| text.push_str(piece));
    text.push('\n');
    text
}

/// What `--format json` adds to a plan for its reader. It is in no digest, and means nothing to whoever reads the file.
const SHOWN: [&str; 3] = ["approvals", "summary", "verdict"];

/// Reads a plan file, or a plan that was shown as JSON, and checks its version and digest.
///
/// # Errors
/// When it is not a plan, was made by another format version, is cut off, or was changed.
pub fn read(text: &str) -> Result<Plan, PlanError> {
    let err = |m: String| PlanError::File(m);
    let mut value: Value = serde_json::from_str(text).map_err(|e| err(format!("not a plan file, or cut off: {e}")))?;
    let Some(map) = value.as_object_mut() else { return Err(err("not a plan file: it is not a JSON object".into())) };
    match map.get("format").and_then(Value::as_u64) {
        Some(f) if f == u64::from(FORMAT) => {}
        Some(f) => {
            let made_by = map.get("drydock").and_then(Value::as_str).unwrap_or("another version");
            return Err(err(format!(
                "the plan has format {f} and was made by drydock {made_by}; this is drydock {}, which reads format {FORMAT}: use that version, or plan again",
                env!("CARGO_PKG_VERSION")
            )));
        }
        None => return Err(err("not a plan file: it has no `format`".into())),
    }
    let digest = map.remove("digest").and_then(|d| d.as_str().map(str::to_owned)).unwrap_or_default();
    let advisory = map.remove("advisory").unwrap_or(Value::Null);
    for name in SHOWN {
        map.remove(name);
    }
    let actual = digest_of_text(&canonical(&value));
    if digest != actual {
        return Err(err("the plan was changed after it was made: its digest does not fit".into()));
    }
    decode(&value, &advisory, digest).map_err(|m| err(format!("the plan file does not fit this version: {m}")))
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Result<T, String> {
    T::deserialize(value.get(name).unwrap_or(&Value::Null)).map_err(|e| format!("`{name}`: {e}"))
}

fn change(record: ChangeRecord, table: &[Arc<AttributeChange>]) -> Result<Change, String> {
    let attributes = record
        .attributes
        .iter()
        .map(|place| table.get(*place).map(Arc::clone).ok_or_else(|| format!("`changes` refers to attribute {place}, which is missing")))
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
    let templates: Vec<(TemplateRecord, Template)> = field::<Vec<TemplateRecord>>(value, "templates")?
        .into_iter()
        .map(|record| Template::new(&record.params).map(|template| (record, template)))
        .collect::<Result<_, _>>()?;
    let rows = value.get("actions").and_then(Value::as_array).ok_or("`actions` is not a list")?;
    let mut actions: Vec<Action> = Vec::with_capacity(rows.len());
    for row in rows {
        let malformed = || format!("action {} is malformed", actions.len());
        let [template, id, resource, node, after, args @ ..] = row.as_array().map(Vec::as_slice).ok_or_else(malformed)? else {
            return Err(malformed());
        };
        let (record, template) =
            template.as_u64().and_then(|t| usize::try_from(t).ok()).and_then(|t| templates.get(t)).ok_or_else(malformed)?;
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
            kind: record.kind,
            resource: resource.as_str().ok_or_else(malformed)?.to_owned(),
            node,
            driver: record.driver.clone(),
            effect: record.effect,
            params: template.expand(args)?,
            after,
            preconditions: record.preconditions.clone(),
            timeout_s: record.timeout_s,
            retry: record.retry,
        };
        actions.push(action);
    }
    Ok(actions)
}

fn decode(value: &Value, advisory: &Value, digest: String) -> Result<Plan, String> {
    let table: Vec<Arc<AttributeChange>> = field::<Vec<AttributeChange>>(value, "attributes")?.into_iter().map(Arc::new).collect();
    let digests = value.get("digests").cloned().unwrap_or(Value::Null);
    Ok(Plan {
        drydock: field(value, "drydock")?,
        site: field(value, "site")?,
        goal: field(value, "goal")?,
        selection: field(value, "selection")?,
        preview: field(value, "preview")?,
        endpoints: field(value, "endpoints")?,
        allow: field(value, "allow")?,
        limits: field(value, "limits")?,
        failures: field(value, "failures")?,
        rollout: field(value, "rollout")?,
        policy: field(value, "policy")?,
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

//! The JSON Schema of the plan file. Descriptions are those of the types.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value;

use super::{Allowance, FailureRules, Goal, Limits, NeededApproval, PolicyReport, Preview, Rejected, Rollout, Signature};
use crate::action::{ActionKind, Effect, Precondition, RetryClass};
use crate::build::{Binding, Endpoint};
use crate::diff::{AttributeChange, Blocked, NodeStage, NotManaged, Operation, Orphan, Stage};

/// A plan of drydock. The file is canonical JSON (RFC 8785) and a newline; `--format json` prints the same with what it comes to.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "drydock plan file")]
#[allow(dead_code, reason = "what the file has, for its schema; `file` writes and reads it")]
struct PlanFile {
    /// Actions in a topological order; each waits only for earlier ones.
    #[schemars(schema_with = "rows")]
    actions: Vec<Value>,
    /// What rests on no fact and is in no digest.
    advisory: Advisory,
    /// Permissions given with `--allow`.
    allow: Vec<Allowance>,
    /// Only where it is shown: how each of the approvals in `policy` stands, by the signatures beside the file. In no digest, and read by nobody.
    approvals: Option<Vec<StandingRow>>,
    /// Attribute changes, each once; changes refer to them by place.
    attributes: Vec<AttributeChange>,
    /// Identity of the machine of each node that has actions.
    bindings: BTreeMap<String, Binding>,
    /// What nothing can be planned about.
    blocked: Vec<Blocked>,
    /// Changes.
    changes: Vec<ChangeRow>,
    /// SHA-256 of everything but itself and `advisory`, hexadecimal.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    digest: String,
    /// Digests of what the plan is made from.
    digests: DigestsRow,
    /// Version of drydock that made it.
    drydock: String,
    /// Where facts came from; `apply` refuses others.
    endpoints: Vec<Endpoint>,
    /// What is done about trouble.
    failures: FailureRules,
    /// Version of the format.
    #[schemars(extend("const" = 1))]
    format: u32,
    /// Generation in the state of each resource that has actions; `apply` refuses an older plan.
    generations: BTreeMap<String, u64>,
    /// Goal.
    goal: Goal,
    /// What the policy holds back.
    held_back: Vec<HeldBackRow>,
    /// Limits of a run.
    limits: Limits,
    /// Stage of each node, now and then.
    nodes: BTreeMap<String, NodeStage>,
    /// What the design says and no driver compares.
    not_managed: Vec<NotManaged>,
    /// What is ours and no longer in the design.
    orphans: Vec<Orphan>,
    /// What it comes to under the policies of its site.
    policy: PolicyReport,
    /// What is compared, where this is a preview; `apply` refuses those.
    preview: Option<Preview>,
    /// In which order branches begin.
    rollout: Rollout,
    /// `--target` as written.
    selection: Option<String>,
    /// Site.
    site: String,
    /// Only where it is shown: its counts. In no digest, and read by nobody.
    summary: Option<Summary>,
    /// What actions of one shape have in common.
    templates: Vec<TemplateRow>,
    /// Only where it is shown: what it comes to. In no digest, and read by nobody.
    verdict: Option<Verdict>,
    /// Warnings of the design's check.
    warnings: Vec<String>,
}

/// What rests on no fact.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct Advisory {
    /// Expected seconds of the longest branch.
    expected_s: Option<u64>,
    /// Seconds since 1970 when facts were read.
    observed_at: u64,
}

/// Digests: SHA-256, hexadecimal.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct DigestsRow {
    /// Of the design.
    design: String,
    /// Of the facts used.
    build: String,
    /// Of what is wanted, without facts.
    intent: String,
}

/// A change.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct ChangeRow {
    /// Places in `attributes`.
    attributes: Vec<usize>,
    /// Highest effect of its attributes.
    effect: Effect,
    /// The node it belongs to.
    node: Option<String>,
    /// What happens.
    operation: Operation,
    /// Why, where attributes do not say it.
    reason: String,
    /// Address.
    resource: String,
}

/// A change that is held back.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct HeldBackRow {
    /// The change.
    change: ChangeRow,
    /// What would let it through.
    hint: String,
    /// Why it is held back.
    reason: String,
}

/// What actions have in common. `{"$arg": N}` in its parameters stands for the N-th argument of an action.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct TemplateRow {
    /// Name of the driver.
    driver: String,
    /// Effect class.
    effect: Effect,
    /// Kind.
    kind: ActionKind,
    /// Parameters.
    params: Value,
    /// What must hold just before.
    preconditions: Vec<Precondition>,
    /// How failures are retried.
    retry: RetryClass,
    /// Time limit of an attempt in seconds.
    timeout_s: u32,
}

/// How an approval stands.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct StandingRow {
    /// Those who gave it, each person once.
    by: Vec<String>,
    /// How many people are missing.
    missing: u32,
    /// What is needed.
    needed: NeededApproval,
    /// Why nothing could be looked at, if the signers are not known.
    problem: Option<String>,
    /// Signatures that do not count.
    rejected: Vec<Rejected>,
    /// Signatures that count.
    signatures: Vec<Signature>,
}

/// Counts.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct Summary {
    /// Actions.
    actions: usize,
    /// Resources that nothing can be planned about.
    blocked: usize,
    /// Resources that change.
    changes: usize,
    /// The same by effect class.
    changes_by_effect: BTreeMap<Effect, usize>,
    /// Changes that are held back.
    held_back: usize,
    /// Actions on the longest path.
    longest_path: usize,
    /// Nodes by the highest effect that reaches them.
    nodes_by_effect: BTreeMap<Effect, usize>,
    /// Nodes by stage now and then.
    stages: Vec<StageCount>,
}

/// Nodes with the same stages.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "for the schema")]
struct StageCount {
    /// How many.
    count: usize,
    /// Stage now.
    now: Stage,
    /// Stage then.
    then: Stage,
}

/// What a plan comes to.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code, reason = "for the schema")]
enum Verdict {
    /// Something is to be done.
    Changes,
    /// The site is as the design says.
    NoChanges,
    /// Nothing can be done, though something is held back, blocked, or of unknown stage.
    NothingPlanned,
}

fn rows(_: &mut SchemaGenerator) -> Schema {
    let place = |of: &str| json_schema!({"type": "integer", "minimum": 0, "description": format!("Place in `{of}`")});
    json_schema!({
        "description": "Actions in a topological order; each waits only for earlier ones",
        "type": "array",
        "items": {
            "description": "Template, id, resource, node, what it waits for, and the arguments of the template",
            "type": "array",
            "minItems": 5,
            "prefixItems": [
                place("templates"),
                {"type": "string", "pattern": "^[0-9a-f]{20}$", "description": "Hash of everything else"},
                {"type": "string", "description": "Address of what it changes"},
                {"type": ["string", "null"], "description": "The node whose branch it is in"},
                {"type": "array", "items": place("actions"), "description": "Actions that must be done before"},
            ],
        },
    })
}

/// The schema.
pub fn json_schema_of_file() -> Value {
    schema_for!(PlanFile).to_value()
}

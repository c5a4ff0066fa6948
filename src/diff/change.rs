//! Changes and everything else that a comparison says.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::action::Effect;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `+`
    Create,
    /// `~`
    Update,
    /// `-/+`
    Replace,
    /// `-`
    Delete,
}

impl Operation {
    /// The sign shown before a resource.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Delete => "-",
        }
    }
}

/// One attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeChange {
    /// Value afterwards; absent if it will have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Value now; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Effect of changing this attribute.
    pub effect: Effect,
    /// When `before` is not known yet: `known after commissioning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_after: Option<String>,
    /// Path inside the resource (`bond0.mtu`).
    pub path: String,
    /// Why the effect is what it is; empty for the obvious.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// `file:line:column` of the value in the design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// One resource that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Address (`subnet.mgmt`, `node.compute01/storage`).
    pub resource: String,
    /// The node it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What happens.
    pub operation: Operation,
    /// Highest effect of its attributes.
    pub effect: Effect,
    /// Why, in one line, where attributes do not say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Attributes that differ. Equal ones are one value, however many nodes they stand at.
    #[serde(serialize_with = "each")]
    pub attributes: Vec<Arc<AttributeChange>>,
}

fn each<S: Serializer>(attributes: &[Arc<AttributeChange>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attributes.iter().map(Arc::as_ref))
}

/// A change that the policy does not allow; it is in no graph and never stops the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// The change.
    pub change: Change,
    /// Why it is held back.
    pub reason: String,
    /// What would let it through.
    pub hint: String,
}

/// A resource about which nothing can be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    /// Address.
    pub resource: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

/// A machine or resource of ours that the design no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Orphan {
    /// Address it had.
    pub resource: String,
    /// What it is at the provisioner.
    pub detail: String,
}

/// Something the design says and no driver compares yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotManaged {
    /// What (`boot actions`, `node sriov`).
    pub what: String,
    /// Resources it stands at.
    pub resources: Vec<String>,
}

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The provisioner's complete listing does not have it.
    Absent,
    /// Enlisted, not commissioned.
    Enlisted,
    /// Being commissioned.
    Commissioning,
    /// Commissioning failed.
    FailedCommissioning,
    /// Commissioned.
    Ready,
    /// Allocated to us.
    Allocated,
    /// Being deployed by us.
    Deploying,
    /// Deployment failed.
    FailedDeployment,
    /// Deployed by us.
    Deployed,
    /// Being released.
    Releasing,
    /// Release failed.
    FailedReleasing,
    /// Broken, in rescue mode, or locked.
    Held,
    /// Allocated or deployed by somebody else.
    Foreign,
    /// Ours, and no longer in the design.
    Orphaned,
    /// Not known: a listing failed, or evidence contradicts itself.
    Unknown,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 15] = [
        Self::Absent,
        Self::Enlisted,
        Self::Commissioning,
        Self::FailedCommissioning,
        Self::Ready,
        Self::Allocated,
        Self::Deploying,
        Self::FailedDeployment,
        Self::Deployed,
        Self::Releasing,
        Self::FailedReleasing,
        Self::Held,
        Self::Foreign,
        Self::Orphaned,
        Self::Unknown,
    ];

    /// The name in plans and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Enlisted => "enlisted",
            Self::Commissioning => "commissioning",
            Self::FailedCommissioning => "failed_commissioning",
            Self::Ready => "ready",
            Self::Allocated => "allocated",
            Self::Deploying => "deploying",
            Self::FailedDeployment => "failed_deployment",
            Self::Deployed => "deployed",
            Self::Releasing => "releasing",
            Self::FailedReleasing => "failed_releasing",
            Self::Held => "held",
            Self::Foreign => "foreign",
            Self::Orphaned => "orphaned",
            Self::Unknown => "unknown",
        }
    }
}

/// A node's stage now and the one the plan brings it to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeStage {
    /// Its hardware profile: actions on like machines take alike long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// Stage now.
    pub now: Stage,
    /// Its host profile; the nearest of those that it inherits from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Stage after the plan.
    pub then: Stage,
}

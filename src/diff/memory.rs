//! What the state remembers, as far as a comparison needs it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::build::Binding;

/// How a resource became ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// We created it.
    Created,
    /// It was there and was taken over.
    Adopted,
}

/// What was applied last to a resource. Decides ownership and deletion, never what is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastApplied {
    /// How it became ours.
    pub origin: Origin,
    /// Parameters of the action that applied it.
    pub attributes: serde_json::Value,
}

/// A rejection that would only repeat: the provisioner refused exactly these parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The parameters that were refused.
    pub params: serde_json::Value,
    /// What the provisioner said.
    pub message: String,
}

/// The remembered state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Node → machine.
    pub bindings: BTreeMap<String, Binding>,
    /// Resource → what was applied.
    pub last_applied: BTreeMap<String, LastApplied>,
    /// Resource → generation.
    pub generations: BTreeMap<String, u64>,
    /// Resource → rejection that would repeat.
    pub rejections: BTreeMap<String, Rejection>,
    /// Kind of action → mean duration in milliseconds. Only an estimate rests on it.
    #[serde(default)]
    pub durations_ms: BTreeMap<String, u64>,
}

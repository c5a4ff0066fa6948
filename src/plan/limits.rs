//! How much at once, and in which order branches begin: part of every plan.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::ActionKind;

/// Limits of a run; all are in the plan. What is absent is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Nodes whose branch may be in flight at once.
    pub nodes_in_flight: u32,
    /// Driver calls in flight at once; an action that waits at the site makes none.
    pub parallelism: u32,
    /// The same for single kinds of action.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<ActionKind, u32>,
    /// Requests in flight at once, by driver.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, u32>,
    /// Requests in flight at once to one BMC.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub requests_per_bmc: u32,
    /// Power-ups at once per rack (inrush); provisioner actions that switch machines on count.
    pub power_ups_per_rack: u32,
    /// Actions of single kinds at once per rack, those that wait at the site included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_rack: BTreeMap<ActionKind, u32>,
    /// Nodes with an effect of class reboot or higher at once per rack.
    pub unavailable_per_rack: u32,
    /// Further limits for sets of nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Pool>,
    /// Failed nodes after which no new branch is started.
    pub max_failures: u32,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference
fn is_one(n: &u32) -> bool {
    *n == 1
}

impl Default for Limits {
    /// The safe ones: 10 nodes in flight, 32 calls, 2 power-ups and 1 unavailable node per rack, 3 failed nodes.
    fn default() -> Self {
        Self {
            nodes_in_flight: 10,
            parallelism: 32,
            calls: BTreeMap::new(),
            requests: BTreeMap::new(),
            requests_per_bmc: 1,
            power_ups_per_rack: 2,
            per_rack: BTreeMap::new(),
            unavailable_per_rack: 1,
            pools: Vec::new(),
            max_failures: 3,
        }
    }
}

impl Limits {
    /// Limits that stop nothing.
    pub fn none() -> Self {
        let many = u32::MAX;
        Self {
            nodes_in_flight: many,
            parallelism: many,
            power_ups_per_rack: many,
            unavailable_per_rack: many,
            max_failures: many,
            ..Self::default()
        }
    }
}

/// A limit for some nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// What counts.
    pub counts: Counts,
    /// At most so many at once; 0 stops all of them.
    pub limit: u32,
    /// The nodes that it is for, of those with actions in the plan.
    pub nodes: Vec<String>,
    /// Which nodes these are, for people: `label role=control`, `network pxe`.
    pub of: String,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Nodes from the start of their first action of class reboot or higher until nothing of their branch is left to do.
    Unavailable,
    /// Deployments that are begun and not done, those that wait at the site included.
    Deployments,
}

impl Counts {
    /// What is counted, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable nodes",
            Self::Deployments => "deployments",
        }
    }
}

/// In which order branches begin. Without waves, all may begin at once, within the limits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Seconds for which the nodes of a wave have to be healthy before those that wait for it begin.
    #[serde(default)]
    pub healthy_for_s: u32,
    /// Seconds after the end of its last branch in which a wave has to have become healthy for so long.
    #[serde(default)]
    pub patience_s: u32,
    /// Rules that can never be met, or select nobody; one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The waves; each comes after those that it waits for.
    #[serde(default)]
    pub waves: Vec<Wave>,
}

impl Rollout {
    /// Whether nothing waits for anything.
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// Whether a later wave waits for this one.
    pub fn is_waited_for(&self, wave: usize) -> bool {
        self.waves.iter().any(|w| w.after.iter().any(|before| *before as usize == wave))
    }

    /// For each wave, all that have to pass before it, directly or not.
    pub fn before(&self) -> Vec<BTreeSet<u32>> {
        let mut all: Vec<BTreeSet<u32>> = Vec::with_capacity(self.waves.len());
        for wave in &self.waves {
            let mut before: BTreeSet<u32> = wave.after.iter().copied().collect();
            for one in &wave.after {
                before.extend(all.get(*one as usize).into_iter().flatten());
            }
            all.push(before);
        }
        all
    }
}

/// Branches that begin together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Places of the waves that have to pass before; all are smaller than its own.
    pub after: Vec<u32>,
    /// When it passes.
    pub gate: Gate,
    /// Its name: `canaries`, `wave 2`, `group masters`.
    pub name: String,
    /// Nodes whose branches it holds.
    pub nodes: Vec<String>,
}

/// When a wave passes, once all its branches have ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Whether the run is a failure when it does not, however much else is done.
    #[serde(default)]
    pub critical: bool,
    /// At most so many failed nodes; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed: Option<u32>,
    /// At least so many nodes that are through.
    #[serde(default)]
    pub min_successful: u32,
    /// Earlier waves whose nodes count with its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<u32>,
    /// Nodes that are through before the run, and count.
    #[serde(default)]
    pub through: u32,
}

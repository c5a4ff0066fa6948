//! What a plan is asked for and what it may do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Stage;
use crate::action::params::ConfigureHardware;
use crate::action::{ActionKind, Effect, Selectable, Selector};

/// What the user asks for: a target stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Provisioner and its health only.
    VerifySite,
    /// Site resources only.
    PrepareSite,
    /// Nodes commissioned, with networking and storage applied.
    PrepareNodes,
    /// Everything, to deployed.
    DeployNodes,
    /// Nodes released.
    DestroyNodes,
}

impl Goal {
    /// All goals.
    pub const ALL: [Self; 5] = [Self::VerifySite, Self::PrepareSite, Self::PrepareNodes, Self::DeployNodes, Self::DestroyNodes];

    /// The name on the command line and in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::VerifySite => "verify_site",
            Self::PrepareSite => "prepare_site",
            Self::PrepareNodes => "prepare_nodes",
            Self::DeployNodes => "deploy_nodes",
            Self::DestroyNodes => "destroy_nodes",
        }
    }

    /// The stage it brings nodes to.
    pub(crate) fn node_stage(self) -> Option<Stage> {
        match self {
            Self::VerifySite | Self::PrepareSite => None,
            Self::PrepareNodes | Self::DestroyNodes => Some(Stage::Ready),
            Self::DeployNodes => Some(Stage::Deployed),
        }
    }

    pub(crate) fn destroys(self) -> bool {
        self == Self::DestroyNodes
    }
}

/// How nodes are released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Release {
    /// Whether disks are erased (`--erase`).
    pub erase: bool,
    /// Whether the provisioner's record of a released machine is deleted.
    pub delete_record: bool,
}

/// What machines get at the provisioner that no design document has a field for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Which nodes; `None` is all.
    pub nodes: Option<Selector>,
    /// Resource pool.
    pub pool: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// The oldest kernel that they may be started with.
    pub min_kernel: Option<String>,
}

/// What a plan is asked for and what it may do.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Goal.
    pub goal: Goal,
    /// Which nodes (`--target`); `None` means all, and the site.
    pub target: Option<Selector>,
    /// Effects that were allowed (`--allow CLASS=SELECTOR`).
    pub allow: Vec<(Effect, Selector)>,
    /// Nodes that are released and bootstrapped from scratch (`--replace`).
    pub replace: Option<Selector>,
    /// How nodes are released.
    pub release: Release,
    /// How machines are commissioned.
    pub commission: ConfigureHardware,
    /// Whether power type and BMC address at the provisioner are the design's.
    pub manage_power: bool,
    /// Pools, zones and oldest kernels of machines.
    pub placements: Vec<Placement>,
    /// Spaces by the networks whose VLANs are put into them.
    pub spaces: BTreeMap<String, String>,
    /// Time limits in seconds that differ from the defaults: what has taken longer is stuck.
    pub timeouts_s: BTreeMap<ActionKind, u32>,
    /// Whether the provisioner serves this site alone, so that region-wide things may be changed.
    pub owns_region: bool,
    /// Percent of the nodes last seen deployed that may be absent before the plan is refused.
    pub max_absent_percent: u32,
}

impl Policy {
    /// A policy for a goal that allows nothing special.
    pub fn new(goal: Goal) -> Self {
        Self {
            goal,
            target: None,
            allow: Vec::new(),
            replace: None,
            release: Release::default(),
            commission: ConfigureHardware::default(),
            manage_power: false,
            placements: Vec::new(),
            spaces: BTreeMap::new(),
            timeouts_s: BTreeMap::new(),
            owns_region: false,
            max_absent_percent: 10,
        }
    }

    /// Whether a node is to be released and bootstrapped from scratch.
    pub(crate) fn replaces(&self, node: &Selectable<'_>) -> bool {
        matches!(self.goal, Goal::PrepareNodes | Goal::DeployNodes) && self.replace.as_ref().is_some_and(|s| s.matches(node))
    }

    /// Where a node is placed: of each value the first that is said for it.
    pub(crate) fn placement(&self, node: &Selectable<'_>) -> Placement {
        let mut out = Placement::default();
        for p in self.placements.iter().filter(|p| p.nodes.as_ref().is_none_or(|s| s.matches(node))) {
            out.pool = out.pool.or_else(|| p.pool.clone());
            out.zone = out.zone.or_else(|| p.zone.clone());
            out.min_kernel = out.min_kernel.or_else(|| p.min_kernel.clone());
        }
        out
    }

    /// Whether an effect on a node was allowed: by its class or a higher one.
    pub fn allows(&self, effect: Effect, node: &Selectable<'_>) -> bool {
        self.allow.iter().any(|(class, selector)| *class >= effect && selector.matches(node))
    }
}

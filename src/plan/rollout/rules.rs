//! What settings ask for, before a plan makes numbers and names of it.

use crate::action::Selector;

/// A number of nodes, or a share of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// That many.
    Count(u32),
    /// Percent.
    Percent(u32),
}

impl Share {
    /// Of so many nodes, rounded down: for limits, which must not be passed.
    pub fn at_most(self, of: usize) -> u32 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => u32::try_from(of as u64 * u64::from(p) / 100).unwrap_or(u32::MAX),
        }
    }

    /// Of so many nodes, rounded up: for what must be reached.
    pub fn at_least(self, of: usize) -> u32 {
        match self {
            Self::Count(n) => n,
            Self::Percent(p) => u32::try_from((of as u64 * u64::from(p)).div_ceil(100)).unwrap_or(u32::MAX),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

/// Whose nodes are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnavailableOf {
    /// Those of each rack.
    Racks,
    /// Those with the same value of a label, for each value.
    Label(String),
    /// Those that are selected.
    Nodes(Selector),
}

/// How many nodes may be unavailable at once because of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Of which.
    pub of: UnavailableOf,
    /// At most so many; shares are of all such nodes in the design, rounded down.
    pub limit: Share,
}

/// Which nodes go first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canaries {
    /// So many, of different racks where there are.
    Number(u32),
    /// Those that are selected.
    Nodes(Selector),
}

/// Which deployment strategy of the design is followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StrategyChoice {
    /// The one that the design's deployment configuration names, if any.
    #[default]
    OfDesign,
    /// None.
    Off,
    /// The one of that name.
    Named(String),
}

/// The rules of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Limits on unavailable nodes, beside that of racks. Labels of control planes have one of 1 unless they are named here.
    pub max_unavailable: Vec<Unavailable>,
    /// Deployments at once over one network that machines boot from.
    pub deployments_per_network: Option<u32>,
    /// Who goes first.
    pub canaries: Option<Canaries>,
    /// Ends of the waves after them, as numbers or shares of all nodes that the plan works on, each with those before it.
    pub waves: Vec<Share>,
    /// Failed nodes that a wave may have and still pass; shares are of its nodes, rounded down. None if not given.
    pub max_failed: Option<Share>,
    /// Seconds for which the nodes of a wave have to be healthy.
    pub healthy_for_s: Option<u32>,
    /// Seconds in which they have to have become so.
    pub patience_s: Option<u32>,
    /// Airship's deployment groups.
    pub strategy: StrategyChoice,
}

/// Seconds for which nodes of a wave have to be healthy, if the settings do not say.
pub(super) const HEALTHY_FOR_S: u32 = 60;

/// Seconds beyond that in which they have to have become so, if the settings do not say.
pub(super) const PATIENCE_S: u32 = 900;

/// Labels that mark nodes of a control plane: of Airship's sites, and of Kubernetes
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/>).
pub(super) const CONTROL_PLANE: [&str; 9] = [
    "calico-etcd",
    "kubernetes-apiserver",
    "kubernetes-controller-manager",
    "kubernetes-etcd",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "openstack-control-plane",
    "ucp-control-plane",
    "ucp_control_plane",
];

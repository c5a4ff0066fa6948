//! Model × build → changes.
//!
//! In: the applied model, the build model, what the state remembers, the policy. Out: a [`Comparison`]: a [`Change`] per resource that differs, attribute
//! by attribute, with effect class and reasons; what is blocked, held back, orphaned or not managed; and the work per node that [`crate::graph`]
//! turns into actions. Comparison is semantic: sizes are rounded as the provisioner rounds them.
//! Pure. Imports `yaml`, `model`, `build`, `action`, `check` (whose [`Known`](crate::check::Known) it fills).

mod adopt;
mod attributes;
mod change;
mod compare;
mod effects;
mod hardware;
mod identity;
mod known;
mod memory;
mod networking;
mod node;
mod orphans;
mod platform;
mod policy;
mod removal;
mod site;
mod storage;
mod xpath;

pub(crate) use hardware::findings;
pub(crate) use identity::{Match, NodeIdentity, identify};
pub(crate) use networking::{configured, nic, vid_on};
pub(crate) use storage::{devices, disk};

pub use adopt::{Adoption, NotAdopted, adoptions};
pub use change::{AttributeChange, Blocked, Change, HeldBack, NodeStage, NotManaged, Operation, Orphan, Stage};
pub use compare::{Comparison, NodeNeeds, compare};
pub use effects::{AttributeEffect, EFFECTS, effect_of, is_listed, kind_of, row_of};
pub use identity::fresh_binding;
pub use known::known;
pub use memory::{LastApplied, Memory, Origin, Rejection};
pub use networking::find_nic;
pub use node::NodeWork;
pub use orphans::orphan_names;
pub use platform::{MARK_ACTION, MARK_SITE, MARK_USER_DATA, NO_USER_DATA, kernel_options};
pub use policy::{Goal, Placement, Policy, Release};
pub use removal::Removal;
pub use site::{SiteComparison, SiteStep};
pub use storage::find_disk;

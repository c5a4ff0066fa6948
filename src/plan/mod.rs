//! The plan: changes, actions, preconditions, guards; a file with a digest.
//!
//! In: the applied model, the build model, the state's memory, policy and limits. Out: a [`Plan`] as a value and as canonical JSON (RFC 8785), which
//! holds no secret. Pure: the same inputs give the same bytes.

mod approval;
mod assemble;
mod compare;
mod digest;
mod file;
mod limits;
mod looser;
mod part;
pub mod policy;
mod preview;
mod rollout;
mod schema;
mod stale;
mod template;
#[cfg(test)]
pub(crate) mod testing;
mod types;

pub use crate::action::canonical;
pub use crate::diff::Goal;
pub use approval::{Rejected, Signature, Standing, people, statement};
pub use assemble::{Inputs, PlanError, assemble, intent_digest};
pub use compare::{Difference, Excess, differences, excess};
pub use digest::design_digest;
pub use file::{read, write};
pub use limits::{Counts, Gate, Limits, Pool, Rollout, Wave};
pub use policy::{Denial, NeededApproval, Policies, PolicyReport};
pub use preview::{PreviewInputs, Version, preview};
pub use rollout::{Canaries, Rules, Share, StrategyChoice, Unavailable, UnavailableOf};
pub use schema::json_schema_of_file;
pub use stale::{Drift, Moved};
pub use types::{Allowance, Digests, FORMAT, FailureRules, OnFailure, Plan, Preview, Sealed};

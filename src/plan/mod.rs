//! The plan: changes, actions, preconditions, guards; a file with a digest.
//!
//! In: changes of [`crate::diff`] and actions of [`crate::graph`]. Out: a plan as a value and as canonical JSON (RFC 8785), which holds no secret.
//! Pure: the same inputs give the same bytes.

mod types;

pub use crate::diff::Goal;
pub use types::{Allowance, Digests, FORMAT, Limits, Plan};

//! The vocabulary of actions: kinds, effect classes, parameters, preconditions.
//!
//! [`crate::diff`], [`crate::graph`], [`crate::plan`], [`crate::run`] and the drivers share it. Pure. Imports `build`.

mod digest;
mod failure;
mod json;
pub mod params;
mod selector;
mod types;

pub(crate) use digest::JsonDigest;
pub use digest::digest_of;
pub use failure::ErrorClass;
pub use json::{Json, canonical, canonical_of};
pub(crate) use json::{Token, Tokens};
pub use selector::{Queried, Remembered, Selectable, Selector, SelectorError};
pub use types::{Action, ActionKind, DriverRole, Effect, Precondition, RetryClass};

//! The vocabulary of actions: kinds, effect classes, parameters, preconditions.
//!
//! [`crate::diff`], [`crate::graph`], [`crate::plan`], [`crate::run`] and the drivers share it. Pure. Imports `build`.

pub mod params;
mod types;

pub use types::{Action, ActionKind, DriverRole, Effect, Precondition, RetryClass};

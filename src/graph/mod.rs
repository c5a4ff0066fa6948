//! Changes to actions and edges.
//!
//! In: changes and the applied model. Out: [`Action`]s, acyclic, every node in its own branch. Pure.

mod action;

pub use action::{Action, ActionKind, DriverRole, Effect, Precondition, RetryClass};

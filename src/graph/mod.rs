//! Changes to actions and edges.
//!
//! In: a [`crate::diff::Comparison`]. Out: [`crate::action::Action`]s in a topological order, every node in its own branch, with edges only between
//! things that need each other. Pure. Imports `build`, `action`, `diff`.

mod branch;
mod construct;
mod hooks;

pub use construct::{Graph, GraphError, GraphOptions, construct};

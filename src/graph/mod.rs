//! Changes to actions and edges.
//!
//! In: changes and the applied model. Out: [`crate::action::Action`]s, acyclic, every node in its own branch. Pure.

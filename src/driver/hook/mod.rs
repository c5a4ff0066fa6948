//! Programs of the site's own around a disruption: to drain a node before it, to check it after.
//!
//! A hook is an argument list, never a shell's text. It runs in a process group of its own, which is killed at its time limit and when drydock is made to stop at once. What the
//! program is told of the node stands in its environment.

mod driver;

#[cfg(test)]
mod tests;

pub use driver::{HookDriver, NAME};

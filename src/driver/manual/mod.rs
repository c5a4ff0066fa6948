//! Machines without a BMC: an operator does what an action says, and confirms it.
//!
//! In: nodes with where they stand, calls for `set_node_boot`, `power_on_node`, `power_off_node`, and [`Confirmations`]. Out: observations. Beginning
//! tells what to do; the action then waits, without a slot, until it is confirmed (`drydock runs confirm`) or its time is over. Who confirmed is an
//! output of the action, so it is in the journal. May import the driver types, `build` and `action`.

mod driver;

#[cfg(test)]
mod tests;

pub use driver::{Confirmations, ManualDriver, ManualNode};

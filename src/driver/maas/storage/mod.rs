//! `apply_node_storage`: from a machine's disks and the wanted layout to the calls between them.
//!
//! In: the machine with its volume groups, and the wanted layout. Out: differences, and steps. A layout that differs anywhere is cleared
//! (MAAS's blank layout; nothing on the disks changes before deployment) and built anew, so a half-way stop is repaired by beginning again.

mod plan;
mod run;

#[cfg(test)]
mod tests;

pub(super) use plan::{differences, plan};

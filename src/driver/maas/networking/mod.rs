//! `apply_node_networking`: from a machine's interfaces and the wanted ones to the calls between them.
//!
//! In: the machine, the wanted configuration, fresh lists of fabrics and subnets. Out: differences, and steps whose order MAAS accepts:
//! first everything is taken away that is not wanted (children before parents, so that addresses are free again), then interfaces are
//! created, then linked, last the default gateway is chosen.

mod plan;
mod run;
mod target;

#[cfg(test)]
mod tests;

pub(super) use plan::{NetStep, differences, plan};
pub(super) use target::targets;

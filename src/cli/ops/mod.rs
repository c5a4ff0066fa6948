//! What several commands share: the design, the simulated site, the drivers, discovery, plans and runs.

pub mod design;

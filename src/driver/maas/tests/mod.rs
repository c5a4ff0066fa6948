//! Against recorded answers of a real MAAS 3.7.3.

mod discovery;
mod failures;
mod machine_actions;
mod machine_setup;
mod removal;
mod server;
mod site_actions;
mod takeover;

use crate::build::{Machine, MachineStatus};

/// A ready machine without interfaces and disks.
pub(super) fn blank_machine() -> Machine {
    Machine { domain: "maas".into(), cpus: 8, memory_mib: 32768, ..Machine::bare("abc123", "node01", MachineStatus::Ready) }
}

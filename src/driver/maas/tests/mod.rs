//! Against recorded answers of a real MAAS 3.7.3.

mod discovery;
mod failures;
mod machine_actions;
mod machine_setup;
mod removal;
mod server;
mod site_actions;
mod takeover;

use crate::build::{Machine, MachineStatus, PowerState};

/// A ready machine without interfaces and disks.
pub(super) fn blank_machine() -> Machine {
    Machine {
        id: "abc123".into(),
        hostname: "node01".into(),
        domain: "maas".into(),
        status: MachineStatus::Ready,
        status_name: "Ready".into(),
        failure: None,
        status_since: None,
        commissioning: None,
        installation: None,
        power: PowerState::Off,
        power_type: None,
        bmc_address: None,
        owner: None,
        locked: false,
        uuid: None,
        serial: None,
        macs: vec![],
        boot_mac: None,
        architecture: "amd64/generic".into(),
        cpus: 8,
        memory_mib: 32768,
        firmware: None,
        interfaces: vec![],
        default_gateway: None,
        disks: vec![],
        boot_disk: None,
        volume_groups: vec![],
        os: String::new(),
        series: String::new(),
        kernel: None,
        min_kernel: None,
        power_error: false,
        pool: None,
        zone: None,
        tags: vec![],
        owner_data: std::collections::BTreeMap::new(),
    }
}

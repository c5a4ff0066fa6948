//! Facts about the parts of a machine, as its BMC reports them.

use serde::{Deserialize, Serialize};

use super::Fact;

/// A processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Name or socket.
    pub name: String,
    /// Model.
    pub model: Option<String>,
    /// Cores.
    pub cores: Option<u32>,
    /// Threads.
    pub threads: Option<u32>,
    /// Health (`OK`, `Warning`, `Critical`).
    pub health: Option<String>,
}

/// A memory module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryModule {
    /// Name or slot.
    pub name: String,
    /// Size in MiB.
    pub size_mib: Option<u64>,
    /// Type (`DDR4`).
    pub kind: Option<String>,
    /// Speed in MHz.
    pub speed_mhz: Option<u32>,
    /// Serial number.
    pub serial: Option<String>,
    /// Health.
    pub health: Option<String>,
}

/// A port of a network interface card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicPort {
    /// Name.
    pub name: String,
    /// MAC address, lower case.
    pub mac: Option<String>,
    /// Speed in Mbit/s.
    pub speed_mbps: Option<u32>,
    /// Whether it has a link.
    pub link: Option<bool>,
    /// Health.
    pub health: Option<String>,
}

/// A drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// Name or bay.
    pub name: String,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// Type (`HDD`, `SSD`).
    pub kind: Option<String>,
    /// Health.
    pub health: Option<String>,
}

/// An entry of a BMC's event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEvent {
    /// When, as the BMC writes it.
    pub at: Option<String>,
    /// Severity (`OK`, `Warning`, `Critical`).
    pub severity: Option<String>,
    /// What.
    pub text: String,
}

/// The parts of a machine. What the BMC does not tell is unknown, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of the BMC's firmware.
    pub bmc_firmware: Option<String>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Processors.
    pub processors: Fact<Vec<Processor>>,
    /// Memory modules.
    pub memory: Fact<Vec<MemoryModule>>,
    /// Ports of NICs.
    pub nics: Fact<Vec<NicPort>>,
    /// Drives.
    pub drives: Fact<Vec<Drive>>,
    /// Parts that are not well, with their health (`drive Bay 3: Critical`), sorted.
    pub alarms: Vec<String>,
    /// The latest events, oldest first.
    pub events: Fact<Vec<LogEvent>>,
}

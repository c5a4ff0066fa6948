//! Facts about a BMC and the system behind it.

use serde::{Deserialize, Serialize};

/// Power state of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// On.
    On,
    /// Off.
    Off,
    /// Between the two.
    Changing,
    /// Not known.
    Unknown,
}

/// How long a boot override lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootEnabled {
    /// No override.
    Disabled,
    /// The next boot only.
    Once,
    /// Every boot.
    Continuous,
}

/// The boot source override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootOverride {
    /// Target as Redfish names it (`Pxe`, `Hdd`, `None`, …).
    pub target: String,
    /// How long it lasts.
    pub enabled: BootEnabled,
    /// `UEFI`, `Legacy`, or absent.
    pub mode: Option<String>,
    /// Targets that may be set.
    pub allowable: Vec<String>,
}

/// What a BMC reports of its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bmc {
    /// Driver name (`redfish`).
    pub driver: String,
    /// Address as the design gives it.
    pub address: String,
    /// Path or id of the system that is the node.
    pub system: String,
    /// System UUID, lower case.
    pub uuid: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// BIOS version.
    pub bios_version: Option<String>,
    /// MACs of the system's NICs, lower case, sorted.
    pub macs: Vec<String>,
    /// Power state.
    pub power: PowerState,
    /// Boot source override.
    pub boot: Option<BootOverride>,
    /// Reset types that are offered.
    pub reset_types: Vec<String>,
    /// Health (`OK`, `Warning`, `Critical`).
    pub health: Option<String>,
}

//! Facts about a BMC and the system behind it.

use serde::{Deserialize, Serialize};

use super::Inventory;

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
    /// Driver name (`redfish`, `ipmi`, `libvirt`, `manual`).
    pub driver: String,
    /// Address as the design gives it; empty where there is no BMC and a person acts.
    pub address: String,
    /// Path or id of the system that is the node.
    pub system: String,
    /// System UUID, lower case.
    pub uuid: Option<String>,
    /// The BMC's own GUID, lower case, where it does not say whether that is the system UUID (IPMI). Equal to a system UUID it is evidence for a
    /// machine; different from one it is evidence of nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
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
    /// When it was last switched on or reset, as the BMC writes it. In no file: it is of the moment.
    #[serde(skip)]
    pub last_reset: Option<String>,
    /// Parts, health and events; absent where nobody asked, or the driver does not read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

impl Bmc {
    /// A system of which nothing is known but who drives it, and where.
    pub fn unread(driver: &str, address: String, system: String) -> Self {
        Self {
            driver: driver.to_owned(),
            address,
            system,
            uuid: None,
            guid: None,
            serial: None,
            manufacturer: None,
            model: None,
            bios_version: None,
            macs: Vec::new(),
            power: PowerState::Unknown,
            boot: None,
            reset_types: Vec::new(),
            health: None,
            last_reset: None,
            inventory: None,
        }
    }
}

/// A reading of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Name.
    pub name: String,
    /// State (`ok`, `nc`, `cr`, `nr` in IPMI).
    pub state: String,
    /// Reading with its unit.
    pub reading: String,
}

/// What a BMC says about how its machine does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BmcHealth {
    /// Version of the BMC's firmware.
    pub firmware: Option<String>,
    /// Sensors that are fitted.
    pub sensors: Vec<Sensor>,
    /// The latest events, oldest first.
    pub events: Vec<String>,
}

//! What can be set on the Redfish driver.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::driver::http::HttpOptions;

/// How a node's firmware boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootMode {
    /// UEFI.
    Uefi,
    /// Legacy BIOS.
    Legacy,
}

impl BootMode {
    /// As Redfish names it (`BootSourceOverrideMode`).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uefi => "UEFI",
            Self::Legacy => "Legacy",
        }
    }
}

/// Which certificates one BMC may have, instead of those of [`HttpOptions`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Trust {
    /// PEM file with certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints that are accepted.
    pub pinned_sha256: Vec<String>,
}

/// Settings of the Redfish driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedfishOptions {
    /// TLS, time limits, repetition.
    pub http: HttpOptions,
    /// Trust of single BMCs, by the address that the design gives them.
    pub trust: BTreeMap<String, Trust>,
    /// How firmware boots, by node; the BMC's own setting is left alone for others.
    pub boot_modes: BTreeMap<String, BootMode>,
    /// How many BMCs are talked to at once.
    pub parallel: usize,
    /// How many requests one BMC has at once.
    pub per_bmc: usize,
    /// How long after an order the old state counts as in progress.
    pub settle: Duration,
    /// How often waiters are polled.
    pub poll: Duration,
    /// How long one BMC may take to be observed; the others wait for it no longer than this.
    pub observe_limit: Duration,
    /// Pause before a boot source that was set but does not show yet is read once more.
    pub confirm_pause: Duration,
}

impl Default for RedfishOptions {
    fn default() -> Self {
        Self {
            http: HttpOptions {
                connect_timeout: Duration::from_secs(5),
                read_timeout: Duration::from_secs(30),
                deadline: Duration::from_secs(30),
                // The largest resources of a BMC are a few hundred kilobytes.
                max_body: 8 << 20,
                attempts: 3,
                ..HttpOptions::default()
            },
            trust: BTreeMap::new(),
            boot_modes: BTreeMap::new(),
            parallel: 128,
            per_bmc: 1,
            settle: Duration::from_secs(30),
            poll: Duration::from_secs(3),
            observe_limit: Duration::from_secs(15),
            confirm_pause: Duration::from_secs(1),
        }
    }
}

//! Classes of failure, shared by drivers, journal and reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure an error is; decides retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Network trouble, 5xx, time-outs: the same call may succeed later.
    Transient,
    /// The other side is busy with something else (409 locked, 503, 429).
    Busy,
    /// The thing is not there yet or not in the state that the call needs.
    NotReady,
    /// The other side refuses these parameters for good.
    Rejected,
    /// Our own settings do not fit: a URL, a CA file, TLS trust, a driver that is not configured. Nothing was refused by the site.
    Settings,
    /// Wrong or missing credentials.
    Credentials,
    /// The site is not as the plan says; nothing was done.
    Precondition,
    /// The machine tried and failed (failed commissioning, failed deployment).
    Failed,
    /// The time limit passed.
    Timeout,
    /// The outcome cannot be told; a person must look.
    Inconclusive,
    /// A defect of drydock, or a plan of another version of it. Nothing was refused by the site.
    Bug,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 11] = [
        Self::Transient,
        Self::Busy,
        Self::NotReady,
        Self::Rejected,
        Self::Settings,
        Self::Credentials,
        Self::Precondition,
        Self::Failed,
        Self::Timeout,
        Self::Inconclusive,
        Self::Bug,
    ];

    /// Whether waiting and repeating may help.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Transient | Self::Busy | Self::NotReady)
    }
}

//! Settings: `drydock.yaml` of a site folder.
//!
//! In: the text of `drydock.yaml`. Out: [`Settings`], or problems with `file:line:column` and what to do. Unknown keys are errors with a suggestion;
//! secrets are references that [`crate::secret`] resolves, never values. Imports `action`, `plan` and `yaml`.

mod error;
mod load;
mod types;
mod units;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Problem};
pub use load::{DEFAULT_STATE, SETTINGS_FILE, load, parse};
pub use types::{
    Credentials, DesignEntry, Drivers, FailureLimit, Guards, LimitSettings, MaasSettings, OobOverride, OobSettings, PeglegEntry,
    RedfishSettings, SecretRef, Settings, Transport, UrlEntry,
};
pub use units::{Minutes, TimeSpan};

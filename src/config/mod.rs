//! Settings: `drydock.yaml` of a site folder.
//!
//! In: the text of `drydock.yaml`. Out: [`Settings`], or problems with `file:line:column` and what to do. Unknown keys are errors with a suggestion;
//! secrets are references that [`crate::secret`] resolves, never values. Imports `action`, `check`, `diff`, `plan`, `run` and `yaml`.

mod design;
mod error;
mod failures;
mod guards;
mod hooks;
mod limits;
mod load;
mod machines;
mod rules;
mod schema;
mod state;
mod types;
mod units;

#[cfg(test)]
mod tests;

pub use design::{DesignEntry, PeglegEntry, UrlEntry};
pub use error::{ConfigError, Problem};
pub use failures::Retries;
pub use guards::{
    ApprovalEntry, ApprovalSettings, Consequence, Day, EffectClass, Guards, HoursGuard, LimitGuard, RequiredGuard, TimeOfDay,
};
pub use hooks::{HookSettings, Hooks};
pub use limits::{
    ByKind, CanarySettings, FailureLimit, GateSettings, LimitSettings, NodeShare, Per, RolloutSettings, StrategySetting,
    UnavailableSettings,
};
pub use load::{DEFAULT_STATE, SETTINGS_FILE, load, parse};
pub use machines::{MachineRule, NodeSelector};
pub use schema::settings_schema;
pub use state::{PostgresSettings, PostgresUrl, SslMode, StateSettings, UrlSource, WrongUrl};
pub use types::{
    BootModeSetting, Credentials, Drivers, IpmiPrivilege, IpmiSettings, LibvirtSettings, MaasSettings, OobOverride, OobSettings,
    ProxySettings, RedfishSettings, SecretRef, ServiceSettings, Settings, TelemetrySettings, TraceSettings, Transport, VerifySettings,
};
pub use units::{ByteCount, Minutes, TimeSpan, parse_span};

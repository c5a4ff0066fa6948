//! The settings as values. `docs/settings.md` describes every key for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::failures::{OnFailureSetting, Retries, Timeouts, on_failure};
use super::guards::{ApprovalSettings, Guards};
use super::hooks::Hooks;
use super::limits::{LimitSettings, RolloutSettings};
use super::machines::{MachineRule, NodeSelector};
use super::rules::Rules;
use super::{ByteCount, DesignEntry, StateSettings, TimeSpan};
use crate::action::ActionKind;
use crate::action::params::ConfigureHardware;
use crate::check::Policy;
use crate::plan::{OnFailure, Policies};

/// All settings of a site.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that relative paths are relative to.
    pub root: PathBuf,
    /// The settings file as shown to people.
    pub shown: String,
    /// Text of the file, for sections that another module decodes.
    pub(super) text: Arc<str>,
    /// Expected name of the Region document.
    pub site: Option<String>,
    /// Where the design comes from; paths are relative to `root`.
    pub design: Vec<DesignEntry>,
    /// Where the state is.
    pub state: StateSettings,
    /// What talks to the site.
    pub drivers: Drivers,
    /// Limits of a run.
    pub limits: LimitSettings,
    /// Who goes first, and who may be unavailable at once.
    pub rollout: RolloutSettings,
    /// Conditions under which no plan is made.
    pub guards: Guards,
    /// What is asked of every plan: `guards`, `protect` and `approval`.
    pub policies: Policies,
    /// Public keys that no longer count for approvals, relative to `root`.
    pub revoked: Option<PathBuf>,
    /// The commit, branch or tag that the policies are read at; `None` is the file on disk.
    pub policy_ref: Option<String>,
    /// Time limits by kind of action, where they differ from the default.
    pub timeouts: BTreeMap<ActionKind, std::time::Duration>,
    /// Time limits without progress by kind of action, where they differ from the default.
    pub no_progress: BTreeMap<ActionKind, std::time::Duration>,
    /// How long failures are tried again.
    pub retries: Retries,
    /// What becomes of a node whose branch failed.
    pub on_failure: OnFailure,
    /// Programs of the site's own around disruptions.
    pub hooks: Hooks,
    /// What `verify` looks at beside the site itself.
    pub verify: VerifySettings,
    /// Where traces of runs go.
    pub telemetry: TelemetrySettings,
    /// How bad findings of single rules are.
    pub rules: Policy,
    /// URL of the pages of rules, with `{code}` in place of the rule's code.
    pub rule_pages: Option<String>,
    /// Whether there is a `simulate:` section; [`Settings::simulate`] decodes it.
    pub simulated: bool,
}

/// `drivers:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Drivers {
    /// The provisioner.
    pub maas: MaasSettings,
    /// How nodes are driven, whatever their documents say.
    pub oob: OobSettings,
    /// BMCs that speak Redfish.
    pub redfish: RedfishSettings,
    /// BMCs that speak IPMI.
    pub ipmi: IpmiSettings,
    /// Virtual machines.
    pub libvirt: LibvirtSettings,
}

/// `drivers.maas:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MaasSettings {
    /// Base URL (`https://maas.example.net/MAAS`).
    pub url: Option<String>,
    /// The API key `consumer:token:secret`.
    pub api_key: Option<SecretRef>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    pub pinned_sha256: Vec<String>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to hosts other than loopback.
    pub allow_plain_http: bool,
    /// How often waiting actions are polled.
    pub poll_interval: Option<TimeSpan>,
    /// How long a request may take, with its repetitions.
    pub request_timeout: Option<TimeSpan>,
    /// Whether region-wide things (tags, keys, repositories, domains) are ours alone, so that those that differ may be changed.
    pub owns_region: bool,
    /// How many requests are in flight at once; 16 if not given.
    pub max_requests: Option<std::num::NonZeroU16>,
    /// Whether power type, BMC address and credentials of machines in MAAS are set from the design.
    pub manage_power: bool,
    /// Whether MAAS' record of a released machine is deleted.
    pub delete_released: bool,
    /// How machines are commissioned.
    pub commissioning: CommissioningSettings,
    /// Pool, zone and oldest kernel of machines; of each the first entry that selects the node and says it.
    pub machines: Vec<MachineRule>,
    /// Spaces of networks: name of the space → names of networks, whose VLANs are put into it.
    pub spaces: BTreeMap<String, Vec<String>>,
    /// The proxy that it is reached through.
    pub proxy: Option<ProxySettings>,
}

/// `drivers.maas.commissioning:`. What is not given is MAAS' own choice.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CommissioningSettings {
    /// Commissioning scripts, or tags of scripts, to run.
    pub scripts: Vec<String>,
    /// Tests, or tags of tests, to run; an empty list runs none.
    pub testing: Option<Vec<String>>,
    /// Parameters of scripts by name (`smartctl-validate_storage: sda`).
    pub parameters: BTreeMap<String, String>,
    /// Leave the machine on with SSH afterwards.
    pub enable_ssh: bool,
    /// Leave the BMC's settings as they are.
    pub skip_bmc_config: bool,
}

impl CommissioningSettings {
    /// As parameters of an action.
    pub fn parameters(&self) -> ConfigureHardware {
        ConfigureHardware {
            again_after: None,
            commissioning_scripts: self.scripts.clone(),
            enable_ssh: self.enable_ssh,
            parameters: self.parameters.clone(),
            skip_bmc_config: self.skip_bmc_config,
            testing_scripts: self.testing.clone(),
        }
    }
}

/// `drivers.oob:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OobSettings {
    /// Drive nodes of every out-of-band type with this driver.
    #[serde(rename = "override")]
    pub override_with: Option<OobOverride>,
}

/// A driver that `drivers.oob.override` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OobOverride {
    /// Redfish.
    Redfish,
}

/// `drivers.redfish:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedfishSettings {
    /// URL of a BMC, with `{address}` where its address stands; `https://{address}` if not given.
    pub url: Option<String>,
    /// URLs of single BMCs by the address that the design gives them.
    pub endpoints: BTreeMap<String, String>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    pub pinned_sha256: Vec<String>,
    /// Certificates of single BMCs by the address that the design gives them, instead of those above.
    pub certificates: BTreeMap<String, CertificateSettings>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to hosts other than loopback.
    pub allow_plain_http: bool,
    /// BMCs that are talked to at once; 128 if not given.
    pub parallel: Option<std::num::NonZeroU16>,
    /// How often waiting actions are polled.
    pub poll_interval: Option<TimeSpan>,
    /// How long a request may take, with its repetitions.
    pub request_timeout: Option<TimeSpan>,
    /// Credentials of nodes whose documents give none.
    pub credentials: Option<Credentials>,
    /// The proxy that BMCs are reached through.
    pub proxy: Option<ProxySettings>,
}

/// `drivers.redfish.certificates.ADDRESS:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateSettings {
    /// PEM file with certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints that are accepted.
    pub pinned_sha256: Vec<String>,
}

/// `drivers.ipmi:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IpmiSettings {
    /// Name or path of `ipmitool`.
    pub program: Option<PathBuf>,
    /// Where single BMCs are (`HOST` or `HOST:PORT`), by the address that the design gives them.
    pub endpoints: BTreeMap<String, String>,
    /// Cipher suites to try, in order; [17, 3] if not given.
    pub cipher_suites: Option<Vec<u8>>,
    /// Privilege level of sessions; administrator if not given.
    pub privilege: Option<IpmiPrivilege>,
    /// How firmware boots, where the hardware profile does not say; uefi if not given.
    pub boot_mode: Option<BootModeSetting>,
    /// Commands that run at once; each is a process.
    pub parallel: Option<u32>,
    /// How often waiting actions are polled.
    pub poll_interval: Option<TimeSpan>,
    /// How long a command may take; what runs longer is killed.
    pub request_timeout: Option<TimeSpan>,
    /// Credentials of nodes whose documents give none.
    pub credentials: Option<Credentials>,
}

/// `drivers.libvirt:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LibvirtSettings {
    /// Name or path of `virsh`.
    pub program: Option<PathBuf>,
    /// How often waiting actions are polled.
    pub poll_interval: Option<TimeSpan>,
    /// How long a command may take; what runs longer is killed.
    pub request_timeout: Option<TimeSpan>,
    /// Name or path of `ssh`, for hypervisors that are reached over it.
    pub ssh: Option<PathBuf>,
    /// The host that hypervisors are reached through over SSH: `[USER@]HOST[:PORT]`, several with commas between.
    pub jump: Option<String>,
}

/// `drivers.maas.proxy:`, `drivers.redfish.proxy:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySettings {
    /// Where the proxy is: `http://`, `https://`, `socks5://` or `socks5h://`, host and port.
    pub url: String,
    /// User name at the proxy.
    pub username: Option<String>,
    /// Password at the proxy.
    pub password: Option<SecretRef>,
}

/// `verify:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerifySettings {
    /// Services of the next step, which `verify site` asks.
    pub services: Vec<ServiceSettings>,
    /// How far clocks may be apart; 10s if not given.
    pub clock_skew: Option<TimeSpan>,
    /// How much space should be free where drydock writes; 1GiB if not given.
    pub free_space: Option<ByteCount>,
}

/// `verify.services[]:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// Name in the report.
    pub name: String,
    /// What is asked, with GET and without credentials.
    pub url: String,
    /// The status that it answers when it is well; any below 400 if not given.
    pub status: Option<u16>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    #[serde(default)]
    pub pinned_sha256: Vec<String>,
    /// Accept any certificate.
    #[serde(default)]
    pub insecure_skip_tls_verify: bool,
    /// How long an answer may take; 10s if not given.
    pub request_timeout: Option<TimeSpan>,
    /// The proxy that it is reached through.
    pub proxy: Option<ProxySettings>,
}

/// `telemetry:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Runs as traces; without it the environment (`OTEL_EXPORTER_OTLP_ENDPOINT`) decides.
    pub traces: Option<TraceSettings>,
}

/// `telemetry.traces:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceSettings {
    /// Base URL of a collector of OpenTelemetry that speaks OTLP over HTTP (`https://collector.example.net:4318`); `/v1/traces` is added.
    pub endpoint: String,
    /// Headers of each request, such as `Authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, SecretRef>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    #[serde(default)]
    pub pinned_sha256: Vec<String>,
    /// Accept any certificate.
    #[serde(default)]
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to other hosts than this one.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// How long a request may take; 10s if not given.
    pub request_timeout: Option<TimeSpan>,
    /// The proxy that it is reached through.
    pub proxy: Option<ProxySettings>,
}

/// `drivers.ipmi.privilege:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IpmiPrivilege {
    /// May switch power.
    Operator,
    /// May do everything.
    Administrator,
}

/// `drivers.ipmi.boot_mode:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BootModeSetting {
    /// PC compatible.
    Bios,
    /// EFI.
    Uefi,
}

/// User name and password.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: SecretRef,
}

/// What a driver's connection is told, in the settings' own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// PEM file with certificates to trust instead of the system's, absolute or relative to the working directory.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    pub pinned_sha256: Vec<String>,
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to hosts other than loopback.
    pub allow_plain_http: bool,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `{env: NAME}`: an environment variable.
    Env(String),
    /// `{file: path}`: a file, relative to the folder of the settings.
    File(PathBuf),
    /// `{command: [program, argument, …]}`: what a program prints; no shell is involved.
    Command(Vec<String>),
}

/// The file as serde sees it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) site: Option<String>,
    pub(super) design: Vec<DesignEntry>,
    pub(super) state: StateSettings,
    pub(super) drivers: Drivers,
    pub(super) limits: LimitSettings,
    pub(super) rollout: RolloutSettings,
    pub(super) guards: Guards,
    /// Nodes that nothing is done to with effect reboot or higher, also after their documents are gone
    pub(super) protect: Vec<NodeSelector>,
    /// Who has to approve plans
    pub(super) approval: ApprovalSettings,
    pub(super) timeouts: Timeouts,
    pub(super) retries: Retries,
    /// What becomes of a node whose branch failed; leave if not given.
    #[schemars(with = "OnFailureSetting")]
    #[serde(deserialize_with = "on_failure")]
    pub(super) on_failure: OnFailure,
    pub(super) hooks: Hooks,
    pub(super) verify: VerifySettings,
    pub(super) telemetry: TelemetrySettings,
    pub(super) rules: Rules,
    /// Where pages of rules are published, for links in reports: a URL with `{code}`
    pub(super) rule_pages: Option<String>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub(super) simulate: bool,
}

impl Default for File {
    fn default() -> Self {
        Self {
            site: None,
            design: vec![DesignEntry::Path(PathBuf::from("design"))],
            state: StateSettings::File(PathBuf::from(super::load::DEFAULT_STATE)),
            drivers: Drivers::default(),
            limits: LimitSettings::default(),
            rollout: RolloutSettings::default(),
            guards: Guards::default(),
            protect: Vec::new(),
            approval: ApprovalSettings::default(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            on_failure: OnFailure::default(),
            hooks: Hooks::default(),
            verify: VerifySettings::default(),
            telemetry: TelemetrySettings::default(),
            rules: Rules::default(),
            rule_pages: None,
            simulate: false,
        }
    }
}

/// The section is there; another module decodes it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

const SECRET_FORMS: &str =
    "a secret is never written here; name where it comes from: {env: NAME}, {file: path} or {command: [program, argument]}";

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference to a secret: {env: NAME}, {file: path} or {command: [program, argument]}")
            }

            // The default methods would quote the value, which is probably the secret itself.
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_i128<E: de::Error>(self, _: i128) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_u128<E: de::Error>(self, _: u128) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_unit<E: de::Error>(self) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_FORMS))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<SecretRef, A::Error> {
                Err(de::Error::custom(SECRET_FORMS))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
                const FIELDS: &[&str] = &["env", "file", "command"];
                let Some(key) = map.next_key::<String>()? else { return Err(de::Error::custom(SECRET_FORMS)) };
                let found = match key.as_str() {
                    "env" => SecretRef::Env(map.next_value()?),
                    "file" => SecretRef::File(map.next_value()?),
                    "command" => SecretRef::Command(map.next_value()?),
                    other => return Err(de::Error::unknown_field(other, FIELDS)),
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom("a reference to a secret has one key: `env`, `file` or `command`"));
                }
                match &found {
                    SecretRef::Command(argv) if argv.first().is_none_or(String::is_empty) => {
                        Err(de::Error::custom("`command` needs at least the program: {command: [program, argument]}"))
                    }
                    SecretRef::Env(name) if name.is_empty() || name.contains(['=', '\0']) => {
                        Err(de::Error::custom("`env` needs the name of an environment variable"))
                    }
                    _ => Ok(found),
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}

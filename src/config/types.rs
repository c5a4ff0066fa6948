//! The settings as values. `docs/settings.md` describes every key for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Minutes, TimeSpan};
use crate::action::ActionKind;
use crate::plan::Limits;

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
    /// State file, relative to `root`.
    pub state: PathBuf,
    /// What talks to the site.
    pub drivers: Drivers,
    /// Limits of a run.
    pub limits: LimitSettings,
    /// Conditions under which no plan is made.
    pub guards: Guards,
    /// Time limits by kind of action, where they differ from the default.
    pub timeouts: BTreeMap<ActionKind, std::time::Duration>,
    /// Whether there is a `simulate:` section; [`Settings::simulate`] decodes it.
    pub simulated: bool,
}

/// A member of `design:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesignEntry {
    /// A file or directory.
    Path(PathBuf),
    /// `pegleg:`: a site of a tree in the Pegleg layout.
    Pegleg(PeglegEntry),
    /// `url:`: one file of an HTTP server.
    Url(UrlEntry),
    /// `deckhand:`: a revision of a Deckhand server, rendered by it.
    Deckhand(UrlEntry),
}

/// `design[].pegleg:`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeglegEntry {
    /// The folder with `site/`.
    #[serde(default = "here")]
    pub root: PathBuf,
    /// The site; `--site` if not given.
    pub site: Option<String>,
    /// Local folders that stand for repositories that the site definition names.
    #[serde(default)]
    pub repositories: BTreeMap<String, PathBuf>,
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

/// Where text is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlEntry {
    /// The URL, without credentials.
    pub url: String,
    /// What is sent as bearer token, or to Deckhand as Keystone token.
    pub token: Option<SecretRef>,
    /// How to connect, as written: paths are relative to the settings.
    pub transport: Transport,
}

/// `drivers:`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drivers {
    /// The provisioner.
    pub maas: MaasSettings,
    /// How nodes are driven, whatever their documents say.
    pub oob: OobSettings,
    /// BMCs that speak Redfish.
    pub redfish: RedfishSettings,
}

/// `drivers.maas:`.
#[derive(Debug, Clone, Default, Deserialize)]
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
    /// Whether region-wide things (tags, keys, repositories, domains) are ours alone, so that those that differ may be changed.
    pub owns_region: bool,
}

/// `drivers.oob:`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OobSettings {
    /// Drive nodes of every out-of-band type with this driver.
    #[serde(rename = "override")]
    pub override_with: Option<OobOverride>,
}

/// A driver that `drivers.oob.override` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OobOverride {
    /// Redfish.
    Redfish,
}

/// `drivers.redfish:`.
#[derive(Debug, Clone, Default, Deserialize)]
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
    /// Accept any certificate.
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to hosts other than loopback.
    pub allow_plain_http: bool,
    /// How often waiting actions are polled.
    pub poll_interval: Option<TimeSpan>,
    /// Credentials of nodes whose documents give none.
    pub credentials: Option<Credentials>,
}

/// User name and password.
#[derive(Debug, Clone, Deserialize)]
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

/// `limits:`. What is not given has the default of [`LimitSettings::resolve`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Nodes whose branch may be in flight at once.
    pub nodes_in_flight: Option<u32>,
    /// Driver calls in flight at once.
    pub parallelism: Option<u32>,
    /// Power-ups at once per rack.
    pub power_ups_per_rack: Option<u32>,
    /// Nodes of a rack that may be unavailable at once.
    pub unavailable_per_rack: Option<u32>,
    /// Failed nodes after which no new branch is started.
    pub max_failures: Option<FailureLimit>,
}

/// A number of failed nodes, or a share of the site's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureLimit {
    /// That many.
    Count(u32),
    /// Percent of all nodes, rounded up.
    Percent(u32),
}

impl LimitSettings {
    /// The limits of a plan for a site with this many nodes. Defaults: 10 nodes in flight, 32 calls, 2 power-ups and 1 unavailable node per rack, and the
    /// larger of 3 and 5 % failed nodes.
    pub fn resolve(&self, nodes: usize) -> Limits {
        let percent = |p: u32| u32::try_from((nodes as u64 * u64::from(p)).div_ceil(100)).unwrap_or(u32::MAX);
        Limits {
            nodes_in_flight: self.nodes_in_flight.unwrap_or(10),
            parallelism: self.parallelism.unwrap_or(32),
            power_ups_per_rack: self.power_ups_per_rack.unwrap_or(2),
            unavailable_per_rack: self.unavailable_per_rack.unwrap_or(1),
            max_failures: match self.max_failures {
                None => percent(5).max(3),
                Some(FailureLimit::Count(n)) => n,
                Some(FailureLimit::Percent(p)) => percent(p).max(1),
            },
        }
    }
}

/// `guards:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// Percent of the nodes last seen deployed that may be absent; above it no plan is made.
    pub max_absent: u32,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_absent: 10 }
    }
}

/// The file as serde sees it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) site: Option<String>,
    pub(super) design: Vec<DesignEntry>,
    pub(super) state: PathBuf,
    pub(super) drivers: Drivers,
    pub(super) limits: LimitSettings,
    pub(super) guards: Guards,
    pub(super) timeouts: Timeouts,
    #[serde(deserialize_with = "present")]
    pub(super) simulate: bool,
}

impl Default for File {
    fn default() -> Self {
        Self {
            site: None,
            design: vec![DesignEntry::Path(PathBuf::from("design"))],
            state: PathBuf::from(super::load::DEFAULT_STATE),
            drivers: Drivers::default(),
            limits: LimitSettings::default(),
            guards: Guards::default(),
            timeouts: Timeouts::default(),
            simulate: false,
        }
    }
}

/// The section is there; another module decodes it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// `timeouts:`: kind of action → time limit.
#[derive(Debug, Default)]
pub(super) struct Timeouts(pub(super) BTreeMap<ActionKind, std::time::Duration>);

impl<'de> Deserialize<'de> for Timeouts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Timeouts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from kinds of actions to durations, such as `deploy_node: 45m`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timeouts, A::Error> {
                let mut out = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let Some(kind) = ActionKind::ALL.iter().copied().find(|k| k.name() == name) else {
                        let names: Vec<String> = ActionKind::ALL.iter().map(|k| format!("`{}`", k.name())).collect();
                        return Err(de::Error::custom(format!("unknown field `{name}`, expected one of {}", names.join(", "))));
                    };
                    out.insert(kind, map.next_value::<Minutes>()?.0);
                }
                Ok(Timeouts(out))
            }
        }
        deserializer.deserialize_map(V)
    }
}

impl<'de> Deserialize<'de> for FailureLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = FailureLimit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of nodes (`3`) or a share of them (`5%`)")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<FailureLimit, E> {
                match u32::try_from(number) {
                    Ok(number) if number > 0 => Ok(FailureLimit::Count(number)),
                    _ => Err(E::custom("must be at least 1")),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FailureLimit, E> {
                let text = text.trim();
                let wrong = || E::custom(format!("`{text}` is neither a number of nodes (`3`) nor a share of them (`5%`)"));
                if let Some(percent) = text.strip_suffix('%') {
                    let percent: u32 = percent.trim().parse().map_err(|_| wrong())?;
                    return if (1..=100).contains(&percent) { Ok(FailureLimit::Percent(percent)) } else { Err(wrong()) };
                }
                text.parse().ok().filter(|n| *n > 0).map(FailureLimit::Count).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(V)
    }
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

/// `{pegleg: …}`, `{url: …}` or `{deckhand: …}` with what belongs to them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DesignMapping {
    pegleg: Option<PeglegEntry>,
    url: Option<String>,
    deckhand: Option<DeckhandMapping>,
    token: Option<SecretRef>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    pinned_sha256: Vec<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    #[serde(default)]
    allow_plain_http: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeckhandMapping {
    url: String,
    revision: Option<u64>,
    token: Option<SecretRef>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    pinned_sha256: Vec<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    #[serde(default)]
    allow_plain_http: bool,
}

impl DeckhandMapping {
    fn entry<E: de::Error>(self) -> Result<DesignEntry, E> {
        let base = self.url.strip_prefix("deckhand+").unwrap_or(&self.url).trim_end_matches('/');
        let url = match self.revision {
            Some(revision) if base.contains("/revisions/") => {
                return Err(E::custom(format!("`deckhand` has `revision: {revision}` and a URL of a revision; write one of them")));
            }
            Some(revision) => format!("{base}/revisions/{revision}/rendered-documents"),
            None if base.ends_with("/rendered-documents") => base.to_owned(),
            None => {
                return Err(E::custom("`deckhand` needs `revision: NUMBER`, or a URL that ends with revisions/NUMBER/rendered-documents"));
            }
        };
        let Self { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http, .. } = self;
        let transport = Transport { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http };
        Ok(DesignEntry::Deckhand(UrlEntry { url, token: self.token, transport }))
    }
}

impl DesignEntry {
    /// A path or URL as it is written on the command line and in `design:`.
    ///
    /// # Errors
    /// For a Deckhand URL without a revision.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("deckhand+") {
            let mapping = DeckhandMapping {
                url: text["deckhand+".len()..].to_owned(),
                revision: None,
                token: None,
                ca_file: None,
                pinned_sha256: Vec::new(),
                insecure_skip_tls_verify: false,
                allow_plain_http: false,
            };
            return mapping.entry::<de::value::Error>().map_err(|e| e.to_string());
        }
        if lower.starts_with("http://") || lower.starts_with("https://") {
            return Ok(Self::Url(UrlEntry { url: text.to_owned(), token: None, transport: Transport::default() }));
        }
        Ok(Self::Path(PathBuf::from(text)))
    }
}

impl<'de> Deserialize<'de> for DesignEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = DesignEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a URL, {pegleg: …}, {url: …} or {deckhand: …}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DesignEntry, E> {
                DesignEntry::from_text(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DesignEntry, A::Error> {
                let mapping = DesignMapping::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let DesignMapping { pegleg, url, deckhand, token, ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http } =
                    mapping;
                let transport = Transport { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http };
                let bare = token.is_none() && transport == Transport::default();
                match (pegleg, url, deckhand) {
                    (None, Some(url), None) => Ok(DesignEntry::Url(UrlEntry { url, token, transport })),
                    (Some(pegleg), None, None) if bare => Ok(DesignEntry::Pegleg(pegleg)),
                    (None, None, Some(deckhand)) if bare => deckhand.entry(),
                    (Some(_), None, None) => {
                        Err(de::Error::custom("`pegleg` reads folders; `token` and TLS settings do not belong beside it"))
                    }
                    (None, None, Some(_)) => Err(de::Error::custom("`token` and TLS settings of `deckhand` stand inside of it")),
                    _ => Err(de::Error::custom("a member of `design` has one of `pegleg`, `url` and `deckhand`")),
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}

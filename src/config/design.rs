//! Where a design comes from: the members of `design:`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::types::{SecretRef, Transport};

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
    /// `-` on the command line: standard input.
    Stdin,
}

/// `design[].pegleg:`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeckhandMapping {
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
    /// An argument of the command line: as [`DesignEntry::from_text`], and `-` is standard input.
    ///
    /// # Errors
    /// For a Deckhand URL without a revision.
    pub fn from_argument(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::Stdin) } else { Self::from_text(text) }
    }

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

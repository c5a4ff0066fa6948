//! What can be set on an HTTP client.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::message::shown_url;
use crate::driver::permit::Permit;
use crate::redact::Secret;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http://`, `https://`, `socks5://` (names are resolved here) or `socks5h://` (there), host and port.
    pub url: String,
    /// User name and password at the proxy.
    pub credentials: Option<(String, Secret)>,
}

impl Proxy {
    /// Where it is, for people: without what may be secret.
    pub(super) fn shown(&self) -> String {
        Url::parse(&self.url).map_or_else(|_| "that is set".to_owned(), |url| shown_url(&url))
    }
}

/// Settings of an HTTP client. `Default` is what production wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// PEM file with the certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say (name, issuer, time): 64 hex digits, colons allowed.
    /// With fingerprints and no CA file nothing else is accepted.
    pub pinned_sha256: Vec<String>,
    /// Accept any certificate. Traffic, passwords included, can then be read and changed by whoever sits between.
    pub insecure_skip_tls_verify: bool,
    /// Accept `http://` to hosts other than loopback.
    pub allow_plain_http: bool,
    /// The proxy that every request goes through, but for those to this very machine; proxies that the environment names are never used.
    pub proxy: Option<Proxy>,
    /// Limit for opening a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest silence while an answer is read.
    pub read_timeout: Duration,
    /// Limit for a request with its repetitions.
    pub deadline: Duration,
    /// Largest answer body in bytes.
    pub max_body: usize,
    /// How often a request that may be repeated is sent at most; 1 never repeats.
    pub attempts: u32,
    /// Pause before the first repetition; it doubles each time, with jitter.
    pub backoff: Duration,
    /// `User-Agent` header.
    pub user_agent: String,
    /// Without it nothing is sent.
    pub permit: Permit,
}

impl HttpOptions {
    /// Sets the limit for a request with its repetitions. A server that is silent for so long does not answer at all.
    pub fn set_request_timeout(&mut self, limit: Duration) {
        self.deadline = limit;
        self.read_timeout = limit;
        self.connect_timeout = self.connect_timeout.min(limit);
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            ca_file: None,
            pinned_sha256: Vec::new(),
            insecure_skip_tls_verify: false,
            allow_plain_http: false,
            proxy: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(1),
            deadline: Duration::from_mins(2),
            max_body: 64 << 20,
            attempts: 4,
            backoff: Duration::from_millis(250),
            user_agent: concat!("drydock/", env!("CARGO_PKG_VERSION")).to_owned(),
            permit: Permit::default(),
        }
    }
}

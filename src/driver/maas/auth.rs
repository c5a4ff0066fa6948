//! OAuth 1.0 with the PLAINTEXT signature, as MAAS wants it (RFC 5849, section 3.4.4).

use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::driver::{DriverError, ErrorClass};
use crate::redact::Secret;

/// A MAAS API key: consumer key, token key and token secret.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    consumer: Secret,
    token: Secret,
    secret: Secret,
}

impl ApiKey {
    /// Reads `consumer:token:secret`.
    pub(super) fn parse(key: &Secret) -> Result<Self, DriverError> {
        let mut parts = key.expose().trim().split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(consumer), Some(token), Some(secret), None) if [consumer, token, secret].iter().all(|p| !p.is_empty()) => {
                Ok(Self { consumer: Secret::new(consumer), token: Secret::new(token), secret: Secret::new(secret) })
            }
            _ => Err(DriverError::new(ErrorClass::Credentials, "the MAAS API key does not have the form consumer:token:secret")
                .hint("copy it from the user's preferences in MAAS, or from `maas apikey --username USER`")),
        }
    }

    /// What must never appear in a message.
    pub(super) fn secrets(&self) -> [Secret; 3] {
        [self.secret.clone(), self.token.clone(), self.consumer.clone()]
    }

    /// The `Authorization` header of one request. Every call gives another nonce: MAAS refuses one that it has seen.
    pub(super) fn header(&self, nonces: &Nonces) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.header_with(&nonces.next(), now)
    }

    fn header_with(&self, nonce: &str, timestamp: u64) -> String {
        // The signature is `consumer secret & token secret`, each encoded, and MAAS has no consumer secret.
        let signature = format!("&{}", encode(self.secret.expose()));
        let fields = [
            ("oauth_version", "1.0".to_owned()),
            ("oauth_signature_method", "PLAINTEXT".to_owned()),
            ("oauth_consumer_key", encode(self.consumer.expose())),
            ("oauth_token", encode(self.token.expose())),
            ("oauth_signature", encode(&signature)),
            ("oauth_nonce", nonce.to_owned()),
            ("oauth_timestamp", timestamp.to_string()),
        ];
        let mut out = String::from("OAuth ");
        for (i, (name, value)) in fields.iter().enumerate() {
            let _ = write!(out, "{}{name}=\"{value}\"", if i == 0 { "" } else { ", " });
        }
        out
    }
}

/// Gives a nonce to each request: a random part per process and a counter.
#[derive(Debug)]
pub(super) struct Nonces {
    process: u64,
    next: AtomicU64,
}

impl Nonces {
    /// A new series.
    pub(super) fn new() -> Self {
        let process = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { process, next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("{:016x}{:08x}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What RFC 5849, section 3.6, encodes: everything but letters, digits and `-._~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_carries_the_plaintext_signature() {
        let key = ApiKey::parse(&Secret::new("Cons:Tok:Se/c")).unwrap();
        assert_eq!(
            key.header_with("n1", 7),
            "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"Cons\", oauth_token=\"Tok\", \
             oauth_signature=\"%26Se%252Fc\", oauth_nonce=\"n1\", oauth_timestamp=\"7\""
        );
    }

    #[test]
    fn nonces_do_not_repeat() {
        let nonces = Nonces::new();
        assert_ne!(nonces.next(), nonces.next());
        assert_ne!(Nonces::new().next(), Nonces::new().next());
    }

    #[test]
    fn a_malformed_key_is_named_without_its_text() {
        for bad in ["", "a:b", "a:b:c:d", "a::c", "hunter2"] {
            let error = ApiKey::parse(&Secret::new(bad)).unwrap_err();
            assert_eq!(error.class, ErrorClass::Credentials);
            assert!(bad.is_empty() || !error.message.contains("hunter2"));
        }
        assert_eq!(format!("{:?}", ApiKey::parse(&Secret::new("a:b:c")).unwrap()), "ApiKey { consumer: ***, token: ***, secret: *** }");
    }
}

//! Canonical JSON (RFC 8785) and its SHA-256.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Canonical JSON (RFC 8785) of a value without floats.
pub fn canonical(value: &Value) -> String {
    // serde_json keeps keys in order of bytes; RFC 8785 orders by UTF-16 code units, which is another order for some keys beyond ASCII.
    if keys_are_ascii(value) { value.to_string() } else { serde_json_canonicalizer::to_string(value).unwrap_or_default() }
}

fn keys_are_ascii(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(keys_are_ascii),
        Value::Object(map) => map.iter().all(|(k, v)| k.is_ascii() && keys_are_ascii(v)),
        _ => true,
    }
}

/// SHA-256 of a text, hex.
pub(super) fn digest_of_text(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

struct HashText(Sha256);

impl std::fmt::Write for HashText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Digest of a design: of what it means, not of how it is written. Secrets print as `***`, so none is in it, and two designs that differ in a
/// password alone have one digest.
pub fn design_digest(site: &crate::model::Site) -> String {
    let mut hash = HashText(Sha256::new());
    // Writing to a hash cannot fail.
    let _ = write!(hash, "{site:?}");
    hex::encode(hash.0.finalize())
}

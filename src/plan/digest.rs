//! Canonical JSON (RFC 8785) and its SHA-256.

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

/// Digest of a design: paths and texts of its files, in order of path.
pub fn design_digest(sources: &crate::yaml::SourceMap) -> String {
    let mut files: Vec<_> = sources.files().iter().map(|f| (f.path.as_str(), &f.text)).collect();
    files.sort_by_key(|(path, _)| *path);
    let mut hash = Sha256::new();
    for (path, text) in files {
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path.as_bytes());
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex::encode(hash.finalize())
}

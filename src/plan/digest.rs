//! Canonical JSON (RFC 8785) and its SHA-256.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Canonical JSON of a value without floats.
pub fn canonical(value: &impl Serialize) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// SHA-256 of canonical JSON, hex.
pub(super) fn digest_of(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical(value).as_bytes()))
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

//! Digests: SHA-256.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

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

/// Digest of a design: of what it means, not of how and where it is written. Secrets print as `***`, so none is in it, and two designs that differ in a
/// password alone have one digest.
pub fn design_digest(site: &crate::model::Site) -> String {
    let mut hash = HashText(Sha256::new());
    // Writing to a hash cannot fail. The sign leaves places in files out.
    let _ = write!(hash, "{site:-?}");
    hex::encode(hash.0.finalize())
}

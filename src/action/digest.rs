//! Digests of values.

use serde::Serialize;
use sha2::{Digest, Sha256};

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of a value's JSON, hex, without making the text. The same value gives the same digest: maps are ordered, fields stand in order of declaration.
pub fn digest_of(value: &impl Serialize) -> String {
    let mut hash = std::io::BufWriter::with_capacity(4096, HashWriter(Sha256::new()));
    // Writing to a hash cannot fail, and none of our types refuses to be serialised.
    let _ = serde_json::to_writer(&mut hash, value);
    hash.into_inner().map(|h| hex::encode(h.0.finalize())).unwrap_or_default()
}

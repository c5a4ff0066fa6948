//! Digests of values.

use std::io::Write as _;

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

/// SHA-256 of JSON that is given part by part.
pub(crate) struct JsonDigest(std::io::BufWriter<HashWriter>);

impl JsonDigest {
    pub(crate) fn new() -> Self {
        Self(std::io::BufWriter::with_capacity(4096, HashWriter(Sha256::new())))
    }

    /// Text that is JSON, or a piece of it.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        // Writing to a hash cannot fail.
        let _ = self.0.write_all(text.as_bytes());
        self
    }

    /// A value as JSON: maps are ordered, fields stand in order of declaration.
    pub(crate) fn json(&mut self, value: &(impl Serialize + ?Sized)) -> &mut Self {
        // Writing to a hash cannot fail, and none of our types refuses to be serialised.
        let _ = serde_json::to_writer(&mut self.0, value);
        self
    }

    /// The digest, hex.
    pub(crate) fn finish(self) -> String {
        self.0.into_inner().map(|h| hex::encode(h.0.finalize())).unwrap_or_default()
    }
}

/// SHA-256 of a value's JSON, hex, without making the text. The same value gives the same digest: maps are ordered, fields stand in order of declaration.
pub fn digest_of(value: &impl Serialize) -> String {
    let mut digest = JsonDigest::new();
    digest.json(value);
    digest.finish()
}

//! References to secrets and their resolution.
//!
//! In: a reference (`{env: NAME}`, `{file: path}`, `{command: [...]}`). Out: a [`Secret`](crate::redact::Secret). Called as late as possible; no error holds
//! any part of a value. Imports `config` and `redact`.

mod resolve;

pub use resolve::{SecretError, resolve};

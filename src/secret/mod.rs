//! References to secrets and their resolution.
//!
//! In: a reference (`{env: NAME}`, `{file: path}`, `{command: [...]}`). Out: a [`crate::redact::Secret`].

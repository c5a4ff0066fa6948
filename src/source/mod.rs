//! Files of a design to text.
//!
//! In: a root directory and the entries of `design:`. Out: a [`SourceMap`](crate::yaml::SourceMap) with all YAML files found there, in an order that does not
//! depend on the file system. The only module that reads design files. Imports [`crate::yaml`].

mod load;

#[cfg(test)]
mod tests;

pub use load::{Loaded, MAX_FILE_BYTES, SETTINGS_FILE, SourceError, load};

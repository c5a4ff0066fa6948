//! Files of a design to text.
//!
//! In: a root directory and the entries of a design: files, directories, sites of a Pegleg tree, texts that were fetched. Out: a
//! [`SourceMap`](crate::yaml::SourceMap) with all YAML files found there, in an order that does not depend on the file system. Reads the disk, or with `git` a
//! commit. The only module that reads design files. Imports [`crate::yaml`], [`crate::diag`] and codes of [`crate::document`].

mod files;
mod git;
mod load;
mod pegleg;
mod types;
mod version;

#[cfg(test)]
mod pegleg_tests;
#[cfg(test)]
mod tests;

pub use load::{MAX_DESIGN_BYTES, MAX_FILE_BYTES, SETTINGS_FILE, file_at, load, text};
pub use types::{Entry, Loaded, Pegleg, Request, SourceError};
pub use version::{Version, is_changed};

//! YAML text to a tree with positions.
//!
//! In: text and the file it came from. Out: a [`Node`] per document, with file, line and column on every key and value.
//! Scalars resolve as PyYAML resolves them (YAML 1.1), because that is what the Airship tools do. Imports nothing of drydock but [`crate::diag`].

pub mod codes;
mod emit;
mod mapping;
mod parse;
mod resolve;
mod syntax;
mod tree;

#[cfg(test)]
mod emit_tests;
#[cfg(test)]
mod tests;

pub use emit::emit;
pub use mapping::{Entries, Mapping};
pub use parse::{MAX_ALIASED_NODES, MAX_DEPTH, MAX_SCALAR_BYTES, MAX_VALUES, Parsed, parse};
pub use tree::{FileId, Key, Node, Past, SourceFile, SourceMap, Span, Step, Value};

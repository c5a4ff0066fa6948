//! YAML documents to documents of a design, in both forms that Airship sites use.
//!
//! In: the files of a [`SourceMap`](crate::yaml::SourceMap). Out: a [`Document`] per concrete YAML document and what is wrong with them. The Deckhand form
//! (`schema: drydock/Network/v1`, `metadata`, `data`) and the older form (`apiVersion: drydock/v1`, `kind`, `metadata`, `spec`) give the same [`Document`].
//! What the data means is [`crate::design`]'s. Imports [`crate::yaml`] and [`crate::diag`].

pub mod codes;
mod data_schema;
mod family;
mod heading;
mod heads;
mod json_path;
mod json_schema;
mod kind;
mod managed;
mod merge;
mod pattern;
mod python;
mod read;
mod render;
mod sensitive;
mod sharing;
mod size;
mod substitute;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod tests;

pub use heads::{Head, Heads};
pub use kind::{Kind, Schema, is_secret_kind};
pub use read::{Document, Form, Read, parse, read, read_all};
pub use render::{Rendered, render};
pub use sensitive::Sensitive;

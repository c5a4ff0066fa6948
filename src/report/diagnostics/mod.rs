//! Problems of a design in the formats of `drydock validate`: one file and one line of [`FORMATS`] for each.
//!
//! In: diagnostics and the files they point into. Out: text. Excerpts are without secrets, since they may end up in the log of a CI run; text of designs is made
//! harmless for whatever reads the format.

mod formats;
pub(super) mod github;
mod groups;
mod json;
mod junit;
mod place;
mod sarif;
mod summary;
mod text;

#[cfg(test)]
mod tests;

pub use formats::{FORMATS, Format, Report, format};
pub use json::to_json;
pub use place::Paths;
pub use summary::summary;
pub use text::{Style, render, render_short};

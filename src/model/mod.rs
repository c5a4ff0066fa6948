//! What the design means: the applied model of a site.
//!
//! In: documents. Out: a [`Site`] in which inheritance, references, filters and addresses are resolved, every value with the position that set it,
//! and the diagnostics found on the way. Pure. Imports `yaml`, `diag`, `redact`, `document`, `design`.

mod located;
mod size;
mod types;

pub use located::Located;
pub use size::{Size, SizeError};
pub use types::*;

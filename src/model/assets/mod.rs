//! What a node gets of its boot actions: pipelines, templates, previews.
//!
//! In: boot actions and nodes of the applied model. Out: contents, or why there are none. Nothing is fetched, no file is read, no command is run; templates run with
//! limits on their work, memory and recursion, because whoever proposes a design chooses their text.

mod base64;
mod context;
mod data;
mod delivery;
mod location;
mod pipeline;
mod preview;
mod python;
mod template;
mod trial;

#[cfg(test)]
mod tests;

pub use context::{ActionFacts, KNOWN_AT_DEPLOYMENT, SENSITIVE, unknown_name};
pub use data::{Data, Failure, Form, Why};
pub use delivery::{Delivery, LeftOut, delivery};
pub use location::SCHEMES;
pub use pipeline::{Line, MAX_BYTES, MAX_STEPS, Prepared, prepare};
pub use preview::{ActionPreview, AssetPreview, Preview, Previewed, preview};
pub use template::{FUEL, MAX_RECURSION, MAX_TEMPLATE, Templates};
pub use trial::{Trial, UNTRIED_AFTER, Verdict, trial};

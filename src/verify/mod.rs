//! Is what is there fit for what the design wants of it? Checks of nodes and of the site, which change nothing.
//!
//! In: the applied model, the build model, what the state remembers, and what only verification reads ([`NodeReadings`], [`SiteReadings`]), each answer
//! with the reason where there is none. Out: a [`Check`] per question: how it went, what was seen, what to do. Nothing that is unknown is *ok*. Pure. Imports
//! `model`, `build`, `action` and `diff`.

mod alarms;
mod nodes;
mod site;
mod types;

#[cfg(test)]
mod tests;

pub use nodes::{Asked, NodeReadings, asked, nodes};
pub use site::{ServiceReading, SiteReadings, Space, StateReading, Tolerances, site};
pub use types::{Check, NodeReport, Reading, Unread, Verdict, worst};

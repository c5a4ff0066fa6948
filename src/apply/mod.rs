//! The engine that carries out a plan: starts, waits, retries, cancels, records.
//!
//! In: a plan, drivers, a store, tokens for interruption. Out: effects at the site, events in the store (and to a listener, after they are durable), a
//! [`RunReport`]. One dispatcher owns the truth; executors do one attempt each and talk to nobody else. Imports every pure module, `driver`, `store`.
//!
//! Before an effect: its purpose is not served already, the machine is the bound one, late parameters have one value, the site does not show it done, the
//! preconditions hold, the lease is long enough, and the intent is durable. After it: the site shows it. Apply, resume and retry all take this way.

mod context;
mod control;
mod dispatcher;
mod engine;
mod error;
mod executor;
mod fence;
mod gate;
mod lease;
mod outcome;
mod poll;
mod precheck;
mod remedy;

pub use context::{Drivers, Holds, Options};
pub use engine::{Engine, RunReport};
pub use error::EngineError;
pub use executor::is_attempt;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

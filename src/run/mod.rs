//! Runs as values: events, state as a fold of them, what may start next.
//!
//! In: a plan's actions, the events of a journal, the time as an argument. Out: [`RunState`] (status of every action, outcome of every node and of
//! the run), the [`Scheduler`] (which actions may start now), resolved late parameters ([`resolve`]) and retry decisions ([`RetryPolicy`]).
//! Pure: no clock, no I/O. Imports `action`, `build`, `plan`.

mod dag;
mod event;
mod limited;
mod pools;
mod rehearsal;
mod resolve;
mod retry;
mod rollout;
mod scheduler;
mod state;

pub use dag::{Dag, DagError};
pub use event::{AttemptOutcome, EVENT_VERSION, Event, EventKind, RunOutcome, Severity, event_schema};
pub use rehearsal::{GateSpan, LimitUse, Rehearsal, Span, Use, guessed_ms, measured_ms, rehearse};
pub use resolve::{ResolveError, has_late, resolve};
pub use retry::{FailedAttempt, GivenUp, RetryPolicy};
pub use scheduler::{Gate, Grant, Scheduler, Usage};
pub use state::{Counts, GateState, NodeOutcome, RunState, Status, TaskRecord};

#[cfg(test)]
mod makespan_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod scheduler_tests;
#[cfg(test)]
mod tests;

//! The durable state of a site: runs and their events, bindings, generations, what was applied last, durations, build data, locks.
//!
//! In: records of the engine, questions of the commands. Out: the same, after any crash. The truth about the site is never here: losing a store may cost
//! deletions and durations, never an extra effect. Imports `action`, `build`, `diff`, `run`.

mod error;
mod failpoint;
#[cfg(feature = "postgres")]
mod fold;
mod holder;
mod journal;
mod migrate;
mod pending;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod process;
mod rows;
mod sqlite;
mod types;

pub use error::StoreError;
pub use failpoint::{Failpoint, FailpointError, Failpoints};
pub use holder::{Holder, new_run_id, utc};
pub use journal::{Ack, Journal, Listener};
pub use migrate::SCHEMA_VERSION;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::SqliteStore;
pub use types::{
    BuildDatum, Grant, KindDuration, LockRequest, LockRow, NewRun, Record, RequestRow, RunRequest, RunRow, Store, Write, last_pause,
    paused_by,
};

#[cfg(all(test, feature = "postgres"))]
#[path = "../../tests/it/postgres_server.rs"]
mod postgres_server;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

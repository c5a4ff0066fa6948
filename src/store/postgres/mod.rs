//! The state in a database of PostgreSQL, which several machines share.
//!
//! Each call is one transaction. Connections are made and timed by a runtime of the store's own, so a server that does not answer delays nobody but who asked.
//! A lost connection is made again with growing pauses. Where it was lost while a transaction was being committed, the server is asked whether it was: each
//! transaction counts up a row of its process, and that row is read under a lock, which an unfinished transaction still holds.

mod changes;
mod copy;
mod failure;
mod rows;
mod schema;
mod session;
mod store;
mod wait;

pub use store::{PostgresOptions, PostgresStore};

#[cfg(test)]
mod tests;

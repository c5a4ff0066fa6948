//! The command line: one thin file per command in [`commands`], what several commands share in [`ops`].
//!
//! In: arguments. Out: the result on stdout, everything else on stderr, an exit code. The only module that uses `anyhow`; it sees every module, and
//! nothing imports it.

pub mod args;
pub mod commands;
pub mod exit;
mod formats;
pub mod ops;
pub mod output;
mod panic;
pub mod problem;
mod run;
mod signals;

pub use exit::Exit;
pub use run::run;

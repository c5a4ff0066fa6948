//! The simulated site of a folder, for the duration of a command.

use super::design::Design;
use crate::cli::output::Printer;
use crate::redact::Secret;
use crate::sim::{Running, Server, SimOptions};

/// A running simulated site.
#[derive(Debug)]
pub struct Simulated {
    running: Running,
}

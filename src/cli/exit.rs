//! Exit codes. `docs/exit-codes.md` describes them for people.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error: the command could not do its work.
    Error = 1,
    /// Changes are present (only with `--detailed-exitcode`).
    Changes = 2,
    /// The design is invalid.
    DesignInvalid = 3,
    /// The run ended with failed or blocked nodes.
    RunFailed = 4,
    /// Interrupted.
    Interrupted = 5,
    /// The plan was refused: stale, wrong digest, guard, approval missing.
    Refused = 6,
    /// Nothing planned, but nodes are unknown, blocked or held back.
    Attention = 7,
    /// Wrong usage of the command line.
    Usage = 64,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

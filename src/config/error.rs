//! What can be wrong with settings.

use std::fmt;
use std::io;

/// One problem of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `drydock.yaml:12:5`, or the file name alone if no better place is known.
    pub at: String,
    /// What is wrong: a lower-case fragment. Never holds a value that may be a secret.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("{path} does not exist")]
    Missing {
        /// The file.
        path: String,
    },
    /// The system refuses.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The content is wrong; at least one problem.
    #[error("{}", .0.first().map_or_else(String::new, Problem::to_string))]
    Invalid(Vec<Problem>),
}

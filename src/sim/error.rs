//! Why a simulated site could not run.

use std::path::PathBuf;

/// Why a simulated site could not run.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No listener could be opened.
    #[error("no loopback port for {what}: {source}; many machines need many open files, see `ulimit -n`")]
    Listen {
        /// For which server.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the world could not be read or written.
    #[error("simulated site: cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The world file is not one of ours, or of a newer version.
    #[error("simulated site: {} is damaged: {reason}; remove its folder to start with a new world", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process holds the world and did not say where its servers are.
    #[error("simulated site: {} is in use by another process, which has no servers to attach to yet; try again", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// No certificate could be made for the BMCs.
    #[error("simulated site: cannot make a certificate for the BMCs: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// A fault rule has a pattern that is no regular expression.
    #[error("simulate.faults: `{pattern}` is not a regular expression: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
}

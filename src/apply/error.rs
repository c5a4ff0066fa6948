//! Why a run could not be carried out. A failed action is no error: it is in the report.

use crate::driver::DriverError;
use crate::run::DagError;
use crate::store::StoreError;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plan does not fit the site or the state; nothing was begun.
    #[error("{message}")]
    Refused {
        /// What does not fit.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The plan is not one.
    #[error("the plan cannot be carried out: {0}; make it again with `drydock plan`")]
    BadPlan(#[from] DagError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A driver, before anything was begun.
    #[error("{driver}: {error}")]
    Driver {
        /// Name of the driver.
        driver: String,
        /// What went wrong.
        error: DriverError,
    },
    /// The system has no thread for the journal.
    #[error("cannot start the journal's thread: {0}")]
    Thread(std::io::Error),
    /// An executor ended without an answer, which is a defect of drydock.
    #[error("an internal task ended without an answer ({0}); `drydock resume` goes on")]
    Internal(String),
}

impl EngineError {
    pub(super) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }
}

//! What the server, or its silence, means.

use std::error::Error as _;
use std::path::Path;

use tokio_postgres::error::SqlState;

use super::super::StoreError;

/// Why something was not done, or it is not known whether it was.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or does not answer in time.
    Lost(String),
    /// Another transaction is in the way; nothing was done.
    Busy(String),
    /// It cannot be done.
    Failed(StoreError),
    /// A row that this version cannot read.
    Unreadable { what: String, detail: String },
    /// The server refuses it.
    Refused { code: SqlState, message: String },
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(inner) = source {
                let more = inner.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                source = inner.source();
            }
            let alert = text.split_once("received fatal alert: ").map(|(_, alert)| alert);
            if alert
                .is_some_and(|alert| ["Certificate", "UnknownCA", "DecryptError", "AccessDenied"].iter().any(|word| alert.contains(word)))
            {
                // The alerts of RFC 8446, section 6.2, about what a client shows.
                text.push_str(
                    "; it does not accept the certificate that it is shown, or wants one: `client_cert_file` of `state` names it",
                );
            } else if text.contains("certificate") {
                text.push_str("; `ca_file` or `pinned_sha256` of `state` say which certificate is right");
            }
            return Self::Lost(text);
        };
        let (code, message) = (said.code().clone(), said.message().to_owned());
        match &code {
            c if c.code().starts_with("08") => Self::Lost(message),
            // It stops, starts, has no room for one more connection, waited too long for us, or is a standby that will be promoted or is about to be left.
            &SqlState::ADMIN_SHUTDOWN
            | &SqlState::CRASH_SHUTDOWN
            | &SqlState::CANNOT_CONNECT_NOW
            | &SqlState::TOO_MANY_CONNECTIONS
            | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | &SqlState::READ_ONLY_SQL_TRANSACTION => Self::Lost(message),
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::QUERY_CANCELED => Self::Busy(message),
            _ => Self::Refused { code, message },
        }
    }
}

impl Trouble {
    /// Text of a row that is not what it should be.
    pub(super) fn unreadable(what: impl Into<String>, error: &serde_json::Error) -> Self {
        Self::Unreadable { what: what.into(), detail: error.to_string() }
    }

    /// As an error of the state at a place.
    pub(super) fn into_error(self, place: &Path) -> StoreError {
        let path = place.to_owned();
        match self {
            Self::Failed(error) => error,
            Self::Lost(detail) => StoreError::Unreachable { path, detail },
            Self::Busy(detail) => StoreError::Busy { path, detail },
            Self::Unreadable { what, detail } => StoreError::Unreadable { path, what, detail },
            Self::Refused { code, message } => match &code {
                &SqlState::DISK_FULL => StoreError::Full { path, detail: message },
                &SqlState::INVALID_PASSWORD
                | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                | &SqlState::INVALID_CATALOG_NAME
                | &SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Denied { path, detail: message },
                &SqlState::IO_ERROR => StoreError::Disk { path, detail: message },
                &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => StoreError::Corrupt { path, detail: message },
                _ => StoreError::Other { path, detail: format!("{message} (SQLSTATE {})", code.code()) },
            },
        }
    }
}

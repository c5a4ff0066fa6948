//! What can go wrong with the state: always with its place, and what to do.

use std::path::{Path, PathBuf};

use super::LockRow;

/// An error of the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be opened or created.
    #[error(
        "cannot open the state {path}: {detail}; check that the folder exists and is writable, or name another place with `state:` in drydock.yaml"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Written by a newer drydock.
    #[error(
        "the state {path} has schema version {found}, this drydock knows up to {supported}; use the newer drydock that wrote it (nothing was changed)"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known here.
        supported: i64,
    },
    /// Not a state of ours.
    #[error("{path} is an SQLite database of another program; name another place with `state:` in drydock.yaml (nothing was changed)")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// No space is left.
    #[error(
        "no space is left for the state {path}: {detail}; free some space and do it again; a run that was begun goes on with `drydock resume` (everything recorded so far is safe)"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// The file or its folder cannot be written.
    #[error("the state {path} cannot be written: {detail}; check owner and permissions of the file and its folder")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// The file is damaged.
    #[error(
        "the state {path} is damaged: {detail}; keep a copy of it, then restore a backup or move it away: without it drydock plans from what the site \
         shows, and knows only less about what is its own"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// Another process writes to it for too long.
    #[error("the state {path} is in use by another process: {detail}; try again when it has ended")]
    Busy {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// Another run holds the site.
    #[error("{}", locked_text(.0))]
    Locked(Box<LockRow>),
    /// The lock of this run was taken away.
    #[error(
        "the lock of this run was taken over by another process, as its lease had ended, or removed (`drydock unlock`); this process starts nothing \
         more and records nothing more; `drydock runs` shows who runs what now"
    )]
    LockLost,
    /// There is no such run.
    #[error("there is no run {0}; `drydock runs` lists them")]
    NoSuchRun(String),
    /// A row that this version cannot read.
    #[error("the state {path} holds a {what} that cannot be read: {detail}; it may be damaged or from another version of drydock")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
        /// Why.
        detail: String,
    },
    /// The disk fails, or a quota is used up.
    #[error(
        "the state {path} cannot be written or read: {detail}; check the disk, its space and its quotas, then run `drydock resume` (everything \
         recorded so far is safe)"
    )]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// A copy is not written over anything.
    #[error("{path} is there already; a copy of the state is written into a new file")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Something of that name is there, and not ours.
    #[error("{path} has a schema `drydock` of another program; name another database with `state:` in drydock.yaml (nothing was changed)")]
    ForeignSchema {
        /// The database.
        path: PathBuf,
    },
    /// The server does not let us in, or not do what is needed.
    #[error(
        "the state {path} refuses access: {detail}; `state:` in drydock.yaml gives user and database in the URL and `password: {{env: NAME}}` beside \
         it; the user needs to own the schema `drydock`, or to be allowed to create it (`GRANT CREATE ON DATABASE`)"
    )]
    Denied {
        /// The database.
        path: PathBuf,
        /// What the server says.
        detail: String,
    },
    /// Certificates or keys that are named for the connection cannot be used.
    #[error("the state {path} cannot be asked: {detail} (it is named under `state:` in drydock.yaml)")]
    Trust {
        /// The database.
        path: PathBuf,
        /// What is wrong with which.
        detail: String,
    },
    /// The server cannot be reached, or was away for too long.
    #[error(
        "the state {path} cannot be reached: {detail}; check the server and the way to it; a run that was begun goes on with `drydock resume` \
         (everything recorded so far is safe)"
    )]
    Unreachable {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
    /// The connection was lost in the middle of a commit, and the server was away for too long to ask.
    #[error(
        "the connection to the state {path} was lost during a commit, and it could not be found out whether that was made: {detail}; when the \
         server can be reached, `drydock resume` goes on from what is there"
    )]
    Unsettled {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
    /// Anything else that the database says.
    #[error("the state {path} failed: {detail}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
}

fn locked_text(lock: &LockRow) -> String {
    let state = match lock.alive {
        Some(true) => "it is running",
        Some(false) => "that process is gone",
        None => "it cannot be seen from here whether it still runs",
    };
    let resume =
        format!("go on with it by `drydock resume {}`, or, when it is certain that it ended, `drydock unlock {}`", lock.run, lock.id);
    let remedy = match lock.alive {
        Some(true) => "wait until it ends".to_owned(),
        _ if lock.shared => {
            format!(
                "its lease ends at {}: what asks for the lock after that gets it; to have it now, {resume}",
                super::holder::utc(lock.lease_until_ms)
            )
        }
        _ => resume,
    };
    format!(
        "site {} at {} is locked by run {} of {} on {} (pid {}), since {}: {state}; {remedy}",
        lock.site,
        lock.provisioner,
        lock.run,
        lock.holder.user,
        lock.holder.host,
        lock.holder.pid,
        super::holder::utc(lock.since_ms),
    )
}

impl StoreError {
    /// Classifies what SQLite says.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        let path = path.to_owned();
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(C::DiskFull) => Self::Full { path, detail },
            Some(C::ReadOnly | C::PermissionDenied) => Self::ReadOnly { path, detail },
            Some(C::DatabaseCorrupt | C::NotADatabase) => Self::Corrupt { path, detail },
            Some(C::DatabaseBusy | C::DatabaseLocked) => Self::Busy { path, detail },
            Some(C::SystemIoFailure) => Self::Disk { path, detail },
            Some(C::CannotOpen) => Self::Open { path, detail },
            _ => Self::Other { path, detail },
        }
    }
}

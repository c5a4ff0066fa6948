//! The state in one SQLite file.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;

use crate::diff::{LastApplied, Memory, Rejection};
use crate::run::Event;

use super::pending::{self, Backlog};
use super::rows::{self, LOCK_COLUMNS, RUN_COLUMNS};
use super::{
    BuildDatum, Grant, KindDuration, LockRequest, LockRow, NewRun, Record, RequestRow, RunRequest, RunRow, Store, StoreError, Write,
    holder, migrate,
};

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(10);

/// Pause until it is looked again whether another process has taken the lock.
const LOOK: Duration = Duration::from_millis(5);

/// A state of one site in one file, which may hold several sites. Commits are on disk before they return (`synchronous=FULL`, write-ahead log).
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    site: String,
    connection: Mutex<Connection>,
    /// Held while this process holds a lock row: the system gives it back when the process dies, however it dies.
    alive: Mutex<Option<File>>,
    backlog: Mutex<Backlog>,
}

impl SqliteStore {
    /// Opens the state of a site, and creates it (readable for its owner only) if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened or created, is damaged, newer, or not ours.
    pub fn open(path: &Path, site: &str) -> Result<Self, StoreError> {
        let cannot = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full { path: path.to_owned(), detail: e.to_string() },
            std::io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path: path.to_owned(), detail: e.to_string() },
            _ => StoreError::Open { path: path.to_owned(), detail: e.to_string() },
        };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
        }
        if !path.exists() {
            // SQLite gives its log files the permissions of the database.
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(cannot)?;
        }
        let failed = |e: rusqlite::Error| StoreError::sqlite(path, &e);
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        // Before anything is changed: a newer or foreign database stays as it is.
        migrate::version(&connection, path)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000;",
            )
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate::migrate(&mut connection, path)?;
        Ok(Self {
            path: path.to_owned(),
            site: site.to_owned(),
            connection: Mutex::new(connection),
            alive: Mutex::new(None),
            backlog: Mutex::new(Backlog::EMPTY),
        })
    }

    /// Looks at a state as it is, without migrating or creating it: the version of its schema. That it can be written is tried with a transaction that
    /// writes nothing.
    ///
    /// # Errors
    /// When it cannot be read or written, is damaged, or is another program's or a newer drydock's.
    pub fn inspect(path: &Path) -> Result<i64, StoreError> {
        let failed = |e: rusqlite::Error| StoreError::sqlite(path, &e);
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let version = migrate::version(&connection, path)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(failed)?;
        if found != "ok" {
            return Err(StoreError::Corrupt { path: path.to_owned(), detail: found });
        }
        connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(failed)?;
        Ok(version)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes rows of another state into this one, all or none.
    #[cfg(feature = "postgres")]
    pub(super) fn fill(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        self.transaction(|tx| work(tx).map_err(|e| self.failed(&e)))
    }

    /// Lets the database grow no further, as a full disk would.
    #[cfg(test)]
    pub(super) fn limit_pages_for_tests(&self, pages: u64) {
        self.connection().pragma_update(None, "max_page_count", pages as i64).expect("a pragma");
    }

    /// Keeps every page that is written in the write-ahead log, so that its size tells how many bytes were written.
    #[cfg(test)]
    pub(super) fn keep_log_for_tests(&self) {
        self.connection().pragma_update(None, "wal_autocheckpoint", 0).expect("a pragma");
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic between statements rolls its transaction back; the connection stays usable.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }

    fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| self.failed(&e))?;
        let value = work(&transaction)?;
        transaction.commit().map_err(|e| self.failed(&e))?;
        Ok(value)
    }

    /// Makes what was put by when a run was cut off.
    fn fold_pending(&self) -> Result<(), StoreError> {
        if !pending::any(&self.connection(), &self.site).map_err(|e| self.failed(&e))? {
            return Ok(());
        }
        self.transaction(|tx| pending::fold(tx, &self.site).map_err(|e| self.failed(&e)))?;
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(|e| self.failed(&e))?;
        let rows = statement.query_map(params, read).map_err(|e| self.failed(&e))?;
        rows.collect::<Result<_, _>>().map_err(|e| self.failed(&e))
    }

    fn decode<T: DeserializeOwned>(&self, what: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| StoreError::Unreadable {
            path: self.path.clone(),
            what: what.to_owned(),
            detail: e.to_string(),
        })
    }

    fn check_lock(&self, tx: &Transaction<'_>, lock: &str) -> Result<(), StoreError> {
        let held =
            tx.prepare_cached("SELECT 1 FROM locks WHERE id = ?1").and_then(|mut s| s.exists([lock])).map_err(|e| self.failed(&e))?;
        if held { Ok(()) } else { Err(StoreError::LockLost) }
    }

    fn locks_in(&self, connection: &Connection) -> Result<Vec<LockRow>, StoreError> {
        let host = super::Holder::current().host;
        let sql = format!("SELECT {LOCK_COLUMNS} FROM locks WHERE site = ?1 ORDER BY since_ms, id");
        let mut rows = connection
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_map([&self.site], rows::lock_row)?.collect::<Result<Vec<_>, _>>())
            .map_err(|e| self.failed(&e))?;
        let mine = self.alive.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        for row in &mut rows {
            row.alive = match if mine { Ok(None) } else { self.try_alive(&row.provisioner) } {
                Ok(None) => Some(true),
                Ok(Some(_)) if row.holder.host == host => Some(false),
                _ => None,
            };
        }
        Ok(rows)
    }

    /// The file whose lock by the system shows that the holder of a lock row lives.
    fn alive_path(&self, provisioner: &str) -> PathBuf {
        use sha2::{Digest, Sha256};
        let key = hex::encode(Sha256::digest(format!("{provisioner}\n{}", self.site)));
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.lock", &key[..8]));
        self.path.with_file_name(name)
    }

    /// Takes the system's lock: `Ok(Some)` taken, `Ok(None)` held by a living process, `Err` not known.
    fn try_alive(&self, provisioner: &str) -> Result<Option<File>, std::io::Error> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.alive_path(provisioner))?;
        // Who only looks has it for a moment.
        for _ in 0..3 {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Takes the lock, unless another process is just taking it or looking at it.
    fn lock_once(&self, request: &LockRequest) -> Result<Option<LockRow>, StoreError> {
        let mine = self.alive.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let alive = if mine { Ok(None) } else { self.try_alive(&request.provisioner) };
        let row = self.transaction(|tx| {
            let held = tx
                .query_row(
                    &format!("SELECT {LOCK_COLUMNS} FROM locks WHERE provisioner = ?1 AND site = ?2"),
                    (&request.provisioner, &self.site),
                    rows::lock_row,
                )
                .optional()
                .map_err(|e| self.failed(&e))?;
            if let Some(mut held) = held {
                held.alive = match &alive {
                    Ok(None) => Some(true),
                    Ok(Some(_)) if held.holder.host == request.holder.host => Some(false),
                    _ => None,
                };
                // A process that is gone holds nothing if its run has come to its end, or was never written down.
                let is_free =
                    held.alive == Some(false) && (held.run == request.run || !rows::is_open(tx, &held.run).map_err(|e| self.failed(&e))?);
                if !is_free {
                    return Err(StoreError::Locked(Box::new(held)));
                }
                tx.execute("DELETE FROM locks WHERE id = ?1", [&held.id]).map_err(|e| self.failed(&e))?;
            } else if !mine && matches!(alive, Ok(None)) {
                // The row follows what the system gave to that process; without that a row would not tell that its holder lives.
                return Ok(None);
            }
            let row = LockRow {
                id: holder::new_lock_id(),
                provisioner: request.provisioner.clone(),
                site: self.site.clone(),
                run: request.run.clone(),
                holder: request.holder.clone(),
                since_ms: request.now_ms,
                lease_until_ms: request.now_ms + request.lease.as_millis() as u64,
                alive: Some(true),
                shared: false,
                ended: false,
            };
            tx.execute(
                &format!("INSERT INTO locks ({LOCK_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
                (
                    &row.id,
                    &row.provisioner,
                    &row.site,
                    &row.run,
                    &row.holder.host,
                    &row.holder.user,
                    i64::from(row.holder.pid),
                    row.since_ms as i64,
                    row.lease_until_ms as i64,
                ),
            )
            .map_err(|e| self.failed(&e))?;
            Ok(Some(row))
        })?;
        if let (Some(_), Ok(Some(file))) = (&row, alive) {
            *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        }
        Ok(row)
    }
}

/// Makes a file that is not there yet, readable for its owner only.
pub(super) fn create(file: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.map(drop).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::Exists { path: file.to_owned() },
        _ => StoreError::Open { path: file.to_owned(), detail: e.to_string() },
    })
}

impl Store for SqliteStore {
    fn create_run(&self, run: &NewRun, lock: &str, first: &Record) -> Result<(), StoreError> {
        self.transaction(|tx| {
            self.check_lock(tx, lock)?;
            pending::fold(tx, &self.site).map_err(|e| self.failed(&e))?;
            tx.execute(
                "INSERT INTO runs (id, site, plan_digest, plan, goal, selection, command, host, user, pid, started_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                (
                    &run.id,
                    &self.site,
                    &run.plan_digest,
                    &run.plan,
                    &run.goal,
                    &run.selection,
                    &run.command,
                    &run.holder.host,
                    &run.holder.user,
                    i64::from(run.holder.pid),
                    run.started_ms as i64,
                ),
            )
            .and_then(|_| rows::append(tx, &run.id, first))
            .and_then(|()| first.writes.iter().try_for_each(|write| rows::apply(tx, &self.site, write)))
            .map_err(|e| self.failed(&e))
        })
    }

    fn append(&self, run: &str, lock: &str, batch: &[Record]) -> Result<(), StoreError> {
        self.transaction(|tx| {
            self.check_lock(tx, lock)?;
            batch.iter().try_for_each(|record| rows::append(tx, run, record)).map_err(|e| self.failed(&e))?;
            let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
            if pending::append(tx, &self.site, batch, &mut backlog).map_err(|e| self.failed(&e))? {
                pending::fold(tx, &self.site).map_err(|e| self.failed(&e))?;
                backlog.clear();
            }
            Ok(())
        })
    }

    fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.fold_pending()?;
        self.transaction(|tx| {
            if let Some(lock) = self.locks_in(tx)?.into_iter().find(LockRow::may_run) {
                return Err(StoreError::Locked(Box::new(lock)));
            }
            writes.iter().try_for_each(|write| rows::apply(tx, &self.site, write)).map_err(|e| self.failed(&e))
        })
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.list(&format!("SELECT {RUN_COLUMNS} FROM runs WHERE site = ?1 ORDER BY started_ms, id"), [&self.site], rows::run_row)
    }

    fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        self.connection()
            .query_row(&format!("SELECT {RUN_COLUMNS} FROM runs WHERE site = ?1 AND id = ?2"), (&self.site, id), rows::run_row)
            .optional()
            .map_err(|e| self.failed(&e))
    }

    fn plan(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        self.connection()
            .query_row("SELECT plan FROM runs WHERE site = ?1 AND id = ?2", (&self.site, id), |r| r.get(0))
            .optional()
            .map_err(|e| self.failed(&e))?
            .ok_or_else(|| StoreError::NoSuchRun(id.to_owned()))
    }

    fn events(&self, run: &str, after: u64) -> Result<Vec<Event>, StoreError> {
        let texts =
            self.list("SELECT json FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq", (run, after as i64), |r| r.get::<_, String>(0))?;
        texts.iter().map(|text| self.decode(&format!("event of run {run}"), text)).collect()
    }

    fn memory(&self) -> Result<Memory, StoreError> {
        self.fold_pending()?;
        let pair = |r: &rusqlite::Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?));
        let mut memory = Memory::default();
        for (node, text) in self.list("SELECT node, json FROM bindings WHERE site = ?1", [&self.site], pair)? {
            let binding = self.decode(&format!("binding of node {node}"), &text)?;
            memory.bindings.insert(node, binding);
        }
        let applied = self.list("SELECT resource, origin, attributes FROM last_applied WHERE site = ?1", [&self.site], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?))
        })?;
        for (resource, origin, attributes) in applied {
            let what = format!("record of what was applied to {resource}");
            let entry = LastApplied { origin: self.decode(&what, &origin)?, attributes: self.decode(&what, &attributes)? };
            memory.last_applied.insert(resource, entry);
        }
        let generations = self.list("SELECT resource, generation FROM generations WHERE site = ?1", [&self.site], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)? as u64))
        })?;
        memory.generations.extend(generations);
        let rejections = self.list("SELECT resource, params, message FROM rejections WHERE site = ?1", [&self.site], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?))
        })?;
        for (resource, params, message) in rejections {
            let params = self.decode(&format!("rejection of {resource}"), &params)?;
            memory.rejections.insert(resource, Rejection { params, message });
        }
        memory.durations_ms = self.durations()?.into_iter().filter_map(|(kind, d)| Some((kind, d.mean_ms()?))).collect();
        Ok(memory)
    }

    fn durations(&self) -> Result<BTreeMap<String, KindDuration>, StoreError> {
        self.fold_pending()?;
        let rows = self.list("SELECT kind, total_ms, count FROM durations WHERE site = ?1", [&self.site], |r| {
            Ok((r.get::<_, String>(0)?, KindDuration { total_ms: r.get::<_, i64>(1)? as u64, count: r.get::<_, i64>(2)? as u64 }))
        })?;
        Ok(rows.into_iter().collect())
    }

    fn build_data(&self, node: &str) -> Result<Vec<BuildDatum>, StoreError> {
        self.list(
            "SELECT name, at_ms, run, data FROM build_data WHERE site = ?1 AND node = ?2 ORDER BY at_ms DESC, id DESC",
            (&self.site, node),
            |r| Ok(BuildDatum { name: r.get(0)?, at_ms: r.get::<_, i64>(1)? as u64, run: r.get(2)?, text: r.get(3)? }),
        )
    }

    fn confirm(&self, run: &str, action: &str, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.transaction(|tx| {
            tx.execute(
                "INSERT INTO confirmations (run, action, by, at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                (run, action, by, at_ms as i64),
            )
            .map_err(|e| self.failed(&e))?;
            Ok(())
        })
    }

    fn confirmations(&self, run: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self.list("SELECT action, by FROM confirmations WHERE run = ?1", [run], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    fn request(&self, run: &str, request: RunRequest, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.transaction(|tx| {
            tx.execute("INSERT INTO requests (run, request, by, at_ms) VALUES (?1, ?2, ?3, ?4)", (run, request.name(), by, at_ms as i64))
                .map_err(|e| self.failed(&e))?;
            Ok(())
        })
    }

    fn requests(&self, run: &str, after: u64) -> Result<Vec<RequestRow>, StoreError> {
        let rows =
            self.list("SELECT id, request, by, at_ms FROM requests WHERE run = ?1 AND id > ?2 ORDER BY id", (run, after as i64), |r| {
                Ok((r.get::<_, i64>(0)? as u64, r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get::<_, i64>(3)? as u64))
            })?;
        // What a newer drydock asks is not understood here, and what is not understood is not done.
        Ok(rows
            .into_iter()
            .filter_map(|(id, name, by, at_ms)| Some(RequestRow { id, request: RunRequest::named(&name)?, by, at_ms }))
            .collect())
    }

    fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        create(file)?;
        let failed = |e: rusqlite::Error| StoreError::sqlite(file, &e);
        // The text is a path of SQLite's only where it is UTF-8.
        let target = file.to_str().ok_or_else(|| StoreError::Open { path: file.to_owned(), detail: "its name is not UTF-8".to_owned() })?;
        self.connection().execute("VACUUM INTO ?1", [target]).map_err(failed)?;
        // On disk before it is called a copy.
        let synced = File::open(file).and_then(|f| f.sync_all());
        synced.map_err(|e| StoreError::Disk { path: file.to_owned(), detail: e.to_string() })
    }

    fn lock(&self, request: &LockRequest) -> Result<Grant, StoreError> {
        for _ in 0..BUSY.as_millis() / LOOK.as_millis() {
            if let Some(lock) = self.lock_once(request)? {
                return Ok(Grant { lock, from: None });
            }
            std::thread::sleep(LOOK);
        }
        Err(StoreError::Busy { path: self.path.clone(), detail: "another process is taking its lock".to_owned() })
    }

    fn refresh_lock(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        let lease_until_ms = holder::now_ms() + lease.as_millis() as u64;
        self.transaction(|tx| {
            self.check_lock(tx, id)?;
            tx.execute("UPDATE locks SET lease_until_ms = ?2 WHERE id = ?1", (id, lease_until_ms as i64)).map_err(|e| self.failed(&e))?;
            Ok(())
        })
    }

    fn release_lock(&self, id: &str) -> Result<(), StoreError> {
        self.transaction(|tx| tx.execute("DELETE FROM locks WHERE id = ?1", [id]).map_err(|e| self.failed(&e)))?;
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }

    fn locks(&self) -> Result<Vec<LockRow>, StoreError> {
        self.locks_in(&self.connection())
    }

    fn unlock(&self, id: &str) -> Result<bool, StoreError> {
        self.transaction(|tx| tx.execute("DELETE FROM locks WHERE id = ?1 AND site = ?2", (id, &self.site)).map_err(|e| self.failed(&e)))
            .map(|n| n > 0)
    }
}

//! The store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use super::super::pending::{Backlog, is_immediate};
use super::super::{
    BuildDatum, Grant, KindDuration, LockRequest, LockRow, NewRun, Record, RequestRow, RunRequest, RunRow, Store, StoreError, Write,
    holder, process, sqlite,
};
use super::changes::{self, text};
use super::failure::Trouble;
use super::rows::{lock_row, run_row};
use super::session::{Lane, Session, Target};
use super::{copy, schema, wait};
use crate::config::{PostgresUrl, SslMode};
use crate::diff::{LastApplied, Memory, Rejection};
use crate::driver::http::{ClientCertificate, HttpOptions, tls_config};
use crate::redact::Secret;
use crate::run::Event;

/// Milliseconds since 1970 by the server's clock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

macro_rules! run_columns {
    () => {
        "id, site, plan_digest, goal, selection, command, host, \"user\", pid, started_ms, ended_ms, outcome, abandoned_ms"
    };
}

macro_rules! lock_columns {
    () => {
        concat!("id, provisioner, site, run, host, \"user\", pid, process, since_ms, lease_until_ms, ", now!())
    };
}

/// When the row is removed of a process that has written nothing since.
const FORGET: Duration = Duration::from_hours(30 * 24);

/// Where the database is, and how to speak to it.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where it is.
    pub url: PostgresUrl,
    /// The password.
    pub password: Option<Secret>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    pub pinned_sha256: Vec<String>,
    /// What is shown to the server.
    pub client: Option<ClientCertificate>,
    /// How long a server that was there may be away before a run gives up; other calls do after 20 s at most.
    pub patience: Duration,
}

impl PostgresOptions {
    /// For a database without a password and with the system's certificates.
    pub fn new(url: PostgresUrl) -> Self {
        Self { url, password: None, ca_file: None, pinned_sha256: Vec::new(), client: None, patience: Duration::from_mins(2) }
    }

    fn target(&self) -> Result<Target, StoreError> {
        let place = PathBuf::from(self.url.shown());
        let tls = match self.url.ssl_mode {
            SslMode::Disable => None,
            mode => {
                let trust = HttpOptions {
                    ca_file: self.ca_file.clone(),
                    pinned_sha256: self.pinned_sha256.clone(),
                    insecure_skip_tls_verify: mode == SslMode::Require,
                    ..HttpOptions::default()
                };
                let config = tls_config(&trust, self.client.as_ref()).map_err(|e| {
                    let detail = e.hint.as_ref().map_or_else(|| e.to_string(), |hint| format!("{e}; {hint}"));
                    StoreError::Trust { path: place, detail }
                })?;
                Some(Arc::new(config))
            }
        };
        Ok(Target::new(&self.url, self.password.as_ref(), tls))
    }
}

/// A state of one site in a database, which may hold several sites, in the schema `drydock`.
pub struct PostgresStore {
    place: PathBuf,
    site: String,
    /// Taken when the store is dropped.
    runtime: Option<Runtime>,
    /// For what a run writes.
    journal: Mutex<Lane>,
    /// For everything else: a lease is prolonged while a large batch is being written.
    other: Mutex<Lane>,
    backlog: std::sync::Mutex<Backlog>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.place).field("site", &self.site).finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last call may come from a task of another runtime, where waiting for this one is not allowed.
            runtime.shutdown_background();
        }
    }
}

impl PostgresStore {
    /// Opens the state of a site. Its schema is made if it is not there, and brought to the newest version.
    ///
    /// # Errors
    /// When the database cannot be reached or used, or its schema is newer or not ours.
    pub fn open(options: &PostgresOptions, site: &str) -> Result<Self, StoreError> {
        Self::connect(options, site, true)?
            .ok_or_else(|| StoreError::Corrupt { path: PathBuf::from(options.url.shown()), detail: "its schema is gone".to_owned() })
    }

    /// Opens the state of a site, if the database has a schema of drydock; it is brought to the newest version.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn existing(options: &PostgresOptions, site: &str) -> Result<Option<Self>, StoreError> {
        Self::connect(options, site, false)
    }

    /// Looks at a state as it is, without making or migrating it: the version of its schema, if there is one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn inspect(options: &PostgresOptions) -> Result<Option<i64>, StoreError> {
        let target = options.target()?;
        let runtime = runtime(&target.place)?;
        let found = {
            let _entered = runtime.enter();
            wait::block_on(async {
                let client = target.connect().await?;
                schema::version(&client, &target.place).await
            })
        };
        runtime.shutdown_background();
        found.map_err(|trouble| trouble.into_error(&target.place))
    }

    fn connect(options: &PostgresOptions, site: &str, create: bool) -> Result<Option<Self>, StoreError> {
        let target = Arc::new(options.target()?);
        let place = target.place.clone();
        let runtime = runtime(&place)?;
        let opened = {
            let _entered = runtime.enter();
            wait::block_on(open(&target, create))
        };
        let client = match opened {
            Ok(Some(client)) => client,
            Ok(None) => {
                runtime.shutdown_background();
                return Ok(None);
            }
            Err(trouble) => {
                runtime.shutdown_background();
                return Err(trouble.into_error(&place));
            }
        };
        let journal = Lane::new(Arc::clone(&target), options.patience);
        // Who asks for the rest asks again, or is a person who waits.
        let mut other = Lane::new(target, options.patience.min(Duration::from_secs(20)));
        other.begin_with(client);
        Ok(Some(Self {
            place,
            site: site.to_owned(),
            runtime: Some(runtime),
            journal: Mutex::new(journal),
            other: Mutex::new(other),
            backlog: std::sync::Mutex::new(Backlog::EMPTY),
        }))
    }

    /// The newest schema version that is known here.
    pub const SCHEMA_VERSION: i64 = schema::VERSION;

    /// Where it is, for people.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What the session for journals has set.
    #[cfg(test)]
    pub(super) fn setting_for_tests(&self, name: &str) -> String {
        let ask = async |s: &mut Session| Ok(s.query("SELECT current_setting($1)", &[&name]).await?[0].get(0));
        self.block_on(async { self.journal.lock().await.read(ask).await }).unwrap()
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        wait::block_on(future)
    }

    fn read<T>(&self, work: impl AsyncFn(&mut Session) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.block_on(async { self.other.lock().await.read(work).await })
    }

    fn change<T>(&self, lane: &Mutex<Lane>, work: impl AsyncFn(&mut Session) -> Result<T, Trouble>) -> Result<T, StoreError> {
        self.block_on(async { lane.lock().await.transaction(work).await })
    }

    /// Makes what was put by when a run was cut off, or by one that is under way.
    fn fold_pending(&self) -> Result<(), StoreError> {
        let any = async |s: &mut Session| Ok(s.query_opt("SELECT 1 FROM pending WHERE site = $1 LIMIT 1", &[&self.site]).await?.is_some());
        if self.read(any)? {
            self.change(&self.other, async |s| changes::fold(s, &self.site).await)?;
        }
        Ok(())
    }

    fn decode<T: DeserializeOwned>(&self, what: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| Trouble::unreadable(what, &e).into_error(&self.place))
    }
}

fn runtime(place: &Path) -> Result<Runtime, StoreError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("drydock-postgres")
        .enable_all()
        .build()
        .map_err(|e| StoreError::Open { path: place.to_owned(), detail: e.to_string() })
}

async fn open(target: &Target, create: bool) -> Result<Option<Client>, Trouble> {
    let client = target.connect().await?;
    if !create && schema::version(&client, &target.place).await?.is_none() {
        return Ok(None);
    }
    schema::migrate(&client, &target.place).await?;
    // Processes that wrote last so long ago are gone.
    let long_ago = holder::now_ms() as i64 - FORGET.as_millis() as i64;
    client.execute("DELETE FROM writers WHERE at_ms < $1", &[&long_ago]).await?;
    Ok(Some(client))
}

/// Whether the lock is still there. It stays until the end of the transaction: who takes it over waits for that.
async fn check_lock(session: &mut Session, lock: &str) -> Result<(), Trouble> {
    let held = session.query_opt("SELECT 1 FROM locks WHERE id = $1 FOR KEY SHARE", &[&lock]).await?;
    if held.is_some() { Ok(()) } else { Err(StoreError::LockLost.into()) }
}

async fn locks(session: &mut Session, site: &str) -> Result<Vec<LockRow>, Trouble> {
    let sql = concat!("SELECT ", lock_columns!(), " FROM locks WHERE site = $1 ORDER BY since_ms, id");
    Ok(session.query(sql, &[&site]).await?.iter().map(lock_row).collect())
}

/// Whether a run has begun and not come to its end.
async fn is_open(session: &mut Session, run: &str) -> Result<bool, Trouble> {
    Ok(session.query_opt("SELECT 1 FROM runs WHERE id = $1 AND ended_ms IS NULL", &[&run]).await?.is_some())
}

impl Store for PostgresStore {
    fn create_run(&self, run: &NewRun, lock: &str, first: &Record) -> Result<(), StoreError> {
        self.change(&self.journal, async |s| {
            check_lock(s, lock).await?;
            changes::fold(s, &self.site).await?;
            let sql = "INSERT INTO runs (id, site, plan_digest, plan, goal, selection, command, host, \"user\", pid, started_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let holder = &run.holder;
            s.execute(
                sql,
                &[
                    &run.id,
                    &self.site,
                    &run.plan_digest,
                    &run.plan,
                    &run.goal,
                    &run.selection,
                    &text(&run.command),
                    &holder.host,
                    &holder.user,
                    &i64::from(holder.pid),
                    &(run.started_ms as i64),
                ],
            )
            .await?;
            changes::append(s, &run.id, std::slice::from_ref(first)).await?;
            changes::make(s, &self.site, first.writes.clone()).await
        })
    }

    fn append(&self, run: &str, lock: &str, batch: &[Record]) -> Result<(), StoreError> {
        let (now, later): (Vec<&Write>, Vec<&Write>) = batch.iter().flat_map(|record| &record.writes).partition(|w| is_immediate(w));
        let due = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).add(later.len());
        self.change(&self.journal, async |s| {
            check_lock(s, lock).await?;
            changes::append(s, run, batch).await?;
            changes::make(s, &self.site, now.iter().copied().cloned().collect()).await?;
            if !later.is_empty() {
                changes::put_by(s, &self.site, &later).await?;
            }
            if due { changes::fold(s, &self.site).await } else { Ok(()) }
        })?;
        if due {
            self.backlog.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        Ok(())
    }

    fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.change(&self.other, async |s| {
            // Until the end of the transaction nobody takes a lock, nor has one that is not seen yet.
            s.execute("LOCK TABLE locks IN SHARE ROW EXCLUSIVE MODE", &[]).await?;
            if let Some(lock) = locks(s, &self.site).await?.into_iter().find(LockRow::may_run) {
                return Err(StoreError::Locked(Box::new(lock)).into());
            }
            changes::fold(s, &self.site).await?;
            changes::make(s, &self.site, writes.to_vec()).await
        })
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.read(async |s| {
            let sql = concat!("SELECT ", run_columns!(), " FROM runs WHERE site = $1 ORDER BY started_ms, id");
            Ok(s.query(sql, &[&self.site]).await?.iter().map(run_row).collect())
        })
    }

    fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        self.read(async |s| {
            let sql = concat!("SELECT ", run_columns!(), " FROM runs WHERE site = $1 AND id = $2");
            Ok(s.query_opt(sql, &[&self.site, &id]).await?.as_ref().map(run_row))
        })
    }

    fn plan(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        self.read(async |s| {
            let row = s.query_opt("SELECT plan FROM runs WHERE site = $1 AND id = $2", &[&self.site, &id]).await?;
            Ok(row.map(|row| row.get(0)))
        })?
        .ok_or_else(|| StoreError::NoSuchRun(id.to_owned()))
    }

    fn events(&self, run: &str, after: u64) -> Result<Vec<Event>, StoreError> {
        let texts: Vec<String> = self.read(async |s| {
            let rows = s.query("SELECT json FROM events WHERE run = $1 AND seq > $2 ORDER BY seq", &[&run, &(after as i64)]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })?;
        texts.iter().map(|text| self.decode(&format!("event of run {run}"), text)).collect()
    }

    fn memory(&self) -> Result<Memory, StoreError> {
        self.fold_pending()?;
        let [bindings, applied, generations, rejections] = self.read(async |s| {
            // All tables at one moment.
            s.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let site = &self.site;
            let rows = [
                s.query("SELECT node, json FROM bindings WHERE site = $1", &[site]).await?,
                s.query("SELECT resource, origin, attributes FROM last_applied WHERE site = $1", &[site]).await?,
                s.query("SELECT resource, generation FROM generations WHERE site = $1", &[site]).await?,
                s.query("SELECT resource, params, message FROM rejections WHERE site = $1", &[site]).await?,
            ];
            s.client.batch_execute("COMMIT").await?;
            Ok(rows)
        })?;
        let mut memory = Memory::default();
        for row in &bindings {
            let node: String = row.get(0);
            let binding = self.decode(&format!("binding of node {node}"), row.get(1))?;
            memory.bindings.insert(node, binding);
        }
        for row in &applied {
            let resource: String = row.get(0);
            let what = format!("record of what was applied to {resource}");
            let entry = LastApplied { origin: self.decode(&what, row.get(1))?, attributes: self.decode(&what, row.get(2))? };
            memory.last_applied.insert(resource, entry);
        }
        memory.generations = generations.iter().map(|row| (row.get(0), row.get::<_, i64>(1) as u64)).collect();
        for row in &rejections {
            let resource: String = row.get(0);
            let params = self.decode(&format!("rejection of {resource}"), row.get(1))?;
            memory.rejections.insert(resource, Rejection { params, message: row.get(2) });
        }
        memory.durations_ms = self.durations()?.into_iter().filter_map(|(kind, d)| Some((kind, d.mean_ms()?))).collect();
        Ok(memory)
    }

    fn durations(&self) -> Result<BTreeMap<String, KindDuration>, StoreError> {
        self.fold_pending()?;
        self.read(async |s| {
            let rows = s.query("SELECT kind, total_ms, count FROM durations WHERE site = $1", &[&self.site]).await?;
            let duration =
                |row: &tokio_postgres::Row| KindDuration { total_ms: row.get::<_, i64>(1) as u64, count: row.get::<_, i64>(2) as u64 };
            Ok(rows.iter().map(|row| (row.get(0), duration(row))).collect())
        })
    }

    fn build_data(&self, node: &str) -> Result<Vec<BuildDatum>, StoreError> {
        self.read(async |s| {
            let sql = "SELECT name, at_ms, run, data FROM build_data WHERE site = $1 AND node = $2 ORDER BY at_ms DESC, id DESC";
            let rows = s.query(sql, &[&self.site, &node]).await?;
            let datum = |row: &tokio_postgres::Row| BuildDatum {
                name: row.get(0),
                at_ms: row.get::<_, i64>(1) as u64,
                run: row.get(2),
                text: row.get(3),
            };
            Ok(rows.iter().map(datum).collect())
        })
    }

    fn confirm(&self, run: &str, action: &str, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.change(&self.other, async |s| {
            let sql = "INSERT INTO confirmations (run, action, \"by\", at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (run, action) DO NOTHING";
            s.execute(sql, &[&run, &action, &by, &(at_ms as i64)]).await?;
            Ok(())
        })
    }

    fn confirmations(&self, run: &str) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(async |s| {
            let rows = s.query("SELECT action, \"by\" FROM confirmations WHERE run = $1", &[&run]).await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }

    fn request(&self, run: &str, request: RunRequest, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.change(&self.other, async |s| {
            // One after the other, so that none gets a lower number than one that has been seen.
            s.query("SELECT 1 FROM runs WHERE id = $1 FOR NO KEY UPDATE", &[&run]).await?;
            let sql = "INSERT INTO requests (run, request, \"by\", at_ms) VALUES ($1, $2, $3, $4)";
            s.execute(sql, &[&run, &request.name(), &by, &(at_ms as i64)]).await?;
            Ok(())
        })
    }

    fn requests(&self, run: &str, after: u64) -> Result<Vec<RequestRow>, StoreError> {
        self.read(async |s| {
            let sql = "SELECT id, request, \"by\", at_ms FROM requests WHERE run = $1 AND id > $2 ORDER BY id";
            let rows = s.query(sql, &[&run, &(after as i64)]).await?;
            let request = |row: &tokio_postgres::Row| {
                // What a newer drydock asks is not understood here, and what is not understood is not done.
                let request = RunRequest::named(row.get(1))?;
                Some(RequestRow { id: row.get::<_, i64>(0) as u64, request, by: row.get(2), at_ms: row.get::<_, i64>(3) as u64 })
            };
            Ok(rows.iter().filter_map(request).collect())
        })
    }

    fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        sqlite::create(file)?;
        let tables = self.read(async |s| copy::read(s, &self.site).await)?;
        copy::write(file, &self.site, tables)
    }

    fn lock(&self, request: &LockRequest) -> Result<Grant, StoreError> {
        let (id, process) = (holder::new_lock_id(), process::own());
        self.change(&self.other, async |s| {
            loop {
                let sql = concat!("SELECT ", lock_columns!(), " FROM locks WHERE provisioner = $1 AND site = $2 FOR UPDATE");
                let held = s.query_opt(sql, &[&request.provisioner, &self.site]).await?.as_ref().map(lock_row);
                let mut is_gone = false;
                if let Some(held) = &held {
                    // A process that is gone holds nothing if its run goes on, has come to its end, or was never written down.
                    is_gone = held.alive == Some(false) && (held.run == request.run || !is_open(s, &held.run).await?);
                    if !held.ended && !is_gone {
                        return Err(StoreError::Locked(Box::new(held.clone())).into());
                    }
                    s.execute("DELETE FROM locks WHERE id = $1", &[&held.id]).await?;
                }
                let sql = concat!(
                    "INSERT INTO locks (id, provisioner, site, run, host, \"user\", pid, process, since_ms, lease_until_ms) \
                     SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::text, now, now + $9::bigint FROM (SELECT ",
                    now!(),
                    " AS now) AS clock ON CONFLICT (provisioner, site) DO NOTHING RETURNING ",
                    lock_columns!()
                );
                let holder = &request.holder;
                let lease_ms = request.lease.as_millis() as i64;
                let taken = s
                    .query_opt(
                        sql,
                        &[
                            &id,
                            &request.provisioner,
                            &self.site,
                            &request.run,
                            &holder.host,
                            &holder.user,
                            &i64::from(holder.pid),
                            &process,
                            &lease_ms,
                        ],
                    )
                    .await?;
                // Another one was faster; who it is is seen now.
                let Some(taken) = taken else { continue };
                let mut lock = lock_row(&taken);
                lock.alive = Some(true);
                return Ok(Grant { lock, from: held.filter(|_| !is_gone) });
            }
        })
    }

    fn refresh_lock(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        self.change(&self.other, async |s| {
            let sql = concat!("UPDATE locks SET lease_until_ms = ", now!(), " + $2 WHERE id = $1");
            match s.execute(sql, &[&id, &(lease.as_millis() as i64)]).await? {
                0 => Err(StoreError::LockLost.into()),
                _ => Ok(()),
            }
        })
    }

    fn release_lock(&self, id: &str) -> Result<(), StoreError> {
        self.change(&self.other, async |s| {
            s.execute("DELETE FROM locks WHERE id = $1", &[&id]).await?;
            Ok(())
        })
    }

    fn locks(&self) -> Result<Vec<LockRow>, StoreError> {
        self.read(async |s| locks(s, &self.site).await)
    }

    fn unlock(&self, id: &str) -> Result<bool, StoreError> {
        self.change(&self.other, async |s| Ok(s.execute("DELETE FROM locks WHERE id = $1 AND site = $2", &[&id, &self.site]).await? > 0))
    }
}

//! The engine against a site in memory.

mod checks;
mod control;
mod failures;
mod gates;
mod recovery;
mod remedies;
mod running;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::action::{Action, ActionKind};
use crate::plan::Plan;
use crate::plan::testing::{action, plan};
use crate::run::{Event, RetryPolicy};
use crate::store::{
    BuildDatum, Grant, KindDuration, LockRequest, LockRow, NewRun, Record, RequestRow, RunRequest, RunRow, SqliteStore, Store, StoreError,
    Write,
};

use super::fake::FakeSite;
use super::{Drivers, Engine, EngineError, Options, RunReport};

/// A site, its state, and what runs against both.
pub(super) struct World {
    pub site: FakeSite,
    pub folder: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self { site: FakeSite::new(), folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.folder.path().join("state.db"), "test").unwrap())
    }

    pub(super) fn drivers(&self) -> Drivers {
        let mut drivers = Drivers::default();
        drivers.node.insert("fake".to_owned(), Arc::new(self.site.clone()));
        drivers.oob.insert("bmc".to_owned(), Arc::new(self.site.clone()));
        drivers
    }

    pub(super) async fn apply(&self, plan: &Plan) -> Result<RunReport, EngineError> {
        self.apply_with(plan, self.store(), options()).await
    }

    pub(super) async fn apply_with(&self, plan: &Plan, store: Arc<dyn Store>, options: Options) -> Result<RunReport, EngineError> {
        Engine::new(plan.clone(), store, self.drivers(), options).start(b"plan file").await
    }

    pub(super) async fn resume(&self, plan: &Plan, run: &str) -> Result<RunReport, EngineError> {
        Engine::new(plan.clone(), self.store(), self.drivers(), options()).resume(run).await
    }

    pub(super) fn only_run(&self) -> RunRow {
        self.store().runs().unwrap().remove(0)
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.store().events(&self.only_run().id, 0).unwrap()
    }
}

pub(super) fn options() -> Options {
    Options {
        retry: RetryPolicy { base_ms: 2, max_ms: 8, ..RetryPolicy::default() },
        lost_after: Duration::from_millis(1),
        ..Options::default()
    }
}

/// The kinds of a first deployment in order.
pub(super) const CHAIN: [ActionKind; 9] = [
    ActionKind::PowerOffNode,
    ActionKind::SetNodeBoot,
    ActionKind::PowerOnNode,
    ActionKind::IdentifyNode,
    ActionKind::ConfigureHardware,
    ActionKind::InterrogateNode,
    ActionKind::ApplyNodeNetworking,
    ActionKind::ApplyNodeStorage,
    ActionKind::DeployNode,
];

/// The branch of one node, after `site`.
pub(super) fn branch(node: &str, after: &[&str]) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    for (i, kind) in CHAIN.into_iter().enumerate() {
        let before = actions.last().map(|a| a.id.clone());
        let after: Vec<&str> = before.as_deref().map_or_else(|| after.to_vec(), |b| vec![b]);
        actions.push(action(&format!("{node}.{i}"), kind, Some(node), &after));
    }
    actions
}

/// A plan with one site action and `n` branches.
pub(super) fn site_plan(n: usize) -> Plan {
    let mut actions = vec![action("net", ActionKind::CreateNetworkTemplate, None, &[])];
    for i in 0..n {
        actions.extend(branch(&format!("r{}-n{i}", i % 3), &["net"]));
    }
    plan(actions)
}

/// A store with something wrong: its disk is full after so many events, or its events happened so much earlier than they did.
pub(super) struct Altered {
    inner: Arc<SqliteStore>,
    left: AtomicU64,
    earlier: Duration,
}

impl Altered {
    /// Full after a number of events: what came before is kept.
    pub(super) fn full_after(inner: Arc<SqliteStore>, events: u64) -> Self {
        Self { inner, left: AtomicU64::new(events), earlier: Duration::ZERO }
    }

    /// With events that are older.
    pub(super) fn aged(inner: Arc<SqliteStore>, earlier: Duration) -> Self {
        Self { inner, left: AtomicU64::new(u64::MAX), earlier }
    }
}

impl Store for Altered {
    fn create_run(&self, run: &NewRun, lock: &str, first: &Record) -> Result<(), StoreError> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Err(full(&self.inner));
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        self.inner.create_run(run, lock, first)
    }

    fn append(&self, run: &str, lock: &str, batch: &[Record]) -> Result<(), StoreError> {
        let fit = batch.len().min(self.left.load(Ordering::SeqCst) as usize);
        self.left.fetch_sub(fit as u64, Ordering::SeqCst);
        self.inner.append(run, lock, &batch[..fit])?;
        if fit < batch.len() { Err(full(&self.inner)) } else { Ok(()) }
    }

    fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.inner.write(writes)
    }
    fn confirm(&self, run: &str, action: &str, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.inner.confirm(run, action, by, at_ms)
    }
    fn confirmations(&self, run: &str) -> Result<std::collections::BTreeMap<String, String>, StoreError> {
        self.inner.confirmations(run)
    }
    fn request(&self, run: &str, request: RunRequest, by: &str, at_ms: u64) -> Result<(), StoreError> {
        self.inner.request(run, request, by, at_ms)
    }
    fn requests(&self, run: &str, after: u64) -> Result<Vec<RequestRow>, StoreError> {
        self.inner.requests(run, after)
    }
    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.inner.runs()
    }
    fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        self.inner.run(id)
    }
    fn plan(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        self.inner.plan(id)
    }
    fn events(&self, run: &str, after: u64) -> Result<Vec<Event>, StoreError> {
        let earlier = |event: Event| Event { at_ms: event.at_ms - self.earlier.as_millis() as u64, ..event };
        Ok(self.inner.events(run, after)?.into_iter().map(earlier).collect())
    }
    fn memory(&self) -> Result<crate::diff::Memory, StoreError> {
        self.inner.memory()
    }
    fn durations(&self) -> Result<std::collections::BTreeMap<String, KindDuration>, StoreError> {
        self.inner.durations()
    }
    fn build_data(&self, node: &str) -> Result<Vec<BuildDatum>, StoreError> {
        self.inner.build_data(node)
    }
    fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError> {
        self.inner.copy_to(file)
    }
    fn lock(&self, request: &LockRequest) -> Result<Grant, StoreError> {
        self.inner.lock(request)
    }
    fn refresh_lock(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.refresh_lock(id, lease)
    }
    fn release_lock(&self, id: &str) -> Result<(), StoreError> {
        self.inner.release_lock(id)
    }
    fn locks(&self) -> Result<Vec<LockRow>, StoreError> {
        self.inner.locks()
    }
    fn unlock(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.unlock(id)
    }
}

pub(super) fn full(store: &SqliteStore) -> StoreError {
    StoreError::Full { path: store.path().to_owned(), detail: "database or disk is full".to_owned() }
}

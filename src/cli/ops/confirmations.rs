//! What operators confirmed, as the manual driver asks for it: rows of the state, which another process writes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::state;
use crate::config::Settings;
use crate::driver::manual::Confirmations;
use crate::store::{Holder, Store, StoreError};

/// The confirmations in a site's state.
pub(super) struct InState {
    settings: Settings,
    site: String,
    /// Opened once there is one.
    store: Mutex<Option<Arc<dyn Store>>>,
}

/// The driver whose actions wait for a person.
pub const MANUAL: &str = "manual";

/// Records that the user of this process did what an action of a run waits for; who that is.
pub fn confirm(store: &dyn Store, run: &str, action: &str) -> Result<String, StoreError> {
    let by = user();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    store.confirm(run, action, &by, now)?;
    Ok(by)
}

/// The user of this process, and where.
pub fn user() -> String {
    let holder = Holder::current();
    format!("{}@{}", holder.user, holder.host)
}

impl InState {
    /// In the state that settings name; it is opened when it is asked.
    pub(super) fn new(settings: Settings, site: String) -> Self {
        Self { settings, site, store: Mutex::new(None) }
    }

    async fn store(&self) -> anyhow::Result<Option<Arc<dyn Store>>> {
        let mut store = self.store.lock().await;
        if store.is_none() {
            *store = state::existing(&self.settings, &self.site).await?;
        }
        Ok(store.clone())
    }

    /// Asks the state about the run of this process, from a thread that may be kept waiting.
    async fn ask<T, F>(&self, question: F) -> anyhow::Result<Option<T>>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
    {
        let Some(store) = self.store().await? else { return Ok(None) };
        let own = Holder::current();
        let asked = tokio::task::spawn_blocking(move || {
            let run = store.locks()?.into_iter().find(|lock| lock.holder == own && lock.alive == Some(true)).map(|lock| lock.run);
            run.map(|run| question(store.as_ref(), &run)).transpose()
        });
        Ok(asked.await??)
    }
}

#[async_trait]
impl Confirmations for InState {
    async fn confirmed(&self, action: &str) -> Result<Option<String>, String> {
        let action = action.to_owned();
        let found = self.ask(move |store, run| Ok(store.confirmations(run)?.remove(&action))).await;
        found.map(Option::flatten).map_err(|e| format!("{e:#}"))
    }

    async fn command(&self, node: &str) -> String {
        // A run that cannot be read now is named by its place in the list.
        let run = self.ask(|_, run| Ok(run.to_owned())).await.ok().flatten();
        format!("drydock runs confirm {} node.{node}", run.as_deref().unwrap_or("RUN"))
    }
}

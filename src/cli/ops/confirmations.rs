//! What operators confirmed, as the manual driver asks for it: rows of the state, which another process writes.

use std::path::PathBuf;

use crate::driver::manual::Confirmations;
use crate::store::{Holder, SqliteStore, Store, StoreError};

/// The confirmations in a site's state.
#[derive(Debug)]
pub(super) struct InState {
    /// The state file.
    pub(super) path: PathBuf,
    /// The site.
    pub(super) site: String,
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
    /// The run of this process, and the state.
    fn run(&self) -> Result<Option<(SqliteStore, String)>, StoreError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let store = SqliteStore::open(&self.path, &self.site)?;
        let own = std::process::id();
        let run = store.locks()?.into_iter().find(|lock| lock.holder.pid == own && lock.alive == Some(true)).map(|lock| lock.run);
        Ok(run.map(|run| (store, run)))
    }
}

impl Confirmations for InState {
    fn confirmed(&self, action: &str) -> Result<Option<String>, String> {
        let read = || -> Result<Option<String>, StoreError> {
            let Some((store, run)) = self.run()? else { return Ok(None) };
            Ok(store.confirmations(&run)?.remove(action))
        };
        read().map_err(|e| e.to_string())
    }

    fn command(&self, node: &str) -> String {
        // A run that cannot be read now is named by its place in the list.
        let run = self.run().ok().flatten().map_or_else(|| "RUN".to_owned(), |(_, run)| run);
        format!("drydock runs confirm {run} node.{node}")
    }
}

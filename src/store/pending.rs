//! Changes of the state that were decided and are not in their tables yet.
//!
//! Outcomes come in any order of resources, so each would write pages of its own in every table it touches: the more nodes, the more pages per
//! commit. Instead, what becomes true with a batch of events is appended as one row, in the same transaction, and folded into the tables later: when much
//! has come together, when a run begins, and before anything is read. The end of a run folds nothing: nobody should wait for what the next reader does anyway,
//! as it does after a crash.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction};

use super::{Record, Write, rows};

/// Changes that are folded together at least, so that the pages they share are written once. As many as were folded before, if those are more: all
/// folds of a run together cost no more than in proportion to the run, although each touches all that was written before.
const ENOUGH: u64 = 1 << 18;

/// How much has come together, and how much must.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: u64,
    folded: u64,
    /// Whether a rejection may be remembered, or waits to be.
    rejections: bool,
}

impl Backlog {
    pub(super) const EMPTY: Self = Self { waiting: 0, folded: 0, rejections: true };

    /// More has come; whether it is time to fold.
    pub(super) fn add(&mut self, changes: usize) -> bool {
        self.waiting += changes as u64;
        self.waiting >= ENOUGH.max(self.folded)
    }

    /// They have been folded.
    pub(super) fn clear(&mut self) {
        self.folded += std::mem::take(&mut self.waiting);
    }
}

/// Whether a change is made at once: it is of the run itself, or appended and not overwritten.
pub(super) fn is_immediate(write: &Write) -> bool {
    matches!(write, Write::RunEnded { .. } | Write::RunAbandoned { .. } | Write::RunReopened { .. } | Write::BuildData { .. })
}

/// Makes the changes of a batch, or puts them by; whether it is time to fold.
pub(super) fn append(tx: &Transaction<'_>, site: &str, batch: &[Record], backlog: &mut Backlog) -> rusqlite::Result<bool> {
    let (now, mut later): (Vec<&Write>, Vec<&Write>) = batch.iter().flat_map(|record| &record.writes).partition(|w| is_immediate(w));
    for write in &now {
        rows::apply(tx, site, write)?;
    }
    let rejects = |w: &&Write| matches!(w, Write::Rejected { .. });
    if backlog.rejections || later.iter().any(rejects) {
        backlog.rejections = later.iter().any(rejects) || any_of(tx, "SELECT 1 FROM rejections WHERE site = ?1", site)? || any(tx, site)?;
    }
    if !backlog.rejections {
        // Rejections are rare, and most resources never had one.
        later.retain(|w| !matches!(w, Write::ClearRejection { .. }));
    }
    if !later.is_empty() {
        tx.prepare_cached("INSERT INTO pending (site, writes) VALUES (?1, ?2)")?.execute((site, rows::json(&later)?))?;
    }
    Ok(backlog.add(later.len()))
}

fn any_of(connection: &Connection, sql: &str, site: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists([site])
}

/// Whether changes of a site were put by.
pub(super) fn any(connection: &Connection, site: &str) -> rusqlite::Result<bool> {
    any_of(connection, "SELECT 1 FROM pending WHERE site = ?1", site)
}

/// Makes all changes that were put by, in order.
pub(super) fn fold(tx: &Transaction<'_>, site: &str) -> rusqlite::Result<()> {
    let mut durations: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    {
        let mut statement = tx.prepare_cached("SELECT writes FROM pending WHERE site = ?1 ORDER BY id")?;
        let mut batches = statement.query([site])?;
        while let Some(batch) = batches.next()? {
            let text = batch.get_ref(0)?.as_str()?;
            let writes: Vec<Write> = serde_json::from_str(text)
                .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))?;
            for write in writes {
                match write {
                    Write::Duration { kind, ms } => {
                        let (total, count) = durations.entry(kind).or_default();
                        (*total, *count) = (*total + ms, *count + 1);
                    }
                    write => rows::apply(tx, site, &write)?,
                }
            }
        }
    }
    for (kind, (total_ms, count)) in durations {
        rows::add_duration(tx, site, &kind, total_ms, count)?;
    }
    tx.prepare_cached("DELETE FROM pending WHERE site = ?1")?.execute([site])?;
    Ok(())
}

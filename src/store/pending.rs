//! Changes of the state that were decided and are not in their tables yet.
//!
//! Outcomes come in any order of resources, so each would write pages of its own in every table it touches: the more nodes, the more pages per
//! commit. Instead, what becomes true with a batch of events is appended as one row, in the same transaction, and folded into the tables later: when much
//! has come together, when a run ends or begins, and before anything is read. After a crash the rows are there, and the next reader folds them.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use super::{Record, Write, rows};

/// Changes that are folded together at least, so that the pages they share are written once.
const ENOUGH: u64 = 8192;

/// How much has come together, and how much must.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: u64,
    folded: u64,
}

impl Backlog {
    pub(super) const EMPTY: Self = Self { waiting: 0, folded: 0 };

    /// More changes wait; whether it is time to fold them. What is waited for grows with what was folded, so that all folds of a run together cost no more than
    /// in proportion to the run, although each touches all that was written before.
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
fn is_immediate(write: &Write) -> bool {
    matches!(write, Write::RunEnded { .. } | Write::RunReopened { .. } | Write::BuildData { .. })
}

/// Makes the changes of a batch, or puts them by; how many were put by.
pub(super) fn append(tx: &Transaction<'_>, site: &str, batch: &[Record]) -> rusqlite::Result<usize> {
    let (now, later): (Vec<&Write>, Vec<&Write>) = batch.iter().flat_map(|record| &record.writes).partition(|w| is_immediate(w));
    for write in now {
        rows::apply(tx, site, write)?;
    }
    if !later.is_empty() {
        tx.prepare_cached("INSERT INTO pending (site, writes) VALUES (?1, ?2)")?.execute((site, rows::json(&later)?))?;
    }
    Ok(later.len())
}

/// Whether changes of a site were put by.
pub(super) fn any(connection: &rusqlite::Connection, site: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM pending WHERE site = ?1")?.exists([site])
}

/// Makes all changes that were put by, in order.
pub(super) fn fold(tx: &Transaction<'_>, site: &str) -> rusqlite::Result<()> {
    let mut durations: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut rejections = tx.prepare_cached("SELECT 1 FROM rejections WHERE site = ?1")?.exists([site])?;
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
                    // Rejections are rare, and most resources never had one.
                    Write::ClearRejection { .. } if !rejections => {}
                    write => {
                        rejections |= matches!(write, Write::Rejected { .. });
                        rows::apply(tx, site, &write)?;
                    }
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

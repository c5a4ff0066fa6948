//! One row of SQLite each way.

use rusqlite::{Row, Transaction};

use crate::run::RunOutcome;

use super::{Holder, LockRow, Record, RunRow, Write};

/// Columns of a run, in the order of [`run_row`].
pub(super) const RUN_COLUMNS: &str =
    "id, site, plan_digest, goal, selection, command, host, user, pid, started_ms, ended_ms, outcome, abandoned_ms";

/// Columns of a lock, in the order of [`lock_row`].
pub(super) const LOCK_COLUMNS: &str = "id, provisioner, site, run, host, user, pid, since_ms, lease_until_ms";

pub(super) fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let outcome: Option<String> = row.get(11)?;
    Ok(RunRow {
        id: row.get(0)?,
        site: row.get(1)?,
        plan_digest: row.get(2)?,
        goal: row.get(3)?,
        selection: row.get(4)?,
        command: row.get(5)?,
        holder: Holder { host: row.get(6)?, user: row.get(7)?, pid: row.get::<_, i64>(8)? as u32 },
        started_ms: row.get::<_, i64>(9)? as u64,
        ended_ms: row.get::<_, Option<i64>>(10)?.map(|v| v as u64),
        outcome: outcome.and_then(|o| outcome_named(&o)),
        abandoned_ms: row.get::<_, Option<i64>>(12)?.map(|v| v as u64),
    })
}

/// Whether a run has begun and not come to its end.
pub(super) fn is_open(tx: &Transaction<'_>, run: &str) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM runs WHERE id = ?1 AND ended_ms IS NULL")?.exists([run])
}

pub(super) fn lock_row(row: &Row<'_>) -> rusqlite::Result<LockRow> {
    let until = row.get::<_, i64>(8)? as u64;
    Ok(LockRow {
        id: row.get(0)?,
        provisioner: row.get(1)?,
        site: row.get(2)?,
        run: row.get(3)?,
        holder: Holder { host: row.get(4)?, user: row.get(5)?, pid: row.get::<_, i64>(6)? as u32 },
        since_ms: row.get::<_, i64>(7)? as u64,
        lease_until_ms: until,
        alive: None,
        shared: false,
        ended: until <= super::holder::now_ms(),
    })
}

pub(super) fn outcome_named(name: &str) -> Option<RunOutcome> {
    [RunOutcome::Success, RunOutcome::PartialSuccess, RunOutcome::Failure, RunOutcome::Incomplete].into_iter().find(|o| o.name() == name)
}

pub(super) fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// Appends one event.
pub(super) fn append(tx: &Transaction<'_>, run: &str, record: &Record) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO events (run, seq, at_ms, json) VALUES (?1, ?2, ?3, ?4)")?.execute((
        run,
        record.event.seq as i64,
        record.event.at_ms as i64,
        json(&record.event)?,
    ))?;
    Ok(())
}

/// Adds to what actions of a kind took so far.
pub(super) fn add_duration(tx: &Transaction<'_>, site: &str, kind: &str, total_ms: u64, count: u64) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "INSERT INTO durations (site, kind, total_ms, count) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET total_ms = total_ms + ?3, count = count + ?4",
    )?
    .execute((site, kind, total_ms as i64, count as i64))
}

/// Applies one change.
pub(super) fn apply(tx: &Transaction<'_>, site: &str, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Binding { node, binding } => tx
            .prepare_cached("INSERT INTO bindings (site, node, json) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET json = ?3")?
            .execute((site, node, json(binding)?)),
        Write::Applied { resource, origin, attributes, action } => tx
            .prepare_cached(
                "INSERT INTO last_applied (site, resource, origin, attributes, generation, action) VALUES (?1, ?2, ?3, ?4,
                 coalesce((SELECT generation FROM generations WHERE site = ?1 AND resource = ?2), 0), ?5)
                 ON CONFLICT DO UPDATE SET attributes = excluded.attributes, generation = excluded.generation, action = excluded.action",
            )?
            .execute((site, resource, json(origin)?, attributes.text(), action)),
        Write::Forget { resource } => {
            // A range instead of LIKE: names may hold its wildcards.
            let (from, to) = (format!("{resource}/"), format!("{resource}0"));
            for table in ["last_applied", "rejections"] {
                tx.prepare_cached(&format!(
                    "DELETE FROM {table} WHERE site = ?1 AND (resource = ?2 OR (resource >= ?3 AND resource < ?4))"
                ))?
                .execute((site, resource, &from, &to))?;
            }
            Ok(0)
        }
        Write::Advance { resource } => tx
            .prepare_cached(
                "INSERT INTO generations (site, resource, generation) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET generation = generation + 1",
            )?
            .execute((site, resource)),
        Write::BuildData { node, name, at_ms, run, text } => tx
            .prepare_cached("INSERT INTO build_data (site, node, name, at_ms, run, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute((site, node, name, *at_ms as i64, run, text)),
        Write::Rejected { resource, params, message } => tx
            .prepare_cached(
                "INSERT INTO rejections (site, resource, params, message) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET params = ?3, message = ?4",
            )?
            .execute((site, resource, params.text(), message)),
        Write::ClearRejection { resource } => {
            tx.prepare_cached("DELETE FROM rejections WHERE site = ?1 AND resource = ?2")?.execute((site, resource))
        }
        Write::Duration { kind, ms } => add_duration(tx, site, kind, *ms, 1),
        Write::RunReopened { run, holder } => tx
            .prepare_cached("UPDATE runs SET ended_ms = NULL, outcome = NULL, host = ?2, user = ?3, pid = ?4 WHERE id = ?1")?
            .execute((run, &holder.host, &holder.user, i64::from(holder.pid))),
        Write::RunEnded { run, outcome, at_ms } => tx
            .prepare_cached("UPDATE runs SET ended_ms = ?2, outcome = ?3 WHERE id = ?1")?
            .execute((run, *at_ms as i64, outcome.name())),
        Write::RunAbandoned { run, at_ms } => tx
            .prepare_cached("UPDATE runs SET abandoned_ms = ?2, ended_ms = coalesce(ended_ms, ?2), outcome = ?3 WHERE id = ?1")?
            .execute((run, *at_ms as i64, RunOutcome::Incomplete.name())),
    }
    .map(drop)
}

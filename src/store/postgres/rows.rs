//! One row of PostgreSQL each way.

use tokio_postgres::Row;

use super::super::rows::outcome_named;
use super::super::{Holder, LockRow, RunRow, process};

pub(super) fn run_row(row: &Row) -> RunRow {
    let outcome: Option<String> = row.get(11);
    RunRow {
        id: row.get(0),
        site: row.get(1),
        plan_digest: row.get(2),
        goal: row.get(3),
        selection: row.get(4),
        command: row.get(5),
        holder: Holder { host: row.get(6), user: row.get(7), pid: row.get::<_, i64>(8) as u32 },
        started_ms: row.get::<_, i64>(9) as u64,
        ended_ms: row.get::<_, Option<i64>>(10).map(|v| v as u64),
        outcome: outcome.and_then(|o| outcome_named(&o)),
        abandoned_ms: row.get::<_, Option<i64>>(12).map(|v| v as u64),
    }
}

/// The last column is the server's time in milliseconds since 1970.
pub(super) fn lock_row(row: &Row) -> LockRow {
    let (pid, process): (i64, String) = (row.get(6), row.get(7));
    let (until, now) = (row.get::<_, i64>(9) as u64, row.get::<_, i64>(10) as u64);
    LockRow {
        id: row.get(0),
        provisioner: row.get(1),
        site: row.get(2),
        run: row.get(3),
        holder: Holder { host: row.get(4), user: row.get(5), pid: pid as u32 },
        since_ms: row.get::<_, i64>(8) as u64,
        lease_until_ms: until,
        alive: process::is_alive(pid as u32, &process),
        shared: true,
        ended: until <= now,
    }
}

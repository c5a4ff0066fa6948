//! A site's state as a file.

use std::path::Path;

use rusqlite::types::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::super::{SqliteStore, StoreError};
use super::failure::Trouble;
use super::session::Session;

/// Statements that read the rows of a site, table by table, with the table and the columns they are written to in a file. Those that others refer to come
/// first.
const TABLES: [(&str, &str, &str); 12] = [
    (
        "runs",
        "id, site, plan_digest, plan, goal, selection, command, host, user, pid, started_ms, ended_ms, outcome, abandoned_ms",
        "SELECT id, site, plan_digest, plan, goal, selection, command, host, \"user\", pid, started_ms, ended_ms, outcome, abandoned_ms FROM runs WHERE site = $1",
    ),
    ("events", "run, seq, at_ms, json", "SELECT e.run, e.seq, e.at_ms, e.json FROM events e JOIN runs r ON r.id = e.run WHERE r.site = $1"),
    ("bindings", "site, node, json", "SELECT site, node, json FROM bindings WHERE site = $1"),
    ("generations", "site, resource, generation", "SELECT site, resource, generation FROM generations WHERE site = $1"),
    (
        "last_applied",
        "site, resource, origin, attributes, generation, action",
        "SELECT site, resource, origin, attributes, generation, action FROM last_applied WHERE site = $1",
    ),
    ("rejections", "site, resource, params, message", "SELECT site, resource, params, message FROM rejections WHERE site = $1"),
    (
        "build_data",
        "id, site, node, name, at_ms, run, data",
        "SELECT id, site, node, name, at_ms, run, data FROM build_data WHERE site = $1",
    ),
    ("durations", "site, kind, total_ms, count", "SELECT site, kind, total_ms, count FROM durations WHERE site = $1"),
    (
        "locks",
        "id, provisioner, site, run, host, user, pid, since_ms, lease_until_ms",
        "SELECT id, provisioner, site, run, host, \"user\", pid, since_ms, lease_until_ms FROM locks WHERE site = $1",
    ),
    ("pending", "id, site, writes", "SELECT id, site, writes FROM pending WHERE site = $1"),
    (
        "confirmations",
        "run, action, by, at_ms",
        "SELECT c.run, c.action, c.\"by\", c.at_ms FROM confirmations c JOIN runs r ON r.id = c.run WHERE r.site = $1",
    ),
    (
        "requests",
        "id, run, request, by, at_ms",
        "SELECT q.id, q.run, q.request, q.\"by\", q.at_ms FROM requests q JOIN runs r ON r.id = q.run WHERE r.site = $1",
    ),
];

/// The rows of a table.
pub(super) struct Table {
    name: &'static str,
    columns: &'static str,
    rows: Vec<Vec<Value>>,
}

/// Reads all rows of a site as of one moment.
pub(super) async fn read(session: &mut Session, site: &str) -> Result<Vec<Table>, Trouble> {
    session.client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for (name, columns, sql) in TABLES {
        let rows = session.query(sql, &[&site]).await?;
        tables.push(Table { name, columns, rows: rows.iter().map(values).collect() });
    }
    session.client.batch_execute("COMMIT").await?;
    Ok(tables)
}

fn values(row: &Row) -> Vec<Value> {
    let value = |(i, column): (usize, &tokio_postgres::Column)| match *column.type_() {
        Type::INT8 => row.get::<_, Option<i64>>(i).map_or(Value::Null, Value::Integer),
        Type::BYTEA => row.get::<_, Option<Vec<u8>>>(i).map_or(Value::Null, Value::Blob),
        _ => row.get::<_, Option<String>>(i).map_or(Value::Null, Value::Text),
    };
    row.columns().iter().enumerate().map(value).collect()
}

/// Writes them into a new state.
pub(super) fn write(file: &Path, site: &str, tables: Vec<Table>) -> Result<(), StoreError> {
    let store = SqliteStore::open(file, site)?;
    store.fill(|transaction| {
        for Table { name, columns, rows } in tables {
            let places = vec!["?"; columns.split(", ").count()].join(", ");
            let mut statement = transaction.prepare(&format!("INSERT INTO {name} ({columns}) VALUES ({places})"))?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        Ok(())
    })
}

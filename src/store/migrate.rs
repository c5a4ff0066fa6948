//! The schema and its versions.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::StoreError;

/// `PRAGMA application_id` of a state: `dryd`.
const APPLICATION_ID: i64 = 0x6472_7964;

/// One entry per version, oldest first. Entries are never changed, only added.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE runs (
    id TEXT PRIMARY KEY, site TEXT NOT NULL, plan_digest TEXT NOT NULL, plan BLOB NOT NULL, goal TEXT NOT NULL, selection TEXT,
    command TEXT NOT NULL, host TEXT NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER, outcome TEXT
);
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs(id), seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE bindings (site TEXT NOT NULL, node TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (site, node)) WITHOUT ROWID;
CREATE TABLE generations (
    site TEXT NOT NULL, resource TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (site, resource)
) WITHOUT ROWID;
CREATE TABLE last_applied (
    site TEXT NOT NULL, resource TEXT NOT NULL, origin TEXT NOT NULL, attributes TEXT NOT NULL, generation INTEGER NOT NULL,
    action TEXT NOT NULL, PRIMARY KEY (site, resource)
) WITHOUT ROWID;
CREATE TABLE rejections (
    site TEXT NOT NULL, resource TEXT NOT NULL, params TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (site, resource)
) WITHOUT ROWID;
CREATE TABLE build_data (
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL, run TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX build_data_by_node ON build_data (site, node, at_ms);
CREATE TABLE durations (
    site TEXT NOT NULL, kind TEXT NOT NULL, total_ms INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (site, kind)
) WITHOUT ROWID;
CREATE TABLE locks (
    id TEXT PRIMARY KEY, provisioner TEXT NOT NULL, site TEXT NOT NULL, run TEXT NOT NULL, host TEXT NOT NULL, user TEXT NOT NULL,
    pid INTEGER NOT NULL, since_ms INTEGER NOT NULL, lease_until_ms INTEGER NOT NULL, UNIQUE (provisioner, site)
);
",
    "
CREATE TABLE pending (id INTEGER PRIMARY KEY, site TEXT NOT NULL, writes TEXT NOT NULL);
",
    "
CREATE TABLE confirmations (
    run TEXT NOT NULL REFERENCES runs(id), action TEXT NOT NULL, by TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (run, action)
) WITHOUT ROWID;
",
    "
ALTER TABLE runs ADD COLUMN abandoned_ms INTEGER;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs(id), request TEXT NOT NULL, by TEXT NOT NULL, at_ms INTEGER NOT NULL
);
CREATE INDEX requests_by_run ON requests (run, id);
",
];

/// The newest schema version that is known here.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings a database to the newest schema, in one transaction; refuses one that is newer or not ours.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |e: rusqlite::Error| StoreError::sqlite(path, &e);
    if version(connection, path)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have migrated it meanwhile.
    let from = version(&transaction, path)?;
    for (i, statements) in MIGRATIONS.iter().enumerate().skip(from as usize) {
        transaction.execute_batch(statements).map_err(failed)?;
        transaction
            .execute("INSERT INTO migrations (version, drydock) VALUES (?1, ?2)", (i as i64 + 1, env!("CARGO_PKG_VERSION")))
            .map_err(failed)?;
    }
    transaction
        .execute("INSERT INTO meta (key, value) VALUES ('schema_version', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1", [SCHEMA_VERSION])
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// The schema version; 0 for a new database, in which the frame for versions is made.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let failed = |e: rusqlite::Error| StoreError::sqlite(path, &e);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).map_err(failed)?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(failed)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if tables == 0 {
        if connection.is_autocommit() {
            return Ok(0);
        }
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID};
                 CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
                 CREATE TABLE migrations (version INTEGER PRIMARY KEY, drydock TEXT NOT NULL);"
            ))
            .map_err(failed)?;
        return Ok(0);
    }
    let found: Option<i64> =
        connection.query_row("SELECT value FROM meta WHERE key = 'schema_version'", [], |r| r.get(0)).optional().map_err(failed)?;
    match found {
        Some(found) if found > SCHEMA_VERSION => Err(StoreError::Newer { path: path.to_owned(), found, supported: SCHEMA_VERSION }),
        Some(found) if found >= 0 => Ok(found),
        _ => Err(StoreError::Corrupt { path: path.to_owned(), detail: "it has no schema version".to_owned() }),
    }
}

//! The schema and its versions.

use std::path::Path;

use tokio_postgres::Client;

use super::super::StoreError;
use super::failure::Trouble;

/// One entry per version, oldest first. Entries are never changed, only added. Keys are compared byte by byte, as everywhere else in drydock.
const MIGRATIONS: &[&str] = &[
    r#"
CREATE TABLE runs (
    id TEXT COLLATE "C" PRIMARY KEY, site TEXT COLLATE "C" NOT NULL, plan_digest TEXT NOT NULL, plan BYTEA NOT NULL, goal TEXT NOT NULL,
    selection TEXT, command TEXT NOT NULL, host TEXT NOT NULL, "user" TEXT NOT NULL, pid BIGINT NOT NULL,
    started_ms BIGINT NOT NULL, ended_ms BIGINT, outcome TEXT
);
CREATE INDEX runs_by_site ON runs (site, started_ms, id);
CREATE TABLE events (
    run TEXT COLLATE "C" NOT NULL REFERENCES runs(id), seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (run, seq)
);
CREATE TABLE bindings (site TEXT COLLATE "C" NOT NULL, node TEXT COLLATE "C" NOT NULL, json TEXT NOT NULL, PRIMARY KEY (site, node));
CREATE TABLE generations (
    site TEXT COLLATE "C" NOT NULL, resource TEXT COLLATE "C" NOT NULL, generation BIGINT NOT NULL, PRIMARY KEY (site, resource)
);
CREATE TABLE last_applied (
    site TEXT COLLATE "C" NOT NULL, resource TEXT COLLATE "C" NOT NULL, origin TEXT NOT NULL, attributes TEXT NOT NULL,
    generation BIGINT NOT NULL, action TEXT NOT NULL, PRIMARY KEY (site, resource)
);
CREATE TABLE rejections (
    site TEXT COLLATE "C" NOT NULL, resource TEXT COLLATE "C" NOT NULL, params TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (site, resource)
);
CREATE TABLE build_data (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site TEXT COLLATE "C" NOT NULL, node TEXT COLLATE "C" NOT NULL, name TEXT NOT NULL,
    at_ms BIGINT NOT NULL, run TEXT NOT NULL, data TEXT NOT NULL
);
CREATE INDEX build_data_by_node ON build_data (site, node, at_ms);
CREATE TABLE durations (
    site TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, total_ms BIGINT NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (site, kind)
);
CREATE TABLE locks (
    id TEXT COLLATE "C" PRIMARY KEY, provisioner TEXT COLLATE "C" NOT NULL, site TEXT COLLATE "C" NOT NULL, run TEXT NOT NULL,
    host TEXT NOT NULL, "user" TEXT NOT NULL, pid BIGINT NOT NULL, process TEXT NOT NULL, since_ms BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL, UNIQUE (provisioner, site)
);
CREATE TABLE pending (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site TEXT COLLATE "C" NOT NULL, writes TEXT NOT NULL);
CREATE INDEX pending_by_site ON pending (site, id);
CREATE TABLE confirmations (
    run TEXT COLLATE "C" NOT NULL REFERENCES runs(id), action TEXT COLLATE "C" NOT NULL, "by" TEXT NOT NULL, at_ms BIGINT NOT NULL,
    PRIMARY KEY (run, action)
);
CREATE TABLE writers (id TEXT COLLATE "C" PRIMARY KEY, transactions BIGINT NOT NULL, at_ms BIGINT NOT NULL);
"#,
    "
ALTER TABLE runs ADD COLUMN abandoned_ms BIGINT;
CREATE TABLE requests (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run TEXT COLLATE \"C\" NOT NULL REFERENCES runs(id), request TEXT NOT NULL,
    \"by\" TEXT NOT NULL, at_ms BIGINT NOT NULL
);
CREATE INDEX requests_by_run ON requests (run, id);
",
];

/// The newest schema version that is known here.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Key of the lock under which the schema is made and changed: `drydock` in ASCII.
const SCHEMA_LOCK: i64 = 0x0064_7279_646f_636b;

/// The version of the schema; `None` where there is none.
pub(super) async fn version(client: &Client, place: &Path) -> Result<Option<i64>, Trouble> {
    let row = client
        .query_one(
            "SELECT to_regclass('drydock.meta') IS NOT NULL, EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'drydock')",
            &[],
        )
        .await?;
    let (ours, any): (bool, bool) = (row.get(0), row.get(1));
    if !ours {
        if any {
            return Err(StoreError::ForeignSchema { path: place.to_owned() }.into());
        }
        return Ok(None);
    }
    let row = client.query_opt("SELECT value FROM drydock.meta WHERE key = 'schema_version'", &[]).await?;
    match row.and_then(|row| row.get::<_, String>(0).parse::<i64>().ok()) {
        Some(found) if found > VERSION => Err(StoreError::Newer { path: place.to_owned(), found, supported: VERSION }.into()),
        Some(found) if found > 0 => Ok(Some(found)),
        _ => Err(StoreError::Corrupt { path: place.to_owned(), detail: "it has no schema version".to_owned() }.into()),
    }
}

/// Makes the schema, or brings it to the newest version, in one transaction that excludes other processes.
pub(super) async fn migrate(client: &Client, place: &Path) -> Result<(), Trouble> {
    if version(client, place).await? == Some(VERSION) {
        return Ok(());
    }
    client.batch_execute("BEGIN").await?;
    let result = steps(client, place).await;
    client.batch_execute(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    result
}

async fn steps(client: &Client, place: &Path) -> Result<(), Trouble> {
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).await?;
    // Another process may have made it meanwhile.
    let from = version(client, place).await?;
    if from.is_none() {
        client
            .batch_execute(
                "CREATE SCHEMA IF NOT EXISTS drydock;
                 CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
                 CREATE TABLE migrations (version BIGINT PRIMARY KEY, drydock TEXT NOT NULL)",
            )
            .await?;
    }
    for (i, statements) in MIGRATIONS.iter().enumerate().skip(from.unwrap_or(0) as usize) {
        client.batch_execute(statements).await?;
        client.execute("INSERT INTO migrations (version, drydock) VALUES ($1, $2)", &[&(i as i64 + 1), &env!("CARGO_PKG_VERSION")]).await?;
    }
    client
        .execute(
            "INSERT INTO meta (key, value) VALUES ('schema_version', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            &[&VERSION.to_string()],
        )
        .await?;
    Ok(())
}

/// Statements that make the schema as it was at a version.
#[cfg(test)]
pub(super) fn statements_for_tests(version: usize) -> String {
    let frame = "CREATE SCHEMA drydock; SET search_path TO drydock; CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL); \
                 CREATE TABLE migrations (version BIGINT PRIMARY KEY, drydock TEXT NOT NULL);";
    format!("{frame} {} INSERT INTO meta VALUES ('schema_version', '{version}');", MIGRATIONS[..version].concat())
}

//! Changes of the state as statements: what has come together in one statement for each table.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use super::super::fold::Folded;
use super::super::{Holder, Record, Write};
use super::failure::Trouble;
use super::session::Session;
use crate::run::RunOutcome;

/// Text as PostgreSQL takes it: it has no NUL.
pub(super) fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

fn json(value: &impl serde::Serialize) -> Result<String, Trouble> {
    // JSON has its own way of writing a NUL.
    serde_json::to_string(value).map_err(|e| Trouble::unreadable("value that was to be written", &e))
}

/// Appends events of a run.
pub(super) async fn append(session: &mut Session, run: &str, batch: &[Record]) -> Result<(), Trouble> {
    let sequence: Vec<i64> = batch.iter().map(|r| r.event.seq as i64).collect();
    let at: Vec<i64> = batch.iter().map(|r| r.event.at_ms as i64).collect();
    let events = batch.iter().map(|r| json(&r.event)).collect::<Result<Vec<_>, _>>()?;
    let sql = "INSERT INTO events (run, seq, at_ms, json) SELECT $1::text, * FROM unnest($2::bigint[], $3::bigint[], $4::text[])";
    session.execute(sql, &[&run, &sequence, &at, &events]).await?;
    Ok(())
}

/// Puts changes by, to be made together later.
pub(super) async fn put_by(session: &mut Session, site: &str, writes: &[&Write]) -> Result<(), Trouble> {
    session.execute("INSERT INTO pending (site, writes) VALUES ($1, $2)", &[&site, &json(&writes)?]).await?;
    Ok(())
}

/// Makes all changes of a site that were put by, in order.
pub(super) async fn fold(session: &mut Session, site: &str) -> Result<(), Trouble> {
    // One at a time: they are made once, and in order.
    session.execute("SELECT pg_advisory_xact_lock(hashtextextended('drydock fold ' || $1::text, 0))", &[&site]).await?;
    let rows = session.query("SELECT id, writes FROM pending WHERE site = $1 ORDER BY id", &[&site]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut writes: Vec<Write> = Vec::new();
    for row in &rows {
        let batch: Vec<Write> = serde_json::from_str(row.get(1)).map_err(|e| Trouble::unreadable("batch of changes", &e))?;
        writes.extend(batch);
    }
    make(session, site, writes).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    session.execute("DELETE FROM pending WHERE id = ANY($1)", &[&ids]).await?;
    Ok(())
}

/// Makes changes, in order.
pub(super) async fn make(session: &mut Session, site: &str, writes: Vec<Write>) -> Result<(), Trouble> {
    let mut folded = Folded::default();
    for write in writes {
        if let Some(write) = folded.add(write) {
            one(session, site, &write).await?;
        }
    }
    let Folded { forgotten, bindings, advanced, applied, rejections, durations } = folded;
    if !forgotten.is_empty() {
        let forgotten: Vec<String> = forgotten.into_iter().collect();
        for sql in [
            "DELETE FROM last_applied t USING unnest($2::text[]) AS f (resource) WHERE t.site = $1 AND (t.resource = f.resource COLLATE \"C\" \
             OR (t.resource >= f.resource || '/' COLLATE \"C\" AND t.resource < f.resource || '0' COLLATE \"C\"))",
            "DELETE FROM rejections t USING unnest($2::text[]) AS f (resource) WHERE t.site = $1 AND (t.resource = f.resource COLLATE \"C\" \
             OR (t.resource >= f.resource || '/' COLLATE \"C\" AND t.resource < f.resource || '0' COLLATE \"C\"))",
        ] {
            session.execute(sql, &[&site, &forgotten]).await?;
        }
    }
    if !bindings.is_empty() {
        let (nodes, machines) = columns(bindings, |machine| json(&machine))?;
        let sql = "INSERT INTO bindings (site, node, json) SELECT $1::text, * FROM unnest($2::text[], $3::text[]) \
             ON CONFLICT (site, node) DO UPDATE SET json = excluded.json";
        session.execute(sql, &[&site, &nodes, &machines]).await?;
    }
    if !advanced.is_empty() {
        let (resources, by) = columns(advanced, |by| Ok(by as i64))?;
        let sql = "INSERT INTO generations (site, resource, generation) SELECT $1::text, * FROM unnest($2::text[], $3::bigint[]) \
             ON CONFLICT (site, resource) DO UPDATE SET generation = generations.generation + excluded.generation";
        session.execute(sql, &[&site, &resources, &by]).await?;
    }
    if !applied.is_empty() {
        let (mut resources, mut origins, mut attributes, mut later, mut actions) = (vec![], vec![], vec![], vec![], vec![]);
        for (resource, applied) in applied {
            resources.push(resource);
            origins.push(json(&applied.origin)?);
            attributes.push(applied.attributes);
            later.push(applied.later as i64);
            actions.push(applied.action);
        }
        let sql = "INSERT INTO last_applied (site, resource, origin, attributes, generation, action) \
             SELECT $1::text, a.resource, a.origin, a.attributes, coalesce(g.generation, 0) - a.later, a.action \
             FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[]) AS a (resource, origin, attributes, later, action) \
             LEFT JOIN generations g ON g.site = $1 AND g.resource = a.resource COLLATE \"C\" \
             ON CONFLICT (site, resource) DO UPDATE SET attributes = excluded.attributes, generation = excluded.generation, action = excluded.action";
        session.execute(sql, &[&site, &resources, &origins, &attributes, &later, &actions]).await?;
    }
    let cleared: Vec<&String> = rejections.iter().filter(|(_, rejection)| rejection.is_none()).map(|(resource, _)| resource).collect();
    if !cleared.is_empty() {
        session.execute("DELETE FROM rejections WHERE site = $1 AND resource = ANY($2)", &[&site, &cleared]).await?;
    }
    for (resource, (params, message)) in rejections.iter().filter_map(|(resource, rejection)| Some((resource, rejection.as_ref()?))) {
        let sql = "INSERT INTO rejections (site, resource, params, message) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (site, resource) DO UPDATE SET params = excluded.params, message = excluded.message";
        session.execute(sql, &[&site, resource, params, &text(message)]).await?;
    }
    for (kind, (total_ms, count)) in durations {
        let sql = "INSERT INTO durations (site, kind, total_ms, count) VALUES ($1, $2, $3, $4) ON CONFLICT (site, kind) \
             DO UPDATE SET total_ms = durations.total_ms + excluded.total_ms, count = durations.count + excluded.count";
        session.execute(sql, &[&site, &kind, &(total_ms as i64), &(count as i64)]).await?;
    }
    Ok(())
}

/// Two columns of a table, in the order of keys.
fn columns<V, C>(map: BTreeMap<String, V>, column: impl Fn(V) -> Result<C, Trouble>) -> Result<(Vec<String>, Vec<C>), Trouble> {
    let mut out = (Vec::with_capacity(map.len()), Vec::with_capacity(map.len()));
    for (key, value) in map {
        out.0.push(key);
        out.1.push(column(value)?);
    }
    Ok(out)
}

/// A change that stands for itself.
async fn one(session: &mut Session, site: &str, write: &Write) -> Result<(), Trouble> {
    let (sql, parameters): (_, Vec<Box<dyn ToSql + Sync>>) = match write {
        Write::BuildData { node, name, at_ms, run, text: data } => (
            "INSERT INTO build_data (site, node, name, at_ms, run, data) VALUES ($1, $2, $3, $4, $5, $6)",
            vec![
                Box::new(site.to_owned()),
                Box::new(node.clone()),
                Box::new(name.clone()),
                Box::new(*at_ms as i64),
                Box::new(run.clone()),
                Box::new(text(data)),
            ],
        ),
        Write::RunReopened { run, holder: Holder { host, user, pid } } => (
            "UPDATE runs SET ended_ms = NULL, outcome = NULL, host = $2, \"user\" = $3, pid = $4 WHERE id = $1",
            vec![Box::new(run.clone()), Box::new(host.clone()), Box::new(user.clone()), Box::new(i64::from(*pid))],
        ),
        Write::RunEnded { run, outcome, at_ms } => (
            "UPDATE runs SET ended_ms = $2, outcome = $3 WHERE id = $1",
            vec![Box::new(run.clone()), Box::new(*at_ms as i64), Box::new(outcome.name())],
        ),
        Write::RunAbandoned { run, at_ms } => (
            "UPDATE runs SET abandoned_ms = $2, ended_ms = coalesce(ended_ms, $2), outcome = $3 WHERE id = $1",
            vec![Box::new(run.clone()), Box::new(*at_ms as i64), Box::new(RunOutcome::Incomplete.name())],
        ),
        // Added up, not made alone.
        _ => return Ok(()),
    };
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(AsRef::as_ref).collect();
    session.execute(sql, &parameters).await?;
    Ok(())
}

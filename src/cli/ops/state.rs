//! The durable state of a site folder.

use std::sync::Arc;

use super::design;
use crate::cli::args::Sources;
use crate::cli::problem::Problem;
use crate::config::Settings;
use crate::diff::Memory;
use crate::plan::Plan;
use crate::report::RunInfo;
use crate::store::{RunRow, SqliteStore, Store, paused_by};

/// Opens the state; creates it if there is none yet.
pub fn open(settings: &Settings, site: &str) -> anyhow::Result<Arc<SqliteStore>> {
    Ok(Arc::new(SqliteStore::open(&settings.state_file(), site)?))
}

/// Opens the state, if there is one.
pub fn existing(settings: &Settings, site: &str) -> anyhow::Result<Option<Arc<SqliteStore>>> {
    if settings.state_file().exists() { open(settings, site).map(Some) } else { Ok(None) }
}

/// Opens the state of the folder without its design having to be right.
pub async fn of_folder(from: &Sources) -> anyhow::Result<Option<Arc<SqliteStore>>> {
    let settings = design::settings(from)?;
    let site = design::site_name(&settings, from).await?;
    existing(&settings, &site)
}

/// What a comparison needs to remember; empty if there is no state yet.
pub fn memory(settings: &Settings, site: &str) -> anyhow::Result<Memory> {
    existing(settings, site)?.map_or_else(|| Ok(Memory::default()), |store| Ok(store.memory()?))
}

/// The run of that id, or the latest one. An id may be given by its end.
pub fn run(store: &dyn Store, id: Option<&str>) -> anyhow::Result<RunRow> {
    let mut runs = store.runs()?;
    let Some(id) = id else {
        return runs.pop().ok_or_else(|| Problem::new("there is no run yet").help("`drydock apply` begins one").into());
    };
    if let Some(at) = runs.iter().position(|r| r.id == id) {
        return Ok(runs.swap_remove(at));
    }
    runs.retain(|r| r.id.ends_with(id));
    match (runs.pop(), runs.len()) {
        (Some(run), 0) => Ok(run),
        (Some(_), others) => {
            Err(Problem::new(format!("{} runs end with `{id}`", others + 1)).help("`drydock runs` shows their full ids").into())
        }
        (None, _) => Err(Problem::new(format!("there is no run `{id}`")).help("`drydock runs` lists them").into()),
    }
}

/// The plan that is kept with a run.
pub fn plan(store: &dyn Store, run: &str) -> anyhow::Result<Plan> {
    let damaged = |why: String| Problem::new(format!("the plan that is kept with run {run} cannot be used: {why}")).help("plan again");
    let file = store.plan(run)?;
    let text = std::str::from_utf8(&file).map_err(|e| damaged(e.to_string()))?;
    Ok(crate::plan::read(text).map_err(|e| damaged(e.to_string()))?)
}

/// A run as reports want it.
pub fn info(store: &dyn Store, run: &RunRow) -> anyhow::Result<RunInfo> {
    let running = store.locks()?.iter().any(|lock| lock.run == run.id && lock.alive != Some(false));
    Ok(RunInfo {
        id: run.id.clone(),
        site: run.site.clone(),
        goal: run.goal.clone(),
        selection: run.selection.clone(),
        plan_digest: run.plan_digest.clone(),
        by: format!("{}@{}", run.holder.user, run.holder.host),
        started_ms: run.started_ms,
        ended_ms: run.ended_ms,
        outcome: run.outcome,
        running,
        paused: paused_by(&store.requests(&run.id, 0)?).map(str::to_owned),
        abandoned: run.abandoned_ms.is_some(),
    })
}

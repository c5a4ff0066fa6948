//! The durable state of a site folder.

use std::sync::Arc;

use super::design;
use crate::cli::args::Sources;
use crate::cli::problem::Problem;
use crate::config::{PostgresSettings, Settings, StateSettings};
use crate::diff::Memory;
use crate::plan::Plan;
use crate::report::RunInfo;
use crate::store::{RunRow, SqliteStore, Store, paused_by};

/// Opens the state; creates it if there is none yet.
pub async fn open(settings: &Settings, site: &str) -> anyhow::Result<Arc<dyn Store>> {
    match &settings.state {
        StateSettings::File(file) => Ok(Arc::new(SqliteStore::open(&settings.path(file), site)?)),
        StateSettings::Postgres(given) => database::open(settings, given, site).await,
    }
}

/// Opens the state, if there is one.
pub async fn existing(settings: &Settings, site: &str) -> anyhow::Result<Option<Arc<dyn Store>>> {
    match &settings.state {
        StateSettings::File(file) if settings.path(file).exists() => open(settings, site).await.map(Some),
        StateSettings::File(_) => Ok(None),
        StateSettings::Postgres(given) => database::existing(settings, given, site).await,
    }
}

/// Opens the state of the folder without its design having to be right.
pub async fn of_folder(from: &Sources) -> anyhow::Result<Option<Arc<dyn Store>>> {
    let settings = design::settings(from)?;
    let site = design::site_name(&settings, from).await?;
    existing(&settings, &site).await
}

/// What a comparison needs to remember; empty if there is no state yet.
pub async fn memory(settings: &Settings, site: &str) -> anyhow::Result<Memory> {
    existing(settings, site).await?.map_or_else(|| Ok(Memory::default()), |store| Ok(store.memory()?))
}

/// The schema version of a state in a database as it is, if there is one, and the newest that is known here.
pub async fn inspect(settings: &Settings, given: &PostgresSettings) -> anyhow::Result<(Option<i64>, i64)> {
    database::inspect(settings, given).await
}

#[cfg(feature = "postgres")]
mod database {
    use std::sync::Arc;

    use anyhow::Context as _;

    use crate::cli::problem::Problem;
    use crate::config::{PostgresSettings, PostgresUrl, Settings, UrlSource};
    use crate::driver::http::ClientCertificate;
    use crate::secret;
    use crate::store::{PostgresOptions, PostgresStore, Store};

    async fn options(settings: &Settings, given: &PostgresSettings) -> anyhow::Result<PostgresOptions> {
        let url = match &given.url {
            UrlSource::Written(url) => url.clone(),
            UrlSource::From(reference) => secret::resolve(reference, &settings.root).await.context("`state.url`")?.expose().to_owned(),
        };
        let url = PostgresUrl::parse(&url)
            .map_err(|(message, help)| Problem::new(format!("the URL of `state` {message}")).at(&settings.shown).help(help))?;
        let mut options = PostgresOptions::new(url);
        if let Some(password) = &given.password {
            options.password = Some(secret::resolve(password, &settings.root).await.context("`state.password`")?);
        }
        options.ca_file = given.ca_file.as_deref().map(|file| settings.path(file));
        options.pinned_sha256.clone_from(&given.pinned_sha256);
        if let (Some(file), Some(key)) = (&given.client_cert_file, &given.client_key) {
            let key = secret::resolve(key, &settings.root).await.context("`state.client_key`")?;
            options.client = Some(ClientCertificate { file: settings.path(file), key });
        }
        Ok(options)
    }

    pub(super) async fn open(settings: &Settings, given: &PostgresSettings, site: &str) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(PostgresStore::open(&options(settings, given).await?, site)?))
    }

    pub(super) async fn existing(settings: &Settings, given: &PostgresSettings, site: &str) -> anyhow::Result<Option<Arc<dyn Store>>> {
        let store = PostgresStore::existing(&options(settings, given).await?, site)?;
        Ok(store.map(|store| Arc::new(store) as Arc<dyn Store>))
    }

    pub(super) async fn inspect(settings: &Settings, given: &PostgresSettings) -> anyhow::Result<(Option<i64>, i64)> {
        Ok((PostgresStore::inspect(&options(settings, given).await?)?, PostgresStore::SCHEMA_VERSION))
    }
}

#[cfg(not(feature = "postgres"))]
mod database {
    use std::sync::Arc;

    use crate::cli::problem::Problem;
    use crate::config::{PostgresSettings, Settings};
    use crate::store::Store;

    fn none<T>(settings: &Settings) -> anyhow::Result<T> {
        Err(Problem::new("this drydock was built without PostgreSQL, which `state` names")
            .at(&settings.shown)
            .help("use a released drydock, build it with the feature `postgres`, or name a file with `state:`")
            .into())
    }

    pub(super) async fn open(settings: &Settings, _: &PostgresSettings, _: &str) -> anyhow::Result<Arc<dyn Store>> {
        none(settings)
    }

    pub(super) async fn existing(settings: &Settings, _: &PostgresSettings, _: &str) -> anyhow::Result<Option<Arc<dyn Store>>> {
        none(settings)
    }

    pub(super) async fn inspect(settings: &Settings, _: &PostgresSettings) -> anyhow::Result<(Option<i64>, i64)> {
        none(settings)
    }
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
    let running = store.locks()?.iter().any(|lock| lock.run == run.id && lock.may_run());
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

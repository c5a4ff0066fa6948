//! Watching a run that another process carries out, by what it has recorded.

use std::sync::Arc;
use std::time::Duration;

use super::run::exit_of;
use super::{progress, state};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::plan::Plan;
use crate::report;
use crate::report::progress::Watched;
use crate::run::{Event, EventKind, RunState};
use crate::store::{RunRow, Store};

/// How often the state is asked for more.
const EVERY: Duration = Duration::from_millis(500);

/// Shows a run from where it is until it ends: what happens on stderr, how it ended on stdout; or every event from the first on, one JSON object a line.
pub async fn follow(store: Arc<dyn Store>, run: &RunRow, plan: &Plan, json: bool, printer: &Printer) -> anyhow::Result<Exit> {
    let actions = &plan.actions;
    let mut follower = Follower { store, run: run.id.clone(), after: 0 };
    let (mut so_far, mut goes_on) = follower.more().await?;
    let mut state = RunState::fold(actions, &so_far)?;
    let expected = progress::expected(plan, follower.store.as_ref())?;
    let prior = if json { None } else { Some(state.clone()) };
    let mut reporter = progress::reporter(&Watched { actions, prior: prior.as_ref(), expected: &expected }, json, printer)?;
    if !json {
        so_far.clear();
    }
    loop {
        for event in &so_far {
            reporter.event(event);
        }
        if !goes_on {
            break;
        }
        reporter.tick(progress::now_ms());
        tokio::time::sleep(EVERY).await;
        (so_far, goes_on) = follower.more().await?;
        for event in &so_far {
            state.apply(event);
        }
    }
    reporter.finish();
    let row = state::run(follower.store.as_ref(), Some(&run.id))?;
    if !json {
        let info = state::info(follower.store.as_ref(), &row)?;
        printer.result(&report::run_summary(&info, actions, &state, &printer.text_options()))?;
    }
    let Some(outcome) = row.outcome else {
        printer.note(&format!("the process that carried it out is gone; next: `drydock resume {}` goes on with the run", run.id));
        return Ok(Exit::RunFailed);
    };
    Ok(exit_of(outcome))
}

/// What has been read of a run.
struct Follower {
    store: Arc<dyn Store>,
    run: String,
    after: u64,
}

impl Follower {
    /// What has been recorded since, and whether more may come.
    async fn more(&mut self) -> anyhow::Result<(Vec<Event>, bool)> {
        let (store, run, after) = (Arc::clone(&self.store), self.run.clone(), self.after);
        let read = move || {
            // In this order: what a process recorded before it was seen to be gone is read.
            let is_held = store.locks()?.iter().any(|lock| lock.run == run && lock.may_run());
            Ok::<_, crate::store::StoreError>((store.events(&run, after)?, is_held))
        };
        let (events, is_held) = tokio::task::spawn_blocking(read).await??;
        self.after = events.last().map_or(after, |event| event.seq);
        let ended = events.last().is_some_and(|event| matches!(event.event, EventKind::RunFinished { .. }));
        Ok((events, is_held && !ended))
    }
}

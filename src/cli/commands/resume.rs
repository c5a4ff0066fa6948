//! `drydock resume`: go on with a run that was interrupted or failed.

use std::sync::Arc;

use crate::cli::args::{Resume, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::run::{self, Work};
use crate::cli::ops::{design, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;
use crate::run::RunOutcome;
use crate::store::Store;

/// Runs the command.
pub async fn run(args: &Resume, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let design = design::load(from, printer).await?;
    let Some(store) = state::existing(&design.settings, &design.site.name.value)? else {
        return Err(Problem::new("there is no run yet").help("`drydock apply` begins one").into());
    };
    let row = state::run(store.as_ref(), args.run.as_deref())?;
    if row.outcome == Some(RunOutcome::Success) {
        printer.result(&format!("run {} is done: nothing is left to resume\n", row.id))?;
        return Ok(Exit::Done);
    }
    let plan = state::plan(store.as_ref(), &row.id)?;
    let drivers = Drivers::connect(&design, printer).await?;
    let store: Arc<dyn Store> = store;
    let work = Work { plan, resume: Some(&row.id), parallelism: args.parallelism, json: args.json };
    let ended = run::carry_out(work, store, &drivers, printer, interrupts).await;
    let closed = drivers.close().await;
    let exit = ended?;
    closed?;
    Ok(exit)
}

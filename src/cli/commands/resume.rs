//! `drydock resume`: go on with a run that was interrupted or failed.

use crate::cli::args::{Resume, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::design::Design;
use crate::cli::ops::drivers::Drivers;
use crate::cli::ops::run::{self, Work};
use crate::cli::ops::{design, state};
use crate::cli::output::Printer;
use crate::cli::problem::{DesignInvalid, Problem};
use crate::cli::signals::Interrupts;
use crate::run::RunOutcome;

/// Runs the command.
pub async fn run(args: &Resume, from: &Sources, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let design = match design::load(from, printer).await {
        Err(error) if error.downcast_ref::<DesignInvalid>().is_some() && from.reference.is_none() => {
            printer.note("a run goes on with its own plan, and reads only credentials from the design: `drydock --ref COMMIT resume` takes them from an earlier one");
            return Err(error);
        }
        design => design?,
    };
    go_on(args, &design, printer, interrupts).await
}

/// Goes on with a run; its credentials come from this design.
pub(super) async fn go_on(args: &Resume, design: &Design, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let Some(store) = state::existing(&design.settings, &design.site.name.value).await? else {
        return Err(Problem::new("there is no run yet").help("`drydock apply` begins one").into());
    };
    let row = state::run(store.as_ref(), args.run.as_deref())?;
    if row.outcome == Some(RunOutcome::Success) {
        printer.result(&format!("run {} is done: nothing is left to resume\n", row.id))?;
        return Ok(Exit::Done);
    }
    if row.abandoned_ms.is_some() {
        let message = format!("run {} was abandoned", row.id);
        return Err(Problem::refused(message).help("`drydock plan` sees what it did, and plans the rest").into());
    }
    let plan = state::plan(store.as_ref(), &row.id)?;
    let drivers = Drivers::for_plan(design, &plan, printer).await?;
    let work = Work {
        plan,
        resume: Some(&row.id),
        approved_by: Vec::new(),
        parallelism: args.parallelism,
        holds: None,
        json: args.json,
        design,
        reports: &args.report,
    };
    run::carry_out(work, store, drivers, printer, interrupts).await
}

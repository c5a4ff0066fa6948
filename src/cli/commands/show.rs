//! `drydock show`: show a plan file.

use crate::cli::args::Show;
use crate::cli::exit::Exit;
use crate::cli::ops::plan;
use crate::cli::output::Printer;
use crate::report::Next;

/// Runs the command.
pub fn run(args: &Show, printer: &Printer) -> anyhow::Result<Exit> {
    let plan = plan::read(&args.plan)?;
    printer.result(&plan::render(&plan, printer, Next::Apply(args.plan.display().to_string()), Some(&args.review)))?;
    Ok(Exit::Done)
}

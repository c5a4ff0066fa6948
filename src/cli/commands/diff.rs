//! `drydock diff`: compare two plan files.

use crate::cli::args::{Diff, Format};
use crate::cli::exit::Exit;
use crate::cli::ops::plan;
use crate::cli::output::Printer;
use crate::plan::differences;
use crate::report;

/// Runs the command.
pub fn run(args: &Diff, printer: &Printer) -> anyhow::Result<Exit> {
    let (first, second) = (plan::read(&args.first)?, plan::read(&args.second)?);
    printer.result(&match printer.format() {
        Format::Json => format!("{:#}\n", report::plan_diff_json(&first, &second)),
        Format::Text => report::plan_diff_text(&first, &second, &printer.text_options()),
    })?;
    let differ = !differences(&first, &second).is_empty() || !crate::plan::excess(&first, &second).is_empty();
    Ok(if args.detailed_exitcode && differ { Exit::Changes } else { Exit::Done })
}

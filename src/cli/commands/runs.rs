//! `drydock runs`: what was done before.

use crate::cli::args::{Format, Runs, RunsCommand, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::{run as runs, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::report;
use crate::store::Store as _;

/// Runs the command.
pub async fn run(args: &Runs, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(RunsCommand::List) => list(from, printer).await,
        Some(RunsCommand::Show { run }) => show(run.as_deref(), from, printer).await,
    }
}

async fn list(from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let mut infos = Vec::new();
    if let Some(store) = state::of_folder(from).await? {
        for run in store.runs()?.iter().rev() {
            infos.push(state::info(store.as_ref(), run)?);
        }
    }
    printer.result(&match printer.format() {
        Format::Text => report::runs_table(&infos, &printer.text_options()),
        Format::Json => format!("{:#}\n", report::runs_json(&infos)),
    })?;
    Ok(Exit::Done)
}

async fn show(id: Option<&str>, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let Some(store) = state::of_folder(from).await? else {
        return Err(Problem::new("there is no run yet").help("`drydock apply` begins one").into());
    };
    let run = state::run(store.as_ref(), id)?;
    let plan = state::plan(store.as_ref(), &run.id)?;
    let so_far = runs::so_far(store.as_ref(), &run.id, &plan.actions)?;
    let info = state::info(store.as_ref(), &run)?;
    printer.result(&match printer.format() {
        Format::Text => report::run_show(&info, &plan.actions, &so_far, &printer.text_options()),
        Format::Json => format!("{:#}\n", report::run_json(&info, &plan.actions, &so_far)),
    })?;
    Ok(Exit::Done)
}

//! `drydock runs`: what was done before.

use crate::action::{Action, ActionKind, ErrorClass};
use crate::cli::args::{Format, Runs, RunsCommand, Sources};
use crate::cli::exit::Exit;
use crate::cli::ops::confirmations::{self, MANUAL};
use crate::cli::ops::{control, follow, run as runs, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::report;
use crate::run::Status;
use crate::store::RunRequest;

/// Runs the command.
pub async fn run(args: &Runs, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(RunsCommand::List) => list(from, printer).await,
        Some(RunsCommand::Show { run, follow }) => show(run.as_deref(), *follow, from, printer).await,
        Some(RunsCommand::Confirm { run, node }) => confirm(run, node, from, printer).await,
        Some(RunsCommand::Stop { run, now: false }) => ask(run.as_deref(), RunRequest::Stop, from, printer).await,
        Some(RunsCommand::Stop { run, now: true }) => ask(run.as_deref(), RunRequest::StopNow, from, printer).await,
        Some(RunsCommand::Pause { run }) => ask(run.as_deref(), RunRequest::Pause, from, printer).await,
        Some(RunsCommand::Continue { run }) => ask(run.as_deref(), RunRequest::Continue, from, printer).await,
        Some(RunsCommand::Abandon { run }) => abandon(run, from, printer).await,
    }
}

fn no_run() -> Problem {
    Problem::new("there is no run yet").help("`drydock apply` begins one")
}

/// Asks something of a run, whichever process it has.
async fn ask(id: Option<&str>, request: RunRequest, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let store = state::of_folder(from).await?.ok_or_else(no_run)?;
    let said = control::ask(store.as_ref(), id, request)?;
    printer.result(&said)?;
    Ok(Exit::Done)
}

async fn abandon(id: &str, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let store = state::of_folder(from).await?.ok_or_else(no_run)?;
    let run = state::run(store.as_ref(), Some(id))?;
    printer.result(&control::abandon(store.as_ref(), &run)?)?;
    printer.note("next: `drydock plan` shows what is left to do");
    Ok(Exit::Done)
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

async fn show(id: Option<&str>, follow: bool, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let Some(store) = state::of_folder(from).await? else {
        return Err(no_run().into());
    };
    let run = state::run(store.as_ref(), id)?;
    let plan = state::plan(store.as_ref(), &run.id)?;
    if follow {
        let json = match printer.format_name() {
            "json" => true,
            "text" => false,
            other => return Err(Problem::usage(format!("a run is not followed as {other}")).help("use --format text or json").into()),
        };
        return follow::follow(store, &run, &plan, json, printer).await;
    }
    let so_far = runs::so_far(store.as_ref(), &run.id, &plan.actions)?;
    let info = state::info(store.as_ref(), &run)?;
    printer.result(&match runs::report(printer.format_name(), &info, &plan, &so_far) {
        Some(report) => report,
        None => report::run_show(&info, &plan.actions, &so_far, &printer.text_options()),
    })?;
    Ok(Exit::Done)
}

/// Confirms what the run waits for at a node. The run sees it the next time it looks, or when it is resumed.
async fn confirm(run: &str, node: &str, from: &Sources, printer: &Printer) -> anyhow::Result<Exit> {
    let Some(store) = state::of_folder(from).await? else {
        return Err(no_run().into());
    };
    let run = state::run(store.as_ref(), Some(run))?;
    let name = node.strip_prefix("node.").or_else(|| node.strip_prefix("node=")).unwrap_or(node);
    let plan = state::plan(store.as_ref(), &run.id)?;
    let so_far = runs::so_far(store.as_ref(), &run.id, &plan.actions)?;
    let known = store.confirmations(&run.id)?;
    let running = state::info(store.as_ref(), &run)?.running;
    // By hand, or a hook of which it is not known whether it came to its end.
    let waits = |i: usize, a: &Action| match so_far.task(i).status {
        _ if !so_far.task(i).begun => false,
        Status::WaitingAtSite { .. } => a.driver == MANUAL,
        Status::Running => a.kind == ActionKind::RunHook && !running,
        Status::Failed { class: ErrorClass::Inconclusive, .. } => a.kind == ActionKind::RunHook,
        _ => false,
    };
    let manual = || plan.actions.iter().enumerate().filter(|(i, a)| waits(*i, a) && !known.contains_key(&a.id));
    let Some((i, action)) = manual().find(|(_, a)| a.node.as_deref() == Some(name)) else {
        let message = if plan.actions.iter().any(|a| a.node.as_deref() == Some(name)) {
            format!("run {} waits for nobody at node.{name}", run.id)
        } else {
            format!("the run has no node `{name}`")
        };
        let waiting: Vec<String> = manual().filter_map(|(_, a)| a.node.as_ref()).map(|n| format!("node.{n}")).collect();
        let help =
            if waiting.is_empty() { "it waits for nobody anywhere".to_owned() } else { format!("it waits at {}", waiting.join(", ")) };
        return Err(Problem::new(message).help(help).into());
    };
    confirmations::confirm(store.as_ref(), &run.id, &action.id)?;
    printer.result(&format!("confirmed: {} of node.{name} in run {}\n", action.kind, run.id))?;
    printer.detail(&so_far.task(i).detail);
    Ok(Exit::Done)
}

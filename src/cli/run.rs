//! From arguments to an exit code.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;

use super::args::{Cli, Command};
use super::commands;
use super::exit::Exit;
use super::output::Printer;
use super::problem::Problem;
use super::signals::Interrupts;
use super::{formats, panic, problem};

/// Runs the program with these arguments (the first is its name).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    panic::install_hook();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let printer = Printer::new(&cli.global);
    if let Err(error) = formats::check(&cli.command, &cli.global.format).and_then(|()| enter(&cli.global.directory)) {
        printer.problem(&error);
        return error.exit;
    }
    let outcome = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(dispatch(&cli, &printer));
        // Blocking work that nobody waits for must not keep the process.
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        outcome
    });
    outcome.unwrap_or_else(|error| problem::show(&error, &printer))
}

/// As `git -C` does: all paths on the command line are relative to the folder.
fn enter(directory: &Path) -> Result<(), Problem> {
    if directory == Path::new(".") {
        return Ok(());
    }
    std::env::set_current_dir(directory).map_err(|e| {
        Problem::new(format!("cannot work in {}: {e}", directory.display())).help("give `-C` the folder that holds drydock.yaml")
    })
}

async fn dispatch(cli: &Cli, printer: &Printer) -> anyhow::Result<Exit> {
    // Commands that never wait keep the system's way of being interrupted.
    let listen = || Interrupts::listen(printer);
    let from = &cli.global.sources;
    match &cli.command {
        Command::Validate(args) => commands::validate::run(args, from, printer).await,
        Command::Schema(args) => commands::schema::run(args, printer),
        Command::Render(args) => commands::render::run(args, from, printer).await,
        Command::Explain(args) => commands::explain::run(args, from, printer).await,
        Command::Show(args) => commands::show::run(args, from, printer).await,
        Command::Approve(args) => commands::approve::run(args, from, printer, &listen()?).await,
        Command::Diff(args) => commands::diff::run(args, printer),
        Command::Rehearse(args) => commands::rehearse::run(args, from, printer).await,
        Command::Graph(args) => commands::graph::run(args, from, printer).await,
        Command::Plan(args) => Box::pin(unless_interrupted(&listen()?, commands::plan::run(args, from, printer))).await,
        Command::Verify(args) => Box::pin(unless_interrupted(&listen()?, commands::verify::run(args, from, printer))).await,
        Command::Discover(_) => Box::pin(unless_interrupted(&listen()?, commands::discover::run(from, printer))).await,
        Command::Apply(args) => Box::pin(commands::apply::run(args, from, printer, &listen()?)).await,
        Command::Resume(args) => commands::resume::run(args, from, printer, &listen()?).await,
        Command::Destroy(args) => commands::destroy::run(args, from, printer, &listen()?).await,
        Command::Adopt(args) => Box::pin(unless_interrupted(&listen()?, commands::adopt::run(args, from, printer))).await,
        Command::Rebind(args) => Box::pin(unless_interrupted(&listen()?, commands::rebind::run(args, from, printer))).await,
        Command::Unlock(args) => commands::unlock::run(args, from, printer).await,
        Command::State(args) => commands::state::run(args, from, printer).await,
        Command::Sim(args) => commands::sim::run(args, from, printer, &listen()?).await,
        Command::Runs(args) => commands::runs::run(args, from, printer).await,
    }
}

/// What only reads may be dropped at any time.
async fn unless_interrupted(interrupts: &Interrupts, work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    interrupts.unless(work).await.unwrap_or(Ok(Exit::Interrupted))
}

fn usage(error: &clap::Error) -> Exit {
    // clap decides the stream: help and version are results.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}

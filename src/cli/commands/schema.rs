//! `drydock schema`: print JSON Schemas for editors and for programs that read plan files.

use crate::cli::args::Schema;
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::config;
use crate::design;
use crate::document::Kind;
use crate::plan;
use crate::sim::SimOptions;

/// What names the settings instead of a kind of document.
const SETTINGS: [&str; 2] = ["settings", config::SETTINGS_FILE];

/// What names the events of a run.
const EVENTS: &str = "events";

/// Runs the command.
pub fn run(args: &Schema, printer: &Printer) -> anyhow::Result<Exit> {
    let schema = match args.kind.as_deref() {
        None => design::json_schema_of_all(),
        Some("plan") => plan::json_schema_of_file(),
        Some(name) if SETTINGS.contains(&name) => config::settings_schema(&schemars::schema_for!(SimOptions)),
        Some(EVENTS) => crate::run::event_schema(),
        Some(name) => {
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name)) {
                design::json_schema(kind)
            } else {
                let kinds = Kind::ALL.map(Kind::as_str).join(", ");
                return Err(Problem::usage(format!("there is no kind of document `{name}`"))
                    .help(format!("kinds are {kinds}; `settings` is the schema of drydock.yaml, `plan` that of plan files, `events` that of a line of --json"))
                    .into());
            }
        }
    };
    printer.result(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}

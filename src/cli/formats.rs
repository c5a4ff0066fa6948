//! Which formats a command has.

use clap::builder::PossibleValuesParser;

use super::args::{Command, REPORTS, RunsCommand};
use super::problem::Problem;
use crate::report::diagnostics::FORMATS;

const TEXT: &[&str] = &["text"];
const TEXT_AND_JSON: &[&str] = &["text", "json"];
/// Of plans, on pull requests and elsewhere.
const OF_PLANS: &[&str] = &["text", "json", "markdown", "github", "html"];

/// Of rehearsals.
const OF_REHEARSALS: &[&str] = &["text", "json", "svg"];
/// Of graphs, whose text is DOT.
const OF_GRAPHS: &[&str] = &["text", "dot", "mermaid", "svg"];

/// The names of all formats, for the grammar of the command line.
pub(super) fn parser() -> PossibleValuesParser {
    let mut names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    for name in OF_PLANS.iter().chain(OF_REHEARSALS).chain(OF_GRAPHS).chain(&["name"]) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    PossibleValuesParser::new(names)
}

fn of(command: &Command) -> Vec<&'static str> {
    match command {
        Command::Validate(args) if args.explain.is_none() => FORMATS.iter().map(|format| format.name).collect(),
        Command::Show(args) if args.query.is_some() => vec!["text", "json", "name"],
        Command::Plan(_) | Command::Show(_) => OF_PLANS.to_vec(),
        Command::Runs(args) if matches!(args.command, Some(RunsCommand::Show { .. })) => [&["text"][..], &REPORTS].concat(),
        Command::Rehearse(_) => OF_REHEARSALS.to_vec(),
        Command::Graph(_) => OF_GRAPHS.to_vec(),
        Command::Approve(_) | Command::Rebind(_) | Command::Unlock(_) => TEXT.to_vec(),
        _ => TEXT_AND_JSON.to_vec(),
    }
}

/// Refuses a format that the command does not have.
pub(super) fn check(command: &Command, format: &str) -> Result<(), Problem> {
    let known = of(command);
    if known.contains(&format) {
        return Ok(());
    }
    let remedy = format!("it has {}", known.join(", "));
    Err(Problem::usage(format!("this command has no format `{format}`")).help(match command {
        Command::Validate(args) if args.explain.is_some() => format!("with `--explain` {remedy}"),
        _ => remedy,
    }))
}

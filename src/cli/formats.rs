//! Which formats a command has.

use clap::builder::PossibleValuesParser;

use super::args::Command;
use super::problem::Problem;
use crate::report::diagnostics::FORMATS;

const TEXT: &[&str] = &["text"];
const TEXT_AND_JSON: &[&str] = &["text", "json"];

/// The names of all formats, for the grammar of the command line.
pub(super) fn parser() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMATS.iter().map(|format| format.name))
}

fn of(command: &Command) -> Vec<&'static str> {
    match command {
        Command::Validate(args) if args.explain.is_none() => FORMATS.iter().map(|format| format.name).collect(),
        Command::Rebind(_) | Command::Unlock(_) => TEXT.to_vec(),
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
        Command::Validate(_) => format!("with `--explain` {remedy}"),
        _ => format!("{remedy}; `drydock validate` has all"),
    }))
}

//! Errors as a person reads them: `error:`, `at:`, `help:`.

use std::fmt;

use super::exit::Exit;
use super::output::Printer;
use crate::action::ErrorClass;
use crate::config::ConfigError;
use crate::driver::DriverError;
use crate::plan::PlanError;

/// An error with its exit code, place and remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Exit code of the command.
    pub exit: Exit,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where.
    pub at: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// An error with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Error, message: message.into(), at: None, help: None }
    }

    /// A plan or a run that is refused.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::new(message) }
    }

    /// Wrong usage that the grammar of the command line does not show.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The design has errors that were already shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the design has errors")]
pub struct DesignInvalid;

/// The problems of an error, outermost context first.
pub fn problems(error: &anyhow::Error) -> Vec<Problem> {
    if let Some(ConfigError::Invalid(found)) = error.downcast_ref::<ConfigError>() {
        return found
            .iter()
            .map(|p| Problem { exit: Exit::Error, message: p.message.clone(), at: Some(p.at.clone()), help: p.help.clone() })
            .collect();
    }
    let mut out = Problem::new("");
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Many errors already quote their source.
        if !parts.iter().any(|p| p.contains(&text)) {
            parts.push(text);
        }
        if let Some(p) = cause.downcast_ref::<Problem>() {
            out = Problem { message: String::new(), ..p.clone() };
        } else if cause.downcast_ref::<DesignInvalid>().is_some() {
            out.exit = Exit::DesignInvalid;
        } else if let Some(e) = cause.downcast_ref::<DriverError>() {
            out.help.clone_from(&e.hint);
            if e.class == ErrorClass::Precondition {
                out.exit = Exit::Refused;
            }
        } else if let Some(PlanError::Refused(_) | PlanError::File(_)) = cause.downcast_ref::<PlanError>() {
            out.exit = Exit::Refused;
        } else if let Some(ConfigError::Missing { .. }) = cause.downcast_ref::<ConfigError>() {
            out.help = Some(
                "drydock works in the folder of a site: use `-C DIR`, or write a drydock.yaml that says at least `design: [design]` (docs/settings.md)".into(),
            );
        }
    }
    out.message = parts.join(": ");
    vec![out]
}

/// Prints an error and returns its exit code.
pub fn show(error: &anyhow::Error, printer: &Printer) -> Exit {
    if error.downcast_ref::<DesignInvalid>().is_some() {
        return Exit::DesignInvalid;
    }
    let problems = problems(error);
    for problem in &problems {
        printer.problem(problem);
    }
    problems.first().map_or(Exit::Error, |p| p.exit)
}

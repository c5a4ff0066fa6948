//! Carrying out a plan: the engine, its progress, its end.

use std::sync::Arc;

use super::drivers::Drivers;
use crate::apply::{Engine, EngineError, Options, RunReport};
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;
use crate::plan::Plan;
use crate::run::RunOutcome;
use crate::store::{Failpoints, Store};

/// Names a place at which the process dies as by `kill -9`, for tests of recovery.
const FAILPOINT_VARIABLE: &str = "DRYDOCK_FAILPOINT";

/// What is to be carried out, and how.
pub struct Work<'a> {
    /// The plan.
    pub plan: Plan,
    /// Its file, as it is kept for resume.
    pub file: &'a [u8],
    /// The run to go on with; a new one if absent.
    pub resume: Option<&'a str>,
    /// Calls in flight at most.
    pub parallelism: Option<u32>,
    /// Events as JSON on stdout instead of progress for people.
    pub json: bool,
}

/// Carries a plan out, shows what happens, and tells how it ended.
pub async fn carry_out(
    work: Work<'_>,
    store: Arc<dyn Store>,
    drivers: &Drivers,
    printer: &Printer,
    interrupts: &Interrupts,
) -> anyhow::Result<Exit> {
    let (events, mut happened) = tokio::sync::mpsc::unbounded_channel();
    let options = Options {
        command: std::env::args().collect::<Vec<_>>().join(" "),
        parallelism: work.parallelism,
        events: Some(events),
        graceful: interrupts.graceful.clone(),
        now: interrupts.now.clone(),
        failpoints: failpoints()?,
        ..Options::default()
    };
    let mut reporter = super::progress::Reporter::new(&work.plan, work.json, printer)?;
    interrupts.run_begins();
    let engine = Engine::new(work.plan, store, drivers.for_engine(), options);
    let run = async {
        match work.resume {
            Some(run) => engine.resume(run).await,
            None => engine.start(work.file).await,
        }
    };
    let report = async {
        while let Some(event) = happened.recv().await {
            reporter.event(&event)?;
        }
        anyhow::Ok(reporter)
    };
    let (ended, reporter) = tokio::join!(run, report);
    let ended = ended.map_err(problem)?;
    reporter?.finish(&ended)?;
    Ok(exit(&ended, interrupts))
}

fn exit(report: &RunReport, interrupts: &Interrupts) -> Exit {
    match report.outcome {
        RunOutcome::Success => Exit::Done,
        _ if interrupts.graceful.is_cancelled() => Exit::Interrupted,
        RunOutcome::PartialSuccess | RunOutcome::Failure | RunOutcome::Incomplete => Exit::RunFailed,
    }
}

fn failpoints() -> anyhow::Result<Failpoints> {
    let text = std::env::var(FAILPOINT_VARIABLE).unwrap_or_default();
    text.parse().map_err(|e| Problem::new(format!("{FAILPOINT_VARIABLE}: {e}")).into())
}

/// The engine's refusals have their own exit code.
fn problem(error: EngineError) -> anyhow::Error {
    match error {
        EngineError::Refused { message, hint } => Problem::refused(message).help(hint).into(),
        EngineError::Driver { driver, error } => anyhow::Error::from(error).context(driver),
        other => other.into(),
    }
}

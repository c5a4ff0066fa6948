//! Carrying out a plan: the engine, its progress, its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drivers::Drivers;
use super::operator::Operator;
use super::{progress, state};
use crate::action::{Action, ActionKind};
use crate::apply::{Engine, EngineError, Options, RunReport};
use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::cli::signals::Interrupts;
use crate::config::Settings;
use crate::plan::Plan;
use crate::report;
use crate::report::progress::Watched;
use crate::run::{RunOutcome, RunState};
use crate::store::{Failpoints, Store};

/// Names a place at which the process dies as by `kill -9`, for tests of recovery.
const FAILPOINT_VARIABLE: &str = "DRYDOCK_FAILPOINT";

/// What is to be carried out, and how.
#[derive(Debug)]
pub struct Work<'a> {
    /// The plan.
    pub plan: Plan,
    /// The run to go on with; a new one if absent.
    pub resume: Option<&'a str>,
    /// Calls in flight at most.
    pub parallelism: Option<u32>,
    /// The settings, for retries and the lease of the lock.
    pub settings: &'a Settings,
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
    let Work { plan, resume, parallelism, settings, json } = work;
    let actions = plan.actions.clone();
    let left_out = plan.blocked.len() + plan.held_back.len();
    // What is kept with the run, for resume.
    let file = crate::plan::write(&plan);
    let (events, mut happened) = tokio::sync::mpsc::unbounded_channel();
    let options = Options {
        command: std::env::args().collect::<Vec<_>>().join(" "),
        parallelism,
        retry: settings.retries.policy(),
        events: Some(events),
        graceful: interrupts.graceful.clone(),
        now: interrupts.now.clone(),
        failpoints: Arc::new(failpoints()?),
        longest_request: settings.longest_request(),
        lease: settings.lease(),
        ..Options::default()
    };
    let prior = resume.map(|run| so_far(store.as_ref(), run, &actions)).transpose()?;
    let durations = durations(store.as_ref())?;
    let watched = Watched { actions: &actions, prior: prior.as_ref(), durations_ms: &durations };
    let mut reporter = progress::reporter(&watched, json, printer)?;
    let mut operator = (!json && !printer.is_quiet() && Operator::is_there()).then(|| Operator::new(&actions, resume));
    interrupts.run_begins();
    let engine = Engine::new(plan, Arc::clone(&store), drivers.for_engine(), options);
    let run = async {
        match resume {
            Some(run) => engine.resume(run).await,
            None => engine.start(file.as_bytes()).await,
        }
    };
    let report = async {
        loop {
            tokio::select! {
                event = happened.recv() => {
                    let Some(event) = event else { break };
                    reporter.event(&event);
                    if let Some(question) = operator.as_mut().and_then(|o| o.event(&event)) {
                        reporter.say(&question);
                    }
                }
                line = answered(&mut operator) => {
                    if let Some(operator) = &mut operator {
                        reporter.say(&operator.answer(&line, store.as_ref()));
                    }
                }
            }
        }
        reporter.finish();
    };
    let (ended, ()) = tokio::join!(run, report);
    let ended = ended.map_err(problem)?;
    if !json {
        let info = state::info(store.as_ref(), &state::run(store.as_ref(), Some(&ended.run))?)?;
        let shown = printer.result(&match printer.format() {
            Format::Json => format!("{:#}\n", report::run_json(&info, &actions, &ended.state)),
            Format::Text => report::run_summary(&info, &actions, &ended.state, &printer.text_options()),
        });
        // A terminal that was closed takes nothing; what happened is in the state.
        shown.or_else(|error| if interrupts.is_hung_up() && printer.out().is_none() { Ok(()) } else { Err(error) })?;
    }
    if left_out > 0 {
        let what = if left_out == 1 { "1 thing was" } else { &format!("{left_out} things were") };
        printer.note(&format!(
            "{what} blocked or held back when the plan was made, and no part of this run; `drydock plan` says what and why"
        ));
    }
    Ok(exit(&ended, interrupts))
}

/// The next line of the person at the terminal; never where nobody is asked.
async fn answered(operator: &mut Option<Operator<'_>>) -> String {
    match operator {
        Some(operator) => operator.line().await,
        None => std::future::pending().await,
    }
}

/// The state of a run by its journal.
pub fn so_far(store: &dyn Store, run: &str, actions: &[Action]) -> anyhow::Result<RunState> {
    Ok(RunState::fold(actions, &store.events(run, 0)?)?)
}

/// Mean durations in milliseconds so far.
pub(super) fn durations(store: &dyn Store) -> anyhow::Result<BTreeMap<ActionKind, u64>> {
    let known = store.durations()?;
    let mean = |kind: &ActionKind| Some((*kind, known.get(kind.name())?.mean_ms()?));
    Ok(ActionKind::ALL.iter().filter_map(mean).collect())
}

fn exit(report: &RunReport, interrupts: &Interrupts) -> Exit {
    match exit_of(report.outcome) {
        Exit::RunFailed if interrupts.graceful.is_cancelled() => Exit::Interrupted,
        other => other,
    }
}

/// The exit code of a run that ended so.
pub(super) fn exit_of(outcome: RunOutcome) -> Exit {
    match outcome {
        RunOutcome::Success => Exit::Done,
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

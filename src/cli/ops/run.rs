//! Carrying out a plan: the engine, its progress, its end.

use std::sync::Arc;

use super::design::Design;
use super::drivers::Drivers;
use super::operator::Operator;
use super::{progress, state, telemetry};
use crate::action::Action;
use crate::apply::{Engine, EngineError, Holds, Options, RunReport};
use crate::cli::args::{Format, Report};
use crate::cli::exit::Exit;
use crate::cli::output::{Printer, write_file};
use crate::cli::problem::{self, Problem};
use crate::cli::signals::Interrupts;
use crate::plan::Plan;
use crate::report::progress::Watched;
use crate::report::{self, RunInfo};
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
    /// Who approved the plan of a new run.
    pub approved_by: Vec<String>,
    /// Calls in flight at most.
    pub parallelism: Option<u32>,
    /// The design: its settings, and what it gives that is in no plan.
    pub design: &'a Design,
    /// What tells whether the plan still fits, where it was made some time ago.
    pub holds: Option<Arc<dyn Holds>>,
    /// Events as JSON on stdout instead of progress for people.
    pub json: bool,
    /// Reports that are written at the end.
    pub reports: &'a [Report],
}

/// Carries a plan out, shows what happens, and tells how it ended. Connections are closed however that is.
pub async fn carry_out(
    work: Work<'_>,
    store: Arc<dyn Store>,
    mut drivers: Drivers,
    printer: &Printer,
    interrupts: &Interrupts,
) -> anyhow::Result<Exit> {
    drivers.give_secrets(work.design, &work.plan);
    let ended = match drivers.give_hooks(work.design, &work.plan).await {
        Ok(()) => Box::pin(run(work, store, &drivers, printer, interrupts)).await,
        Err(error) => Err(error),
    };
    let closed = drivers.close().await;
    let exit = ended?;
    closed?;
    Ok(exit)
}

async fn run(work: Work<'_>, store: Arc<dyn Store>, drivers: &Drivers, printer: &Printer, interrupts: &Interrupts) -> anyhow::Result<Exit> {
    let Work { plan, resume, approved_by, parallelism, design, holds, json, reports } = work;
    let settings = &design.settings;
    check_folders(reports)?;
    let actions = plan.actions.clone();
    let left_out = plan.blocked.len() + plan.held_back.len();
    // What is kept with the run, for resume.
    let file = crate::plan::write(&plan);
    let (events, mut happened) = tokio::sync::mpsc::unbounded_channel();
    let options = Options {
        command: std::env::args().collect::<Vec<_>>().join(" "),
        approved_by,
        parallelism,
        retry: settings.retries.policy(),
        holds,
        events: Some(events),
        graceful: interrupts.graceful.clone(),
        now: interrupts.now.clone(),
        failpoints: Arc::new(failpoints()?),
        longest_request: settings.longest_request(),
        lease: settings.lease(),
        ..Options::default()
    };
    let prior = resume.map(|run| so_far(store.as_ref(), run, &actions)).transpose()?;
    let expected = progress::expected(&plan, store.as_ref())?;
    let watched = Watched { actions: &actions, prior: prior.as_ref(), expected: &expected };
    let mut reporter = progress::reporter(&watched, json, printer)?;
    let mut traces = telemetry::traces(settings, &actions, resume, printer).await;
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
        let second = std::time::Duration::from_secs(1);
        let mut second = tokio::time::interval_at(tokio::time::Instant::now() + second, second);
        loop {
            tokio::select! {
                _ = second.tick() => reporter.tick(progress::now_ms()),
                event = happened.recv() => {
                    let Some(event) = event else { break };
                    reporter.event(&event);
                    if let Some(traces) = &mut traces {
                        traces.event(&event);
                    }
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
        if let Some(traces) = traces {
            traces.finish().await;
        }
    };
    let (ended, ()) = tokio::join!(run, report);
    let ended = ended.map_err(refusal)?;
    let info = state::info(store.as_ref(), &state::run(store.as_ref(), Some(&ended.run))?)?;
    if !json {
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
    let exit = exit(&ended, interrupts);
    match write(reports, &info, &ended, store.as_ref()) {
        // How the run ended is worth more than that.
        Err(error) if exit != Exit::Done => {
            problem::show(&error, printer);
            Ok(exit)
        }
        written => written.map(|()| exit),
    }
}

/// A run of hours should not end with a report that cannot be written.
fn check_folders(reports: &[Report]) -> Result<(), Problem> {
    for Report { file, .. } in reports {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) || file.is_dir() {
            let message = format!("the report {} cannot be written there", file.display());
            return Err(Problem::new(message).help("name a file in a folder that exists; nothing was done"));
        }
    }
    Ok(())
}

/// Writes the reports of a run that has ended.
fn write(reports: &[Report], info: &RunInfo, ended: &RunReport, store: &dyn Store) -> anyhow::Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    // The engine has taken the plan; the one that is kept with the run is the same.
    let plan = state::plan(store, &ended.run)?;
    for Report { format, file } in reports {
        let text = report(format, info, &plan, &ended.state).unwrap_or_default();
        write_file(file, text.as_bytes())?;
    }
    Ok(())
}

/// A run in one of the formats of [`REPORTS`](crate::cli::args::REPORTS); `None` for another.
pub fn report(format: &str, info: &RunInfo, plan: &Plan, state: &RunState) -> Option<String> {
    match format {
        "json" => Some(format!("{:#}\n", report::run_json(info, &plan.actions, state))),
        "junit" => Some(report::run_junit(info, &plan.actions, state)),
        "html" => Some(report::plan_html(plan, report::Times::Happened(info, state), &[])),
        _ => None,
    }
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
fn refusal(error: EngineError) -> anyhow::Error {
    match error {
        EngineError::Refused { message, hint } => Problem::refused(message).help(hint).into(),
        EngineError::Driver { driver, error } => anyhow::Error::from(error).context(driver),
        other => other.into(),
    }
}

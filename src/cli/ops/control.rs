//! What is asked of a run from another process, and what becomes of one that nobody goes on with.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{confirmations, run as runs, state};
use crate::cli::output::Printer;
use crate::cli::problem::Problem;
use crate::plan::Plan;
use crate::report;
use crate::run::{EVENT_VERSION, Event, EventKind, RunOutcome, RunState};
use crate::store::{Holder, LockRequest, LockRow, Record, RunRequest, RunRow, Store, Write, paused_by};

/// Lines of what is under way that are shown.
const SHOWN: usize = 30;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// Asks a run, or the one that is under way; what to tell whoever asks.
pub fn ask(store: &dyn Store, id: Option<&str>, request: RunRequest) -> anyhow::Result<String> {
    let run = match (id, store.locks()?.into_iter().find(LockRow::may_run)) {
        (None, Some(lock)) => state::run(store, Some(&lock.run))?,
        _ => state::run(store, id)?,
    };
    let info = state::info(store, &run)?;
    let id = &run.id;
    let stops = matches!(request, RunRequest::Stop | RunRequest::StopNow);
    if !info.running && (stops || !info.is_unfinished()) {
        let help = if info.is_unfinished() {
            format!("`drydock resume {id}` goes on with it, `drydock runs abandon {id}` gives it up")
        } else {
            "`drydock runs` lists them".to_owned()
        };
        return Err(Problem::new(format!("run {id} is not under way")).help(help).into());
    }
    let paused = paused_by(&store.requests(id, 0)?).map(str::to_owned);
    match (request, paused) {
        (RunRequest::Pause, Some(by)) => return Ok(format!("run {id} is paused already, by {by}\n")),
        (RunRequest::Continue, None) => return Ok(format!("run {id} is not paused\n")),
        _ => {}
    }
    store.request(id, request, &confirmations::user(), now_ms())?;
    let later = if info.running { "" } else { " when it is resumed" };
    let mut said = match request {
        RunRequest::Stop => format!("run {id} is asked to stop: nothing new is started; `drydock resume {id}` goes on with it later\n"),
        RunRequest::StopNow => format!("run {id} is asked to stop at once; `drydock resume {id}` looks at what was begun, and goes on\n"),
        RunRequest::Pause => format!("run {id} is paused{later}: nothing new is started until `drydock runs continue {id}`\n"),
        RunRequest::Continue => format!("run {id} goes on{later}\n"),
    };
    if info.running && request != RunRequest::Continue {
        let plan = state::plan(store, id)?;
        said.push_str(&under_way(&plan, &runs::so_far(store, id, &plan.actions)?, "under way now"));
    }
    Ok(said)
}

fn under_way(plan: &Plan, so_far: &RunState, title: &str) -> String {
    let lines = report::under_way(&plan.actions, so_far, now_ms());
    if lines.is_empty() {
        return format!("{title}: nothing\n");
    }
    let mut out = format!("{title}:\n");
    for line in lines.iter().take(SHOWN) {
        let _ = writeln!(out, "  {}", report::clean(line));
    }
    if lines.len() > SHOWN {
        let _ = writeln!(out, "  … and {} more", lines.len() - SHOWN);
    }
    out
}

/// Ends an unfinished run for good, as incomplete; what to tell whoever gives it up.
pub fn abandon(store: &dyn Store, run: &RunRow) -> anyhow::Result<String> {
    let info = state::info(store, run)?;
    let id = &run.id;
    let locks = store.locks()?;
    if let Some(lock) = locks.iter().find(|lock| lock.run == *id && lock.may_run()) {
        let (what, help) = if lock.alive == Some(true) {
            ("is under way", format!("`drydock runs stop {id}` ends it first"))
        } else {
            ("may be under way on another host", format!("when it is certain that it ended there: `drydock unlock {}`", lock.id))
        };
        return Err(Problem::new(format!("run {id} {what}: {} on {} (pid {})", lock.holder.user, lock.holder.host, lock.holder.pid))
            .help(help)
            .into());
    }
    if info.abandoned {
        return Ok(format!("run {id} was abandoned already\n"));
    }
    if !info.is_unfinished() {
        return Err(Problem::new(format!("run {id} came to its end: there is nothing to give up"))
            .help("`drydock plan` says what is left")
            .into());
    }
    let plan = state::plan(store, id)?;
    let so_far = runs::so_far(store, id, &plan.actions)?;
    // Nobody resumes it meanwhile.
    let now = now_ms();
    let provisioner = plan.endpoints.first().map_or("none", |e| e.identity.as_str()).to_owned();
    let request = LockRequest { provisioner, run: id.clone(), holder: Holder::current(), now_ms: now, lease: Duration::from_mins(1) };
    let lock = store.lock(&request)?.lock;
    let abandoned = EventKind::RunAbandoned { by: confirmations::user(), under_way: so_far.under_way() };
    let event = Event { v: EVENT_VERSION, seq: so_far.last_seq() + 1, at_ms: now.max(so_far.last_at_ms()), event: abandoned };
    let writes = vec![Write::RunAbandoned { run: id.clone(), at_ms: now }];
    let written = store.append(id, &lock.id, &[Record { event, writes }]);
    store.release_lock(&lock.id)?;
    written?;
    let counts = so_far.counts();
    let done = counts.done;
    let mut said = format!("run {id} is abandoned, with {done} of {} actions done\n", plan.actions.len());
    said.push_str(&under_way(&plan, &so_far, "begun and not confirmed"));
    Ok(said)
}

/// A run in detail, as text.
pub fn shown(store: &dyn Store, run: &RunRow, printer: &Printer) -> anyhow::Result<String> {
    let plan = state::plan(store, &run.id)?;
    let so_far = runs::so_far(store, &run.id, &plan.actions)?;
    Ok(report::run_show(&state::info(store, run)?, &plan.actions, &so_far, &printer.text_options()))
}

/// The latest run, if it is unfinished; how far it came, in words.
pub fn unfinished(store: &dyn Store) -> anyhow::Result<Option<(RunRow, String)>> {
    let Some(run) = store.runs()?.pop() else { return Ok(None) };
    if run.outcome.is_some_and(|o| o != RunOutcome::Incomplete) || !state::info(store, &run)?.is_unfinished() {
        return Ok(None);
    }
    let plan = state::plan(store, &run.id)?;
    let so_far = runs::so_far(store, &run.id, &plan.actions)?;
    let (counts, all) = (so_far.counts(), plan.actions.len());
    let begun = so_far.under_way().len();
    let mut text = format!("run {} of {} is not finished: {} of {all} actions done", run.id, run.site, counts.done);
    if begun > 0 {
        let _ = write!(text, ", {begun} begun and not confirmed");
    }
    if counts.failed > 0 {
        let _ = write!(text, ", {} failed", counts.failed);
    }
    Ok(Some((run, text)))
}

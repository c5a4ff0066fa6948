//! Which reporter shows a run.

use std::io::{self, IsTerminal as _};
use std::time::{SystemTime, UNIX_EPOCH};

use super::durations;
use crate::cli::output::Printer;
use crate::plan::Plan;
use crate::report::progress::{Expected, JsonLines, Lines, Reporter, Terminal, Watched};
use crate::run::{DagError, Event, rehearse};
use crate::store::Store;

/// Shows nothing; the end of the run is shown by whoever began it.
struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Event) {}
}

/// A live view on a terminal, plain lines elsewhere, events as JSON on stdout if that is wanted.
pub fn reporter(run: &Watched<'_>, json: bool, printer: &Printer) -> Result<Box<dyn Reporter>, DagError> {
    let color = printer.stderr_color();
    Ok(if json {
        Box::new(JsonLines::new(io::stdout()))
    } else if printer.is_quiet() {
        Box::new(Silent)
    } else if io::stderr().is_terminal() && !is_dumb() {
        Box::new(Terminal::new(color, run)?)
    } else {
        Box::new(Lines::new(io::stderr(), color, run)?)
    })
}

/// How long the plan and its actions probably take: by former runs where there were any, else by time limits.
pub fn expected(plan: &Plan, store: &dyn Store) -> anyhow::Result<Expected> {
    let known = durations::measured(plan, &store.durations()?);
    let lengths_ms = durations::lengths(plan, &known);
    let measured = plan.actions.iter().map(|a| known.measured.contains(&a.kind)).collect();
    let makespan_ms = rehearse(plan, &lengths_ms, &std::collections::BTreeSet::new()).ok().map(|shown| shown.makespan_ms);
    Ok(Expected { lengths_ms, measured, makespan_ms })
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|t| t.is_empty() || t == "dumb")
}

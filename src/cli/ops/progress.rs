//! Which reporter shows a run.

use std::io::{self, IsTerminal as _};

use crate::cli::output::Printer;
use crate::report::progress::{JsonLines, Lines, Reporter, Terminal, Watched};
use crate::run::{DagError, Event};

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

/// Whether the terminal cannot move its cursor.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|t| t == "dumb")
}

//! Live lines at the bottom of a terminal, as the bytes that draw them.
//!
//! The cursor always stands at the beginning of the line below the live lines. So what somebody else writes to the terminal begins on a line of its own.

use std::fmt::Write as _;

use console::{measure_text_width, truncate_str};

/// What stands on the terminal.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    drawn: Vec<String>,
}

impl Canvas {
    /// What to write so that `above` stands over the live lines, and `lines` are these; nothing if that is so already. `above` ends with a line end or is empty.
    ///
    /// Lines are cut one column before the right margin, so that none is wrapped. A terminal that became narrower may have wrapped the old ones (some do, some cut
    /// them): then some of the old lines stay above the new ones, and nothing that was printed before is ever erased.
    pub(super) fn draw(&mut self, above: &str, lines: Vec<String>, columns: usize) -> String {
        let lines: Vec<String> = lines.into_iter().map(|line| fitted(&line, columns.saturating_sub(1))).collect();
        if above.is_empty() && lines == self.drawn {
            return String::new();
        }
        let mut out = String::new();
        if !self.drawn.is_empty() {
            let _ = write!(out, "\r\u{1b}[{}A\u{1b}[J", self.drawn.len());
        }
        out.push_str(above);
        for line in &lines {
            out.push_str(line);
            out.push('\n');
        }
        self.drawn = lines;
        out
    }
}

/// The line with at most so many columns.
fn fitted(line: &str, columns: usize) -> String {
    if measure_text_width(line) <= columns { line.to_owned() } else { truncate_str(line, columns, "…").into_owned() }
}

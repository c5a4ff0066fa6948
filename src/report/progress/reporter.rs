//! What shows a run, and the reporter for programs.

use std::io::Write;

use super::super::escape::clean_json;
use crate::run::Event;

/// Shows a run while it goes on. What it cannot write, it drops: a closed terminal is no reason to stop a run.
pub trait Reporter: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

    /// Time passes; called about once a second with milliseconds since 1970.
    fn tick(&mut self, now_ms: u64) {
        let _ = now_ms;
    }

    /// Tells the person at the terminal something; nobody else.
    fn say(&mut self, text: &str) {
        let _ = text;
    }

    /// Nothing more will come; leaves the terminal as it was.
    fn finish(&mut self) {}
}

/// Every event as one JSON object on a line, in the format of [`Event`].
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for JsonLines<W> {
    fn event(&mut self, event: &Event) {
        if let Ok(json) = serde_json::to_string(event) {
            let _ = writeln!(self.out, "{}", clean_json(&json));
            let _ = self.out.flush();
        }
    }
}

//! Reporters that write lines.

use std::collections::BTreeMap;
use std::io::Write;

use super::super::escape::{clean, clean_json};
use super::super::paint::{Look, Page};
use super::super::time::{clock, took};
use super::tracker::{Tracker, Watched};
use super::wording::{Said, Weight, say};
use crate::run::{AttemptOutcome, DagError, Event, EventKind};

/// Shows a run while it goes on. What it cannot write, it drops: a closed terminal is no reason to stop a run.
pub trait Reporter: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

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

/// Milliseconds between two lines about the waiting of one action, while few actions are in progress.
const QUIET_MS: u64 = 30_000;
/// Actions in progress up to which [`QUIET_MS`] holds; with more, each is told of less often.
const FEW: u64 = 16;

/// Plain lines, for logs: `12:03:11 [12/49] node.n01 deploy_node done in 4m12s`.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    color: bool,
    tracker: Tracker,
    /// When each action was last told of, and what was said.
    told: BTreeMap<String, (u64, String)>,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out`.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn new(out: W, color: bool, run: &Watched) -> Result<Self, DagError> {
        Ok(Self { out, color, tracker: Tracker::new(run)?, told: BTreeMap::new() })
    }

    /// Whether the waiting of an action is told of now.
    fn speaks(&mut self, event: &Event, text: &str) -> bool {
        let Some(action) = event.event.action() else { return true };
        let quiet = QUIET_MS * (self.tracker.active_count() as u64 / FEW).max(1);
        let speaks = self.told.get(action).is_none_or(|(at, said)| event.at_ms.saturating_sub(*at) >= quiet && said != text);
        if speaks {
            self.told.insert(action.to_owned(), (event.at_ms, text.to_owned()));
        }
        speaks
    }

    fn write(&mut self, at_ms: u64, said: &Said) {
        let text = lines(at_ms, said, self.color, Some(self.tracker.actions_done()));
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

impl<W: Write + Send> Reporter for Lines<W> {
    fn event(&mut self, event: &Event) {
        let said = say(event, &self.tracker);
        self.tracker.apply(event);
        if let EventKind::AttemptOutcome { action, .. } = &event.event {
            self.told.remove(action);
        }
        if let Some(said) = said
            && (said.weight != Weight::Chatter || self.speaks(event, &said.text))
        {
            self.write(event.at_ms, &said);
        }
        if let Some(said) = branch_done(event, &self.tracker) {
            self.write(event.at_ms, &said);
        }
    }

    fn say(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.out, "{}", clean(line));
        }
        let _ = self.out.flush();
    }
}

/// Says that a node is done, if this event was its last.
pub(super) fn branch_done(event: &Event, after: &Tracker) -> Option<Said> {
    let EventKind::AttemptOutcome { action, outcome: AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. }, .. } = &event.event else {
        return None;
    };
    let label = after.label(action)?;
    let (actions, milliseconds) = after.branch_done(label.node.as_deref()?, event.at_ms)?;
    let (done, all) = after.nodes_done();
    let noun = if actions == 1 { "action" } else { "actions" };
    let text = format!("is done: {actions} {noun} in {}; {done} of {all} nodes", took(milliseconds));
    Some(Said { weight: Weight::Notable, who: label.who.clone(), look: Look::Green, text, below: Vec::new() })
}

/// Columns of the time.
const TIME: usize = 9;

/// What was said, as lines with the time.
pub(super) fn lines(at_ms: u64, said: &Said, color: bool, done: Option<(usize, usize)>) -> String {
    let mut page = Page::new(color, usize::MAX);
    page.put(Look::Dim, &clock(at_ms / 1000)).text(" ");
    if let Some((done, all)) = done {
        page.put(Look::Dim, &format!("[{done}/{all}]")).text(" ");
    }
    if !said.who.is_empty() {
        page.put(Look::Bold, &said.who).text(" ");
    }
    page.put(said.look, &said.text).end();
    for (look, line) in &said.below {
        page.to(TIME + 2).put(*look, line).end();
    }
    page.finish()
}

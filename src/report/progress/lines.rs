//! Plain lines, for logs and terminals that cannot move their cursor.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use super::super::escape::clean;
use super::super::paint::{Look, Page};
use super::super::plan_text::count;
use super::super::time::{about, clock, took};
use super::reporter::Reporter;
use super::tracker::{Tracker, Watched};
use super::wording::{Said, Weight, say};
use crate::run::{AttemptOutcome, DagError, Event, EventKind};

/// Milliseconds between two lines about the waiting of one action while few actions are in progress, and of silence before the whole is summed up.
const QUIET_MS: u64 = 30_000;
/// Actions in progress up to which [`QUIET_MS`] holds for each; with more, each is told of less often.
const FEW: u64 = 16;
/// Nodes from which on their single steps are not told any more.
pub(super) const MANY: usize = 100;

/// Plain lines, for logs: `12:03:11 [12/49] node.n01 deploy_node done in 4m12s`.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    color: bool,
    tracker: Tracker,
    /// When each action was last told of, and what was said.
    told: BTreeMap<String, (u64, String)>,
    /// When anything was said last, by the events' clock.
    said_ms: Option<u64>,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out`.
    ///
    /// # Errors
    /// When the actions form no graph.
    pub fn new(out: W, color: bool, run: &Watched) -> Result<Self, DagError> {
        Ok(Self { out, color, tracker: Tracker::new(run)?, told: BTreeMap::new(), said_ms: None })
    }

    /// Whether something is said now.
    fn speaks(&mut self, event: &Event, said: &Said) -> bool {
        let Some(action) = event.event.action() else { return true };
        let many = self.tracker.nodes_done().1 >= MANY && self.tracker.label(action).is_some_and(|l| l.node.is_some());
        match said.weight {
            Weight::Notable | Weight::Trouble => true,
            Weight::Step => !many,
            Weight::Chatter if many => false,
            Weight::Chatter => {
                let quiet = QUIET_MS * (self.tracker.active_count() as u64 / FEW).max(1);
                let last = self.told.get(action);
                let speaks = last.is_none_or(|(at, text)| event.at_ms.saturating_sub(*at) >= quiet && *text != said.text);
                if speaks {
                    self.told.insert(action.to_owned(), (event.at_ms, said.text.clone()));
                }
                speaks
            }
        }
    }

    fn write(&mut self, at_ms: u64, said: &Said) {
        self.said_ms = self.said_ms.max(Some(at_ms));
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
            && self.speaks(event, &said)
        {
            self.write(event.at_ms, &said);
        }
        if let EventKind::RunStarted { .. } | EventKind::RunResumed { .. } = event.event
            && self.tracker.nodes_done().1 >= MANY
        {
            let text = format!(
                "{}: their steps are summed up here; `drydock runs show -v` has each of them",
                count(self.tracker.nodes_done().1, "node")
            );
            self.write(event.at_ms, &Said::of_run(Look::Dim, text));
        }
        if let Some(said) = branch_done(event, &self.tracker) {
            self.write(event.at_ms, &said);
        }
    }

    fn tick(&mut self, now_ms: u64) {
        if self.said_ms.is_some_and(|at| now_ms.saturating_sub(at) >= QUIET_MS) {
            let said = Said::of_run(Look::Plain, sum(&mut self.tracker, now_ms));
            self.write(now_ms, &said);
        }
    }

    fn say(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.out, "{}", clean(line));
        }
        let _ = self.out.flush();
    }
}

/// The whole in a line: nodes by where they are, what is left, and who is slowest.
fn sum(tracker: &mut Tracker, now_ms: u64) -> String {
    let mut text = if tracker.paused().is_some() { "paused: ".to_owned() } else { String::new() };
    text.push_str(&tracker.nodes().words());
    let kinds = tracker.in_progress_by_step();
    if !kinds.is_empty() {
        let list: Vec<String> = kinds.iter().map(|(step, n)| format!("{n} {step}")).collect();
        let _ = write!(text, "; in progress: {}", list.join(", "));
    }
    if let Some(left) = tracker.left(now_ms) {
        let _ = write!(text, "; about {} left ({})", about(left.ms / 1000), left.basis.words());
    }
    if let Some(slow) = tracker.active(now_ms).into_iter().find(|a| a.overdue) {
        let label = tracker.label_at(slow.index);
        let (elapsed, expected) = (took(slow.elapsed_ms), about(label.expected_ms / 1000));
        let _ = write!(text, "; slowest: {} {} {elapsed} of about {expected}", label.who, label.what);
    }
    text
}

/// Says that a node is done, if this event was its last.
pub(super) fn branch_done(event: &Event, after: &Tracker) -> Option<Said> {
    let EventKind::AttemptOutcome { action, outcome: AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. }, .. } = &event.event else {
        return None;
    };
    let label = after.label(action)?;
    let (actions, milliseconds) = after.branch_done(label.node.as_deref()?, event.at_ms)?;
    let (done, all) = after.nodes_done();
    let text = format!("is done: {} in {}; {done} of {all} nodes", count(actions as usize, "action"), took(milliseconds));
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

//! Places where a process can be told to die, to stop or to break down, for tests of recovery.

use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::EventKind;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
    /// The site's lock is taken; nothing about it is recorded in the run.
    AfterLock,
    /// An intent is durable; the effect was not begun.
    AfterIntent,
    /// The driver has answered `begin`; nothing about it is recorded.
    AfterBegin,
    /// An outcome is known and not recorded; everything before it is durable.
    BeforeOutcome,
    /// An outcome is durable; nothing else happened.
    AfterOutcome,
    /// An event of any kind is about to be recorded; everything before it is durable.
    BeforeEvent,
    /// An event of any kind is durable.
    AfterEvent,
    /// The run has come to its end; the lock is still held.
    BeforeUnlock,
    /// The driver is about to be asked to begin: the process does not die there, its code panics.
    PanicInBegin,
    /// A batch of events is on disk, and nobody was told: the process does not die there, it is stopped (SIGSTOP), the n-th time and from then on.
    StopAfterCommit,
}

const NAMES: [(&str, Failpoint); 10] = [
    ("after_lock", Failpoint::AfterLock),
    ("after_intent", Failpoint::AfterIntent),
    ("after_begin", Failpoint::AfterBegin),
    ("before_outcome", Failpoint::BeforeOutcome),
    ("after_outcome", Failpoint::AfterOutcome),
    ("before_event", Failpoint::BeforeEvent),
    ("after_event", Failpoint::AfterEvent),
    ("before_unlock", Failpoint::BeforeUnlock),
    ("panic_in_begin", Failpoint::PanicInBegin),
    ("stop_after_commit", Failpoint::StopAfterCommit),
];

/// What is wrong with the text of a failpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no place to crash at: write PLACE:N (its N-th passage, from 1) or PLACE:EVENT:ACTION, with PLACE one of {places}; commas between several",
    places = NAMES.map(|(name, _)| name).join(", ")
)]
pub struct FailpointError(String);

/// Which passage of a place.
#[derive(Debug, PartialEq, Eq)]
enum When {
    /// The n-th.
    Nth(u64),
    /// One that is about this event of this action. An empty event is any; an empty action is none.
    About { event: String, action: String },
}

#[derive(Debug)]
struct Point {
    text: String,
    at: Failpoint,
    when: When,
    passed: AtomicU64,
}

/// Places where the process dies as by `kill -9`: the first of them that it comes to. None by default.
#[derive(Debug, Default)]
pub struct Failpoints {
    points: Vec<Point>,
}

impl FromStr for Failpoints {
    type Err = FailpointError;

    /// `before_outcome:7`, `after_event:attempt_outcome:0123abcd`, several with commas; the empty text is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').filter(|t| !t.is_empty()).map(point).collect::<Result<_, _>>().map(|points| Self { points })
    }
}

fn point(text: &str) -> Result<Point, FailpointError> {
    let error = || FailpointError(text.to_owned());
    let (name, rest) = text.split_once(':').ok_or_else(error)?;
    let (_, at) = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(error)?;
    let when = match rest.split_once(':') {
        Some((event, action)) => When::About { event: event.to_owned(), action: action.to_owned() },
        None => When::Nth(rest.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(error)?),
    };
    Ok(Point { text: text.to_owned(), at: *at, when, passed: AtomicU64::new(0) })
}

impl Failpoints {
    /// The point that this passage is due at, if any. What it is about counts only for points that name an event or an action.
    pub(crate) fn due(&self, at: Failpoint, event: &str, action: Option<&str>) -> Option<&str> {
        let is_due = |point: &&Point| match &point.when {
            _ if point.at != at => false,
            When::Nth(n) => {
                let passed = point.passed.fetch_add(1, Ordering::Relaxed) + 1;
                passed == *n || (at == Failpoint::StopAfterCommit && passed > *n)
            }
            When::About { event: e, action: a } => (e.is_empty() || e == event) && a == action.unwrap_or_default(),
        };
        self.points.iter().filter(is_due).map(|point| point.text.as_str()).last()
    }

    /// The same for an event of the journal.
    pub(crate) fn due_at(&self, at: Failpoint, event: &EventKind) -> Option<&str> {
        self.due(at, event.name(), event.action())
    }

    /// Ends the process if this passage, which is about an action or none, is one to die at.
    pub(crate) fn pass(&self, at: Failpoint, action: Option<&str>) {
        if let Some(point) = self.due(at, "", action) {
            die(point);
        }
    }

    /// The same for an event of the journal.
    pub(crate) fn pass_event(&self, at: Failpoint, event: &EventKind) {
        if let Some(point) = self.due_at(at, event) {
            die(point);
        }
    }

    /// Panics if this passage is one to break down at.
    pub(crate) fn break_down(&self, action: &str) {
        assert!(self.due(Failpoint::PanicInBegin, "", Some(action)).is_none(), "a test asked for it");
    }

    /// Stops the process, until somebody lets it go on, if this passage is one to stop at.
    pub(crate) fn stop(&self) {
        if self.due(Failpoint::StopAfterCommit, "", None).is_some() {
            // Where it cannot be stopped, whoever waits for that notices.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        }
    }
}

/// Ends the process as `kill -9` does, and says where.
pub(crate) fn die(point: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "failpoint {point}");
    std::process::abort();
}

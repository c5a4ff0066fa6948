//! Places where a process can be told to die, for tests of recovery.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
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
}

const NAMES: [(&str, Failpoint); 6] = [
    ("after_intent", Failpoint::AfterIntent),
    ("after_begin", Failpoint::AfterBegin),
    ("before_outcome", Failpoint::BeforeOutcome),
    ("after_outcome", Failpoint::AfterOutcome),
    ("before_event", Failpoint::BeforeEvent),
    ("after_event", Failpoint::AfterEvent),
];

/// What is wrong with the text of a failpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no place to crash at: write PLACE:N with PLACE one of {places} and N from 1", places = NAMES.map(|(name, _)| name).join(", "))]
pub struct FailpointError(String);

/// At most one place where the process dies as by `kill -9`, at its n-th passage. None by default.
#[derive(Debug, Default)]
pub struct Failpoints {
    at: Option<(Failpoint, u64)>,
    passed: AtomicU64,
}

impl FromStr for Failpoints {
    type Err = FailpointError;

    /// `before_outcome:7`; the empty text is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let error = || FailpointError(text.to_owned());
        let (name, n) = text.split_once(':').ok_or_else(error)?;
        let (_, point) = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(error)?;
        let n = n.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(error)?;
        Ok(Self { at: Some((*point, n)), passed: AtomicU64::new(0) })
    }
}

impl Failpoints {
    /// Whether this passage is the one to die at.
    pub(crate) fn is_due(&self, point: Failpoint) -> bool {
        match self.at {
            Some((at, n)) if at == point => self.passed.fetch_add(1, Ordering::Relaxed) + 1 == n,
            _ => false,
        }
    }

    /// Dies if this passage is the one to die at.
    pub(crate) fn pass(&self, point: Failpoint) {
        if self.is_due(point) {
            std::process::abort();
        }
    }
}

//! When a failed attempt is followed by another.

use std::collections::BTreeMap;

use crate::action::ErrorClass;

/// Backoff between attempts: exponential with jitter, inside the time limit of the action and the patience with a class of failure. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Delay after the first failure.
    pub base_ms: u64,
    /// Longest delay.
    pub max_ms: u64,
    /// How long failures of one class in a row are tried again; without an entry as long as the action's time limit permits.
    pub patience_ms: BTreeMap<ErrorClass, u64>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let minutes = |m: u64| m * 60_000;
        let patience_ms =
            [(ErrorClass::Transient, minutes(15)), (ErrorClass::Busy, minutes(30)), (ErrorClass::NotReady, minutes(30))].into();
        Self { base_ms: 1_000, max_ms: 60_000, patience_ms }
    }
}

/// A failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Class of the failure.
    pub class: ErrorClass,
    /// Failures so far, this one included.
    pub failures: u32,
    /// Since when failures were of this class, without another in between.
    pub since_ms: u64,
    /// How long the other side asks to be left alone.
    pub retry_after_ms: Option<u64>,
}

/// Why there is no other attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// The class does not get better by waiting.
    Lasting,
    /// The time limit of the action would be passed.
    TimeLimit,
    /// The other side asks for a longer pause than the time limit of the action leaves, in milliseconds.
    AsksFor(u64),
    /// It has been of this class for longer than there is patience with it, in milliseconds.
    Patience(u64),
}

impl RetryPolicy {
    /// When to try again. `jitter` is any number, spread evenly over `0..=1000`: the delay lies between half and the whole of the exponential one, and is
    /// never shorter than what the other side asks for.
    ///
    /// # Errors
    /// Why it is not tried again.
    pub fn next_attempt(&self, failed: FailedAttempt, now_ms: u64, deadline_ms: u64, jitter: u64) -> Result<u64, GivenUp> {
        if !failed.class.is_retryable() {
            return Err(GivenUp::Lasting);
        }
        let doublings = failed.failures.saturating_sub(1).min(20);
        let full = self.base_ms.saturating_mul(1 << doublings).min(self.max_ms);
        let delay = full / 2 + (full - full / 2) * (jitter % 1001) / 1000;
        let asked = failed.retry_after_ms.unwrap_or(0);
        if asked > delay && now_ms.saturating_add(asked) >= deadline_ms {
            return Err(GivenUp::AsksFor(asked));
        }
        let at = now_ms.saturating_add(delay.max(asked));
        if at >= deadline_ms {
            return Err(GivenUp::TimeLimit);
        }
        match self.patience_ms.get(&failed.class) {
            Some(patience) if at.saturating_sub(failed.since_ms) > *patience => Err(GivenUp::Patience(*patience)),
            _ => Ok(at),
        }
    }
}

//! When a failed attempt is followed by another.

use crate::action::ErrorClass;

/// Backoff between attempts: exponential with jitter, inside a deadline. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Delay after the first failure.
    pub base_ms: u64,
    /// Longest delay.
    pub max_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base_ms: 1_000, max_ms: 60_000 }
    }
}

impl RetryPolicy {
    /// When to try again: `None` if the class does not get better by waiting or the time limit would be passed. `failures` counts from 1; `jitter` is
    /// any number, spread evenly over `0..=1000`: the delay lies between half and the whole of the exponential one.
    pub fn next_attempt(&self, class: ErrorClass, failures: u32, now_ms: u64, deadline_ms: u64, jitter: u64) -> Option<u64> {
        if !class.is_retryable() {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.base_ms.saturating_mul(1 << doublings).min(self.max_ms);
        let delay = full / 2 + (full - full / 2) * (jitter % 1001) / 1000;
        let at = now_ms.saturating_add(delay);
        (at < deadline_ms).then_some(at)
    }
}

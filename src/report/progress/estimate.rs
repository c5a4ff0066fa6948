//! How long actions take, and how much of a run is left, with what that rests on.

use crate::action::Action;
use crate::run::guessed_ms;

/// How long the actions of a run probably take. Empty lists say that nothing is known: then a third of each time limit is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Milliseconds of each action, in plan order.
    pub lengths_ms: Vec<u64>,
    /// Whether that was measured in former runs, in plan order; otherwise it is a guess.
    pub measured: Vec<bool>,
    /// Milliseconds of the whole plan within its limits, by a rehearsal.
    pub makespan_ms: Option<u64>,
}

impl Expected {
    /// Milliseconds of an action, and whether they were measured.
    pub(super) fn of(&self, index: usize, action: &Action) -> (u64, bool) {
        match self.lengths_ms.get(index) {
            Some(length) => ((*length).max(1), self.measured.get(index).copied().unwrap_or(false)),
            None => (guessed_ms(action.kind).max(1), false),
        }
    }
}

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// How fast this run has been so far.
    Pace,
    /// Durations of former runs.
    FormerRuns,
    /// Time limits, for some action at least.
    TimeLimits,
}

impl Basis {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Pace => "by the pace so far",
            Self::FormerRuns => "by former runs",
            Self::TimeLimits => "a guess by time limits",
        }
    }
}

/// Milliseconds that are probably left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) ms: u64,
    pub(super) basis: Basis,
}

/// Work in milliseconds of actions, were they done one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Of all actions.
    pub(super) total: u64,
    /// Of what is done, with what is in progress as far as it has come.
    pub(super) done: u64,
    /// Of what was done when this process began.
    pub(super) before: u64,
}

impl Work {
    /// Percent that are done; 100 only when everything is.
    pub(super) fn percent(self) -> u64 {
        if self.done >= self.total { 100 } else { (u128::from(self.done) * 100 / u128::from(self.total.max(1))).min(99) as u64 }
    }

    /// By the pace so far, as soon as a twentieth of this process's work is done; before that by the rehearsal of the whole plan. Never less than `longest_ms`, the
    /// longest chain of actions that is left.
    pub(super) fn left(self, elapsed_ms: u64, makespan_ms: Option<u64>, all_measured: bool, longest_ms: Option<u64>) -> Option<Left> {
        let left = self.total.saturating_sub(self.done);
        let own = self.done.saturating_sub(self.before);
        let share = |ms: u64, of: u64| u64::try_from(u128::from(ms) * u128::from(left) / u128::from(of.max(1))).unwrap_or(u64::MAX);
        let plan = if all_measured { Basis::FormerRuns } else { Basis::TimeLimits };
        let estimate = if own > 0 && own.saturating_mul(20) >= self.total.saturating_sub(self.before) {
            Some(Left { ms: share(elapsed_ms, own), basis: Basis::Pace })
        } else {
            makespan_ms.map(|whole| Left { ms: share(whole, self.total), basis: plan })
        };
        match (estimate, longest_ms) {
            (Some(estimate), Some(longest)) if estimate.ms < longest => Some(Left { ms: longest, basis: plan }),
            (estimate, _) => estimate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Basis, Left, Work};

    #[test]
    fn an_estimate_says_what_it_rests_on() {
        let of =
            |done, elapsed, makespan, measured, longest| Work { total: 1000, done, before: 0 }.left(elapsed, makespan, measured, longest);
        let left = |ms, basis| Some(Left { ms, basis });
        // Too early to tell, and nobody rehearsed it: that one node needs a while says little.
        assert_eq!(of(10, 500, None, true, Some(100)), None);
        // Half of what the limits allow to run side by side.
        assert_eq!(of(10, 500, Some(400), true, None), left(396, Basis::FormerRuns));
        assert_eq!(of(10, 500, Some(400), false, None), left(396, Basis::TimeLimits));
        // Twice as slow as expected: the pace knows it.
        assert_eq!(of(100, 80, Some(400), true, Some(300)), left(720, Basis::Pace));
        // The last node still has its whole branch before it.
        assert_eq!(of(900, 360, Some(400), true, Some(300)), left(300, Basis::FormerRuns));
        // What was done before this process says nothing about its pace.
        let resumed = Work { total: 1000, done: 810, before: 800 };
        assert_eq!(resumed.left(30, None, true, None), left(570, Basis::Pace));
        assert_eq!(Work { done: 805, ..resumed }.left(30, Some(2000), true, None), left(390, Basis::FormerRuns));
    }

    #[test]
    fn all_is_done_only_at_the_end() {
        let percent = |done| Work { total: 1000, done, before: 0 }.percent();
        assert_eq!([percent(0), percent(509), percent(999), percent(1000), Work::default().percent()], [0, 50, 99, 100, 100]);
    }
}

//! What an action needs done, given what MAAS shows.

use std::collections::BTreeMap;

use super::client::ApiCall;
use super::networking::NetStep;
use crate::action::params::ApplyNodeStorage;
use crate::driver::{Begun, DriverError, ErrorClass, Observation};

/// The answer of the pure part of an action: one function serves observing and beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing is left to do.
    Done(BTreeMap<String, String>),
    /// These calls, in order; each depends on what is there now, so a half-way stop is picked up where it is.
    Act { calls: Vec<ApiCall>, then: Begun },
    /// `last` follows `main` also where `main` fails: it puts back what `first` took away.
    Enclosed { first: Option<ApiCall>, main: Box<ApiCall>, last: Box<ApiCall> },
    /// The machine is released first; what follows is decided when it is free.
    AfterRelease(ApiCall),
    /// Steps on a machine's interfaces.
    Networking(Vec<NetStep>),
    /// A machine's disks are laid out anew.
    Storage(Box<ApplyNodeStorage>),
    /// Under way, or waiting for something that others do.
    InProgress(String),
    /// Tried and failed, or it cannot be begun.
    Failed(DriverError),
}

impl Decision {
    /// Done without outputs.
    pub(super) fn done() -> Self {
        Self::Done(BTreeMap::new())
    }

    /// Calls that complete the action.
    pub(super) fn act(calls: impl IntoIterator<Item = ApiCall>) -> Self {
        Self::Act { calls: calls.into_iter().collect(), then: Begun::Complete }
    }

    /// Calls after which MAAS goes on by itself.
    pub(super) fn start(calls: impl IntoIterator<Item = ApiCall>, reason: &str) -> Self {
        Self::Act { calls: calls.into_iter().collect(), then: Begun::Wait { reason: reason.to_owned() } }
    }

    /// The site is not as the plan says.
    pub(super) fn precondition(message: impl Into<String>) -> Self {
        Self::Failed(DriverError::new(ErrorClass::Precondition, message).hint("make a new plan"))
    }

    /// A failure of a class.
    pub(super) fn failed(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Failed(DriverError::new(class, message))
    }

    /// As an observation.
    pub(super) fn observation(self) -> Observation {
        match self {
            Self::Done(outputs) => Observation::Done { outputs },
            Self::Act { .. } | Self::Enclosed { .. } | Self::AfterRelease(_) | Self::Networking(_) | Self::Storage(_) => {
                Observation::NotStarted
            }
            Self::InProgress(detail) => Observation::InProgress { detail },
            Self::Failed(error) => Observation::Failed(error),
        }
    }
}

/// Attributes whose value is neither what is wanted nor what the plan saw.
#[derive(Debug, Default)]
pub(super) struct Drift(Vec<String>);

impl Drift {
    /// Compares one attribute.
    pub(super) fn check<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, now: &T, after: &T, before: Option<&T>) {
        if now != after && before != Some(now) {
            let expected = before.map_or_else(|| format!("{after:?}"), |b| format!("{b:?} or {after:?}"));
            self.0.push(format!("{name} is {now:?}, expected {expected}"));
        }
    }

    /// The refusal, if there is a difference.
    pub(super) fn refusal(self, what: &str) -> Option<Decision> {
        (!self.0.is_empty()).then(|| Decision::precondition(format!("{what} changed since the plan was made: {}", self.0.join("; "))))
    }
}

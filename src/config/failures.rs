//! What the settings say about trouble: time limits, patience, what becomes of a node that fails.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::{Minutes, Settings};
use crate::action::{ActionKind, ErrorClass};
use crate::plan::{FailureRules, OnFailure};
use crate::run::RetryPolicy;

/// Kinds that are given up without progress if the settings do not say otherwise, and after how long: the provisioner tells of each step of these.
const NO_PROGRESS: [(ActionKind, Duration); 2] =
    [(ActionKind::ConfigureHardware, Duration::from_mins(20)), (ActionKind::DeployNode, Duration::from_mins(20))];

/// `retries:`: how long failures of one class in a row are tried again, within the time limit of the action.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// Network trouble; 15 minutes if not given.
    pub transient: Option<Minutes>,
    /// The other side is busy; 30 minutes if not given.
    pub busy: Option<Minutes>,
    /// What is needed is not there yet; 30 minutes if not given.
    pub not_ready: Option<Minutes>,
}

impl Retries {
    /// As a run follows it.
    pub fn policy(self) -> RetryPolicy {
        let mut policy = RetryPolicy::default();
        for (class, given) in
            [(ErrorClass::Transient, self.transient), (ErrorClass::Busy, self.busy), (ErrorClass::NotReady, self.not_ready)]
        {
            if let Some(Minutes(patience)) = given {
                policy.patience_ms.insert(class, patience.as_millis() as u64);
            }
        }
        policy
    }
}

/// `on_failure:` as it is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnFailureSetting {
    /// It stays as it is.
    Leave,
    /// It is switched off, unless it held an operating system when the plan was made.
    PowerOff,
    /// The provisioner marks it broken.
    MarkBroken,
}

pub(super) fn on_failure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OnFailure, D::Error> {
    Ok(match OnFailureSetting::deserialize(deserializer)? {
        OnFailureSetting::Leave => OnFailure::Leave,
        OnFailureSetting::PowerOff => OnFailure::PowerOff,
        OnFailureSetting::MarkBroken => OnFailure::MarkBroken,
    })
}

impl Settings {
    /// What a run does about trouble. A kind whose time limit is given and whose limit without progress is not has only the former.
    pub fn failure_rules(&self) -> FailureRules {
        let mut no_progress: BTreeMap<ActionKind, Duration> =
            NO_PROGRESS.into_iter().filter(|(kind, _)| !self.timeouts.contains_key(kind)).collect();
        no_progress.extend(self.no_progress.iter().map(|(kind, limit)| (*kind, *limit)));
        let seconds = |limit: Duration| u32::try_from(limit.as_secs().max(1)).unwrap_or(u32::MAX);
        FailureRules {
            no_progress_s: no_progress.into_iter().map(|(kind, limit)| (kind, seconds(limit))).collect(),
            on_failure: self.on_failure,
        }
    }
}

/// A map from kinds of action to durations.
#[derive(Debug, Default)]
pub(super) struct Kinds(pub(super) BTreeMap<ActionKind, Duration>);

/// `timeouts:`: kind of action → time limit, and `no_progress`: the same without progress.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    pub(super) total: BTreeMap<ActionKind, Duration>,
    pub(super) no_progress: BTreeMap<ActionKind, Duration>,
}

/// The key beside the kinds.
const NO_PROGRESS_KEY: &str = "no_progress";

/// The kind of action of this name; `beside` are other keys of the mapping.
pub(super) fn kind_named<E: de::Error>(name: &str, beside: &[&str]) -> Result<ActionKind, E> {
    ActionKind::ALL.iter().copied().find(|k| k.name() == name).ok_or_else(|| {
        let names: Vec<String> = ActionKind::ALL.iter().map(|k| k.name()).chain(beside.iter().copied()).map(|n| format!("`{n}`")).collect();
        E::custom(format!("unknown field `{name}`, expected one of {}", names.join(", ")))
    })
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Kinds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from kinds of actions to durations, such as `deploy_node: 15m`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kinds, A::Error> {
                let mut out = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    out.insert(kind_named(&name, &[])?, map.next_value::<Minutes>()?.0);
                }
                Ok(Kinds(out))
            }
        }
        deserializer.deserialize_map(V)
    }
}

impl<'de> Deserialize<'de> for Timeouts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Timeouts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from kinds of actions to durations, such as `deploy_node: 45m`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timeouts, A::Error> {
                let mut out = Timeouts::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == NO_PROGRESS_KEY {
                        out.no_progress = map.next_value::<Kinds>()?.0;
                    } else {
                        out.total.insert(kind_named(&name, &[NO_PROGRESS_KEY])?, map.next_value::<Minutes>()?.0);
                    }
                }
                Ok(out)
            }
        }
        deserializer.deserialize_map(V)
    }
}

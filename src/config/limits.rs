//! `limits:` and `rollout:`: how much at once, and who goes first.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::TimeSpan;
use super::machines::NodeSelector;
use super::types::{Drivers, Settings};
use crate::action::{ActionKind, Selector};
use crate::plan::{Canaries, Limits, Rules, Share, StrategyChoice, Unavailable, UnavailableOf};

/// `limits:`. What is not given has the default of [`LimitSettings::resolve`].
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Nodes whose branch may be in flight at once.
    pub nodes_in_flight: Option<u32>,
    /// Driver calls in flight at once.
    pub parallelism: Option<u32>,
    /// The same for single kinds of action.
    pub calls: ByKind,
    /// Requests in flight at once to one BMC; that of a chassis answers for several nodes.
    pub requests_per_bmc: Option<u32>,
    /// Power-ups at once per rack.
    pub power_ups_per_rack: Option<u32>,
    /// Actions of single kinds at once per rack, those that wait at the site included.
    pub per_rack: ByKind,
    /// Deployments at once over one network that machines boot from, those that wait at the site included.
    pub deployments_per_network: Option<u32>,
    /// Nodes of a rack that may be unavailable at once.
    pub unavailable_per_rack: Option<u32>,
    /// Failed nodes after which no new branch is started.
    pub max_failures: Option<FailureLimit>,
}

/// Kind of action → a number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByKind(pub BTreeMap<ActionKind, u32>);

/// A number of failed nodes, or a share of the site's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimit(pub Share);

/// A number of nodes, or a share of some, as it is written: `3`, `5%`; zero is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeShare(pub Share);

/// `rollout:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSettings {
    /// How many nodes may be unavailable at once because of a run.
    pub max_unavailable: Vec<UnavailableSettings>,
    /// Nodes that go first: a number, or a selector.
    pub canaries: Option<CanarySettings>,
    /// Ends of the waves after them: numbers, or shares of all nodes that the plan installs or interrupts.
    pub waves: Vec<NodeShare>,
    /// When a wave is through.
    pub gate: GateSettings,
    /// The shipyard/DeploymentStrategy of the design that is followed, or `off`; the one that its DeploymentConfiguration names if not given.
    pub deployment_strategy: Option<StrategySetting>,
}

/// `rollout.max_unavailable[]:`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnavailableSettings {
    /// `rack`, or `label.KEY`: nodes of one rack, or with one value of the label, are counted together.
    pub per: Option<Per>,
    /// Or: nodes that are selected.
    pub nodes: Option<NodeSelector>,
    /// At most so many; a share is rounded down.
    pub limit: NodeShare,
}

/// What `rollout.max_unavailable[].per` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Per {
    /// Racks.
    Rack,
    /// Values of a label.
    Label(String),
}

/// `rollout.gate:`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// For how long the nodes of a wave have to be healthy before the next begins; 60s if not given.
    pub healthy_for: Option<TimeSpan>,
    /// In what time, beyond that, they have to have become so; 15m if not given.
    pub within: Option<TimeSpan>,
    /// Failed nodes of a wave that do not keep the next from beginning; none if not given. Canaries may never fail.
    pub max_failed: Option<NodeShare>,
}

/// `rollout.canaries:`.
#[derive(Debug, Clone)]
pub struct CanarySettings(pub Canaries);

/// `rollout.deployment_strategy:`.
#[derive(Debug, Clone)]
pub struct StrategySetting(pub StrategyChoice);

impl LimitSettings {
    /// The limits of a plan for a site with this many nodes. Defaults: 10 nodes in flight, 32 calls, 2 power-ups and 1 unavailable node per rack, and the
    /// larger of 3 and 5 % failed nodes.
    pub fn resolve(&self, nodes: usize) -> Limits {
        let safe = Limits::default();
        let max_failures = match self.max_failures {
            None => Share::Percent(5).at_least(nodes).max(3),
            Some(FailureLimit(share)) => share.at_least(nodes).max(1),
        };
        Limits {
            nodes_in_flight: self.nodes_in_flight.unwrap_or(safe.nodes_in_flight),
            parallelism: self.parallelism.unwrap_or(safe.parallelism),
            calls: self.calls.0.clone(),
            power_ups_per_rack: self.power_ups_per_rack.unwrap_or(safe.power_ups_per_rack),
            requests_per_bmc: self.requests_per_bmc.unwrap_or(safe.requests_per_bmc),
            per_rack: self.per_rack.0.clone(),
            unavailable_per_rack: self.unavailable_per_rack.unwrap_or(safe.unavailable_per_rack),
            max_failures,
            ..safe
        }
    }
}

impl Settings {
    /// The limits of a plan for a site with this many nodes, with those of the drivers.
    pub fn plan_limits(&self, nodes: usize) -> Limits {
        let Drivers { maas, redfish, ipmi, .. } = &self.drivers;
        let requests = [
            ("maas", maas.max_requests.map_or(16, |n| u32::from(n.get()))),
            ("redfish", redfish.parallel.map_or(128, |n| u32::from(n.get()))),
            ("ipmi", ipmi.parallel.unwrap_or(32)),
        ];
        Limits { requests: requests.into_iter().map(|(name, n)| (name.to_owned(), n)).collect(), ..self.limits.resolve(nodes) }
    }

    /// The rules of a rollout.
    pub fn rollout_rules(&self) -> Rules {
        let rollout = &self.rollout;
        let seconds = |span: TimeSpan| u32::try_from(span.0.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let unavailable = rollout.max_unavailable.iter().filter_map(|rule| {
            let of = match (&rule.per, &rule.nodes) {
                (Some(Per::Rack), _) => UnavailableOf::Racks,
                (Some(Per::Label(label)), _) => UnavailableOf::Label(label.clone()),
                (None, Some(selector)) => UnavailableOf::Nodes(selector.0.clone()),
                // Refused when the settings were read.
                (None, None) => return None,
            };
            Some(Unavailable { of, limit: rule.limit.0 })
        });
        Rules {
            max_unavailable: unavailable.collect(),
            deployments_per_network: self.limits.deployments_per_network,
            canaries: rollout.canaries.as_ref().map(|c| c.0.clone()),
            waves: rollout.waves.iter().map(|w| w.0).collect(),
            max_failed: rollout.gate.max_failed.map(|m| m.0),
            healthy_for_s: rollout.gate.healthy_for.map(seconds),
            patience_s: rollout.gate.within.map(seconds),
            strategy: rollout.deployment_strategy.as_ref().map_or(StrategyChoice::OfDesign, |s| s.0.clone()),
        }
    }
}

/// What no single value of `limits` and `rollout` shows to be wrong: the key, what is wrong, what to do.
pub(super) fn problems(settings: &Settings) -> Vec<(Vec<String>, String, &'static str)> {
    const AT_LEAST_ONE: &str = "write at least 1, or leave the key out for the default";
    let (limits, rollout) = (&settings.limits, &settings.rollout);
    let mut out = Vec::new();
    let mut push = |route: &[&str], message: String, help| out.push((route.iter().map(|r| (*r).to_owned()).collect(), message, help));
    let numbers = [
        ("nodes_in_flight", limits.nodes_in_flight),
        ("parallelism", limits.parallelism),
        ("power_ups_per_rack", limits.power_ups_per_rack),
        ("requests_per_bmc", limits.requests_per_bmc),
        ("unavailable_per_rack", limits.unavailable_per_rack),
        ("deployments_per_network", limits.deployments_per_network),
    ];
    for (name, value) in numbers {
        if value == Some(0) {
            push(&["limits", name], format!("`limits.{name}` is 0, so nothing could ever be done"), AT_LEAST_ONE);
        }
    }
    for (name, map) in [("calls", &limits.calls.0), ("per_rack", &limits.per_rack.0)] {
        for (kind, _) in map.iter().filter(|(_, n)| **n == 0) {
            let message = format!("`limits.{name}.{kind}` is 0, so it could never be done");
            push(&["limits", name, kind.name()], message, AT_LEAST_ONE);
        }
    }
    let rules = ["rollout", "max_unavailable"];
    let mut racks = 0;
    for rule in &rollout.max_unavailable {
        racks += u32::from(rule.per == Some(Per::Rack));
        if rule.per.is_some() == rule.nodes.is_some() {
            let message = "an entry of `rollout.max_unavailable` has both or neither of `per` and `nodes`".to_owned();
            push(&rules, message, "write `per: rack`, `per: label.KEY` or `nodes: SELECTOR`, and the `limit`");
        }
    }
    if racks > 1 {
        push(&rules, "`rollout.max_unavailable` has `per: rack` twice".to_owned(), "keep one of them");
    }
    if racks > 0 && limits.unavailable_per_rack.is_some() {
        let message = "`rollout.max_unavailable` has `per: rack` beside `limits.unavailable_per_rack`".to_owned();
        push(&rules, message, "keep one of them: both say how many nodes of a rack may be unavailable");
    }
    if let Some(CanarySettings(Canaries::Number(0))) = rollout.canaries {
        push(&["rollout", "canaries"], "`rollout.canaries` is 0".to_owned(), "write at least 1, or leave the key out for none");
    }
    for (n, pair) in rollout.waves.windows(2).enumerate() {
        let grows = match (pair[0].0, pair[1].0) {
            (Share::Count(a), Share::Count(b)) | (Share::Percent(a), Share::Percent(b)) => b > a,
            _ => true,
        };
        if !grows {
            let message = format!("wave {} of `rollout.waves` ({}) ends where wave {} ({}) has ended", n + 2, pair[1].0, n + 1, pair[0].0);
            push(
                &["rollout", "waves"],
                message,
                "each share counts all nodes up to the end of its wave: write growing ones, such as `[10%, 50%, 100%]`",
            );
        }
    }
    if rollout.waves.iter().any(|w| matches!(w.0, Share::Count(0) | Share::Percent(0))) {
        push(&["rollout", "waves"], "a wave of `rollout.waves` is 0".to_owned(), "write at least 1 or 1%");
    }
    out
}

/// A number, or a share: `3`, `5%`.
fn share<'de, D: Deserializer<'de>>(deserializer: D, least: u32) -> Result<Share, D::Error> {
    struct V(u32);
    impl V {
        fn wrong(&self, text: &str) -> String {
            let least = if self.0 > 0 { " above 0" } else { "" };
            format!("`{text:.40}` is neither a number of nodes (`3`) nor a share of them (`5%`){least}")
        }
    }
    impl Visitor<'_> for V {
        type Value = Share;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of nodes (`3`) or a share of them (`5%`)")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Share, E> {
            match u32::try_from(number) {
                Ok(number) if number >= self.0 => Ok(Share::Count(number)),
                _ => Err(E::custom(self.wrong(&number.to_string()))),
            }
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
            let trimmed = text.trim();
            let (digits, percent) = trimmed.strip_suffix('%').map_or((trimmed, false), |d| (d.trim(), true));
            match digits.parse::<u32>() {
                Ok(n) if n >= self.0 && percent && n <= 100 => Ok(Share::Percent(n)),
                Ok(n) if n >= self.0 && !percent => Ok(Share::Count(n)),
                _ => Err(E::custom(self.wrong(trimmed))),
            }
        }
    }
    deserializer.deserialize_any(V(least))
}

impl<'de> Deserialize<'de> for FailureLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        share(deserializer, 1).map(Self)
    }
}

impl<'de> Deserialize<'de> for NodeShare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        share(deserializer, 0).map(Self)
    }
}

impl<'de> Deserialize<'de> for Per {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (text.as_str(), text.strip_prefix("label.")) {
            ("rack", _) => Ok(Self::Rack),
            (_, Some(label)) if !label.is_empty() => Ok(Self::Label(label.to_owned())),
            _ => Err(de::Error::custom(format!("`{text:.40}` is neither `rack` nor `label.KEY`"))),
        }
    }
}

impl<'de> Deserialize<'de> for CanarySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = CanarySettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of nodes, or a selector such as `tag=canary`")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CanarySettings, E> {
                u32::try_from(number)
                    .map(|n| CanarySettings(Canaries::Number(n)))
                    .map_err(|_| E::custom(format!("`{number}` is too large")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CanarySettings, E> {
                if let Ok(number) = text.trim().parse() {
                    return Ok(CanarySettings(Canaries::Number(number)));
                }
                let selector: Selector = NodeSelector::parse(text).map_err(E::custom)?.0;
                Ok(CanarySettings(Canaries::Nodes(selector)))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for StrategySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = StrategySetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a deployment strategy, or `off`")
            }

            // An unquoted `off` is a boolean to editors and tools that write YAML 1.1.
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<StrategySetting, E> {
                if on {
                    Err(E::custom("write the name of a deployment strategy, or `off`"))
                } else {
                    Ok(StrategySetting(StrategyChoice::Off))
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StrategySetting, E> {
                match text {
                    "" => Err(E::custom("write the name of a deployment strategy, or `off`")),
                    "off" => Ok(StrategySetting(StrategyChoice::Off)),
                    name => Ok(StrategySetting(StrategyChoice::Named(name.to_owned()))),
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for ByKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = ByKind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from kinds of actions to numbers, such as `configure_hardware: 4`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByKind, A::Error> {
                let mut out = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    out.insert(super::failures::kind_named(&name, &[])?, map.next_value()?);
                }
                Ok(ByKind(out))
            }
        }
        deserializer.deserialize_map(V)
    }
}

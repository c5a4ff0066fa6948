//! `guards:`, `protect:` and `approval:`: what a site asks of every plan.

use std::num::NonZeroU32;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::limits::FailureLimit;
use super::machines::NodeSelector;
use crate::action::Effect;
use crate::plan::Policies;
use crate::plan::policy::{ApprovalRule, ForbiddenHours, NodeLimit, Otherwise, Required};

/// `guards:`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// Percent of the nodes last seen deployed that may be absent; above it no plan is made.
    pub max_absent: u32,
    /// How many nodes one plan may reach.
    pub max_nodes: Vec<LimitGuard>,
    /// How many nodes of a rack one plan may reach.
    pub max_per_rack: Vec<LimitGuard>,
    /// What the design has to say of nodes.
    pub required: Vec<RequiredGuard>,
    /// Hours in which nothing should be interrupted: a warning.
    pub forbidden_hours: Vec<HoursGuard>,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_absent: 10, max_nodes: Vec::new(), max_per_rack: Vec::new(), required: Vec::new(), forbidden_hours: Vec::new() }
    }
}

/// What happens to a plan that breaks a guard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// It is refused.
    #[default]
    Deny,
    /// It needs approval.
    Approve,
}

/// An effect class by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectClass(pub Effect);

/// An entry of `guards.max_nodes` or `guards.max_per_rack`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitGuard {
    /// How many: a number, or a share of the nodes that the guard is about.
    pub limit: FailureLimit,
    /// Nodes with this effect or a higher one are counted; redeploy if not given.
    pub effect: Option<EffectClass>,
    /// Which nodes; all if not given.
    pub nodes: Option<NodeSelector>,
    /// What happens above the limit.
    #[serde(default)]
    pub otherwise: Consequence,
    /// How many have to approve; one if not given.
    pub approvers: Option<NonZeroU32>,
    /// The allowed-signers file that names them; the one of `approval` if not given.
    pub signers: Option<PathBuf>,
    /// Why; it is shown with the guard.
    #[serde(default)]
    pub reason: String,
}

/// An entry of `guards.required`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredGuard {
    /// What has to select each node (`label.owner=*`).
    pub must: NodeSelector,
    /// Which nodes; all if not given.
    pub nodes: Option<NodeSelector>,
    /// What happens where it does not.
    #[serde(default)]
    pub otherwise: Consequence,
    /// How many have to approve; one if not given.
    pub approvers: Option<NonZeroU32>,
    /// The allowed-signers file that names them; the one of `approval` if not given.
    pub signers: Option<PathBuf>,
    /// Why; it is shown with the guard.
    #[serde(default)]
    pub reason: String,
}

/// An entry of `guards.forbidden_hours`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursGuard {
    /// IANA name of the time zone (`Europe/Berlin`).
    pub zone: String,
    /// When they begin: `HH:MM`.
    pub from: TimeOfDay,
    /// When they end: `HH:MM`; not after `from` is on the next day.
    pub to: TimeOfDay,
    /// Days on which they begin; all if not given.
    #[serde(default)]
    pub days: Vec<Day>,
    /// From this effect on; reboot if not given.
    pub effect: Option<EffectClass>,
    /// Why; it is shown with the guard.
    #[serde(default)]
    pub reason: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Minute of the day, written `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(pub u16);

/// `approval:`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalSettings {
    /// The allowed-signers file (`ssh-keygen(1)`, ALLOWED SIGNERS) of whoever may approve.
    pub signers: Option<PathBuf>,
    /// Keys that do not count any more: a list of public keys, or a key revocation list.
    pub revoked: Option<PathBuf>,
    /// Who has to approve what.
    pub rules: Vec<ApprovalEntry>,
}

/// An entry of `approval.rules`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalEntry {
    /// From this effect on.
    pub effect: EffectClass,
    /// How many have to approve; one if not given.
    pub approvers: Option<NonZeroU32>,
    /// On which nodes; if not given, on all and on what belongs to no node.
    pub nodes: Option<NodeSelector>,
    /// The allowed-signers file that names them; the one of `approval` if not given.
    pub signers: Option<PathBuf>,
    /// Why; it is shown with the rule.
    #[serde(default)]
    pub reason: String,
}

impl<'de> Deserialize<'de> for EffectClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const NAMES: &[&str] = &["none", "online", "install", "reboot", "redeploy", "destroy"];
        let text = String::deserialize(deserializer)?;
        Effect::ALL.into_iter().find(|e| e.name() == text).map(Self).ok_or_else(|| de::Error::unknown_variant(&text, NAMES))
    }
}

impl JsonSchema for EffectClass {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EffectClass".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": Effect::ALL.map(Effect::name), "description": "An effect class; the later in the list, the more it does"})
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |part: &str, below: u16| {
            part.parse::<u16>().ok().filter(|n| *n < below && part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
        };
        let parsed = text.split_once(':').and_then(|(hours, minutes)| Some(number(hours, 24)? * 60 + number(minutes, 60)?));
        parsed.map(Self).ok_or_else(|| de::Error::custom(format!("`{text:.20}` is not a time of day; write for example '08:00'")))
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "A time of day: '08:00'"})
    }
}

/// Where nobody is named who could approve.
pub(super) struct NoSigners(pub(super) Vec<&'static str>);

fn otherwise(
    consequence: Consequence,
    approvers: Option<NonZeroU32>,
    signers: Option<&PathBuf>,
    approval: &ApprovalSettings,
) -> Option<Otherwise> {
    match consequence {
        Consequence::Deny => Some(Otherwise::Deny),
        Consequence::Approve => Some(Otherwise::Approve {
            approvers: approvers.map_or(1, NonZeroU32::get),
            signers: signers.or(approval.signers.as_ref())?.display().to_string(),
        }),
    }
}

/// What the sections ask of a plan.
///
/// # Errors
/// When an approval is asked for and nobody is named who could give it; the route of the setting.
pub(super) fn policies(guards: &Guards, protect: &[NodeSelector], approval: &ApprovalSettings) -> Result<Policies, NoSigners> {
    let selector = |nodes: &Option<NodeSelector>| nodes.as_ref().map(|n| n.0.clone());
    let limits = |list: &[LimitGuard], name: &'static str| {
        let entry = |guard: &LimitGuard| {
            Some(NodeLimit {
                effect: guard.effect.map_or(Effect::Redeploy, |e| e.0),
                nodes: selector(&guard.nodes),
                limit: guard.limit.0,
                otherwise: otherwise(guard.otherwise, guard.approvers, guard.signers.as_ref(), approval)?,
                reason: guard.reason.clone(),
            })
        };
        list.iter().map(entry).collect::<Option<Vec<_>>>().ok_or(NoSigners(vec!["guards", name]))
    };
    let required = guards.required.iter().map(|guard| {
        Some(Required {
            nodes: selector(&guard.nodes),
            must: guard.must.0.clone(),
            otherwise: otherwise(guard.otherwise, guard.approvers, guard.signers.as_ref(), approval)?,
            reason: guard.reason.clone(),
        })
    });
    let hours = guards.forbidden_hours.iter().map(|guard| {
        let mut days: Vec<u8> = guard.days.iter().map(|day| *day as u8).collect();
        days.sort_unstable();
        days.dedup();
        ForbiddenHours {
            effect: guard.effect.map_or(Effect::Reboot, |e| e.0),
            zone: guard.zone.clone(),
            days: if days.is_empty() { (0..7).collect() } else { days },
            from: guard.from.0,
            to: guard.to.0,
            reason: guard.reason.clone(),
        }
    });
    let approvals = approval.rules.iter().map(|rule| {
        Some(ApprovalRule {
            effect: rule.effect.0,
            nodes: selector(&rule.nodes),
            approvers: rule.approvers.map_or(1, NonZeroU32::get),
            signers: rule.signers.as_ref().or(approval.signers.as_ref())?.display().to_string(),
            reason: rule.reason.clone(),
        })
    });
    Ok(Policies {
        protect: protect.iter().map(|s| s.0.clone()).collect(),
        max_nodes: limits(&guards.max_nodes, "max_nodes")?,
        max_per_rack: limits(&guards.max_per_rack, "max_per_rack")?,
        required: required.collect::<Option<_>>().ok_or(NoSigners(vec!["guards", "required"]))?,
        forbidden_hours: hours.collect(),
        approvals: approvals.collect::<Option<_>>().ok_or(NoSigners(vec!["approval", "rules"]))?,
    })
}

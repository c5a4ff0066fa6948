//! Policies: what the settings of a site ask of every plan, and what a plan comes to under them.
//!
//! In: a plan, the applied model, what the state remembers, and the [`Policies`]. Out: a [`PolicyReport`]: what is denied, what needs approval, and which rules were
//! in force. Pure; the report is a part of the plan and of its intent digest. Hours are not looked at here, as a plan has no clock.

mod evaluate;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use evaluate::evaluate;

use super::Share;
use crate::action::{Effect, Selector};

/// What a site asks of every plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// Nodes that no plan reboots, redeploys or destroys, whatever it is allowed; also after their documents are gone.
    pub protect: Vec<Selector>,
    /// How many nodes one plan may reach.
    pub max_nodes: Vec<NodeLimit>,
    /// The same for each rack.
    pub max_per_rack: Vec<NodeLimit>,
    /// What the design has to say of nodes.
    pub required: Vec<Required>,
    /// When nothing should be interrupted.
    pub forbidden_hours: Vec<ForbiddenHours>,
    /// Who has to approve what.
    pub approvals: Vec<ApprovalRule>,
}

/// What happens to a plan that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// It is refused.
    Deny,
    /// It needs approval.
    Approve {
        /// By how many.
        approvers: u32,
        /// The allowed-signers file that names them, as written in the settings.
        signers: String,
    },
}

/// How many nodes a plan may reach with an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLimit {
    /// From this effect on.
    pub effect: Effect,
    /// Which nodes are counted; all if not given.
    pub nodes: Option<Selector>,
    /// How many; shares are of the design's nodes that the rule is about, rounded up.
    pub limit: Share,
    /// What happens above it.
    pub otherwise: Otherwise,
    /// Why, as the settings say it; may be empty.
    pub reason: String,
}

/// What the design has to say of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Which nodes; all if not given.
    pub nodes: Option<Selector>,
    /// What has to select each of them (`label.owner=*`).
    pub must: Selector,
    /// What happens where it does not.
    pub otherwise: Otherwise,
    /// Why; may be empty.
    pub reason: String,
}

/// Hours in which nothing should be interrupted. A warning when a plan is made and applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForbiddenHours {
    /// From this effect on.
    pub effect: Effect,
    /// IANA name of the time zone.
    pub zone: String,
    /// Days on which they begin, 0 is Monday.
    pub days: Vec<u8>,
    /// Minute of the day at which they begin.
    pub from: u16,
    /// Minute of the day at which they end; not after `from` is on the next day.
    pub to: u16,
    /// Why; may be empty.
    pub reason: String,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl ForbiddenHours {
    /// Names of days in settings, Monday first.
    pub const DAYS: [&'static str; 7] = DAYS;

    /// Whether a local time is in them.
    pub fn hold(&self, weekday: u8, minute: u16) -> bool {
        let on = |day: u8| self.days.contains(&day);
        if self.from < self.to {
            on(weekday) && (self.from..self.to).contains(&minute)
        } else {
            (on(weekday) && minute >= self.from) || (on((weekday + 6) % 7) && minute < self.to)
        }
    }

    /// As one line: `08:00–18:00 on mon, tue, Europe/Berlin`.
    pub fn shown(&self) -> String {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days: Vec<&str> = self.days.iter().filter_map(|d| DAYS.get(usize::from(*d)).copied()).collect();
        let days = if days.len() == DAYS.len() { "every day".to_owned() } else { format!("on {}", days.join(", ")) };
        format!("{} to {} {days}, {}", time(self.from), time(self.to), self.zone)
    }
}

/// Who has to approve an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// From this effect on.
    pub effect: Effect,
    /// On which nodes; if not given, on all and on site resources.
    pub nodes: Option<Selector>,
    /// By how many.
    pub approvers: u32,
    /// The allowed-signers file that names them, as written in the settings.
    pub signers: String,
    /// Why; may be empty.
    pub reason: String,
}

/// A rule that a plan breaks, so that it is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// The nodes it is about, in order of name.
    pub nodes: Vec<String>,
    /// What is wrong.
    pub reason: String,
    /// The rule.
    pub rule: String,
}

/// An approval that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeededApproval {
    /// By how many people.
    pub approvers: u32,
    /// The nodes it is about, in order of name; empty for site resources.
    pub nodes: Vec<String>,
    /// What needs it.
    pub reason: String,
    /// The rule.
    pub rule: String,
    /// The allowed-signers file that names them, as written in the settings.
    pub signers: String,
}

/// What a plan comes to under the policies of its site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReport {
    /// Approvals it needs; all of them.
    pub approvals: Vec<NeededApproval>,
    /// Why it is refused.
    pub denied: Vec<Denial>,
    /// The rules in force, one line each.
    pub rules: Vec<String>,
}

impl PolicyReport {
    /// Whether nothing was asked of the plan.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.denied.is_empty() && self.approvals.is_empty()
    }

    /// This and what another policy asks: whatever one of them denies is denied, and all approvals are needed.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        fn join<T: Ord>(into: &mut Vec<T>, from: Vec<T>) {
            into.extend(from);
            into.sort();
            into.dedup();
        }
        join(&mut self.approvals, other.approvals);
        join(&mut self.denied, other.denied);
        join(&mut self.rules, other.rules);
        self
    }
}

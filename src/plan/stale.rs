//! What has moved at a site since a plan was made, and what of the plan rests on it.
//!
//! In: the plan, and a comparison of the same design with what is there now. Out: for each node and each site resource of the plan, the values that were others
//! when the plan was made. A value that has become what the plan wants has not moved: it is done already.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::Plan;
use crate::action::Action;
use crate::diff::{AttributeChange, Change, Comparison, Operation, Stage};

/// A value that was another one when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The resource.
    pub resource: String,
    /// What of it: an attribute's path with its values, the stage, or why nothing can be planned about it any more.
    pub what: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource, self.what)
    }
}

/// What has moved, by what rests on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    nodes: BTreeMap<String, Vec<Moved>>,
    site: BTreeMap<String, Vec<Moved>>,
}

/// Attributes by path.
type Attributes<'a> = BTreeMap<&'a str, &'a AttributeChange>;

impl Drift {
    /// What has moved. Without the design that the plan was made from, only stages and identities can be told.
    pub fn of(plan: &Plan, now: &Comparison, same_design: bool) -> Self {
        let acted: BTreeSet<&str> = plan.actions.iter().filter_map(|a| a.node.as_deref()).collect();
        let planned: BTreeMap<&str, &Change> =
            plan.changes.iter().chain(plan.held_back.iter().map(|h| &h.change)).map(|c| (c.resource.as_str(), c)).collect();
        let mut out = Self::default();
        if same_design {
            for step in now.site.steps.values() {
                out.site_resource(&step.change, planned.get(step.change.resource.as_str()).copied());
            }
            let open: BTreeSet<&str> = plan.blocked.iter().map(|b| b.resource.as_str()).collect();
            for (resource, blocked) in now.site.blocked.iter().filter(|(r, _)| !open.contains(r.as_str())) {
                let moved = Moved { resource: resource.clone(), what: format!("is blocked now: {}", blocked.reason) };
                out.site.entry(resource.clone()).or_default().push(moved);
            }
        }
        let mut of_nodes: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in now.node_changes.iter().chain(now.held_back.iter().map(|h| &h.change)).filter(|c| !is_of_bmc(&c.resource)) {
            of_nodes.entry(change.node.as_deref().unwrap_or_default()).or_default().push(change);
        }
        let open: BTreeSet<(&str, &str)> = plan.blocked.iter().map(|b| (b.resource.as_str(), b.reason.as_str())).collect();
        let mut stuck: BTreeMap<&str, Vec<Moved>> = BTreeMap::new();
        for blocked in now.blocked.iter().filter(|b| !open.contains(&(b.resource.as_str(), b.reason.as_str()))) {
            let moved = Moved { resource: blocked.resource.clone(), what: format!("is blocked now: {}", blocked.reason) };
            stuck.entry(of_node(&blocked.resource).unwrap_or_default()).or_default().push(moved);
        }
        for name in acted {
            let (Some(before), Some(after)) = (plan.nodes.get(name), now.nodes.get(name)) else { continue };
            if before.now != after.now && !is_on_the_way(before.now, after.now) {
                let what = format!("stage: {} → {}", before.now.name(), after.now.name());
                out.nodes.entry(name.to_owned()).or_default().push(Moved { resource: format!("node.{name}"), what });
                out.nodes.entry(name.to_owned()).or_default().extend(stuck.remove(name).unwrap_or_default());
                continue;
            }
            if !same_design {
                continue;
            }
            out.nodes.entry(name.to_owned()).or_default().extend(stuck.remove(name).unwrap_or_default());
            if before.now == after.now {
                for change in of_nodes.get(name).into_iter().flatten() {
                    let moved = attributes(change, planned.get(change.resource.as_str()).copied());
                    out.nodes.entry(name.to_owned()).or_default().extend(moved);
                }
            }
            // What the plan changes itself is looked at before it is changed.
            if let Some(needs) = now.needs.get(name) {
                let all = [&needs.boot, &needs.naming, &needs.networking, &needs.platform, &needs.deploy];
                let needed: BTreeSet<&str> = all.into_iter().flatten().map(String::as_str).filter(|r| !planned.contains_key(r)).collect();
                let moved = needed.into_iter().filter_map(|r| out.site.get(r)).flatten().cloned().collect::<Vec<_>>();
                out.nodes.entry(name.to_owned()).or_default().extend(moved);
            }
        }
        out.nodes.retain(|_, moved| !moved.is_empty());
        // What no action of the plan touches, and no node of it needs, is nothing to it.
        let touched: BTreeSet<&str> = plan.actions.iter().filter(|a| a.node.is_none()).map(|a| a.resource.as_str()).collect();
        out.site.retain(|resource, _| touched.contains(resource.as_str()));
        out
    }

    fn site_resource(&mut self, now: &Change, planned: Option<&Change>) {
        // What is made anew depends on what is made before it.
        if planned.is_some_and(|p| p.operation == Operation::Create) {
            return;
        }
        let moved = attributes(now, planned);
        if !moved.is_empty() {
            self.site.insert(now.resource.clone(), moved);
        }
    }

    /// What has moved of what an action rests on.
    pub fn under(&self, action: &Action) -> &[Moved] {
        let moved = match &action.node {
            Some(node) => self.nodes.get(node),
            None => self.site.get(&action.resource),
        };
        moved.map_or(&[], Vec::as_slice)
    }

    /// Everything, by node (or by resource of the site).
    pub fn all(&self) -> impl Iterator<Item = (&str, &[Moved])> {
        self.nodes.iter().chain(&self.site).map(|(name, moved)| (name.as_str(), moved.as_slice()))
    }

    /// Whether nothing has moved.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.site.is_empty()
    }
}

/// Whether a node has only gone on as the plan would bring it on.
fn is_on_the_way(planned: Stage, now: Stage) -> bool {
    use Stage as S;
    match planned {
        S::Absent | S::Enlisted | S::Commissioning | S::FailedCommissioning | S::Ready => {
            // Allocated means by this site; deploying looks for the owner once more.
            now > planned && matches!(now, S::Enlisted | S::Commissioning | S::FailedCommissioning | S::Ready | S::Allocated)
        }
        S::Deploying => now == S::Deployed,
        S::Releasing => now == S::Ready,
        _ => false,
    }
}

fn of_node(resource: &str) -> Option<&str> {
    resource.strip_prefix("node.").map(|rest| rest.split('/').next().unwrap_or(rest))
}

/// What only a BMC tells, and is read there before each effect.
fn is_of_bmc(resource: &str) -> bool {
    resource.ends_with("/power") || resource.ends_with("/boot")
}

/// What settings say, and no design; the plan has it only where it changes it.
fn is_of_settings(path: &str) -> bool {
    matches!(path, "pool" | "zone" | "min_kernel" | "space" | "user_data")
}

/// Attributes that differ now from another value than when the plan was made.
fn attributes(now: &Change, planned: Option<&Change>) -> Vec<Moved> {
    let known: Attributes<'_> = planned.map(|p| p.attributes.iter().map(|a| (a.path.as_str(), a.as_ref())).collect()).unwrap_or_default();
    let moved = |a: &AttributeChange| {
        let from = match known.get(a.path.as_str()) {
            Some(planned) if planned.before == a.before || planned.known_after.is_some() => return None,
            Some(planned) => planned.before.as_ref(),
            None if is_of_settings(&a.path) => return None,
            // The plan did not change it, so it was as the design says.
            None => a.after.as_ref(),
        };
        let what = format!("{}: {} → {}", a.path, shown(from), shown(a.before.as_ref()));
        Some(Moved { resource: now.resource.clone(), what })
    };
    now.attributes.iter().filter_map(|a| moved(a)).collect()
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) if text.lines().count() > 1 => format!("{} lines", text.lines().count()),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

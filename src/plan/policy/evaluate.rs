//! Policies over a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{ApprovalRule, Denial, ForbiddenHours, NeededApproval, NodeLimit, Otherwise, Policies, PolicyReport, Required};
use crate::action::params::ApplyNodePlatform;
use crate::action::{Effect, Remembered, Selectable, Selector};
use crate::diff::Memory;
use crate::model::Site;
use crate::plan::Plan;

/// A node of the design.
struct Known<'a> {
    rack: Option<&'a str>,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// What the state remembers of a node that the design no longer has.
struct Gone {
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// What is known of the nodes of a plan and of the design.
struct Nodes<'a> {
    /// Of the design.
    known: BTreeMap<&'a str, Known<'a>>,
    /// Those that the design no longer has; `None` where nothing is remembered.
    gone: BTreeMap<&'a str, Option<Gone>>,
    /// The highest effect of the plan on each node.
    effects: BTreeMap<&'a str, Effect>,
}

impl<'a> Nodes<'a> {
    fn new(plan: &'a Plan, site: &'a Site, memory: &Memory) -> Self {
        let known = site.nodes.values().map(|node| {
            let tags = node.tags.iter().map(|t| t.value.clone()).collect();
            let labels = node.owner_data.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect();
            (node.name.value.as_str(), Known { rack: node.rack.as_ref().map(|r| r.value.as_str()), tags, labels })
        });
        let effects = plan.effects_on_nodes();
        let gone = effects.keys().filter(|name| !site.nodes.contains_key(**name)).map(|name| {
            let applied = memory.last_applied.get(&format!("node.{name}/platform"));
            let params = applied.and_then(|a| serde_json::from_value::<ApplyNodePlatform>(a.attributes.clone()).ok());
            (*name, params.map(|p| Gone { tags: p.add_tags, labels: p.set_owner_data }))
        });
        Self { gone: gone.collect(), known: known.collect(), effects }
    }

    /// Whether a selector is about a node of the plan; `None` if the node is gone and that is not known any more.
    fn selected(&self, nodes: Option<&Selector>, name: &str) -> Option<bool> {
        let Some(selector) = nodes else { return Some(true) };
        if let Some(Known { rack, tags, labels }) = self.known.get(name) {
            return Some(selector.matches(&Selectable { node: name, rack: *rack, tags, labels, stage: "" }));
        }
        let remembered = self.gone.get(name).and_then(Option::as_ref);
        let (tags, labels) = (remembered.map(|r| r.tags.as_slice()), remembered.map(|r| &r.labels));
        selector.matches_remembered(&Remembered { node: name, tags, labels })
    }

    /// Nodes that the plan reaches with at least this effect and that a selector is, or may be, about.
    fn reached(&self, effect: Effect, nodes: Option<&Selector>) -> Vec<&'a str> {
        self.effects.iter().filter(|(name, e)| **e >= effect && self.selected(nodes, name) != Some(false)).map(|(name, _)| *name).collect()
    }
}

/// What a plan comes to. What is not known of a node whose document is gone never excuses it.
pub fn evaluate(plan: &Plan, site: &Site, memory: &Memory, policies: &Policies) -> PolicyReport {
    let mut out = PolicyReport::default();
    let nodes = Nodes::new(plan, site, memory);
    for selector in &policies.protect {
        protect(&mut out, &nodes, selector);
    }
    for limit in &policies.max_nodes {
        max_nodes(&mut out, &nodes, limit);
    }
    for limit in &policies.max_per_rack {
        max_per_rack(&mut out, plan, &nodes, limit);
    }
    for rule in &policies.required {
        required(&mut out, plan, &nodes, rule);
    }
    for hours in &policies.forbidden_hours {
        out.rules.push(hours_rule(hours));
    }
    for rule in &policies.approvals {
        approval(&mut out, plan, &nodes, rule);
    }
    out.and(PolicyReport::default())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn of_nodes(nodes: Option<&Selector>) -> String {
    nodes.map_or_else(String::new, |s| format!(" of nodes {s}"))
}

fn count(n: usize) -> String {
    if n == 1 { "1 node".to_owned() } else { format!("{n} nodes") }
}

fn people(n: u32) -> String {
    if n == 1 { "1 approver".to_owned() } else { format!("{n} approvers") }
}

fn consequence(otherwise: &Otherwise) -> String {
    match otherwise {
        Otherwise::Deny => "else refused".to_owned(),
        Otherwise::Approve { approvers, signers } => format!("else {} of {signers}", people(*approvers)),
    }
}

fn broken(out: &mut PolicyReport, otherwise: &Otherwise, rule: &str, nodes: Vec<String>, reason: String) {
    let rule = rule.to_owned();
    match otherwise {
        Otherwise::Deny => out.denied.push(Denial { nodes, reason, rule }),
        Otherwise::Approve { approvers, signers } => {
            out.approvals.push(NeededApproval { approvers: *approvers, nodes, reason, rule, signers: signers.clone() });
        }
    }
}

fn protect(out: &mut PolicyReport, nodes: &Nodes<'_>, selector: &Selector) {
    let rule = format!("protect {selector}: nothing of effect reboot or higher");
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in nodes.reached(Effect::Reboot, Some(selector)) {
        let effect = nodes.effects.get(name).copied().unwrap_or(Effect::None);
        let gone = !nodes.known.contains_key(name);
        let reason = match nodes.selected(Some(selector), name) {
            None => format!(
                "effect {effect} on what may be protected: its document is gone, and what `{selector}` asks is not known of it any more; put the document back, or narrow `protect`"
            ),
            _ if gone => format!("effect {effect} on what is protected, also when its document is gone"),
            _ => format!("effect {effect} on what is protected"),
        };
        by_reason.entry(reason).or_default().push(name);
    }
    for (reason, names) in by_reason {
        out.denied.push(Denial { nodes: owned(&names), reason, rule: rule.clone() });
    }
    out.rules.push(rule);
}

fn limit_rule(name: &str, limit: &NodeLimit) -> String {
    let most = limit.limit;
    format!(
        "{name} {most}{} with effect {} or higher, {}{}",
        of_nodes(limit.nodes.as_ref()),
        limit.effect,
        consequence(&limit.otherwise),
        because(&limit.reason)
    )
}

fn max_nodes(out: &mut PolicyReport, nodes: &Nodes<'_>, limit: &NodeLimit) {
    let rule = limit_rule("max_nodes", limit);
    let all = nodes.known.keys().filter(|name| nodes.selected(limit.nodes.as_ref(), name) == Some(true)).count();
    let most = limit.limit.at_least(all) as usize;
    let reached = nodes.reached(limit.effect, limit.nodes.as_ref());
    if reached.len() > most {
        let reason = format!("{} with effect {} or higher, and at most {most} are allowed in one plan", count(reached.len()), limit.effect);
        broken(out, &limit.otherwise, &rule, owned(&reached), reason);
    }
    out.rules.push(rule);
}

fn max_per_rack(out: &mut PolicyReport, plan: &Plan, nodes: &Nodes<'_>, limit: &NodeLimit) {
    let rule = limit_rule("max_per_rack", limit);
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, known) in &nodes.known {
        if let Some(rack) = known.rack.filter(|_| nodes.selected(limit.nodes.as_ref(), name) == Some(true)) {
            *all.entry(rack).or_default() += 1;
        }
    }
    let mut racks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in nodes.reached(limit.effect, limit.nodes.as_ref()) {
        let rack = nodes.known.get(name).and_then(|known| known.rack).or_else(|| plan.nodes.get(name)?.rack.as_deref());
        if let Some(rack) = rack {
            racks.entry(rack).or_default().push(name);
        }
    }
    let (mut over, mut names) = (Vec::new(), BTreeSet::new());
    for (rack, reached) in racks {
        let most = limit.limit.at_least(all.get(rack).copied().unwrap_or(0)) as usize;
        if reached.len() > most {
            over.push(format!("{} of rack {rack}, at most {most}", reached.len()));
            names.extend(reached);
        }
    }
    if !over.is_empty() {
        const SHOWN: usize = 6;
        let more = over.len().saturating_sub(SHOWN);
        over.truncate(SHOWN);
        let more = if more > 0 { format!("; {more} more racks") } else { String::new() };
        let reason = format!(
            "more nodes of one rack with effect {} or higher than are allowed in one plan: {}{more}",
            limit.effect,
            over.join("; ")
        );
        broken(out, &limit.otherwise, &rule, names.into_iter().map(str::to_owned).collect(), reason);
    }
    out.rules.push(rule);
}

fn required(out: &mut PolicyReport, plan: &Plan, nodes: &Nodes<'_>, rule: &Required) {
    let text =
        format!("required {}{}, {}{}", rule.must, of_nodes(rule.nodes.as_ref()), consequence(&rule.otherwise), because(&rule.reason));
    let missing: Vec<&str> = plan
        .nodes
        .keys()
        .map(String::as_str)
        .filter(|name| nodes.known.contains_key(name))
        .filter(|name| nodes.selected(rule.nodes.as_ref(), name) == Some(true) && nodes.selected(Some(&rule.must), name) != Some(true))
        .collect();
    if !missing.is_empty() {
        let reason = format!("{} without what the site requires: {}", count(missing.len()), rule.must);
        broken(out, &rule.otherwise, &text, owned(&missing), reason);
    }
    out.rules.push(text);
}

fn hours_rule(hours: &ForbiddenHours) -> String {
    format!("forbidden_hours {}: a warning before effect {} or higher{}", hours.shown(), hours.effect, because(&hours.reason))
}

fn approval(out: &mut PolicyReport, plan: &Plan, nodes: &Nodes<'_>, rule: &ApprovalRule) {
    let who = format!("{} of {}", people(rule.approvers), rule.signers);
    let text = format!("approval {}{} or higher: {who}{}", rule.effect, of_nodes(rule.nodes.as_ref()), because(&rule.reason));
    let reached = nodes.reached(rule.effect, rule.nodes.as_ref());
    // A resource of the site belongs to no node, so a rule about nodes is not about it.
    let changes = plan.changes.iter().filter(|c| c.node.is_none() && c.effect >= rule.effect).map(|c| c.resource.as_str());
    let actions = plan.actions.iter().filter(|a| a.node.is_none() && a.effect >= rule.effect).map(|a| a.resource.as_str());
    let site: BTreeSet<&str> = if rule.nodes.is_none() { changes.chain(actions).collect() } else { BTreeSet::new() };
    let mut parts = Vec::new();
    if !reached.is_empty() {
        parts.push(count(reached.len()));
    }
    if !site.is_empty() {
        parts.push(if site.len() == 1 { "1 site resource".to_owned() } else { format!("{} site resources", site.len()) });
    }
    if !parts.is_empty() {
        let reason = format!("{} with effect {} or higher", parts.join(" and "), rule.effect);
        out.approvals.push(NeededApproval {
            approvers: rule.approvers,
            nodes: owned(&reached),
            reason,
            rule: text.clone(),
            signers: rule.signers.clone(),
        });
    }
    out.rules.push(text);
}

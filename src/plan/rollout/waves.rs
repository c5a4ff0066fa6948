//! Who begins with whom, and after whom.

use std::collections::{BTreeMap, BTreeSet};

use super::pools::some;
use super::resolve::{Branch, Scope, selects};
use super::rules::{HEALTHY_FOR_S, PATIENCE_S};
use super::{Canaries, Rules, Share, StrategyChoice};
use crate::action::Effect;
use crate::diff::Goal;
use crate::model::{DeploymentGroup, DeploymentStrategy};
use crate::plan::{Gate, Rollout, Wave};

/// Branches of a set of nodes that begin together.
struct Part {
    name: String,
    nodes: Vec<String>,
    /// Failed nodes that it may have where another part follows.
    max_failed: u32,
}

/// The waves of a plan; none where all may begin at once.
pub(super) fn resolve(
    rules: &Rules,
    scope: &Scope<'_>,
    branches: &BTreeMap<&str, Branch<'_>>,
    warnings: &mut Vec<String>,
) -> Result<Rollout, String> {
    if !matches!(scope.goal, Goal::PrepareNodes | Goal::DeployNodes) {
        return Ok(Rollout::default());
    }
    let held = held(scope, branches);
    if held.is_empty() {
        return Ok(Rollout::default());
    }
    let mut waves = match chosen(rules, scope)? {
        Some(strategy) => of_groups(strategy, rules, scope, &held, branches, warnings),
        None => chain(split(rules, branches, &held, Some(warnings)), "", &[]),
    };
    if let [only] = waves.as_slice()
        && only.gate == Gate::default()
    {
        waves.clear();
    }
    if waves.is_empty() {
        return Ok(Rollout::default());
    }
    let healthy_for_s = rules.healthy_for_s.unwrap_or(HEALTHY_FOR_S);
    let patience_s = rules.patience_s.unwrap_or(PATIENCE_S).saturating_add(healthy_for_s);
    Ok(Rollout { healthy_for_s, patience_s, warnings: Vec::new(), waves })
}

/// Nodes that waves hold: those that are installed, interrupted or worse; the first of every rack before the second of any.
fn held<'a>(scope: &Scope<'_>, branches: &BTreeMap<&'a str, Branch<'_>>) -> Vec<&'a str> {
    let mut ranks: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    let mut held: Vec<(u32, &str)> = Vec::new();
    for (name, _) in branches.iter().filter(|(_, b)| b.effect >= Effect::Install) {
        let rack = scope.nodes.get(*name).and_then(|n| n.rack.as_deref());
        let rank = ranks.entry(rack).or_default();
        held.push((*rank, name));
        *rank += 1;
    }
    held.sort_unstable();
    held.into_iter().map(|(_, name)| name).collect()
}

/// The deployment strategy that is followed, if any.
fn chosen<'a>(rules: &Rules, scope: &Scope<'a>) -> Result<Option<&'a DeploymentStrategy>, String> {
    let site = scope.site;
    match &rules.strategy {
        StrategyChoice::Off => Ok(None),
        StrategyChoice::OfDesign => Ok(site.deployment.strategy.as_ref().and_then(|name| site.deployment.strategies.get(&name.value))),
        StrategyChoice::Named(name) => site.deployment.strategies.get(name).map(Some).ok_or_else(|| {
            let there: Vec<String> = site.deployment.strategies.keys().cloned().collect();
            let there = if there.is_empty() { "it has none".to_owned() } else { format!("it has {}", some(&there)) };
            format!(
                "`rollout.deployment_strategy` is `{name}`, and the design has no shipyard/DeploymentStrategy of that name ({there}); name another, or write `off`"
            )
        }),
    }
}

/// Canaries, then waves of growing size, of nodes in their order.
fn split(rules: &Rules, branches: &BTreeMap<&str, Branch<'_>>, nodes: &[&str], warnings: Option<&mut Vec<String>>) -> Vec<Part> {
    let mut said = Vec::new();
    let mut parts = Vec::new();
    let mut left: Vec<&str> = nodes.to_vec();
    if let Some(canaries) = &rules.canaries {
        let first: BTreeSet<&str> = match canaries {
            Canaries::Number(n) => left.iter().copied().take(*n as usize).collect(),
            Canaries::Nodes(selector) => {
                let selected = |name: &&str| branches.get(*name).is_some_and(|b| b.node.is_some_and(|n| selects(selector, n, b.stage)));
                left.iter().copied().filter(selected).collect()
            }
        };
        left.retain(|node| !first.contains(node));
        match canaries {
            Canaries::Nodes(selector) if first.is_empty() => {
                said.push(format!("`rollout.canaries` is `{selector}`, and selects none of the nodes that this plan installs or interrupts: nobody goes first"));
            }
            _ if left.is_empty() && nodes.len() > 1 => {
                said.push(format!(
                    "`rollout.canaries` selects all of the {} nodes that this plan installs or interrupts: nobody goes after them",
                    nodes.len()
                ));
            }
            _ => {}
        }
        if !first.is_empty() {
            parts.push(Part { name: "canaries".to_owned(), nodes: first.into_iter().map(str::to_owned).collect(), max_failed: 0 });
        }
    }
    let tolerated = |size: usize| rules.max_failed.unwrap_or(Share::Count(0)).at_most(size);
    let mut add = |name: String, nodes: Vec<&str>| {
        let mut nodes: Vec<String> = nodes.into_iter().map(str::to_owned).collect();
        nodes.sort_unstable();
        let max_failed = tolerated(nodes.len());
        parts.push(Part { name, nodes, max_failed });
    };
    for (n, share) in rules.waves.iter().enumerate() {
        let end = (share.at_least(nodes.len()) as usize).min(nodes.len());
        let take = end.saturating_sub(nodes.len() - left.len());
        if take == 0 {
            if !left.is_empty() || *share != Share::Percent(100) {
                said.push(format!(
                    "wave {} of `rollout.waves` ({share} of {} nodes) has no node beyond those before it",
                    n + 1,
                    nodes.len()
                ));
            }
            continue;
        }
        let rest = left.split_off(take);
        add(format!("wave {} ({share})", n + 1), std::mem::replace(&mut left, rest));
    }
    if !left.is_empty() {
        add("the rest".to_owned(), left);
    }
    if let Some(warnings) = warnings {
        warnings.append(&mut said);
    }
    parts
}

/// Parts as waves, one after the other; the first comes after `after`.
fn chain(parts: Vec<Part>, prefix: &str, after: &[u32]) -> Vec<Wave> {
    let count = parts.len();
    let mut waves: Vec<Wave> = Vec::with_capacity(count);
    for (n, part) in parts.into_iter().enumerate() {
        let gate = if n + 1 < count { Gate { max_failed: Some(part.max_failed), ..Gate::default() } } else { Gate::default() };
        let name = match (prefix, count) {
            ("", _) => part.name,
            (prefix, 1) => prefix.to_owned(),
            (prefix, _) => format!("{prefix}, {}", part.name),
        };
        // Places are those within the chain until the caller has moved them.
        let after = if n == 0 { after.to_vec() } else { vec![n as u32 - 1] };
        waves.push(Wave { after, gate, name, nodes: part.nodes });
    }
    waves
}

/// Deployment groups, each after those that it depends on.
fn of_groups(
    strategy: &DeploymentStrategy,
    rules: &Rules,
    scope: &Scope<'_>,
    held: &[&str],
    branches: &BTreeMap<&str, Branch<'_>>,
    warnings: &mut Vec<String>,
) -> Vec<Wave> {
    let mut waves: Vec<Wave> = Vec::new();
    // The waves that have to pass before what depends on a group.
    let mut ends: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for group in &strategy.groups {
        let members: BTreeSet<&str> =
            group.nodes.iter().map(String::as_str).filter(|n| scope.nodes.contains_key(*n) && !taken.contains(n)).collect();
        taken.extend(&members);
        let own: Vec<&str> = held.iter().copied().filter(|n| members.contains(n)).collect();
        let through = members.iter().filter(|n| !own.contains(n) && scope.is_through(n)).count() as u32;
        let gate = gate_of(group, members.len(), through, scope.partial);
        let mut before: Vec<u32> = group.depends_on.iter().filter_map(|g| ends.get(g.as_str())).flatten().copied().collect();
        before.sort_unstable();
        before.dedup();
        never(group, &gate, members.len(), own.len(), warnings);
        if own.is_empty() && gate.through >= gate.min_successful {
            ends.insert(&group.name.value, before);
            continue;
        }
        let first = waves.len() as u32;
        let parts = if own.is_empty() {
            vec![Part { name: String::new(), nodes: Vec::new(), max_failed: 0 }]
        } else {
            split(rules, branches, &own, None)
        };
        let mut own_waves = chain(parts, &format!("group {}", group.name), &before);
        let last = own_waves.len() - 1;
        for (n, wave) in own_waves.iter_mut().enumerate().skip(1) {
            wave.after = vec![first + n as u32 - 1];
        }
        own_waves[last].gate = Gate { over: (first..first + last as u32).collect(), ..gate };
        waves.append(&mut own_waves);
        ends.insert(&group.name.value, vec![first + last as u32]);
    }
    let without: Vec<String> = held.iter().filter(|n| !taken.contains(**n)).map(|n| (*n).to_owned()).collect();
    if !without.is_empty() {
        let (noun, verb) = if without.len() == 1 { ("is", "waits") } else { ("are", "wait") };
        warnings.push(format!(
            "{} {noun} in no group of deployment strategy {}, and {verb} for none: Shipyard would not deploy {}",
            some(&without),
            strategy.name,
            if without.len() == 1 { "it" } else { "them" }
        ));
    }
    waves
}

/// The criteria of a group as numbers.
fn gate_of(group: &DeploymentGroup, size: usize, through: u32, partial: bool) -> Gate {
    let percent = group.percent_successful.map_or(0, |p| Share::Percent(p).at_least(size));
    let minimum = group.minimum_successful.unwrap_or(0);
    // A selection has not all nodes that a minimum counts on.
    let minimum = if partial { minimum.min(size as u32) } else { minimum };
    Gate { critical: group.critical, max_failed: group.maximum_failed, min_successful: percent.max(minimum), over: Vec::new(), through }
}

fn never(group: &DeploymentGroup, gate: &Gate, size: usize, own: usize, warnings: &mut Vec<String>) {
    let (want, name) = (gate.min_successful, &group.name);
    if want as usize > size {
        warnings.push(format!(
            "deployment group {name} has {size} nodes, and {want} of them have to be through: what depends on it never begins; lower `minimum_successful_nodes`, or widen its selectors"
        ));
    } else if want > gate.through + own as u32 {
        warnings.push(format!(
            "deployment group {name} needs {want} nodes that are through; {} are, and this plan brings {own} there: what depends on it never begins until its other nodes can be planned",
            gate.through
        ));
    }
}

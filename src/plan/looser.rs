//! Limits and waves of one plan that are looser than those of another.

use std::collections::{BTreeMap, BTreeSet};

use super::{Limits, Plan, Pool, Rollout};
use crate::action::ActionKind;

/// What limits and waves of `live` permit beyond those of `approved`, as ends of a sentence about the plan.
pub(super) fn looser(approved: &Plan, live: &Plan) -> Vec<String> {
    let branches: BTreeSet<&str> = live.actions.iter().filter_map(|a| a.node.as_deref()).collect();
    let mut out = numbers(&approved.limits, live);
    out.extend(approved.limits.pools.iter().filter_map(|p| pool(p, &live.limits, &branches)));
    out.extend(waves(&approved.rollout, &live.rollout, &branches));
    out
}

/// A limit that is higher, or absent.
fn number(name: &str, approved: u32, live: Option<u32>) -> Option<String> {
    match live {
        None => Some(format!("has no limit {name}, reviewed is {approved}")),
        Some(live) if live > approved => Some(format!("has limit {name} {live}, reviewed is {approved}")),
        Some(_) => None,
    }
}

fn numbers(a: &Limits, live: &Plan) -> Vec<String> {
    let l = &live.limits;
    let mut out: Vec<Option<String>> = [
        ("nodes_in_flight", a.nodes_in_flight, l.nodes_in_flight),
        ("parallelism", a.parallelism, l.parallelism),
        ("requests_per_bmc", a.requests_per_bmc, l.requests_per_bmc),
        ("power_ups_per_rack", a.power_ups_per_rack, l.power_ups_per_rack),
        ("unavailable_per_rack", a.unavailable_per_rack, l.unavailable_per_rack),
        ("max_failures", a.max_failures, l.max_failures),
    ]
    .into_iter()
    .map(|(name, approved, live)| number(name, approved, Some(live)))
    .collect();
    // A kind or driver that is not in the plan needs no limit.
    let kinds: BTreeSet<ActionKind> = live.actions.iter().map(|action| action.kind).collect();
    for (name, approved, live) in [("calls", &a.calls, &l.calls), ("per_rack", &a.per_rack, &l.per_rack)] {
        out.extend(
            approved.iter().filter(|(k, _)| kinds.contains(k)).map(|(k, n)| number(&format!("{name}.{k}"), *n, live.get(k).copied())),
        );
    }
    let drivers: BTreeSet<&str> = live.actions.iter().map(|action| action.driver.as_str()).collect();
    let of_drivers = a.requests.iter().filter(|(driver, _)| drivers.contains(driver.as_str()));
    out.extend(of_drivers.map(|(driver, n)| number(&format!("requests.{driver}"), *n, l.requests.get(driver).copied())));
    out.into_iter().flatten().collect()
}

fn pool(pool: &Pool, live: &Limits, branches: &BTreeSet<&str>) -> Option<String> {
    let name = format!("on {} of {}", pool.counts.name(), pool.of);
    let members: Vec<&String> = pool.nodes.iter().filter(|n| branches.contains(n.as_str())).collect();
    // So few that they cannot be too many at once.
    if members.len() <= pool.limit as usize {
        return None;
    }
    let Some(live) = live.pools.iter().find(|p| p.counts == pool.counts && p.of == pool.of) else {
        return number(&name, pool.limit, None);
    };
    let outside =
        || members.iter().find(|n| !live.nodes.contains(n)).map(|n| format!("has a limit {name} that leaves out {n}, reviewed has it in"));
    number(&name, pool.limit, Some(live.limit)).or_else(outside)
}

/// Nodes that begin before others that they waited for, and gates that let more through.
fn waves(approved: &Rollout, live: &Rollout, branches: &BTreeSet<&str>) -> Vec<String> {
    let mut out = Vec::new();
    let place = |rollout: &Rollout| {
        let of = rollout.waves.iter().enumerate();
        of.flat_map(|(w, wave)| wave.nodes.iter().map(move |n| (n.clone(), w as u32))).collect::<BTreeMap<String, u32>>()
    };
    let (was, is) = (place(approved), place(live));
    let (before_was, before_is) = (approved.before(), live.before());
    // Nodes that stand in the same wave in both plans are alike: one of each kind is enough to compare.
    let mut kinds: BTreeMap<(u32, Option<u32>), &str> = BTreeMap::new();
    for (node, wave) in was.iter().filter(|(n, _)| branches.contains(n.as_str())) {
        kinds.entry((*wave, is.get(node).copied())).or_insert(node);
    }
    let mut pairs = BTreeSet::new();
    for ((later_was, later_is), later) in &kinds {
        for ((first_was, first_is), first) in &kinds {
            let waited = before_was[*later_was as usize].contains(first_was);
            let waits = later_is.zip(*first_is).is_some_and(|(later, first)| before_is[later as usize].contains(&first));
            if waited && !waits && pairs.insert((*later_was, *first_was)) {
                let name = |w: u32| approved.waves[w as usize].name.as_str();
                out.push(format!(
                    "does not let {later} ({}) wait for {first} ({}), and the reviewed plan does",
                    name(*later_was),
                    name(*first_was)
                ));
            }
        }
    }
    if !out.is_empty() || live.waves.is_empty() {
        return out;
    }
    if live.healthy_for_s < approved.healthy_for_s {
        out.push(format!("watches waves for {} s, reviewed is {} s", live.healthy_for_s, approved.healthy_for_s));
    }
    for wave in &approved.waves {
        let Some(now) = live.waves.iter().find(|w| w.name == wave.name) else { continue };
        let (a, l) = (&wave.gate, &now.gate);
        let more = a.max_failed.is_some_and(|approved| l.max_failed.is_none_or(|live| live > approved));
        // Those that are through already need not be brought there any more.
        let fewer =
            l.min_successful.saturating_sub(l.through) < a.min_successful.saturating_sub(a.through) && l.min_successful < a.min_successful;
        if more || fewer || (a.critical && !l.critical) {
            out.push(format!("lets {} be through with less than reviewed", wave.name));
        }
    }
    out
}

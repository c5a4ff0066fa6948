//! Limits and waves of a plan, in words that every format shares.

use super::names;
use super::plan_text::count;
use super::time::took_roughly;
use crate::plan::{Counts, Plan, Pool, Wave};

/// The limits, one piece for each.
pub(super) fn limits(plan: &Plan) -> Vec<String> {
    let l = &plan.limits;
    let mut pieces = vec![format!("{} in flight", count(l.nodes_in_flight as usize, "node")), count(l.parallelism as usize, "call")];
    pieces.extend(l.calls.iter().map(|(kind, n)| format!("{} for {kind}", count(*n as usize, "call"))));
    pieces.push(format!("{} and {} unavailable per rack", count(l.power_ups_per_rack as usize, "power-up"), l.unavailable_per_rack));
    pieces.extend(l.per_rack.iter().map(|(kind, n)| format!("{n} {kind} per rack")));
    pieces.extend(l.pools.iter().map(pool));
    pieces.extend(l.requests.iter().map(|(driver, n)| format!("{} to {driver}", count(*n as usize, "request"))));
    if !l.requests.is_empty() {
        pieces.push(format!("{} to one BMC", l.requests_per_bmc));
    }
    pieces.push(format!("stops after {}", count(l.max_failures as usize, "failed node")));
    pieces
}

fn pool(pool: &Pool) -> String {
    match pool.counts {
        Counts::Unavailable => format!("{} unavailable of {}", pool.limit, pool.of),
        Counts::Deployments => format!("{} at once over {}", count(pool.limit as usize, "deployment"), pool.of),
    }
}

/// What waves have in common: how long they are watched.
pub(super) fn note(plan: &Plan) -> String {
    let rollout = &plan.rollout;
    let waited_for = (0..rollout.waves.len()).any(|w| rollout.is_waited_for(w));
    match rollout.healthy_for_s {
        0 => String::new(),
        _ if !waited_for => String::new(),
        s => format!("before others begin, the nodes of a wave are healthy for {}", took_roughly(u64::from(s) * 1000)),
    }
}

/// Pieces of a folded list of nodes.
const FOLDED: usize = 8;

/// The nodes of a wave, folded.
pub(super) fn nodes(wave: &Wave) -> Vec<String> {
    let mut pieces = names::pieces(wave.nodes.iter().map(String::as_str), "..", FOLDED);
    if pieces.is_empty() {
        pieces.push("no node of this plan".to_owned());
    }
    pieces
}

/// After which waves it begins.
pub(super) fn after(plan: &Plan, wave: &Wave) -> String {
    let names: Vec<&str> = wave.after.iter().filter_map(|w| plan.rollout.waves.get(*w as usize)).map(|w| w.name.as_str()).collect();
    if names.is_empty() { "at once".to_owned() } else { format!("after {}", names.join(" and ")) }
}

/// What it needs to be through; empty where nothing does.
pub(super) fn gate(wave: &Wave) -> String {
    let gate = &wave.gate;
    let mut needs = Vec::new();
    match gate.max_failed {
        Some(0) => needs.push("no node may fail".to_owned()),
        Some(n) => needs.push(format!("{} may fail", count(n as usize, "node"))),
        None => {}
    }
    if gate.min_successful > 0 {
        let through = if gate.through > 0 { format!(" ({} already)", gate.through) } else { String::new() };
        needs.push(format!("{} must be through{through}", count(gate.min_successful as usize, "node")));
    }
    if gate.critical && !needs.is_empty() {
        needs.push("else the run is a failure".to_owned());
    }
    needs.join(", ")
}

/// Waves that are shown; a plan may have one for each of many groups.
pub(super) const SHOWN: usize = 30;

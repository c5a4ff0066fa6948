//! A plan carried out in virtual time: how long it would take, what its limits cost, and what a failure would stop.
//!
//! The scheduler is the one that runs plans; only the site is missing. An action's duration is what it waits at the site; the calls themselves take no time, so
//! the limit on calls in flight is never reached here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::action::ActionKind;
use crate::plan::Plan;

use super::{DagError, Grant, RunState, Scheduler};

/// When an action would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its place in the plan.
    pub action: u32,
    /// Milliseconds from the start of the run.
    pub start_ms: u64,
    /// The same, of its end.
    pub end_ms: u64,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// The most at one time.
    pub peak: u32,
    /// Milliseconds at which it was used up: something more may have had to wait.
    pub full_ms: u64,
    /// Sum of use over time, in milliseconds.
    pub sum_ms: u64,
}

impl Use {
    fn add(&mut self, now: u32, full: bool, span_ms: u64) {
        self.peak = self.peak.max(now);
        self.full_ms += if full { span_ms } else { 0 };
        self.sum_ms += u64::from(now) * span_ms;
    }
}

/// What a rehearsal shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// What ran, by start.
    pub spans: Vec<Span>,
    /// Milliseconds from the first start to the last end.
    pub makespan_ms: u64,
    /// Milliseconds of the longest chain of actions that wait for each other: no limit lets a run be shorter.
    pub critical_ms: u64,
    /// The actions of one such chain.
    pub critical: Vec<u32>,
    /// Nodes in flight.
    pub nodes: Use,
    /// Power-ups of all racks; full while a rack can have no more.
    pub power_ups: Use,
    /// Nodes that are unavailable, of all racks; full while a rack can have no more.
    pub unavailable: Use,
    /// Actions that were told to fail, and did.
    pub failed: Vec<u32>,
    /// Actions that wait for one that failed.
    pub blocked: Vec<u32>,
    /// Actions that were not started, since too many nodes had failed.
    pub not_started: Vec<u32>,
}

/// Carries the plan out in virtual time. `lengths_ms` are durations of the actions in plan order; those in `fail` fail when their time is over.
///
/// # Errors
/// When the plan's actions are no graph: only an edited plan is like that.
pub fn rehearse(plan: &Plan, lengths_ms: &[u64], fail: &BTreeSet<u32>) -> Result<Rehearsal, DagError> {
    let state = RunState::new(&plan.actions)?;
    let dag = std::sync::Arc::clone(state.dag());
    let mut scheduler = Scheduler::new(plan, &state, lengths_ms);
    let mut out = Rehearsal::default();
    (out.critical_ms, out.critical) = critical(&dag, lengths_ms);
    let mut ends: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
    let mut now = 0;
    let mut reached = vec![false; plan.actions.len()];
    loop {
        while let Some(grant) = scheduler.start_next() {
            let (Grant::Start(i) | Grant::Continue(i)) = grant;
            scheduler.park(i);
            let end = now + lengths_ms.get(i as usize).copied().unwrap_or(0);
            reached[i as usize] = true;
            out.spans.push(Span { action: i, start_ms: now, end_ms: end });
            ends.push(Reverse((end, i)));
        }
        let Some(&Reverse((next, _))) = ends.peek() else { break };
        let usage = scheduler.usage();
        out.nodes.add(usage.nodes, usage.nodes >= plan.limits.nodes_in_flight.max(1), next - now);
        out.power_ups.add(usage.power_ups, usage.power_up_limit_reached, next - now);
        out.unavailable.add(usage.unavailable, usage.unavailable_limit_reached, next - now);
        now = next;
        while let Some(&Reverse((at, i))) = ends.peek()
            && at == now
        {
            ends.pop();
            if fail.contains(&i) {
                scheduler.failed(i);
                out.failed.push(i);
            } else {
                scheduler.done(i);
            }
        }
    }
    out.makespan_ms = now;
    let mut stopped: BTreeSet<u32> = out.failed.iter().copied().collect();
    for &i in dag.order() {
        if dag.predecessors(i).any(|before| stopped.contains(&before)) {
            stopped.insert(i);
            out.blocked.push(i);
        }
    }
    out.blocked.sort_unstable();
    out.not_started = (0..plan.actions.len() as u32).filter(|i| !reached[*i as usize] && !stopped.contains(i)).collect();
    Ok(out)
}

/// Length and members of a longest chain.
fn critical(dag: &super::Dag, lengths_ms: &[u64]) -> (u64, Vec<u32>) {
    let remaining = dag.longest_remaining(lengths_ms);
    let longest = |candidates: &mut dyn Iterator<Item = u32>| candidates.max_by_key(|i| (remaining[*i as usize], Reverse(*i)));
    let mut chain = Vec::new();
    let mut at = longest(&mut (0..dag.len() as u32).filter(|i| dag.predecessors(*i).next().is_none()));
    while let Some(i) = at {
        chain.push(i);
        at = longest(&mut dag.successors(i));
    }
    (chain.first().map_or(0, |first| remaining[*first as usize]), chain)
}

/// How long an action of a kind is taken to last where nothing was measured: a third of its time limit; a few seconds for those that only read.
pub fn guessed_ms(kind: ActionKind) -> u64 {
    match kind {
        ActionKind::VerifySite | ActionKind::InterrogateNode => 5_000,
        _ => u64::from(kind.default_timeout_minutes()) * 20_000,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Rehearsal, rehearse};
    use crate::action::{Action, ActionKind, Effect};
    use crate::plan::Plan;
    use crate::plan::testing::{action, plan};

    fn branch(node: &str, kinds: &[ActionKind], effect: Effect) -> Vec<Action> {
        let mut out: Vec<Action> = Vec::new();
        for (n, kind) in kinds.iter().enumerate() {
            let before = out.last().map(|a| a.id.clone());
            let mut one = action(&format!("{node}:{n}"), *kind, Some(node), &before.iter().map(String::as_str).collect::<Vec<_>>());
            one.effect = effect;
            out.push(one);
        }
        out
    }

    fn fleet(racks: usize, nodes: usize) -> Plan {
        let kinds = [ActionKind::ApplyNodeStorage, ActionKind::DeployNode, ActionKind::SetNodeBoot];
        let names = (0..racks).flat_map(|r| (0..nodes).map(move |n| format!("r{r}-n{n}")));
        plan(names.flat_map(|name| branch(&name, &kinds, Effect::Redeploy)).collect())
    }

    fn lengths(plan: &Plan) -> Vec<u64> {
        plan.actions.iter().map(|a| if a.kind == ActionKind::DeployNode { 100 } else { 10 }).collect()
    }

    fn run(plan: &Plan, fail: &[u32]) -> Rehearsal {
        rehearse(plan, &lengths(plan), &fail.iter().copied().collect()).unwrap()
    }

    #[test]
    fn without_limits_it_takes_as_long_as_the_longest_branch() {
        let shown = run(&fleet(3, 4), &[]);
        assert_eq!((shown.makespan_ms, shown.critical_ms, shown.critical.len()), (120, 120, 3));
        assert_eq!((shown.spans.len(), shown.nodes.peak, shown.unavailable.peak), (36, 12, 12));
        assert_eq!(shown.nodes.full_ms, 0);
    }

    #[test]
    fn a_limit_per_rack_costs_what_it_costs() {
        let mut plan = fleet(3, 4);
        plan.limits.unavailable_per_rack = 1;
        let shown = run(&plan, &[]);
        assert_eq!(shown.makespan_ms, 480);
        assert_eq!((shown.unavailable.peak, shown.unavailable.full_ms), (3, 480));
        plan.limits.nodes_in_flight = 2;
        let shown = run(&plan, &[]);
        assert_eq!((shown.makespan_ms, shown.nodes.peak), (720, 2));
    }

    #[test]
    fn a_failure_stops_its_branch_and_too_many_stop_the_rest() {
        let plan = fleet(1, 4);
        let shown = run(&plan, &[1]);
        assert_eq!((shown.failed.as_slice(), shown.blocked.as_slice(), shown.not_started.len()), ([1].as_slice(), [2].as_slice(), 0));
        let mut plan = fleet(1, 4);
        plan.limits.unavailable_per_rack = 1;
        plan.limits.max_failures = 1;
        let shown = run(&plan, &[1]);
        assert_eq!(shown.not_started.len(), 9, "{shown:?}");
    }

    proptest! {
        #[test]
        fn actions_keep_their_order_and_the_makespan_its_bound(
            racks in 1usize..4, nodes in 1usize..6, in_flight in 1u32..8, unavailable in 1u32..4, power in 1u32..4, fail in prop::collection::btree_set(0u32..60, 0..4),
        ) {
            let mut plan = fleet(racks, nodes);
            (plan.limits.nodes_in_flight, plan.limits.unavailable_per_rack, plan.limits.power_ups_per_rack) = (in_flight, unavailable, power);
            let all: BTreeSet<u32> = fail.into_iter().filter(|i| (*i as usize) < plan.actions.len()).collect();
            let shown = rehearse(&plan, &lengths(&plan), &all).unwrap();
            prop_assert!(shown.nodes.peak <= in_flight && shown.power_ups.peak <= power * racks as u32);
            prop_assert_eq!(shown.spans.len() + shown.blocked.len() + shown.not_started.len(), plan.actions.len());
            let end = |i: u32| shown.spans.iter().find(|s| s.action == i).map(|s| s.end_ms);
            for span in &shown.spans {
                for before in &plan.actions[span.action as usize].after {
                    let before = plan.actions.iter().position(|a| a.id == *before).unwrap() as u32;
                    prop_assert!(end(before).is_some_and(|at| at <= span.start_ms));
                }
            }
            if all.is_empty() {
                let work: u64 = lengths(&plan).iter().sum();
                prop_assert!(shown.makespan_ms >= shown.critical_ms && shown.makespan_ms <= work);
            }
        }
    }
}

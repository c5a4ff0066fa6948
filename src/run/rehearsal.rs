//! A plan carried out in virtual time: how long it would take, what its limits cost, and what a failure would stop.
//!
//! The scheduler is the one that runs plans; only the site is missing. An action's duration is what it waits at the site; the calls themselves take no time, so
//! the limit on calls in flight is never reached here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::action::{Action, ActionKind};
use crate::plan::Plan;

use super::limited::CALLS;
use super::{DagError, Gate, Grant, RunState, Scheduler};

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

/// A limit, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUse {
    /// What is limited: `nodes in flight`, `power-ups`, `deployments of network pxe`.
    pub what: String,
    /// At most so many at once.
    pub limit: u32,
    /// `rack` where the limit is for each rack, else empty.
    pub per: &'static str,
    /// Use of it, of all racks; full while one rack can have no more.
    pub used: Use,
}

/// When a wave is through, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSpan {
    /// Place of the wave in the plan.
    pub wave: u32,
    /// When the first of its branches starts, in milliseconds from the start of the run; `None` if none does.
    pub start_ms: Option<u64>,
    /// When the last of its branches has ended.
    pub ended_ms: u64,
    /// When what waits for it may begin; `None` if it never may.
    pub passed_ms: Option<u64>,
    /// Why it is not through; empty if it is.
    pub why: String,
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
    /// The limits, in the order in which plans name them. Calls take no time here, so limits on them are left out.
    pub limits: Vec<LimitUse>,
    /// Waves whose branches have ended, in that order.
    pub gates: Vec<GateSpan>,
    /// Actions that were told to fail, and did.
    pub failed: Vec<u32>,
    /// Actions that wait for one that failed.
    pub blocked: Vec<u32>,
    /// Actions that were not started: too many nodes had failed, a wave before theirs was not through, or a limit is 0.
    pub not_started: Vec<u32>,
}

impl Rehearsal {
    /// The use of a limit by its name; nothing where the plan has no such limit.
    pub fn used(&self, what: &str) -> Use {
        self.limits.iter().find(|l| l.what == what).map(|l| l.used).unwrap_or_default()
    }
}

/// What comes next in virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Ends(u32),
    Passes(u32),
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
    let limit = |u: super::Usage<'_>| LimitUse { what: u.what.to_owned(), limit: u.limit, per: u.per, used: Use::default() };
    out.limits = scheduler.usage().map(limit).collect();
    let mut ahead: BinaryHeap<Reverse<(u64, Next)>> = BinaryHeap::new();
    let mut now = 0;
    let mut reached = vec![false; plan.actions.len()];
    loop {
        while let Some(gate) = scheduler.next_gate() {
            let mut span = GateSpan { wave: 0, start_ms: None, ended_ms: now, passed_ms: None, why: String::new() };
            match gate {
                Gate::Pass(wave) => {
                    (span.wave, span.passed_ms) = (wave, Some(now));
                    scheduler.pass(wave);
                }
                Gate::Watch(wave) => {
                    let at = now + u64::from(plan.rollout.healthy_for_s) * 1000;
                    (span.wave, span.passed_ms) = (wave, Some(at));
                    ahead.push(Reverse((at, Next::Passes(wave))));
                }
                Gate::Fail(wave, why) => {
                    (span.wave, span.why) = (wave, why);
                    scheduler.fail(wave);
                }
            }
            out.gates.push(span);
        }
        while let Some(grant) = scheduler.start_next() {
            let (Grant::Start(i) | Grant::Continue(i)) = grant;
            scheduler.park(i);
            let end = now + lengths_ms.get(i as usize).copied().unwrap_or(0);
            reached[i as usize] = true;
            out.spans.push(Span { action: i, start_ms: now, end_ms: end });
            ahead.push(Reverse((end, Next::Ends(i))));
        }
        let Some(&Reverse((next, _))) = ahead.peek() else { break };
        for (usage, limit) in scheduler.usage().zip(&mut out.limits) {
            limit.used.add(usage.used, usage.full, next - now);
        }
        now = next;
        while let Some(&Reverse((at, what))) = ahead.peek()
            && at == now
        {
            ahead.pop();
            match what {
                Next::Passes(wave) => scheduler.pass(wave),
                Next::Ends(i) if fail.contains(&i) => {
                    scheduler.failed(i);
                    out.failed.push(i);
                }
                Next::Ends(i) => scheduler.done(i),
            }
        }
    }
    out.makespan_ms = now;
    out.limits.retain(|l| l.per != CALLS);
    out.starts_of_waves(plan);
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

impl Rehearsal {
    fn starts_of_waves(&mut self, plan: &Plan) {
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for span in &self.spans {
            if let Some(node) = plan.actions[span.action as usize].node.as_deref() {
                first.entry(node).and_modify(|at| *at = (*at).min(span.start_ms)).or_insert(span.start_ms);
            }
        }
        for gate in &mut self.gates {
            let nodes = plan.rollout.waves.get(gate.wave as usize).map(|w| w.nodes.as_slice()).unwrap_or_default();
            gate.start_ms = nodes.iter().filter_map(|n| first.get(n.as_str())).min().copied();
        }
    }
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

/// Milliseconds that an action of a plan took on machines of the same hardware profile, else on all; `mean` knows what was measured under a name.
pub fn measured_ms(plan: &Plan, action: &Action, mean: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let hardware = action.node.as_ref().and_then(|n| plan.nodes.get(n)?.hardware.as_deref());
    let like = hardware.and_then(|hardware| mean(&action.kind.duration_key(Some(hardware))));
    like.or_else(|| mean(action.kind.name()))
}

/// How long an action of a kind is taken to last where nothing was measured: a third of its time limit; a few seconds for those that only read.
pub fn guessed_ms(kind: ActionKind) -> u64 {
    match kind {
        ActionKind::VerifySite | ActionKind::InterrogateNode => 5_000,
        _ => u64::from(kind.default_timeout_minutes()) * 20_000,
    }
}

#[cfg(test)]
#[path = "rehearsal_tests.rs"]
mod tests;

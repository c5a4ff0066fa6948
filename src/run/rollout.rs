//! Waves: which branches may begin, and when the next ones may.
//!
//! A wave ends when nothing of its branches is left to do. Then its nodes are counted, and watched for as long as the plan says if another wave waits for it. That
//! it passed, or did not, is an event of the journal, so a resumed run stands at the same gate.

use std::collections::{BTreeSet, VecDeque};

use crate::plan::{Gate, Rollout};

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Branches are left.
    Running,
    /// All its branches have ended.
    Ended,
    Passed,
    Failed,
}

#[derive(Debug, Clone)]
struct Wave {
    /// Branches that are left.
    left: u32,
    successful: u32,
    failed: u32,
    phase: Phase,
    /// Waves that have to pass before it and have not.
    waits_for: u32,
    /// Waves that wait for it.
    next: Vec<u32>,
    gate: Gate,
}

/// The waves of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Waves {
    waves: Vec<Wave>,
    ended: VecDeque<u32>,
}

impl Waves {
    /// The waves of a plan, none of which has begun.
    pub(super) fn new(rollout: &Rollout) -> Self {
        let count = rollout.waves.len();
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); count];
        for (w, wave) in rollout.waves.iter().enumerate() {
            for before in wave.after.iter().filter(|b| (**b as usize) < w) {
                next[*before as usize].push(w as u32);
            }
        }
        let waves = rollout.waves.iter().zip(next).enumerate().map(|(w, (wave, next))| Wave {
            left: 0,
            successful: 0,
            failed: 0,
            phase: Phase::Running,
            waits_for: wave.after.iter().filter(|b| (**b as usize) < w).count() as u32,
            next,
            gate: wave.gate.clone(),
        });
        Self { waves: waves.collect(), ended: VecDeque::new() }
    }

    /// A branch of the wave is there, and ends later.
    pub(super) fn enter(&mut self, wave: u32) {
        self.waves[wave as usize].left += 1;
    }

    /// All branches have entered: waves whose branches have ended already, in a former process or for want of any, are at their gates.
    pub(super) fn begin(&mut self) {
        for w in 0..self.waves.len() as u32 {
            self.end_if_over(w);
        }
    }

    /// A branch of the wave has ended.
    pub(super) fn leave(&mut self, wave: u32, failed: bool) {
        let w = &mut self.waves[wave as usize];
        w.left -= 1;
        w.failed += u32::from(failed);
        w.successful += u32::from(!failed);
        self.end_if_over(wave);
    }

    /// A branch that had ended before.
    pub(super) fn count(&mut self, wave: u32) {
        self.waves[wave as usize].successful += 1;
    }

    fn end_if_over(&mut self, wave: u32) {
        let w = &mut self.waves[wave as usize];
        // Also of a wave without branches only when it is its turn: its nodes count for others.
        if w.left == 0 && w.phase == Phase::Running && w.waits_for == 0 {
            w.phase = Phase::Ended;
            self.ended.push_back(wave);
        }
    }

    /// A wave whose branches have ended and whose gate nobody looks at yet.
    pub(super) fn next_ended(&mut self) -> Option<u32> {
        self.ended.pop_front()
    }

    /// Whether its branches may begin.
    pub(super) fn is_open(&self, wave: u32) -> bool {
        self.waves[wave as usize].waits_for == 0
    }

    /// Why the nodes of an ended wave are too few for its gate, if they are.
    pub(super) fn shortfall(&self, wave: u32) -> Option<String> {
        let w = &self.waves[wave as usize];
        let all = || w.gate.over.iter().filter_map(|o| self.waves.get(*o as usize)).chain([w]);
        let failed: u32 = all().map(|w| w.failed).sum();
        let successful = w.gate.through + all().map(|w| w.successful).sum::<u32>();
        if let Some(most) = w.gate.max_failed.filter(|most| failed > *most) {
            let what = if failed == 1 { "1 node" } else { &format!("{failed} nodes") };
            return Some(format!("{what} of it failed, and at most {most} may"));
        }
        (successful < w.gate.min_successful)
            .then(|| format!("{successful} of its nodes are through, and {} have to be", w.gate.min_successful))
    }

    /// Whether other waves wait for it.
    pub(super) fn is_waited_for(&self, wave: u32) -> bool {
        !self.waves[wave as usize].next.is_empty()
    }

    /// The gate opens; returns the waves that may begin now.
    pub(super) fn pass(&mut self, wave: u32) -> Vec<u32> {
        let w = &mut self.waves[wave as usize];
        if w.phase == Phase::Passed {
            return Vec::new();
        }
        w.phase = Phase::Passed;
        let next = w.next.clone();
        self.ended.retain(|ended| *ended != wave);
        let mut open = Vec::new();
        for next in next {
            self.waves[next as usize].waits_for -= 1;
            if self.waves[next as usize].waits_for == 0 {
                open.push(next);
                self.end_if_over(next);
            }
        }
        open
    }

    /// The gate stays closed.
    pub(super) fn fail(&mut self, wave: u32) {
        self.waves[wave as usize].phase = Phase::Failed;
    }

    /// Waves that stay closed because this one did not pass.
    pub(super) fn behind(&self, wave: u32) -> Vec<u32> {
        let mut behind = BTreeSet::new();
        let mut stack = self.waves[wave as usize].next.clone();
        while let Some(w) = stack.pop() {
            if behind.insert(w) {
                stack.extend(&self.waves[w as usize].next);
            }
        }
        behind.into_iter().collect()
    }
}

//! What waits at the site: polls, progress, effects that got lost, time limits.

use std::collections::BTreeMap;

use crate::action::{ActionKind, ErrorClass, Precondition, RetryClass};
use crate::driver::{Call, DriverError, Observation};
use crate::run::{AttemptOutcome, EventKind, Severity};
use crate::store::utc;

use super::{Dispatcher, Phase};
use crate::apply::EngineError;
use crate::apply::context::wall_ms;
use crate::apply::executor::{has_purpose, inconclusive};
use crate::apply::poll::{Question, Seen};

/// After how long of waiting it is looked for the first time whether an action has served its purpose, and at most between two looks.
const LOOK_MS: (u64, u64) = (500, 30_000);

/// Polls that must show nothing before an effect is taken for lost.
const MISSING_POLLS: u32 = 5;

impl Dispatcher {
    pub(super) fn wait(&mut self, index: u32, reason: String, call: Box<Call>) {
        let now = self.cx.now();
        let live = &mut self.live[index as usize];
        (live.missing, live.missing_since, live.unknown, live.unheard, live.progress) = (0, None, None, None, now);
        live.look = Some((now + LOOK_MS.0, LOOK_MS.0));
        let (action, attempt) = (self.action(index).id.clone(), self.live[index as usize].attempt);
        self.poll(index, call);
        self.record(EventKind::AttemptWaiting { action, attempt, reason }, Vec::new());
    }

    /// From now on polls look at an action.
    pub(super) fn poll(&mut self, index: u32, call: Box<Call>) {
        let now = self.cx.now();
        let name = self.action(index).driver.clone();
        let Some(driver) = self.cx.drivers.get(&name) else {
            // The executor has just used it.
            return self.fail(EngineError::Internal(format!("driver {name} is gone")));
        };
        self.scheduler.park(index);
        self.pollers.add(&name, driver, index, now);
        let live = &mut self.live[index as usize];
        live.phase = Phase::Waiting(call);
        if let Some((_, deadline)) = live.since {
            self.deadlines.insert((deadline, index));
        }
    }

    /// What polls look for may have come and gone between two of them: a machine that was switched on, enlisted and switched off again.
    fn look(&mut self, index: u32, now: u64) {
        let live = &mut self.live[index as usize];
        let Some((at, gap)) = live.look.filter(|(at, _)| *at <= now) else { return };
        if !has_purpose(&self.cx.plan.actions[index as usize]) {
            return;
        }
        live.look = Some((at.max(now) + gap * 2, (gap * 2).min(LOOK_MS.1)));
        if let Some(call) = self.end_wait(index) {
            self.live[index as usize].phase = Phase::Looking(call);
            self.scheduler.wake(index);
        }
    }

    fn end_wait(&mut self, index: u32) -> Option<Box<Call>> {
        let Phase::Waiting(call) = std::mem::replace(&mut self.live[index as usize].phase, Phase::Idle) else { return None };
        let name = self.action(index).driver.clone();
        self.pollers.remove(&name, index);
        if let Some((_, deadline)) = self.live[index as usize].since {
            self.deadlines.remove(&(deadline, index));
        }
        Some(call)
    }

    /// A poll has looked at a waiter.
    pub(super) fn seen(&mut self, seen: Seen) {
        let index = seen.index;
        let now = self.cx.now();
        let live = &mut self.live[index as usize];
        if !matches!(live.phase, Phase::Waiting(_)) || live.attempt != seen.attempt {
            return;
        }
        let action = self.cx.plan.actions[index as usize].id.clone();
        match seen.observation {
            Ok(observation) => {
                if let Some((since, _)) = live.unheard.take() {
                    let silent = now.saturating_sub(since);
                    live.progress += silent;
                    let text = format!("the site answers again, after {} s", silent.div_ceil(1000));
                    self.record(EventKind::Message { severity: Severity::Info, action: Some(action.clone()), text }, Vec::new());
                }
                let live = &mut self.live[index as usize];
                if !matches!(observation, Observation::NotStarted) {
                    (live.missing, live.missing_since) = (0, None);
                }
                live.unknown = None;
                match observation {
                    Observation::Done { outputs } => self.seen_done(index, outputs),
                    Observation::InProgress { detail } => {
                        if self.state.task(index as usize).detail != detail {
                            self.live[index as usize].progress = now;
                            self.record(EventKind::AttemptProgress { action, detail }, Vec::new());
                        } else if self.is_stuck(index, now) {
                            return;
                        }
                        self.look(index, now);
                    }
                    Observation::NotStarted => self.seen_nothing(index, now),
                    Observation::Failed(error) => {
                        self.end_wait(index);
                        self.failed(index, error);
                    }
                    Observation::Unknown(why) => live.unknown = Some(why),
                }
            }
            // A dropped connection says nothing about the machine.
            Err(error) if error.class.is_retryable() || error.class == ErrorClass::Timeout => {
                let first = live.unheard.is_none();
                live.unheard.get_or_insert((now, String::new())).1 = error.to_string();
                if first {
                    let text = format!("cannot see how it goes on, still waiting: {error}");
                    self.record(EventKind::Message { severity: Severity::Warning, action: Some(action), text }, Vec::new());
                }
            }
            Err(error) => {
                self.end_wait(index);
                self.failed(index, error);
            }
        }
    }

    /// Gives an action up that has shown nothing new for too long; whether it did.
    fn is_stuck(&mut self, index: u32, now: u64) -> bool {
        let action = &self.cx.plan.actions[index as usize];
        let Some(limit_s) = self.cx.plan.failures.no_progress_s.get(&action.kind).copied() else { return false };
        if now.saturating_sub(self.live[index as usize].progress) < u64::from(limit_s) * 1000 {
            return false;
        }
        let detail = &self.state.task(index as usize).detail;
        let message = format!("{} of {} has shown no progress for {limit_s} s: {detail}", action.kind, action.resource);
        let error = DriverError::new(ErrorClass::Timeout, message).hint(
            "it may still go on at the site: `drydock resume` observes it first; a longer limit is set under `timeouts.no_progress` in drydock.yaml",
        );
        self.end_wait(index);
        self.failed(index, error);
        true
    }

    fn seen_done(&mut self, index: u32, outputs: BTreeMap<String, String>) {
        self.end_wait(index);
        if self.action(index).kind == ActionKind::InterrogateNode {
            // Its data are still to be read: by an executor, with a slot.
            self.live[index as usize].phase = Phase::Backoff;
            self.scheduler.wake(index);
            return;
        }
        let outcome = if self.state.task(index as usize).begun {
            AttemptOutcome::Done
        } else {
            AttemptOutcome::AlreadyDone { evidence: String::new() }
        };
        self.done(index, outcome, outputs, BTreeMap::new());
    }

    fn seen_nothing(&mut self, index: u32, now: u64) {
        if !self.state.task(index as usize).begun {
            // What it waited for is there, and its own effect is still to come: by an executor, with a slot.
            self.end_wait(index);
            self.live[index as usize].phase = Phase::Backoff;
            self.scheduler.wake(index);
            return;
        }
        let repeatable = self.action(index).retry == RetryClass::Repeatable;
        let live = &mut self.live[index as usize];
        let since = *live.missing_since.get_or_insert(now);
        live.missing += 1;
        if repeatable && live.missing >= MISSING_POLLS && now - since >= self.lost_after_ms {
            self.end_wait(index);
            let message = format!("{} was accepted, and the site shows nothing of it", self.action(index).kind);
            self.failed(index, DriverError::new(ErrorClass::NotReady, message));
        } else {
            self.look(index, now);
        }
    }

    pub(super) fn next_wakeup(&self) -> Option<u64> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        // What waits for another attempt is not started while nothing new is.
        let retry = self.scheduler.next_wakeup().filter(|_| !self.holds_back());
        [retry, self.pollers.next(), deadline].into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self) {
        let now = self.cx.now();
        while let Some(&(at, index)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.remove(&(at, index));
            let unknown = self.live[index as usize].unknown.take();
            let unheard = self.live[index as usize].unheard.take();
            let Some(call) = self.end_wait(index) else { continue };
            let action = self.action(index);
            let error = match unknown {
                Some(why) => inconclusive(&call, &why),
                None => DriverError::new(
                    ErrorClass::Timeout,
                    format!(
                        "{} of {} is not done after {} s: {}{}",
                        action.kind,
                        action.resource,
                        action.timeout_s,
                        self.state.task(index as usize).detail,
                        silence(unheard, now)
                    ),
                )
                .hint("it may still go on at the site: `drydock resume` observes it first; a longer limit is set under `timeouts` in drydock.yaml"),
            };
            self.failed(index, error);
        }
        if !self.holds_back() {
            self.scheduler.tick(now);
        }
        let (live, cx) = (&self.live, &self.cx);
        let question = |index: u32| {
            let Phase::Waiting(call) = &live[index as usize].phase else { return None };
            let action = &cx.plan.actions[index as usize];
            let enlists = action.kind == ActionKind::PowerOnNode && action.preconditions.contains(&Precondition::NotEnlisted);
            let enlisted_at = if enlists { cx.drivers.provisioner(&action.driver).cloned() } else { None };
            Some(Question { call: Call::clone(call), attempt: live[index as usize].attempt, enlisted_at })
        };
        self.pollers.due(now, question, &self.sender);
    }
}

/// Since when nothing was heard, if it is so.
fn silence(unheard: Option<(u64, String)>, now: u64) -> String {
    let Some((since, error)) = unheard else { return String::new() };
    let seconds = now.saturating_sub(since) / 1000;
    format!(
        "; nothing was heard of it for the last {seconds} s, since {}: {error}",
        utc(wall_ms().saturating_sub(now.saturating_sub(since)))
    )
}

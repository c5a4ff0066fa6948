//! The one task that owns the truth of a run: folds events, starts executors, decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::action::{Action, ActionKind, ErrorClass};
use crate::build::Binding;
use crate::driver::{Call, DriverError};
use crate::run::{
    AttemptOutcome, EVENT_VERSION, Event, EventKind, FailedAttempt, GivenUp, Grant, RetryPolicy, RunOutcome, RunState, Scheduler,
};
use crate::store::{Ack, Journal, Record, RequestRow, StoreError, Write};

use super::EngineError;
use super::context::{Context, wall_ms};
use super::control::Control;
use super::executor::{Job, Report, Verdict, attempt};
use super::gate::Watched;
use super::outcome::{DoneAction, writes_when_done, writes_when_failed};
use super::poll::{Pollers, Seen};
use super::remedy::{Remedies, Remedy};

mod control;
mod gates;
mod remedy;
mod waiting;

/// What reaches the dispatcher.
pub(super) enum Message {
    /// From an executor.
    Report(Report),
    /// An intent is durable.
    Durable(u32),
    /// The journal failed.
    JournalFailed(StoreError),
    /// Somebody asks something from outside.
    Requested(RequestRow),
    /// What becomes of a node may be begun.
    RemedyDurable(String),
    /// It was done, or could not be.
    Remedied { remedy: Remedy, result: Result<(), DriverError> },
    /// A poll was answered.
    Polled { driver: String, seen: Vec<Seen> },
    /// The nodes of a wave were watched.
    Watched { wave: u32, seen: Watched },
}

/// What an action in flight is doing.
#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// An executor runs.
    Executing,
    /// Its executor waits until it may begin.
    Intent(oneshot::Sender<bool>),
    /// It goes on at the site.
    Waiting(Box<Call>),
    /// It goes on at the site; an executor is to look whether its purpose is served meanwhile.
    Looking(Box<Call>),
    /// A new attempt comes.
    Backoff,
}

/// What is known of an action besides its journal.
#[derive(Default)]
struct Live {
    phase: Phase,
    attempt: u32,
    /// Failures in this process.
    failures: u32,
    /// Class of the latest ones, and since when, in engine time.
    failing: Option<(ErrorClass, u64)>,
    /// Engine time of its first attempt in this process, and the end of its time limit.
    since: Option<(u64, u64)>,
    /// Since when polls have shown nothing of what was begun, in engine time.
    missing_since: Option<u64>,
    missing: u32,
    /// When to look whether its purpose is served, and after how long again.
    look: Option<(u64, u64)>,
    /// What the last poll could not tell.
    unknown: Option<String>,
    /// Since when polls fail, in engine time, and with what.
    unheard: Option<(u64, String)>,
    /// When the site last showed something new, in engine time; the time in which nothing could be heard does not count.
    progress: u64,
    /// Whether the intent is of this process.
    begun_here: bool,
}

/// What the dispatcher is given.
pub(super) struct Setup {
    pub cx: Arc<Context>,
    pub run: String,
    pub state: RunState,
    pub journal: Journal,
    pub lengths: Vec<u64>,
    pub bindings: BTreeMap<String, Binding>,
    pub retry: RetryPolicy,
    pub lost_after: Duration,
    pub resumed_at_least: Duration,
    pub control: Control,
    pub graceful: CancellationToken,
    pub now: CancellationToken,
}

pub(super) struct Dispatcher {
    cx: Arc<Context>,
    run: String,
    state: RunState,
    scheduler: Scheduler,
    journal: Journal,
    live: Vec<Live>,
    bindings: BTreeMap<String, Arc<Binding>>,
    pollers: Pollers,
    deadlines: BTreeSet<(u64, u32)>,
    retry: RetryPolicy,
    lost_after_ms: u64,
    resumed_at_least_ms: u64,
    executors: JoinSet<()>,
    /// Which action each of them is for.
    attempts: HashMap<task::Id, u32>,
    executing: usize,
    /// Waves that are watched.
    watches: JoinSet<()>,
    watching: usize,
    remedies: Remedies,
    sender: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    error: Option<EngineError>,
    control: Option<Control>,
    /// Since when it is paused, in engine time.
    paused_at: Option<u64>,
    graceful: CancellationToken,
    now: CancellationToken,
}

impl Dispatcher {
    pub(super) fn new(setup: Setup) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        let scheduler = Scheduler::new(&setup.cx.plan, &setup.state, &setup.lengths);
        let live = (0..setup.cx.plan.actions.len()).map(|i| Live { attempt: setup.state.task(i).attempts, ..Live::default() }).collect();
        Self {
            cx: setup.cx,
            run: setup.run,
            state: setup.state,
            scheduler,
            journal: setup.journal,
            live,
            bindings: setup.bindings.into_iter().map(|(node, binding)| (node, Arc::new(binding))).collect(),
            pollers: Pollers::default(),
            deadlines: BTreeSet::new(),
            retry: setup.retry,
            lost_after_ms: setup.lost_after.as_millis() as u64,
            resumed_at_least_ms: setup.resumed_at_least.as_millis() as u64,
            executors: JoinSet::new(),
            attempts: HashMap::new(),
            executing: 0,
            watches: JoinSet::new(),
            watching: 0,
            remedies: Remedies::default(),
            sender,
            messages,
            error: None,
            control: Some(setup.control),
            paused_at: None,
            graceful: setup.graceful,
            now: setup.now,
        }
    }

    /// Carries the run to its end; the journal is closed when this returns.
    pub(super) async fn work(mut self) -> Result<(RunState, RunOutcome), EngineError> {
        let mut inbox = Vec::new();
        let lost = self.cx.lease.lost().clone();
        let mut at_once = false;
        let _requests = self.listen();
        loop {
            self.start_what_may();
            if self.is_over() {
                break;
            }
            let wakeup = self.next_wakeup().map(|ms| self.cx.instant(ms));
            let stopping = self.scheduler.is_stopping();
            tokio::select! {
                biased;
                () = self.now.cancelled() => {
                    at_once = true;
                    break;
                }
                () = self.graceful.cancelled(), if !stopping => self.asked_to_stop(None),
                () = lost.cancelled(), if self.error.is_none() => self.fail(StoreError::LockLost.into()),
                _ = self.messages.recv_many(&mut inbox, 1024) => {
                    for message in inbox.drain(..) {
                        self.handle(message);
                        // At once: a slot that waits for the rest of the inbox is lost time.
                        self.start_what_may();
                    }
                }
                Some(ended) = self.executors.join_next_with_id(), if !self.executors.is_empty() => {
                    // They end in waves: all that have, at once.
                    let mut next = Some(ended);
                    while let Some(ended) = next {
                        match ended {
                            Ok((id, ())) => drop(self.attempts.remove(&id)),
                            Err(error) => self.broke(&error),
                        }
                        next = self.executors.try_join_next_with_id();
                    }
                }
                () = sleep_until(wakeup), if wakeup.is_some() => self.tick(),
            }
        }
        if at_once {
            self.executors.shutdown().await;
        }
        self.finish(at_once)
    }

    fn is_over(&mut self) -> bool {
        let nothing_comes = self.watching == 0 && self.scheduler.in_flight() == 0 && !self.scheduler.is_held();
        self.executing == 0 && (self.scheduler.is_stopping() || nothing_comes)
    }

    fn finish(mut self, at_once: bool) -> Result<(RunState, RunOutcome), EngineError> {
        if self.error.is_none() {
            // After a stop at once, messages of executors that ended in time still count.
            while let Ok(message) = self.messages.try_recv() {
                if let Message::Report(Report::Ended { index, verdict }) = message {
                    self.ended(index, verdict);
                }
            }
        }
        if self.error.is_none() {
            if at_once || self.scheduler.is_stopping() {
                let under_way = self.state.under_way();
                self.record(EventKind::RunInterrupted { under_way }, Vec::new());
            }
            let outcome = self.state.outcome();
            let ended = Write::RunEnded { run: self.run.clone(), outcome, at_ms: wall_ms() };
            self.record(EventKind::RunFinished { outcome }, vec![ended]);
        }
        self.journal.close();
        while let Ok(message) = self.messages.try_recv() {
            if let Message::JournalFailed(error) = message {
                self.error.get_or_insert(error.into());
            }
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        let outcome = self.state.outcome();
        Ok((self.state, outcome))
    }

    fn action(&self, index: u32) -> &Action {
        &self.cx.plan.actions[index as usize]
    }

    /// Nothing new starts; intents that wait for a slot are given up.
    fn stop(&mut self) {
        self.scheduler.stop();
        self.stop_watching();
        for live in &mut self.live {
            if matches!(live.phase, Phase::Intent(_))
                && let Phase::Intent(reply) = std::mem::replace(&mut live.phase, Phase::Executing)
            {
                let _ = reply.send(false);
            }
        }
    }

    fn fail(&mut self, error: EngineError) {
        self.cx.lease.heed(&error);
        self.error.get_or_insert(error);
        self.forget_remedies();
        self.stop();
    }

    /// Writes an event; the state follows at once, durability later.
    fn record(&mut self, kind: EventKind, writes: Vec<Write>) {
        self.append(kind, writes, None);
    }

    fn append(&mut self, kind: EventKind, writes: Vec<Write>, then: Option<Message>) {
        if self.error.is_some() {
            return;
        }
        let event = Event { v: EVENT_VERSION, seq: self.state.last_seq() + 1, at_ms: wall_ms().max(self.state.last_at_ms()), event: kind };
        self.state.apply(&event);
        let sender = self.sender.clone();
        let ack: Ack = Box::new(move |result| {
            let message = match result {
                Ok(()) => then,
                Err(error) => Some(Message::JournalFailed(error)),
            };
            if let Some(message) = message {
                let _ = sender.send(message);
            }
        });
        self.journal.append(Record { event, writes }, Some(ack));
    }

    fn start_what_may(&mut self) {
        self.open_gates();
        while let Some(grant) = self.scheduler.start_next() {
            match grant {
                Grant::Start(index) => self.execute(index, None),
                Grant::Continue(index) => match std::mem::replace(&mut self.live[index as usize].phase, Phase::Executing) {
                    Phase::Intent(reply) => {
                        let _ = reply.send(true);
                    }
                    // Its executor was told to give up, and will say so.
                    Phase::Executing => {}
                    _ if self.scheduler.is_stopping() => {
                        self.live[index as usize].phase = Phase::Idle;
                        self.scheduler.cancelled(index);
                    }
                    Phase::Looking(call) => self.execute(index, Some(call)),
                    _ => self.execute(index, None),
                },
            }
        }
    }

    /// Starts an attempt, or looks whether one that waits has served its purpose.
    fn execute(&mut self, index: u32, look: Option<Box<Call>>) {
        let now = self.cx.now();
        let action = &self.cx.plan.actions[index as usize];
        let task = self.state.task(index as usize);
        let live = &mut self.live[index as usize];
        let (_, deadline) = *live.since.get_or_insert_with(|| {
            let limit_ms = u64::from(action.timeout_s) * 1000;
            (now, now + remaining_ms(limit_ms, task.begun_ms, wall_ms(), self.resumed_at_least_ms))
        });
        live.attempt += u32::from(look.is_none());
        live.phase = Phase::Executing;
        // The actions of a branch follow each other in a plan. A hook may take long, and changes nothing by itself: what follows it is looked at again.
        let of_node = |i: &usize| action.node.is_some() && self.cx.plan.actions[*i].node == action.node;
        let is_effect = |i: usize| self.state.task(i).begun && self.cx.plan.actions[i].kind != ActionKind::RunHook;
        let first = !task.begun && !(0..index as usize).rev().take_while(of_node).any(is_effect);
        let job = Job {
            index,
            begun: task.begun,
            before: task.before.clone(),
            first,
            resolved: task.resolved.clone(),
            binding: action.node.as_ref().and_then(|n| self.bindings.get(n)).cloned().unwrap_or_default(),
            look,
            deadline: self.cx.instant(deadline),
        };
        self.executing += 1;
        let executor = self.executors.spawn(attempt(Arc::clone(&self.cx), job, self.sender.clone()));
        self.attempts.insert(executor.id(), index);
    }

    /// An executor ended without an answer: a defect, which costs its own action and nothing else.
    fn broke(&mut self, error: &JoinError) {
        self.executing = self.executing.saturating_sub(1);
        let Some(index) = self.attempts.remove(&error.id()) else {
            return self.fail(EngineError::Internal(error.to_string()));
        };
        let action = self.action(index);
        let what = error.to_string();
        let error =
            DriverError::new(ErrorClass::Bug, format!("{} of {} ended by a defect of drydock: {what}", action.kind, action.resource))
                .hint("please report it with `drydock runs show`; `drydock resume` looks at what was begun, and tries again");
        self.failed(index, error);
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::JournalFailed(error) => self.fail(error.into()),
            Message::Durable(index) => self.scheduler.wake(index),
            Message::Requested(request) => self.requested(request),
            Message::RemedyDurable(node) => self.begin_remedy(&node),
            Message::Remedied { remedy, result } => self.remedied(&remedy, result),
            Message::Report(Report::Intent { index, resolved, before, reply }) => {
                if self.scheduler.is_stopping() {
                    let _ = reply.send(false);
                    return;
                }
                let (action, attempt) = (self.action(index).id.clone(), self.live[index as usize].attempt);
                let (now, limit_ms) = (self.cx.now(), u64::from(self.action(index).timeout_s) * 1000);
                let live = &mut self.live[index as usize];
                if !live.begun_here && self.state.task(index as usize).begun {
                    // Nothing of what an earlier process began is at the site: this is another effect, with a time of its own.
                    live.since = Some((now, now + limit_ms));
                }
                if let Some(params) = resolved {
                    self.record(EventKind::AttemptResolved { action: action.clone(), params }, Vec::new());
                }
                // Being made durable is no call of a driver: the slot is free meanwhile.
                self.scheduler.commit(index);
                let live = &mut self.live[index as usize];
                live.phase = Phase::Intent(reply);
                live.begun_here = true;
                self.append(EventKind::AttemptIntent { action, attempt, before }, Vec::new(), Some(Message::Durable(index)));
            }
            Message::Report(Report::Ended { index, verdict }) => {
                self.executing -= 1;
                self.ended(index, verdict);
            }
            Message::Polled { driver, seen } => {
                for seen in seen {
                    self.seen(seen);
                }
                self.pollers.answered(&driver, self.cx.now());
            }
            Message::Watched { wave, seen } => self.watched(wave, seen),
        }
    }

    fn ended(&mut self, index: u32, verdict: Verdict) {
        match verdict {
            Verdict::Done { already, evidence, outputs, build_data } => {
                let outcome = if already && !self.state.task(index as usize).begun {
                    AttemptOutcome::AlreadyDone { evidence }
                } else {
                    AttemptOutcome::Done
                };
                self.done(index, outcome, outputs, build_data);
            }
            Verdict::Wait { reason, call } => self.wait(index, reason, call),
            Verdict::Unserved { call } => self.poll(index, call),
            Verdict::Failed(error) => self.failed(index, error),
            Verdict::Cancelled => {
                self.live[index as usize].phase = Phase::Idle;
                self.scheduler.cancelled(index);
                let (action, attempt) = (self.action(index).id.clone(), self.live[index as usize].attempt);
                let outcome = AttemptOutcome::Cancelled;
                self.record(EventKind::AttemptOutcome { action, attempt, outcome, outputs: BTreeMap::new() }, Vec::new());
            }
        }
    }

    fn done(&mut self, index: u32, outcome: AttemptOutcome, outputs: BTreeMap<String, String>, build_data: BTreeMap<String, String>) {
        let cx = Arc::clone(&self.cx);
        let action = &cx.plan.actions[index as usize];
        let live = &mut self.live[index as usize];
        live.phase = Phase::Idle;
        let took_ms = live.since.filter(|_| live.begun_here).map(|(since, _)| cx.now() - since);
        let attempt = live.attempt;
        let mut learned = None;
        if action.kind == ActionKind::IdentifyNode
            && let (Some(node), Some(machine)) = (&action.node, outputs.get("machine"))
        {
            let binding = Arc::make_mut(self.bindings.entry(node.clone()).or_default());
            binding.machine = Some(machine.clone());
            learned = Some(&*binding);
        }
        let writes = writes_when_done(DoneAction {
            action,
            run: &self.run,
            at_ms: wall_ms(),
            ours: self.state.task(index as usize).begun,
            took_ms,
            hardware: action.node.as_ref().and_then(|n| cx.plan.nodes.get(n)?.hardware.as_deref()),
            build_data,
            binding: learned,
        });
        self.record(EventKind::AttemptOutcome { action: action.id.clone(), attempt, outcome, outputs }, writes);
        self.scheduler.done(index);
    }

    /// An attempt failed, was refused or ran out of time.
    fn failed(&mut self, index: u32, mut error: DriverError) {
        let cx = Arc::clone(&self.cx);
        let action = &cx.plan.actions[index as usize];
        let now = cx.now();
        let live = &mut self.live[index as usize];
        live.failures += 1;
        let (attempt, failures) = (live.attempt, live.failures);
        let (since, deadline) = live.since.unwrap_or((now, now));
        let since_ms = match live.failing {
            Some((class, since)) if class == error.class => since,
            _ => now,
        };
        live.failing = Some((error.class, since_ms));
        let retry_after_ms = error.retry_after.map(|d| d.as_millis() as u64);
        let failed = FailedAttempt { class: error.class, failures, since_ms, retry_after_ms };
        let retry = self.retry.next_attempt(failed, now, deadline, random());
        live.phase = if retry.is_ok() { Phase::Backoff } else { Phase::Idle };
        if let Err(why) = retry
            && error.class.is_retryable()
        {
            let attempts = if failures == 1 { "1 attempt".to_owned() } else { format!("{failures} attempts") };
            error.message = format!("{} (given up after {attempts} in {} s{})", error.message, (now - since) / 1000, given_up(why, failed));
        }
        let retry = retry.ok();
        let (class, why) = (error.class, error.message.clone());
        let writes = if retry.is_none() { writes_when_failed(action, &error) } else { Vec::new() };
        let outcome = if error.class == ErrorClass::Precondition {
            AttemptOutcome::Refused { message: error.message, hint: error.hint }
        } else {
            AttemptOutcome::Failed { class: error.class, message: error.message, hint: error.hint }
        };
        self.record(EventKind::AttemptOutcome { action: action.id.clone(), attempt, outcome, outputs: BTreeMap::new() }, writes);
        if let Some(at) = retry {
            let next_at_ms = wall_ms() + (at - now);
            self.record(EventKind::RetryScheduled { action: action.id.clone(), attempt, next_at_ms }, Vec::new());
            self.scheduler.retry_at(index, at);
        } else if self.scheduler.failed(index) {
            let failed_nodes = self.scheduler.failed_nodes();
            self.record(EventKind::BranchesStopped { failed_nodes }, Vec::new());
        }
        if retry.is_none() {
            self.remedy(index, class, &why);
        }
    }
}

/// Why it is not tried again, where that is not simply the time limit of the action.
fn given_up(why: GivenUp, failed: FailedAttempt) -> String {
    match why {
        GivenUp::Lasting | GivenUp::TimeLimit => String::new(),
        GivenUp::AsksFor(ms) => format!("; the other side asks to be left alone for {} s, which is longer than its time limit", ms / 1000),
        GivenUp::Patience(ms) => {
            let class = match failed.class {
                ErrorClass::Transient => "transient",
                ErrorClass::Busy => "busy",
                _ => "not_ready",
            };
            format!("; `retries.{class}` has it tried for {} s in a row", ms / 1000)
        }
    }
}

/// What is left of an action's time. The site goes on while no process of ours runs, so the limit counts from the intent, also of an earlier process; but
/// what could have ended meanwhile is looked at before it is given up.
fn remaining_ms(limit_ms: u64, begun_ms: Option<u64>, now_ms: u64, at_least_ms: u64) -> u64 {
    let spent = begun_ms.map_or(0, |begun| now_ms.saturating_sub(begun));
    limit_ms.saturating_sub(spent).max(at_least_ms.min(limit_ms))
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// A number that spreads retries.
fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

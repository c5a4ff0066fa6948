//! The way into a run and out of it: checks before the first effect, lock, journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::AbortOnDropHandle;

use crate::action::Action;
use crate::build::{Binding, same_uuid};
use crate::plan::Plan;
use crate::run::{Dag, EVENT_VERSION, Event, EventKind, RunOutcome, RunState, Severity, guessed_ms, measured_ms};
use crate::store::{Failpoint, Holder, Journal, LockRequest, NewRun, Record, RunRow, Store, StoreError, Write, last_pause, new_run_id};

use super::context::{Context, wall_ms};
use super::control::{Control, last_id};
use super::dispatcher::{Dispatcher, Setup};
use super::fence::fenced;
use super::lease::{Lease, Moment};
use super::{Drivers, EngineError, Options};

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Its id.
    pub run: String,
    /// Outcome by the latest attempt of each action.
    pub outcome: RunOutcome,
    /// State of every action.
    pub state: RunState,
}

/// Whose provisioner id of a machine is the newer one.
#[derive(Clone, Copy)]
enum ProvisionerId {
    /// A run begins: what was applied since the plan was made has been refused already.
    OfPlan,
    /// A run goes on.
    OfState,
}

/// Carries out one plan.
pub struct Engine {
    plan: Arc<Plan>,
    store: Arc<dyn Store>,
    drivers: Drivers,
    options: Options,
}

impl Engine {
    /// An engine for a plan, with the drivers that the plan names and the state of its site.
    pub fn new(plan: Plan, store: Arc<dyn Store>, drivers: Drivers, options: Options) -> Self {
        let mut plan = plan;
        if let Some(parallelism) = options.parallelism {
            plan.limits.parallelism = plan.limits.parallelism.min(parallelism.max(1));
        }
        Self { plan: Arc::new(plan), store, drivers, options }
    }

    /// Begins a run. `plan_file` is kept in the state for resume.
    ///
    /// # Errors
    /// When the plan fits neither site nor state, another run holds the site, or the state cannot be written. Failed actions are no error.
    pub async fn start(self, plan_file: &[u8]) -> Result<RunReport, EngineError> {
        let dag = Arc::new(Dag::new(&self.plan.actions)?);
        self.check_drivers()?;
        let provisioner = self.check_endpoints().await?;
        let run = new_run_id(wall_ms());
        let lease = self.take_lock(&provisioner, &run)?;
        let begun = self.begin(&run, plan_file, &dag, &lease);
        self.carry_out(run, lease, begun).await
    }

    /// Goes on with a run: what is done is not repeated, what was begun is observed first, what failed is tried again.
    ///
    /// # Errors
    /// As [`Self::start`], and when there is no such run or it is of another plan.
    pub async fn resume(self, run: &str) -> Result<RunReport, EngineError> {
        let dag = Arc::new(Dag::new(&self.plan.actions)?);
        let row = self.store.run(run)?.ok_or_else(|| StoreError::NoSuchRun(run.to_owned()))?;
        if row.plan_digest != self.plan.digests.plan {
            return Err(EngineError::refused(format!("run {run} is of another plan"), "resume takes the plan that is kept with the run"));
        }
        if row.abandoned_ms.is_some() {
            return Err(EngineError::refused(format!("run {run} was abandoned"), "plan again: what it did is seen by the new plan"));
        }
        self.check_drivers()?;
        let provisioner = self.check_endpoints().await?;
        let lease = self.take_lock(&provisioner, run)?;
        let begun = self.reopen(&row, &dag, &lease);
        self.carry_out(run.to_owned(), lease, begun).await
    }

    /// Every action has its driver.
    fn check_drivers(&self) -> Result<(), EngineError> {
        for action in &self.plan.actions {
            if self.drivers.get(&action.driver).is_none() {
                return Err(EngineError::refused(
                    format!("{} on {} needs the driver {}, which is not configured", action.kind, action.resource, action.driver),
                    "configure it under `drivers` in drydock.yaml",
                ));
            }
        }
        Ok(())
    }

    /// Every endpoint is the one that the plan was made with. Returns what the lock is keyed by.
    async fn check_endpoints(&self) -> Result<String, EngineError> {
        let mut identity = None;
        for planned in &self.plan.endpoints {
            let Some(driver) = self.drivers.node.get(&planned.driver) else {
                if self.drivers.oob.contains_key(&planned.driver) {
                    continue;
                }
                return Err(EngineError::refused(
                    format!("the plan was made with {} at {}, which is not configured", planned.driver, planned.url),
                    "configure it under `drivers` in drydock.yaml, or plan again",
                ));
            };
            let seen = driver.endpoint().await.map_err(|error| EngineError::Driver { driver: planned.driver.clone(), error })?;
            if seen.identity != planned.identity || seen.simulated != planned.simulated {
                let name = |e: &crate::build::Endpoint| {
                    format!("{} ({})", if e.simulated { "the simulated site" } else { e.url.as_str() }, e.identity)
                };
                return Err(EngineError::refused(
                    format!("the plan was made with {} at {}; now {} answers", planned.driver, name(planned), name(&seen)),
                    "use the settings that the plan was made with, or plan again",
                ));
            }
            identity.get_or_insert(seen.identity);
        }
        Ok(identity.unwrap_or_else(|| "none".to_owned()))
    }

    fn take_lock(&self, provisioner: &str, run: &str) -> Result<Lease, EngineError> {
        let asked = Moment::now();
        let grant = self.store.lock(&LockRequest {
            provisioner: provisioner.to_owned(),
            run: run.to_owned(),
            holder: Holder::current(),
            now_ms: wall_ms(),
            lease: self.options.lease,
        })?;
        self.options.failpoints.pass(Failpoint::AfterLock, None);
        Ok(Lease::new(grant, asked, self.options.lease, self.options.longest_request))
    }

    /// The machine of each node: what the plan says, completed with what the state knows. Whether the provisioner's id is the state's or the
    /// plan's is for the caller to say: a plan knows of records that were lost or made anew since the last run, and a run knows what it enlisted.
    fn bindings(&self, known: &BTreeMap<String, Binding>, id: ProvisionerId) -> Result<BTreeMap<String, Binding>, EngineError> {
        let mut bindings = BTreeMap::new();
        for (node, planned) in &self.plan.bindings {
            let Some(known) = known.get(node) else {
                bindings.insert(node.clone(), planned.clone());
                continue;
            };
            let differs = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if !same_uuid(a, b));
            let macs_differ = !known.macs.is_empty() && !planned.macs.is_empty() && !known.macs.iter().any(|m| planned.macs.contains(m));
            let same = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if same_uuid(a, b));
            let same_hardware = same(&known.uuid, &planned.uuid)
                || same(&known.guid, &planned.guid)
                || same(&known.serial, &planned.serial)
                || known.macs.iter().any(|m| planned.macs.contains(m));
            if differs(&known.uuid, &planned.uuid)
                || differs(&known.guid, &planned.guid)
                || differs(&known.serial, &planned.serial)
                || macs_differ
                || (differs(&known.machine, &planned.machine) && !same_hardware)
            {
                return Err(EngineError::refused(
                    format!("{node} is bound to another machine than when the plan was made"),
                    "plan again; `drydock rebind` changes a binding",
                ));
            }
            let mut merged = planned.clone();
            if let ProvisionerId::OfState = id {
                merged.machine = known.machine.clone().or(merged.machine);
            }
            merged.uuid = merged.uuid.or_else(|| known.uuid.clone());
            merged.guid = merged.guid.or_else(|| known.guid.clone());
            merged.serial = merged.serial.or_else(|| known.serial.clone());
            if merged.macs.is_empty() {
                merged.macs.clone_from(&known.macs);
            }
            bindings.insert(node.clone(), merged);
        }
        Ok(bindings)
    }

    /// Checks the plan against the state and writes the run's first event.
    fn begin(
        &self,
        run: &str,
        plan_file: &[u8],
        dag: &Arc<Dag>,
        lease: &Lease,
    ) -> Result<(RunState, BTreeMap<String, Binding>), EngineError> {
        let memory = self.store.memory()?;
        for (resource, planned) in &self.plan.generations {
            let now = memory.generations.get(resource).copied().unwrap_or(0);
            if now != *planned {
                let message = format!("{resource} was applied since the plan was made (generation {now}, the plan is for {planned})");
                let hint = "plan again; to go on with an interrupted run use `drydock resume`";
                return Err(EngineError::refused(message, hint));
            }
        }
        let bindings = self.bindings(&memory.bindings, ProvisionerId::OfPlan)?;
        let now_ms = wall_ms();
        let started = Event {
            v: EVENT_VERSION,
            seq: 1,
            at_ms: now_ms,
            event: EventKind::RunStarted {
                run: run.to_owned(),
                site: self.plan.site.clone(),
                goal: self.plan.goal.name().to_owned(),
                plan: self.plan.digests.plan.clone(),
                actions: self.plan.actions.len() as u64,
                approved_by: self.options.approved_by.clone(),
            },
        };
        let mut state = RunState::with_dag(&self.plan.actions, Arc::clone(dag));
        state.apply(&started);
        let writes = bindings
            .iter()
            .filter(|(node, binding)| memory.bindings.get(*node) != Some(binding))
            .map(|(node, binding)| Write::Binding { node: node.clone(), binding: binding.clone() })
            .collect();
        self.options.failpoints.pass_event(Failpoint::BeforeEvent, &started.event);
        self.store.create_run(
            &NewRun {
                id: run.to_owned(),
                plan_digest: self.plan.digests.plan.clone(),
                plan: plan_file.to_vec(),
                goal: self.plan.goal.name().to_owned(),
                selection: self.plan.selection.clone(),
                command: self.options.command.clone(),
                holder: Holder::current(),
                started_ms: now_ms,
            },
            lease.id(),
            &Record { event: started.clone(), writes },
        )?;
        self.options.failpoints.pass_event(Failpoint::AfterEvent, &started.event);
        self.options.failpoints.stop();
        self.tell(&started);
        if let Some(taken) = taken_over(lease, &state) {
            state.apply(&taken);
            self.store.append(run, lease.id(), &[Record { event: taken.clone(), writes: Vec::new() }])?;
            self.tell(&taken);
        }
        Ok((state, bindings))
    }

    /// Folds what a run did so far and writes that it goes on.
    fn reopen(&self, row: &RunRow, dag: &Arc<Dag>, lease: &Lease) -> Result<(RunState, BTreeMap<String, Binding>), EngineError> {
        let mut state = RunState::with_dag(&self.plan.actions, Arc::clone(dag));
        for event in self.store.events(&row.id, 0)? {
            state.apply(&event);
        }
        let memory = self.store.memory()?;
        let mut done: BTreeMap<&str, u64> = BTreeMap::new();
        for (i, action) in self.plan.actions.iter().enumerate() {
            *done.entry(&action.resource).or_default() += u64::from(state.task(i).status.is_done());
        }
        for (resource, planned) in &self.plan.generations {
            let now = memory.generations.get(resource).copied().unwrap_or(0);
            if now != planned + done.get(resource.as_str()).copied().unwrap_or(0) {
                return Err(EngineError::refused(
                    format!("{resource} was applied by another run since run {} stopped", row.id),
                    "plan again: what this run did is seen by the new plan",
                ));
            }
        }
        let bindings = self.bindings(&memory.bindings, ProvisionerId::OfState)?;
        let resumed = Event {
            v: EVENT_VERSION,
            seq: state.last_seq() + 1,
            at_ms: wall_ms().max(state.last_at_ms()),
            event: EventKind::RunResumed { done: state.counts().done },
        };
        state.apply(&resumed);
        let writes = vec![Write::RunReopened { run: row.id.clone(), holder: Holder::current() }];
        let mut records = vec![Record { event: resumed, writes }];
        if let Some(event) = taken_over(lease, &state) {
            state.apply(&event);
            records.push(Record { event, writes: Vec::new() });
        }
        self.options.failpoints.pass_event(Failpoint::BeforeEvent, &records[0].event.event);
        self.store.append(&row.id, lease.id(), &records)?;
        self.options.failpoints.pass_event(Failpoint::AfterEvent, &records[0].event.event);
        for record in &records {
            self.tell(&record.event);
        }
        Ok((state, bindings))
    }

    fn tell(&self, event: &Event) {
        if let Some(events) = &self.options.events {
            // A reporter that ended early is no reason to stop.
            let _ = events.send(event.clone());
        }
    }

    /// Expected milliseconds of each action: what was measured, else its share of the default time limit.
    fn lengths(&self) -> Result<Vec<u64>, EngineError> {
        let durations = self.store.durations()?;
        let mean = |name: &str| durations.get(name).and_then(|d| d.mean_ms());
        let length = |a: &Action| measured_ms(&self.plan, a, mean).unwrap_or_else(|| guessed_ms(a.kind));
        Ok(self.plan.actions.iter().map(length).collect())
    }

    /// Everything between the lock and its release.
    async fn carry_out(
        self,
        run: String,
        lease: Lease,
        begun: Result<(RunState, BTreeMap<String, Binding>), EngineError>,
    ) -> Result<RunReport, EngineError> {
        let store = Arc::clone(&self.store);
        let failpoints = Arc::clone(&self.options.failpoints);
        let lock = lease.id().to_owned();
        let permit = self.drivers.permit.clone();
        let keeper = tokio::spawn(lease.clone().keep(Arc::clone(&store)));
        let result = match begun {
            Ok((state, bindings)) => self.work(run, lease.clone(), state, bindings).await,
            Err(error) => Err(error),
        };
        keeper.abort();
        failpoints.pass(Failpoint::BeforeUnlock, None);
        let released = store.release_lock(&lock);
        if let Err(error) = &result {
            lease.heed(error);
        }
        // Sessions at BMCs can be ended now. Where the lock was lost somebody else works there, and nothing at all is sent any more.
        if released.is_ok() && !lease.lost().is_cancelled() {
            permit.lift();
        }
        match (released, result) {
            (Err(error), Ok(_)) => Err(error.into()),
            (_, result) => result,
        }
    }

    async fn work(self, run: String, lease: Lease, state: RunState, bindings: BTreeMap<String, Binding>) -> Result<RunReport, EngineError> {
        let lengths = self.lengths()?;
        let requests = self.store.requests(&run, 0)?;
        let control = Control {
            store: Arc::clone(&self.store),
            run: run.clone(),
            after: last_id(&requests),
            last: last_pause(&requests).cloned(),
            every: self.options.control_interval,
        };
        let failpoints = self.options.failpoints;
        let events = self.options.events;
        let listener = Box::new(move |event: &Event| {
            if let Some(events) = &events {
                let _ = events.send(event.clone());
            }
        });
        let journal = Journal::start(Arc::clone(&self.store), run.clone(), lease.id().to_owned(), Arc::clone(&failpoints), listener)
            .map_err(EngineError::Thread)?;
        let cx = Arc::new(Context {
            plan: self.plan,
            drivers: fenced(self.drivers, &lease),
            lease,
            holds: self.options.holds,
            failpoints,
            epoch: Instant::now(),
        });
        let dispatcher = Dispatcher::new(Setup {
            cx,
            run: run.clone(),
            state,
            journal,
            lengths,
            bindings,
            retry: self.options.retry,
            lost_after: self.options.lost_after,
            resumed_at_least: self.options.resumed_at_least,
            control,
            graceful: self.options.graceful,
            now: self.options.now,
        });
        // As a task of its own it runs where its executors do: a message costs no change of thread.
        let working = AbortOnDropHandle::new(tokio::spawn(dispatcher.work()));
        let (state, outcome) = working.await.map_err(|error| EngineError::Internal(error.to_string()))??;
        Ok(RunReport { run, outcome, state })
    }
}

/// What the journal says of a lock that was taken over.
fn taken_over(lease: &Lease, state: &RunState) -> Option<Event> {
    let from = lease.taken_from()?;
    let text = format!(
        "the lock of run {} by {} on {} (pid {}) was taken over: its lease had ended; that process starts nothing more",
        from.run, from.holder.user, from.holder.host, from.holder.pid
    );
    let event = EventKind::Message { severity: Severity::Warning, action: None, text };
    Some(Event { v: EVENT_VERSION, seq: state.last_seq() + 1, at_ms: wall_ms().max(state.last_at_ms()), event })
}

//! One attempt of one action. An executor talks to drivers and to the dispatcher, to nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::action::{Action, ActionKind, Effect, ErrorClass, Precondition};
use crate::build::Binding;
use crate::driver::{Begun, Call, Driver, DriverError, Observation};
use crate::run::{ResolveError, has_late, resolve};
use crate::store::Failpoint;

use super::context::Context;
use super::precheck::{Reads, within};

/// What an executor is told.
pub(super) struct Job {
    /// Index of the action.
    pub index: u32,
    /// Whether the journal has an intent.
    pub begun: bool,
    /// What the site showed before that intent.
    pub before: Option<String>,
    /// Whether nothing but hooks of the node (or nothing of the site's resource) was begun in this run.
    pub first: bool,
    /// Late parameters as journalled before that intent.
    pub resolved: Option<Value>,
    /// The node's machine.
    pub binding: Arc<Binding>,
    /// What the action waits for: the attempt only looks whether its purpose is served.
    pub look: Option<Box<Call>>,
    /// End of the time limit.
    pub deadline: Instant,
}

/// How an attempt ended.
pub(super) enum Verdict {
    /// The site shows it.
    Done { already: bool, evidence: String, outputs: BTreeMap<String, String>, build_data: BTreeMap<String, String> },
    /// It goes on at the site.
    Wait { reason: String, call: Box<Call> },
    /// It still goes on at the site, and its purpose is not served.
    Unserved { call: Box<Call> },
    /// It failed; nothing of it runs.
    Failed(DriverError),
    /// The run stops; nothing was begun by this attempt.
    Cancelled,
}

/// After how long, spent waiting for the journal, a slot or the lease, what was read before an effect is read again.
const STALE: Duration = Duration::from_secs(2);

/// What executors tell the dispatcher.
pub(super) enum Report {
    /// An effect is about to be begun: journal it, and answer when it is durable and a slot is free; `false` when it must not be begun.
    Intent { index: u32, resolved: Option<Value>, before: Option<String>, reply: oneshot::Sender<bool> },
    /// The attempt ended.
    Ended { index: u32, verdict: Verdict },
}

tokio::task_local! {
    /// Set while an attempt runs.
    static ATTEMPT: ();
}

/// Whether the caller runs within the attempt of an action: a panic there costs that action, and the run goes on.
pub fn is_attempt() -> bool {
    ATTEMPT.try_with(|()| ()).is_ok()
}

/// Does one attempt.
pub(super) async fn attempt(cx: Arc<Context>, job: Job, reports: mpsc::UnboundedSender<super::dispatcher::Message>) {
    let index = job.index;
    let verdict = ATTEMPT.scope((), run(&cx, job, &reports)).await.unwrap_or_else(Verdict::Failed);
    // The dispatcher is gone only when the run was stopped at once.
    let _ = reports.send(super::dispatcher::Message::Report(Report::Ended { index, verdict }));
}

fn driver_of(cx: &Context, action: &Action) -> Result<Arc<dyn Driver>, DriverError> {
    cx.drivers.get(&action.driver).ok_or_else(|| {
        DriverError::new(ErrorClass::Settings, format!("no driver named {} is configured", action.driver))
            .hint("see `drivers` in drydock.yaml")
    })
}

/// One action as a driver sees it.
pub(super) fn call_of(cx: &Context, action: &Action, params: Value, binding: &Binding, begun: bool) -> Call {
    Call {
        action: action.id.clone(),
        site: cx.plan.site.clone(),
        kind: action.kind,
        resource: action.resource.clone(),
        node: action.node.clone(),
        params,
        binding: binding.clone(),
        begun,
        before: None,
    }
}

async fn run(cx: &Context, mut job: Job, reports: &mpsc::UnboundedSender<super::dispatcher::Message>) -> Result<Verdict, DriverError> {
    let action = &cx.plan.actions[job.index as usize];
    let driver = driver_of(cx, action)?;
    let reads = Reads::new(cx, action, &job.binding, job.deadline);

    if let Some(call) = job.look.take() {
        // That it cannot be looked up says nothing about what goes on.
        return Ok(match served(action, &reads).await.ok().flatten() {
            Some(evidence) => Verdict::Done { already: true, evidence, outputs: BTreeMap::new(), build_data: BTreeMap::new() },
            None => Verdict::Unserved { call },
        });
    }
    if has_purpose(action)
        && let Some(evidence) = served(action, &reads).await?
    {
        return Ok(Verdict::Done { already: true, evidence, outputs: BTreeMap::new(), build_data: BTreeMap::new() });
    }
    let mut newly_resolved = None;
    let mut identified = false;
    let params = if !has_late(&action.params) {
        action.params.value()
    } else if let Some(resolved) = job.resolved.take().filter(|_| job.begun) {
        // What may have been begun was begun with these.
        resolved
    } else {
        reads.identity().await?;
        identified = true;
        let node = action.node.as_deref().unwrap_or_default();
        let machine = reads.machine().await?.ok_or_else(|| {
            DriverError::new(ErrorClass::Precondition, format!("the provisioner does not have {node}, so its devices cannot be looked up"))
        })?;
        let resolved = resolve(&action.params.value(), machine).map_err(unresolved)?;
        newly_resolved = Some(resolved.clone());
        resolved
    };

    let mut call = call_of(cx, action, params, &job.binding, job.begun);
    call.before = job.before.take().filter(|_| job.begun);
    // Both only read, and mostly the same: asked at once it is one request.
    let identity = async { if identified { Ok(()) } else { reads.identity().await } };
    let (identity, seen) = tokio::join!(identity, observe(driver.as_ref(), &call, job.deadline));
    identity?;
    match seen? {
        Observation::Done { outputs } => return done(cx, &action.driver, &call, true, outputs, job.deadline).await,
        Observation::InProgress { detail } => return Ok(Verdict::Wait { reason: detail, call: Box::new(call) }),
        Observation::Failed(error) => return Err(error),
        // Repeating is harmless where the machine held nothing when the plan was made.
        Observation::Unknown(why) if action.effect > Effect::Install || action.kind == ActionKind::RunHook => {
            return Err(inconclusive(&call, &why));
        }
        Observation::Unknown(_) | Observation::NotStarted => {}
    }
    reads.preconditions().await?;
    if job.first {
        reads.holds().await?;
    }
    match action.kind {
        ActionKind::DestroyNode => prerequisites(cx, &job, job.index as usize, driver.as_ref(), &reads).await?,
        ActionKind::RunHook if action.effect >= Effect::Reboot => disruption(cx, &job).await?,
        _ => {}
    }
    let before = reads.evidence().await?;
    let checked = Instant::now();

    let (reply, durable) = oneshot::channel();
    let intent = Report::Intent { index: job.index, resolved: newly_resolved, before: before.clone(), reply };
    if reports.send(super::dispatcher::Message::Report(intent)).is_err()
        || !durable.await.unwrap_or(false)
        || !cx.lease.permits_effect().await
    {
        return Ok(Verdict::Cancelled);
    }
    if checked.elapsed() > STALE {
        let reads = Reads::new(cx, action, &job.binding, job.deadline);
        reads.identity().await?;
        reads.preconditions().await?;
    }
    // A hook is done when it has begun, and one that begins anew has all its time.
    let deadline = if action.kind == ActionKind::RunHook {
        job.deadline.max(Instant::now() + Duration::from_secs(u64::from(action.timeout_s)))
    } else {
        job.deadline
    };
    cx.failpoints.break_down(&action.id);
    let begun = within(deadline, driver.begin(&call)).await;
    cx.failpoints.pass(Failpoint::AfterBegin, Some(&action.id));
    (call.begun, call.before) = (true, before);
    match begun? {
        Begun::Wait { reason } => Ok(Verdict::Wait { reason, call: Box::new(call) }),
        Begun::Complete => match observe(driver.as_ref(), &call, deadline).await {
            Ok(Observation::Done { outputs }) => done(cx, &action.driver, &call, false, outputs, deadline).await,
            Ok(Observation::Failed(error)) => Err(error),
            Err(error) if !error.class.is_retryable() => Err(error),
            // The effect is there; that it cannot be seen right now is the poller's business.
            Ok(Observation::InProgress { detail }) => Ok(Verdict::Wait { reason: detail, call: Box::new(call) }),
            Ok(Observation::NotStarted | Observation::Unknown(_)) | Err(_) => {
                Ok(Verdict::Wait { reason: "confirming at the site".to_owned(), call: Box::new(call) })
            }
        },
    }
}

/// Before a node is drained: whether what it is drained for would be begun, as far as that can be seen now. Nobody drains a node for nothing.
async fn disruption(cx: &Context, job: &Job) -> Result<(), DriverError> {
    let node = &cx.plan.actions[job.index as usize].node;
    let mut later = cx.plan.actions.iter().enumerate().skip(job.index as usize + 1).take_while(|(_, a)| a.node == *node);
    let Some((index, action)) = later.find(|(_, a)| a.kind != ActionKind::RunHook) else { return Ok(()) };
    let driver = driver_of(cx, action)?;
    let reads = Reads::new(cx, action, &job.binding, job.deadline);
    reads.preconditions().await?;
    if !has_late(&action.params) {
        let call = call_of(cx, action, action.params.value(), &job.binding, false);
        if let Observation::Failed(error) = observe(driver.as_ref(), &call, job.deadline).await? {
            return Err(error);
        }
    }
    if action.kind == ActionKind::DestroyNode {
        prerequisites(cx, job, index, driver.as_ref(), &reads).await?;
    }
    Ok(())
}

/// Before an operating system is given up for another one: whether the rest of the branch finds what it needs.
async fn prerequisites(cx: &Context, job: &Job, index: usize, driver: &dyn Driver, reads: &Reads<'_>) -> Result<(), DriverError> {
    let action = &cx.plan.actions[index];
    // The actions of a branch follow each other in a plan.
    let rest = cx.plan.actions[index + 1..].iter().take_while(|a| a.node == action.node).filter(|a| a.driver == action.driver);
    let mut calls = Vec::new();
    for later in rest {
        let mut params = later.params.value();
        if has_late(&later.params)
            && let Some(machine) = reads.machine().await?
        {
            params = resolve(&params, machine).map_err(|e| unfit(&action.resource, unresolved(e)))?;
        }
        calls.push(call_of(cx, later, params, &job.binding, false));
    }
    if calls.is_empty() {
        return Ok(());
    }
    within(job.deadline, driver.prerequisites(&calls)).await.map_err(|e| unfit(&action.resource, e))
}

fn unresolved(error: ResolveError) -> DriverError {
    DriverError { hint: error.hint, ..DriverError::new(ErrorClass::Precondition, error.message) }
}

/// What would be missing after the release, as the reason why there is none.
fn unfit(resource: &str, error: DriverError) -> DriverError {
    if !matches!(error.class, ErrorClass::Precondition | ErrorClass::NotReady | ErrorClass::Rejected) {
        return error;
    }
    DriverError {
        // A release that is refused for what follows it has not been refused by the provisioner.
        class: ErrorClass::Precondition,
        message: format!("{resource} keeps its operating system, as another could not be installed: {}", error.message),
        hint: error.hint.or_else(|| {
            Some("the site has changed since the plan was made: put it back, or plan again and review what is different".to_owned())
        }),
        retry_after: None,
    }
}

/// Whether something else than its own effect shows that an action has served its purpose.
pub(super) fn has_purpose(action: &Action) -> bool {
    action.preconditions.contains(&Precondition::NotEnlisted)
}

/// What shows that an action has served its purpose already.
async fn served(action: &Action, reads: &Reads<'_>) -> Result<Option<String>, DriverError> {
    if action.preconditions.contains(&Precondition::NotEnlisted)
        && let Some(machine) = reads.record().await?
    {
        return Ok(Some(format!("the provisioner has it as machine {} ({})", machine.id, machine.status_name)));
    }
    Ok(None)
}

pub(super) async fn observe(driver: &dyn Driver, call: &Call, deadline: Instant) -> Result<Observation, DriverError> {
    let one = async {
        driver.observe(std::slice::from_ref(call)).await.pop().unwrap_or_else(|| {
            Err(DriverError::new(ErrorClass::Transient, format!("driver {} gave no observation of {}", driver.name(), call.resource)))
        })
    };
    within(deadline, one).await
}

/// Done: with what is to be kept of it.
async fn done(
    cx: &Context,
    driver: &str,
    call: &Call,
    already: bool,
    outputs: BTreeMap<String, String>,
    deadline: Instant,
) -> Result<Verdict, DriverError> {
    let mut build_data = BTreeMap::new();
    if call.kind == ActionKind::InterrogateNode
        && let Some(machine) = &call.binding.machine
        && let Some(driver) = cx.drivers.provisioner(driver)
    {
        build_data = within(deadline, driver.build_data(machine)).await?;
    }
    Ok(Verdict::Done { already, evidence: String::new(), outputs, build_data })
}

/// The evidence is not enough to act on.
pub(super) fn inconclusive(call: &Call, why: &str) -> DriverError {
    DriverError::new(
        ErrorClass::Inconclusive,
        format!("the site does not tell whether {} of {} has happened: {why}", call.kind, call.resource),
    )
    .hint("look at the machine; when it is clear what it holds, plan again")
}

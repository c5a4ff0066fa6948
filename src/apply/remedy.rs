//! What becomes of a node whose branch failed, where the plan says so: its machine is switched off, or marked broken at the provisioner.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::action::params::PowerParams;
use crate::action::{Action, ActionKind, Effect, ErrorClass, Json, Precondition, RetryClass};
use crate::build::Binding;
use crate::diff::Stage;
use crate::driver::{DriverError, Observation};
use crate::plan::{OnFailure, Plan};
use crate::run::RunState;

use super::context::Context;
use super::executor::{call_of, observe};
use super::precheck::{Reads, within};

/// How long it may take.
const LIMIT: Duration = Duration::from_mins(5);

/// What is done with one node.
#[derive(Clone)]
pub(super) struct Remedy {
    pub node: String,
    pub what: OnFailure,
    pub binding: Arc<Binding>,
    /// Why, for whoever finds the machine.
    pub why: String,
}

/// Why a node is left as it is although the plan says otherwise; `None` if nothing speaks against it.
pub(super) fn kept(plan: &Plan, state: &RunState, node: &str, class: ErrorClass) -> Option<&'static str> {
    match class {
        ErrorClass::Precondition => return Some("the site is not as the plan says"),
        ErrorClass::Inconclusive => return Some("the site does not tell what has happened"),
        // Nothing is wrong with the machine.
        ErrorClass::Settings | ErrorClass::Credentials | ErrorClass::Bug => return Some("it is not the machine that failed"),
        ErrorClass::Transient
        | ErrorClass::Busy
        | ErrorClass::NotReady
        | ErrorClass::Rejected
        | ErrorClass::Failed
        | ErrorClass::Timeout => {}
    }
    let own = |i: &usize| plan.actions[*i].node.as_deref() == Some(node);
    let branch: Vec<usize> = (0..plan.actions.len()).filter(own).collect();
    // Effects of these classes on a machine that may hold something were allowed by name; once one of them has begun, what was there is given up.
    let disrupts = |i: &usize| plan.actions[*i].effect >= Effect::Reboot && plan.actions[*i].kind != ActionKind::RunHook;
    if branch.iter().filter(|i| disrupts(i)).any(|i| state.task(*i).begun) {
        return None;
    }
    let stage = plan.nodes.get(node).map_or(Stage::Unknown, |n| n.now);
    let was_off = branch.iter().all(|i| plan.actions[*i].effect <= Effect::Install);
    let empty = match stage {
        Stage::Enlisted | Stage::Commissioning | Stage::FailedCommissioning | Stage::Ready => true,
        // Of class install only if it was off.
        Stage::Absent => was_off,
        _ => false,
    };
    (!empty).then_some("it may hold an operating system, and nothing of this run has given that up")
}

/// Does it; what to tell.
pub(super) async fn carry_out(cx: &Context, remedy: &Remedy) -> Result<(), DriverError> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    let node = &remedy.node;
    let mut action = Action {
        id: format!("{node} on failure"),
        kind: ActionKind::PowerOffNode,
        resource: format!("node.{node}/power"),
        node: Some(node.clone()),
        driver: String::new(),
        effect: Effect::Reboot,
        params: Json::of(&PowerParams { graceful_s: 0 }),
        after: Vec::new(),
        preconditions: vec![Precondition::Identity],
        timeout_s: u32::try_from(LIMIT.as_secs()).unwrap_or(u32::MAX),
        retry: RetryClass::Repeatable,
    };
    if remedy.what == OnFailure::MarkBroken {
        // Its BMC is not asked: that may be what is broken.
        (action.kind, action.effect) = (ActionKind::ApplyNodePlatform, Effect::Online);
        let reads = Reads::new(cx, &action, &remedy.binding, deadline);
        reads.identity().await?;
        if !cx.lease.permits_effect().await {
            return Err(DriverError::new(ErrorClass::Precondition, "the lock of this run was removed"));
        }
        return within(deadline, reads.provisioner()?.mark_broken(&remedy.binding, &remedy.why)).await;
    }
    let driver =
        cx.drivers.bmc(node).ok_or_else(|| DriverError::new(ErrorClass::Settings, format!("no driver talks to the BMC of {node}")))?;
    let driver = Arc::clone(driver) as Arc<dyn crate::driver::Driver>;
    let mut call = call_of(cx, &action, action.params.value(), &remedy.binding, false);
    let mut last = None;
    while tokio::time::Instant::now() < deadline {
        // As any other action: it is looked at first, and begun only where the machine is the bound one.
        match observe(driver.as_ref(), &call, deadline).await {
            Ok(Observation::Done { .. }) => return Ok(()),
            Ok(Observation::Failed(error)) => return Err(error),
            Ok(Observation::NotStarted) if !call.begun => {
                Reads::new(cx, &action, &remedy.binding, deadline).identity().await?;
                if !cx.lease.permits_effect().await {
                    return Err(DriverError::new(ErrorClass::Precondition, "the lock of this run was removed"));
                }
                match within(deadline, driver.begin(&call)).await {
                    Ok(_) => call.begun = true,
                    Err(error) if error.class.is_retryable() => last = Some(error),
                    Err(error) => return Err(error),
                }
            }
            Ok(_) => {}
            Err(error) if error.class.is_retryable() => last = Some(error),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(driver.poll_interval()).await;
    }
    Err(last.unwrap_or_else(|| DriverError::new(ErrorClass::Timeout, format!("{node} is not off after {} s", LIMIT.as_secs()))))
}

/// What was already done about nodes, and what waits to be durable.
#[derive(Default)]
pub(super) struct Remedies {
    pub seen: BTreeSet<String>,
    pub waiting: Vec<Remedy>,
}

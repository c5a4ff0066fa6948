//! The driver: endpoints, grouping, and which action is which request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::boot;
use super::connection::{State, Talk, Target};
use super::options::RedfishOptions;
use super::system::System;
use crate::action::ActionKind;
use crate::action::params::{PowerParams, SetNodeBoot};
use crate::build::{Binding, Bmc};
use crate::driver::http::{HttpClient, Lanes};
use crate::driver::power::{self, Switch};
use crate::driver::{Begun, BmcEndpoint, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};

/// The driver's name in plans and facts.
pub(super) const NAME: &str = "redfish";

/// Drives BMCs over Redfish.
#[derive(Clone)]
pub struct RedfishDriver {
    inner: Arc<Inner>,
}

struct Inner {
    options: RedfishOptions,
    /// For reads and orders: repeats what may be repeated.
    patient: HttpClient,
    /// For polls, which come again anyway: one dead BMC must not delay the others.
    quick: HttpClient,
    nodes: BTreeMap<String, Node>,
    /// Bounds the BMCs that are observed at once, so that the time limit of one does not run while it waits for others.
    observing: Semaphore,
}

struct Node {
    target: Target,
    state: Mutex<State>,
}

impl fmt::Debug for RedfishDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedfishDriver").field("nodes", &self.inner.nodes.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl RedfishDriver {
    /// A driver of these BMCs. Nothing is contacted yet.
    ///
    /// # Errors
    /// When a URL is none, or is plain HTTP to another machine without leave, a node has two BMCs, or the CA file cannot be used.
    pub fn new(endpoints: Vec<BmcEndpoint>, options: RedfishOptions) -> Result<Self, DriverError> {
        let patient = HttpClient::new(options.http.clone())?;
        let lanes = Arc::new(Lanes::new(1, options.parallel));
        let mut nodes = BTreeMap::new();
        for endpoint in endpoints {
            let name = endpoint.node.clone();
            let target = Target::new(endpoint, Arc::clone(&lanes))?;
            patient.check_url(&target.root).map_err(|e| DriverError { message: format!("{}: {}", target.context(), e.message), ..e })?;
            if nodes.insert(name.clone(), Node { target, state: Mutex::default() }).is_some() {
                return Err(DriverError::new(ErrorClass::Rejected, format!("node {name} is given two BMCs")).hint("keep one"));
            }
        }
        let quick = patient.with_attempts(1);
        Ok(Self { inner: Arc::new(Inner { observing: Semaphore::new(options.parallel.max(1)), options, patient, quick, nodes }) })
    }

    /// Ends the sessions at all BMCs; the driver can be used on, and logs in again.
    pub async fn close(&self) {
        let mut tasks = JoinSet::new();
        let names: Vec<String> = self.inner.nodes.keys().cloned().collect();
        for name in names {
            let inner = Arc::clone(&self.inner);
            tasks.spawn(async move {
                if let Some(node) = inner.nodes.get(&name) {
                    let mut state = node.state.lock().await;
                    Talk { target: &node.target, state: &mut state, http: &inner.quick }.logout().await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Inner {
    fn node(&self, name: Option<&str>, what: &str) -> Result<&Node, DriverError> {
        let name = name.ok_or_else(|| DriverError::new(ErrorClass::Rejected, format!("{what} names no node")))?;
        self.nodes.get(name).ok_or_else(|| {
            DriverError::new(ErrorClass::Rejected, format!("node {name} has no Redfish BMC"))
                .hint("give it an `oob` section with an address, or another OOB driver")
        })
    }

    /// Observes all calls of one node with one read of its system.
    async fn observe_node(&self, name: &str, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let node = match self.node(Some(name), "an action") {
            Ok(node) => node,
            Err(e) => return vec![Err(e); calls.len()],
        };
        let _turn = self.observing.acquire().await;
        let limit = self.options.observe_limit;
        tokio::time::timeout(limit, self.observe_bmc(node, calls)).await.unwrap_or_else(|_| {
            let what = format!("the BMC did not tell its state within {} s", limit.as_secs_f32());
            vec![Err(node.target.error(ErrorClass::Transient, what)); calls.len()]
        })
    }

    async fn observe_bmc(&self, node: &Node, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut state = node.state.lock().await;
        let uuid = calls.iter().find_map(|c| c.binding.uuid.clone());
        let system = Talk { target: &node.target, state: &mut state, http: &self.quick }.system(uuid.as_deref()).await;
        match system {
            Ok(system) => calls.iter().map(|call| Self::observe_call(node, &mut state, &system, call)).collect(),
            Err(e) => vec![Err(e); calls.len()],
        }
    }

    fn observe_call(node: &Node, state: &mut State, system: &System, call: &Call) -> Result<Observation, DriverError> {
        is_bound(node, system, call)?;
        let order = state.orders.get(&call.action);
        let seen = match call.kind {
            ActionKind::SetNodeBoot => boot::observe(call.params::<SetNodeBoot>()?.target, system, order),
            ActionKind::PowerOnNode => power::observe(Switch::On, system.power, order, &node.target.context())?,
            ActionKind::PowerOffNode => power::observe(Switch::Off, system.power, order, &node.target.context())?,
            other => return Err(not_mine(other)),
        };
        if matches!(seen, Observation::Done { .. }) {
            state.orders.remove(&call.action);
        }
        Ok(seen)
    }
}

/// Refuses a machine that is not the bound one.
fn is_bound(node: &Node, system: &System, call: &Call) -> Result<(), DriverError> {
    let seen = system.clone().into_bmc(&node.target.endpoint.address, Vec::new());
    match call.binding.contradicts_bmc(&seen) {
        Some(why) => Err(node.target.error(ErrorClass::Precondition, why).hint(format!(
            "check the BMC address of node {0}; if the machine was replaced: `drydock rebind node.{0}`",
            node.target.endpoint.node
        ))),
        None => Ok(()),
    }
}

fn not_mine(kind: ActionKind) -> DriverError {
    DriverError::new(ErrorClass::Rejected, format!("the redfish driver has no action {kind}"))
}

#[async_trait]
impl Driver for RedfishDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll_interval(&self) -> Duration {
        self.inner.options.poll
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut out: Vec<Option<Result<Observation, DriverError>>> = vec![None; calls.len()];
        let mut by_node: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, call) in calls.iter().enumerate() {
            match call.node.as_deref() {
                Some(node) => by_node.entry(node).or_default().push(i),
                None => out[i] = Some(Err(DriverError::new(ErrorClass::Rejected, format!("{} names no node", call.kind)))),
            }
        }
        let mut tasks = JoinSet::new();
        for (name, places) in by_node {
            let inner = Arc::clone(&self.inner);
            let name = name.to_owned();
            let calls: Vec<Call> = places.iter().map(|&i| calls[i].clone()).collect();
            tasks.spawn(async move { (places, inner.observe_node(&name, &calls).await) });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((places, seen)) = joined {
                for (i, one) in places.into_iter().zip(seen) {
                    out[i] = Some(one);
                }
            }
        }
        let lost = || Err(DriverError::new(ErrorClass::Transient, "the observation was interrupted"));
        out.into_iter().map(|one| one.unwrap_or_else(lost)).collect()
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let inner = &self.inner;
        let node = inner.node(call.node.as_deref(), call.kind.name())?;
        let mut state = node.state.lock().await;
        let mut talk = Talk { target: &node.target, state: &mut state, http: &inner.patient };
        let system = talk.system(call.binding.uuid.as_deref()).await?;
        is_bound(node, &system, call)?;
        let settle = inner.options.settle;
        match call.kind {
            ActionKind::SetNodeBoot => {
                let target = call.params::<SetNodeBoot>()?.target;
                talk.set_boot(&call.action, target, settle, inner.options.confirm_pause, system).await
            }
            ActionKind::PowerOnNode => talk.switch(&call.action, Switch::On, Duration::ZERO, settle, system).await,
            ActionKind::PowerOffNode => {
                let graceful = Duration::from_secs(u64::from(call.params::<PowerParams>()?.graceful_s));
                talk.switch(&call.action, Switch::Off, graceful, settle, system).await
            }
            other => Err(not_mine(other)),
        }
    }
}

#[async_trait]
impl OobDriver for RedfishDriver {
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        let node = self.inner.node(Some(node), "interrogate")?;
        let mut state = node.state.lock().await;
        Talk { target: &node.target, state: &mut state, http: &self.inner.patient }.interrogate().await
    }

    async fn identify(&self, node: &str, binding: &Binding) -> Result<Bmc, DriverError> {
        let node = self.inner.node(Some(node), "identify")?;
        let mut state = node.state.lock().await;
        Talk { target: &node.target, state: &mut state, http: &self.inner.patient }.identify(binding).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

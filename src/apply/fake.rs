//! A site in memory, for the engine's own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use crate::action::{ActionKind, ErrorClass};
use crate::build::{Binding, Bmc, Endpoint, Machine, MachineStatus, PowerState, Provisioner};
use crate::driver::{Begun, Call, Driver, DriverError, NodeDriver, Observation, OobDriver};

/// How the site behaves for one action.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// Errors that `begin` gives before it works; nothing is begun then.
    pub begin_errors: Vec<ErrorClass>,
    /// Errors that `begin` gives although the effect happens (an answer that is lost).
    pub lost_answers: u32,
    /// Errors that `observe` gives first.
    pub observe_errors: Vec<ErrorClass>,
    /// Observations in progress before it is done; 0 is done at once.
    pub polls: u32,
    /// It never ends.
    pub hangs: bool,
    /// The site shows that it failed.
    pub fails: Option<ErrorClass>,
    /// Effects that vanish.
    pub lost_effects: u32,
    /// The site cannot tell.
    pub unknown: bool,
    /// How long `begin` takes.
    pub latency: Duration,
    /// How long errors of `begin` ask to be left alone.
    pub retry_after: Option<Duration>,
    /// `begin` has a defect.
    pub panics: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub scripts: BTreeMap<String, Script>,
    /// Action → how often its effect happened.
    pub effects: BTreeMap<String, u32>,
    /// Actions in the order in which their effects happened.
    pub order: Vec<String>,
    pub done: BTreeSet<String>,
    pub remaining: BTreeMap<String, u32>,
    pub params: BTreeMap<String, serde_json::Value>,
    pub machines: BTreeMap<String, Machine>,
    pub bmcs: BTreeMap<String, Bmc>,
    pub calls: u32,
    pub most_calls: u32,
    pub polls: u32,
    pub most_polled: usize,
    pub identity: String,
    /// Machines marked broken, and why.
    pub broken: BTreeMap<String, String>,
}

/// The site, and the driver to it.
#[derive(Debug, Clone)]
pub(super) struct FakeSite {
    inner: Arc<Mutex<Inner>>,
    pub poll: Duration,
}

impl FakeSite {
    pub(super) fn new() -> Self {
        let inner = Inner { identity: "fake-1".to_owned(), ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), poll: Duration::from_millis(2) }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn script(&self, action: &str, script: Script) {
        self.inner().scripts.insert(action.to_owned(), script);
    }

    pub(super) fn effects(&self, action: &str) -> u32 {
        self.inner().effects.get(action).copied().unwrap_or(0)
    }

    fn look(inner: &mut Inner, call: &Call) -> Result<Observation, DriverError> {
        let script = inner.scripts.entry(call.action.clone()).or_default();
        if !script.observe_errors.is_empty() {
            let class = script.observe_errors.remove(0);
            return Err(DriverError::new(class, "fake trouble"));
        }
        let (hangs, fails, unknown) = (script.hangs, script.fails, script.unknown);
        if unknown {
            return Ok(Observation::Unknown("two stories".to_owned()));
        }
        if inner.done.contains(&call.action) {
            let mut outputs = BTreeMap::new();
            if call.kind == ActionKind::IdentifyNode {
                outputs.insert("machine".to_owned(), format!("m-{}", call.node.as_deref().unwrap_or_default()));
            }
            return Ok(Observation::Done { outputs });
        }
        let Some(left) = inner.remaining.get_mut(&call.action) else { return Ok(Observation::NotStarted) };
        if let Some(class) = fails {
            inner.remaining.remove(&call.action);
            return Ok(Observation::Failed(DriverError::new(class, "the machine failed")));
        }
        if hangs {
            return Ok(Observation::InProgress { detail: "hanging".to_owned() });
        }
        if *left > 0 {
            *left -= 1;
            return Ok(Observation::InProgress { detail: format!("{left} to go") });
        }
        inner.remaining.remove(&call.action);
        inner.done.insert(call.action.clone());
        Self::look(inner, call)
    }
}

#[async_trait]
impl Driver for FakeSite {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn poll_interval(&self) -> Duration {
        self.poll
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        tokio::task::yield_now().await;
        let mut inner = self.inner();
        inner.polls += 1;
        inner.most_polled = inner.most_polled.max(calls.len());
        calls.iter().map(|call| Self::look(&mut inner, call)).collect()
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let script = {
            let mut inner = self.inner();
            inner.calls += 1;
            inner.most_calls = inner.most_calls.max(inner.calls);
            inner.scripts.entry(call.action.clone()).or_default().clone()
        };
        tokio::time::sleep(script.latency).await;
        assert!(!script.panics, "a defect of the driver");
        let mut inner = self.inner();
        inner.calls -= 1;
        let mine = inner.scripts.entry(call.action.clone()).or_default();
        if !mine.begin_errors.is_empty() {
            let class = mine.begin_errors.remove(0);
            return Err(DriverError::new(class, "fake refusal").hint("look").after(script.retry_after));
        }
        let vanishes = mine.lost_effects > 0;
        mine.lost_effects = mine.lost_effects.saturating_sub(1);
        let lost_answer = mine.lost_answers > 0;
        mine.lost_answers = mine.lost_answers.saturating_sub(1);
        *inner.effects.entry(call.action.clone()).or_default() += 1;
        inner.order.push(call.action.clone());
        inner.params.insert(call.action.clone(), call.params.clone());
        if vanishes {
            return Ok(Begun::Wait { reason: "accepted".to_owned() });
        }
        inner.remaining.insert(call.action.clone(), script.polls);
        if lost_answer {
            return Err(DriverError::new(ErrorClass::Transient, "connection reset"));
        }
        if script.polls > 0 || script.hangs || script.fails.is_some() {
            return Ok(Begun::Wait { reason: format!("{} runs", call.kind) });
        }
        Ok(Begun::Complete)
    }
}

#[async_trait]
impl NodeDriver for FakeSite {
    async fn endpoint(&self) -> Result<Endpoint, DriverError> {
        Ok(Endpoint { driver: "fake".to_owned(), identity: self.inner().identity.clone(), url: "http://fake".to_owned(), simulated: false })
    }

    async fn discover(&self) -> Result<Provisioner, DriverError> {
        Err(DriverError::new(ErrorClass::Rejected, "not here"))
    }

    async fn machine(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        let inner = self.inner();
        let found = inner
            .machines
            .values()
            .find(|m| binding.machine.as_ref().map_or_else(|| m.macs.iter().any(|mac| binding.macs.contains(mac)), |id| *id == m.id));
        Ok(found.cloned())
    }

    async fn mark_broken(&self, binding: &Binding, why: &str) -> Result<(), DriverError> {
        let machine = self.machine(binding).await?.map_or_else(|| "?".to_owned(), |m| m.id);
        self.inner().broken.insert(machine, why.to_owned());
        Ok(())
    }

    async fn build_data(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        Ok(BTreeMap::from([("lshw".to_owned(), format!("<list>{machine}</list>"))]))
    }
}

#[async_trait]
impl OobDriver for FakeSite {
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        self.inner().bmcs.get(node).cloned().ok_or_else(|| DriverError::new(ErrorClass::Transient, "no route to host"))
    }
}

/// A BMC as a node's binding expects it.
pub(super) fn bmc(uuid: &str, power: PowerState) -> Bmc {
    Bmc { uuid: Some(uuid.to_owned()), power, ..Bmc::unread("fake", "10.0.0.1".to_owned(), "1".to_owned()) }
}

/// A machine at the provisioner.
pub(super) fn machine(id: &str, mac: &str, status: MachineStatus) -> Machine {
    Machine { macs: vec![mac.to_owned()], cpus: 1, memory_mib: 1024, ..Machine::bare(id, id, status) }
}

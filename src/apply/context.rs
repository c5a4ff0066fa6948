//! What every part of the engine needs, and what the caller chooses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::action::Action;
use crate::driver::hook::NAME as HOOKS;
use crate::driver::permit::Permit;
use crate::driver::{Driver, DriverError, NodeDriver, OobDriver};
use crate::plan::Plan;
use crate::run::{Event, RetryPolicy};
use crate::store::Failpoints;

use super::lease::Lease;

/// The drivers of a run, by the names that plans use.
#[derive(Clone, Default)]
pub struct Drivers {
    /// Provisioners.
    pub node: BTreeMap<String, Arc<dyn NodeDriver>>,
    /// BMC drivers.
    pub oob: BTreeMap<String, Arc<dyn OobDriver>>,
    /// What runs hooks.
    pub hooks: Option<Arc<dyn Driver>>,
    /// Which BMC driver a node has; a node that is not named has the only one there is.
    pub oob_of: BTreeMap<String, String>,
    /// What they look at before they send anything: during a run, whether its lock is ours.
    pub permit: Permit,
}

impl Drivers {
    /// The driver of that name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Driver>> {
        if let Some(driver) = self.node.get(name) {
            return Some(Arc::clone(driver) as Arc<dyn Driver>);
        }
        if name == HOOKS {
            return self.hooks.clone();
        }
        self.oob.get(name).map(|driver| Arc::clone(driver) as Arc<dyn Driver>)
    }

    /// The provisioner that knows a node: the one of that name, else the first.
    pub fn provisioner(&self, name: &str) -> Option<&Arc<dyn NodeDriver>> {
        self.node.get(name).or_else(|| self.node.values().next())
    }

    /// The driver of a node's BMC.
    pub fn bmc(&self, node: &str) -> Option<&Arc<dyn OobDriver>> {
        match self.oob_of.get(node) {
            Some(name) => self.oob.get(name),
            None if self.oob.len() == 1 => self.oob.values().next(),
            None => None,
        }
    }
}

impl std::fmt::Debug for Drivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drivers")
            .field("node", &self.node.keys().collect::<Vec<_>>())
            .field("oob", &self.oob.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Whether what a plan rests on is still so. Looking changes nothing.
#[async_trait]
pub trait Holds: std::fmt::Debug + Send + Sync {
    /// What has moved since the plan was made, of what an action rests on, in words; nothing if it may begin. Only this provisioner is asked.
    ///
    /// # Errors
    /// When it cannot be told now.
    async fn moved(&self, action: &Action, provisioner: &dyn NodeDriver) -> Result<Vec<String>, DriverError>;
}

/// What the caller chooses.
#[derive(Debug)]
pub struct Options {
    /// The command line, for the record; without secrets.
    pub command: String,
    /// Who approved the plan, for the record; of runs that begin.
    pub approved_by: Vec<String>,
    /// Calls in flight at most; lowers the plan's limit, never raises it.
    pub parallelism: Option<u32>,
    /// Longest time that one request of a driver can take.
    pub longest_request: Duration,
    /// Length of the lease on the site's lock.
    pub lease: Duration,
    /// Delays between attempts.
    pub retry: RetryPolicy,
    /// After how long an effect that the site does not show at all is taken for lost, and begun again if its retry class allows.
    pub lost_after: Duration,
    /// How long an action that an earlier process began is waited for at least, however long ago that was: long enough to be looked at.
    pub resumed_at_least: Duration,
    /// Asked before the first effect on each node and on each resource of the site.
    pub holds: Option<Arc<dyn Holds>>,
    /// Where to crash, for tests of recovery.
    pub failpoints: Arc<Failpoints>,
    /// Gets every event once it is durable.
    pub events: Option<UnboundedSender<Event>>,
    /// How often it is looked for requests from outside: stop, pause, continue.
    pub control_interval: Duration,
    /// Cancelled, by the caller or because somebody asked for it: start nothing new, let running calls finish.
    pub graceful: CancellationToken,
    /// Cancelled, by the caller or because somebody asked for it: stop now.
    pub now: CancellationToken,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            command: String::new(),
            approved_by: Vec::new(),
            parallelism: None,
            longest_request: Duration::from_mins(1),
            lease: Duration::from_mins(5),
            retry: RetryPolicy::default(),
            lost_after: Duration::from_mins(1),
            resumed_at_least: Duration::from_mins(1),
            holds: None,
            failpoints: Arc::default(),
            events: None,
            control_interval: Duration::from_secs(1),
            graceful: CancellationToken::new(),
            now: CancellationToken::new(),
        }
    }
}

/// What executors and dispatcher share; nothing in it changes.
pub(super) struct Context {
    pub plan: Arc<Plan>,
    pub drivers: Drivers,
    pub lease: Lease,
    pub holds: Option<Arc<dyn Holds>>,
    pub failpoints: Arc<Failpoints>,
    pub epoch: Instant,
}

impl Context {
    /// Milliseconds since the engine started, by a clock that never jumps; for deadlines.
    pub(super) fn now(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }

    /// That time as an instant.
    pub(super) fn instant(&self, ms: u64) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.epoch + Duration::from_millis(ms))
    }
}

/// Milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

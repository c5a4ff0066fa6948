//! The driver traits and what passes through them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::{ActionKind, ErrorClass};
use crate::build::{Binding, Bmc, BmcHealth, Endpoint, Inventory, Machine, Neighbour, Provisioner};
use crate::redact::Secret;

/// An error of a driver: what, where, and what to do. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DriverError {
    /// Class.
    pub class: ErrorClass,
    /// What went wrong and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl DriverError {
    /// An error of a class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hint: None, retry_after: None }
    }

    /// Adds how long the other side asks to be left alone.
    #[must_use]
    pub fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One action as a driver sees it: parameters resolved, no secret inside.
#[derive(Debug, Clone)]
pub struct Call {
    /// Action id; drivers mark the site with it where they can.
    pub action: String,
    /// Site name; drivers mark the site with it where they can.
    pub site: String,
    /// Kind.
    pub kind: ActionKind,
    /// Resource (`subnet.mgmt`, `node.compute01/storage`).
    pub resource: String,
    /// The node, if it is an action of one.
    pub node: Option<String>,
    /// Resolved parameters: a structure of [`crate::action::params`].
    pub params: serde_json::Value,
    /// The machine the node is bound to, as known now.
    pub binding: Binding,
    /// Whether the journal holds an intent of this attempt: the effect may have been begun.
    pub begun: bool,
    /// What the site showed before that intent ([`super::evidence`], [`Bmc::last_reset`]); `None` where nothing was
    /// recorded.
    pub before: Option<String>,
}

impl Call {
    /// Parameters as their structure.
    ///
    /// # Errors
    /// When they are not of that structure (a plan of another version).
    pub fn params<T: serde::de::DeserializeOwned>(&self) -> Result<T, DriverError> {
        serde_json::from_value(self.params.clone()).map_err(|e| {
            DriverError::new(ErrorClass::Bug, format!("parameters of {} on {} do not fit: {e}", self.kind, self.resource))
                .hint("the plan may be of another version of drydock: plan again")
        })
    }
}

/// What the site shows of an action. Reading it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The wanted state is there.
    Done {
        /// Facts learned, for the journal (`machine`: provisioner id, …). Never secrets.
        outputs: BTreeMap<String, String>,
    },
    /// The wanted state is not there and nothing is under way.
    NotStarted,
    /// Under way.
    InProgress {
        /// What it is doing now, in a few words (`Deploying: installing OS`).
        detail: String,
    },
    /// The site shows that it was tried and failed, or is not in a state in which it can be begun.
    Failed(DriverError),
    /// The evidence is inconclusive.
    Unknown(String),
}

impl Observation {
    /// Done without outputs.
    pub fn done() -> Self {
        Self::Done { outputs: BTreeMap::new() }
    }
}

/// What `begin` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Everything; observe to confirm.
    Complete,
    /// It goes on at the site; poll with observe.
    Wait {
        /// For what.
        reason: String,
    },
}

/// The driver side of actions. The engine passes each method on (`apply::fence`): one that is added to a driver's trait is added there.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Name in plans (`maas`, `redfish`).
    fn name(&self) -> &'static str;

    /// How often waiters are polled.
    fn poll_interval(&self) -> Duration;

    /// Observes many actions at once, with as few requests as the other side allows. The answer has one entry per call, in order.
    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>>;

    /// Whether the site has what actions need that come later in a branch, as far as that can be told now. Asked before an operating system is given up for
    /// them; reads only.
    ///
    /// # Errors
    /// What is missing, for the first of them that could not be begun afterwards.
    async fn prerequisites(&self, calls: &[Call]) -> Result<(), DriverError> {
        let _ = calls;
        Ok(())
    }

    /// Begins an action whose observation was [`Observation::NotStarted`]; returns as soon as the other side has accepted it.
    async fn begin(&self, call: &Call) -> Result<Begun, DriverError>;
}

/// A BMC to talk to.
#[derive(Debug, Clone)]
pub struct BmcEndpoint {
    /// Node name.
    pub node: String,
    /// Address as the design gives it; identity checks compare this.
    pub address: String,
    /// Where it is, as its driver writes it: base URL (`https://172.16.100.20`), host and port (`172.16.100.20:623`).
    pub url: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// A driver of BMCs.
#[async_trait]
pub trait OobDriver: Driver {
    /// Reads one BMC completely (reads only).
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError>;

    /// Reads as much of a BMC as tells its power and whether it is that of the bound machine (reads only). What is not needed for that may be left out.
    async fn identify(&self, node: &str, binding: &Binding) -> Result<Bmc, DriverError> {
        let _ = binding;
        self.interrogate(node).await
    }

    /// Reads firmware, sensors and the latest events (reads only); what the driver does not read is empty. Slower than [`Self::interrogate`].
    async fn health(&self, node: &str) -> Result<BmcHealth, DriverError> {
        let _ = node;
        Ok(BmcHealth::default())
    }

    /// Reads the machine's parts, its health and its event log (reads only); `None` where the driver does not read them. Slower than [`Self::interrogate`].
    async fn inventory(&self, node: &str) -> Result<Option<Inventory>, DriverError> {
        let _ = node;
        Ok(None)
    }

    /// How far the BMC's clock is ahead of ours, in milliseconds, to a second or so (reads only); `None` where it tells no time.
    async fn clock(&self, node: &str) -> Result<Option<i64>, DriverError> {
        let _ = node;
        Ok(None)
    }

    /// The version of the program that the driver runs; `None` where it runs none.
    ///
    /// # Errors
    /// When the program cannot be used, with how to get it.
    async fn program(&self) -> Result<Option<String>, DriverError> {
        Ok(None)
    }

    /// Ends sessions.
    async fn close(&self) {}
}

/// A driver of a provisioner.
#[async_trait]
pub trait NodeDriver: Driver {
    /// Who answers: identity, URL.
    async fn endpoint(&self) -> Result<Endpoint, DriverError>;

    /// Reads the whole provisioner (reads only). Listings that fail are unknown facts; an error means that nothing could be read.
    async fn discover(&self) -> Result<Provisioner, DriverError>;

    /// Reads the machine that is bound, with its hardware facts: by provisioner id, else by MACs. `Ok(None)` only when a successful
    /// listing does not have it.
    async fn machine(&self, binding: &Binding) -> Result<Option<Machine>, DriverError>;

    /// The same without what only requests of their own answer: bus addresses, volume groups, the BMC's address.
    async fn record(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        self.machine(binding).await
    }

    /// What the NICs of a machine heard from the other end of their cables when it was commissioned (LLDP).
    async fn neighbours(&self, machine: &str) -> Result<Vec<Neighbour>, DriverError> {
        let _ = machine;
        Ok(Vec::new())
    }

    /// How far the provisioner's clock is ahead of ours, in milliseconds, to a second or so; `None` where it tells no time.
    async fn clock(&self) -> Result<Option<i64>, DriverError> {
        Ok(None)
    }

    /// Marks the bound machine as broken, so that nobody uses it before somebody has looked. What runs on it may be given up by that.
    async fn mark_broken(&self, binding: &Binding, why: &str) -> Result<(), DriverError> {
        let _ = (binding, why);
        Err(DriverError::new(ErrorClass::Rejected, format!("driver {} marks no machine broken", self.name())))
    }

    /// Hardware data to keep as history (`lshw`, `lldp`): name → text.
    async fn build_data(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError>;
}

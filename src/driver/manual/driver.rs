//! The driver.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::ActionKind;
use crate::action::params::{BootTarget, PowerParams, SetNodeBoot};
use crate::build::Bmc;
use crate::driver::{Begun, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};

/// The driver's name in plans and facts.
const NAME: &str = "manual";

/// How often it is looked whether somebody confirmed.
const POLL: Duration = Duration::from_secs(1);

/// Where an operator's confirmations are kept.
#[async_trait]
pub trait Confirmations: Send + Sync {
    /// Who confirmed an action of the run that is under way; `None` if nobody did yet.
    ///
    /// # Errors
    /// When that cannot be read.
    async fn confirmed(&self, action: &str) -> Result<Option<String>, String>;

    /// The command with which an operator confirms what a node waits for.
    async fn command(&self, node: &str) -> String;
}

/// A machine and where to find it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManualNode {
    /// Node name.
    pub node: String,
    /// Rack it stands in.
    pub rack: Option<String>,
    /// Address of its console or BMC, if the design has one.
    pub address: Option<String>,
    /// MAC of the NIC that it boots from.
    pub boot_mac: Option<String>,
}

impl ManualNode {
    /// `compute01 (rack r1, boot MAC 52:54:…)`.
    fn place(&self) -> String {
        let part = |what: &str, value: &Option<String>| value.as_ref().map(|v| format!("{what} {v}"));
        let parts: Vec<String> =
            [part("rack", &self.rack), part("console", &self.address), part("boot MAC", &self.boot_mac)].into_iter().flatten().collect();
        if parts.is_empty() { self.node.clone() } else { format!("{} ({})", self.node, parts.join(", ")) }
    }
}

/// Asks an operator.
#[derive(Clone)]
pub struct ManualDriver {
    nodes: Arc<BTreeMap<String, ManualNode>>,
    confirmations: Arc<dyn Confirmations>,
    poll: Duration,
}

impl fmt::Debug for ManualDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualDriver").field("nodes", &self.nodes.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl ManualDriver {
    /// A driver of these machines.
    pub fn new(nodes: Vec<ManualNode>, confirmations: Arc<dyn Confirmations>) -> Self {
        let nodes = nodes.into_iter().map(|n| (n.node.clone(), n)).collect();
        Self { nodes: Arc::new(nodes), confirmations, poll: POLL }
    }

    fn node(&self, name: Option<&str>) -> Result<&ManualNode, DriverError> {
        let name = name.unwrap_or_default();
        self.nodes.get(name).ok_or_else(|| {
            DriverError::new(ErrorClass::Rejected, format!("node {name} is not driven by hand"))
                .hint("its `oob.type` may have changed since the plan was made: plan again")
        })
    }

    /// What an operator is to do.
    async fn instruction(&self, call: &Call) -> Result<String, DriverError> {
        let node = self.node(call.node.as_deref())?;
        let place = node.place();
        let what = match call.kind {
            ActionKind::SetNodeBoot => match call.params::<SetNodeBoot>()?.target {
                BootTarget::Pxe => format!("let {place} boot from the network (PXE) at its next start"),
                BootTarget::Disk => format!("let {place} boot from its disk from now on"),
            },
            ActionKind::PowerOnNode => format!("switch {place} on"),
            ActionKind::PowerOffNode if call.params::<PowerParams>()?.graceful_s > 0 => {
                format!("shut down what runs on {place}, if anything does, and switch it off")
            }
            ActionKind::PowerOffNode => format!("switch {place} off"),
            other => return Err(DriverError::new(ErrorClass::Bug, format!("the manual driver has no action {other}"))),
        };
        Ok(format!("waiting for an operator: {what}; then: {}", self.confirmations.command(&node.node).await))
    }

    async fn see(&self, call: &Call) -> Result<Observation, DriverError> {
        let instruction = self.instruction(call).await?;
        let confirmed = self.confirmations.confirmed(&call.action).await.map_err(|why| {
            DriverError::new(
                ErrorClass::Transient,
                format!("it cannot be read whether {} of {} was confirmed: {why}", call.kind, call.resource),
            )
        })?;
        Ok(match confirmed {
            Some(by) => Observation::Done { outputs: BTreeMap::from([("confirmed_by".to_owned(), by)]) },
            None if call.begun => Observation::InProgress { detail: instruction },
            None => Observation::NotStarted,
        })
    }
}

#[async_trait]
impl Driver for ManualDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll_interval(&self) -> Duration {
        self.poll
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut seen = Vec::with_capacity(calls.len());
        for call in calls {
            seen.push(self.see(call).await);
        }
        seen
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        Ok(Begun::Wait { reason: self.instruction(call).await? })
    }
}

#[async_trait]
impl OobDriver for ManualDriver {
    /// Nothing is known of such a machine from afar: neither which it is nor whether it is on.
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        let node = self.node(Some(node))?;
        Ok(Bmc::unread(NAME, String::new(), node.node.clone()))
    }
}

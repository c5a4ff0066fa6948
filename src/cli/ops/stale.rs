//! Whether a site is still as a plan saw it, before anything is done and before each first effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::build_file;
use super::design::Design;
use super::drivers::Drivers;
use super::{plan as plans, state};
use crate::action::{Action, ErrorClass, Precondition};
use crate::apply::Holds;
use crate::build::{Bmc, Build, Fact, PowerState, Provisioner};
use crate::diff::{Memory, Policy, compare};
use crate::driver::{DriverError, NodeDriver};
use crate::plan::{Drift, Plan, design_digest};

/// How long facts are good for; where reading them takes long, that many times as long.
const GOOD_FOR: Duration = Duration::from_secs(5);
const TIMES: u32 = 20;

/// What was read, and when.
#[derive(Debug)]
struct Seen {
    at: Instant,
    took: Duration,
    drift: Arc<Drift>,
}

/// Compares what is there with what a plan saw.
pub struct Watch {
    design: Arc<Design>,
    plan: Arc<Plan>,
    memory: Memory,
    /// What the plan was asked for; absent where the design is no longer that of the plan.
    policy: Option<Policy>,
    /// Nodes that must be off when the plan begins with them.
    off: BTreeSet<String>,
    seen: Mutex<Option<Seen>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("plan", &self.plan.digests.plan).finish_non_exhaustive()
    }
}

impl Watch {
    /// For a plan that was read from a file.
    pub async fn new(plan: &Plan, design: &Arc<Design>) -> anyhow::Result<Self> {
        let memory = state::memory(&design.settings, &design.site.name.value).await?;
        let same = plan.digests.design == design_digest(&design.site);
        let policy = same.then(|| plans::policy_of(design, plan)).transpose()?;
        Ok(Self {
            design: Arc::clone(design),
            plan: Arc::new(plan.clone()),
            memory,
            policy,
            off: plan
                .actions
                .iter()
                .filter(|a| a.preconditions.contains(&Precondition::HoldsNothing))
                .filter_map(|a| a.node.clone())
                .collect(),
            seen: Mutex::new(None),
        })
    }

    /// Whether values can be compared, and not stages and identities only.
    pub fn sees_values(&self) -> bool {
        self.policy.is_some()
    }

    /// What has moved since the plan was made, by facts that are not too old.
    ///
    /// # Errors
    /// When the provisioner does not answer.
    pub async fn drift(&self, provisioner: &dyn NodeDriver) -> Result<Arc<Drift>, DriverError> {
        let mut seen = self.seen.lock().await;
        if let Some(seen) = seen.as_ref().filter(|s| s.at.elapsed() < GOOD_FOR.max(s.took * TIMES)) {
            return Ok(Arc::clone(&seen.drift));
        }
        let at = Instant::now();
        let provisioner = provisioner.discover().await?;
        // What is not known has not moved; it is asked for again.
        if let Some(why) = unknown(&provisioner) {
            return Err(DriverError::new(
                ErrorClass::Transient,
                format!("it cannot be told whether the site is as the plan saw it: {why}"),
            ));
        }
        let provisioner = Fact::Known(provisioner);
        let took = at.elapsed();
        let observed_at = super::discover::now();
        let bmcs = self.plan.bindings.keys().filter_map(|node| Some((node.clone(), Fact::Known(self.bmc(node)?)))).collect();
        let build = Build { format: build_file::FORMAT, endpoints: self.plan.endpoints.clone(), provisioner, bmcs, observed_at };
        let usual = Policy::new(self.plan.goal);
        let policy = self.policy.as_ref().unwrap_or(&usual);
        let now = compare(&self.design.site, &self.design.map, &build, &self.memory, policy);
        let drift = Arc::new(Drift::of(&self.plan, &now, self.policy.is_some()));
        *seen = Some(Seen { at, took, drift: Arc::clone(&drift) });
        Ok(drift)
    }

    /// What has moved until now, one line each; power of machines that must be off is read from their BMCs.
    ///
    /// # Errors
    /// When the provisioner does not answer.
    pub async fn at_start(&self, drivers: &Drivers) -> Result<Vec<String>, DriverError> {
        let mut reads = JoinSet::new();
        for (node, binding) in self.plan.bindings.iter().filter(|(node, _)| self.off.contains(*node)) {
            let Some(driver) = drivers.bmc(node).cloned() else { continue };
            let (node, binding) = (node.clone(), binding.clone());
            reads.spawn(async move { driver.identify(&node, &binding).await.map(|bmc| (node, bmc.power)) });
        }
        let mut out: Vec<String> =
            self.drift(drivers.maas.as_ref()).await?.all().flat_map(|(_, moved)| moved.iter().map(ToString::to_string)).collect();
        while let Some(read) = reads.join_next().await {
            // A BMC that does not answer now is read again when it is the node's turn.
            if let Ok(Ok((node, PowerState::On))) = read {
                out.push(format!("node.{node} power: off → on"));
            }
        }
        out.sort_unstable();
        out.dedup();
        Ok(out)
    }

    /// The node's BMC as the plan saw it: it is read by itself before each effect.
    fn bmc(&self, node: &str) -> Option<Bmc> {
        let binding = self.plan.bindings.get(node)?;
        let address = binding.bmc_address.clone()?;
        let off = self.off.contains(node);
        Some(Bmc {
            uuid: binding.uuid.clone(),
            guid: binding.guid.clone(),
            serial: binding.serial.clone(),
            macs: binding.macs.clone(),
            power: if off { PowerState::Off } else { PowerState::On },
            ..Bmc::unread("", address, node.to_owned())
        })
    }
}

/// Why a part of what a provisioner has is not known.
fn unknown(provisioner: &Provisioner) -> Option<&str> {
    fn why<T>(fact: &Fact<T>) -> Option<&str> {
        match fact {
            Fact::Known(_) => None,
            Fact::Unknown(why) => Some(why),
        }
    }
    let p = provisioner;
    why(&p.machines)
        .or_else(|| why(&p.fabrics))
        .or_else(|| why(&p.subnets))
        .or_else(|| why(&p.ranges))
        .or_else(|| why(&p.routes))
        .or_else(|| why(&p.domains))
        .or_else(|| why(&p.tags))
        .or_else(|| why(&p.images))
        .or_else(|| why(&p.racks))
}

#[async_trait]
impl Holds for Watch {
    async fn moved(&self, action: &Action, provisioner: &dyn NodeDriver) -> Result<Vec<String>, DriverError> {
        Ok(self.drift(provisioner).await?.under(action).iter().map(ToString::to_string).collect())
    }
}

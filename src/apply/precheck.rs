//! What must hold just before an effect, read from the site.

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::action::{Action, ActionKind, Effect, ErrorClass, Precondition};
use crate::build::{Binding, Bmc, Machine, MachineStatus, PowerState, untied};
use crate::driver::{DriverError, NodeDriver, evidence};

use super::context::Context;

/// Reads of one attempt; each is made once.
pub(super) struct Reads<'a> {
    cx: &'a Context,
    action: &'a Action,
    binding: &'a Binding,
    deadline: Instant,
    machine: OnceCell<Option<Machine>>,
    record: OnceCell<Option<Machine>>,
    bmc: OnceCell<Option<Bmc>>,
}

/// Awaits a call of a driver no longer than the attempt may last.
pub(super) async fn within<T>(deadline: Instant, call: impl Future<Output = Result<T, DriverError>>) -> Result<T, DriverError> {
    match tokio::time::timeout_at(deadline, call).await {
        Ok(result) => result,
        Err(_) => Err(DriverError::new(ErrorClass::Timeout, "no answer within the action's time limit").hint(
            "what was asked for may go on at the site: `drydock resume` observes it first; a longer limit is set under `timeouts` in drydock.yaml",
        )),
    }
}

fn refused(message: String) -> DriverError {
    DriverError::new(ErrorClass::Precondition, message)
        .hint("the site has changed since the plan was made: plan again, and review what is different")
}

impl<'a> Reads<'a> {
    pub(super) fn new(cx: &'a Context, action: &'a Action, binding: &'a Binding, deadline: Instant) -> Self {
        Self { cx, action, binding, deadline, machine: OnceCell::new(), record: OnceCell::new(), bmc: OnceCell::new() }
    }

    pub(super) fn provisioner(&self) -> Result<&dyn NodeDriver, DriverError> {
        self.cx.drivers.provisioner(&self.action.driver).map(AsRef::as_ref).ok_or_else(|| {
            DriverError::new(ErrorClass::Settings, "no provisioner is configured").hint("name one under `drivers.maas` in drydock.yaml")
        })
    }

    /// The machine at the provisioner, with all its hardware facts.
    pub(super) async fn machine(&self) -> Result<Option<&Machine>, DriverError> {
        let read = async { within(self.deadline, self.provisioner()?.machine(self.binding)).await };
        self.machine.get_or_try_init(|| read).await.map(Option::as_ref)
    }

    /// The machine at the provisioner: identity, status, power.
    pub(super) async fn record(&self) -> Result<Option<&Machine>, DriverError> {
        let read = async { within(self.deadline, self.provisioner()?.record(self.binding)).await };
        self.record.get_or_try_init(|| read).await.map(Option::as_ref)
    }

    /// What its BMC reports; `None` if the node has none.
    async fn bmc(&self) -> Result<Option<&Bmc>, DriverError> {
        let node = self.action.node.as_deref().unwrap_or_default();
        let read = async {
            match (self.cx.drivers.bmc(node), &self.binding.bmc_address) {
                (Some(driver), Some(_)) => within(self.deadline, driver.identify(node, self.binding)).await.map(Some),
                _ => Ok(None),
            }
        };
        self.bmc.get_or_try_init(|| read).await.map(Option::as_ref)
    }

    /// Whether BMC and provisioner show the bound machine. The BMC is asked for effects of class reboot or higher and for what acts through it.
    pub(super) async fn identity(&self) -> Result<(), DriverError> {
        let Some(node) = self.action.node.clone() else { return Ok(()) };
        let disruptive = self.action.effect >= Effect::Reboot;
        if !disruptive && !self.action.preconditions.contains(&Precondition::Identity) {
            return Ok(());
        }
        let power = matches!(self.action.kind, ActionKind::PowerOnNode | ActionKind::PowerOffNode | ActionKind::SetNodeBoot);
        let binding = self.binding;
        let wrong = |what: String| {
            DriverError::new(ErrorClass::Precondition, format!("{node} is not the machine it is bound to: {what}"))
                .hint(format!("check cabling and inventory; if the new machine is right, `drydock rebind node.{node}` and plan again"))
        };
        if (disruptive || power)
            && let Some(bmc) = self.bmc().await?
            && let Some(what) = binding.contradicts_bmc(bmc)
        {
            return Err(wrong(what));
        }
        // A BMC that tells neither UUID nor MACs may be another machine's. Only a request of its own says which BMC the provisioner has for it.
        if (disruptive || power)
            && let Some(bmc) = self.bmc().await?
            && let Some(record) = self.record().await?
            && untied(bmc, record).is_some()
            && let Some(machine) = self.machine().await?
            && let Some(what) = untied(bmc, machine)
        {
            return Err(DriverError::new(ErrorClass::Precondition, format!("{node}: {what}"))
                .hint("check the node's OOB address, and the machine's power parameters in the provisioner"));
        }
        match (self.record().await?, &binding.machine) {
            (Some(machine), _) => binding.contradicts_machine(machine).map_or(Ok(()), |what| Err(wrong(what))),
            (None, Some(id)) => Err(refused(format!("machine {id} of {node} is no longer at the provisioner"))),
            (None, None) => Ok(()),
        }
    }

    /// Whether the values that the plan saw are still there.
    pub(super) async fn holds(&self) -> Result<(), DriverError> {
        let Some(holds) = &self.cx.holds else { return Ok(()) };
        let moved = within(self.deadline, holds.moved(self.action, self.provisioner()?)).await?;
        if moved.is_empty() {
            return Ok(());
        }
        let subject = self.action.node.as_deref().unwrap_or(&self.action.resource);
        Err(refused(format!("{subject} is not as the plan saw it: {}", moved.join("; "))))
    }

    /// Whether everything but the identity holds.
    pub(super) async fn preconditions(&self) -> Result<(), DriverError> {
        let action = self.action;
        let node = action.node.as_deref().unwrap_or(&action.resource);
        for precondition in &action.preconditions {
            match precondition {
                Precondition::Identity => {}
                Precondition::Status(wanted) => match self.record().await? {
                    Some(machine) if wanted.contains(&machine.status) => {}
                    Some(machine) => {
                        return Err(refused(format!(
                            "{node} is {} at the provisioner; {} needs {}",
                            machine.status_name,
                            action.kind,
                            wanted.iter().map(|s| format!("{s:?}")).collect::<Vec<_>>().join(" or ")
                        )));
                    }
                    None => return Err(refused(format!("the provisioner does not have {node}; {} needs it there", action.kind))),
                },
                Precondition::NotEnlisted => {
                    if let Some(machine) = self.record().await? {
                        return Err(refused(format!(
                            "the provisioner has {node} already, as machine {} ({})",
                            machine.id, machine.status_name
                        )));
                    }
                }
                Precondition::HoldsNothing => self.holds_nothing(node).await?,
            }
        }
        Ok(())
    }

    /// What the site shows before an effect of what that effect changes for good. Recorded with the intent; after a crash a driver compares it with what is
    /// there then.
    pub(super) async fn evidence(&self) -> Result<Option<String>, DriverError> {
        Ok(match self.action.kind {
            ActionKind::PowerOffNode => self.bmc().await?.and_then(|bmc| bmc.last_reset.clone()),
            ActionKind::ConfigureHardware => self.record().await?.map(evidence::commissioned_as),
            ActionKind::DeployNode | ActionKind::DestroyNode => self.record().await?.map(evidence::installed_as),
            _ => None,
        })
    }

    async fn holds_nothing(&self, node: &str) -> Result<(), DriverError> {
        if let Some(machine) = self.record().await? {
            return match machine.status {
                MachineStatus::New
                | MachineStatus::Commissioning
                | MachineStatus::FailedCommissioning
                | MachineStatus::Ready
                | MachineStatus::Allocated => Ok(()),
                _ => Err(refused(format!("{node} is {} at the provisioner: it may hold an operating system", machine.status_name))),
            };
        }
        match self.bmc().await?.map(|bmc| bmc.power) {
            Some(PowerState::Off) => Ok(()),
            Some(PowerState::On) => Err(refused(format!("{node} is on and unknown to the provisioner: it may be in production"))),
            Some(PowerState::Changing) => Err(DriverError::new(ErrorClass::NotReady, format!("{node} is changing its power state"))),
            Some(PowerState::Unknown) | None => {
                Err(refused(format!("it cannot be told whether {node} is off, and the provisioner does not know it")))
            }
        }
    }
}

//! One system of one BMC: what a look at it shows, and which order is which request.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::boot;
use super::connection::{Talk, Target};
use super::fault::{Fault, refusal};
use super::options::BootMode;
use super::system::System;
use super::tasks::{Progress, Task};
use super::vendor::{self, Vendor};
use crate::action::params::BootTarget;
use crate::build::{Binding, Bmc, BmcHealth, Inventory};
use crate::driver::http::{HttpClient, Method};
use crate::driver::level::{Accepted, Boot, Look, Managed, Verb, Want, Way};
use crate::driver::power::Power;
use crate::driver::{DriverError, ErrorClass};

/// A system and its BMC.
pub(in crate::driver) struct RedfishMachine {
    pub(super) target: Target,
    pub(super) mode: Option<BootMode>,
    /// For reads and orders: repeats what may be repeated.
    pub(super) patient: HttpClient,
    /// For polls, which come again anyway: one dead BMC must not delay the others.
    pub(super) quick: HttpClient,
    pub(super) memory: Mutex<Memory>,
}

/// What was learned of a system in this process.
#[derive(Default)]
pub(super) struct Memory {
    /// As it was last read.
    system: Option<System>,
    vendor: Option<&'static Vendor>,
    /// What the BMC has accepted and works on.
    task: Option<Task>,
}

impl RedfishMachine {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn talk(&self) -> Talk<'_> {
        Talk { target: &self.target, http: &self.patient }
    }

    /// Reads the system.
    async fn read(&self, talk: Talk<'_>, uuid: Option<&str>) -> Result<System, DriverError> {
        let known = self.memory().system.as_ref().map(|s| s.link.clone());
        let system = talk.system(known.as_deref(), uuid).await?;
        let vendor = talk.root().await?.vendor.or_else(|| vendor::of_manufacturer(system.manufacturer.as_deref()));
        let mut memory = self.memory();
        memory.vendor = vendor;
        memory.system = Some(system.clone());
        Ok(system)
    }

    /// The system as the last look showed it: an order follows a look.
    async fn seen(&self) -> Result<System, DriverError> {
        let known = self.memory().system.clone();
        match known {
            Some(system) => Ok(system),
            None => self.read(self.talk(), None).await,
        }
    }

    fn bmc(&self, system: &System, macs: Vec<String>) -> Bmc {
        system.clone().into_bmc(&self.target.endpoint.address, macs)
    }

    /// What became of the task: what it does now, or why it came to nothing.
    async fn progress(&self, talk: Talk<'_>) -> Result<(Option<String>, Option<DriverError>), DriverError> {
        let Some(task) = self.memory().task.clone() else { return Ok((None, None)) };
        let progress = task.poll(talk).await?;
        if !matches!(progress, Progress::Running(_)) {
            self.memory().task = None;
        }
        Ok(match progress {
            Progress::Running(detail) => (Some(detail), None),
            Progress::Ended => (None, None),
            Progress::Failed(error) => (None, Some(error)),
        })
    }

    async fn reset(&self, system: &System, kind: &str) -> Result<(), DriverError> {
        let talk = self.talk();
        let Some(reset) = &system.reset else {
            return Err(talk.error(ErrorClass::Rejected, "the system offers no reset action").hint("the account may lack the right to it"));
        };
        let answer = talk.call(Method::POST, &reset.target, Some(&json!({ "ResetType": kind })), None).await?;
        if !answer.status.is_success() {
            // BMCs refuse to switch on what has just come on; the next observation shows it.
            return Err(refusal(&answer));
        }
        self.memory().task = Task::of(&answer, talk, &format!("reset {kind}"));
        Ok(())
    }

    async fn offered(&self, system: &System) -> Result<Vec<String>, DriverError> {
        let avoid = self.memory().vendor.map(|v| v.avoid).unwrap_or_default();
        let types = self.talk().reset_types(system).await?;
        Ok(types.into_iter().filter(|t| !avoid.contains(&t.as_str())).collect())
    }

    fn cannot(&self, what: &str, types: &[String]) -> DriverError {
        self.talk()
            .error(ErrorClass::Rejected, format!("the BMC offers no way to {what}; it offers {}", types.join(", ")))
            .hint("update the BMC's firmware, or drive this node with another OOB driver")
    }

    fn ways(&self, target: BootTarget) -> Vec<Value> {
        let memory = self.memory();
        memory.system.as_ref().map(|system| boot::ways(target, system, memory.vendor, self.mode)).unwrap_or_default()
    }
}

/// Whether a type is offered; a BMC that does not say what it offers offers what the schema requires of all.
fn offers(types: &[String], kind: &str) -> bool {
    types.is_empty() || types.iter().any(|t| t == kind)
}

#[async_trait]
impl Managed for RedfishMachine {
    const BOOT_WAYS: usize = 3;

    fn context(&self) -> String {
        self.talk().context()
    }

    async fn look(&self, want: Want, binding: &Binding) -> Result<Look, DriverError> {
        let talk = Talk { target: &self.target, http: if want.quick { &self.quick } else { &self.patient } };
        let (busy, failed) = self.progress(talk).await?;
        let system = self.read(talk, binding.uuid.as_deref()).await?;
        let vendor = self.memory().vendor;
        Ok(Look {
            identity: Some(self.bmc(&system, Vec::new())),
            power: Some(Ok(system.power)),
            boot: Some(Ok(boot::shown(&system, vendor))),
            busy,
            failed,
            last_reset: system.last_reset,
        })
    }

    async fn power(&self) -> Result<Power, DriverError> {
        Ok(self.read(self.talk(), None).await?.power)
    }

    async fn boot(&self) -> Result<Boot, DriverError> {
        let system = self.read(self.talk(), None).await?;
        let vendor = self.memory().vendor;
        Ok(boot::shown(&system, vendor))
    }

    async fn identity(&self) -> Result<Bmc, DriverError> {
        let system = self.read(self.talk(), None).await?;
        Ok(self.bmc(&system, Vec::new()))
    }

    async fn interrogate(&self) -> Result<Bmc, DriverError> {
        let talk = self.talk();
        let mut system = self.read(talk, None).await?;
        let types = talk.reset_types(&system).await?;
        if let Some(reset) = &mut system.reset {
            reset.types = types;
        }
        let macs = talk.macs(&system).await?;
        Ok(self.bmc(&system, macs))
    }

    /// NICs, each of which may be a request, are read only where not both UUID and serial number tell which machine it is: some vendors give one of them to all
    /// their machines.
    async fn identify(&self, binding: &Binding) -> Result<Bmc, DriverError> {
        let talk = self.talk();
        let system = self.read(talk, binding.uuid.as_deref()).await?;
        let told = system.uuid.is_some() && system.uuid == binding.uuid && system.serial.is_some() && system.serial == binding.serial;
        let macs = if told { Vec::new() } else { talk.macs(&system).await? };
        Ok(self.bmc(&system, macs))
    }

    async fn switch(&self, verb: Verb) -> Result<(), DriverError> {
        let system = self.seen().await?;
        let types = self.offered(&system).await?;
        let kind = match verb {
            Verb::On => ["On", "ForceOn"].into_iter().find(|k| offers(&types, k)).ok_or_else(|| self.cannot("switch on", &types))?,
            Verb::Off => "ForceOff",
            Verb::Shutdown => "GracefulShutdown",
        };
        if !offers(&types, kind) {
            return Err(self.cannot("switch off", &types));
        }
        self.reset(&system, kind).await
    }

    async fn force_off(&self, asked: bool) -> Result<Accepted, DriverError> {
        let system = self.seen().await?;
        let types = self.offered(&system).await?;
        if offers(&types, "ForceOff") {
            return self.reset(&system, "ForceOff").await.map(|()| Accepted::Ordered);
        }
        if !asked && offers(&types, "GracefulShutdown") {
            return self.reset(&system, "GracefulShutdown").await.map(|()| Accepted::Asked);
        }
        // What cannot be switched off can be made to start anew, which is what switching off and on is for.
        if let Some(kind) = ["PowerCycle", "ForceRestart"].into_iter().find(|k| offers(&types, k)) {
            return self.reset(&system, kind).await.map(|()| Accepted::Reset);
        }
        if asked {
            let what = "the operating system did not shut down in time, and the BMC cannot force it off";
            return Err(self.talk().error(ErrorClass::Failed, what).hint("switch the machine off by hand"));
        }
        Err(self.cannot("switch off", &types))
    }

    fn boot_ways(&self, target: BootTarget) -> usize {
        self.ways(target).len().max(1)
    }

    async fn set_boot(&self, target: BootTarget, way: usize) -> Result<Way, DriverError> {
        let talk = self.talk();
        let system = self.seen().await?;
        let Some(body) = self.ways(target).into_iter().nth(way) else {
            let offered = system.boot.map(|b| b.allowable.join(", ")).unwrap_or_default();
            let what = if target == BootTarget::Pxe { "Pxe" } else { "the disk" };
            return Err(talk
                .error(ErrorClass::Rejected, format!("the BMC does not offer {what} as boot source; it offers {offered}"))
                .hint("enable it in the firmware set-up, for UEFI: the network stack"));
        };
        let answer = talk.patch(&system.link, system.etag.as_deref(), &json!({ "Boot": body })).await?;
        if answer.status.is_success() {
            self.memory().task = Task::of(&answer, talk, "the boot source");
            return Ok(Way::Taken);
        }
        let error = refusal(&answer);
        let passing = answer.status.as_u16() != 501 && Fault::of(&answer).says_later();
        if !passing && matches!(answer.status.as_u16(), 400 | 404 | 405 | 406 | 422 | 500 | 501) {
            return Ok(Way::Refused(error));
        }
        Err(error)
    }

    async fn health(&self) -> Result<BmcHealth, DriverError> {
        let system = self.seen().await?;
        self.talk().health(&system).await
    }

    async fn inventory(&self) -> Result<Option<Inventory>, DriverError> {
        let system = self.seen().await?;
        self.talk().inventory(&system).await.map(Some)
    }

    async fn close(&self) {
        Talk { target: &self.target, http: &self.quick }.logout().await;
    }
}

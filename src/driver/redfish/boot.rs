//! The boot source override.

use std::time::Duration;

use serde_json::{Value, json};

use super::connection::Talk;
use super::fault::{Fault, refusal};
use super::system::System;
use crate::action::params::BootTarget;
use crate::build::{BootEnabled, BootOverride};
use crate::driver::power::Order;
use crate::driver::{Begun, DriverError, ErrorClass, Observation};

/// Whether the override is as wanted. A BMC that makes `Once` permanent is accepted: the override is set back to disk before it could harm.
pub(super) fn is_set(target: BootTarget, boot: Option<&BootOverride>) -> bool {
    match target {
        BootTarget::Pxe => boot.is_some_and(|b| b.target == "Pxe" && b.enabled != BootEnabled::Disabled),
        BootTarget::Disk => boot.is_none_or(|b| b.enabled == BootEnabled::Disabled || matches!(b.target.as_str(), "None" | "Hdd")),
    }
}

/// What the system's override says about an action, given this process's order.
pub(super) fn observe(target: BootTarget, system: &System, order: Option<&Order>) -> Observation {
    if is_set(target, system.boot.as_ref()) {
        Observation::done()
    } else if order.is_some_and(Order::is_open) {
        Observation::InProgress { detail: "the boot source was set and does not show yet".to_owned() }
    } else {
        Observation::NotStarted
    }
}

/// What to try, in order.
fn ways(target: BootTarget, system: &System) -> Vec<Value> {
    let allowable = system.boot.as_ref().map(|b| b.allowable.as_slice()).unwrap_or_default();
    let allows = |name: &str| allowable.is_empty() || allowable.iter().any(|a| a == name);
    let enabled = |name: &str| system.boot_enabled.is_empty() || system.boot_enabled.iter().any(|a| a == name);
    match target {
        BootTarget::Pxe if !allows("Pxe") => Vec::new(),
        BootTarget::Pxe => {
            let lasting = if enabled("Once") { "Once" } else { "Continuous" };
            vec![json!({ "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": lasting })]
        }
        BootTarget::Disk => {
            let mut ways = Vec::new();
            if enabled("Disabled") {
                ways.push(json!({ "BootSourceOverrideEnabled": "Disabled" }));
                if allowable.iter().any(|a| a == "None") {
                    ways.push(json!({ "BootSourceOverrideTarget": "None", "BootSourceOverrideEnabled": "Disabled" }));
                }
            }
            if allows("Hdd") {
                ways.push(json!({ "BootSourceOverrideTarget": "Hdd", "BootSourceOverrideEnabled": "Continuous" }));
            }
            ways
        }
    }
}

impl Talk<'_> {
    /// Sets the override and reads it back.
    pub(super) async fn set_boot(
        &mut self,
        action: &str,
        target: BootTarget,
        settle: Duration,
        pause: Duration,
        mut system: System,
    ) -> Result<Begun, DriverError> {
        if is_set(target, system.boot.as_ref()) {
            self.state.orders.remove(action);
            return Ok(Begun::Complete);
        }
        let mut refused = None;
        let mut accepted = false;
        for way in ways(target, &system) {
            let answer = self.patch(&system.link, system.etag.as_deref(), &json!({ "Boot": way })).await?;
            if !answer.status.is_success() {
                let passing = answer.status.as_u16() != 501 && Fault::of(&answer).says_later();
                if passing || !matches!(answer.status.as_u16(), 400 | 404 | 405 | 406 | 422 | 500 | 501) {
                    return Err(refusal(&answer));
                }
                refused = Some(answer);
                continue;
            }
            accepted = true;
            self.state.orders.insert(action.to_owned(), Order::within(settle));
            for wait in [Duration::ZERO, pause] {
                tokio::time::sleep(wait).await;
                system = self.system(system.uuid.clone().as_deref()).await?;
                if is_set(target, system.boot.as_ref()) {
                    self.state.orders.remove(action);
                    return Ok(Begun::Complete);
                }
            }
        }
        match refused {
            _ if accepted => Ok(Begun::Wait { reason: "the boot source was set and does not show yet".to_owned() }),
            Some(answer) => Err(refusal(&answer)),
            None => {
                let offered = system.boot.map(|b| b.allowable.join(", ")).unwrap_or_default();
                let what = if target == BootTarget::Pxe { "Pxe" } else { "the disk" };
                Err(self
                    .target
                    .error(ErrorClass::Rejected, format!("the BMC does not offer {what} as boot source; it offers {offered}"))
                    .hint("enable it in the firmware set-up, for UEFI: the network stack"))
            }
        }
    }
}

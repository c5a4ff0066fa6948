//! Switching on and off.

use std::time::Duration;

use super::connection::Talk;
use super::fault::refusal;
use super::system::System;
use crate::driver::http::Method;
use crate::driver::power::{Order, Power, Switch, observe};
use crate::driver::{Begun, DriverError, ErrorClass};
use serde_json::json;

impl Talk<'_> {
    /// Orders a power state, if the system is not in it.
    pub(super) async fn switch(
        &mut self,
        action: &str,
        switch: Switch,
        graceful: Duration,
        settle: Duration,
        system: System,
    ) -> Result<Begun, DriverError> {
        let wait = |reason: &str| Ok(Begun::Wait { reason: reason.to_owned() });
        match (switch, system.power) {
            (Switch::On, Power::On) | (Switch::Off, Power::Off) => {
                self.state.orders.remove(action);
                return Ok(Begun::Complete);
            }
            (_, Power::PoweringOn) => return wait("the machine is powering on"),
            (_, Power::PoweringOff) => return wait("the machine is powering off"),
            (_, Power::Unknown) => {
                observe(switch, Power::Unknown, None, &self.target.context())?;
            }
            _ => {}
        }
        let before = self.state.orders.get(action).copied();
        if before.is_some_and(|o| o.is_open()) {
            return wait("it was ordered and is not confirmed yet");
        }
        let types = self.reset_types(&system).await?;
        // A BMC that does not say what it offers offers what the schema requires of all.
        let offers = |kind: &str| types.is_empty() || types.iter().any(|t| t == kind);
        match switch {
            Switch::On => {
                let kind = ["On", "ForceOn"].into_iter().find(|k| offers(k));
                let kind = kind.ok_or_else(|| self.cannot("switch on", &types))?;
                self.reset(action, &system, kind, Order::within(settle)).await?;
                wait("power on is not confirmed yet")
            }
            Switch::Off => {
                let overdue = before.is_some_and(|o| o.is_overdue());
                let force = offers("ForceOff");
                if overdue && !force {
                    return Err(self
                        .target
                        .error(ErrorClass::Failed, "the operating system did not shut down in time, and the BMC cannot force it off")
                        .hint("switch the machine off by hand"));
                }
                if !overdue && offers("GracefulShutdown") && (!graceful.is_zero() || !force) {
                    let order = Order::graceful(if graceful.is_zero() { settle } else { graceful });
                    match self.reset(action, &system, "GracefulShutdown", order).await {
                        Ok(()) => return wait("the operating system is shutting down"),
                        // Some BMCs advertise it and cannot do it.
                        Err(e) if force && e.class == ErrorClass::Rejected => {}
                        Err(e) => return Err(e),
                    }
                }
                if !force {
                    return Err(self.cannot("switch off", &types));
                }
                self.reset(action, &system, "ForceOff", Order::within(settle)).await?;
                wait("power off is not confirmed yet")
            }
        }
    }

    fn cannot(&self, what: &str, types: &[String]) -> DriverError {
        self.target
            .error(ErrorClass::Rejected, format!("the BMC offers no way to {what}; it offers {}", types.join(", ")))
            .hint("update the BMC's firmware, or drive this node with another OOB driver")
    }

    async fn reset(&mut self, action: &str, system: &System, kind: &str, order: Order) -> Result<(), DriverError> {
        let Some(reset) = &system.reset else {
            return Err(self
                .target
                .error(ErrorClass::Rejected, "the system offers no reset action")
                .hint("the account may lack the right to it"));
        };
        let answer = self.call(Method::POST, &reset.target, Some(json!({ "ResetType": kind })), None).await?;
        if !answer.status.is_success() {
            // BMCs refuse to switch on what has just come on; the next observation shows it.
            return Err(refusal(&answer));
        }
        self.state.orders.insert(action.to_owned(), order);
        Ok(())
    }
}

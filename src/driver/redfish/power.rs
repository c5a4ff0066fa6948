//! Switching on and off.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::connection::Talk;
use super::fault::refusal;
use super::system::{Power, System};
use crate::driver::http::Method;
use crate::driver::{Begun, DriverError, ErrorClass, Observation};

/// How long after its time is over a graceful shutdown still leads to a forced one. Later it is from another run, and a running
/// operating system gets its time anew.
const FORGET: Duration = Duration::from_mins(10);

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

/// What this process has ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// Until when the old state is in progress.
    until: Instant,
    /// Whether the operating system was asked to shut down.
    graceful: bool,
}

impl Order {
    /// An order that is confirmed within some time.
    pub(super) fn within(time: Duration) -> Self {
        Self { until: Instant::now() + time, graceful: false }
    }

    /// Whether its time is not over.
    pub(super) fn is_open(&self) -> bool {
        Instant::now() < self.until
    }
}

/// What the system's power state says about an action, given this process's order.
pub(super) fn observe(switch: Switch, power: Power, order: Option<&Order>, context: &str) -> Result<Observation, DriverError> {
    let open = order.filter(|o| o.is_open());
    Ok(match (switch, power) {
        (Switch::On, Power::On) | (Switch::Off, Power::Off) => Observation::done(),
        (_, Power::PoweringOn) => Observation::InProgress { detail: "powering on".to_owned() },
        (_, Power::PoweringOff) => Observation::InProgress { detail: "powering off".to_owned() },
        (_, Power::Unknown) => {
            return Err(DriverError::new(ErrorClass::NotReady, format!("{context}: the BMC does not report the power state"))
                .hint("it may still be starting; it is tried again"));
        }
        (Switch::Off, Power::On) if open.is_some_and(|o| o.graceful) => {
            Observation::InProgress { detail: "the operating system was asked to shut down".to_owned() }
        }
        (Switch::Off, Power::On) if open.is_some() => Observation::InProgress { detail: "switched off, not confirmed yet".to_owned() },
        (Switch::On, Power::Off) if open.is_some() => Observation::InProgress { detail: "switched on, not confirmed yet".to_owned() },
        (Switch::Off, Power::On) | (Switch::On, Power::Off) => Observation::NotStarted,
    })
}

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
                let overdue = before.is_some_and(|o| o.graceful && o.until + FORGET > Instant::now());
                let force = offers("ForceOff");
                if overdue && !force {
                    return Err(self
                        .target
                        .error(ErrorClass::Failed, "the operating system did not shut down in time, and the BMC cannot force it off")
                        .hint("switch the machine off by hand"));
                }
                if !overdue && offers("GracefulShutdown") && (!graceful.is_zero() || !force) {
                    let order = Order { until: Instant::now() + if graceful.is_zero() { settle } else { graceful }, graceful: true };
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

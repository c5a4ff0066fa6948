//! Power as a level: what a machine's state says about an action, for every driver that switches machines.
//!
//! Done means that the machine is in the wanted state. What this process has ordered is kept in memory only: after an order the old state is *in
//! progress* for a while, since BMCs confirm late; after that, or in a process that did not order it, it is *not started*, and ordering again is
//! harmless. Pure but for the clock.

use std::time::Duration;

use tokio::time::Instant;

use super::{DriverError, ErrorClass, Observation};

/// How long after its time is over a graceful shutdown still leads to a forced one. Later it is from another run, and a running
/// operating system gets its time anew.
const FORGET: Duration = Duration::from_mins(10);

/// Power state of a machine as its BMC or hypervisor reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
    PoweringOn,
    PoweringOff,
    Unknown,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

/// What this process has ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Until when the old state is in progress.
    until: Instant,
    /// Whether the operating system was asked to shut down.
    graceful: bool,
    /// The machine was reset instead of switched off; when it was last reset before, if it tells.
    reset: Option<Option<String>>,
}

impl Order {
    /// An order that is confirmed within some time.
    pub(super) fn within(time: Duration) -> Self {
        Self { until: Instant::now() + time, graceful: false, reset: None }
    }

    /// The operating system was asked to shut down, and has this long for it.
    pub(super) fn graceful(time: Duration) -> Self {
        Self { until: Instant::now() + time, graceful: true, reset: None }
    }

    /// It was reset instead of switched off; `before` is its last reset before that.
    pub(super) fn reset(before: Option<String>, time: Duration) -> Self {
        Self { until: Instant::now() + time, graceful: false, reset: Some(before) }
    }

    /// Whether its time is not over.
    pub(super) fn is_open(&self) -> bool {
        Instant::now() < self.until
    }

    /// Whether it was a graceful shutdown whose time is over, so that the machine is to be forced off.
    pub(super) fn is_overdue(&self) -> bool {
        self.graceful && !self.is_open() && self.until + FORGET > Instant::now()
    }
}

/// What a machine's power state says about an action, given this process's order.
pub(super) fn observe(
    switch: Switch,
    power: Power,
    order: Option<&Order>,
    last_reset: Option<&str>,
    context: &str,
) -> Result<Observation, DriverError> {
    let open = order.filter(|o| o.is_open());
    let was_reset = order.and_then(|o| o.reset.as_ref());
    Ok(match (switch, power) {
        (Switch::On, Power::On) | (Switch::Off, Power::Off) => Observation::done(),
        (_, Power::PoweringOn) => Observation::InProgress { detail: "powering on".to_owned() },
        (_, Power::PoweringOff) => Observation::InProgress { detail: "powering off".to_owned() },
        (_, Power::Unknown) => {
            return Err(DriverError::new(ErrorClass::NotReady, format!("{context}: the BMC does not report the power state"))
                .hint("it may still be starting; it is tried again"));
        }
        // A reset that shows is what switching off was for: whatever ran there runs no more.
        (Switch::Off, Power::On) if was_reset.is_some_and(|before| last_reset.is_some() && before.as_deref() != last_reset) => {
            Observation::done()
        }
        (Switch::Off, Power::On) if was_reset.is_some() && open.is_some() => {
            Observation::InProgress { detail: "it was reset, since it cannot be switched off; not confirmed yet".to_owned() }
        }
        (Switch::Off, Power::On) if was_reset.is_some() => {
            let what = "the machine cannot be switched off and was reset instead, and its last reset time does not show that";
            Observation::Failed(
                DriverError::new(ErrorClass::Inconclusive, format!("{context}: {what}")).hint("see whether it has started anew"),
            )
        }
        (Switch::Off, Power::On) if open.is_some_and(|o| o.graceful) => {
            Observation::InProgress { detail: "the operating system was asked to shut down".to_owned() }
        }
        (Switch::Off, Power::On) if open.is_some() => Observation::InProgress { detail: "switched off, not confirmed yet".to_owned() },
        (Switch::On, Power::Off) if open.is_some() => Observation::InProgress { detail: "switched on, not confirmed yet".to_owned() },
        (Switch::Off, Power::On) | (Switch::On, Power::Off) => Observation::NotStarted,
    })
}

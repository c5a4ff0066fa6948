//! Machines whose power and boot source are levels (Redfish, IPMI, libvirt): which action is which command, when it is done, when it is repeated.
//!
//! In: a [`Managed`] machine per node. Out: the driver side of `set_node_boot`, `power_on_node` and `power_off_node`, with the meaning that
//! [`super::power`] describes. One command at a time per machine; machines are worked on side by side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::power::{self, Order, Power, Switch};
use super::{Begun, Call, Driver, DriverError, ErrorClass, Observation, OobDriver};
use crate::action::ActionKind;
use crate::action::params::{BootTarget, PowerParams, SetNodeBoot};
use crate::build::{Binding, Bmc, BmcHealth, BootOverride, Inventory, PowerState};

/// A power command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    On,
    /// Off at once.
    Off,
    /// Ask the operating system to shut down.
    Shutdown,
}

/// Whether a machine boots from somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Yes,
    /// What it shows is what is left of such a setting, so it counts only after the setting was accepted.
    IfOrdered,
    No,
}

/// Where a machine boots from next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) pxe: Shown,
    pub(super) disk: Shown,
    /// The same as a fact.
    pub(super) fact: BootOverride,
}

impl Boot {
    pub(super) fn is_set(&self, target: BootTarget, ordered: bool) -> bool {
        let shown = match target {
            BootTarget::Pxe => self.pxe,
            BootTarget::Disk => self.disk,
        };
        shown == Shown::Yes || (ordered && shown == Shown::IfOrdered)
    }
}

/// What a look is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) power: bool,
    pub(super) boot: bool,
    /// It comes again soon, so what fails is not repeated.
    pub(super) quick: bool,
}

/// What one look at a machine shows.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Which machine it is, where that is seen with the rest; power and boot source are not in it.
    pub(super) identity: Option<Bmc>,
    pub(super) power: Option<Result<Power, DriverError>>,
    pub(super) boot: Option<Result<Boot, DriverError>>,
    /// What the machine has accepted and works on, in a few words.
    pub(super) busy: Option<String>,
    /// Why something that it had accepted came to nothing; told once.
    pub(super) failed: Option<DriverError>,
    /// When it was last started or reset, as the machine writes it.
    pub(super) last_reset: Option<String>,
}

/// How an order to switch off was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepted {
    /// It goes off.
    Ordered,
    /// The operating system was asked: there is no other way.
    Asked,
    /// It cannot be switched off, and was reset instead.
    Reset,
}

/// A machine that can be asked and ordered. Every method is one exchange with it; none repeats an order.
#[async_trait]
pub(super) trait Managed: Send + Sync + 'static {
    /// How many ways there are to set a boot source; the next is tried when one is refused or has no effect.
    const BOOT_WAYS: usize;

    /// The start of every message: node and address.
    fn context(&self) -> String;

    /// The power state.
    async fn power(&self) -> Result<Power, DriverError>;

    /// Where it boots from.
    async fn boot(&self) -> Result<Boot, DriverError>;

    /// Which machine it is; power and boot source are added by the caller.
    async fn identity(&self) -> Result<Bmc, DriverError>;

    /// One look, with as few exchanges as it takes.
    async fn look(&self, want: Want, binding: &Binding) -> Result<Look, DriverError> {
        let _ = binding;
        let power = if want.power { Some(self.power().await) } else { None };
        let boot = if want.boot { Some(self.boot().await) } else { None };
        Ok(Look { power, boot, ..Look::default() })
    }

    /// Everything that tells which machine it is, with power and boot source.
    async fn interrogate(&self) -> Result<Bmc, DriverError> {
        let mut bmc = self.identity().await?;
        bmc.power = match self.power().await? {
            Power::On => PowerState::On,
            Power::Off => PowerState::Off,
            Power::PoweringOn | Power::PoweringOff => PowerState::Changing,
            Power::Unknown => PowerState::Unknown,
        };
        bmc.boot = match self.boot().await {
            Ok(boot) => Some(boot.fact),
            // It has no such thing.
            Err(e) if e.class == ErrorClass::Rejected => None,
            Err(e) => return Err(e),
        };
        Ok(bmc)
    }

    /// As much of it as tells power, and whether it is the bound machine.
    async fn identify(&self, binding: &Binding) -> Result<Bmc, DriverError> {
        let _ = binding;
        self.interrogate().await
    }

    /// Orders a change of power.
    async fn switch(&self, verb: Verb) -> Result<(), DriverError>;

    /// Orders it off at once, or in whatever way there is; `asked` says that the operating system was asked before, and did not shut down in time.
    async fn force_off(&self, asked: bool) -> Result<Accepted, DriverError> {
        let _ = asked;
        self.switch(Verb::Off).await.map(|()| Accepted::Ordered)
    }

    /// How many ways there are to set this boot source now.
    fn boot_ways(&self, target: BootTarget) -> usize {
        let _ = target;
        Self::BOOT_WAYS
    }

    /// Sets the boot source in one of its ways.
    async fn set_boot(&self, target: BootTarget, way: usize) -> Result<Way, DriverError>;

    /// Firmware, sensors, events.
    async fn health(&self) -> Result<BmcHealth, DriverError>;

    /// Parts, health and events; `None` where the driver does not read them.
    async fn inventory(&self) -> Result<Option<Inventory>, DriverError> {
        Ok(None)
    }

    /// Ends sessions.
    async fn close(&self) {}
    /// How far its clock is ahead of ours, in milliseconds; `None` where it tells no time.
    async fn clock(&self) -> Result<Option<i64>, DriverError> {
        Ok(None)
    }

    /// The version of the program that carries commands out; `None` where there is none.
    async fn program(&self) -> Result<Option<String>, DriverError> {
        Ok(None)
    }
}

/// Times of a driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How often waiters are polled.
    pub(super) poll: Duration,
    /// How long after an order the old state counts as in progress.
    pub(super) settle: Duration,
    /// Pause before a boot source that was set but does not show yet is read once more.
    pub(super) confirm_pause: Duration,
    /// How long the observation of one machine may take; the others wait for it no longer than this.
    pub(super) observe_limit: Duration,
    /// How long one beginning may take: less than an engine lets one request take.
    pub(super) begin_limit: Duration,
}

/// The driver side of machines of one kind.
pub(super) struct Levels<M> {
    name: &'static str,
    times: Times,
    nodes: BTreeMap<String, Slot<M>>,
    /// Bounds the machines that are observed at once, so that the time limit of one does not run while it waits for others.
    observing: Semaphore,
}

struct Slot<M> {
    machine: M,
    /// Orders by action id; held while the machine is talked to.
    orders: Mutex<BTreeMap<String, Order>>,
}

impl<M: Managed> Levels<M> {
    pub(super) fn new(name: &'static str, times: Times, parallel: usize, machines: Vec<(String, M)>) -> Result<Arc<Self>, DriverError> {
        let mut nodes = BTreeMap::new();
        for (node, machine) in machines {
            if nodes.insert(node.clone(), Slot { machine, orders: Mutex::default() }).is_some() {
                return Err(DriverError::new(ErrorClass::Rejected, format!("node {node} is given two BMCs")).hint("keep one"));
            }
        }
        Ok(Arc::new(Self { name, times, nodes, observing: Semaphore::new(parallel.max(1)) }))
    }

    pub(super) fn names(&self) -> Vec<&String> {
        self.nodes.keys().collect()
    }

    fn slot(&self, node: Option<&str>, what: &str) -> Result<&Slot<M>, DriverError> {
        let node = node.ok_or_else(|| DriverError::new(ErrorClass::Bug, format!("{what} names no node")))?;
        self.nodes.get(node).ok_or_else(|| {
            DriverError::new(ErrorClass::Rejected, format!("node {node} is not driven by {}", self.name))
                .hint("its `oob.type` may have changed since the plan was made: plan again")
        })
    }

    fn not_mine(&self, kind: ActionKind) -> DriverError {
        DriverError::new(ErrorClass::Bug, format!("the {} driver has no action {kind}", self.name))
    }

    /// Observes all calls, machines side by side; one entry per call, in order.
    async fn observe(self: &Arc<Self>, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut out: Vec<Option<Result<Observation, DriverError>>> = vec![None; calls.len()];
        let mut by_node: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, call) in calls.iter().enumerate() {
            match call.node.as_deref() {
                Some(node) => by_node.entry(node).or_default().push(i),
                None => out[i] = Some(Err(DriverError::new(ErrorClass::Bug, format!("{} names no node", call.kind)))),
            }
        }
        let mut tasks = JoinSet::new();
        for (name, places) in by_node {
            let (levels, name) = (Arc::clone(self), name.to_owned());
            let calls: Vec<Call> = places.iter().map(|&i| calls[i].clone()).collect();
            tasks.spawn(async move { (places, levels.observe_node(&name, &calls).await) });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((places, seen)) = joined {
                for (i, one) in places.into_iter().zip(seen) {
                    out[i] = Some(one);
                }
            }
        }
        let lost = || Err(DriverError::new(ErrorClass::Transient, "the observation was interrupted"));
        out.into_iter().map(|one| one.unwrap_or_else(lost)).collect()
    }

    async fn observe_node(&self, name: &str, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let slot = match self.slot(Some(name), "an action") {
            Ok(slot) => slot,
            Err(e) => return vec![Err(e); calls.len()],
        };
        let _turn = self.observing.acquire().await;
        let limit = self.times.observe_limit;
        tokio::time::timeout(limit, self.observe_slot(slot, calls)).await.unwrap_or_else(|_| {
            let what = format!("{}: it did not tell its state within {} s", slot.machine.context(), limit.as_secs_f32());
            vec![Err(DriverError::new(ErrorClass::Transient, what)); calls.len()]
        })
    }

    /// One reading of power and one of the boot source serve all calls.
    async fn observe_slot(&self, slot: &Slot<M>, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        let mut orders = slot.orders.lock().await;
        let wants = |boot: bool| calls.iter().any(|c| (c.kind == ActionKind::SetNodeBoot) == boot);
        let want = Want { power: wants(false), boot: wants(true), quick: true };
        let binding = calls.iter().map(|c| &c.binding).find(|b| b.uuid.is_some()).or(calls.first().map(|c| &c.binding));
        match slot.machine.look(want, binding.unwrap_or(&Binding::default())).await {
            Ok(look) => calls.iter().map(|call| self.observe_call(slot, &mut orders, &look, call)).collect(),
            Err(e) => vec![Err(e); calls.len()],
        }
    }

    fn observe_call(
        &self,
        slot: &Slot<M>,
        orders: &mut BTreeMap<String, Order>,
        look: &Look,
        call: &Call,
    ) -> Result<Observation, DriverError> {
        if let Some(seen) = &look.identity {
            is_bound(slot, seen, call)?;
        }
        let order = orders.get(&call.action);
        let level = |switch| match &look.power {
            Some(Ok(power)) => power::observe(switch, *power, order, look.last_reset.as_deref(), &slot.machine.context()),
            Some(Err(e)) => Err(e.clone()),
            None => Err(self.not_mine(call.kind)),
        };
        let seen = match call.kind {
            ActionKind::PowerOnNode => level(Switch::On)?,
            ActionKind::PowerOffNode => match (level(Switch::Off)?, started_since(call, look).filter(|_| order.is_none())) {
                (Observation::NotStarted, Some(why)) => Observation::Unknown(why),
                (seen, _) => seen,
            },
            ActionKind::SetNodeBoot => match &look.boot {
                Some(Ok(boot)) if boot.is_set(call.params::<SetNodeBoot>()?.target, order.is_some()) => Observation::done(),
                Some(Ok(_)) if order.is_some_and(Order::is_open) => {
                    Observation::InProgress { detail: "the boot source was set and does not show yet".to_owned() }
                }
                Some(Ok(_)) => Observation::NotStarted,
                Some(Err(e)) => return Err(e.clone()),
                None => return Err(self.not_mine(call.kind)),
            },
            other => return Err(self.not_mine(other)),
        };
        let seen = match (seen, &look.busy, &look.failed) {
            // What the BMC says of a task is worth less than the state that it shows.
            (Observation::Done { .. }, ..) => Observation::done(),
            (_, _, Some(error)) if order.is_some() => Observation::Failed(error.clone()),
            (_, Some(detail), _) if order.is_some() => Observation::InProgress { detail: detail.clone() },
            (seen, ..) => seen,
        };
        if matches!(seen, Observation::Done { .. } | Observation::Failed(_)) {
            orders.remove(&call.action);
        }
        Ok(seen)
    }

    /// Begins an action.
    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        let slot = self.slot(call.node.as_deref(), call.kind.name())?;
        let limit = self.times.begin_limit;
        tokio::time::timeout(limit, self.begin_slot(slot, call)).await.unwrap_or_else(|_| {
            let what = format!("{}: {} was not accepted within {} s", slot.machine.context(), call.kind, limit.as_secs());
            Err(DriverError::new(ErrorClass::Transient, what))
        })
    }

    async fn begin_slot(&self, slot: &Slot<M>, call: &Call) -> Result<Begun, DriverError> {
        let mut orders = slot.orders.lock().await;
        let boots = call.kind == ActionKind::SetNodeBoot;
        let mut look = slot.machine.look(Want { power: !boots, boot: boots, quick: false }, &call.binding).await?;
        let seen = match look.identity.take() {
            Some(seen) => seen,
            None => slot.machine.identity().await?,
        };
        is_bound(slot, &seen, call)?;
        let work = Work { slot, action: &call.action, orders: &mut orders };
        match call.kind {
            ActionKind::SetNodeBoot => self.set_boot(work, &look, call.params::<SetNodeBoot>()?.target).await,
            ActionKind::PowerOnNode => self.switch(work, look, Switch::On, Duration::ZERO).await,
            ActionKind::PowerOffNode => {
                let graceful = Duration::from_secs(u64::from(call.params::<PowerParams>()?.graceful_s));
                self.switch(work, look, Switch::Off, graceful).await
            }
            other => Err(self.not_mine(other)),
        }
    }

    async fn switch(&self, work: Work<'_, M>, look: Look, switch: Switch, graceful: Duration) -> Result<Begun, DriverError> {
        let Work { slot, action, orders } = work;
        let wait = |reason: &str| Ok(Begun::Wait { reason: reason.to_owned() });
        let power = look.power.ok_or_else(|| self.not_mine(ActionKind::PowerOnNode))??;
        match (switch, power) {
            (Switch::On, Power::On) | (Switch::Off, Power::Off) => {
                orders.remove(action);
                return Ok(Begun::Complete);
            }
            (_, Power::PoweringOn) => return wait("the machine is powering on"),
            (_, Power::PoweringOff) => return wait("the machine is powering off"),
            (_, Power::Unknown) => {
                power::observe(switch, Power::Unknown, None, None, &slot.machine.context())?;
            }
            _ => {}
        }
        if let Some(detail) = look.busy {
            return Ok(Begun::Wait { reason: detail });
        }
        let before = orders.get(action).cloned();
        if before.as_ref().is_some_and(Order::is_open) {
            return wait("it was ordered and is not confirmed yet");
        }
        let settle = self.times.settle;
        if switch == Switch::On {
            slot.machine.switch(Verb::On).await?;
            orders.insert(action.to_owned(), Order::within(settle));
            return wait("power on is not confirmed yet");
        }
        let asked = before.as_ref().is_some_and(Order::is_overdue);
        if !graceful.is_zero() && !asked {
            match slot.machine.switch(Verb::Shutdown).await {
                Ok(()) => {
                    orders.insert(action.to_owned(), Order::graceful(graceful));
                    return wait("the operating system is shutting down");
                }
                // Soft-off is optional (IPMI 2.0, table 28-4), some BMCs advertise it and cannot do it, and not every machine listens to it.
                Err(e) if e.class == ErrorClass::Rejected => {}
                Err(e) => return Err(e),
            }
        }
        let (order, reason) = match slot.machine.force_off(asked).await? {
            Accepted::Ordered => (Order::within(settle), "power off is not confirmed yet"),
            Accepted::Asked => (Order::graceful(settle), "the operating system is shutting down"),
            Accepted::Reset => (Order::reset(look.last_reset, settle), "the machine cannot be switched off, and was reset instead"),
        };
        orders.insert(action.to_owned(), order);
        wait(reason)
    }

    async fn set_boot(&self, work: Work<'_, M>, look: &Look, target: BootTarget) -> Result<Begun, DriverError> {
        let Work { slot, action, orders } = work;
        match &look.boot {
            Some(Ok(boot)) if boot.is_set(target, false) => return Ok(Begun::Complete),
            Some(Err(e)) => return Err(e.clone()),
            _ => {}
        }
        if let Some(detail) = &look.busy {
            return Ok(Begun::Wait { reason: detail.clone() });
        }
        let mut refused: Option<DriverError> = None;
        let mut accepted = false;
        for way in 0..slot.machine.boot_ways(target) {
            match slot.machine.set_boot(target, way).await {
                Ok(Way::Taken) => {}
                Ok(Way::Refused(e)) => {
                    // What may pass by itself is worth another attempt, whatever was said of the other ways.
                    if refused.as_ref().is_none_or(|known| known.class == ErrorClass::Rejected) {
                        refused = Some(e);
                    }
                    continue;
                }
                Err(e) => return Err(e),
            }
            accepted = true;
            orders.insert(action.to_owned(), Order::within(self.times.settle));
            for wait in [Duration::ZERO, self.times.confirm_pause] {
                tokio::time::sleep(wait).await;
                if slot.machine.boot().await?.is_set(target, true) {
                    return Ok(Begun::Complete);
                }
            }
        }
        match refused {
            Some(error) if !accepted => Err(error),
            _ => Ok(Begun::Wait { reason: "the boot source was set and does not show yet".to_owned() }),
        }
    }

    /// Something that is read of one machine while nothing else talks to it.
    async fn turn(&self, node: &str, what: &str) -> Result<(&Slot<M>, tokio::sync::MutexGuard<'_, BTreeMap<String, Order>>), DriverError> {
        let slot = self.slot(Some(node), what)?;
        Ok((slot, slot.orders.lock().await))
    }

    /// Ends the sessions of all machines.
    async fn close(self: &Arc<Self>) {
        let mut tasks = JoinSet::new();
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in names {
            let levels = Arc::clone(self);
            tasks.spawn(async move {
                if let Ok((slot, _turn)) = levels.turn(&name, "the end").await {
                    slot.machine.close().await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// What became of one way of setting the boot source.
#[derive(Debug)]
pub(super) enum Way {
    /// The BMC accepted it.
    Taken,
    /// The BMC refused it, and another way may do; why, if none does.
    Refused(DriverError),
}

/// One action on one machine, whose turn it is.
struct Work<'a, M> {
    slot: &'a Slot<M>,
    action: &'a str,
    orders: &'a mut BTreeMap<String, Order>,
}

/// Whether a machine was switched on or reset since its BMC was to switch it off, as far as the BMC tells.
fn started_since(call: &Call, look: &Look) -> Option<String> {
    let (before, now) = (call.before.as_ref().filter(|_| call.begun)?, look.last_reset.as_ref()?);
    (before != now).then(|| format!("the machine is on, and was last started at {now}; before it was to be switched off that was {before}"))
}

/// Refuses a machine that is not the bound one.
fn is_bound<M: Managed>(slot: &Slot<M>, seen: &Bmc, call: &Call) -> Result<(), DriverError> {
    let Some(why) = call.binding.contradicts_bmc(seen) else { return Ok(()) };
    let node = call.node.as_deref().unwrap_or_default();
    Err(DriverError::new(ErrorClass::Precondition, format!("{}: {why}", slot.machine.context()))
        .hint(format!("check the BMC address of node {node}; if the machine was replaced: `drydock rebind node.{node}`")))
}

/// A driver whose machines are [`Levels`], and which has nothing of its own to say about actions.
pub(super) trait Levelled: Send + Sync {
    /// What it drives.
    type Machine: Managed;

    /// Its machines.
    fn levels(&self) -> &Arc<Levels<Self::Machine>>;
}

#[async_trait]
impl<T: Levelled> Driver for T {
    fn name(&self) -> &'static str {
        self.levels().name
    }

    fn poll_interval(&self) -> Duration {
        self.levels().times.poll
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        self.levels().observe(calls).await
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        self.levels().begin(call).await
    }
}

#[async_trait]
impl<T: Levelled> OobDriver for T {
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        self.levels().turn(node, "interrogate").await?.0.machine.interrogate().await
    }

    async fn identify(&self, node: &str, binding: &Binding) -> Result<Bmc, DriverError> {
        self.levels().turn(node, "identify").await?.0.machine.identify(binding).await
    }

    async fn health(&self, node: &str) -> Result<BmcHealth, DriverError> {
        self.levels().turn(node, "health").await?.0.machine.health().await
    }

    async fn inventory(&self, node: &str) -> Result<Option<Inventory>, DriverError> {
        self.levels().turn(node, "inventory").await?.0.machine.inventory().await
    }

    async fn close(&self) {
        self.levels().close().await;
    }

    async fn clock(&self, node: &str) -> Result<Option<i64>, DriverError> {
        self.levels().turn(node, "clock").await?.0.machine.clock().await
    }

    async fn program(&self) -> Result<Option<String>, DriverError> {
        match self.levels().nodes.values().next() {
            Some(slot) => slot.machine.program().await,
            None => Ok(None),
        }
    }
}

//! Drivers of a run whose calls need its lock: without it nothing is sent, and what is under way is cut off.
//!
//! A process can be stopped at any instant, for longer than its lease, and go on when another has taken the site over. So the lease is looked at before each
//! call and each time a call goes on, not only when an effect begins: of a call that was stopped in the middle nothing more is sent. Every method of the
//! drivers' traits is passed on here. What a call has given to a queue already, and what others do for it, is stopped by the drivers' permit, which they look
//! at where bytes are written.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::ErrorClass;
use crate::build::{Binding, Bmc, BmcHealth, Endpoint, Inventory, Machine, Neighbour, Provisioner};
use crate::driver::{Begun, Call, Driver, DriverError, NodeDriver, Observation, OobDriver};

use super::Drivers;
use super::lease::Lease;

struct Fenced<D: ?Sized> {
    driver: Arc<D>,
    lease: Lease,
}

/// The same drivers, for as long as the lock is ours.
pub(super) fn fenced(drivers: Drivers, lease: &Lease) -> Drivers {
    let Drivers { node, oob, hooks, oob_of, permit } = drivers;
    let held = lease.clone();
    permit.rests_on(move || held.is_held());
    let node = node.into_iter().map(|(name, driver)| (name, Arc::new(Fenced { driver, lease: lease.clone() }) as Arc<dyn NodeDriver>));
    let oob = oob.into_iter().map(|(name, driver)| (name, Arc::new(Fenced { driver, lease: lease.clone() }) as Arc<dyn OobDriver>));
    let hooks = hooks.map(|driver| Arc::new(Fenced { driver, lease: lease.clone() }) as Arc<dyn Driver>);
    Drivers { node: node.collect(), oob: oob.collect(), hooks, oob_of, permit }
}

impl Lease {
    /// Does what a call does for as long as the lock is ours.
    async fn guards<T>(&self, call: impl Future<Output = Result<T, DriverError>>) -> Result<T, DriverError> {
        if !self.is_renewed().await {
            return Err(DriverError::new(ErrorClass::Transient, "the lock of this run is lost: nothing was asked for"));
        }
        let mut call = pin!(call);
        // A lock that is lost does not wait for the answer of a server that is slow.
        let mut lost = pin!(self.lost().cancelled());
        poll_fn(|context| {
            if lost.as_mut().poll(context).is_pending() && self.is_held() {
                return call.as_mut().poll(context);
            }
            Poll::Ready(Err(DriverError::new(
                ErrorClass::Transient,
                "the lease on the site's lock ended during a call, so it was cut off: this process or its machine stood still, or the state could not be reached",
            )))
        })
        .await
    }
}

#[async_trait]
impl<D: Driver + ?Sized> Driver for Fenced<D> {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn poll_interval(&self) -> Duration {
        self.driver.poll_interval()
    }

    async fn observe(&self, calls: &[Call]) -> Vec<Result<Observation, DriverError>> {
        match self.lease.guards(async { Ok(self.driver.observe(calls).await) }).await {
            Ok(observations) => observations,
            Err(error) => calls.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn prerequisites(&self, calls: &[Call]) -> Result<(), DriverError> {
        self.lease.guards(self.driver.prerequisites(calls)).await
    }

    async fn begin(&self, call: &Call) -> Result<Begun, DriverError> {
        self.lease.guards(self.driver.begin(call)).await
    }
}

#[async_trait]
impl<D: OobDriver + ?Sized> OobDriver for Fenced<D> {
    async fn interrogate(&self, node: &str) -> Result<Bmc, DriverError> {
        self.lease.guards(self.driver.interrogate(node)).await
    }

    async fn identify(&self, node: &str, binding: &Binding) -> Result<Bmc, DriverError> {
        self.lease.guards(self.driver.identify(node, binding)).await
    }

    async fn health(&self, node: &str) -> Result<BmcHealth, DriverError> {
        self.lease.guards(self.driver.health(node)).await
    }

    async fn inventory(&self, node: &str) -> Result<Option<Inventory>, DriverError> {
        self.lease.guards(self.driver.inventory(node)).await
    }

    async fn clock(&self, node: &str) -> Result<Option<i64>, DriverError> {
        self.lease.guards(self.driver.clock(node)).await
    }

    async fn program(&self) -> Result<Option<String>, DriverError> {
        self.driver.program().await
    }

    async fn close(&self) {
        self.driver.close().await;
    }
}

#[async_trait]
impl<D: NodeDriver + ?Sized> NodeDriver for Fenced<D> {
    async fn endpoint(&self) -> Result<Endpoint, DriverError> {
        self.lease.guards(self.driver.endpoint()).await
    }

    async fn discover(&self) -> Result<Provisioner, DriverError> {
        self.lease.guards(self.driver.discover()).await
    }

    async fn machine(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        self.lease.guards(self.driver.machine(binding)).await
    }

    async fn record(&self, binding: &Binding) -> Result<Option<Machine>, DriverError> {
        self.lease.guards(self.driver.record(binding)).await
    }

    async fn neighbours(&self, machine: &str) -> Result<Vec<Neighbour>, DriverError> {
        self.lease.guards(self.driver.neighbours(machine)).await
    }

    async fn clock(&self) -> Result<Option<i64>, DriverError> {
        self.lease.guards(self.driver.clock()).await
    }

    async fn mark_broken(&self, binding: &Binding, why: &str) -> Result<(), DriverError> {
        self.lease.guards(self.driver.mark_broken(binding, why)).await
    }

    async fn build_data(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        self.lease.guards(self.driver.build_data(machine)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::apply::lease::Moment;
    use crate::store::{Grant, Holder, LockRow};

    fn lease(length: Duration) -> Lease {
        let lock = LockRow {
            id: "l".to_owned(),
            provisioner: "p".to_owned(),
            site: "s".to_owned(),
            run: "r".to_owned(),
            holder: Holder { host: "h".to_owned(), user: "u".to_owned(), pid: 1 },
            since_ms: 0,
            lease_until_ms: 0,
            alive: None,
            shared: true,
            ended: false,
        };
        Lease::new(Grant { lock, from: None }, Moment::now(), length, Duration::ZERO)
    }

    /// A call of many steps, each of which would be a request.
    async fn steps(taken: &AtomicU32) -> Result<(), DriverError> {
        loop {
            taken.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[test]
    fn no_method_of_a_driver_goes_past_the_fence() {
        let methods = |text: &str| -> std::collections::BTreeSet<String> {
            let names = text.split("    async fn ").skip(1).filter_map(|rest| rest.split_once("(&self"));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        let missing: Vec<String> =
            methods(include_str!("../driver/types.rs")).difference(&methods(include_str!("fence.rs"))).cloned().collect();
        assert_eq!(missing, Vec::<String>::new(), "pass them on in `Fenced`");
        assert!(methods(include_str!("fence.rs")).contains("begin"));
    }

    #[tokio::test]
    async fn a_call_is_cut_off_when_the_lease_ends() {
        let taken = AtomicU32::new(0);
        let error = lease(Duration::from_millis(50)).guards(steps(&taken)).await.unwrap_err();
        assert!(error.class == ErrorClass::Transient && error.message.contains("so it was cut off"), "{error}");
        assert!(taken.load(Ordering::SeqCst) > 0);
    }

    #[tokio::test]
    async fn after_the_end_of_the_lease_no_call_begins_until_it_is_renewed() {
        let (taken, ended) = (AtomicU32::new(0), lease(Duration::ZERO));
        let call = ended.guards(steps(&taken));
        let waited = tokio::time::timeout(Duration::from_millis(20), call).await;
        assert!(waited.is_err() && taken.load(Ordering::SeqCst) == 0);
        ended.lost().cancel();
        let error = ended.guards(steps(&taken)).await.unwrap_err();
        assert!(error.message.contains("nothing was asked for"), "{error}");
        assert_eq!(taken.load(Ordering::SeqCst), 0);
    }
}

//! The lease on the site's lock: no effect starts when it is shorter than the longest request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};

use super::context::wall_ms;

/// The lease. Times are of the wall clock, which goes on while a machine sleeps.
#[derive(Clone)]
pub(super) struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    length_ms: u64,
    longest_request_ms: u64,
    until_ms: AtomicU64,
    wanted: Notify,
    renewed: Notify,
    lost: CancellationToken,
}

impl Lease {
    pub(super) fn new(id: String, until_ms: u64, length: Duration, longest_request: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                id,
                length_ms: length.as_millis() as u64,
                longest_request_ms: longest_request.as_millis() as u64,
                until_ms: AtomicU64::new(until_ms),
                wanted: Notify::new(),
                renewed: Notify::new(),
                lost: CancellationToken::new(),
            }),
        }
    }

    /// Id of the lock.
    pub(super) fn id(&self) -> &str {
        &self.shared.id
    }

    /// Cancelled when the lock was removed.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.shared.lost
    }

    fn is_long_enough(&self) -> bool {
        let until = self.shared.until_ms.load(Ordering::Acquire);
        until.saturating_sub(wall_ms()) > self.shared.longest_request_ms
    }

    /// Waits until an effect may start; `false` when the lock was removed.
    pub(super) async fn permits_effect(&self) -> bool {
        loop {
            if self.shared.lost.is_cancelled() {
                return false;
            }
            let renewed = self.shared.renewed.notified();
            if self.is_long_enough() {
                return true;
            }
            self.shared.wanted.notify_one();
            tokio::select! {
                () = renewed => {}
                () = self.shared.lost.cancelled() => {}
            }
        }
    }

    /// Prolongs the lease until it is dropped or lost.
    pub(super) async fn keep(self, store: Arc<dyn Store>) {
        let third = Duration::from_millis((self.shared.length_ms / 3).max(1));
        let mut pause = third;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.wanted.notified() => {}
            }
            let until = wall_ms() + self.shared.length_ms;
            let (lock, id) = (Arc::clone(&store), self.shared.id.clone());
            let result = tokio::task::spawn_blocking(move || lock.refresh_lock(&id, until)).await;
            match result {
                Ok(Ok(())) => {
                    self.shared.until_ms.store(until, Ordering::Release);
                    self.shared.renewed.notify_waiters();
                    pause = third;
                }
                Ok(Err(StoreError::LockLost)) => {
                    self.shared.lost.cancel();
                    return;
                }
                // The lease runs down meanwhile, and effects stop by themselves.
                Ok(Err(_)) | Err(_) => pause = third.min(Duration::from_secs(1)),
            }
        }
    }
}

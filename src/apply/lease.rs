//! The lease on the site's lock: no effect starts when it is shorter than the longest request, and no call goes on after it has ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::{Grant, LockRow, Store, StoreError};

use super::context::wall_ms;
use super::error::EngineError;

/// A time by both clocks of the machine that go on while it sleeps, in milliseconds. The wall clock may be set back, and the time since the machine started
/// stands still in a machine whose copy is started later: a lease has ended when one of them says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    since_boot: u64,
    wall: u64,
}

impl Moment {
    pub(super) fn now() -> Self {
        let since_boot = clock_gettime(ClockId::Boottime);
        Self { since_boot: since_boot.tv_sec as u64 * 1000 + since_boot.tv_nsec as u64 / 1_000_000, wall: wall_ms() }
    }

    fn after(self, ms: u64) -> Self {
        Self { since_boot: self.since_boot + ms, wall: self.wall + ms }
    }

    /// Milliseconds until a later moment; none when either clock is past it.
    fn until(self, end: Self) -> u64 {
        end.since_boot.saturating_sub(self.since_boot).min(end.wall.saturating_sub(self.wall))
    }
}

/// The lease.
#[derive(Clone)]
pub(super) struct Lease {
    shared: Arc<Shared>,
}

struct Shared {
    id: String,
    taken_from: Option<LockRow>,
    length: Duration,
    longest_request_ms: u64,
    ends: Mutex<Moment>,
    wanted: Notify,
    renewed: Notify,
    lost: CancellationToken,
}

impl Lease {
    /// A lease of a lock that was asked for at a moment: the store counts from later on.
    pub(super) fn new(grant: Grant, asked: Moment, length: Duration, longest_request: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                id: grant.lock.id,
                taken_from: grant.from,
                length,
                longest_request_ms: longest_request.as_millis() as u64,
                ends: Mutex::new(asked.after(length.as_millis() as u64)),
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

    /// The lock of another holder that this one was taken over from.
    pub(super) fn taken_from(&self) -> Option<&LockRow> {
        self.shared.taken_from.as_ref()
    }

    /// Cancelled when the lock was removed or taken over.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.shared.lost
    }

    /// What is known of the lock from an error met elsewhere: the journal may notice before its lease is prolonged again that it was taken away.
    pub(super) fn heed(&self, error: &EngineError) {
        if matches!(error, EngineError::Store(StoreError::LockLost)) {
            self.shared.lost.cancel();
        }
    }

    fn left_ms(&self) -> u64 {
        Moment::now().until(*self.shared.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the lock is ours right now, as far as clocks tell.
    pub(super) fn is_held(&self) -> bool {
        !self.shared.lost.is_cancelled() && self.left_ms() > 0
    }

    /// Waits until an effect may start; `false` when the lock was lost.
    pub(super) async fn permits_effect(&self) -> bool {
        self.longer_than(self.shared.longest_request_ms).await
    }

    /// Waits until the lock is ours again, if its lease has ended; `false` when it was lost.
    pub(super) async fn is_renewed(&self) -> bool {
        self.longer_than(0).await
    }

    async fn longer_than(&self, ms: u64) -> bool {
        loop {
            if self.shared.lost.is_cancelled() {
                return false;
            }
            let renewed = self.shared.renewed.notified();
            if self.left_ms() > ms {
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
        let third = (self.shared.length / 3).max(Duration::from_millis(1));
        let mut pause = third;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.wanted.notified() => {}
            }
            let asked = Moment::now();
            let (lock, id, length) = (Arc::clone(&store), self.shared.id.clone(), self.shared.length);
            let result = tokio::task::spawn_blocking(move || lock.refresh_lock(&id, length)).await;
            match result {
                Ok(Ok(())) => {
                    *self.shared.ends.lock().unwrap_or_else(PoisonError::into_inner) = asked.after(length.as_millis() as u64);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_ended_when_either_clock_says_so() {
        let asked = Moment { since_boot: 5_000, wall: 1_000_000 };
        let end = asked.after(300);
        let at = |since_boot, wall| Moment { since_boot: asked.since_boot + since_boot, wall: asked.wall + wall }.until(end);
        assert_eq!(at(100, 100), 200);
        assert_eq!(at(100, 0), 200, "the wall clock was set back");
        assert_eq!(at(300, 0), 0, "it does not prolong the lease");
        assert_eq!(at(0, 300), 0, "the machine was paused by its host");
    }
}

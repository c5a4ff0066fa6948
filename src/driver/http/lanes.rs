//! Limits on requests in flight, per endpoint and in all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds how many requests are in flight for one endpoint and for all of them.
#[derive(Debug)]
pub struct Lanes {
    per_key: usize,
    all: Arc<Semaphore>,
    keys: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// The right to have one request in flight; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    _key: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Lanes {
    /// At most `per_key` at once for one endpoint and `total` for all; zero counts as one.
    pub fn new(per_key: usize, total: usize) -> Self {
        Self { per_key: per_key.max(1), all: Arc::new(Semaphore::new(total.max(1))), keys: Mutex::default() }
    }

    /// Waits for a place. Those who wait for the same endpoint get it in order, and hold no place of the others meanwhile.
    pub async fn enter(&self, key: &str) -> Pass {
        let lane = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(keys.entry(key.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.per_key))))
        };
        let key = lane.acquire_owned().await.expect("the semaphores are never closed");
        let all = Arc::clone(&self.all).acquire_owned().await.expect("the semaphores are never closed");
        Pass { _key: key, _all: all }
    }
}

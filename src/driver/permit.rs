//! Whether drivers may talk to the site right now.
//!
//! Between the look at a lease and the moment at which a request leaves lie the HTTP client's queue, other tasks and the scheduler of the machine: long enough
//! for a process to be stopped there, and to send when it goes on what it had decided on long ago. So whoever sends looks once more, where the bytes are written.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What is said when it is not given.
pub(super) const NOT_PERMITTED: &str = "the lease on the site's lock ended before that, so this process may not talk to the site";

/// What it rests on.
type Holds = Box<dyn Fn() -> bool + Send + Sync>;

/// A permit to talk to a site, shared by all drivers of it. By default it is given.
#[derive(Clone, Default)]
pub struct Permit(Arc<RwLock<Option<Holds>>>);

impl Permit {
    /// From now on it is given for as long as this holds. It is asked often, and must not wait.
    pub fn rests_on(&self, holds: impl Fn() -> bool + Send + Sync + 'static) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(holds));
    }

    /// From now on it is given.
    pub fn lift(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is given at this instant.
    pub fn is_given(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(|holds| holds())
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.is_given()).finish()
    }
}

/// Two are the same when they are one.
impl PartialEq for Permit {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Permit {}

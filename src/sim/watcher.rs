//! Somebody who sees every change that is asked for, and may end who asked: for tests whose servers are not in the process that is to die.

use super::fault::Target;
use super::options::Moment;

/// Ends clients. Its methods are called from the servers, one request at a time or several.
pub trait Watcher: std::fmt::Debug + Send + Sync {
    /// At which moment of this request its client is to be ended, if it is.
    fn moment(&self, asked: Target<'_>) -> Option<Moment>;

    /// Keeps the client from running: the answer that is sent now is the last that it is sent, and it does not see it.
    fn stop(&self);

    /// Ends the client; it runs no more when this returns.
    fn kill(&self);
}

//! What is asked of a run from outside its process: rows of the store, looked for while the run goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{RequestRow, Store};

use super::dispatcher::Message;

/// Where requests of a run are found, and how often it is looked for them.
pub(super) struct Control {
    pub store: Arc<dyn Store>,
    pub run: String,
    /// Id of the last request that has been taken in.
    pub after: u64,
    /// What paused or continued it last, before this process begins.
    pub last: Option<RequestRow>,
    pub every: Duration,
}

impl Control {
    /// Tells of every new request until it is dropped.
    pub(super) fn watch(self, messages: UnboundedSender<Message>) -> AbortOnDropHandle<()> {
        let Self { store, run, mut after, every, .. } = self;
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let (asked, of) = (Arc::clone(&store), run.clone());
                // A store that does not answer now is asked again; the journal notices if it is gone.
                let Ok(Ok(requests)) = tokio::task::spawn_blocking(move || asked.requests(&of, after)).await else { continue };
                for request in requests {
                    after = after.max(request.id);
                    if messages.send(Message::Requested(request)).is_err() {
                        return;
                    }
                }
            }
        }))
    }
}

/// The id of the last of some requests.
pub(super) fn last_id(requests: &[RequestRow]) -> u64 {
    requests.last().map_or(0, |r| r.id)
}

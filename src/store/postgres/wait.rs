//! Waiting for a future from a thread, whether or not it belongs to a runtime of its own.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread. The thread is blocked meanwhile; whatever drives sockets and timers of the future runs elsewhere.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    // Where this thread belongs to a task, that task's share of polls says nothing about this future.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

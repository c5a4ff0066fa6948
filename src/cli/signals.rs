//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::Printer;

/// What signals ask for.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    /// Cancelled by the first signal: start nothing new.
    pub graceful: CancellationToken,
    /// Cancelled by the second: stop now.
    pub now: CancellationToken,
    /// Whether a run is under way, so that a signal does not end the process at once.
    in_run: Arc<AtomicBool>,
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn listen(printer: &Printer) -> std::io::Result<Self> {
        let interrupts = Self::default();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tokens, printer) = (interrupts.clone(), printer.clone());
        tokio::spawn(async move {
            for first in [true, false] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let in_run = tokens.in_run.load(Ordering::SeqCst);
                match first {
                    true if in_run => {
                        printer.note("interrupted: nothing new is started, running actions reach a safe point; once more to stop at once");
                    }
                    false if in_run => printer.note("interrupted again: stopping now; `drydock resume` goes on"),
                    _ => {}
                }
                if first { tokens.graceful.cancel() } else { tokens.now.cancel() }
            }
        });
        Ok(interrupts)
    }

    /// Says that a run begins: from now on signals are explained.
    pub fn run_begins(&self) {
        self.in_run.store(true, Ordering::SeqCst);
    }

    /// Runs something that may be dropped at any time; `None` if a signal came first.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.graceful.cancelled() => None,
            done = work => Some(done),
        }
    }
}

//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
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
    /// Whether the terminal is gone.
    hung_up: Arc<AtomicBool>,
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
        // Who starts us with `nohup` has it ignored, and so it stays.
        let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        let (tokens, printer) = (interrupts.clone(), printer.clone());
        tokio::spawn(async move {
            for first in [true, false] {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => break,
                        _ = terminate.recv() => break,
                        () = hung_up(&mut hangup) => {
                            tokens.hung_up.store(true, Ordering::SeqCst);
                            if !tokens.in_run.load(Ordering::SeqCst) {
                                // Nothing was begun, and nobody is left to see or answer anything.
                                break;
                            }
                            printer.note("the terminal is gone; the run goes on: `drydock runs show` shows it, `drydock runs stop` ends it");
                        }
                    }
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

    /// Whether the terminal that the process was started from is gone.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::SeqCst)
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

/// Waits for the next SIGHUP; for ever where it is ignored.
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the process was started with SIGHUP ignored (`proc_pid_status(5)`, `SigIgn`: its first bit is signal 1).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::Printer;

/// What signals ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupts {
    /// Set by the first signal: start nothing new.
    pub graceful: CancellationToken,
    /// Set by the second: stop now.
    pub now: CancellationToken,
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(super) fn listen(printer: &Printer) -> std::io::Result<Self> {
        let interrupts = Self::default();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tokens, printer) = (interrupts.clone(), printer.clone());
        tokio::spawn(async move {
            for token in [&tokens.graceful, &tokens.now] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let text = if token.is_cancelled() || tokens.graceful.is_cancelled() {
                    "interrupted again: stopping now; `drydock resume` goes on"
                } else {
                    "interrupted: nothing new is started, running actions reach a safe point; once more to stop at once"
                };
                printer.note(text);
                token.cancel();
            }
        });
        Ok(interrupts)
    }
}

//! Stop, pause and continue, as they are asked for by signals and from outside.

use tokio_util::task::AbortOnDropHandle;

use crate::run::EventKind;
use crate::store::{RequestRow, RunRequest};

use super::{Dispatcher, Phase};

impl Dispatcher {
    /// Takes over what was asked before this process began, and listens from now on.
    pub(super) fn listen(&mut self) -> Option<AbortOnDropHandle<()>> {
        let control = self.control.take()?;
        match control.last.clone() {
            Some(RequestRow { request: RunRequest::Pause, by, .. }) => self.pause(by),
            // It was continued while no process was there.
            Some(RequestRow { by, .. }) if self.state.paused().is_some() => self.record(EventKind::RunContinued { by }, Vec::new()),
            _ => {}
        }
        Some(control.watch(self.sender.clone()))
    }

    pub(super) fn requested(&mut self, request: RequestRow) {
        match request.request {
            RunRequest::Stop => self.asked_to_stop(Some(request.by)),
            RunRequest::StopNow => {
                self.record(EventKind::RunStopping { by: Some(request.by), now: true }, Vec::new());
                self.graceful.cancel();
                self.now.cancel();
            }
            RunRequest::Pause => self.pause(request.by),
            RunRequest::Continue => self.unpause(request.by),
        }
    }

    /// Nothing new starts; the process ends when its calls have.
    pub(super) fn asked_to_stop(&mut self, by: Option<String>) {
        if !self.scheduler.is_stopping() {
            self.record(EventKind::RunStopping { by, now: false }, Vec::new());
            self.stop();
        }
        self.graceful.cancel();
    }

    /// Whether actions that wait for another attempt wait on.
    pub(super) fn holds_back(&self) -> bool {
        self.scheduler.is_stopping() || self.scheduler.is_paused()
    }

    fn pause(&mut self, by: String) {
        self.paused_at.get_or_insert(self.cx.now());
        self.scheduler.pause(true);
        if self.state.paused().is_none() {
            self.record(EventKind::RunPaused { by }, Vec::new());
        }
    }

    fn unpause(&mut self, by: String) {
        let Some(since) = self.paused_at.take() else { return };
        let pause = self.cx.now().saturating_sub(since);
        // Nothing was tried meanwhile, so the time limit of what waited to be tried again did not run.
        for live in &mut self.live {
            if let (Phase::Backoff, Some((_, deadline))) = (&live.phase, &mut live.since) {
                *deadline += pause;
            }
        }
        self.scheduler.pause(false);
        self.record(EventKind::RunContinued { by }, Vec::new());
    }
}

//! Waves: what is done when all branches of one have ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::action::ActionKind;
use crate::run::{EventKind, Gate, GateState};

use super::{Dispatcher, Message};
use crate::apply::gate::{Watch, Watched, watch};

impl Dispatcher {
    /// Looks at the gates of waves whose branches have ended.
    pub(super) fn open_gates(&mut self) {
        if self.scheduler.is_stopping() {
            return;
        }
        while let Some(gate) = self.scheduler.next_gate() {
            match gate {
                Gate::Pass(wave) => self.pass(wave, Vec::new()),
                Gate::Watch(wave) => self.watch(wave),
                Gate::Fail(wave, why) => {
                    self.close(wave, why, "put right what failed; `drydock resume RUN` tries it again, and goes on from here");
                }
            }
        }
    }

    fn watch(&mut self, wave: u32) {
        let cx = Arc::clone(&self.cx);
        let (rollout, actions) = (&cx.plan.rollout, &cx.plan.actions);
        let members: BTreeSet<&str> = rollout.waves[wave as usize].nodes.iter().map(String::as_str).collect();
        let mut left: BTreeSet<&str> = BTreeSet::new();
        let mut boot_actions: BTreeSet<&str> = BTreeSet::new();
        for (i, action) in actions.iter().enumerate() {
            let Some(node) = action.node.as_deref().filter(|n| members.contains(n)) else { continue };
            if !self.state.task(i).status.is_done() {
                left.insert(node);
            }
            if action.kind == ActionKind::DeployNode && action.params.get("user_data").is_some_and(|d| !d.is_null()) {
                boot_actions.insert(node);
            }
        }
        let through = || members.iter().filter(|n| !left.contains(*n));
        let nodes = through().map(|n| ((*n).to_owned(), self.bindings.get(*n).cloned().unwrap_or_default())).collect();
        let boot_actions = boot_actions.into_iter().filter(|n| !left.contains(n)).map(str::to_owned).collect();
        if !self.state.gates().any(|(w, gate)| w == wave && matches!(gate, GateState::Watched { .. })) {
            let name = rollout.waves[wave as usize].name.clone();
            self.record(EventKind::GateReached { wave, name }, Vec::new());
        }
        let watched = Watch {
            wave,
            nodes,
            boot_actions,
            healthy_for: Duration::from_secs(rollout.healthy_for_s.into()),
            patience: Duration::from_secs(rollout.patience_s.into()),
        };
        self.watching += 1;
        let (cx, sender) = (Arc::clone(&self.cx), self.sender.clone());
        self.watches.spawn(async move {
            let wave = watched.wave;
            let seen = watch(cx, watched).await;
            // Nobody listens when the run was stopped.
            let _ = sender.send(Message::Watched { wave, seen });
        });
    }

    pub(super) fn watched(&mut self, wave: u32, seen: Watched) {
        if self.scheduler.is_stopping() {
            return;
        }
        self.watching -= 1;
        match seen {
            Watched::Healthy { not_verified } => self.pass(wave, not_verified),
            Watched::Sick { message } => self.close(
                wave,
                format!("its nodes are not healthy: {message}"),
                "look at these machines; `drydock resume RUN` watches them again, and goes on from here",
            ),
        }
    }

    fn pass(&mut self, wave: u32, not_verified: Vec<String>) {
        let name = self.cx.plan.rollout.waves[wave as usize].name.clone();
        self.record(EventKind::GatePassed { wave, name, not_verified }, Vec::new());
        self.scheduler.pass(wave);
    }

    fn close(&mut self, wave: u32, why: String, hint: &str) {
        let cx = Arc::clone(&self.cx);
        let waves = &cx.plan.rollout.waves;
        let behind = self.scheduler.fail(wave);
        let names: Vec<&str> = behind.iter().filter_map(|w| waves.get(*w as usize)).map(|w| w.name.as_str()).collect();
        let message = if names.is_empty() { why } else { format!("{why}; not begun: {}", names.join(", ")) };
        let hint = hint.replace("RUN", &self.run);
        let wave_of = &waves[wave as usize];
        self.record(EventKind::GateFailed { wave, name: wave_of.name.clone(), message, hint, critical: wave_of.gate.critical }, Vec::new());
    }

    /// Nobody waits for gates any more.
    pub(super) fn stop_watching(&mut self) {
        self.watches.abort_all();
        self.watching = 0;
    }
}

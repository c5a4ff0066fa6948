//! What becomes of nodes that failed.

use std::sync::Arc;

use crate::action::ErrorClass;
use crate::driver::DriverError;
use crate::plan::OnFailure;
use crate::run::{EventKind, Severity};

use super::{Dispatcher, Message};
use crate::apply::remedy::{Remedy, carry_out, kept};

/// Characters of a failure that a machine is marked with.
const WHY: usize = 200;

impl Dispatcher {
    /// A branch failed for good: does with its node what the plan says, once.
    pub(super) fn remedy(&mut self, index: u32, class: ErrorClass, why: &str) {
        let what = self.cx.plan.failures.on_failure;
        let Some(node) = self.action(index).node.clone().filter(|_| what != OnFailure::Leave && self.error.is_none()) else { return };
        if !self.remedies.seen.insert(node.clone()) {
            return;
        }
        let reason =
            if self.scheduler.is_stopping() { Some("the run is asked to stop") } else { kept(&self.cx.plan, &self.state, &node, class) };
        if let Some(reason) = reason {
            let text = format!("node.{node} is left as it is, and not treated with {}: {reason}", what.name());
            return self.record(EventKind::Message { severity: Severity::Info, action: None, text }, Vec::new());
        }
        let kind = self.action(index).kind;
        let why: String = format!("drydock run {}: {kind} failed: {why}", self.run).chars().take(WHY).collect();
        let binding = self.bindings.get(&node).cloned().unwrap_or_default();
        self.remedies.waiting.push(Remedy { node: node.clone(), what, binding, why });
        // The run does not end before it.
        self.executing += 1;
        let begun = EventKind::RemedyBegun { node: node.clone(), remedy: what.name().to_owned() };
        self.append(begun, Vec::new(), Some(Message::RemedyDurable(node)));
    }

    /// Its intent is durable.
    pub(super) fn begin_remedy(&mut self, node: &str) {
        let Some(at) = self.remedies.waiting.iter().position(|r| r.node == node) else { return };
        let remedy = self.remedies.waiting.swap_remove(at);
        let (cx, sender) = (Arc::clone(&self.cx), self.sender.clone());
        self.executors.spawn(async move {
            let result = carry_out(&cx, &remedy).await;
            // Nobody listens when the run was stopped at once.
            let _ = sender.send(Message::Remedied { remedy, result });
        });
    }

    pub(super) fn remedied(&mut self, remedy: &Remedy, result: Result<(), DriverError>) {
        self.executing -= 1;
        let ended = EventKind::RemedyEnded {
            node: remedy.node.clone(),
            remedy: remedy.what.name().to_owned(),
            error: result.err().map(|e| e.message),
        };
        self.record(ended, Vec::new());
    }

    /// What waits to be durable never will be.
    pub(super) fn forget_remedies(&mut self) {
        self.executing -= std::mem::take(&mut self.remedies.waiting).len();
    }
}

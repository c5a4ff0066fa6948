//! Asking the person at the terminal who does what a run waits for by hand.
//!
//! Events of the run say what is waited for; a line that names a node confirms it, as `drydock runs confirm` does from elsewhere. What is asked and what a line
//! means is worked out without a terminal.

use std::io::{BufRead as _, IsTerminal as _};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::confirmations::{self, MANUAL};
use crate::action::Action;
use crate::report::time;
use crate::run::{Event, EventKind};
use crate::store::Store;

/// What is waited for at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    action: String,
    node: String,
    kind: &'static str,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// This action is done.
    Done(Waiting),
    /// Nothing that could be confirmed; what to tell.
    Other(String),
}

/// Asks, and takes answers.
pub(super) struct Operator<'a> {
    actions: &'a [Action],
    run: Option<String>,
    waiting: Vec<Waiting>,
    /// Lines of standard input, once somebody is waited for.
    lines: Option<UnboundedReceiver<String>>,
}

impl<'a> Operator<'a> {
    /// For a run that is shown to a person at a terminal; `run` is its id, if it is gone on with.
    pub(super) fn new(actions: &'a [Action], run: Option<&str>) -> Self {
        Self { actions, run: run.map(str::to_owned), waiting: Vec::new(), lines: None }
    }

    /// Whether there is a person to ask.
    pub(super) fn is_there() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Takes an event of the run; what to ask, if it is waited for somebody from now on.
    pub(super) fn event(&mut self, event: &Event) -> Option<String> {
        let question = self.note(event);
        if question.is_some() && self.lines.is_none() {
            self.lines = Some(listen());
        }
        question
    }

    fn note(&mut self, event: &Event) -> Option<String> {
        match &event.event {
            EventKind::RunStarted { run, .. } => self.run = Some(run.clone()),
            EventKind::AttemptOutcome { action, .. } => self.waiting.retain(|w| w.action != *action),
            EventKind::AttemptWaiting { action, reason: text, .. } | EventKind::AttemptProgress { action, detail: text, .. } => {
                let found = self.actions.iter().find(|a| a.id == *action && a.driver == MANUAL)?;
                let node = found.node.clone()?;
                if self.waiting.iter().any(|w| w.action == *action) {
                    return None;
                }
                let until = time::instant(event.at_ms / 1000 + u64::from(found.timeout_s));
                // What to type stands below; the command is for others.
                let what = text.split("; then: ").next().unwrap_or(text);
                let question = format!("node.{node} {} {what}\n  until {until}; when it is done, type `{node}` and Enter", found.kind);
                self.waiting.push(Waiting { action: action.clone(), node, kind: found.kind.name() });
                return Some(question);
            }
            _ => {}
        }
        None
    }

    /// The next line; never, while nobody is waited for or when there are no more.
    pub(super) async fn line(&mut self) -> String {
        match &mut self.lines {
            Some(lines) => match lines.recv().await {
                Some(line) => line,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Takes a line; what to tell.
    pub(super) fn answer(&mut self, line: &str, store: &dyn Store) -> String {
        let waiting = match self.read(line) {
            Answer::Other(text) => return text,
            Answer::Done(waiting) => waiting,
        };
        let Some(run) = &self.run else { return "the run has not begun yet".to_owned() };
        match confirmations::confirm(store, run, &waiting.action) {
            Ok(by) => {
                self.waiting.retain(|w| *w != waiting);
                format!("confirmed by {by}: {} of node.{}", waiting.kind, waiting.node)
            }
            Err(error) => format!("it cannot be confirmed: {error}"),
        }
    }

    fn read(&self, line: &str) -> Answer {
        let typed = line.trim();
        let name = typed.strip_prefix("node.").unwrap_or(typed);
        if let Some(found) = self.waiting.iter().find(|w| w.node == name) {
            return Answer::Done(found.clone());
        }
        let nodes: Vec<String> = self.waiting.iter().map(|w| format!("`{}` ({})", w.node, w.kind)).collect();
        Answer::Other(match (typed, nodes.as_slice()) {
            (_, []) => "nobody is waited for now".to_owned(),
            ("", _) => format!("type the name of a node that is done: {}", nodes.join(", ")),
            _ => format!("nobody is waited for at `{name}`; it is waited for {}", nodes.join(", ")),
        })
    }
}

/// Reads lines from now on. The thread ends with the process: nothing else interrupts a read of a terminal.
fn listen() -> UnboundedReceiver<String> {
    let (send, lines) = unbounded_channel();
    // Without the thread nobody can answer here; `drydock runs confirm` still can.
    let _ = std::thread::Builder::new().name("operator".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(node: &str, kind: &'static str) -> Waiting {
        Waiting { action: format!("{kind} {node}"), node: node.into(), kind }
    }

    #[test]
    fn only_the_name_of_a_node_that_is_waited_for_confirms() {
        let mut operator = Operator::new(&[], None);
        assert_eq!(operator.read("n1"), Answer::Other("nobody is waited for now".into()));
        operator.waiting = vec![waits("n1", "power_on_node"), waits("n2", "set_node_boot")];
        for line in ["n2", " node.n2\n"] {
            assert_eq!(operator.read(line), Answer::Done(waits("n2", "set_node_boot")), "{line}");
        }
        for (line, says) in [("", "type the name"), ("yes", "nobody is waited for at `yes`"), ("N1", "nobody is waited for at `N1`")] {
            let Answer::Other(text) = operator.read(line) else { panic!("{line}") };
            assert!(text.starts_with(says) && text.ends_with("`n1` (power_on_node), `n2` (set_node_boot)"), "{text}");
        }
    }
}

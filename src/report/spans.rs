//! A run as a trace: spans run → branch → action → attempt, a fold of its events.
//!
//! Ids are derived from the run's, so that whoever resumes a run adds to the same trace. A span is given out when it has ended; those that have not are closed by
//! [`Spans::finish`]. Text comes from events, which hold no secret.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::action::Action;
use crate::run::{AttemptOutcome, Event, EventKind, RunOutcome, Severity};

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// Text.
    Text(String),
    /// A number.
    Number(u64),
}

/// Names and values.
pub type SpanAttributes = Vec<(&'static str, SpanValue)>;

/// How what a span stands for ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanStatus {
    /// It has not ended, or was not begun.
    Unset,
    /// Well.
    Ok,
    /// Badly, with what went wrong.
    Error(String),
}

/// Something at one time within a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanEvent {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Name.
    pub name: &'static str,
    /// What belongs to it.
    pub attributes: SpanAttributes,
}

/// A piece of a run with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Id of the trace.
    pub trace: [u8; 16],
    /// Its own id.
    pub id: [u8; 8],
    /// Id of the span that it is a part of.
    pub parent: Option<[u8; 8]>,
    /// Name: `run`, `node.n01`, `deploy_node`, `attempt`.
    pub name: String,
    /// Milliseconds since 1970.
    pub start_ms: u64,
    /// Milliseconds since 1970.
    pub end_ms: u64,
    /// How it ended.
    pub status: SpanStatus,
    /// What it is.
    pub attributes: SpanAttributes,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// How many events were left out.
    pub dropped_events: u32,
}

/// Events of a span at most; what OpenTelemetry's own limit is, if nothing else is said.
const EVENTS: usize = 128;

impl Span {
    fn event(&mut self, at_ms: u64, name: &'static str, attributes: SpanAttributes) {
        if self.events.len() < EVENTS {
            self.events.push(SpanEvent { at_ms, name, attributes });
        } else {
            self.dropped_events += 1;
        }
    }
}

/// Where a trace hangs below something else: trace and span of W3C's `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Trace.
    pub trace: [u8; 16],
    /// Span.
    pub span: [u8; 8],
}

impl TraceParent {
    /// Reads `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01` (W3C Trace Context, 3.2). `None` for anything else, and for ids that are zero.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, _flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version.len() != 2 || version.eq_ignore_ascii_case("ff") || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace: [u8; 16] = hex::decode(trace).ok()?.try_into().ok()?;
        let span: [u8; 8] = hex::decode(span).ok()?.try_into().ok()?;
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span })
    }
}

/// The spans of a run while it goes on.
#[derive(Debug)]
pub struct Spans {
    run: String,
    parent: Option<TraceParent>,
    trace: [u8; 16],
    /// What tells the spans of this process from those of another that went on with the same run.
    salt: u64,
    actions: BTreeMap<String, Place>,
    /// Actions of each branch that are left.
    left: BTreeMap<String, usize>,
    whole: Option<Span>,
    branches: BTreeMap<String, Span>,
    open: BTreeMap<String, Span>,
    attempts: BTreeMap<String, (u32, Span)>,
}

/// What is needed of an action.
#[derive(Debug)]
struct Place {
    branch: String,
    name: &'static str,
    attributes: SpanAttributes,
}

fn text(value: impl Into<String>) -> SpanValue {
    SpanValue::Text(value.into())
}

impl Spans {
    /// For a run over these actions; `run` is its id, if it is gone on with.
    pub fn new(actions: &[Action], run: Option<&str>, parent: Option<TraceParent>) -> Self {
        let branch = |a: &Action| a.node.as_ref().map_or_else(|| "site".to_owned(), |n| format!("node.{n}"));
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        let mut places = BTreeMap::new();
        for action in actions {
            let branch = branch(action);
            *left.entry(branch.clone()).or_default() += 1;
            let mut attributes = vec![
                ("drydock.action.id", text(&action.id)),
                ("drydock.action.kind", text(action.kind.name())),
                ("drydock.action.resource", text(&action.resource)),
                ("drydock.action.effect", text(action.effect.name())),
                ("drydock.driver", text(&action.driver)),
            ];
            attributes.extend(action.node.as_ref().map(|node| ("drydock.node", text(node))));
            places.insert(action.id.clone(), Place { branch, name: action.kind.name(), attributes });
        }
        Self {
            run: run.unwrap_or_default().to_owned(),
            parent,
            trace: [0; 16],
            salt: 0,
            actions: places,
            left,
            whole: None,
            branches: BTreeMap::new(),
            open: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    fn id(&self, parts: &[&str]) -> [u8; 8] {
        let mut hash = Sha256::new();
        for part in [self.run.as_str(), &self.salt.to_string()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        id
    }

    fn span(&self, id: [u8; 8], parent: Option<[u8; 8]>, name: &str, at_ms: u64, attributes: SpanAttributes) -> Span {
        Span {
            trace: self.trace,
            id,
            parent,
            name: name.to_owned(),
            start_ms: at_ms,
            end_ms: at_ms,
            status: SpanStatus::Unset,
            attributes,
            events: Vec::new(),
            dropped_events: 0,
        }
    }

    /// The span of the run, begun with the first event of this process.
    fn begin(&mut self, event: &Event) {
        if self.whole.is_some() {
            return;
        }
        let mut attributes = Vec::new();
        if let EventKind::RunStarted { run, site, goal, plan, actions, .. } = &event.event {
            self.run.clone_from(run);
            attributes = vec![
                ("drydock.site", text(site)),
                ("drydock.goal", text(goal)),
                ("drydock.plan.digest", text(plan)),
                ("drydock.actions", SpanValue::Number(*actions)),
            ];
        }
        if let EventKind::RunResumed { done } = &event.event {
            attributes = vec![("drydock.resumed", text("true")), ("drydock.actions.done_before", SpanValue::Number(*done))];
        }
        attributes.push(("drydock.run.id", text(&self.run)));
        self.salt = event.seq;
        self.trace = self.parent.map_or_else(
            || {
                let digest = Sha256::digest(format!("drydock run {}", self.run));
                let mut trace = [0; 16];
                trace.copy_from_slice(&digest[..16]);
                trace
            },
            |parent| parent.trace,
        );
        let id = self.id(&["run"]);
        self.whole = Some(self.span(id, self.parent.map(|p| p.span), "run", event.at_ms, attributes));
    }

    /// The span of an action, with those above it.
    fn open(&mut self, action: &str, at_ms: u64) {
        let Some(place) = self.actions.get(action).filter(|_| !self.open.contains_key(action)) else { return };
        let branch_id = self.id(&["branch", &place.branch]);
        if !self.branches.contains_key(&place.branch) {
            let attributes = place.attributes.iter().filter(|(name, _)| *name == "drydock.node").cloned().collect();
            let whole = self.whole.as_ref().map(|w| w.id);
            let span = self.span(branch_id, whole, &place.branch, at_ms, attributes);
            self.branches.insert(place.branch.clone(), span);
        }
        let span = self.span(self.id(&["action", action]), Some(branch_id), place.name, at_ms, place.attributes.clone());
        self.open.insert(action.to_owned(), span);
    }

    /// The span of an attempt; an attempt that failed before its intent has one, too.
    fn attempt(&mut self, action: &str, attempt: u32, at_ms: u64) {
        self.open(action, at_ms);
        let Some(parent) = self.open.get(action).map(|span| span.id) else { return };
        if self.attempts.get(action).is_none_or(|(n, _)| *n != attempt) {
            let id = self.id(&["attempt", action, &attempt.to_string()]);
            let attributes = vec![("drydock.attempt", SpanValue::Number(u64::from(attempt)))];
            let span = self.span(id, Some(parent), "attempt", at_ms, attributes);
            self.attempts.insert(action.to_owned(), (attempt, span));
        }
    }

    /// Takes the next event of the run; the spans that ended with it.
    pub fn event(&mut self, event: &Event) -> Vec<Span> {
        self.begin(event);
        let at_ms = event.at_ms;
        let mut ended = Vec::new();
        match &event.event {
            EventKind::AttemptIntent { action, attempt, .. } => self.attempt(action, *attempt, at_ms),
            EventKind::AttemptWaiting { action, attempt, reason } => {
                self.attempt(action, *attempt, at_ms);
                if let Some((_, span)) = self.attempts.get_mut(action) {
                    span.event(at_ms, "waiting", vec![("drydock.reason", text(reason))]);
                }
            }
            EventKind::AttemptProgress { action, detail } => {
                self.open(action, at_ms);
                let attempt = self.attempts.get_mut(action).map(|(_, span)| span);
                if let Some(span) = attempt.or(self.open.get_mut(action)) {
                    span.event(at_ms, "progress", vec![("drydock.detail", text(detail))]);
                }
            }
            EventKind::AttemptResolved { action, .. } => self.open(action, at_ms),
            EventKind::AttemptOutcome { action, attempt, outcome, .. } => {
                self.attempt(action, *attempt, at_ms);
                let (status, more) = told(outcome);
                if let Some((_, mut span)) = self.attempts.remove(action) {
                    (span.end_ms, span.status) = (at_ms, status.clone());
                    span.attributes.extend(more.clone());
                    ended.push(span);
                }
                if let Some(span) = self.open.get_mut(action) {
                    (span.end_ms, span.status) = (at_ms, status);
                    span.attributes.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
                    span.attributes.extend(more);
                }
                // A failed attempt may be followed by another one.
                if !matches!(outcome, AttemptOutcome::Failed { .. }) {
                    ended.extend(self.open.remove(action));
                }
                if matches!(outcome, AttemptOutcome::Done | AttemptOutcome::AlreadyDone { .. }) {
                    ended.extend(self.done(action, at_ms));
                }
            }
            EventKind::RetryScheduled { action, attempt, next_at_ms } => {
                if let Some(span) = self.open.get_mut(action) {
                    let attributes = vec![
                        ("drydock.attempt", SpanValue::Number(u64::from(*attempt))),
                        ("drydock.next_at_ms", SpanValue::Number(*next_at_ms)),
                    ];
                    span.event(at_ms, "retry scheduled", attributes);
                }
            }
            EventKind::Message { severity, action, text: said } => {
                let name = match severity {
                    Severity::Info => "info",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                let span = action.as_ref().and_then(|a| self.open.get_mut(a)).or(self.whole.as_mut());
                if let Some(span) = span {
                    span.event(at_ms, name, vec![("drydock.message", text(said))]);
                }
            }
            EventKind::RunFinished { outcome } => {
                if let Some(whole) = &mut self.whole {
                    whole.attributes.push(("drydock.outcome", text(outcome.name())));
                    whole.status =
                        if *outcome == RunOutcome::Success { SpanStatus::Ok } else { SpanStatus::Error(outcome.name().replace('_', " ")) };
                }
                ended.extend(self.finish(at_ms));
            }
            other => {
                if let Some(whole) = &mut self.whole {
                    whole.event(at_ms, other.name(), Vec::new());
                }
            }
        }
        ended
    }

    /// An action is done; the span of its branch, if it was the last.
    fn done(&mut self, action: &str, at_ms: u64) -> Option<Span> {
        let branch = &self.actions.get(action)?.branch;
        let left = self.left.get_mut(branch)?;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return None;
        }
        let mut span = self.branches.remove(branch)?;
        (span.end_ms, span.status) = (at_ms, SpanStatus::Ok);
        Some(span)
    }

    /// Nothing more will come: what is open ends here.
    pub fn finish(&mut self, at_ms: u64) -> Vec<Span> {
        let mut ended: Vec<Span> =
            std::mem::take(&mut self.attempts).into_values().map(|(_, span)| Span { end_ms: at_ms, ..span }).collect();
        for (action, mut span) in std::mem::take(&mut self.open) {
            if let Some(branch) = self.actions.get(&action).and_then(|place| self.branches.get_mut(&place.branch))
                && let SpanStatus::Error(message) = &span.status
            {
                branch.status = SpanStatus::Error(format!("{}: {message}", span.name));
            }
            // What failed ended with its outcome.
            if span.status == SpanStatus::Unset {
                span.end_ms = at_ms;
            }
            ended.push(span);
        }
        ended.extend(std::mem::take(&mut self.branches).into_values().map(|span| Span { end_ms: at_ms, ..span }));
        ended.extend(self.whole.take().map(|span| Span { end_ms: at_ms, ..span }));
        ended
    }
}

fn told(outcome: &AttemptOutcome) -> (SpanStatus, SpanAttributes) {
    let result = |name: &str| ("drydock.result", text(name));
    match outcome {
        AttemptOutcome::Done => (SpanStatus::Ok, vec![result("done")]),
        AttemptOutcome::AlreadyDone { .. } => (SpanStatus::Ok, vec![result("already_done")]),
        AttemptOutcome::Failed { class, message, .. } => {
            let class = serde_json::to_value(class).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
            (SpanStatus::Error(message.clone()), vec![result("failed"), ("error.type", text(class))])
        }
        AttemptOutcome::Refused { message, .. } => {
            (SpanStatus::Error(message.clone()), vec![result("refused"), ("error.type", text("refused"))])
        }
        AttemptOutcome::Cancelled => (SpanStatus::Unset, vec![result("cancelled")]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::run_samples::{self as samples, Journal};
    use super::{Span, SpanStatus, SpanValue, Spans, TraceParent};

    fn spans(journal: &Journal, parent: Option<TraceParent>) -> Vec<Span> {
        let mut spans = Spans::new(&journal.actions, None, parent);
        let mut all: Vec<Span> = journal.events.iter().flat_map(|e| spans.event(e)).collect();
        all.extend(spans.finish(journal.events.last().unwrap().at_ms));
        all
    }

    fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
        spans.iter().filter(|s| s.name == name).collect()
    }

    #[test]
    fn a_run_is_a_tree_of_spans() {
        let journal = samples::partial();
        let all = spans(&journal, None);
        let by_id: BTreeMap<[u8; 8], &Span> = all.iter().map(|s| (s.id, s)).collect();
        assert_eq!(by_id.len(), all.len(), "each once");
        let (runs, failed) = (named(&all, "run"), named(&all, "node.n02"));
        assert_eq!((runs.len(), runs[0].parent), (1, None));
        assert_eq!(runs[0].status, SpanStatus::Error("partial success".to_owned()));
        for span in &all {
            assert_eq!(span.trace, runs[0].trace);
            let Some(parent) = span.parent.map(|id| by_id[&id]) else { continue };
            assert!(parent.start_ms <= span.start_ms && span.end_ms <= parent.end_ms, "{span:?} in {parent:?}");
        }
        // Two nodes and the site; every action that was begun; the deployment of the second node has two attempts.
        assert_eq!(all.iter().filter(|s| s.parent == Some(runs[0].id)).count(), 3);
        let deployments = named(&all, "deploy_node");
        assert_eq!(deployments.len(), 2);
        let bad = deployments.iter().find(|s| s.parent == Some(failed[0].id)).unwrap();
        let attempts: Vec<&Span> = all.iter().filter(|s| s.parent == Some(bad.id)).collect();
        assert_eq!(attempts.len(), 2);
        assert!(attempts.iter().all(|s| s.name == "attempt" && matches!(s.status, SpanStatus::Error(_))));
        assert_eq!((attempts[0].end_ms - attempts[0].start_ms, attempts[1].end_ms - attempts[1].start_ms), (61_000, 192_000));
        assert!(bad.attributes.contains(&("error.type", SpanValue::Text("failed".to_owned()))), "{bad:?}");
        assert!(
            matches!(&failed[0].status, SpanStatus::Error(m) if m.starts_with("deploy_node: MAAS shows Failed deployment")),
            "{failed:?}"
        );
        assert_eq!(named(&all, "node.n01")[0].status, SpanStatus::Ok);
        assert_eq!(bad.events.iter().filter(|e| e.name == "retry scheduled").count(), 1);
    }

    #[test]
    fn who_resumes_a_run_adds_to_its_trace() {
        let mut journal = samples::interrupted();
        let first = spans(&journal, None);
        let begun = journal.events.len();
        journal.push(60_000, crate::run::EventKind::RunResumed { done: 11 });
        journal.push(10, crate::run::EventKind::RunFinished { outcome: crate::run::RunOutcome::Incomplete });
        let mut resumed = Spans::new(&journal.actions, Some("20261122-190411-7k2m"), None);
        let second: Vec<Span> = journal.events[begun..].iter().flat_map(|e| resumed.event(e)).collect();
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].trace, first[0].trace);
        assert!(first.iter().all(|s| s.id != second[0].id));
        // What was under way when it stopped is in the first trace, without an outcome.
        let open = named(&first, "configure_hardware");
        assert_eq!((open.len(), &open[0].status), (1, &SpanStatus::Unset));
    }

    #[test]
    fn a_trace_hangs_where_its_caller_says() {
        let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        let all = spans(&samples::site_failed(), Some(parent));
        assert!(all.iter().all(|s| s.trace == parent.trace));
        assert_eq!(named(&all, "run")[0].parent, Some(parent.span));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf9-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}

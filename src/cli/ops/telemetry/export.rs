//! Spans on their way to a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event as OtlpEvent, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status};
use prost::Message as _;
use reqwest::Method;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::given::Given;
use crate::action::Action;
use crate::cli::output::Printer;
use crate::driver::http::{Body, HttpClient, Request, shown_url};
use crate::report::{Span, SpanAttributes, SpanStatus, SpanValue, Spans};
use crate::run::Event;

/// Lots of spans that wait to be sent at most; what comes beside is dropped.
const QUEUE: usize = 4096;
/// Spans in a request at most.
const BATCH: usize = 512;
/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(5);
/// How long the end of a run waits for what has not been sent yet.
const FLUSH: Duration = Duration::from_secs(5);

/// The traces of a run.
#[derive(Debug)]
pub struct Traces {
    spans: Spans,
    queue: Sender<Vec<Span>>,
    worker: JoinHandle<()>,
    warning: Warning,
    last_ms: u64,
}

/// Is said once.
#[derive(Debug, Clone)]
struct Warning {
    said: Arc<AtomicBool>,
    printer: Printer,
    to: String,
}

impl Warning {
    fn say(&self, why: &str) {
        if !self.said.swap(true, Ordering::AcqRel) {
            self.printer.note(&format!("warning: traces cannot be sent to {}: {why}; the run goes on without them", self.to));
        }
    }
}

impl Traces {
    pub(super) fn begin(given: Given, actions: &[Action], run: Option<&str>, printer: &Printer) -> Result<Self, String> {
        let client = HttpClient::new(given.http.clone()).map_err(|e| e.to_string())?;
        client.check_url(&given.url).map_err(|e| e.to_string())?;
        let warning = Warning { said: Arc::default(), printer: printer.clone(), to: shown_url(&given.url) };
        let spans = Spans::new(actions, run, given.parent);
        let (queue, waiting) = channel(QUEUE);
        let worker = tokio::spawn(work(waiting, client, given, warning.clone()));
        Ok(Self { spans, queue, worker, warning, last_ms: 0 })
    }

    /// Takes the next event of the run.
    pub fn event(&mut self, event: &Event) {
        self.last_ms = event.at_ms;
        let ended = self.spans.event(event);
        self.give(ended);
    }

    fn give(&self, ended: Vec<Span>) {
        if !ended.is_empty() && self.queue.try_send(ended).is_err() {
            self.warning.say("it does not take them as fast as they come");
        }
    }

    /// Nothing more will come: sends what is left, and waits for a few seconds at most.
    pub async fn finish(mut self) {
        let ended = self.spans.finish(self.last_ms);
        self.give(ended);
        let Self { queue, mut worker, warning, .. } = self;
        drop(queue);
        if tokio::time::timeout(FLUSH, &mut worker).await.is_err() {
            worker.abort();
            warning.say("it did not answer in time");
        }
    }
}

async fn work(mut waiting: Receiver<Vec<Span>>, client: HttpClient, given: Given, warning: Warning) {
    while let Some(mut batch) = waiting.recv().await {
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        while batch.len() < BATCH {
            tokio::select! {
                more = waiting.recv() => match more {
                    Some(more) => batch.extend(more),
                    None => break,
                },
                () = &mut gathered => break,
            }
        }
        for part in batch.chunks(BATCH) {
            send(part, &client, &given, &warning).await;
        }
    }
}

async fn send(spans: &[Span], client: &HttpClient, given: &Given, warning: &Warning) {
    let body = message(spans, &given.resource).encode_to_vec();
    let mut request = Request::new(Method::POST, given.url.clone(), "traces")
        .body(Body::Raw("application/x-protobuf".to_owned(), body))
        // A collector knows spans by their ids.
        .idempotent(true);
    for (name, value) in &given.headers {
        request = request.header(name, value.expose()).secret(value.clone());
    }
    if let Err(error) = client.send(request).await.and_then(crate::driver::http::Response::ok) {
        warning.say(&error.to_string());
    }
}

/// As OTLP wants it (opentelemetry-proto, `trace_service.proto`).
fn message(spans: &[Span], resource: &[(String, String)]) -> ExportTraceServiceRequest {
    let text = |value: &str| Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    let attributes = resource.iter().map(|(key, value)| KeyValue { key: key.clone(), value: text(value), ..KeyValue::default() }).collect();
    let scope = InstrumentationScope {
        name: "drydock".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let of_scope = ScopeSpans { scope: Some(scope), spans: spans.iter().map(span).collect(), schema_url: String::new() };
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans: vec![of_scope], schema_url: String::new() }] }
}

fn span(span: &Span) -> OtlpSpan {
    let (code, message) = match &span.status {
        SpanStatus::Unset => (StatusCode::Unset, String::new()),
        SpanStatus::Ok => (StatusCode::Ok, String::new()),
        SpanStatus::Error(message) => (StatusCode::Error, message.clone()),
    };
    let event = |event: &crate::report::SpanEvent| OtlpEvent {
        time_unix_nano: nanoseconds(event.at_ms),
        name: event.name.to_owned(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: 0,
    };
    OtlpSpan {
        trace_id: span.trace.to_vec(),
        span_id: span.id.to_vec(),
        parent_span_id: span.parent.map(|id| id.to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanoseconds(span.start_ms),
        end_time_unix_nano: nanoseconds(span.end_ms),
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        status: Some(Status { message, code: code.into() }),
        ..OtlpSpan::default()
    }
}

fn nanoseconds(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

fn attributes(list: &SpanAttributes) -> Vec<KeyValue> {
    let value = |value: &SpanValue| match value {
        SpanValue::Text(text) => Value::StringValue(text.clone()),
        SpanValue::Number(n) => Value::IntValue(i64::try_from(*n).unwrap_or(i64::MAX)),
    };
    list.iter()
        .map(|(key, of)| KeyValue { key: (*key).to_owned(), value: Some(AnyValue { value: Some(value(of)) }), ..KeyValue::default() })
        .collect()
}

//! What a BMC has accepted and works on (202; DSP0266, section on asynchronous operations).

use reqwest::header::LOCATION;
use serde_json::Value;

use super::connection::Talk;
use super::fault::Fault;
use super::system::{link_of, text};
use crate::driver::http::{Method, Response};
use crate::driver::{DriverError, ErrorClass};

/// A task that is polled until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// Link to its monitor, else to the task itself.
    monitor: String,
    /// What was ordered, for people (`reset On`).
    what: String,
}

/// How a task is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// It runs; a few words on how far it is.
    Running(String),
    /// It did what it was to do, or nothing is known of it any more.
    Ended,
    /// It came to nothing.
    Failed(DriverError),
}

/// States of a task that has not ended (DSP2046, Task, `TaskState`).
const RUNNING: [&str; 9] = ["New", "Starting", "Running", "Suspended", "Interrupted", "Pending", "Stopping", "Service", "Cancelling"];

impl Task {
    /// The task that an answer begins; none where the BMC does it without saying more.
    pub(super) fn of(answer: &Response, talk: Talk<'_>, what: &str) -> Option<Self> {
        if answer.status.as_u16() != 202 {
            return None;
        }
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let monitor = answer.header(LOCATION.as_str()).map(str::to_owned).or_else(|| text(&body, "TaskMonitor")).or_else(|| {
            // A task without a monitor is polled itself.
            link_of(&body).filter(|_| body.get("TaskState").is_some())
        })?;
        let monitor = talk.target.service.local(&monitor)?;
        let monitor = monitor.query().map_or_else(|| monitor.path().to_owned(), |query| format!("{}?{query}", monitor.path()));
        Some(Self { monitor, what: what.to_owned() })
    }

    /// Asks how it is doing.
    pub(super) async fn poll(&self, talk: Talk<'_>) -> Result<Progress, DriverError> {
        let answer = talk.call(Method::GET, &self.monitor, None, None).await?;
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let state = text(&body, "TaskState");
        Ok(match (answer.status.as_u16(), state.as_deref()) {
            (202, state) => Progress::Running(self.shown(state, &body)),
            (200..=299, Some(state)) if RUNNING.contains(&state) => Progress::Running(self.shown(Some(state), &body)),
            (200..=299, Some(state @ ("Exception" | "Killed" | "Cancelled"))) => Progress::Failed(self.failure(talk, state, &body)),
            // Ended; or forgotten, as BMCs do with tasks that have ended.
            (200..=299 | 404 | 410, _) => Progress::Ended,
            (401 | 403 | 408 | 429 | 503, _) => return Err(super::fault::refusal(&answer)),
            _ => Progress::Failed(talk.error(ErrorClass::Failed, format!("{} failed: {}", self.what, Fault::of(&answer).text))),
        })
    }

    fn shown(&self, state: Option<&str>, body: &Value) -> String {
        let state = state.unwrap_or("running").to_ascii_lowercase();
        match body.get("PercentComplete").and_then(Value::as_u64) {
            Some(percent) => format!("the BMC works on {}: {state}, {percent} %", self.what),
            None => format!("the BMC works on {}: {state}", self.what),
        }
    }

    fn failure(&self, talk: Talk<'_>, state: &str, body: &Value) -> DriverError {
        let messages = body.get("Messages").and_then(Value::as_array);
        let said: Vec<String> = messages.into_iter().flatten().filter_map(|m| text(m, "Message")).collect();
        let said = if said.is_empty() { String::new() } else { format!(": {:.200}", said.join("; ")) };
        talk.error(ErrorClass::Failed, format!("the BMC's task for {} ended as {state}{said}", self.what))
            .hint("see the BMC's log; what it accepted, it did not do")
    }
}

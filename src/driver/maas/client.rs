//! Requests to the MAAS API: signing, repeating, failures as errors without secrets.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::auth::{ApiKey, Nonces};
use super::lists::SharedLists;
use super::machines::Machines;
use super::together::Together;
use crate::build::Binding;
use crate::driver::http::{Body, HttpClient, HttpOptions, Lanes, Method, Request, Response, StatusCode, TOO_SLOW, Url};
use crate::driver::{DriverError, ErrorClass};
use crate::redact::Secret;

/// A machine's answer is some 25 kB; this admits 20 000 of them.
const MAX_BODY: usize = 512 << 20;

/// How many requests for single machines are under way at most, and how many ask in each.
const READS: usize = 2;
const READ_TOGETHER: usize = 50;

/// The operation that sets workload annotations.
pub(super) const ANNOTATE: &str = "set_workload_annotations";

/// How MAAS refuses an operation it does not know, and any read without credentials.
const UNKNOWN_OP: &str = "Unrecognised signature";

/// One call of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiCall {
    /// Method.
    pub(super) method: Method,
    /// Path below `api/2.0/` with a closing slash where MAAS has one.
    pub(super) path: String,
    /// Operation, if the path has several.
    pub(super) op: Option<&'static str>,
    /// Parameters: the query of a `GET`, else the form. Names may repeat.
    pub(super) params: Vec<(String, String)>,
    /// Parameters that are never shown.
    pub(super) secrets: Vec<(&'static str, Secret)>,
}

impl ApiCall {
    fn new(method: Method, path: impl Into<String>, op: Option<&'static str>) -> Self {
        Self { method, path: path.into(), op, params: Vec::new(), secrets: Vec::new() }
    }

    /// A read.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// A read by operation.
    pub(super) fn get_op(path: impl Into<String>, op: &'static str) -> Self {
        Self::new(Method::GET, path, Some(op))
    }

    /// A creation.
    pub(super) fn create(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, None)
    }

    /// An operation.
    pub(super) fn post(path: impl Into<String>, op: &'static str) -> Self {
        Self::new(Method::POST, path, Some(op))
    }

    /// An update.
    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path, None)
    }

    /// A removal.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    /// Adds a parameter.
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // Callers give numbers and references alike.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a parameter if there is a value.
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // Callers give numbers and references alike.
    pub(super) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a parameter that is never shown.
    #[must_use]
    pub(super) fn with_secret(mut self, name: &'static str, value: &Secret) -> Self {
        self.secrets.push((name, value.clone()));
        self
    }

    /// Adds a parameter once per value.
    #[must_use]
    pub(super) fn with_each(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.params.extend(values.into_iter().map(|v| (name.to_owned(), v.to_string())));
        self
    }
}

/// The API of one MAAS.
#[derive(Debug, Clone)]
pub(super) struct Api {
    http: HttpClient,
    base: Url,
    key: ApiKey,
    nonces: Arc<Nonces>,
    lanes: Arc<Lanes>,
    /// Reads that are shared by those who ask at the same time.
    pub(super) lists: Arc<SharedLists>,
    pub(super) machines: Arc<Together<Vec<Binding>, Machines>>,
    /// Whether discovery needs the UUIDs of volume groups, which only requests for single machines answer.
    pub(super) group_uuids: bool,
    attempts: u32,
    backoff: Duration,
    deadline: Duration,
}

/// A server that asks for a longer one is left alone until the whole action is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Api {
    pub(super) fn new(url: &str, key: &Secret, options: HttpOptions, max_requests: usize) -> Result<Self, DriverError> {
        let (attempts, backoff, deadline) = (options.attempts.max(1), options.backoff, options.deadline);
        let base = base_url(url)?;
        // Repetitions are made here: each needs a nonce of its own.
        // The limit is kept here, too, so that it is the same for all of them together.
        let deadline_of_one = deadline.saturating_add(Duration::from_secs(1));
        let http = HttpClient::new(HttpOptions {
            attempts: 1,
            max_body: options.max_body.max(MAX_BODY),
            deadline: deadline_of_one,
            read_timeout: options.read_timeout.max(deadline_of_one),
            ..options
        })?;
        http.check_url(&base)?;
        Ok(Self {
            http,
            base,
            key: ApiKey::parse(key)?,
            nonces: Arc::new(Nonces::new()),
            lanes: Arc::new(Lanes::new(max_requests, max_requests)),
            lists: Arc::new(SharedLists::new()),
            machines: Together::new(READS, READ_TOGETHER),
            group_uuids: true,
            attempts,
            backoff,
            deadline,
        })
    }

    /// Sends a call and decodes its answer.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: &ApiCall) -> Result<T, DriverError> {
        self.send(call).await?.json()
    }

    /// Sends a call; any answer but 2xx is an error.
    pub(super) async fn send(&self, call: &ApiCall) -> Result<Response, DriverError> {
        // Waiting for a free lane does not count: MAAS knows nothing of it yet.
        let mut left = self.deadline;
        let repeatable = call.method != Method::POST;
        let mut attempt = 1;
        loop {
            let (outcome, took) = self.once(call, left).await;
            left = left.saturating_sub(took);
            let again = repeatable
                && attempt < self.attempts
                && match &outcome {
                    // MAAS answers 409 also where two of its transactions collide, and 500 where it does not expect that.
                    Ok(answer) if call.method == Method::GET && matches!(answer.status.as_u16(), 409 | 500) => true,
                    Ok(answer) => matches!(answer.status.as_u16(), 429 | 502 | 503 | 504),
                    Err(error) => error.class == ErrorClass::Transient,
                };
            let pause = self.pause(outcome.as_ref().ok().and_then(Response::retry_after), attempt);
            if !again || pause >= left {
                let answer = outcome?;
                // The removal whose answer was lost has removed it.
                let gone = call.method == Method::DELETE && attempt > 1 && answer.status == StatusCode::NOT_FOUND;
                return match answer.status.is_success() {
                    true => understood(&answer, call).map(|()| answer),
                    false if gone => Ok(answer),
                    false => Err(refusal(&answer, call)),
                };
            }
            tokio::time::sleep(pause).await;
            left -= pause;
            attempt += 1;
        }
    }

    fn pause(&self, asked: Option<Duration>, attempt: u32) -> Duration {
        asked.unwrap_or_else(|| self.backoff.saturating_mul(1 << attempt.min(6)))
    }

    /// How long to wait before what failed is tried again; `None` where that does not help, or was tried often enough.
    pub(super) fn pause_after(&self, error: &DriverError, attempt: u32) -> Option<Duration> {
        let passes = matches!(error.class, ErrorClass::Transient | ErrorClass::Busy | ErrorClass::NotReady);
        let pause = self.pause(error.retry_after, attempt);
        (passes && attempt < self.attempts && pause <= LONGEST_PAUSE).then_some(pause)
    }

    /// Sends a call that changes something, in the words of older releases where the newer ones are not known.
    pub(super) async fn change(&self, call: &ApiCall) -> Result<Response, DriverError> {
        match self.send(call).await {
            // Older releases call workload annotations owner data.
            Err(error) if call.op == Some(ANNOTATE) && error.class == ErrorClass::Rejected && error.message.contains(UNKNOWN_OP) => {
                self.send(&ApiCall { op: Some("set_owner_data"), ..call.clone() }).await
            }
            outcome => outcome,
        }
    }

    /// One attempt, and how long it took.
    async fn once(&self, call: &ApiCall, limit: Duration) -> (Result<Response, DriverError>, Duration) {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(call.path.split('/'));
        }
        if call.op.is_some() || (call.method == Method::GET && !call.params.is_empty()) {
            let mut query = url.query_pairs_mut();
            if let Some(op) = call.op {
                query.append_pair("op", op);
            }
            if call.method == Method::GET {
                query.extend_pairs(&call.params);
            }
        }
        let body = match call.method {
            Method::POST | Method::PUT => {
                let hidden = call.secrets.iter().map(|(name, value)| ((*name).to_owned(), value.expose().to_owned()));
                Body::Form(call.params.iter().cloned().chain(hidden).collect())
            }
            _ => Body::Empty,
        };
        let mut request = Request::new(call.method.clone(), url, "MAAS")
            .header("authorization", self.key.header(&self.nonces))
            .header("accept", "*/*")
            .body(body)
            .idempotent(call.method != Method::POST);
        for secret in self.key.secrets() {
            request = request.secret(secret);
        }
        for (_, secret) in &call.secrets {
            request = request.secret(secret.clone());
        }
        let _pass = self.lanes.enter("maas").await;
        let began = Instant::now();
        let outcome = match tokio::time::timeout(limit, self.http.send(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(DriverError::new(
                ErrorClass::Transient,
                format!("MAAS: {} {}: no answer within {}", call.method, call.path, shown(self.deadline)),
            )
            .hint(TOO_SLOW)),
        };
        (outcome, began.elapsed())
    }
}

/// Whether a 2xx to a call that changes something is from MAAS: the object that was changed, how many were, or nothing for a removal. A proxy or a login
/// page answers 200 as well, and nothing has happened.
fn understood(answer: &Response, call: &ApiCall) -> Result<(), DriverError> {
    let in_words = matches!(call.op, Some("set_boot_disk" | "import"));
    match call.method {
        Method::DELETE if answer.body.is_empty() => Ok(()),
        Method::POST | Method::PUT if in_words => match answer.body.first() {
            // A sentence: neither JSON nor a page.
            Some(b'{' | b'[' | b'<') => Err(answer.other_shape()),
            _ => Ok(()),
        },
        Method::POST | Method::PUT | Method::DELETE => {
            let object: serde_json::Map<String, serde_json::Value> = answer.json()?;
            let known = ["resource_uri", "id", "added"].iter().any(|key| object.contains_key(*key));
            if known && call.method != Method::DELETE { Ok(()) } else { Err(answer.other_shape()) }
        }
        _ => Ok(()),
    }
}

/// A time limit as people write it.
fn shown(limit: Duration) -> String {
    if limit.subsec_millis() == 0 { format!("{} s", limit.as_secs()) } else { format!("{} ms", limit.as_millis()) }
}

/// The base of the API from what people write: with or without `/MAAS`, a closing slash or `api/2.0`.
fn base_url(text: &str) -> Result<Url, DriverError> {
    let bad = |why: String| DriverError::new(ErrorClass::Settings, format!("the URL of MAAS is not usable: {why}"));
    let mut url = Url::parse(text.trim()).map_err(|e| bad(e.to_string()).hint("write it as https://maas.example.com:5443/MAAS"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a user or password".into()).hint("remove it; the API key is enough"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let path = path.strip_suffix("/api/2.0").unwrap_or(&path).trim_end_matches('/');
    let path = if path.is_empty() { "/MAAS" } else { path };
    url.set_path(&format!("{path}/api/2.0/"));
    Ok(url)
}

/// What MAAS says about a failure, as an error of the class it really is.
fn refusal(answer: &Response, call: &ApiCall) -> DriverError {
    let said = answer.excerpt();
    match answer.status {
        StatusCode::UNAUTHORIZED => answer
            .failure_as(ErrorClass::Credentials)
            .hint("MAAS does not accept the API key: check that it is complete and was not deleted"),
        // The anonymous side of a collection has no reads.
        StatusCode::BAD_REQUEST if said.starts_with(UNKNOWN_OP) && call.op.is_none() => answer
            .failure_as(ErrorClass::Credentials)
            .hint("MAAS got the request without credentials: a proxy may drop the Authorization header"),
        StatusCode::BAD_REQUEST if said.starts_with(UNKNOWN_OP) => {
            answer.failure_as(ErrorClass::Rejected).hint("this MAAS does not know the operation; 2.9 or newer is needed")
        }
        StatusCode::BAD_REQUEST if said.contains("range conflicts with an existing") => answer.failure_as(ErrorClass::Rejected).hint(
            "MAAS allows no overlap with another range, and in a dynamic range no gateway, DNS server, next hop of a static route, or address of a machine or rack controller",
        ),
        StatusCode::BAD_REQUEST if said.contains("current state of the node") => answer.failure_as(ErrorClass::NotReady),
        StatusCode::FORBIDDEN if said.is_empty() => {
            answer.failure_as(ErrorClass::Rejected).hint("MAAS gives no reason; a locked machine answers like this: unlock it in MAAS")
        }
        StatusCode::FORBIDDEN => {
            answer.failure_as(ErrorClass::Credentials).hint("the user of the API key must be an administrator of MAAS")
        }
        // An object that the plan was made for is gone. Releases before 3.3 say less about it.
        StatusCode::NOT_FOUND if said.contains("matches the given query") || said == "Not Found" => {
            answer.failure_as(ErrorClass::Precondition).hint("it is no longer in MAAS, or has another id: make a new plan")
        }
        // Not only for things that are missing: an address that is taken answers 404 too.
        StatusCode::NOT_FOUND if !said.starts_with("Unknown API endpoint") => {
            let mut error = answer.failure_as(ErrorClass::Rejected);
            error.hint = None;
            error
        }
        StatusCode::BAD_REQUEST => match form_errors(&answer.body) {
            Some(errors) => answer
                .failure_saying(ErrorClass::Rejected, &errors)
                .hint("MAAS refuses the values that it names: change the design, or what is in their way in MAAS"),
            None => answer.failure(),
        },
        StatusCode::CONFLICT => answer.failure_as(ErrorClass::NotReady).hint("what it is about is in another state, or MAAS works on it; see MAAS"),
        status if status.is_server_error() => {
            let error = answer.failure();
            if error.hint.is_some() { error } else { error.hint("the log of MAAS' region controller (regiond.log) says why") }
        }
        _ => answer.failure(),
    }
}

/// The class of an answer to a call.
#[cfg(test)]
pub(in crate::driver) fn class_of_refusal(answer: &Response, op: Option<&'static str>) -> ErrorClass {
    refusal(answer, &ApiCall::new(Method::POST, "machines/", op)).class
}

/// Errors of a form as a sentence: `vid: Enter a whole number; name: This field is required`. Those of no field stand alone.
fn form_errors(body: &[u8]) -> Option<String> {
    let fields: std::collections::BTreeMap<String, Vec<String>> = serde_json::from_slice(body).ok()?;
    let of = |(field, errors): (&String, &Vec<String>)| {
        let errors = errors.join(" ");
        if field == "__all__" { errors } else { format!("{field}: {errors}") }
    };
    (!fields.is_empty()).then(|| fields.iter().map(of).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_completed() {
        for given in [
            "http://127.0.0.1:5240/MAAS",
            "http://127.0.0.1:5240/MAAS/",
            "http://127.0.0.1:5240/MAAS/api/2.0/",
            "http://127.0.0.1:5240/MAAS/api/2.0",
            "http://127.0.0.1:5240",
        ] {
            assert_eq!(base_url(given).unwrap().as_str(), "http://127.0.0.1:5240/MAAS/api/2.0/", "{given}");
        }
        assert!(base_url("maas.example.com").is_err());
        assert!(!base_url("http://me:hunter2@maas/").unwrap_err().message.contains("hunter2"));
    }
}

//! A request and its answer.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use super::failure::{class_of, excerpt, remedy_of};
use crate::driver::{DriverError, ErrorClass};
use crate::redact::{Secret, is_secret_parameter};

/// What a request carries.
#[derive(Clone, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// `application/x-www-form-urlencoded`; keys may repeat.
    Form(Vec<(String, String)>),
    /// Anything else, with its content type.
    Raw(String, Vec<u8>),
}

/// One request. `Debug` shows neither header values nor the body.
#[derive(Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Absolute URL.
    pub url: Url,
    /// Headers. Values of `authorization`, `x-auth-token` and `cookie` are masked wherever an answer repeats them.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
    /// Whether sending it twice does no more than sending it once. Requests that are not are sent again only if the connection was refused.
    pub idempotent: bool,
    /// What it is about, the start of every error message (`node compute01`).
    pub context: String,
    /// Values that are masked in error messages.
    pub secrets: Vec<Secret>,
}

impl Request {
    /// A request without headers and body. `GET` and `HEAD` are idempotent, everything else is not until told.
    pub fn new(method: Method, url: Url, context: impl Into<String>) -> Self {
        let idempotent = method == Method::GET || method == Method::HEAD;
        Self { method, url, headers: Vec::new(), body: Body::Empty, idempotent, context: context.into(), secrets: Vec::new() }
    }

    /// A `GET`.
    pub fn get(url: Url, context: impl Into<String>) -> Self {
        Self::new(Method::GET, url, context)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Masks a value in error messages.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Says whether it may be repeated.
    #[must_use]
    pub fn idempotent(mut self, yes: bool) -> Self {
        self.idempotent = yes;
        self
    }

    /// Everything that must be masked when an answer repeats it.
    pub(super) fn masked(&self) -> Vec<String> {
        let mut out: Vec<String> = self.secrets.iter().map(|s| s.expose().to_owned()).collect();
        for (name, value) in &self.headers {
            if matches!(name.to_ascii_lowercase().as_str(), "authorization" | "x-auth-token" | "cookie") {
                out.push(value.clone());
                out.extend(value.split_once(' ').map(|(_, v)| v.to_owned()));
            }
        }
        // As it would stand in JSON and in a form.
        let written: Vec<String> = out
            .iter()
            .flat_map(|s| {
                let json = serde_json::Value::from(s.as_str()).to_string();
                [json[1..json.len() - 1].to_owned(), url::form_urlencoded::byte_serialize(s.as_bytes()).collect()]
            })
            .collect();
        out.extend(written);
        out.retain(|s| !s.is_empty());
        // The longest first, so that a secret that contains another is masked whole.
        out.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        out.dedup();
        out
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &shown_url(&self.url))
            .field("headers", &self.headers.iter().map(|(n, _)| n).collect::<Vec<_>>())
            .field("idempotent", &self.idempotent)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// An answer of any status, read completely. `Debug` shows neither headers nor the body.
#[derive(Clone)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
    /// Where it came from, after redirects.
    pub url: Url,
    pub(super) method: Method,
    pub(super) context: String,
    pub(super) masked: Vec<String>,
    /// When its head was here.
    pub(super) received: SystemTime,
}

impl Response {
    /// How far the server's clock is ahead of ours in milliseconds, by its `Date` (RFC 9110, section 6.6.1): to a second, and the time that the answer
    /// was under way.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        super::date::offset_ms(self.header(DATE.as_str())?, self.received)
    }

    /// A header as text; `None` if it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// How long the server asks to be left alone: `Retry-After` in seconds, or as a date, which is held against the answer's own `Date` (RFC 9110, section
    /// 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        let asked = self.header(RETRY_AFTER.as_str())?.trim();
        let until = || {
            let now = super::date::seconds(self.header(DATE.as_str())?)?;
            u64::try_from(super::date::seconds(asked)?.saturating_sub(now).max(0)).ok()
        };
        asked.parse().ok().or_else(until).map(Duration::from_secs)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON of that shape. The message does not quote the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DriverError> {
        serde_json::from_slice(&self.body).map_err(|e| {
            // Errors of decoding can quote values; the kind and the place say enough.
            let what = match e.classify() {
                serde_json::error::Category::Data => "JSON of another shape than expected",
                serde_json::error::Category::Eof => "JSON that ends too early",
                _ => "no JSON",
            };
            self.unusable(&format!("{what} (line {}, column {})", e.line(), e.column()))
        })
    }

    /// The error for a body that is JSON, and not what this service answers.
    pub fn other_shape(&self) -> DriverError {
        self.unusable("JSON of another shape than expected")
    }

    fn unusable(&self, what: &str) -> DriverError {
        let (method, url, status) = (&self.method, shown_url(&self.url), self.status.as_u16());
        DriverError::new(ErrorClass::Transient, format!("{}: {method} {url} answered {status} with {what}", self.context))
            .hint("check that the URL leads to the service itself and not to a proxy or a login page")
    }

    /// The body for people: one line, at most 200 characters, secrets masked, never that of a 401.
    pub fn excerpt(&self) -> String {
        if self.status == StatusCode::UNAUTHORIZED { String::new() } else { excerpt(&self.body, &self.masked) }
    }

    /// Itself when the status is 2xx.
    ///
    /// # Errors
    /// [`Response::failure`] otherwise.
    pub fn ok(self) -> Result<Self, DriverError> {
        if self.status.is_success() { Ok(self) } else { Err(self.failure()) }
    }

    /// The status as an error: method, URL, status, what the server said, what to do.
    pub fn failure(&self) -> DriverError {
        self.failure_as(class_of(self.status))
    }

    /// [`Response::failure`] with a class that the driver knows better.
    pub fn failure_as(&self, class: ErrorClass) -> DriverError {
        self.failure_saying(class, &self.excerpt())
    }

    /// [`Response::failure_as`] with the part of the body that says why; it is bounded and masked here.
    pub fn failure_saying(&self, class: ErrorClass, said: &str) -> DriverError {
        let mut message = format!("{}: {} {} answered {}", self.context, self.method, shown_url(&self.url), self.status.as_u16());
        if let Some(reason) = self.status.canonical_reason() {
            message.push(' ');
            message.push_str(reason);
        }
        if self.status != StatusCode::UNAUTHORIZED {
            let said = excerpt(said.as_bytes(), &self.masked);
            if !said.is_empty() {
                message.push_str(": ");
                message.push_str(&said);
            }
        }
        let error = DriverError::new(class, message).after(self.retry_after());
        match remedy_of(self.status) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

#[cfg(test)]
impl Response {
    /// An answer with a status and a body.
    pub(in crate::driver) fn for_tests(status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            url: Url::parse("http://server/").expect("a URL"),
            method: Method::POST,
            context: "server".to_owned(),
            masked: Vec::new(),
            received: SystemTime::now(),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("method", &self.method)
            .field("url", &shown_url(&self.url))
            .field("status", &self.status.as_u16())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A URL for people: without user, password, fragment and values of secret query parameters.
pub fn shown_url(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot have a user, which then have nothing to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(k, v)| {
                let secret = is_secret_parameter(&k);
                (k.into_owned(), if secret { "***".to_owned() } else { v.into_owned() })
            })
            .collect();
        shown.query_pairs_mut().clear().extend_pairs(pairs);
    }
    shown.into()
}

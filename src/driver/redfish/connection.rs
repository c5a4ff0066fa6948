//! Requests to one BMC on behalf of one node.

use std::sync::Arc;

use reqwest::header::ETAG;
use serde_json::Value;
use url::Url;

use super::fault::refusal;
use super::service::{Caller, Login, Root, Service};
use super::system::text;
use crate::driver::http::{Body, HttpClient, Method, Response, StatusCode};
use crate::driver::{BmcEndpoint, DriverError, ErrorClass};
use crate::redact::Secret;

/// A node's BMC and what never changes about it.
pub(super) struct Target {
    pub(super) endpoint: BmcEndpoint,
    pub(super) service: Arc<Service>,
    /// The system, when the URL in the settings names one.
    pub(super) system: Option<String>,
}

/// The service root of an endpoint, and the path of the system if its URL names one.
pub(super) fn place(endpoint: &BmcEndpoint) -> Result<(Url, Option<String>), DriverError> {
    let refuse = |why: &str| {
        DriverError::new(ErrorClass::Rejected, format!("node {}: BMC {}: the URL {why}", endpoint.node, endpoint.address))
            .hint("it must look like `https://172.16.100.20`")
    };
    let mut root = Url::parse(&endpoint.url).map_err(|e| refuse(&format!("is not a URL ({e})")))?;
    if !root.has_host() {
        return Err(refuse("names no host"));
    }
    if !root.username().is_empty() || root.password().is_some() {
        return Err(refuse("holds credentials, which belong elsewhere"));
    }
    root.set_query(None);
    root.set_fragment(None);
    let path = root.path().to_owned();
    let (prefix, rest) = path.split_once("/redfish/v1").unwrap_or((path.as_str(), ""));
    let system = (!rest.trim_matches('/').is_empty()).then(|| path.clone());
    root.set_path(&format!("{}/redfish/v1/", prefix.trim_end_matches('/')));
    Ok((root, system))
}

/// A conversation with one BMC.
#[derive(Clone, Copy)]
pub(super) struct Talk<'a> {
    pub(super) target: &'a Target,
    pub(super) http: &'a HttpClient,
}

impl<'a> Talk<'a> {
    fn caller(self) -> Caller<'a> {
        Caller { service: &self.target.service, endpoint: &self.target.endpoint, http: self.http }
    }

    /// The start of every message.
    pub(super) fn context(self) -> String {
        self.caller().context()
    }

    /// An error about this BMC.
    pub(super) fn error(self, class: ErrorClass, what: impl std::fmt::Display) -> DriverError {
        self.caller().error(class, what)
    }

    /// A link as a URL of this BMC. Links to elsewhere are refused: credentials would follow them.
    fn url(self, link: &str) -> Result<Url, DriverError> {
        let root = &self.target.service.root;
        root.join(link)
            .ok()
            .filter(|u| u.origin() == root.origin())
            .ok_or_else(|| self.error(ErrorClass::Rejected, format!("the BMC gives a link that does not lead to itself: {link:.100}")))
    }

    /// What the service root says.
    pub(super) async fn root(self) -> Result<Root, DriverError> {
        let _turn = self.target.service.turn().await;
        let mut access = self.target.service.access.lock().await;
        let caller = self.caller();
        caller.may_ask(&mut access)?;
        caller.root(&mut access).await
    }

    /// Remembers that `$expand` is offered and refused.
    async fn without_expand(self) {
        if let Some(root) = &mut self.target.service.access.lock().await.root {
            root.expand = None;
        }
    }

    /// Ends the session.
    pub(super) async fn logout(self) {
        self.caller().logout().await;
    }

    /// Sends a request as the user we are; logs in again once when the session is gone.
    pub(super) async fn call(
        self,
        method: Method,
        link: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Response, DriverError> {
        let caller = self.caller();
        let service = &self.target.service;
        let mut turn = Some(service.turn().await);
        let mut renewed = false;
        loop {
            let token = {
                let mut access = service.access.lock().await;
                // Whoever had the turn before may have been asked to leave it alone.
                caller.may_ask(&mut access)?;
                caller.login(&mut access, &mut turn).await?;
                access.token().cloned()
            };
            let mut request = caller.request(method.clone(), self.url(link)?);
            request = match &token {
                Some(token) => request.header("X-Auth-Token", token.expose()),
                None => request.header("Authorization", caller.basic()),
            };
            if let Some(etag) = if_match {
                request = request.header("If-Match", etag);
            }
            if let Some(body) = body {
                request = request.body(Body::Json(body.clone()));
            }
            let answer = self.http.send(request).await?;
            let mut access = service.access.lock().await;
            access.heed(&answer);
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            // Another request may have found the session gone, and have a new one.
            if access.token().map(Secret::expose) == token.as_ref().map(Secret::expose) {
                access.login = Login::None;
            }
            if token.is_none() || renewed {
                return Err(caller.wrong_credentials());
            }
            renewed = true;
        }
    }

    /// Reads a resource with its entity tag.
    pub(super) async fn get(self, link: &str) -> Result<(Value, Option<String>), DriverError> {
        let answer = self.call(Method::GET, link, None, None).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let etag = answer.header(ETAG.as_str()).map(str::to_owned);
        Ok((answer.json()?, etag))
    }

    /// Reads a resource that a BMC may lack; `None` when it has no such thing or fails over it.
    pub(super) async fn get_optional(self, link: &str) -> Result<Option<Value>, DriverError> {
        let answer = self.call(Method::GET, link, None, None).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(serde_json::from_slice(&answer.body).ok()),
            400 | 404 | 405 | 410 | 500 | 501 => Ok(None),
            _ => Err(refusal(&answer)),
        }
    }

    /// Reads a collection with its members in it where the BMC offers that, else as it is; `None` when it has no such thing.
    pub(super) async fn get_collection(self, link: &str) -> Result<Option<Value>, DriverError> {
        if let Some(query) = self.root().await?.expand {
            let mark = if link.contains('?') { '&' } else { '?' };
            if let Some(body) = self.get_optional(&format!("{link}{mark}{query}")).await? {
                return Ok(Some(body));
            }
            let plain = self.get_optional(link).await?;
            if plain.is_some() {
                self.without_expand().await;
            }
            return Ok(plain);
        }
        self.get_optional(link).await
    }

    /// Changes a resource. Entity tags are honoured where the BMC gives them, read again where they are old, and dropped where it refuses its own. A weak tag
    /// is sent as a strong one before that: some BMCs give the one and take the other (sushy/connector.py).
    pub(super) async fn patch(self, link: &str, etag: Option<&str>, body: &Value) -> Result<Response, DriverError> {
        let answer = self.call(Method::PATCH, link, Some(body), etag).await?;
        match answer.status.as_u16() {
            428 => self.call(Method::PATCH, link, Some(body), Some("*")).await,
            412 => {
                let (now, header) = self.get(link).await?;
                let fresh = header.or_else(|| text(&now, "@odata.etag"));
                let strong = fresh.as_deref().and_then(|tag| tag.strip_prefix("W/")).map(str::to_owned);
                let mut answer = answer;
                for tag in [fresh.as_deref(), strong.as_deref(), None] {
                    if tag.is_some() || answer.status == StatusCode::PRECONDITION_FAILED {
                        answer = self.call(Method::PATCH, link, Some(body), tag).await?;
                    }
                    if answer.status != StatusCode::PRECONDITION_FAILED {
                        break;
                    }
                }
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }
}

//! One BMC: where it is, who we are there, and requests to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{ETAG, LOCATION};
use serde_json::{Value, json};
use url::Url;

use super::fault::refusal;
use super::system::link_of;
use crate::driver::http::{Body, HttpClient, Lanes, Method, Request, Response, StatusCode};
use crate::driver::power::Order;
use crate::driver::{BmcEndpoint, DriverError, ErrorClass};
use crate::redact::Secret;

/// A BMC and what never changes about it.
pub(super) struct Target {
    pub(super) endpoint: BmcEndpoint,
    /// The service root.
    pub(super) root: Url,
    /// The system, when the URL in the settings names one.
    pub(super) system: Option<String>,
    lane: String,
    lanes: Arc<Lanes>,
}

/// Who we are at a BMC.
#[derive(Default)]
enum Login {
    #[default]
    None,
    Session {
        token: Secret,
        location: Option<Url>,
    },
    Basic,
}

/// What was learned of a BMC in this process.
#[derive(Default)]
pub(super) struct State {
    login: Login,
    /// Link to the collection of systems.
    systems: Option<String>,
    /// Link to the collection of sessions, if there is one; read together with `systems`.
    sessions: Option<String>,
    /// Link to the system, once chosen.
    pub(super) system: Option<String>,
    /// Orders by action id.
    pub(super) orders: BTreeMap<String, Order>,
}

impl Target {
    /// A target; the URL is that of the BMC, or of one system of it.
    pub(super) fn new(endpoint: BmcEndpoint, lanes: Arc<Lanes>) -> Result<Self, DriverError> {
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
        let lane = root.origin().ascii_serialization();
        Ok(Self { endpoint, root, system, lane, lanes })
    }

    /// The start of every message.
    pub(super) fn context(&self) -> String {
        format!("node {}, BMC {}", self.endpoint.node, self.endpoint.address)
    }

    /// An error about this BMC.
    pub(super) fn error(&self, class: ErrorClass, what: impl std::fmt::Display) -> DriverError {
        DriverError::new(class, format!("{}: {what}", self.context()))
    }
}

/// A conversation with one BMC.
pub(super) struct Talk<'a> {
    pub(super) target: &'a Target,
    pub(super) state: &'a mut State,
    pub(super) http: &'a HttpClient,
}

impl Talk<'_> {
    /// A link as a URL of this BMC. Links to elsewhere are refused: credentials would follow them.
    fn url(&self, link: &str) -> Result<Url, DriverError> {
        let url = self.target.root.join(link).ok().filter(|u| u.origin() == self.target.root.origin());
        url.ok_or_else(|| {
            self.target.error(ErrorClass::Rejected, format!("the BMC gives a link that does not lead to itself: {link:.100}"))
        })
    }

    async fn send(&self, request: Request) -> Result<Response, DriverError> {
        let _pass = self.target.lanes.enter(&self.target.lane).await;
        self.http.send(request).await
    }

    fn request(&self, method: Method, url: Url) -> Request {
        Request::new(method, url, self.target.context())
            .secret(self.target.endpoint.password.clone())
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
    }

    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.target.endpoint.username, self.target.endpoint.password.expose());
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    /// Reads the service root, which needs no login (DSP0266, section on authentication); some BMCs want one all the same.
    async fn root(&mut self) -> Result<(), DriverError> {
        if self.state.systems.is_some() {
            return Ok(());
        }
        let url = self.target.root.clone();
        let mut answer = self.send(self.request(Method::GET, url.clone())).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            answer = self.send(self.request(Method::GET, url).header("Authorization", self.basic())).await?;
        }
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let root: Value = answer.json()?;
        let systems = root.get("Systems").and_then(link_of).ok_or_else(|| {
            self.target
                .error(ErrorClass::Rejected, "the service root has no link to systems")
                .hint("this address may be a chassis or enclosure manager; give that of the server's own BMC")
        })?;
        self.state.systems = Some(systems);
        self.state.sessions = root.get("Links").and_then(|l| l.get("Sessions")).and_then(link_of);
        Ok(())
    }

    /// Logs in: a session where there is such a service, else basic authentication with each request.
    async fn login(&mut self) -> Result<(), DriverError> {
        self.root().await?;
        if !matches!(self.state.login, Login::None) {
            return Ok(());
        }
        let Some(sessions) = self.state.sessions.clone() else {
            self.state.login = Login::Basic;
            return Ok(());
        };
        let body = json!({ "UserName": self.target.endpoint.username, "Password": self.target.endpoint.password.expose() });
        let answer = self.send(self.request(Method::POST, self.url(&sessions)?).body(Body::Json(body))).await?;
        if matches!(answer.status.as_u16(), 401 | 403) {
            return Err(self.wrong_credentials());
        }
        self.state.login = match answer.header("X-Auth-Token") {
            Some(token) if answer.status.is_success() => {
                let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
                let location = answer.header(LOCATION.as_str()).map(str::to_owned).or_else(|| link_of(&body));
                // BMCs give absolute locations with names of their own; only the path counts.
                let location = location.and_then(|l| self.target.root.join(&l).ok()).and_then(|l| self.target.root.join(l.path()).ok());
                Login::Session { token: Secret::new(token), location }
            }
            // No free session, or no such service after all.
            _ => Login::Basic,
        };
        Ok(())
    }

    fn wrong_credentials(&self) -> DriverError {
        self.target
            .error(ErrorClass::Credentials, format!("the BMC refuses the credentials of user {}", self.target.endpoint.username))
            .hint(format!(
                "check the account and credential of node {}'s BMC, and that the account is not locked",
                self.target.endpoint.node
            ))
    }

    /// Sends a request as the user we are; logs in again once when the session is gone.
    pub(super) async fn call(
        &mut self,
        method: Method,
        link: &str,
        body: Option<Value>,
        if_match: Option<&str>,
    ) -> Result<Response, DriverError> {
        let mut renewed = false;
        loop {
            self.login().await?;
            let mut request = self.request(method.clone(), self.url(link)?);
            request = match &self.state.login {
                Login::Session { token, .. } => request.header("X-Auth-Token", token.expose()),
                Login::Basic | Login::None => request.header("Authorization", self.basic()),
            };
            if let Some(etag) = if_match {
                request = request.header("If-Match", etag);
            }
            if let Some(body) = &body {
                request = request.body(Body::Json(body.clone()));
            }
            let answer = self.send(request).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let had_session = matches!(self.state.login, Login::Session { .. });
            self.state.login = Login::None;
            if !had_session || renewed {
                return Err(self.wrong_credentials());
            }
            renewed = true;
        }
    }

    /// Reads a resource with its entity tag.
    pub(super) async fn get(&mut self, link: &str) -> Result<(Value, Option<String>), DriverError> {
        let answer = self.call(Method::GET, link, None, None).await?;
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let etag = answer.header(ETAG.as_str()).map(str::to_owned);
        Ok((answer.json()?, etag))
    }

    /// Reads a resource that a BMC may lack; `None` when it has no such thing or fails over it.
    pub(super) async fn get_optional(&mut self, link: &str) -> Result<Option<Value>, DriverError> {
        let answer = self.call(Method::GET, link, None, None).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(serde_json::from_slice(&answer.body).ok()),
            400 | 404 | 405 | 410 | 500 | 501 => Ok(None),
            _ => Err(refusal(&answer)),
        }
    }

    /// Changes a resource. Entity tags are honoured where the BMC gives them, and dropped where it then refuses its own.
    pub(super) async fn patch(&mut self, link: &str, etag: Option<&str>, body: &Value) -> Result<Response, DriverError> {
        let answer = self.call(Method::PATCH, link, Some(body.clone()), etag).await?;
        match answer.status.as_u16() {
            428 => self.call(Method::PATCH, link, Some(body.clone()), Some("*")).await,
            412 => {
                let (now, header) = self.get(link).await?;
                let fresh = header.or_else(|| super::system::text(&now, "@odata.etag"));
                let answer = self.call(Method::PATCH, link, Some(body.clone()), fresh.as_deref()).await?;
                if answer.status == StatusCode::PRECONDITION_FAILED {
                    return self.call(Method::PATCH, link, Some(body.clone()), None).await;
                }
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }

    /// The link to the collection of systems.
    pub(super) async fn systems(&mut self) -> Result<String, DriverError> {
        self.root().await?;
        self.state.systems.clone().ok_or_else(|| self.target.error(ErrorClass::Rejected, "the service root has no link to systems"))
    }

    /// Ends the session, if there is one. A BMC that does not answer ends it by itself later.
    pub(super) async fn logout(&mut self) {
        if let Login::Session { token, location: Some(location) } = std::mem::take(&mut self.state.login) {
            let request = self.request(Method::DELETE, location).header("X-Auth-Token", token.expose());
            let _ = self.send(request).await;
        }
    }
}

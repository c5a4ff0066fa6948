//! One BMC as all its systems share it: its service root, our session there, and how long it wants to be left alone.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::fault::refusal;
use super::system::link_of;
use super::vendor::{self, Vendor};
use crate::driver::http::{Body, HttpClient, Lanes, Method, Pass, Request, Response, StatusCode};
use crate::driver::{BmcEndpoint, DriverError, ErrorClass};
use crate::redact::Secret;

/// Longest time that a BMC is left alone because it asks for it.
const MOST_PATIENCE: std::time::Duration = std::time::Duration::from_mins(5);

/// A BMC. Nodes whose systems are behind one BMC share it, and so its session and its turn.
pub(super) struct Service {
    /// The service root.
    pub(super) root: Url,
    lane: String,
    lanes: Arc<Lanes>,
    /// Held while it is found out or changed who we are there.
    pub(super) access: Mutex<Access>,
}

/// Who we are at a BMC.
#[derive(Default)]
pub(super) enum Login {
    #[default]
    None,
    Session(Session),
    Basic,
}

/// A session.
pub(super) struct Session {
    pub(super) token: Secret,
    location: Option<Url>,
}

/// What was learned of a BMC in this process.
#[derive(Default)]
pub(super) struct Access {
    pub(super) login: Login,
    pub(super) root: Option<Root>,
    /// Until when the BMC wants no requests (`Retry-After`).
    pub(super) not_before: Option<Instant>,
}

impl Access {
    /// The token of the session, if we have one.
    pub(super) fn token(&self) -> Option<&Secret> {
        match &self.login {
            Login::Session(session) => Some(&session.token),
            Login::Basic | Login::None => None,
        }
    }

    /// Notes that a BMC wants to be left alone.
    pub(super) fn heed(&mut self, answer: &Response) {
        if matches!(answer.status.as_u16(), 429 | 503)
            && let Some(wait) = answer.retry_after()
        {
            self.not_before = Some(Instant::now() + wait.min(MOST_PATIENCE));
        }
    }
}

/// What is used of a service root.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// Link to the collection of systems.
    pub(super) systems: String,
    /// Link to the collection of sessions, if there is one.
    sessions: Option<String>,
    /// Query that makes a collection's members come with it; `None` where that is not offered, or was refused.
    pub(super) expand: Option<&'static str>,
    pub(super) vendor: Option<&'static Vendor>,
}

impl Root {
    fn read(body: &Value) -> Option<Self> {
        let offered = body.get("ProtocolFeaturesSupported").and_then(|f| f.get("ExpandQuery"));
        let offers = |what: &str| offered.and_then(|e| e.get(what)).and_then(Value::as_bool) == Some(true);
        // DSP0266, section on `$expand`: `.` are all links but those in `Links`.
        let expand = match (offers("NoLinks"), offers("ExpandAll"), offers("Levels")) {
            (true, _, true) => Some("$expand=.($levels=1)"),
            (true, _, false) => Some("$expand=."),
            (false, true, true) => Some("$expand=*($levels=1)"),
            _ => None,
        };
        Some(Self {
            systems: body.get("Systems").and_then(link_of)?,
            sessions: body.get("Links").and_then(|l| l.get("Sessions")).and_then(link_of),
            expand,
            vendor: vendor::of_root(body),
        })
    }
}

impl Service {
    pub(super) fn new(root: Url, lanes: Arc<Lanes>) -> Self {
        let lane = root.origin().ascii_serialization();
        Self { root, lane, lanes, access: Mutex::default() }
    }

    /// A link as a URL of this BMC, by its path: BMCs give absolute locations with names of their own.
    pub(super) fn local(&self, location: &str) -> Option<Url> {
        let url = self.root.join(location).ok()?;
        let mut local = self.root.join(url.path()).ok()?;
        local.set_query(url.query());
        Some(local)
    }

    /// Waits for the right to have a request under way; whoever sends one to this BMC holds it.
    pub(super) async fn turn(&self) -> Pass {
        self.lanes.enter(&self.lane).await
    }
}

/// Requests as one user of one BMC.
pub(super) struct Caller<'a> {
    pub(super) service: &'a Arc<Service>,
    pub(super) endpoint: &'a BmcEndpoint,
    pub(super) http: &'a HttpClient,
}

impl Caller<'_> {
    pub(super) fn context(&self) -> String {
        format!("node {}, BMC {}", self.endpoint.node, self.endpoint.address)
    }

    pub(super) fn error(&self, class: ErrorClass, what: impl std::fmt::Display) -> DriverError {
        DriverError::new(class, format!("{}: {what}", self.context()))
    }

    pub(super) fn request(&self, method: Method, url: Url) -> Request {
        Request::new(method, url, self.context())
            .secret(self.endpoint.password.clone())
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
    }

    pub(super) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.endpoint.username, self.endpoint.password.expose());
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    /// Reads the service root, which needs no login (DSP0266, section on authentication); some BMCs want one all the same.
    pub(super) async fn root(&self, access: &mut Access) -> Result<Root, DriverError> {
        if let Some(root) = &access.root {
            return Ok(root.clone());
        }
        let url = self.service.root.clone();
        let mut answer = self.http.send(self.request(Method::GET, url.clone())).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            answer = self.http.send(self.request(Method::GET, url).header("Authorization", self.basic())).await?;
        }
        if !answer.status.is_success() {
            return Err(refusal(&answer));
        }
        let root = Root::read(&answer.json()?).ok_or_else(|| {
            self.error(ErrorClass::Rejected, "the service root has no link to systems")
                .hint("this address may be a chassis or enclosure manager; give that of the server's own BMC")
        })?;
        Ok(access.root.insert(root).clone())
    }

    /// Logs in: a session where there is such a service, else basic authentication with each request. The turn at the BMC is needed for it, and given back.
    pub(super) async fn login(&self, access: &mut Access, turn: &mut Option<Pass>) -> Result<(), DriverError> {
        let root = self.root(access).await?;
        if !matches!(access.login, Login::None) {
            return Ok(());
        }
        let Some(sessions) = root.sessions.as_deref().and_then(|link| self.service.local(link)) else {
            access.login = Login::Basic;
            return Ok(());
        };
        let body = json!({ "UserName": self.endpoint.username, "Password": self.endpoint.password.expose() });
        let request = self.request(Method::POST, sessions).body(Body::Json(body));
        // In a task of its own: where nobody waits for it any more, the session is ended instead of left behind.
        let (service, http) = (Arc::clone(self.service), self.http.clone());
        let (tell, told) = tokio::sync::oneshot::channel();
        let own = turn.take();
        let context = self.context();
        tokio::spawn(async move {
            let answer = http.send(request).await;
            let session = answer.as_ref().ok().and_then(|answer| Session::of(answer, &service));
            if let Err((_, Some(session), _own)) = tell.send((answer, session, own)) {
                session.end(&http, &context).await;
            }
        });
        let (answer, session, own) = told.await.map_err(|_| self.error(ErrorClass::Transient, "the login was interrupted"))?;
        *turn = own;
        if matches!(answer?.status.as_u16(), 401 | 403) {
            return Err(self.wrong_credentials());
        }
        // Without one: no session is free, or there is no such service after all.
        access.login = session.map_or(Login::Basic, Login::Session);
        Ok(())
    }

    pub(super) fn wrong_credentials(&self) -> DriverError {
        self.error(ErrorClass::Credentials, format!("the BMC refuses the credentials of user {}", self.endpoint.username))
            .hint(format!("check the account and credential of node {}'s BMC, and that the account is not locked", self.endpoint.node))
    }

    /// Refuses a request while the BMC wants none.
    pub(super) fn may_ask(&self, access: &mut Access) -> Result<(), DriverError> {
        let left = access.not_before.map(|at| at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        let Some(left) = left else {
            access.not_before = None;
            return Ok(());
        };
        Err(self
            .error(ErrorClass::NotReady, format!("the BMC is busy and asks to be left alone for another {} s", left.as_secs() + 1))
            .hint("it is tried again"))
    }

    /// Ends the session, if there is one. A BMC that does not answer ends it by itself later.
    pub(super) async fn logout(&self) {
        let _turn = self.service.turn().await;
        let mut access = self.service.access.lock().await;
        if let Login::Session(session) = std::mem::take(&mut access.login) {
            session.end(self.http, &self.context()).await;
        }
    }
}

impl Session {
    fn of(answer: &Response, service: &Service) -> Option<Self> {
        let token = answer.header("X-Auth-Token").filter(|_| answer.status.is_success())?;
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let location = answer.header(LOCATION.as_str()).map(str::to_owned).or_else(|| link_of(&body));
        Some(Self { token: Secret::new(token), location: location.and_then(|l| service.local(&l)) })
    }

    async fn end(self, http: &HttpClient, context: &str) {
        let Some(location) = self.location else { return };
        let request = Request::new(Method::DELETE, location, context)
            .header("Accept", "application/json")
            .header("OData-Version", "4.0")
            .header("X-Auth-Token", self.token.expose());
        let _ = http.send(request).await;
    }
}

//! The client: sending, waiting, repeating.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, redirect};
use tokio::time::Instant;
use url::{Host, Url};

use super::body::Guarded;
use super::failure::{Why, forbidden, transport};
use super::message::{Body, Request, Response, shown_url};
use super::options::{HttpOptions, Proxy};
use super::tls;
use crate::driver::{DriverError, ErrorClass};

/// How many redirects are followed.
const REDIRECTS: u32 = 3;

/// Longest pause between repetitions, unless the server asks for another.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Installs the process's TLS implementation; further calls do nothing.
pub fn install_crypto_provider() {
    // An error says that one is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An HTTP client with its connections; cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    pub(super) options: HttpOptions,
}

impl HttpClient {
    /// A client.
    ///
    /// # Errors
    /// When the CA file cannot be read or holds no certificate, or a fingerprint is none.
    pub fn new(options: HttpOptions) -> Result<Self, DriverError> {
        install_crypto_provider();
        let proxy = options.proxy.as_ref().map(through).transpose()?;
        let builder = || {
            let builder = reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .connect_timeout(options.connect_timeout)
                .read_timeout(options.read_timeout)
                .pool_idle_timeout(Duration::from_secs(30))
                .user_agent(&options.user_agent)
                // A connection of HTTP/2 sends the head of a request before it asks for its body, which is what may stop it.
                .http1_only();
            match &proxy {
                Some(proxy) => builder.proxy(proxy.clone()),
                None => builder,
            }
        };
        let client = if options.insecure_skip_tls_verify {
            builder().tls_danger_accept_invalid_certs(true).build()
        } else if let Some(config) = tls::listed(&options)? {
            builder().tls_backend_preconfigured(config).build()
        } else {
            // A machine without system certificates can still talk to plain loopback services.
            builder().build().or_else(|_| builder().tls_certs_only([]).build())
        };
        let client = client.map_err(|e| DriverError::new(ErrorClass::Settings, format!("cannot set up the HTTP client: {e}")))?;
        Ok(Self { client, options })
    }

    /// The same client and connections, with another number of attempts.
    #[must_use]
    pub fn with_attempts(&self, attempts: u32) -> Self {
        Self { client: self.client.clone(), options: HttpOptions { attempts, ..self.options.clone() } }
    }

    /// Whether this client may talk to a URL: `https`, or `http` to this machine, or `http` allowed by name.
    ///
    /// # Errors
    /// When it may not, with what to change.
    pub fn check_url(&self, url: &Url) -> Result<(), DriverError> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.options.allow_plain_http || is_loopback(url) => Ok(()),
            "http" => Err(DriverError::new(
                ErrorClass::Settings,
                format!("{}: plain http would send passwords readable over the network", shown_url(url)),
            )
            .hint("use https://, or, knowing the risk, set `allow_plain_http: true`")),
            other => Err(DriverError::new(ErrorClass::Settings, format!("{}: scheme `{other}` is not supported", shown_url(url)))
                .hint("use https://")),
        }
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// Repeated, within the deadline: idempotent requests that got no answer or 429, 502, 503, 504; others only when no connection came
    /// about. Redirects are followed within the same origin and only where the method stays the same.
    ///
    /// # Errors
    /// When there is no answer: unreachable, TLS refused, too slow, too large, redirected elsewhere.
    pub async fn send(&self, request: Request) -> Result<Response, DriverError> {
        self.check_url(&request.url).map_err(|e| DriverError { message: format!("{}: {}", request.context, e.message), ..e })?;
        let deadline = Instant::now() + self.options.deadline;
        let mut attempt = 1;
        loop {
            let outcome = self.follow(&request, deadline).await;
            let last = attempt >= self.options.attempts.max(1);
            let wait = match &outcome {
                Ok(answer) if request.idempotent && !last && matches!(answer.status.as_u16(), 429 | 502 | 503 | 504) => {
                    Some(answer.retry_after().unwrap_or_else(|| self.pause(attempt)))
                }
                Err((Why::NotConnected, _)) if !last => Some(self.pause(attempt)),
                Err((Why::Broken, _)) if request.idempotent && !last => Some(self.pause(attempt)),
                _ => None,
            };
            match wait {
                Some(wait) if Instant::now() + wait < deadline => tokio::time::sleep(wait).await,
                _ => return outcome.map_err(|(_, e)| e),
            }
            attempt += 1;
        }
    }

    async fn follow(&self, request: &Request, deadline: Instant) -> Result<Response, (Why, DriverError)> {
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.once(request, &url, deadline).await?;
            if !answer.status.is_redirection() || answer.status == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            let to = answer.header(LOCATION.as_str()).and_then(|l| url.join(l).ok());
            let keeps_method = matches!(answer.status.as_u16(), 307 | 308) || matches!(request.method, Method::GET | Method::HEAD);
            match to {
                Some(to) if keeps_method && to.origin() == url.origin() => url = to,
                Some(to) => {
                    let error = DriverError::new(
                        ErrorClass::Settings,
                        format!(
                            "{}: {} {} is redirected to {}, which is not followed",
                            request.context,
                            request.method,
                            shown_url(&url),
                            shown_url(&to)
                        ),
                    );
                    return Err((Why::Invalid, error.hint("set the URL in the settings to where the service really is")));
                }
                None => return Ok(answer),
            }
        }
        let error = DriverError::new(
            ErrorClass::Settings,
            format!("{}: {} {} is redirected in circles", request.context, request.method, shown_url(&request.url)),
        );
        Err((Why::Invalid, error))
    }

    async fn once(&self, request: &Request, url: &Url, deadline: Instant) -> Result<Response, (Why, DriverError)> {
        if !self.options.permit.is_given() {
            return Err(forbidden(&format!("{}: {} {}", request.context, request.method, shown_url(url))));
        }
        let mut builder =
            self.client.request(request.method.clone(), url.clone()).timeout(deadline.saturating_duration_since(Instant::now()));
        for (name, value) in &request.headers {
            let header = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
            let Some((name, mut value)) = header else {
                let error =
                    DriverError::new(ErrorClass::Settings, format!("{}: the value of header `{name}` cannot be sent", request.context));
                return Err((Why::Invalid, error.hint("check it for line breaks and control characters")));
            };
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            Body::Empty => builder,
            Body::Json(value) => builder.json(value),
            Body::Form(fields) => builder.form(fields),
            Body::Raw(kind, bytes) => builder.header(reqwest::header::CONTENT_TYPE, kind.as_str()).body(bytes.clone()),
        };
        let permit = self.options.permit.clone();
        let sent = async {
            let mut built = builder.build()?;
            // What was made of values and bytes is in one piece.
            let bytes = built.body().and_then(|body| body.as_bytes()).map(Bytes::copy_from_slice).unwrap_or_default();
            *built.body_mut() = Some(reqwest::Body::wrap(Guarded::new(bytes, permit)));
            self.client.execute(built).await
        };
        let mut answer = sent.await.map_err(|e| self.said(url, transport(request, &e)))?;
        let received = SystemTime::now();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.said(url, transport(request, &e)))? {
            if body.len() + chunk.len() > self.options.max_body {
                let error = DriverError::new(
                    ErrorClass::Settings,
                    format!(
                        "{}: {} {} answered more than {} bytes",
                        request.context,
                        request.method,
                        shown_url(url),
                        self.options.max_body
                    ),
                );
                return Err((Why::Invalid, error));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: answer.status(),
            headers: answer.headers().clone(),
            body,
            url: url.clone(),
            method: request.method.clone(),
            context: request.context.clone(),
            masked: request.masked(),
            received,
        })
    }

    /// An error that says which way the request took.
    fn said(&self, url: &Url, (why, error): (Why, DriverError)) -> (Why, DriverError) {
        let Some(proxy) = self.options.proxy.as_ref().filter(|_| !is_loopback(url)) else { return (why, error) };
        let shown = proxy.shown();
        // The words of the HTTP and SOCKS clients for a proxy that does not let us in.
        let refused = ["proxy authorization required", "does not support user/pass authentication", "credentials not accepted"];
        let lower = error.message.to_ascii_lowercase();
        if why == Why::NotConnected && refused.iter().any(|words| lower.contains(words)) {
            let error = DriverError::new(ErrorClass::Credentials, format!("{} (the proxy {shown} refuses us)", error.message));
            return (Why::Invalid, error.hint("check `username` and `password` of the proxy in the settings"));
        }
        (why, DriverError { message: format!("{} (through the proxy {shown})", error.message), ..error })
    }

    /// Half to all of the doubled backoff, so that many clients do not come back at once.
    fn pause(&self, attempt: u32) -> Duration {
        let full = self.options.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(MAX_PAUSE);
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish() % 1000;
        full / 2 + (full / 2).mul_f64(random as f64 / 1000.0)
    }
}

/// Hosts that no proxy is asked for: at a proxy they would be the proxy's own.
const OWN: &str = "localhost,127.0.0.0/8,::1";

fn through(proxy: &Proxy) -> Result<reqwest::Proxy, DriverError> {
    let refuse = |why: String| {
        DriverError::new(ErrorClass::Settings, format!("the proxy {} cannot be used: {why}", proxy.shown()))
            .hint("write for example `http://proxy.example.net:3128` or `socks5h://proxy.example.net:1080`")
    };
    if !Url::parse(&proxy.url).is_ok_and(|u| matches!(u.scheme(), "http" | "https" | "socks5" | "socks5h")) {
        return Err(refuse("it is none of http, https, socks5 and socks5h".to_owned()));
    }
    let made = reqwest::Proxy::all(&proxy.url).map_err(|e| refuse(e.without_url().to_string()))?;
    let made = match &proxy.credentials {
        Some((username, password)) => made.basic_auth(username, password.expose()),
        None => made,
    };
    Ok(made.no_proxy(reqwest::NoProxy::from_string(OWN)))
}

/// Whether a URL names this very machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

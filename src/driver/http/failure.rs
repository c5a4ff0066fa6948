//! Failures as classes and sentences.

use std::error::Error as _;
use std::io;

use reqwest::StatusCode;

use super::body::Forbidden;
use super::message::{Request, shown_url};
use crate::driver::permit::NOT_PERMITTED;
use crate::driver::{DriverError, ErrorClass};

/// Longest excerpt of a body in a message, in characters.
const EXCERPT: usize = 200;

/// The class of a status that is not 2xx.
pub(super) fn class_of(status: StatusCode) -> ErrorClass {
    match status.as_u16() {
        401 | 403 | 407 => ErrorClass::Credentials,
        409 | 423 | 429 | 503 => ErrorClass::Busy,
        501 | 505 => ErrorClass::Rejected,
        408 | 425 | 500..=599 => ErrorClass::Transient,
        _ => ErrorClass::Rejected,
    }
}

/// What a person can do about a status.
pub(super) fn remedy_of(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        401 => Some("check the user name, password or key in the settings"),
        403 => Some("give this account the rights it needs, or use another"),
        404 => Some("check that the URL in the settings leads to the service"),
        407 => Some("the proxy asks for credentials: check its `username` and `password` in the settings"),
        429 | 503 => Some("the service is busy; it is tried again later"),
        _ => None,
    }
}

/// A body for people: one line, bounded, without control characters and secrets.
pub(super) fn excerpt(body: &[u8], masked: &[String]) -> String {
    // Enough for the excerpt even if all of it were spaces and four-byte characters, and for a secret at its end.
    let text = String::from_utf8_lossy(&body[..body.len().min(8192)]);
    let mut text = text.into_owned();
    for secret in masked {
        text = text.replace(secret.as_str(), "***");
    }
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.chars().count() > EXCERPT {
            break;
        }
    }
    if out.chars().count() > EXCERPT {
        out = out.chars().take(EXCERPT - 1).collect();
        out.push('…');
    }
    out
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The connection was refused or never came about: nothing was sent.
    NotConnected,
    /// TLS failed: nothing was sent, and repeating does not help.
    Tls,
    /// After the connection stood.
    Broken,
    /// The request could not be made at all.
    Invalid,
}

/// What to do about a server that does not answer in time.
pub(in super::super) const TOO_SLOW: &str = "check that the service works; `request_timeout` of its driver gives it more time";

/// What to do about a server that hangs up.
const BROKEN: &str = "check that the service stays up, and what is between: proxies and firewalls that end connections";

/// What becomes of it then.
const AGAIN: &str = "it is tried again once the lock is prolonged; where another process has taken it over, this one ends";

/// Why nothing was sent when the permit is not given.
pub(super) fn forbidden(to: &str) -> (Why, DriverError) {
    (Why::Invalid, DriverError::new(ErrorClass::Transient, format!("{to}: nothing was sent: {NOT_PERMITTED}")).hint(AGAIN))
}

/// Sorts a transport error and says it in words.
pub(super) fn transport(request: &Request, error: &reqwest::Error) -> (Why, DriverError) {
    let to = format!("{}: {} {}", request.context, request.method, shown_url(&request.url));
    let mut tls = None;
    let mut os = None;
    let mut last = None;
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<Forbidden>() {
            return forbidden(&to);
        }
        let io = inner.downcast_ref::<io::Error>();
        tls = tls.or_else(|| inner.downcast_ref::<rustls::Error>().cloned());
        os = io.map(io::Error::kind).or(os);
        // The TLS library refers its users to its manual.
        last = inner.to_string().split(": http").next().map(str::to_owned);
        // `source` of an I/O error skips the error that it wraps.
        cause = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    if let Some(tls) = tls {
        let (what, hint) = tls_words(&tls);
        return (
            Why::Tls,
            DriverError::new(ErrorClass::Settings, format!("{to}: the server's TLS certificate or connection was not accepted: {what}"))
                .hint(hint),
        );
    }
    if error.is_builder() {
        return (
            Why::Invalid,
            DriverError::new(ErrorClass::Settings, format!("{to}: the request cannot be made: {}", last.unwrap_or_default())),
        );
    }
    if error.is_connect() {
        let (what, hint) = match os {
            Some(io::ErrorKind::ConnectionRefused) => {
                ("connection refused".to_owned(), "nothing listens there: check the address and port, and that the service runs")
            }
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                ("no route to the host".to_owned(), "check the address and the route to that network")
            }
            _ if error.is_timeout() => ("no connection within the time limit".to_owned(), "check the address, cabling and firewalls"),
            _ if error.is_dns() => ("the host name cannot be resolved".to_owned(), "check the host name, or give an address"),
            _ => (last.unwrap_or_else(|| "no connection".to_owned()), "check the address and that the service runs"),
        };
        return (Why::NotConnected, DriverError::new(ErrorClass::Transient, format!("{to}: unreachable: {what}")).hint(hint));
    }
    let what = if error.is_timeout() {
        "no answer within the time limit".to_owned()
    } else {
        format!("the connection broke before the answer was complete ({})", last.unwrap_or_else(|| "no reason given".to_owned()))
    };
    let outcome = if request.idempotent { "" } else { "; whether it was carried out is not known" };
    let failure = DriverError::new(ErrorClass::Transient, format!("{to}: {what}{outcome}"));
    (Why::Broken, failure.hint(if error.is_timeout() { TOO_SLOW } else { BROKEN }))
}

fn tls_words(error: &rustls::Error) -> (String, &'static str) {
    use rustls::CertificateError as C;
    const CA: &str = "give the certificate or its authority with `ca_file`, its fingerprint with `pinned_sha256`, or, knowing the risk, set `insecure_skip_tls_verify: true`";
    match error {
        rustls::Error::InvalidCertificate(C::UnknownIssuer) => ("its issuer is not trusted".to_owned(), CA),
        rustls::Error::InvalidCertificate(C::BadSignature) => ("its issuer has a trusted name and another key".to_owned(), CA),
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            ("it has expired".to_owned(), "renew the certificate, or check the clocks of both sides")
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            ("it is not valid yet".to_owned(), "check the clocks of both sides")
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            ("it is for another name or address".to_owned(), "use the name in the certificate, or issue one for this address")
        }
        rustls::Error::InvalidCertificate(_) => (error.to_string(), CA),
        rustls::Error::InvalidMessage(_) => {
            ("what answers there does not speak TLS".to_owned(), "check the port, or use an `http://` URL if that is meant")
        }
        other => (other.to_string(), "check that the service offers TLS 1.2 or newer"),
    }
}

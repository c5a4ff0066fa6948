//! HTTP as every driver uses it.
//!
//! In: a [`Request`] with its headers, secrets and a few words on what it is about. Out: a [`Response`] of any status, or a
//! [`DriverError`](super::DriverError) when there was none. TLS is verified unless a setting says otherwise by name, plain HTTP leaves the
//! machine only when a setting allows it, time and size are bounded, and only what may be repeated is repeated. May import `redact` and the
//! driver types.

mod body;
mod client;
mod date;
mod failure;
mod lanes;
mod message;
mod options;
mod tls;

#[cfg(test)]
mod tests;

pub use client::{HttpClient, install_crypto_provider};
pub(super) use failure::TOO_SLOW;
pub use lanes::{Lanes, Pass};
pub use message::{Body, Request, Response, shown_url};
pub use options::{HttpOptions, Proxy};
pub use reqwest::{Method, StatusCode};
#[cfg(feature = "postgres")]
pub use tls::{ClientCertificate, tls_config};
pub use url::Url;

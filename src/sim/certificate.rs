//! Certificates of simulated BMCs: made anew whenever the servers start, one that `bmc.pem` names and one that nobody knows.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::error::SimError;

/// A certificate, ready to serve.
pub(crate) struct Certificate {
    /// PEM of the certificate.
    pub(crate) pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

/// A self-signed certificate for loopback.
pub(crate) fn make() -> Result<Certificate, SimError> {
    let failed = |e: &dyn std::fmt::Display| SimError::Certificate { reason: e.to_string() };
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|e| failed(&e))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|e| failed(&e))?;
    Ok(Certificate { pem: made.cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
}

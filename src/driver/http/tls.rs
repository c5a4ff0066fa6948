//! Which server certificates are accepted when a CA file or fingerprints are given.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
#[cfg(feature = "postgres")]
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use super::options::HttpOptions;
use crate::driver::{DriverError, ErrorClass};

/// TLS settings that say which servers are trusted, and not yet what is shown to them.
type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

/// Which certificates are accepted; that the server has the key is verified always.
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// Certificates that are trusted instead of the system's.
enum Trust {
    /// Those that are named.
    Listed(Listed),
    /// All.
    #[cfg(feature = "postgres")]
    Any,
}

/// Certificates that are trusted by name.
struct Listed {
    /// Verifies chains; absent when only fingerprints are given.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates of the CA file. BMCs serve self-signed certificates marked as authorities, which no chain may end in; being listed is enough.
    exact: Vec<CertificateDer<'static>>,
    /// SHA-256 of accepted certificates.
    pins: Vec<[u8; 32]>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Listed {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.pins.is_empty() {
            let seen: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
            if self.pins.contains(&seen) {
                return Ok(ServerCertVerified::assertion());
            }
        }
        let Some(chains) = &self.chains else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        match chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Neither a matter of time, name nor signature: an authority's certificate is used as a server's.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if self.exact.iter().any(|c| c == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            Trust::Listed(listed) => listed.verify(end_entity, intermediates, server_name, ocsp_response, now),
            #[cfg(feature = "postgres")]
            Trust::Any => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The TLS settings for a CA file or fingerprints; `None` when neither is given.
pub(super) fn listed(options: &HttpOptions) -> Result<Option<ClientConfig>, DriverError> {
    Ok(listed_servers(options)?.map(|builder| {
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }))
}

fn listed_servers(options: &HttpOptions) -> Result<Option<Builder>, DriverError> {
    if options.ca_file.is_none() && options.pinned_sha256.is_empty() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pins = options.pinned_sha256.iter().map(|pin| fingerprint(pin)).collect::<Result<_, _>>()?;
    let (chains, exact) = match &options.ca_file {
        Some(path) => {
            let (roots, exact) = read(path, "CA file")?;
            let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
            let chains =
                chains.map_err(|e| DriverError::new(ErrorClass::Settings, format!("cannot use the CA file {}: {e}", path.display())))?;
            (Some(chains), exact)
        }
        None => (None, Vec::new()),
    };
    let verifier = Verifier { trust: Trust::Listed(Listed { chains, exact, pins }), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| wrong(&e))?;
    Ok(Some(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))))
}

fn wrong(error: &dyn fmt::Display) -> DriverError {
    DriverError::new(ErrorClass::Settings, format!("cannot set up TLS: {error}"))
}

/// What a client shows to a server that wants to see a certificate.
#[cfg(feature = "postgres")]
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// PEM file with the certificate, and what leads from it to an authority that the server trusts.
    pub file: std::path::PathBuf,
    /// Its private key, PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: crate::redact::Secret,
}

#[cfg(feature = "postgres")]
impl ClientCertificate {
    fn add_to(&self, builder: Builder) -> Result<ClientConfig, DriverError> {
        let shown = self.file.display();
        let refuse = |why: String, help: &str| DriverError::new(ErrorClass::Settings, why).hint(help.to_owned());
        let (_, chain) = read(&self.file, "client certificate")?;
        // What a parser says of a key may show a part of it.
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes()).map_err(|_| {
            let help = "it must be a `-----BEGIN PRIVATE KEY-----` block (or `RSA`, `EC`) without a passphrase: `openssl pkey -in KEY -out PLAIN` writes one";
            refuse(format!("the key of the client certificate {shown} cannot be read"), help)
        })?;
        builder.with_client_auth_cert(chain, key).map_err(|e| {
            let why = match e {
                rustls::Error::InconsistentKeys(_) => format!("the client certificate {shown} is that of another key than the one given"),
                _ => format!("the client certificate {shown} cannot be used with its key: {e}"),
            };
            refuse(why, "both have to come from the same request: `openssl x509 -noout -pubkey` and `openssl pkey -pubout` print the same")
        })
    }
}

/// The TLS settings of another protocol than HTTP, with the same meaning of the options.
///
/// # Errors
/// When a file cannot be read or holds no certificate, a fingerprint is none, or a key is not that of its certificate.
#[cfg(feature = "postgres")]
pub fn tls_config(options: &HttpOptions, client: Option<&ClientCertificate>) -> Result<ClientConfig, DriverError> {
    use rustls_platform_verifier::BuilderVerifierExt as _;

    let builder = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| wrong(&e))
    };
    let builder = if options.insecure_skip_tls_verify {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        builder()?.dangerous().with_custom_certificate_verifier(Arc::new(Verifier { trust: Trust::Any, provider }))
    } else if let Some(listed) = listed_servers(options)? {
        listed
    } else {
        builder()?.with_platform_verifier().map_err(|e| wrong(&e))?
    };
    match client {
        Some(client) => client.add_to(builder),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn read(path: &Path, what: &str) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), DriverError> {
    let refuse = |why: String| {
        DriverError::new(ErrorClass::Settings, format!("the {what} {} {why}", path.display()))
            .hint("it must hold one or more `-----BEGIN CERTIFICATE-----` blocks")
    };
    let pem = std::fs::read(path).map_err(|e| refuse(format!("cannot be read: {e}")))?;
    let exact: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|e| refuse(format!("is not PEM: {e}")))?;
    let mut roots = RootCertStore::empty();
    for (i, certificate) in exact.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|e| refuse(format!("holds something that is no certificate (block {}): {e}", i + 1)))?;
    }
    if roots.is_empty() { Err(refuse("holds no certificate".to_owned())) } else { Ok((roots, exact)) }
}

/// A SHA-256 fingerprint as tools print it: 64 hex digits, colons between bytes allowed.
fn fingerprint(written: &str) -> Result<[u8; 32], DriverError> {
    let digits: String = written.chars().filter(|c| *c != ':').collect();
    hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        DriverError::new(ErrorClass::Settings, format!("`{written:.100}` is not a SHA-256 fingerprint"))
            .hint("it has 64 hex digits, as `openssl x509 -noout -fingerprint -sha256` prints it")
    })
}

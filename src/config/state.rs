//! `state:`, where drydock keeps what it remembers: a file, or a database that a team shares.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::{SecretRef, TimeSpan};

/// `state:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateSettings {
    /// A file, relative to the folder of the settings.
    File(PathBuf),
    /// A database of PostgreSQL.
    Postgres(Box<PostgresSettings>),
}

/// `state: {url: …}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// Where it is.
    pub url: UrlSource,
    /// The password.
    pub password: Option<SecretRef>,
    /// PEM file with certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of server certificates that are accepted whatever they say.
    #[serde(default)]
    pub pinned_sha256: Vec<String>,
    /// PEM file with the certificate that is shown to the server, and what leads from it to an authority that the server trusts.
    pub client_cert_file: Option<PathBuf>,
    /// The private key of that certificate, PEM.
    pub client_key: Option<SecretRef>,
    /// How long a lock outlives a holder that is not heard of; 5m if not given.
    pub lease: Option<TimeSpan>,
}

impl PostgresSettings {
    fn new(url: UrlSource) -> Self {
        Self { url, password: None, ca_file: None, pinned_sha256: Vec::new(), client_cert_file: None, client_key: None, lease: None }
    }
}

/// A URL, or where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// As written.
    Written(String),
    /// By reference.
    From(SecretRef),
}

impl<'de> Deserialize<'de> for UrlSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = UrlSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or where it comes from: {env: NAME}, {file: path} or {command: [program, argument]}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UrlSource, E> {
                Ok(UrlSource::Written(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UrlSource, A::Error> {
                SecretRef::deserialize(MapAccessDeserializer::new(map)).map(UrlSource::From)
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for StateSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = StateSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, a URL `postgres://USER@HOST/DATABASE`, or {url: …, password: {env: NAME}}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StateSettings, E> {
                if !text.contains("://") {
                    return Ok(StateSettings::File(PathBuf::from(text)));
                }
                let url = UrlSource::Written(text.to_owned());
                Ok(StateSettings::Postgres(Box::new(PostgresSettings::new(url))))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StateSettings, A::Error> {
                PostgresSettings::deserialize(MapAccessDeserializer::new(map)).map(|s| StateSettings::Postgres(Box::new(s)))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// How a connection to a database is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// TLS with a server that may be any.
    Require,
    /// TLS with the server of that name, by its certificate.
    VerifyFull,
}

/// Where a database of PostgreSQL is, by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Host names, addresses, or one folder of a Unix socket.
    pub hosts: Vec<String>,
    /// Port.
    pub port: u16,
    /// User, if it is given.
    pub user: Option<String>,
    /// Database.
    pub database: String,
    /// Protection.
    pub ssl_mode: SslMode,
}

/// Why a URL is not one of a database: what is wrong, and what to do. Holds nothing of the URL that could be secret.
pub type WrongUrl = (String, String);

const WRITE: &str = "write `postgres://USER@HOST:PORT/DATABASE`, or `postgres:///DATABASE?host=/var/run/postgresql` for a Unix socket";

impl PostgresUrl {
    /// Reads `postgres://USER@HOST:PORT/DATABASE?sslmode=…`. Several hosts stand with commas between: the one that can be written to is used. Without
    /// `sslmode`, hosts other than this machine are spoken to over TLS, and have to show a certificate of their name.
    ///
    /// # Errors
    /// When it is something else, or holds a password.
    pub fn parse(text: &str) -> Result<Self, WrongUrl> {
        let wrong = |what: &str, help: &str| (what.to_owned(), help.to_owned());
        let url = url::Url::parse(text).map_err(|_| wrong("is not a URL of a database", WRITE))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err((format!("has the scheme `{}`", url.scheme()), WRITE.to_owned()));
        }
        let mut named = url.query_pairs();
        if url.password().is_some() || named.any(|(key, _)| key == "password") {
            let help = "remove it from the URL, and give it by reference: `state: {url: 'postgres://…', password: {env: NAME}}`";
            return Err(wrong("has a password in it", help));
        }
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned).ok();
        let mut hosts: Vec<String> = url.host_str().and_then(decoded).into_iter().filter(|h| !h.is_empty()).collect();
        let mut ssl_mode = None;
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" => hosts = vec![value.into_owned()],
                "sslmode" => ssl_mode = Some(mode(&value)?),
                other => {
                    return Err((format!("has the parameter `{other}`, which is not known"), "known are `host` and `sslmode`".to_owned()));
                }
            }
        }
        let [hosts] = hosts.as_slice() else { return Err(wrong("names no host", WRITE)) };
        let hosts: Vec<String> = if hosts.starts_with('/') { vec![hosts.clone()] } else { hosts.split(',').map(str::to_owned).collect() };
        let database = decoded(url.path().trim_start_matches('/')).filter(|name| !name.is_empty() && !name.contains('/'));
        let Some(database) = database else { return Err(wrong("names no database", WRITE)) };
        let user = Some(url.username()).filter(|user| !user.is_empty()).and_then(decoded);
        let port = url.port().unwrap_or(5432);
        let near = hosts.iter().all(|host| is_near(host));
        let ssl_mode = ssl_mode.unwrap_or(if near { SslMode::Disable } else { SslMode::VerifyFull });
        Ok(Self { hosts, port, user, database, ssl_mode })
    }

    /// Where it is, for people.
    pub fn shown(&self) -> String {
        match self.hosts.as_slice() {
            [folder] if folder.starts_with('/') => format!("postgres:///{}?host={folder}", self.database),
            hosts => format!("postgres://{}:{}/{}", hosts.join(","), self.port, self.database),
        }
    }
}

/// Whether a host is this machine, so that nobody listens in between.
fn is_near(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn mode(text: &str) -> Result<SslMode, WrongUrl> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "require" => Ok(SslMode::Require),
        "verify-full" => Ok(SslMode::VerifyFull),
        "verify-ca" => Err((
            "has `sslmode=verify-ca`".to_owned(),
            "leave it out: certificate and name are both verified; for a certificate of another name use `pinned_sha256`".to_owned(),
        )),
        _ => Err((
            "has an `sslmode` that may fall back to plain text, or does not exist".to_owned(),
            "leave it out for TLS with verification, or write `require` (any certificate) or `disable` (plain text)".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_database_is_and_how_it_is_protected() {
        for (text, shown, user, mode) in [
            ("postgres://ops@db.example.net/drydock", "postgres://db.example.net:5432/drydock", Some("ops"), SslMode::VerifyFull),
            ("postgresql://db.example.net:6432/d%20d", "postgres://db.example.net:6432/d d", None, SslMode::VerifyFull),
            ("postgres://a,b:5433/d?sslmode=require", "postgres://a,b:5433/d", None, SslMode::Require),
            ("postgres://a,localhost/d", "postgres://a,localhost:5432/d", None, SslMode::VerifyFull),
            ("postgres://localhost/d", "postgres://localhost:5432/d", None, SslMode::Disable),
            ("postgres://[::1]/d?sslmode=verify-full", "postgres://[::1]:5432/d", None, SslMode::VerifyFull),
            ("postgres://127.0.0.1/d", "postgres://127.0.0.1:5432/d", None, SslMode::Disable),
            ("postgres:///d?host=/var/run/postgresql", "postgres:///d?host=/var/run/postgresql", None, SslMode::Disable),
            ("postgres://ops@%2Frun%2Fpg/d", "postgres:///d?host=/run/pg", Some("ops"), SslMode::Disable),
        ] {
            let url = PostgresUrl::parse(text).unwrap();
            assert_eq!((url.shown().as_str(), url.user.as_deref(), url.ssl_mode), (shown, user, mode), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_secrets() {
        for (text, what, help) in [
            ("postgres://ops:hunter2@db/d", "has a password in it", "password: {env: NAME}"),
            ("postgres://ops@db/d?password=hunter2", "has a password in it", "password: {env: NAME}"),
            ("mysql://ops@db/d", "has the scheme `mysql`", "postgres://USER@HOST:PORT/DATABASE"),
            ("postgres://db", "names no database", "postgres://USER@HOST:PORT/DATABASE"),
            ("postgres:///d", "names no host", "?host=/var/run/postgresql"),
            ("postgres://db/d?sslmode=prefer", "may fall back to plain text", "leave it out"),
            ("postgres://db/d?sslmode=verify-ca", "verify-ca", "pinned_sha256"),
            ("postgres://db/d?options=x", "`options`", "known are"),
        ] {
            let (message, remedy) = PostgresUrl::parse(text).unwrap_err();
            assert!(message.contains(what) && remedy.contains(help), "{text}: {message} | {remedy}");
            assert!(!format!("{message}{remedy}").contains("hunter2"));
        }
    }
}

//! Parts of a design that another host has.

use anyhow::Context as _;

use super::design::Network;
use crate::cli::problem::Problem;
use crate::config::{Settings, UrlEntry};
use crate::driver::http::{HttpClient, HttpOptions, Request, Url, shown_url};
use crate::driver::{DriverError, ErrorClass};
use crate::secret;
use crate::source::{Entry, MAX_FILE_BYTES};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Any HTTP server with one YAML file.
    Plain,
    /// Deckhand, which gives documents that it has rendered.
    Deckhand,
}

/// Servers of designs know tokens, and neither users nor keys.
fn with_remedy(error: DriverError, token: bool, service: Service) -> DriverError {
    if error.class != ErrorClass::Credentials {
        return error;
    }
    error.hint(match (service, token) {
        (Service::Plain, false) => "the server asks for a token: `design: [{url: …, token: {env: NAME}}]`",
        (Service::Plain, true) => "`token` of this design was not accepted: check what it refers to, when it expires, and what it may read",
        (Service::Deckhand, false) => "Deckhand asks for a Keystone token: `design: [{deckhand: {url: …, revision: …, token: {env: NAME}}}]`",
        (Service::Deckhand, true) => {
            "`token` of this design was not accepted: it is a Keystone token that expires (`openstack token issue` makes one), of a user who may read documents"
        }
    })
}

/// Fetches a text.
pub async fn text(settings: &Settings, from: &UrlEntry, service: Service, network: Network) -> anyhow::Result<Entry> {
    let mut url = Url::parse(&from.url).with_context(|| format!("{}: `design` has a URL that is none", settings.shown))?;
    if network == Network::Forbidden {
        return Err(Problem::new(format!(
            "{} is part of the design, and this command fetches nothing without being asked to",
            shown_url(&url)
        ))
        .at(&settings.shown)
        .help("allow it with `--fetch`")
        .into());
    }
    if service == Service::Deckhand && !url.query_pairs().any(|(key, _)| key == "cleartext-secrets") {
        // Without it Deckhand gives hashes in place of secrets, and BMC passwords would be wrong.
        url.query_pairs_mut().append_pair("cleartext-secrets", "true");
    }
    let mut transport = from.transport.clone();
    transport.ca_file = transport.ca_file.map(|file| settings.path(&file));
    let mut options = HttpOptions { max_body: MAX_FILE_BYTES as usize, ..HttpOptions::default() };
    super::drivers::transport(&mut options, transport);
    let mut request = Request::get(url.clone(), "the design").header("accept", "application/x-yaml, text/yaml, text/plain, */*");
    if let Some(token) = &from.token {
        let token = secret::resolve(token, &settings.root).await.context("`token` of the design")?;
        request = match service {
            Service::Plain => request.header("authorization", format!("Bearer {}", token.expose())),
            Service::Deckhand => request.header("x-auth-token", token.expose()),
        }
        .secret(token);
    }
    let answer = HttpClient::new(options)?.send(request).await?.ok().map_err(|error| with_remedy(error, from.token.is_some(), service))?;
    let text = String::from_utf8(answer.body).map_err(|_| Problem::new(format!("{}: not UTF-8 text", shown_url(&url))))?;
    let mut name = url;
    name.set_query(None);
    Ok(Entry::Text { name: name.to_string(), text })
}

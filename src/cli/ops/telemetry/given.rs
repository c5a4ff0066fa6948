//! Where traces go: `telemetry.traces` of the settings, else the variables that OpenTelemetry defines for every program.
//!
//! Variables: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/> and <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::cli::ops::drivers::{proxy, transport};
use crate::config::{Settings, Transport};
use crate::driver::http::HttpOptions;
use crate::redact::Secret;
use crate::report::TraceParent;
use crate::secret;

/// Where traces go, and what is said of their origin.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) url: Url,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) http: HttpOptions,
    /// Attributes of the resource, `service.name` among them.
    pub(super) resource: Vec<(String, String)>,
    pub(super) parent: Option<TraceParent>,
}

/// How long a request may take if nothing else is said (OpenTelemetry's own default).
const LIMIT: Duration = Duration::from_secs(10);

/// What the settings say, or else the environment; `None` where neither wants traces.
pub(super) async fn find(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Given>, String> {
    let variable = |name: &str| variable(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    if variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let Some(traces) = &settings.telemetry.traces else { return of_environment(variable) };
    let mut http = options(traces.request_timeout.map_or(LIMIT, |t| t.0));
    transport(
        &mut http,
        Transport {
            ca_file: traces.ca_file.as_deref().map(|file| settings.path(file)),
            pinned_sha256: traces.pinned_sha256.clone(),
            insecure_skip_tls_verify: traces.insecure_skip_tls_verify,
            allow_plain_http: traces.allow_plain_http,
        },
    );
    http.proxy = proxy(settings, traces.proxy.as_ref(), "telemetry.traces").await.map_err(|e| format!("{e:#}"))?;
    let mut headers = Vec::new();
    for (name, value) in &traces.headers {
        let value = secret::resolve(value, &settings.root).await.map_err(|e| format!("`telemetry.traces.headers.{name}`: {e}"))?;
        headers.push((name.clone(), value));
    }
    let url = below(&traces.endpoint).map_err(|e| format!("`telemetry.traces.endpoint`: {e}"))?;
    Ok(Some(Given { url, headers, http, resource: resource(&variable), parent: parent(&variable) }))
}

fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Given>, String> {
    let of_traces =
        |name: &str| variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}")).or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")));
    // Unlike a program's own libraries, drydock exports only where it is told to.
    let url = match (variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), variable("OTEL_EXPORTER_OTLP_ENDPOINT")) {
        (Some(url), _) => Url::parse(&url).map_err(|e| format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {e}"))?,
        (None, Some(base)) => below(&base).map_err(|e| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {e}"))?,
        (None, None) => return Ok(None),
    };
    if let Some(exporter) = variable("OTEL_TRACES_EXPORTER").filter(|e| e != "otlp") {
        return if exporter == "none" {
            Ok(None)
        } else {
            Err(format!("OTEL_TRACES_EXPORTER is `{exporter}`; drydock has `otlp` and `none`"))
        };
    }
    if let Some(protocol) = of_traces("PROTOCOL").filter(|p| p != "http/protobuf") {
        return Err(format!("OTEL_EXPORTER_OTLP_PROTOCOL is `{protocol}`; drydock speaks `http/protobuf` (port 4318 of most collectors)"));
    }
    let limit = match of_traces("TIMEOUT") {
        Some(text) => {
            Duration::from_millis(text.parse().map_err(|_| format!("OTEL_EXPORTER_OTLP_TIMEOUT is `{text}`, and should be milliseconds"))?)
        }
        None => LIMIT,
    };
    let mut headers = Vec::new();
    for pair in of_traces("HEADERS").iter().flat_map(|text| text.split(',')).map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("OTEL_EXPORTER_OTLP_HEADERS: expected `name=value,name=value`")?;
        headers.push((name.trim().to_owned(), Secret::new(decoded(value.trim()))));
    }
    let mut http = options(limit);
    http.ca_file = of_traces("CERTIFICATE").map(Into::into);
    // Names of machines are no secret; what a header carries usually is.
    http.allow_plain_http = headers.is_empty();
    Ok(Some(Given { url, headers, http, resource: resource(&variable), parent: parent(&variable) }))
}

fn options(limit: Duration) -> HttpOptions {
    let mut http = HttpOptions { attempts: 3, max_body: 1 << 20, ..HttpOptions::default() };
    http.set_request_timeout(limit);
    http
}

/// The place of traces below a collector's base URL.
fn below(base: &str) -> Result<Url, String> {
    Url::parse(&format!("{}/v1/traces", base.trim_end_matches('/'))).map_err(|e| e.to_string())
}

/// `service.name`, `service.version`, and what `OTEL_RESOURCE_ATTRIBUTES` says.
fn resource(variable: &impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut out =
        vec![("service.name".to_owned(), "drydock".to_owned()), ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let said = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let pairs =
        said.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())));
    for (name, value) in pairs.chain(variable("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name))) {
        out.retain(|(other, _)| *other != name);
        out.push((name, value));
    }
    out
}

fn parent(variable: &impl Fn(&str) -> Option<String>) -> Option<TraceParent> {
    TraceParent::parse(&variable("TRACEPARENT")?)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Given, of_environment};

    fn given(variables: &[(&str, &str)]) -> Result<Option<Given>, String> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        of_environment(|name| variables.get(name).map(|v| (*v).to_owned()))
    }

    #[test]
    fn the_environment_says_where_traces_go() {
        assert!(given(&[]).unwrap().is_none());
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let plain = given(&[base]).unwrap().unwrap();
        assert_eq!(plain.url.as_str(), "http://collector:4318/v1/traces");
        assert!(plain.http.allow_plain_http && plain.headers.is_empty());
        assert!(plain.resource.contains(&("service.name".to_owned(), "drydock".to_owned())));
        let full = given(&[
            base,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=y"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,deployment.environment.name=lab%2C1"),
            ("OTEL_SERVICE_NAME", "site-a"),
            ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(full.url.as_str(), "https://traces.example/in");
        let headers: Vec<(&str, &str)> = full.headers.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
        assert_eq!(headers, [("api-key", "a b"), ("x", "y")]);
        assert!(!full.http.allow_plain_http, "a header may be a password");
        assert_eq!(full.http.deadline.as_millis(), 250);
        assert!(full.resource.contains(&("service.name".to_owned(), "site-a".to_owned())), "{:?}", full.resource);
        assert!(full.resource.contains(&("deployment.environment.name".to_owned(), "lab,1".to_owned())));
        assert!(full.parent.is_some());
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(given(&[base, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
        for (variable, says) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "drydock speaks `http/protobuf`"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "should be milliseconds"),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "drydock has `otlp`"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "secret"), "expected `name=value"),
        ] {
            let why = given(&[base, variable]).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        assert!(given(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")]).unwrap_err().starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: "));
    }
}

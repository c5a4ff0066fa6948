//! From the file to settings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::TimeSpan;
use super::design::DesignEntry;
use super::error::{ConfigError, Problem};
use super::guards::{self, NoSigners};
use super::limits;
use super::rules::Wrong;
use super::state::{PostgresSettings, PostgresUrl, StateSettings, UrlSource};
use super::types::{Drivers, File, MaasSettings, ProxySettings, RedfishSettings, Settings, Transport};
use crate::check::Policy;
use crate::plan::Policies;
use crate::yaml::{self, Node, SourceMap, Span};

/// Name of the settings file.
pub const SETTINGS_FILE: &str = "drydock.yaml";

/// The state file, if the settings name none.
pub const DEFAULT_STATE: &str = ".drydock/state.db";

/// How long a request may take where the settings do not say.
const MAAS_REQUEST: Duration = Duration::from_mins(1);
const BMC_REQUEST: Duration = Duration::from_secs(30);

/// The lease of the lock, if the settings give none.
const LEASE: Duration = Duration::from_mins(5);

/// A settings file is small; what is larger is something else.
const MAX_BYTES: u64 = 4 << 20;

/// Reads the settings of a site folder.
///
/// # Errors
/// When the file is missing, cannot be read, or is wrong.
pub fn load(root: &Path) -> Result<Settings, ConfigError> {
    let path = root.join(SETTINGS_FILE);
    let shown = if root == Path::new(".") { SETTINGS_FILE.to_owned() } else { path.display().to_string() };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing { path: shown.clone() },
        _ => ConfigError::Unreadable { path: shown.clone(), error },
    };
    let size = fs::metadata(&path).map_err(unreadable)?.len();
    if size > MAX_BYTES {
        let message = format!("larger than {} MiB", MAX_BYTES >> 20);
        return Err(invalid(&shown, message, Some("settings are a few lines; is this the right file?".to_owned())));
    }
    let bytes = fs::read(&path).map_err(unreadable)?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(invalid(&shown, "not UTF-8 text".to_owned(), Some("convert the file to UTF-8".to_owned())));
    };
    parse(&text, &shown, root)
}

fn invalid(at: &str, message: String, help: Option<String>) -> ConfigError {
    ConfigError::Invalid(vec![Problem { at: at.to_owned(), message, help }])
}

/// Reads settings from text. `shown` names the file in messages; relative paths are relative to `root`.
///
/// # Errors
/// When the text is not YAML, or says something that settings cannot say.
pub fn parse(text: &str, shown: &str, root: &Path) -> Result<Settings, ConfigError> {
    let tree = tree(text, shown)?;
    let file: File = if tree.is_null() { File::default() } else { serde_yaml::from_str(text).map_err(|e| from_serde(&e, shown, &tree))? };
    let settings = Settings {
        root: root.to_owned(),
        shown: shown.to_owned(),
        text: Arc::from(text),
        site: file.site,
        design: file.design,
        state: file.state,
        drivers: file.drivers,
        limits: file.limits,
        rollout: file.rollout,
        guards: file.guards,
        policies: Policies::default(),
        revoked: file.approval.revoked.clone(),
        policy_ref: None,
        timeouts: file.timeouts.total,
        no_progress: file.timeouts.no_progress,
        retries: file.retries,
        on_failure: file.on_failure,
        hooks: file.hooks,
        verify: file.verify,
        telemetry: file.telemetry,
        rules: Policy::default(),
        rule_pages: file.rule_pages,
        simulated: file.simulate,
    };
    let mut checker = Checker { settings: &settings, tree: &tree, problems: Vec::new() };
    let (rules, wrong) = file.rules.policy();
    for Wrong { name, message, help } in wrong {
        checker.push(&["rules", &name], &message, &help);
    }
    let policies = match guards::policies(&settings.guards, &file.protect, &file.approval) {
        Ok(policies) => policies,
        Err(NoSigners(route)) => {
            let message = format!("`{}` needs approval, and nobody is named who could give it", route.join("."));
            checker.push(&route, &message, "add `approval: {signers: FILE}`, an allowed-signers file as ssh-keygen reads it");
            Policies::default()
        }
    };
    checker.hours(&policies);
    let problems = checker.run();
    let settings = Settings { policies, rules, ..settings };
    if problems.is_empty() { Ok(settings) } else { Err(ConfigError::Invalid(problems)) }
}

/// The text as a tree with positions. Finds what serde would not: duplicate keys, alias bombs, a second document.
fn tree(text: &str, shown: &str) -> Result<Node, ConfigError> {
    let mut map = SourceMap::default();
    let id = map.add(shown, text);
    let parsed = yaml::parse(&map, id);
    if !parsed.diagnostics.is_empty() {
        let problem = |d: &crate::diag::Diagnostic| Problem {
            at: d.span.map_or_else(|| shown.to_owned(), |s| map.describe(s)),
            message: d.message.clone(),
            help: d.help.clone(),
        };
        return Err(ConfigError::Invalid(parsed.diagnostics.iter().map(problem).collect()));
    }
    let mut documents = parsed.documents;
    if documents.len() > 1 {
        let at = map.describe(documents[1].span);
        return Err(invalid(
            &at,
            "a second YAML document".to_owned(),
            Some("settings are one document; remove `---` and what follows".to_owned()),
        ));
    }
    let tree = documents.pop().unwrap_or_else(|| Node::nowhere(yaml::Value::Null));
    if !tree.is_null() && tree.as_map().is_none() {
        let at = map.describe(tree.span);
        return Err(invalid(&at, format!("settings are a mapping, not {}", tree.kind()), Some("write `key: value` lines".to_owned())));
    }
    Ok(tree)
}

/// A message of serde as a problem: place taken out, values taken out, a suggestion added.
fn from_serde(error: &serde_yaml::Error, shown: &str, tree: &Node) -> ConfigError {
    let mut message = error.to_string();
    let mut at = match error.location() {
        Some(location) => {
            if let Some(cut) = message.rfind(" at line ") {
                message.truncate(cut);
            }
            format!("{shown}:{}:{}", location.line(), location.column())
        }
        None => shown.to_owned(),
    };
    let mut help = None;
    if let Some((head, expected)) = message.split_once(", expected ")
        && let Some((path, unknown)) = head.split_once("unknown field `").or_else(|| head.split_once("unknown variant `"))
    {
        let unknown = unknown.trim_end_matches('`').to_owned();
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let path = path.trim_end_matches(": ").trim_end_matches(':');
        if let Some(key) = key_span(tree, path, &unknown) {
            at = format!("{shown}:{}:{}", key.line, key.column);
        }
        let what = if head.contains("unknown field") { "key" } else { "value" };
        help = Some(match closest(&unknown, &known) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("known here: {}", known.join(", ")),
        });
        message = if path.is_empty() || path == "." {
            format!("unknown {what} `{unknown}`")
        } else {
            format!("unknown {what} `{unknown}` in {path}")
        };
    } else if let Some(quoted) = message.find("string \"")
        && let Some(end) = message.rfind("\", expected")
    {
        // The value may be a secret that was put in the wrong place.
        message.replace_range(quoted..=end, "text");
    }
    let help = help.or_else(|| Some("docs/settings.md has every key with an example; `drydock schema settings` is for editors".to_owned()));
    ConfigError::Invalid(vec![Problem { at, message, help }])
}

/// Where a key of the mapping at a path (`drivers.maas`) stands; serde knows only where the mapping starts.
fn key_span(tree: &Node, path: &str, key: &str) -> Option<Span> {
    let parent = path.split('.').filter(|p| !p.is_empty()).try_fold(tree, |node, name| node.get(name))?;
    parent.as_map()?.entry(key).map(|(key, _)| key.span)
}

fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |k: &str| strsim::osa_distance(word, k);
    let best = known.iter().copied().min_by_key(|k| distance(k))?;
    (distance(best) <= 1.max(best.len().min(word.len()) / 3) || best.replace('_', "") == word.replace(['_', '-'], "")).then_some(best)
}

impl Settings {
    /// The `simulate:` section as the simulator's options; `None` without the section, the default for an empty one.
    ///
    /// # Errors
    /// When it does not fit, with the place in the settings file.
    pub fn simulate<T: DeserializeOwned + Default>(&self) -> Result<Option<T>, ConfigError> {
        #[derive(Deserialize)]
        #[serde(bound = "T: DeserializeOwned")]
        struct Section<T> {
            simulate: Option<T>,
        }
        if !self.simulated {
            return Ok(None);
        }
        let tree = tree(&self.text, &self.shown)?;
        let section: Section<T> = serde_yaml::from_str(&self.text).map_err(|e| from_serde(&e, &self.shown, &tree))?;
        Ok(Some(section.simulate.unwrap_or_default()))
    }

    /// A path of the settings, relative to their folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        if self.root == Path::new(".") { path.to_owned() } else { self.root.join(path) }
    }

    /// The state file; `None` where a database holds the state.
    pub fn state_file(&self) -> Option<PathBuf> {
        match &self.state {
            StateSettings::File(file) => Some(self.path(file)),
            StateSettings::Postgres(_) => None,
        }
    }

    /// The folder of what is kept beside the state: clones of repositories, the simulated site.
    pub fn work_folder(&self) -> PathBuf {
        let file = self.state_file().unwrap_or_else(|| self.path(Path::new(DEFAULT_STATE)));
        file.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The longest time that a request of a driver may take.
    pub fn longest_request(&self) -> Duration {
        let Drivers { maas, redfish, ipmi, libvirt, .. } = &self.drivers;
        let given = [(maas.request_timeout, MAAS_REQUEST), (redfish.request_timeout, BMC_REQUEST), (ipmi.request_timeout, BMC_REQUEST)];
        let limit = |(given, default): (Option<TimeSpan>, Duration)| given.map_or(default, |g| g.0);
        given.into_iter().chain([(libvirt.request_timeout, BMC_REQUEST)]).map(limit).max().unwrap_or(MAAS_REQUEST)
    }

    /// How long the lock outlives a holder that is not heard of: at least three of the longest requests, as an effect needs one of them to be left.
    pub fn lease(&self) -> Duration {
        match &self.state {
            StateSettings::Postgres(postgres) => postgres.lease.map(|lease| lease.0),
            StateSettings::File(_) => None,
        }
        .unwrap_or_else(|| LEASE.max(self.longest_request() * 3))
    }

    /// How to connect to the provisioner.
    pub fn maas_transport(&self) -> Transport {
        let MaasSettings { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http, .. } = &self.drivers.maas;
        self.transport(ca_file.as_deref(), pinned_sha256, *insecure_skip_tls_verify, *allow_plain_http)
    }

    /// Certificates of single BMCs, by address.
    pub fn redfish_certificates(&self) -> impl Iterator<Item = (&str, Option<PathBuf>, &[String])> {
        let given = &self.drivers.redfish.certificates;
        given.iter().map(|(address, c)| (address.as_str(), c.ca_file.as_deref().map(|f| self.path(f)), c.pinned_sha256.as_slice()))
    }

    /// How to connect to BMCs.
    pub fn redfish_transport(&self) -> Transport {
        let RedfishSettings { ca_file, pinned_sha256, insecure_skip_tls_verify, allow_plain_http, .. } = &self.drivers.redfish;
        self.transport(ca_file.as_deref(), pinned_sha256, *insecure_skip_tls_verify, *allow_plain_http)
    }

    fn transport(&self, ca_file: Option<&Path>, pins: &[String], insecure_skip_tls_verify: bool, allow_plain_http: bool) -> Transport {
        Transport { ca_file: ca_file.map(|f| self.path(f)), pinned_sha256: pins.to_vec(), insecure_skip_tls_verify, allow_plain_http }
    }
}

/// Whether a text is `[USER@]HOST[:PORT]`, or several of them, as `ssh -J` takes it.
fn is_jump(text: &str) -> bool {
    let word = |text: &str, more: &[char]| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || more.contains(&c))
    };
    text.split(',').all(|hop| {
        let (user, at) = hop.rsplit_once('@').map_or((None, hop), |(user, at)| (Some(user), at));
        let (host, port) = match at.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((v6, rest)) if v6.parse::<std::net::Ipv6Addr>().is_ok() => {
                (None, rest.strip_prefix(':').or((!rest.is_empty()).then_some("x")))
            }
            Some(_) => return false,
            None => at.split_once(':').map_or((Some(at), None), |(host, port)| (Some(host), Some(port))),
        };
        user.is_none_or(|u| word(u, &['+']))
            && host.is_none_or(|h| word(h, &[]))
            && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0))
    })
}

/// What no single value shows to be wrong.
struct Checker<'a> {
    settings: &'a Settings,
    tree: &'a Node,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn run(mut self) -> Vec<Problem> {
        let settings = self.settings;
        if settings.design.is_empty() {
            self.push(&["design"], "`design` names nothing", "name the directory of the design: `design: [design]`");
        }
        if settings.design.iter().any(|entry| matches!(entry, DesignEntry::Path(path) if path.as_os_str().is_empty())) {
            self.push(&["design"], "`design` has an empty path", "name the directory of the design: `design: [design]`");
        }
        for entry in &settings.design {
            let (DesignEntry::Url(from) | DesignEntry::Deckhand(from)) = entry else { continue };
            self.url(&["design"], &from.url, from.transport.allow_plain_http);
        }
        match &settings.state {
            StateSettings::File(path) if path.as_os_str().is_empty() => {
                self.push(&["state"], "`state` is empty", "name a file, such as `.drydock/state.db`, or leave the key out");
            }
            StateSettings::File(_) => {}
            StateSettings::Postgres(postgres) => self.postgres(postgres),
        }
        if let Some(pages) = &settings.rule_pages {
            if pages.contains("{code}") {
                // Nothing is asked there: it is printed.
                self.url(&["rule_pages"], &pages.replace("{code}", "DD2107"), true);
            } else {
                let help = "write for example `https://docs.example.net/drydock/rules/{code}.md`";
                self.push(&["rule_pages"], "`rule_pages` has no `{code}`", help);
            }
        }
        self.endpoints();
        self.proxies();
        self.services();
        self.hooks();
        self.numbers();
        self.problems
    }

    fn postgres(&mut self, postgres: &PostgresSettings) {
        if let UrlSource::Written(url) = &postgres.url
            && let Err((message, help)) = PostgresUrl::parse(url)
        {
            self.push(&["state", "url"], &format!("`state` {message}"), &help);
        }
        if postgres.client_cert_file.is_some() != postgres.client_key.is_some() {
            let help = "give both, or neither: `client_cert_file: FILE` and `client_key: {file: FILE}`";
            self.push(&["state"], "`state` has one of `client_cert_file` and `client_key`", help);
        }
        let least = self.settings.longest_request() * 3;
        if let Some(lease) = postgres.lease.filter(|lease| lease.0 < least) {
            let message = format!("`state.lease` of {:?} is shorter than three requests of a driver may take ({least:?})", lease.0);
            let help = "write a longer one, or shorten `request_timeout` of the drivers: an effect begins only while a request's time is left of the lease";
            self.push(&["state", "lease"], &message, help);
        }
    }

    fn hours(&mut self, policies: &Policies) {
        for hours in &policies.forbidden_hours {
            if jiff::tz::TimeZone::get(&hours.zone).is_err() {
                let shown: String = hours.zone.chars().take(60).collect();
                let message = format!("`{shown}` is not the name of a time zone");
                self.push(&["guards", "forbidden_hours"], &message, "write an IANA name, such as `Europe/Berlin` or `UTC`");
            }
        }
    }

    fn endpoints(&mut self) {
        let Drivers { maas, redfish, ipmi, .. } = &self.settings.drivers;
        let real: Vec<&[&str]> = [
            (maas.url.is_some(), ["drivers", "maas", "url"].as_slice()),
            (redfish.url.is_some(), ["drivers", "redfish", "url"].as_slice()),
            (!redfish.endpoints.is_empty(), ["drivers", "redfish", "endpoints"].as_slice()),
            (!ipmi.endpoints.is_empty(), ["drivers", "ipmi", "endpoints"].as_slice()),
        ]
        .into_iter()
        .filter_map(|(given, route)| given.then_some(route))
        .collect();
        if self.settings.simulated {
            for route in real {
                let message = format!("`{}` names a real endpoint beside `simulate:`", route.join("."));
                self.push(route, &message, "keep one of them: a simulated site and a real one must never be mixed");
            }
            return;
        }
        if let Some(url) = &maas.url {
            self.url(&["drivers", "maas", "url"], url, maas.allow_plain_http);
            if maas.api_key.is_none() {
                self.push(&["drivers", "maas"], "`drivers.maas` has no `api_key`", "add `api_key: {env: MAAS_API_KEY}`");
            }
        } else if maas.api_key.is_some() {
            self.push(&["drivers", "maas"], "`drivers.maas` has no `url`", "add `url: https://maas.example.net/MAAS`");
        }
        if let Some(template) = &redfish.url {
            if template.contains("{address}") {
                self.url(&["drivers", "redfish", "url"], &template.replace("{address}", "192.0.2.1"), redfish.allow_plain_http);
            } else {
                let help = "write for example `https://{address}`; single BMCs stand under `endpoints`";
                self.push(&["drivers", "redfish", "url"], "`drivers.redfish.url` has no `{address}`", help);
            }
        }
        for (address, url) in &redfish.endpoints {
            self.url(&["drivers", "redfish", "endpoints", address], url, redfish.allow_plain_http);
        }
        for (address, trust) in &redfish.certificates {
            if trust.ca_file.is_none() && trust.pinned_sha256.is_empty() {
                let route = ["drivers", "redfish", "certificates", address];
                let message = format!("`{}` trusts no certificate", route.join("."));
                self.push(&route, &message, "give `ca_file` or `pinned_sha256`, or leave the key out");
            }
        }
    }

    fn proxies(&mut self) {
        let Drivers { maas, redfish, libvirt, .. } = &self.settings.drivers;
        for (driver, proxy) in [("maas", &maas.proxy), ("redfish", &redfish.proxy)] {
            if let Some(proxy) = proxy {
                self.proxy(&["drivers", driver, "proxy"], proxy);
            }
        }
        if let Some(jump) = &libvirt.jump
            && !is_jump(jump)
        {
            let help = "write `jump.example.net`, `ops@jump.example.net` or `ops@jump.example.net:2222`; several with commas between";
            self.push(&["drivers", "libvirt", "jump"], "`drivers.libvirt.jump` is no host to jump through", help);
        }
    }

    fn proxy(&mut self, route: &[&str], proxy: &ProxySettings) {
        let at: Vec<&str> = route.iter().copied().chain(["url"]).collect();
        let name = at.join(".");
        let help = "write scheme, host and port, such as `http://proxy.example.net:3128` or `socks5h://proxy.example.net:1080`";
        match url::Url::parse(&proxy.url) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                let help = "remove them from the URL, and give `username` and `password` beside it; the password by reference";
                self.push(&at, &format!("`{name}` has credentials in it"), help);
            }
            Ok(url) if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") => {
                self.push(&at, &format!("`{name}` has the scheme `{}`", url.scheme()), help);
            }
            Ok(url) if url.host_str().is_none_or(str::is_empty) || !matches!(url.path(), "" | "/") || url.query().is_some() => {
                self.push(&at, &format!("`{name}` is not the URL of a proxy"), help);
            }
            Ok(_) => {}
            Err(_) => self.push(&at, &format!("`{name}` is not a URL"), help),
        }
        if proxy.username.is_some() != proxy.password.is_some() {
            self.push(route, &format!("`{}` has one of `username` and `password`", route.join(".")), "give both, or neither");
        }
    }

    fn services(&mut self) {
        let verify = &self.settings.verify;
        let mut names = std::collections::BTreeSet::new();
        for service in &verify.services {
            let route = ["verify", "services"];
            if service.name.is_empty() || !names.insert(service.name.as_str()) {
                self.push(
                    &route,
                    &format!("`verify.services` has the name `{}` twice, or an empty one", service.name),
                    "give each its own",
                );
            }
            // Nothing secret is sent.
            self.url(&route, &service.url, true);
            if let Some(status) = service.status.filter(|s| !(100..600).contains(s)) {
                self.push(&route, &format!("`{status}` is no HTTP status"), "write for example 200, or leave it out");
            }
            if let Some(proxy) = &service.proxy {
                self.proxy(&route, proxy);
            }
        }
    }

    fn hooks(&mut self) {
        let mut names = std::collections::BTreeSet::new();
        for (phase, hook) in self.settings.hooks.all() {
            let route = ["hooks", phase.name()];
            if let Some((key, message, help)) = hook.wrong() {
                self.push(&route, &format!("`{key}` of a hook: {message}"), help);
            } else if !names.insert(hook.name.as_str()) {
                self.push(&route, &format!("two hooks have the name `{}`", hook.name), "give each its own");
            }
        }
    }

    fn numbers(&mut self) {
        for (route, message, help) in limits::problems(self.settings) {
            let route: Vec<&str> = route.iter().map(String::as_str).collect();
            self.push(&route, &message, help);
        }
        let ipmi = &self.settings.drivers.ipmi;
        if let Some(suites) = &ipmi.cipher_suites {
            let route = ["drivers", "ipmi", "cipher_suites"];
            if suites.is_empty() {
                self.push(&route, "`drivers.ipmi.cipher_suites` is empty", "write `[17, 3]`, or leave the key out");
            }
            // 0, 4 and 5 are without authentication or integrity (IPMI 2.0, table 22-20).
            if let Some(suite) = suites.iter().find(|s| !matches!(s, 1..=3 | 6..=8 | 11..=12 | 15..=17)) {
                let message = format!("cipher suite {suite} does not exist, or protects nothing");
                self.push(&route, &message, "17 and 3 are those that BMCs have; 1, 2, 6, 7, 8, 11, 12, 15 and 16 are allowed too");
            }
        }
        if ipmi.parallel == Some(0) {
            let help = "write at least 1, or leave the key out for the default";
            self.push(&["drivers", "ipmi", "parallel"], "`drivers.ipmi.parallel` is 0, so nothing could ever be done", help);
        }
        if self.settings.guards.max_absent > 100 {
            self.push(&["guards", "max_absent"], "`guards.max_absent` is a percentage", "write a number from 0 to 100");
        }
    }

    fn url(&mut self, route: &[&str], text: &str, allow_plain_http: bool) {
        let name = route.join(".");
        let Ok(url) = url::Url::parse(text) else {
            return self.push(
                route,
                &format!("`{name}` is not a URL"),
                "write scheme, host and path, such as `https://maas.example.net/MAAS`",
            );
        };
        if !url.username().is_empty() || url.password().is_some() {
            return self.push(
                route,
                &format!("`{name}` has credentials in it"),
                "remove them from the URL; secrets are given by reference",
            );
        }
        let loopback = url
            .host_str()
            .is_some_and(|h| h == "localhost" || h.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()));
        match url.scheme() {
            "https" => {}
            "http" if allow_plain_http || loopback => {}
            "http" => {
                let help = "use `https://`, or set `allow_plain_http: true` beside it if you accept that passwords travel unprotected";
                self.push(route, &format!("`{name}` is plain HTTP"), help);
            }
            other => self.push(route, &format!("`{name}` has the scheme `{other}`"), "use `https://`"),
        }
    }

    fn push(&mut self, route: &[&str], message: &str, help: &str) {
        let at = self.place(route);
        self.problems.push(Problem { at, message: message.to_owned(), help: Some(help.to_owned()) });
    }

    /// The position of the deepest key of the route that is written.
    fn place(&self, route: &[&str]) -> String {
        let mut at = None;
        let mut node = self.tree;
        for name in route {
            let Some((key, value)) = node.as_map().and_then(|m| m.entry(name)) else { break };
            at = Some(key.span);
            node = value;
        }
        at.map_or_else(|| self.settings.shown.clone(), |s| format!("{}:{}:{}", self.settings.shown, s.line, s.column))
    }
}

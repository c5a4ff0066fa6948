//! Running `ipmitool` against one BMC: arguments, cipher suite, one command at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::fault::{Fault, Kind, clean};
use super::options::{IpmiOptions, Privilege};
use crate::driver::http::Lanes;
use crate::driver::permit::{NOT_PERMITTED, Permit};
use crate::driver::program::{self, Broken, Output, Ran, Run};
use crate::driver::{BmcEndpoint, DriverError, ErrorClass};
use crate::redact::Secret;

/// Longest password and user name that RMCP+ has room for (IPMI 2.0, 22.30 and 13.20).
const MOST_PASSWORD: usize = 20;
const MOST_USER: usize = 16;

/// The oldest `ipmitool` whose messages are known: of 2016, in every distribution that is still maintained.
const OLDEST: [u32; 3] = [1, 8, 18];

/// Whether a version (`1.8.19`, `1.8.18.238.gcba`, `1.8.19-dirty`) is older than that. One that is no number is taken for new.
fn is_too_old(version: &str) -> bool {
    let numbers: Vec<u32> = version.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse().ok()).take(3).collect();
    !numbers.is_empty() && numbers.as_slice() < OLDEST.as_slice()
}

fn shown(version: [u32; 3]) -> String {
    version.map(|n| n.to_string()).join(".")
}

/// The program, shared by all BMCs.
pub(super) struct Tool {
    pub(super) program: PathBuf,
    pub(super) suites: Vec<u8>,
    pub(super) privilege: Privilege,
    pub(super) limit: Duration,
    permit: Permit,
    /// Checked once: whether the program is there and what it is.
    checked: OnceCell<Result<String, DriverError>>,
    lanes: Lanes,
}

impl Tool {
    pub(super) fn new(options: &IpmiOptions) -> Arc<Self> {
        Arc::new(Self {
            program: options.program.clone(),
            suites: options.cipher_suites.clone(),
            privilege: options.privilege,
            limit: options.command_limit,
            permit: options.permit.clone(),
            checked: OnceCell::new(),
            lanes: Lanes::new(options.per_bmc, options.parallel),
        })
    }

    /// The program's version; an error that says how to get it when it is not there.
    pub(super) async fn version(&self) -> Result<String, DriverError> {
        self.checked.get_or_init(|| self.look()).await.clone()
    }

    async fn look(&self) -> Result<String, DriverError> {
        let arguments = ["-V".to_owned()];
        let ran = self.run(&arguments, &[]).await.map_err(|b| self.broken(&b))?;
        let version = format!("{}\n{}", ran.stdout, ran.stderr);
        match version.lines().find_map(|l| l.trim().strip_prefix("ipmitool version ")) {
            Some(version) if is_too_old(version) => Err(DriverError::new(
                ErrorClass::Settings,
                format!("{} is ipmitool {}, and {} or newer is needed", self.program.display(), clean(version, ""), shown(OLDEST)),
            )
            .hint("install a newer one (`apt install ipmitool`, `dnf install ipmitool`), or set `drivers.ipmi.program` to where one is")),
            Some(version) => Ok(clean(version, "")),
            None => Err(DriverError::new(
                ErrorClass::Settings,
                format!("{} is not ipmitool: it answers `-V` with {:?}", self.program.display(), clean(&version, "")),
            )
            .hint("set `drivers.ipmi.program` to where ipmitool is")),
        }
    }

    async fn run(&self, arguments: &[String], variables: &[(&'static str, Secret)]) -> Result<Ran, Broken> {
        program::run(Run {
            program: &self.program,
            arguments,
            variables,
            inherits: false,
            directory: None,
            output: Output::Whole,
            limit: self.limit,
            permit: &self.permit,
        })
        .await
    }

    fn broken(&self, why: &Broken) -> DriverError {
        let shown = self.program.display();
        match why {
            Broken::Missing => DriverError::new(ErrorClass::Settings, format!("the program `{shown}` is not installed, and IPMI needs it"))
                .hint("install it (`apt install ipmitool`, `dnf install ipmitool`), or set `drivers.ipmi.program` to where it is"),
            Broken::Failed(error) => DriverError::new(ErrorClass::Settings, format!("{shown} cannot be run: {error}"))
                .hint("set `drivers.ipmi.program` to where ipmitool is"),
            Broken::Slow => {
                DriverError::new(ErrorClass::Transient, format!("ipmitool was killed after {} s without an end", self.limit.as_secs_f32()))
                    .hint("check that the BMC works; `drivers.ipmi.request_timeout` gives it more time")
            }
            Broken::Forbidden => DriverError::new(ErrorClass::Transient, format!("ipmitool was not started: {NOT_PERMITTED}")),
            Broken::Flood => DriverError::new(ErrorClass::Rejected, "ipmitool printed more than a megabyte and was killed")
                .hint("run it by hand to see what the BMC answers"),
        }
    }
}

/// One BMC as the tool reaches it.
pub(super) struct Line {
    tool: Arc<Tool>,
    pub(super) endpoint: BmcEndpoint,
    host: String,
    port: u16,
    /// The cipher suite that worked last.
    suite: Mutex<Option<u8>>,
}

impl Line {
    /// A BMC at `HOST` or `HOST:PORT`, which is what an endpoint of this driver has as its URL.
    pub(super) fn new(tool: Arc<Tool>, endpoint: BmcEndpoint) -> Result<Self, DriverError> {
        let refuse = |what: String, hint: &str| {
            DriverError::new(ErrorClass::Settings, format!("node {}, BMC {}: {what}", endpoint.node, endpoint.address)).hint(hint)
        };
        let Some((host, port)) = host_and_port(&endpoint.url) else {
            let what = format!("{:.100} is neither a host nor a host with a port", endpoint.url);
            return Err(refuse(what, "write `10.0.0.21`, `bmc21.example.net` or `10.0.0.21:623`, IPv6 with a port as `[fd00::21]:623`"));
        };
        if endpoint.username.len() > MOST_USER || endpoint.password.expose().len() > MOST_PASSWORD {
            return Err(refuse(
                format!(
                    "IPMI has room for {MOST_USER} bytes of user name and {MOST_PASSWORD} of password, and those of this BMC are longer"
                ),
                "set a shorter one at the BMC",
            ));
        }
        if [endpoint.username.as_str(), endpoint.password.expose()].iter().any(|t| t.contains('\0')) {
            return Err(refuse("user name or password hold a zero byte".to_owned(), "set another one at the BMC"));
        }
        Ok(Self { tool, host, port, endpoint, suite: Mutex::default() })
    }

    /// The program's version.
    pub(super) async fn version(&self) -> Result<String, DriverError> {
        self.tool.version().await
    }

    /// The start of every message.
    pub(super) fn context(&self) -> String {
        format!("node {}, BMC {}", self.endpoint.node, self.endpoint.address)
    }

    /// An error about this BMC.
    pub(super) fn error(&self, class: ErrorClass, what: impl std::fmt::Display) -> DriverError {
        DriverError::new(class, format!("{}: {what}", self.context()))
    }

    /// Runs a command, and gives what it printed on standard output.
    ///
    /// Suites are tried in order, and only what says that a suite is not supported leads to the next; the one that worked is used from then on.
    pub(super) async fn command(&self, command: &[&str]) -> Result<String, DriverError> {
        let about = |e: DriverError| DriverError { message: format!("{}: {}", self.context(), e.message), ..e };
        self.tool.version().await.map_err(about)?;
        let known = *self.suite.lock().unwrap_or_else(PoisonError::into_inner);
        let suites = known.into_iter().chain(self.tool.suites.iter().copied().filter(|s| Some(*s) != known));
        let mut refused = None;
        for suite in suites {
            match self.attempt(suite, command).await {
                Ok(text) => {
                    *self.suite.lock().unwrap_or_else(PoisonError::into_inner) = Some(suite);
                    return Ok(text);
                }
                Err(Failure::Suite(fault)) => refused = Some((suite, fault)),
                Err(Failure::Fault(fault)) => return Err(self.fault(command, &fault)),
                Err(Failure::Broken(why)) => return Err(about(self.tool.broken(&why))),
            }
        }
        *self.suite.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let tried: Vec<String> = self.tool.suites.iter().map(u8::to_string).collect();
        let said = refused.map(|(suite, fault)| format!(" (to {suite} it says: {})", fault.said)).unwrap_or_default();
        let what = format!("the BMC accepts none of the cipher suites {}{said}", tried.join(", "));
        Err(self.error(ErrorClass::Settings, what).hint(Kind::CipherSuite.hint()))
    }

    async fn attempt(&self, suite: u8, command: &[&str]) -> Result<String, Failure> {
        let level = match self.tool.privilege {
            Privilege::Operator => "OPERATOR",
            Privilege::Administrator => "ADMINISTRATOR",
        };
        let (port, suite) = (self.port.to_string(), suite.to_string());
        // Two tries of two seconds for each message; a command that the tool repeats has the same effect as one.
        let fixed = ["-I", "lanplus", "-H", &self.host, "-p", &port, "-U", &self.endpoint.username, "-E"];
        let session = ["-C", &suite, "-L", level, "-N", "2", "-R", "2"];
        // Why there is no session is said with `-v` only; with it, lists are printed in another form.
        let verbose: &[&str] = if matches!(command, ["sel" | "sdr", ..]) { &[] } else { &["-v"] };
        let arguments: Vec<String> = verbose.iter().chain(&fixed).chain(&session).chain(command).map(|a| (*a).to_owned()).collect();
        let password = [("IPMI_PASSWORD", self.endpoint.password.clone())];
        let lane = format!("{}:{port}", self.host);
        let _pass = self.tool.lanes.enter(&lane).await;
        let ran = self.tool.run(&arguments, &password).await.map_err(Failure::Broken)?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let fault = Fault::of(&ran.stdout, &ran.stderr, self.endpoint.password.expose());
        Err(if fault.kind == Kind::CipherSuite { Failure::Suite(fault) } else { Failure::Fault(fault) })
    }

    fn fault(&self, command: &[&str], fault: &Fault) -> DriverError {
        let words = match fault.kind {
            Kind::Credentials => format!("the BMC refuses the credentials of user {}", clean(&self.endpoint.username, "")),
            kind => kind.words().to_owned(),
        };
        let said = if fault.said.is_empty() { String::new() } else { format!(": {}", fault.said) };
        self.error(fault.kind.class(), format!("{words}{said} (ipmitool {})", command.join(" "))).hint(fault.kind.hint())
    }
}

/// Why an attempt gave no answer.
enum Failure {
    Suite(Fault),
    Fault(Fault),
    Broken(Broken),
}

/// Host and port of `HOST`, `HOST:PORT`, `[IPv6]:PORT` or an IPv6 address; 623 is the port of RMCP (IPMI 2.0, 13.1.2).
fn host_and_port(text: &str) -> Option<(String, u16)> {
    const RMCP: u16 = 623;
    let is_host = |h: &str| {
        !h.is_empty()
            && h.len() <= 253
            && !h.starts_with('-')
            && h.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let is_v6 = |h: &str| h.parse::<std::net::Ipv6Addr>().is_ok();
    if is_v6(text) {
        return Some((text.to_owned(), RMCP));
    }
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        let port = if rest.is_empty() { RMCP } else { rest.strip_prefix(':')?.parse().ok().filter(|p| *p > 0)? };
        return is_v6(host).then(|| (host.to_owned(), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|p| *p > 0)?),
        None => (text, RMCP),
    };
    is_host(host).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::{host_and_port, is_too_old};

    #[test]
    fn versions() {
        for (version, old) in [
            ("1.8.19", false),
            ("1.8.18", false),
            ("1.8.18.238.gcba", false),
            ("1.8.17", true),
            ("1.7", true),
            ("1.10.0", false),
            ("2", false),
            ("git", false),
            ("1.8", true),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("10.0.0.21", "10.0.0.21", 623),
            ("127.0.0.1:19001", "127.0.0.1", 19001),
            ("bmc-21.example.net", "bmc-21.example.net", 623),
            ("fd00::21", "fd00::21", 623),
            ("[fd00::21]:624", "fd00::21", 624),
            ("[fd00::21]", "fd00::21", 623),
        ] {
            assert_eq!(host_and_port(text), Some((host.to_owned(), port)), "{text}");
        }
        for text in ["", "-oProxy", "-H", "a b", "a:0", "a:99999", "a:b", "[a]:1", "[::1]x", "$(id)", "a;b"] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }
}

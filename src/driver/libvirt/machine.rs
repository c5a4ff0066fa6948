//! One domain: which `virsh` command is which question or order.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::domain::{self, Domain};
use super::private::PrivateFile;
use crate::action::params::BootTarget;
use crate::build::{Bmc, BmcHealth};
use crate::driver::http::Lanes;
use crate::driver::level::{Boot, Managed, Verb, Way};
use crate::driver::permit::{NOT_PERMITTED, Permit};
use crate::driver::power::Power;
use crate::driver::program::{self, Broken, Output, Run};
use crate::driver::{DriverError, ErrorClass};

/// Most domains of a hypervisor among which one is looked for.
const MOST_DOMAINS: usize = 1024;

/// The program, shared by all domains.
pub(super) struct Virsh {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
    pub(super) permit: Permit,
    pub(super) lanes: Lanes,
    /// What connects over SSH in place of `ssh`, for as long as this is there.
    pub(super) ssh: Option<PrivateFile>,
}

/// One domain.
pub(in crate::driver) struct LibvirtMachine {
    pub(super) virsh: Arc<Virsh>,
    pub(super) node: String,
    /// As the design gives it.
    pub(super) shown: String,
    /// As `virsh` gets it.
    pub(super) uri: String,
    /// The NIC that it boots from, lower case.
    pub(super) boot_mac: String,
    /// Its UUID, once found.
    pub(super) found: Mutex<Option<String>>,
}

impl LibvirtMachine {
    pub(super) fn error(&self, class: ErrorClass, what: impl std::fmt::Display) -> DriverError {
        DriverError::new(class, format!("{}: {what}", self.context()))
    }

    async fn command(&self, command: &[&str]) -> Result<String, DriverError> {
        let arguments: Vec<String> = ["-q", "-c", &self.uri].iter().chain(command).map(|a| (*a).to_owned()).collect();
        let _pass = self.virsh.lanes.enter(&self.uri).await;
        let program = &self.virsh.program;
        // An SSH agent and its known hosts are those of the user.
        let run = Run {
            program,
            arguments: &arguments,
            variables: &[],
            inherits: true,
            directory: None,
            output: Output::Whole,
            limit: self.virsh.limit,
            permit: &self.virsh.permit,
        };
        let ran = program::run(run).await.map_err(|why| match why {
            Broken::Missing => self
                .error(ErrorClass::Settings, format!("the program `{}` is not installed, and libvirt needs it", program.display()))
                .hint("install it (`apt install libvirt-clients`, `dnf install libvirt-client`), or set `drivers.libvirt.program` to where it is"),
            Broken::Failed(error) => self.error(ErrorClass::Settings, format!("{} cannot be run: {error}", program.display())),
            Broken::Slow => self
                .error(ErrorClass::Transient, format!("virsh was killed after {} s without an end", self.virsh.limit.as_secs_f32()))
                .hint("check that the hypervisor answers; `drivers.libvirt.request_timeout` gives it more time"),
            Broken::Forbidden => self.error(ErrorClass::Transient, format!("virsh was not started: {NOT_PERMITTED}")),
            Broken::Flood => self.error(ErrorClass::Rejected, "virsh printed more than a megabyte and was killed"),
        })?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        let (class, hint) = classify(&ran.stderr);
        let said =
            ran.stderr.lines().map(|l| l.trim().trim_start_matches("error: ")).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Err(self.error(class, format!("{said} (virsh {})", command.first().unwrap_or(&""))).hint(hint))
    }

    /// The domain with the boot MAC, and its description.
    async fn domain(&self) -> Result<(Domain, String), DriverError> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(uuid) = known {
            match self.describe(&uuid).await {
                Ok(Some(found)) => return Ok(found),
                // It was made anew.
                Ok(None) => {}
                Err(e) if e.class == ErrorClass::Rejected => {}
                Err(e) => return Err(e),
            }
        }
        let list = self.command(&["list", "--all", "--uuid"]).await?;
        let uuids: Vec<&str> = list.lines().map(str::trim).filter(|l| l.len() == 36).take(MOST_DOMAINS).collect();
        let mut found = Vec::new();
        for uuid in &uuids {
            match self.describe(uuid).await {
                Ok(Some(domain)) => found.push(domain),
                Ok(None) => {}
                // It went away meanwhile.
                Err(e) if e.class == ErrorClass::Rejected => {}
                Err(e) => return Err(e),
            }
        }
        match (found.pop(), found.pop()) {
            (Some(one), None) => {
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(one.0.uuid.clone());
                Ok(one)
            }
            (Some(a), Some(b)) => Err(self
                .error(ErrorClass::Precondition, format!("domains {} and {} both have MAC {}", a.0.name, b.0.name, self.boot_mac))
                .hint("give one of them another MAC")),
            (None, _) => Err(self
                .error(ErrorClass::Rejected, format!("none of {} domains has a NIC with MAC {}", uuids.len(), self.boot_mac))
                .hint("correct `boot_mac` or `oob.libvirt_uri` of the node")),
        }
    }

    /// A domain, if it has the boot MAC. Its description is that with which it starts next; it may hold secrets.
    async fn describe(&self, uuid: &str) -> Result<Option<(Domain, String)>, DriverError> {
        let xml = self.command(&["dumpxml", "--inactive", "--security-info", uuid]).await?;
        let domain = domain::read(&xml, &self.boot_mac).map_err(|why| self.error(ErrorClass::Rejected, format!("domain {uuid}: {why}")))?;
        Ok(domain.macs.contains(&self.boot_mac).then_some((domain, xml)))
    }
}

/// Class and remedy of what `virsh` says.
pub(in crate::driver) fn classify(stderr: &str) -> (ErrorClass, &'static str) {
    let text = stderr.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if says(&["host key verification failed"]) {
        (ErrorClass::Settings, "connect once by hand with ssh and check the host's key")
    } else if says(&["authentication failed", "permission denied", "access denied"]) {
        (ErrorClass::Credentials, "check that the key of this user is accepted there, and that the account may use libvirt")
    } else if says(&["failed to connect", "end of file while reading", "connection reset", "cannot recv data"]) {
        (ErrorClass::Transient, "check the host of the URI, and that libvirtd runs there")
    } else if says(&["cannot acquire state change lock", "timed out during operation"]) {
        (ErrorClass::Busy, "another operation on the domain is under way; it is tried again")
    } else if says(&["already active", "already running", "domain is not running"]) {
        (ErrorClass::NotReady, "its state changed meanwhile; it is looked at again")
    } else if says(&["failed to get domain", "domain not found", "no domain with matching"]) {
        (ErrorClass::Rejected, "the domain is gone; correct the node's `boot_mac` or `oob.libvirt_uri`")
    } else {
        (ErrorClass::Transient, "run the same virsh command by hand to see more")
    }
}

/// What `domstate` says.
pub(super) fn power(text: &str) -> Power {
    match text.trim() {
        "running" | "idle" | "paused" | "pmsuspended" => Power::On,
        "shut off" | "crashed" => Power::Off,
        "in shutdown" => Power::PoweringOff,
        _ => Power::Unknown,
    }
}

#[async_trait]
impl Managed for LibvirtMachine {
    const BOOT_WAYS: usize = 1;

    fn context(&self) -> String {
        format!("node {}, {}", self.node, self.shown)
    }

    async fn power(&self) -> Result<Power, DriverError> {
        let (domain, _) = self.domain().await?;
        Ok(power(&self.command(&["domstate", &domain.uuid]).await?))
    }

    async fn boot(&self) -> Result<Boot, DriverError> {
        Ok(self.domain().await?.0.boot)
    }

    async fn identity(&self) -> Result<Bmc, DriverError> {
        let (domain, _) = self.domain().await?;
        let unread = Bmc::unread(super::driver::NAME, self.shown.clone(), domain.name);
        Ok(Bmc { uuid: Some(domain.uuid), macs: domain.macs, ..unread })
    }

    async fn switch(&self, verb: Verb) -> Result<(), DriverError> {
        let (domain, _) = self.domain().await?;
        let word = match verb {
            Verb::On => "start",
            Verb::Off => "destroy",
            Verb::Shutdown => "shutdown",
        };
        self.command(&[word, &domain.uuid]).await.map(drop)
    }

    async fn set_boot(&self, target: BootTarget, _: usize) -> Result<Way, DriverError> {
        let (_, xml) = self.domain().await?;
        let changed = domain::with_boot(&xml, &self.boot_mac, target).map_err(|why| self.error(ErrorClass::Rejected, why))?;
        let cannot = |e: std::io::Error| self.error(ErrorClass::Transient, format!("its description cannot be written to a file: {e}"));
        // Readable by this user only, and gone afterwards.
        let file = PrivateFile::new("xml", &changed, 0o600).map_err(cannot)?;
        self.command(&["define", &file.path().to_string_lossy()]).await.map(|_| Way::Taken)
    }

    async fn health(&self) -> Result<BmcHealth, DriverError> {
        Ok(BmcHealth::default())
    }
    async fn program(&self) -> Result<Option<String>, DriverError> {
        self.command(&["--version"]).await.map(|text| text.lines().next().map(|line| line.trim().to_owned()))
    }
}

//! The driver.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::machine::{LibvirtMachine, Virsh};
use crate::driver::http::Lanes;
use crate::driver::level::{Levelled, Levels, Times};
use crate::driver::{DriverError, ErrorClass};

/// The driver's name in plans and facts.
pub(super) const NAME: &str = "libvirt";

/// Settings of the libvirt driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibvirtOptions {
    /// Name or path of `virsh`.
    pub program: PathBuf,
    /// How many commands run at once.
    pub parallel: usize,
    /// How often waiters are polled.
    pub poll: Duration,
    /// Time limit of one command; what runs longer is killed.
    pub command_limit: Duration,
}

impl Default for LibvirtOptions {
    fn default() -> Self {
        Self { program: PathBuf::from("virsh"), parallel: 16, poll: Duration::from_secs(3), command_limit: Duration::from_secs(30) }
    }
}

/// A node and its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibvirtNode {
    /// Node name.
    pub node: String,
    /// URI of the hypervisor, as the design gives it.
    pub uri: String,
    /// MAC of the NIC that the domain boots from; it tells which domain it is.
    pub boot_mac: String,
}

/// Drives domains of libvirt.
#[derive(Clone)]
pub struct LibvirtDriver {
    levels: Arc<Levels<LibvirtMachine>>,
}

impl fmt::Debug for LibvirtDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LibvirtDriver").field("nodes", &self.levels.names()).finish_non_exhaustive()
    }
}

/// The URI as `virsh` gets it, or why it gets none (<https://libvirt.org/uri.html>).
fn checked(text: &str) -> Result<String, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "is not a URI")?;
    let (hypervisor, transport) = url.scheme().split_once('+').unwrap_or((url.scheme(), ""));
    if !matches!(hypervisor, "qemu" | "test") || !matches!(transport, "" | "ssh" | "tls" | "unix" | "libssh" | "libssh2") {
        return Err("has a scheme that is not supported");
    }
    if url.password().is_some() {
        return Err("holds a password, which everybody on this machine could read; use an SSH key");
    }
    if transport == "ssh" && !url.query_pairs().any(|(key, _)| key == "no_tty") {
        // Nobody is there to answer a question of ssh.
        url.query_pairs_mut().append_pair("no_tty", "1");
        return Ok(url.to_string());
    }
    Ok(text.to_owned())
}

impl LibvirtDriver {
    /// A driver of these domains. Nothing is run yet.
    ///
    /// # Errors
    /// When a URI is none that is supported, or a node has two domains.
    pub fn new(nodes: Vec<LibvirtNode>, options: &LibvirtOptions) -> Result<Self, DriverError> {
        let virsh =
            Arc::new(Virsh { program: options.program.clone(), limit: options.command_limit, lanes: Lanes::new(4, options.parallel) });
        let mut machines = Vec::with_capacity(nodes.len());
        for node in nodes {
            let uri = checked(&node.uri).map_err(|why| {
                DriverError::new(ErrorClass::Settings, format!("node {}: `oob.libvirt_uri` {why}", node.node))
                    .hint("write `qemu+ssh://USER@HOST/system`")
            })?;
            let machine = LibvirtMachine {
                virsh: Arc::clone(&virsh),
                node: node.node.clone(),
                shown: node.uri,
                uri,
                boot_mac: node.boot_mac.to_ascii_lowercase(),
                found: Mutex::default(),
            };
            machines.push((node.node, machine));
        }
        let times = Times {
            poll: options.poll,
            settle: Duration::from_secs(30),
            confirm_pause: Duration::from_millis(200),
            observe_limit: options.command_limit,
            begin_limit: Duration::from_secs(55),
        };
        Ok(Self { levels: Levels::new(NAME, times, options.parallel, machines)? })
    }
}

impl Levelled for LibvirtDriver {
    type Machine = LibvirtMachine;

    fn levels(&self) -> &Arc<Levels<LibvirtMachine>> {
        &self.levels
    }
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn uris() {
        assert_eq!(checked("qemu:///system").unwrap(), "qemu:///system");
        assert_eq!(checked("qemu+ssh://root@kvm1/system").unwrap(), "qemu+ssh://root@kvm1/system?no_tty=1");
        assert_eq!(checked("qemu+ssh://kvm1/system?keyfile=/k").unwrap(), "qemu+ssh://kvm1/system?keyfile=/k&no_tty=1");
        assert_eq!(checked("test:///default").unwrap(), "test:///default");
        for text in ["", "-c", "http://kvm1/system", "qemu+ssh://u:p@kvm1/system", "qemu+ext://kvm1/system", "vbox:///session"] {
            assert!(checked(text).is_err(), "{text}");
        }
    }
}

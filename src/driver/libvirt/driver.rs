//! The driver.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::machine::{LibvirtMachine, Virsh};
use super::private::{self, PrivateFile};
use crate::driver::http::Lanes;
use crate::driver::level::{Levelled, Levels, Times};
use crate::driver::permit::Permit;
use crate::driver::{DriverError, ErrorClass};

/// The driver's name in plans and facts.
pub(super) const NAME: &str = "libvirt";

/// Settings of the libvirt driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibvirtOptions {
    /// Name or path of `virsh`.
    pub program: PathBuf,
    /// Name or path of `ssh`, for hypervisors that are reached over it.
    pub ssh: PathBuf,
    /// The host that hypervisors are reached through over SSH, as `ssh -J` takes it.
    pub jump: Option<String>,
    /// How many commands run at once.
    pub parallel: usize,
    /// How often waiters are polled.
    pub poll: Duration,
    /// Time limit of one command; what runs longer is killed.
    pub command_limit: Duration,
    /// Without it nothing is sent.
    pub permit: Permit,
}

impl Default for LibvirtOptions {
    fn default() -> Self {
        Self {
            program: PathBuf::from("virsh"),
            ssh: PathBuf::from("ssh"),
            jump: None,
            parallel: 16,
            poll: Duration::from_secs(3),
            command_limit: Duration::from_secs(30),
            permit: Permit::default(),
        }
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
///
/// `connect` is the program that connects over SSH, if it is not `ssh` itself.
fn checked(text: &str, connect: Option<&Path>) -> Result<String, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "is not a URI")?;
    let (hypervisor, transport) = url.scheme().split_once('+').unwrap_or((url.scheme(), ""));
    if !matches!(hypervisor, "qemu" | "test") || !matches!(transport, "" | "ssh" | "tls" | "unix" | "libssh" | "libssh2") {
        return Err("has a scheme that is not supported");
    }
    if url.password().is_some() {
        return Err("holds a password, which everybody on this machine could read; use an SSH key");
    }
    let has = |wanted: &str| url.query_pairs().any(|(key, _)| key == wanted);
    let (asks, command) = (!has("no_tty"), has("command"));
    if transport != "ssh" || (!asks && connect.is_none()) {
        return Ok(text.to_owned());
    }
    if asks {
        // Nobody is there to answer a question of ssh.
        url.query_pairs_mut().append_pair("no_tty", "1");
    }
    if let Some(connect) = connect {
        if command {
            return Err("has a `command`, which does not go with `drivers.libvirt.jump` or `ssh`");
        }
        url.query_pairs_mut().append_pair("command", &connect.to_string_lossy());
    }
    // libvirt reads a plus as one.
    let query = url.query().map(|q| q.replace('+', "%20"));
    url.set_query(query.as_deref());
    Ok(url.to_string())
}

impl LibvirtDriver {
    /// A driver of these domains. Nothing is run yet.
    ///
    /// # Errors
    /// When a URI is none that is supported, or a node has two domains.
    pub fn new(nodes: Vec<LibvirtNode>, options: &LibvirtOptions) -> Result<Self, DriverError> {
        let ssh = options.jump.as_ref().map(|jump| private::jumping(&options.ssh, jump)).transpose();
        let ssh =
            ssh.map_err(|e| DriverError::new(ErrorClass::Settings, format!("a program that connects over SSH cannot be written: {e}")))?;
        let (program, permit) = (options.program.clone(), options.permit.clone());
        let virsh = Arc::new(Virsh { program, limit: options.command_limit, permit, lanes: Lanes::new(4, options.parallel), ssh });
        let mut machines = Vec::with_capacity(nodes.len());
        let own = (options.ssh != Path::new("ssh")).then_some(options.ssh.as_path());
        let connect = virsh.ssh.as_ref().map(PrivateFile::path).or(own);
        for node in nodes {
            let uri = checked(&node.uri, connect).map_err(|why| {
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
    use std::path::Path;

    use super::checked;

    #[test]
    fn uris() {
        let plain = |text| checked(text, None).unwrap();
        assert_eq!(plain("qemu:///system"), "qemu:///system");
        assert_eq!(plain("qemu+ssh://root@kvm1/system"), "qemu+ssh://root@kvm1/system?no_tty=1");
        assert_eq!(plain("qemu+ssh://kvm1/system?keyfile=/k"), "qemu+ssh://kvm1/system?keyfile=/k&no_tty=1");
        assert_eq!(plain("test:///default"), "test:///default");
        let through = |text| checked(text, Some(Path::new("/tmp/a b")));
        assert_eq!(through("qemu+ssh://kvm1/system?no_tty=1").unwrap(), "qemu+ssh://kvm1/system?no_tty=1&command=%2Ftmp%2Fa%20b");
        assert_eq!(through("qemu:///system").unwrap(), "qemu:///system");
        assert!(through("qemu+ssh://kvm1/system?command=x").is_err());
        for text in ["", "-c", "http://kvm1/system", "qemu+ssh://u:p@kvm1/system", "qemu+ext://kvm1/system", "vbox:///session"] {
            assert!(checked(text, None).is_err(), "{text}");
        }
    }
}

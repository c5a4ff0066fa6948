//! What can be set on the IPMI driver.

use std::path::PathBuf;
use std::time::Duration;

use crate::driver::permit::Permit;

/// How a machine's firmware boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootMode {
    /// PC compatible.
    Bios,
    /// EFI.
    Uefi,
}

/// Privilege level of sessions (IPMI 2.0, 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// May switch power; some BMCs let operators not set the boot source.
    Operator,
    /// May do everything.
    Administrator,
}

/// Settings of the IPMI driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpmiOptions {
    /// Name or path of `ipmitool`.
    pub program: PathBuf,
    /// Cipher suites (IPMI 2.0, table 22-20) to try, in order.
    pub cipher_suites: Vec<u8>,
    /// Privilege level to ask for.
    pub privilege: Privilege,
    /// How many commands run at once; each is a process.
    pub parallel: usize,
    /// How many requests one BMC has at once.
    pub per_bmc: usize,
    /// How long after an order the old state counts as in progress.
    pub settle: Duration,
    /// How often waiters are polled.
    pub poll: Duration,
    /// Time limit of one command; what runs longer is killed.
    pub command_limit: Duration,
    /// How long one BMC may take to be observed; the others wait for it no longer than this.
    pub observe_limit: Duration,
    /// Pause before a boot source that was set but does not show yet is read once more.
    pub confirm_pause: Duration,
    /// Without it nothing is sent.
    pub permit: Permit,
}

impl Default for IpmiOptions {
    fn default() -> Self {
        Self {
            program: PathBuf::from("ipmitool"),
            // 17 is RAKP-HMAC-SHA256; BMCs from before 2015 have only those with SHA1, of which 3 is the mandatory one with encryption.
            cipher_suites: vec![17, 3],
            privilege: Privilege::Administrator,
            parallel: 32,
            per_bmc: 1,
            settle: Duration::from_secs(30),
            poll: Duration::from_secs(3),
            command_limit: Duration::from_secs(30),
            observe_limit: Duration::from_secs(30),
            confirm_pause: Duration::from_secs(1),
            permit: Permit::default(),
        }
    }
}

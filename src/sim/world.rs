//! The simulated world: the machines as they physically are, and what MAAS believes.
//!
//! Everything here is a value. Time is an argument; transitions that lie in the future are stored with the absolute time they are due.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::db::{MaasSite, Node};
use super::options::SimOptions;

/// Version of the world file.
pub const WORLD_FORMAT: u32 = 1;

/// A whole simulated site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Version of this format.
    pub format: u32,
    /// Counters and options.
    pub meta: Meta,
    /// The wires: physical networks by name.
    pub wires: BTreeMap<String, Wire>,
    /// Machines by name.
    pub machines: BTreeMap<String, Machine>,
    /// MAAS' machines by system id.
    pub nodes: BTreeMap<String, Node>,
    /// The rest of MAAS' database.
    pub site: MaasSite,
}

/// Counters that are no object's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Settings the world was generated with, and last run with.
    pub options: SimOptions,
    /// Next id of interfaces, links, block devices and the like.
    pub next_id: BTreeMap<String, i64>,
    /// Number of mutating requests answered.
    pub requests: u64,
    /// How often each fault rule matched, by the rule's text.
    pub fault_matches: BTreeMap<String, u64>,
}

/// A physical layer-2 network: what an untagged frame from a NIC reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    /// Network of untagged frames, as CIDR.
    pub untagged: Option<String>,
    /// Tagged networks: VLAN id to CIDR.
    pub tagged: BTreeMap<u16, String>,
}

/// A machine in a rack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Node name.
    pub name: String,
    /// Its BMC; `None` if a person presses its buttons.
    pub bmc: Option<Bmc>,
    /// What MAAS detects when it enlists the machine: `redfish`, `ipmi` or `manual`.
    pub power_type: String,
    /// Whether it has power.
    pub on: bool,
    /// What the firmware boots where no override is set: `Hdd` or `Pxe`.
    pub default_boot: String,
    /// System UUID.
    pub uuid: String,
    /// Serial number.
    pub serial: String,
    /// Vendor.
    pub vendor: String,
    /// Model.
    pub model: String,
    /// Firmware version.
    pub bios_version: String,
    /// `bios` or `uefi`.
    pub boot_mode: String,
    /// Number of processor cores.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// NICs in the order of their bus addresses.
    pub nics: Vec<Nic>,
    /// Disks in the order in which the kernel finds them.
    pub disks: Vec<Disk>,
    /// What it does now.
    pub running: Running,
    /// The operating system on its disk, if there is one.
    pub installed: Option<Installed>,
    /// The next thing that happens to it.
    pub timer: Option<Timer>,
    /// When it was last started or reset, in milliseconds since 1970.
    #[serde(default)]
    pub last_reset: Option<u64>,
}

/// A baseboard management controller.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Bmc {
    /// Address in the design.
    pub address: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
    /// `None`, `Pxe`, `Hdd`, `Cd`, `Usb`, `BiosSetup`, `UefiHttp`.
    pub boot_target: String,
    /// `Disabled`, `Once` or `Continuous`.
    pub boot_enabled: String,
    /// `UEFI` or `Legacy`.
    pub boot_mode: String,
    /// `Lit`, `Blinking` or `Off`.
    pub indicator: String,
    /// Open sessions by id.
    #[serde(default)]
    pub logins: BTreeMap<String, Login>,
    /// Accounts that were made beside `user`, by id.
    #[serde(default)]
    pub accounts: BTreeMap<String, Account>,
    /// Changes with every change of the account `user`.
    #[serde(default)]
    pub owner_etag: u64,
    /// Tasks by number.
    #[serde(default)]
    pub tasks: BTreeMap<i64, Task>,
    /// The latest events, oldest first.
    #[serde(default)]
    pub log: Vec<BmcEvent>,
    /// Changes with every change of the system resource.
    pub etag: u64,
}

impl std::fmt::Debug for Bmc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bmc")
            .field("address", &self.address)
            .field("boot_target", &self.boot_target)
            .field("boot_enabled", &self.boot_enabled)
            .finish_non_exhaustive()
    }
}

/// A session at a BMC.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Token.
    pub token: String,
    /// Whose.
    pub user: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// An account of a BMC.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
    /// Role: `Administrator`, `Operator` or `ReadOnly`.
    pub role: String,
    /// Whether it may log in.
    pub enabled: bool,
    /// Changes with every change.
    pub etag: u64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A task of a BMC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What it does.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub began_at: u64,
    /// When it ends.
    pub ends_at: u64,
    /// Whether it ends without having done it.
    pub fails: bool,
}

/// An entry of a BMC's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BmcEvent {
    /// Number.
    pub id: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// What.
    pub text: String,
}

/// A network interface card's port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    /// Name that the kernel gives it.
    pub name: String,
    /// MAC address, lower case.
    pub mac: String,
    /// PCI address (`0000:00:03.0`).
    pub pci: String,
    /// Product.
    pub product: String,
    /// Vendor.
    pub vendor: String,
    /// Speed in Mbit/s.
    pub speed: u32,
    /// The wire it is cabled to.
    pub wire: Option<String>,
    /// The switch at the other end of its cable, where the rack has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<String>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Name that the kernel gives it.
    pub name: String,
    /// SCSI address (`2:0.0.0`).
    pub scsi: String,
    /// Size in bytes.
    pub size: u64,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Persistent path.
    pub id_path: String,
    /// Whether it turns.
    pub rotary: bool,
}

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// No power.
    Off,
    /// Firmware's self test.
    Booting,
    /// MAAS' enlistment system.
    Enlisting,
    /// MAAS' commissioning system.
    Commissioning,
    /// MAAS' installer.
    Installing,
    /// MAAS' disk eraser.
    Erasing,
    /// MAAS' rescue system.
    Rescue,
    /// A temporary system that is shutting down.
    ShuttingDown,
    /// The operating system on the disk.
    OperatingSystem,
    /// The firmware found nothing to boot.
    NoBootDevice,
}

/// An operating system on a machine's disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    /// Account that deployed it; `unknown` for one that came before MAAS.
    pub by: String,
    /// Distinguishes one installation from the next.
    pub marker: String,
    /// `ubuntu`.
    pub osystem: String,
    /// `jammy`.
    pub series: String,
    /// `ga-22.04`.
    pub kernel: String,
    /// Fully qualified name it was given.
    pub fqdn: String,
    /// Kernel command line that the tags of the machine gave it.
    pub kernel_opts: String,
}

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// When, in milliseconds since 1970.
    pub due_at: u64,
    /// What.
    pub event: Event,
}

/// What will happen to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It gets power.
    PowerOn,
    /// It loses power.
    PowerOff,
    /// It loses power and gets it again.
    PowerCycle,
    /// It is reset.
    Reset,
    /// The self test ends.
    SelfTestEnds,
    /// The enlistment system has told MAAS everything.
    EnlistmentEnds,
    /// The commissioning system has run its last script.
    CommissioningEnds,
    /// The installer is done and reboots.
    InstallationEnds,
    /// The disks are erased.
    ErasingEnds,
}

impl Bmc {
    /// Writes an event to the log, which keeps the latest.
    pub(crate) fn note(&mut self, at: u64, text: &str) {
        const KEPT: usize = 64;
        let id = self.log.last().map_or(1, |e| e.id + 1);
        self.log.push(BmcEvent { id, at, text: text.to_owned() });
        if self.log.len() > KEPT {
            self.log.remove(0);
        }
    }
}

impl Machine {
    /// Whether one of its NICs has this MAC.
    pub fn has_mac(&self, mac: &str) -> bool {
        self.nics.iter().any(|n| n.mac == mac)
    }
}

impl World {
    /// The machine with this BMC address.
    pub fn machine_at(&self, address: &str) -> Option<&Machine> {
        self.machines.values().find(|m| m.bmc.as_ref().is_some_and(|b| b.address == address))
    }

    /// MAAS' record of a machine, found as MAAS finds it: by a MAC.
    pub fn node_of(&self, machine: &str) -> Option<&Node> {
        self.nodes.values().find(|n| n.machine.as_deref() == Some(machine))
    }

    /// A new id of a kind (`interface`, `link`).
    pub(crate) fn take_id(&mut self, kind: &str) -> i64 {
        let next = self.meta.next_id.entry(kind.to_owned()).or_insert(1);
        let id = *next;
        *next += 1;
        id
    }
}

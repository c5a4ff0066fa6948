//! What a simulated site can be told: the `simulate:` section of the settings.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a simulated site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimOptions {
    /// Number that every generated MAC, UUID, serial and name derives from.
    pub seed: u64,
    /// The release of MAAS that is simulated.
    pub release: Release,
    /// How long things take.
    pub timing: Timing,
    /// Whether the boot images that the nodes need are imported already.
    pub images_present: bool,
    /// State of machines at first, by node name; machines that are not named are off and unknown to the provisioner.
    pub machines: BTreeMap<String, InitialState>,
    /// Differences between the generated hardware and what the design lets one expect.
    pub hardware: Hardware,
    /// What goes wrong.
    pub faults: Vec<FaultRule>,
    /// When effects reach the disk.
    pub durability: Durability,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            release: Release::default(),
            timing: Timing::default(),
            images_present: false,
            machines: BTreeMap::new(),
            hardware: Hardware::default(),
            faults: Vec::new(),
            durability: Durability::EachRequest,
        }
    }
}

/// A release of MAAS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)] // Their names are all there is to say.
pub enum Release {
    #[serde(rename = "2.9")]
    V2_9,
    #[serde(rename = "3.0")]
    V3_0,
    #[serde(rename = "3.1")]
    V3_1,
    #[serde(rename = "3.2")]
    V3_2,
    #[serde(rename = "3.3")]
    V3_3,
    #[serde(rename = "3.4")]
    V3_4,
    #[serde(rename = "3.5")]
    V3_5,
    #[serde(rename = "3.6")]
    V3_6,
    #[default]
    #[serde(rename = "3.7")]
    V3_7,
}

impl Release {
    /// All releases, oldest first.
    pub const ALL: [Self; 9] = [Self::V2_9, Self::V3_0, Self::V3_1, Self::V3_2, Self::V3_3, Self::V3_4, Self::V3_5, Self::V3_6, Self::V3_7];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_9 => "2.9",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V3_2 => "3.2",
            Self::V3_3 => "3.3",
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
            Self::V3_6 => "3.6",
            Self::V3_7 => "3.7",
        }
    }

    /// With the number of a point release.
    pub(crate) fn full(self) -> String {
        format!("{}.2", self.name())
    }
}

/// Durations in (compressed) milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// From a power command to the change of the power state.
    pub power_ms: u64,
    /// Power-on self test: from power to the boot decision.
    pub post_ms: u64,
    /// Boot of the enlistment system until the machine is known.
    pub enlist_ms: u64,
    /// Boot of the commissioning system until its last script.
    pub commission_ms: u64,
    /// Boot of the installer until the reboot.
    pub deploy_ms: u64,
    /// From the power-off of a released machine until it is ready.
    pub release_ms: u64,
    /// Erasing the disks, where a release asks for it.
    pub erase_ms: u64,
    /// Import of boot images.
    pub import_ms: u64,
    /// After this time without an end a commissioning or deployment has failed.
    pub node_timeout_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            power_ms: 50,
            post_ms: 150,
            enlist_ms: 300,
            commission_ms: 500,
            deploy_ms: 800,
            release_ms: 100,
            erase_ms: 400,
            import_ms: 300,
            node_timeout_ms: 60_000,
        }
    }
}

/// State of a machine before the first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitialState {
    /// Off, empty, unknown to the provisioner.
    OffUnknown,
    /// On, with an operating system that nobody here knows, unknown to the provisioner.
    OnUnknown,
    /// Enlisted: New.
    New,
    /// Commissioned: Ready.
    Ready,
    /// Deployed by our own account.
    Deployed,
    /// Deployed by another account.
    Foreign,
}

/// How the generated hardware differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hardware {
    /// NICs get names that do not follow their bus address (`eno1`, `eno2`).
    pub renamed_nics: bool,
    /// Disks are some MiB smaller than their round size.
    pub odd_disk_sizes: bool,
    /// Disks that the design does not mention, for each machine.
    pub extra_disks: u32,
    /// Services of the rack controller that are dead (`rackd`, `tftp`).
    pub dead_services: Vec<String>,
    /// Machines in the provisioner that the design does not have, deployed by another account.
    pub foreign_machines: u32,
    /// Subnets in the provisioner that the design does not have, each in a fabric of its own.
    #[schemars(with = "Vec<String>")]
    pub foreign_subnets: Vec<IpNet>,
    /// BMCs answer 204 to `Once` and keep `Continuous`.
    pub bmc_ignores_once: bool,
    /// The firmware boots from the network first where no override is set.
    pub network_boot_first: bool,
    /// BMCs answer changes of power and boot source with tasks (202).
    pub bmc_tasks: bool,
    /// Members of a collection that a BMC gives at once; 0 is all.
    pub bmc_page: u32,
    /// Sessions that a BMC has room for; 0 is as many as anybody opens, and the oldest of 16 goes.
    pub bmc_sessions: u32,
    /// Reset types that BMCs have; without any, all that there are.
    pub bmc_resets: Vec<String>,
    /// BMCs list reset types in a resource of their own (`@Redfish.ActionInfo`).
    pub bmc_action_info: bool,
    /// BMCs speak HTTPS, with a certificate of their own.
    pub bmc_tls: bool,
}

/// When effects reach the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Before the answer is sent.
    #[default]
    EachRequest,
    /// At most 200 ms later, and at shutdown. A killed process may lose the last effects.
    Lazy,
}

/// One thing that goes wrong. A rule matches a request (or, with `machine`, a machine) and acts on its `nth` to `nth + count - 1` match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRule {
    /// Regular expression over the node name; a request that concerns no node has the empty name.
    pub node: Option<String>,
    /// `maas` or `bmc`.
    pub server: Option<String>,
    /// Method (`POST`).
    pub method: Option<String>,
    /// Regular expression over `op`, or the reset type of a BMC.
    pub op: Option<String>,
    /// Regular expression over the path.
    pub path: Option<String>,
    /// The first match that is hit, counted from 1.
    pub nth: u64,
    /// How many matches are hit; 0 is all from `nth` on.
    pub count: u64,
    /// How many in a hundred of these are hit.
    pub percent: u32,
    /// Answer with this status instead of doing it.
    pub status: Option<u16>,
    /// The text of that answer.
    pub body: Option<String>,
    /// Seconds that its `Retry-After` asks for.
    pub retry_after_s: Option<u64>,
    /// Wait so long before doing it.
    pub hang_ms: Option<u64>,
    /// Reset the connection instead of answering.
    pub drop: Option<Moment>,
    /// End the whole process (as `kill -9` would).
    pub kill: Option<Moment>,
    /// A misbehaviour of the machine itself.
    pub machine: Option<MachineFault>,
    /// With `machine: slow`: times so much.
    pub factor: f64,
}

impl Default for FaultRule {
    fn default() -> Self {
        Self {
            node: None,
            server: None,
            method: None,
            op: None,
            path: None,
            nth: 1,
            count: 1,
            percent: 100,
            status: None,
            body: None,
            retry_after_s: None,
            hang_ms: None,
            drop: None,
            kill: None,
            machine: None,
            factor: 1.0,
        }
    }
}

/// When a connection or the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the request has an effect.
    BeforeEffect,
    /// When the effect is durable, before the answer.
    AfterEffect,
    /// When the answer is written (only for `kill`).
    AfterAnswer,
    /// When the effect is durable and half of the answer's body is sent (only for `drop`).
    MidAnswer,
}

/// How a machine misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineFault {
    /// Commissioning ends as failed.
    CommissioningFails,
    /// Commissioning never ends (until MAAS times it out).
    CommissioningHangs,
    /// Deployment ends as failed.
    DeploymentFails,
    /// Deployment never ends (until MAAS times it out).
    DeploymentHangs,
    /// Everything the machine does takes `factor` times as long.
    Slow,
    /// The BMC refuses connections, also those of MAAS.
    BmcUnreachable,
    /// The BMC refuses the password of the design.
    WrongCredentials,
    /// The machine never gets power: power commands are accepted without effect.
    LostPower,
    /// The BMC shows the opposite of the power state.
    BmcLiesAboutPower,
    /// The BMC answers 204 to `Once` and keeps `Continuous`.
    BmcIgnoresOnce,
    /// The BMC forgets each session after one request.
    BmcDropsSessions,
    /// The BMC lists no system.
    BmcListsNoSystem,
    /// The BMC lists another system beside the machine.
    BmcListsTwoSystems,
    /// The BMC accepts resets as tasks, which fail.
    BmcTaskFails,
    /// The BMC has a certificate that nobody knows (with `hardware.bmc_tls`).
    BmcWrongCertificate,
    /// The first disk has failed.
    FailedDrive,
}

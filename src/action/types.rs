//! Actions: one call of a driver with fixed parameters.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Json;

/// What an action or change does to a running site, in ascending order of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing changes.
    None,
    /// Changed without interruption.
    Online,
    /// First deployment of a machine that holds nothing.
    Install,
    /// The machine restarts.
    Reboot,
    /// An operating system is written over another.
    Redeploy,
    /// What is there is given up.
    Destroy,
}

impl Effect {
    /// All classes, lowest first.
    pub const ALL: [Self; 6] = [Self::None, Self::Online, Self::Install, Self::Reboot, Self::Redeploy, Self::Destroy];

    /// The name on the command line and in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Online => "online",
            Self::Install => "install",
            Self::Reboot => "reboot",
            Self::Redeploy => "redeploy",
            Self::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $driver:ident, $minutes:literal;)*) => {
        /// Kinds of action; the names are the field's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ActionKind {
            $($(#[$doc])* $variant,)*
        }

        impl ActionKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in plans, journals and messages.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Which kind of driver carries it out.
            pub fn role(self) -> DriverRole {
                match self { $(Self::$variant => DriverRole::$driver,)* }
            }

            /// Default time limit in minutes.
            pub fn default_timeout_minutes(self) -> u32 {
                match self { $(Self::$variant => $minutes,)* }
            }
        }
    };
}

/// Which kind of driver carries an action out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverRole {
    /// Talks to the BMC.
    Oob,
    /// Talks to the provisioner.
    Node,
    /// Runs programs of the site's own.
    Hook,
}

kinds! {
    /// Check that the provisioner can do what the plan needs.
    VerifySite => "verify_site", Node, 5;
    /// Create or update one network resource (fabric, VLAN, subnet, range, route, domain, DHCP).
    CreateNetworkTemplate => "create_network_template", Node, 2;
    /// Add an SSH key.
    ConfigureUserCredentials => "configure_user_credentials", Node, 2;
    /// Create, update or remove a package repository.
    ConfigureNodeProvisioner => "configure_node_provisioner", Node, 5;
    /// Import a boot image.
    CreateBootMedia => "create_boot_media", Node, 60;
    /// Create or update a tag.
    ConfigureTags => "configure_tags", Node, 5;
    /// Remove one network resource (static route, DHCP, range, subnet, VLAN, fabric) that drydock created.
    DeleteNetworkTemplate => "delete_network_template", Node, 2;
    /// Remove an SSH key that drydock created.
    DeleteUserCredentials => "delete_user_credentials", Node, 2;
    /// Remove a tag that drydock created.
    DeleteTags => "delete_tags", Node, 5;
    /// Set the boot source override.
    SetNodeBoot => "set_node_boot", Oob, 5;
    /// Switch on and confirm.
    PowerOnNode => "power_on_node", Oob, 5;
    /// Switch off and confirm.
    PowerOffNode => "power_off_node", Oob, 5;
    /// Wait until the provisioner has enlisted the machine, and give it its name.
    IdentifyNode => "identify_node", Node, 10;
    /// Commission.
    ConfigureHardware => "configure_hardware", Node, 30;
    /// Collect hardware facts (lshw, lldp) as build data.
    InterrogateNode => "interrogate_node", Node, 5;
    /// Configure interfaces.
    ApplyNodeNetworking => "apply_node_networking", Node, 5;
    /// Configure disks.
    ApplyNodeStorage => "apply_node_storage", Node, 5;
    /// Configure kernel parameters, tags and owner data.
    ApplyNodePlatform => "apply_node_platform", Node, 5;
    /// Write the operating system.
    DeployNode => "deploy_node", Node, 45;
    /// Release the machine.
    DestroyNode => "destroy_node", Node, 30;
    /// Delete the provisioner's record of a machine that is free.
    DeleteNode => "delete_node", Node, 5;
    /// Run a program of the site's own before a disruption or after it.
    RunHook => "run_hook", Hook, 10;
}

impl ActionKind {
    /// The name under which its durations are kept: of all machines, or of those with a hardware profile.
    pub fn duration_key(self, hardware: Option<&str>) -> String {
        hardware.map_or_else(|| self.name().to_owned(), |hardware| format!("{}/{hardware}", self.name()))
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How failures of an action are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryClass {
    /// Repeat transient, busy and not-ready failures with backoff until the time limit.
    Repeatable,
    /// Observe again, and repeat only if the site shows that nothing was begun.
    ObserveFirst,
}

/// What must hold just before an action acts; read from the site, never from the plan's own facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Precondition {
    /// The BMC and the provisioner (where it knows the machine) both show the bound machine.
    Identity,
    /// The provisioner shows the machine in one of these statuses (names of [`crate::build::MachineStatus`]).
    Status(Vec<crate::build::MachineStatus>),
    /// The provisioner does not have a machine with the bound MACs. If it has, the action has served its purpose, and is done without an effect.
    NotEnlisted,
    /// The machine holds no operating system that this plan was not told of: it is off, or known to the provisioner in a status before deployment.
    HoldsNothing,
}

/// One call of a driver with fixed parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Hash of everything else, 20 hex digits; the same action in two plans has the same id.
    pub id: String,
    /// Kind.
    pub kind: ActionKind,
    /// Resource it changes (`subnet.mgmt`, `node.compute01/storage`).
    pub resource: String,
    /// The node whose branch it is in, if any.
    pub node: Option<String>,
    /// Name of the driver (`maas`, `redfish`).
    pub driver: String,
    /// Effect class.
    pub effect: Effect,
    /// Parameters: a structure of [`crate::action::params`] as JSON; late values stand in it as `{"$fact": …}`.
    pub params: Json,
    /// Ids of actions that must be done before.
    pub after: Vec<String>,
    /// What must hold just before.
    pub preconditions: Vec<Precondition>,
    /// Time limit in seconds for one attempt, waiting included.
    pub timeout_s: u32,
    /// How failures are retried.
    pub retry: RetryClass,
}

//! What tells after a crash whether the effect of an action has happened.
//!
//! Every observation looks at what the site shows now. Where that alone cannot tell our effect from somebody else's, what the site showed just before stands in
//! the journal with the intent ([`crate::driver::Call::before`]), and is compared: numbers and marks are, never times, so that no clock decides. `docs/reliability.md` has the
//! table, made from [`EVIDENCE`].

use crate::action::ActionKind;
use crate::build::{Machine, MachineStatus};
use crate::diff::MARK_ACTION;

/// What decides about an action of a kind that was begun, and whose end nobody has recorded.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// Kind.
    pub kind: ActionKind,
    /// It has happened, or goes on, if the site shows this.
    pub happened: &'static str,
    /// It is begun (again), if the site shows this.
    pub begun: &'static str,
    /// Neither: what is done then.
    pub otherwise: &'static str,
}

const fn of(kind: ActionKind, happened: &'static str, begun: &'static str, otherwise: &'static str) -> Evidence {
    Evidence { kind, happened, begun, otherwise }
}

/// For every kind of action.
pub static EVIDENCE: &[Evidence] = &[
    of(ActionKind::VerifySite, "—", "always: it only reads", "—"),
    of(
        ActionKind::CreateNetworkTemplate,
        "the object is there with the planned values",
        "it is not there, or has the values that the plan saw",
        "other values: refused",
    ),
    of(ActionKind::ConfigureUserCredentials, "the key is listed", "it is not", "—"),
    of(ActionKind::ConfigureNodeProvisioner, "the repository has the planned values", "it has others", "—"),
    of(
        ActionKind::CreateBootMedia,
        "the image is listed as synced; an import that goes on is waited for",
        "it is not selected, or not imported",
        "—",
    ),
    of(ActionKind::ConfigureTags, "the tag has the planned definition", "it has not", "—"),
    of(
        ActionKind::DeleteNetworkTemplate,
        "the object is not listed",
        "it is, with the values that drydock gave it and without users",
        "other values, or a user: refused",
    ),
    of(ActionKind::DeleteUserCredentials, "the key is not listed", "it is", "—"),
    of(ActionKind::DeleteTags, "the tag is not listed", "it is", "—"),
    of(ActionKind::SetNodeBoot, "the BMC shows the boot source", "it shows another one", "—"),
    of(
        ActionKind::PowerOnNode,
        "the machine is on, or the provisioner has it: it was switched on to be enlisted",
        "it is off: nothing runs on it",
        "—",
    ),
    of(
        ActionKind::PowerOffNode,
        "the machine is off",
        "it is on, and was last started when it was before (`LastResetTime`; where a BMC does not tell: it is on)",
        "it is on and was started since: inconclusive",
    ),
    of(
        ActionKind::IdentifyNode,
        "the record has the node's name and power settings",
        "it has others",
        "in use under another name: refused",
    ),
    of(
        ActionKind::ConfigureHardware,
        "Commissioning, Testing: waited for. Ready, or in use: done (where it is commissioned again: with another commissioning than the plan saw). Failed with another commissioning than before: failed",
        "New; or Failed commissioning with the same commissioning as before",
        "broken, rescue, locked: refused",
    ),
    of(ActionKind::InterrogateNode, "—", "always: it only reads", "—"),
    of(ActionKind::ApplyNodeNetworking, "every interface is as planned", "one is not: what differs is done", "in use: refused"),
    of(ActionKind::ApplyNodeStorage, "the layout is as planned", "it is not: laid out from a blank disk", "not Ready: refused"),
    of(
        ActionKind::ApplyNodePlatform,
        "names, tags, parameters and owner data are as planned",
        "one is not: what differs is done",
        "of somebody else: refused",
    ),
    of(
        ActionKind::DeployNode,
        "the machine bears this action's mark and is Deployed, with the planned image: done. Deploying: waited for. Failed deployment with another installation than before: failed",
        "Ready; Allocated by us; Failed deployment with the same installation as before",
        "Deployed without this site's mark, or with another image: refused",
    ),
    of(
        ActionKind::DestroyNode,
        "Ready, New or Commissioning: done. Releasing: waited for. Releasing failed: failed",
        "in use, with the installation and the mark that it had before",
        "in use with another installation or mark, so somebody has it anew: refused",
    ),
    of(
        ActionKind::DeleteNode,
        "the record is gone, or another one is there",
        "it is there, and nobody has the machine",
        "in use or locked: refused",
    ),
    of(
        ActionKind::RunHook,
        "somebody has confirmed it (`drydock runs confirm`)",
        "it is `repeatable`",
        "it is not: the run waits for the confirmation",
    ),
];

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "none".to_owned(), |n| n.to_string())
}

/// Which commissioning a machine has the results of.
pub fn commissioned_as(machine: &Machine) -> String {
    format!("commissioning {}", number(machine.commissioning))
}

/// Which installation a machine has the results of, and which action's mark it bears: both are others after it was released and is in use anew.
pub fn installed_as(machine: &Machine) -> String {
    let allocated = if machine.status == MachineStatus::Allocated { "allocated, " } else { "" };
    let mark = machine.owner_data.get(MARK_ACTION).map_or("none", String::as_str);
    format!("{allocated}installation {}, mark {mark}", number(machine.installation))
}

//! Taking over machines that were deployed before drydock came. Nothing at the site is touched: what is recorded makes the machine the node's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::identity::{self, Match};
use super::memory::Memory;
use super::node::{selectable, stage_of};
use super::{Placement, Stage, platform};
use crate::action::Selector;
use crate::build::{Binding, Build, Machine, MachineStatus};
use crate::model::{Node, Site};

/// A node that can be taken over, and what is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Node.
    pub node: String,
    /// Its machine in words: host name, id, status, owner.
    pub machine: String,
    /// The binding to record.
    pub binding: Binding,
    /// Resource → parameters, as if they had been applied.
    pub applied: BTreeMap<String, Value>,
}

/// A node of the selection that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdopted {
    /// Node.
    pub node: String,
    /// Why.
    pub reason: String,
    /// What to do; empty where there is nothing to do.
    pub hint: String,
    /// Whether somebody has to look at it. A node that is ours already, or has nothing deployed, needs no adoption.
    pub needs_attention: bool,
}

/// Which nodes of a selection can be taken over.
pub fn adoptions(site: &Site, build: &Build, memory: &Memory, selector: &Selector) -> (Vec<Adoption>, Vec<NotAdopted>) {
    let user = build.provisioner.known().map_or("", |p| p.user.as_str());
    let (mut adopted, mut others) = (Vec::new(), Vec::new());
    for (name, identity) in identity::identify(site, build, memory) {
        let Some(node) = site.nodes.get(&name) else { continue };
        let stage = match &identity.found {
            Match::Unknown { .. } => Stage::Unknown,
            Match::Absent => Stage::Absent,
            Match::Machine { machine, .. } => stage_of(&site.name.value, &name, machine, memory, user),
        };
        if !selector.matches(&selectable(node, stage).as_ref()) {
            continue;
        }
        let mut no = |reason: String, hint: &str, needs_attention: bool| {
            others.push(NotAdopted { node: name.clone(), reason, hint: hint.to_owned(), needs_attention });
        };
        match &identity.found {
            Match::Unknown { reason, hint } => no(reason.clone(), hint, true),
            Match::Absent => no("the provisioner does not have its machine, so there is nothing to take over".to_owned(), "", false),
            Match::Machine { confirmed: false, .. } => no(
                "only host name and BMC address say which machine it is, and its BMC could not be read".to_owned(),
                "make the BMC answer, or set boot_mac",
                true,
            ),
            Match::Machine { machine, confirmed: true } => match refusal(&site.name.value, machine, stage) {
                Some((reason, hint, needs_attention)) => no(reason, hint, needs_attention),
                None => adopted.push(adoption(node, machine, identity.binding)),
            },
        }
    }
    (adopted, others)
}

/// Why a machine is not taken over.
fn refusal(site: &str, machine: &Machine, stage: Stage) -> Option<(String, &'static str, bool)> {
    let what = in_words(machine);
    if let Some(other) = machine.owner_data.get(platform::MARK_SITE).filter(|s| *s != site) {
        let hint = "release it there; two sites cannot have one machine";
        return Some((format!("its {what}, is managed by drydock for site {other}"), hint, true));
    }
    match (machine.status, stage) {
        (MachineStatus::Deployed, Stage::Deployed) => Some(("it is ours already".to_owned(), "", false)),
        (MachineStatus::Deployed, _) => None,
        (_, Stage::Foreign | Stage::Held) => Some((
            format!("its {what}, is in use and not deployed"),
            "only what is deployed can be taken over: let it end, or release it",
            true,
        )),
        _ => Some((format!("its {what}, is not deployed, so `drydock apply` can use it as it is"), "", false)),
    }
}

fn in_words(machine: &Machine) -> String {
    format!(
        "machine {} ({}), {}, owned by {}",
        machine.hostname,
        machine.id,
        machine.status_name,
        machine.owner.as_deref().unwrap_or("nobody")
    )
}

fn adoption(node: &Node, machine: &Machine, binding: Binding) -> Adoption {
    let name = &node.name.value;
    // What the design wants and the machine has is ours from now on: it goes when the design no longer has it.
    let (mut params, _) = platform::wanted(node, Placement::default(), None);
    params.add_tags.retain(|t| machine.tags.contains(t));
    params.set_owner_data.retain(|k, v| machine.owner_data.get(k) == Some(v));
    params.kernel_params = None;
    let system = json!({"kernel": machine.kernel, "os": machine.os, "series": machine.series});
    let applied = BTreeMap::from([
        (format!("node.{name}"), system),
        (format!("node.{name}/platform"), serde_json::to_value(params).unwrap_or(Value::Null)),
    ]);
    let binding = Binding { machine: Some(machine.id.clone()), adopted_from: machine.owner.clone(), ..binding };
    Adoption { node: name.clone(), machine: in_words(machine), binding, applied }
}

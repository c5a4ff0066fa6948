//! Who uses a site resource, and which nodes leave it in this plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::Json;
use crate::action::params::ApplyNodeNetworking;
use crate::build::{InterfaceKind, Machine, MachineInterface, RackController, RackInterface};
use crate::diff::find_nic;
use crate::diff::node::NodeWork;

/// Interfaces of machines and rack controllers.
pub(super) struct Usage<'a> {
    machines: &'a [Machine],
    racks: &'a [RackController],
    /// Machine id → node, and the configuration that its branch gives it.
    leaving: BTreeMap<&'a str, (&'a str, &'a Json)>,
}

/// Why a resource stays, or who has to leave it first.
pub(super) type Users = Result<BTreeSet<String>, String>;

impl<'a> Usage<'a> {
    pub(super) fn new(machines: &'a [Machine], racks: &'a [RackController], work: &'a BTreeMap<String, NodeWork>) -> Self {
        let branches = work.iter().filter_map(|(name, w)| Some((w.binding.machine.as_deref()?, (name.as_str(), w.networking.as_ref()?))));
        let leaving = branches.collect();
        Self { machines, racks, leaving }
    }

    /// The users of something that is told by interfaces.
    pub(super) fn of(&self, machine: impl Fn(&MachineInterface) -> bool, rack: impl Fn(&RackInterface) -> bool) -> Users {
        if let Some(r) = self.racks.iter().find(|r| r.interfaces.iter().any(&rack)) {
            return Err(format!("rack controller {} is connected to it", r.hostname));
        }
        let mut nodes = BTreeSet::new();
        for m in self.machines {
            let mut using = m.interfaces.iter().filter(|i| machine(i)).peekable();
            let Some(first) = using.peek() else { continue };
            let Some((node, networking)) = self.leaving.get(m.id.as_str()) else {
                return Err(format!("{} of machine {} uses it", first.name, m.hostname));
            };
            let anew = configured_anew(m, networking);
            if let Some(kept) = using.find(|i| !anew.contains(i.name.as_str())) {
                return Err(format!("{} of machine {} uses it", kept.name, m.hostname));
            }
            nodes.insert((*node).to_owned());
        }
        Ok(nodes)
    }
}

/// The interfaces on NICs that a configuration uses; those on other NICs are left alone.
fn configured_anew<'a>(machine: &'a Machine, wanted: &Json) -> BTreeSet<&'a str> {
    let Ok(wanted) = serde_json::from_value::<ApplyNodeNetworking>(wanted.value()) else { return BTreeSet::new() };
    let members = wanted.interfaces.iter().flat_map(|i| &i.members);
    let mut out: BTreeSet<&str> = members.filter_map(|m| find_nic(machine, m).ok()).map(|i| i.name.as_str()).collect();
    loop {
        let before = out.len();
        let above =
            machine.interfaces.iter().filter(|i| i.kind != InterfaceKind::Physical && i.parents.iter().any(|p| out.contains(p.as_str())));
        let above: Vec<&str> = above.map(|i| i.name.as_str()).collect();
        out.extend(above);
        if out.len() == before {
            return out;
        }
    }
}

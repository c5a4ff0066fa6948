//! Machines of a batch: one list, found by id or by MACs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::{Api, ApiCall};
use super::together::Answer;
use super::wire::{Found, PowerAddress, WireMachine, WirePowerState, WireScriptSet, WireVolumeGroup};
use super::{bson, lshw};
use crate::build::{Binding, Machine, VolumeGroupFacts, same_uuid};
use crate::driver::{DriverError, ErrorClass};

/// After so many details that could not be read, the others are not asked for.
const GIVEN_UP_AFTER: usize = 8;

/// How many machines are read at a time: more than there are lanes, so that none is idle.
const AT_A_TIME: usize = 32;

/// Up to how many machines are asked for by name; more are listed in full.
pub(super) const BY_NAME: usize = 200;

/// Machines of a successful listing.
#[derive(Debug, Clone, Default)]
pub(super) struct Machines {
    by_id: BTreeMap<String, Found>,
}

impl Machines {
    fn of(list: Vec<WireMachine>) -> Self {
        // A filter by MACs lists a machine once per NIC that matches.
        Self { by_id: list.into_iter().map(WireMachine::found).map(|f| (f.machine.id.clone(), f)).collect() }
    }

    /// The machine of an id.
    pub(super) fn by_id(&self, id: &str) -> Option<&Found> {
        self.by_id.get(id)
    }

    /// The bound machine: by its id, else by MACs. Never by BMC address alone: addresses move.
    pub(super) fn find(&self, binding: &Binding) -> Result<Option<&Found>, DriverError> {
        let by_id = binding.machine.as_ref().and_then(|id| self.by_id.get(id));
        let found = match by_id {
            Some(found) => Some(found),
            None if binding.macs.is_empty() => self.by_uuid(binding)?,
            None => self.by_macs(&binding.macs)?,
        };
        if let Some(found) = found
            && let Some(why) = binding.contradicts_machine(&found.machine)
        {
            return Err(DriverError::new(ErrorClass::Precondition, why)
                .hint("check which machine it is; `drydock rebind` changes the binding if hardware was exchanged"));
        }
        Ok(found)
    }

    /// By the system UUID, which a BMC's GUID may be: for machines whose BMC knows no MACs.
    fn by_uuid(&self, binding: &Binding) -> Result<Option<&Found>, DriverError> {
        let bound: Vec<&String> = binding.uuid.iter().chain(&binding.guid).collect();
        let mut same = self.by_id.values().filter(|f| f.machine.uuid.as_ref().is_some_and(|u| bound.iter().any(|b| same_uuid(b, u))));
        let first = same.next();
        match (first, same.next()) {
            (Some(a), Some(b)) => Err(DriverError::new(
                ErrorClass::Precondition,
                format!(
                    "MAAS has two machines with the system UUID of the node: {} ({}) and {} ({})",
                    a.machine.hostname, a.machine.id, b.machine.hostname, b.machine.id
                ),
            )
            .hint("delete the one that is not the node's in MAAS, or set boot_mac in the design if the boards have the same UUID")),
            _ => Ok(first),
        }
    }

    fn by_macs(&self, macs: &[String]) -> Result<Option<&Found>, DriverError> {
        let mut same = self.by_id.values().filter(|f| f.machine.macs.iter().any(|m| macs.contains(m)));
        let first = same.next();
        if let (Some(a), Some(b)) = (first, same.next()) {
            return Err(DriverError::new(
                ErrorClass::Precondition,
                format!(
                    "MAAS has two machines with MACs of the node: {} ({}) and {} ({})",
                    a.machine.hostname, a.machine.id, b.machine.hostname, b.machine.id
                ),
            )
            .hint("delete the one that is not the node's in MAAS"));
        }
        Ok(first)
    }

    pub(super) fn into_machines(self) -> Vec<Machine> {
        self.by_id.into_values().map(|f| f.machine).collect()
    }

    pub(super) fn into_found(self) -> Vec<Found> {
        self.by_id.into_values().collect()
    }
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.split(':').count() == 6 && text.split(':').all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Api {
    /// The machines of these bindings, perhaps among others, with as few requests as there can be.
    pub(super) async fn bound(&self, bindings: &[&Binding]) -> Answer<Machines> {
        let api = self.clone();
        let question = bindings.iter().copied().cloned().collect();
        let read = move |asked: Vec<Vec<Binding>>| {
            let api = api.clone();
            async move { api.read_bound(&asked.iter().flatten().collect::<Vec<_>>()).await }
        };
        self.machines.ask(question, read).await
    }

    async fn read_bound(&self, bindings: &[&Binding]) -> Result<Machines, DriverError> {
        let mut ids = BTreeSet::new();
        let mut macs = BTreeSet::new();
        for binding in bindings {
            ids.extend(&binding.machine);
            // A machine that was deleted and enlisted again has another id.
            if binding.machine.is_none() {
                macs.extend(binding.macs.iter().filter(|m| is_mac(m)));
            }
        }
        // MAAS has no filter by UUID.
        let by_uuid = |b: &Binding| b.machine.is_none() && b.macs.is_empty() && (b.uuid.is_some() || b.guid.is_some());
        if ids.len() > BY_NAME || macs.len() > BY_NAME || bindings.iter().any(|b| by_uuid(b)) {
            return self.all_machines().await;
        }
        let mut machines = Machines::default();
        for (name, values) in [("id", ids), ("mac_address", macs)] {
            if !values.is_empty() {
                let call = ApiCall::get("machines/").with_each(name, values);
                machines.by_id.append(&mut Machines::of(self.fetch(&call).await?).by_id);
            }
        }
        let gone: BTreeSet<&String> = bindings
            .iter()
            .filter(|b| b.machine.as_ref().is_some_and(|id| !machines.by_id.contains_key(id)))
            .flat_map(|b| b.macs.iter().filter(|m| is_mac(m)))
            .collect();
        let lost = |b: &Binding| b.machine.as_ref().is_some_and(|id| !machines.by_id.contains_key(id)) && b.macs.is_empty();
        if bindings.iter().any(|b| lost(b) && (b.uuid.is_some() || b.guid.is_some())) {
            return self.all_machines().await;
        }
        if !gone.is_empty() {
            let call = ApiCall::get("machines/").with_each("mac_address", gone);
            machines.by_id.append(&mut Machines::of(self.fetch(&call).await?).by_id);
        }
        Ok(machines)
    }

    /// All machines.
    pub(super) async fn all_machines(&self) -> Result<Machines, DriverError> {
        Ok(Machines::of(self.fetch(&ApiCall::get("machines/")).await?))
    }

    /// The volume groups of a machine.
    pub(super) async fn volume_groups(&self, machine: &str) -> Result<Vec<VolumeGroupFacts>, DriverError> {
        let list: Vec<WireVolumeGroup> = self.fetch(&ApiCall::get(format!("nodes/{machine}/volume-groups/"))).await?;
        let mut groups: Vec<VolumeGroupFacts> = list.into_iter().map(VolumeGroupFacts::from).collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    /// Adds what the machine's own answer leaves open about its storage.
    pub(super) async fn complete_storage(&self, found: &Found) -> Result<Machine, DriverError> {
        let mut machine = found.machine.clone();
        if found.has_volume_groups {
            machine.volume_groups = self.volume_groups(&machine.id).await?;
        }
        Ok(machine)
    }

    /// What commissioning collected: name (`lshw`, `lldp`) → text.
    pub(super) async fn details(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        let answer = self.send(&ApiCall::get_op(format!("machines/{machine}/"), "details")).await?;
        let read = bson::read(&answer.body).ok_or_else(|| {
            DriverError::new(ErrorClass::Transient, format!("MAAS answered the details of machine {machine} in a form that is not BSON"))
                .hint("check that the URL leads to the service itself and not to a proxy or a login page")
        })?;
        Ok(read.into_iter().map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect())
    }

    /// Outputs of the scripts and tests of the latest commissioning: `commissioning/NAME`, `testing/NAME` → text.
    pub(super) async fn script_outputs(&self, machine: &str) -> Result<BTreeMap<String, String>, DriverError> {
        let mut out = BTreeMap::new();
        for kind in ["commissioning", "testing"] {
            let call = ApiCall::get(format!("nodes/{machine}/results/current-{kind}/")).with("include_output", true);
            match self.fetch::<WireScriptSet>(&call).await {
                Ok(set) => out.extend(set.into_outputs().map(|(name, text)| (format!("{kind}/{name}"), text))),
                Err(error) if error.class == ErrorClass::Transient => return Err(error),
                // There are none of that kind.
                Err(_) => {}
            }
        }
        Ok(out)
    }

    /// BMC addresses by machine id. The answer holds every BMC's password; [`PowerAddress`] cannot.
    pub(super) async fn bmc_addresses(&self) -> Result<BTreeMap<String, String>, DriverError> {
        let all: BTreeMap<String, PowerAddress> = self.fetch(&ApiCall::get_op("machines/", "power_parameters")).await?;
        Ok(all.into_iter().filter_map(|(id, p)| Some((id, p.host()?))).collect())
    }

    pub(super) async fn bmc_address(&self, machine: &str) -> Option<String> {
        let call = ApiCall::get_op(format!("machines/{machine}/"), "power_parameters");
        self.fetch::<PowerAddress>(&call).await.ok()?.host()
    }

    /// Whether MAAS can use a machine's BMC with what it has. It asks the BMC; without an answer it is taken for not working.
    pub(super) async fn bmc_works(&self, machine: &str) -> bool {
        let call = ApiCall::get_op(format!("machines/{machine}/"), "query_power_state");
        self.fetch::<WirePowerState>(&call).await.is_ok_and(|power| power.state != "error")
    }

    /// Machines with everything: volume groups, bus addresses. A machine's details that cannot be read leave its bus addresses unknown;
    /// volume groups that cannot be read are an error, since a machine without them would look different from what it is.
    pub(super) async fn complete(&self, machines: Vec<Found>) -> Result<Vec<Machine>, DriverError> {
        let mut tasks = JoinSet::new();
        // A MAAS that answers lists and hangs on details would hold every machine up in turn.
        let failures = Arc::new(AtomicUsize::new(0));
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        for found in machines {
            let (api, failures, places) = (self.clone(), Arc::clone(&failures), Arc::clone(&places));
            tasks.spawn(async move {
                // Never closed; without a place it only goes on at once.
                let _place = places.acquire().await;
                let storage = match &found.only_group {
                    Some(group) if !api.group_uuids => Ok(Machine { volume_groups: vec![group.clone()], ..found.machine.clone() }),
                    _ => api.complete_storage(&found).await,
                };
                let mut machine = match storage {
                    // It was deleted after the listing.
                    Err(gone) if gone.class == ErrorClass::Precondition => return Ok(None),
                    machine => machine?,
                };
                if has_inventory(&machine) && failures.load(Ordering::Relaxed) < GIVEN_UP_AFTER {
                    match api.details(&machine.id).await {
                        Ok(details) => {
                            if let Some(inventory) = details.get("lshw").and_then(|t| lshw::read(t)) {
                                lshw::enrich(&mut machine, &inventory);
                            }
                        }
                        Err(error) if error.class == ErrorClass::Transient => drop(failures.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => {}
                    }
                }
                Ok::<_, DriverError>(Some(machine))
            });
        }
        let mut out = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(machine) => out.extend(machine?),
                Err(_) => return Err(DriverError::new(ErrorClass::Transient, "reading a machine was interrupted")),
            }
        }
        out.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(out)
    }

    /// One machine with everything.
    pub(super) async fn complete_one(&self, found: Found) -> Result<Machine, DriverError> {
        let id = found.machine.id.clone();
        let (machines, address) = tokio::join!(self.complete(vec![found]), self.bmc_address(&id));
        let mut machine = machines?.pop().ok_or_else(|| DriverError::new(ErrorClass::Transient, "reading a machine was interrupted"))?;
        machine.bmc_address = address;
        Ok(machine)
    }
}

/// Whether commissioning has collected the hardware inventory.
fn has_inventory(machine: &Machine) -> bool {
    use crate::build::MachineStatus as S;
    matches!(machine.status, S::Ready | S::Allocated | S::Deploying | S::Deployed | S::FailedDeployment | S::Releasing | S::FailedReleasing)
}

//! Discovery: everything that MAAS knows, as the build model.

use std::sync::Arc;

use super::client::{Api, ApiCall};
use super::lists::{Needs, Slot};
use super::machines::BY_NAME;
use super::wire::{WireController, WireEvents};
use crate::build::{Fact, Machine, Provisioner};
use crate::driver::{DriverError, ErrorClass};

fn fact<T: Clone>(slot: Slot<T>) -> Fact<T> {
    match slot {
        Some(Ok(value)) => Fact::Known(Arc::unwrap_or_clone(value)),
        Some(Err(error)) => Fact::Unknown(error.message),
        None => Fact::Unknown("not read".to_owned()),
    }
}

fn map<T, U>(fact: &Fact<T>, with: impl FnOnce(&T) -> U) -> Fact<U> {
    match fact {
        Fact::Known(value) => Fact::Known(with(value)),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}

impl Api {
    /// What identifies the installation: the system id of its first region controller. Ids are random per installation, stay when MAAS is
    /// renamed or moves to another URL, and controllers are listed oldest first, so that adding one changes nothing.
    pub(super) async fn identity(&self) -> Result<String, DriverError> {
        let controllers: Vec<WireController> = self.fetch(&ApiCall::get("regioncontrollers/")).await?;
        controllers.into_iter().next().map(|c| format!("region {}", c.system_id)).ok_or_else(|| {
            DriverError::new(ErrorClass::Credentials, "MAAS lists no region controller to the user of the API key")
                .hint("use the API key of an administrator")
        })
    }

    /// Reads everything. An error means that MAAS cannot be reached or does not accept the key; a list that fails is an unknown fact.
    pub(super) async fn discover(&self) -> Result<Provisioner, DriverError> {
        let version = self.version().await?;
        let user = self.user().await?;
        let needs = Needs {
            rack_images: false,
            user: false,
            version: false,
            machines: false,
            spaces: false,
            pools: false,
            zones: false,
            ..Needs::ALL
        };
        let (lists, machines) = tokio::join!(self.lists(needs), self.machines());
        let images = fact(lists.images);
        Ok(Provisioner {
            driver: super::driver::NAME.to_owned(),
            version,
            user: user.name,
            fabrics: fact(lists.fabrics),
            subnets: fact(lists.subnets),
            ranges: fact(lists.ranges),
            routes: fact(lists.routes),
            domains: fact(lists.domains),
            tags: fact(lists.tags),
            ssh_keys: fact(lists.ssh_keys),
            repositories: fact(lists.repositories),
            importing: map(&images, |i| i.importing),
            images: map(&images, |i| i.images.clone()),
            selections: map(&fact(lists.selections), |s| s.selections.iter().map(|(_, s)| s.clone()).collect()),
            racks: fact(lists.racks),
            machines: match machines {
                Ok(list) => Fact::Known(list),
                Err(error) => Fact::Unknown(error.message),
            },
        })
    }

    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        // A user who may not see power parameters still sees machines.
        let (list, addresses) = tokio::join!(self.all_machines(), self.bmc_addresses());
        let mut machines = self.complete(list?.into_found()).await?;
        if let Ok(addresses) = addresses {
            for machine in &mut machines {
                machine.bmc_address = addresses.get(&machine.id).cloned();
            }
        }
        self.since(&mut machines).await;
        Ok(machines)
    }

    /// Since when machines are in a status that passes, by the log of events: one request for all of them. Where it cannot be read it is not known.
    async fn since(&self, machines: &mut [Machine]) {
        use crate::build::MachineStatus as S;
        let passing = |m: &&mut Machine| matches!(m.status, S::Commissioning | S::Deploying | S::Releasing);
        let ids: Vec<String> = machines.iter_mut().filter(passing).map(|m| m.id.clone()).take(BY_NAME).collect();
        if ids.is_empty() {
            return;
        }
        let call = ApiCall::get_op("events/", "query").with_each("id", &ids).with("level", "INFO").with("limit", 1000);
        let Ok(log) = self.fetch::<WireEvents>(&call).await else { return };
        for machine in machines.iter_mut().filter(passing) {
            machine.status_since = log.since(&machine.id, &machine.status_name);
        }
    }
}

//! Finding the system and reading it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::connection::Talk;
use super::system::{System, link_of, mac, text, texts};
use crate::build::{Binding, Bmc, same_uuid};
use crate::driver::{DriverError, ErrorClass};

/// Most members of a collection that are read; no server has more NICs or chassis more systems than this.
const MOST_MEMBERS: usize = 128;

impl Talk<'_> {
    /// All members of a collection, over all its pages. Members are references, or whole resources.
    async fn members(&mut self, first: Value) -> Result<Vec<Value>, DriverError> {
        let mut out = Vec::new();
        let mut seen = BTreeSet::new();
        let mut page = first;
        loop {
            out.extend(page.get("Members").and_then(Value::as_array).into_iter().flatten().cloned());
            match text(&page, "Members@odata.nextLink") {
                Some(next) if out.len() < MOST_MEMBERS && seen.insert(next.clone()) => page = self.get(&next).await?.0,
                _ => break,
            }
        }
        out.truncate(MOST_MEMBERS);
        Ok(out)
    }

    async fn system_at(&mut self, link: &str) -> Result<System, DriverError> {
        let (body, etag) = self.get(link).await?;
        Ok(System::read(link, etag.as_deref(), &body))
    }

    /// Reads the system that is the node: the one the URL names, else the one with the bound UUID, else the only one.
    pub(super) async fn system(&mut self, uuid: Option<&str>) -> Result<System, DriverError> {
        if let Some(link) = self.state.system.clone() {
            match self.system_at(&link).await {
                // Links may change with the BMC's firmware; then it is found again.
                Err(e) if e.class == ErrorClass::Rejected => self.state.system = None,
                other => return other,
            }
        }
        let found = self.find(uuid).await?;
        self.state.system = Some(found.link.clone());
        Ok(found)
    }

    async fn find(&mut self, uuid: Option<&str>) -> Result<System, DriverError> {
        let collection = self.systems().await?;
        let (first, _) = self.get(&collection).await?;
        let links: Vec<String> = self.members(first).await?.iter().filter_map(link_of).collect();
        if let Some(wanted) = &self.target.system {
            let same = |l: &&String| l.trim_end_matches('/') == wanted.trim_end_matches('/');
            let Some(link) = links.iter().find(same).cloned() else {
                let what = format!("the URL names the system {wanted}, and the BMC has {}", list(&links));
                return Err(self.target.error(ErrorClass::Rejected, what).hint("correct the path in the BMC's URL"));
            };
            return self.system_at(&link).await;
        }
        match links.as_slice() {
            [] => Err(self
                .target
                .error(ErrorClass::NotReady, "the BMC lists no system")
                .hint("it may still be starting; if not, give the address of the server's own BMC")),
            [only] => self.system_at(only).await,
            several => {
                let mut shown = Vec::new();
                for link in several {
                    let system = self.system_at(link).await?;
                    if uuid.is_some_and(|wanted| system.uuid.as_deref().is_some_and(|u| same_uuid(u, wanted))) {
                        return Ok(system);
                    }
                    shown.push(format!(
                        "{link} ({}, UUID {})",
                        system.name.as_deref().unwrap_or("no name"),
                        system.uuid.as_deref().unwrap_or("unknown")
                    ));
                }
                let what = match uuid {
                    Some(uuid) => format!("none of its systems has the bound UUID {uuid}; it has {}", list(&shown)),
                    None => format!("it has {} systems, and nothing says which is this node: {}", several.len(), list(&shown)),
                };
                let class = if uuid.is_some() { ErrorClass::Precondition } else { ErrorClass::Rejected };
                Err(self.target.error(class, what).hint("add the system's path to the BMC's URL"))
            }
        }
    }

    /// Reset types: those in the system, else those in the resource it refers to.
    pub(super) async fn reset_types(&mut self, system: &System) -> Result<Vec<String>, DriverError> {
        let Some(reset) = &system.reset else { return Ok(Vec::new()) };
        let Some(info) = reset.info.as_ref().filter(|_| reset.types.is_empty()) else {
            return Ok(reset.types.clone());
        };
        let body = self.get_optional(info).await?.unwrap_or_default();
        let parameters = body.get("Parameters").and_then(Value::as_array);
        let parameter = parameters.into_iter().flatten().find(|p| p.get("Name").and_then(Value::as_str) == Some("ResetType"));
        Ok(parameter.map(|p| texts(p, "AllowableValues")).unwrap_or_default())
    }

    /// Reads everything about the BMC and its system.
    pub(super) async fn interrogate(&mut self) -> Result<Bmc, DriverError> {
        let mut system = self.system(None).await?;
        let types = self.reset_types(&system).await?;
        if let Some(reset) = &mut system.reset {
            reset.types = types;
        }
        let macs = self.macs(&system).await?;
        Ok(system.into_bmc(&self.target.endpoint.address, macs))
    }

    /// Reads what tells whether the system is the bound machine. NICs, each of which is a request, are read only where not both UUID and serial number tell
    /// it: some vendors give one of them to all their machines.
    pub(super) async fn identify(&mut self, binding: &Binding) -> Result<Bmc, DriverError> {
        let system = self.system(binding.uuid.as_deref()).await?;
        let told = system.uuid.is_some() && system.uuid == binding.uuid && system.serial.is_some() && system.serial == binding.serial;
        let macs = if told { Vec::new() } else { self.macs(&system).await? };
        Ok(system.into_bmc(&self.target.endpoint.address, macs))
    }

    async fn macs(&mut self, system: &System) -> Result<Vec<String>, DriverError> {
        let Some(link) = &system.nics else { return Ok(Vec::new()) };
        let Some(first) = self.get_optional(link).await? else { return Ok(Vec::new()) };
        let mut macs = BTreeSet::new();
        for member in self.members(first).await? {
            let nic = match link_of(&member) {
                Some(link) if member.get("MACAddress").is_none() => self.get_optional(&link).await?.unwrap_or_default(),
                _ => member,
            };
            // What the provisioner will see is the address that the NIC was made with.
            let written =
                text(&nic, "PermanentMACAddress").as_deref().and_then(mac).or_else(|| text(&nic, "MACAddress").as_deref().and_then(mac));
            macs.extend(written);
        }
        Ok(macs.into_iter().collect())
    }
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut out = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let more = names.len() - SHOWN;
        out = format!("{out} and {more} more");
    }
    if out.is_empty() { "none".to_owned() } else { out }
}

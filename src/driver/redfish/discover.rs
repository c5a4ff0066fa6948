//! Finding the system and reading what tells which machine it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::connection::Talk;
use super::system::{System, link_of, mac, text, texts};
use crate::build::same_uuid;
use crate::driver::{DriverError, ErrorClass};

/// Most members of a collection that are read; no server has more parts of a kind, nor a chassis more systems.
const MOST_MEMBERS: usize = 256;

impl Talk<'_> {
    /// All members of a collection, over all its pages. Members are references, or whole resources.
    pub(super) async fn members(self, first: Value) -> Result<Vec<Value>, DriverError> {
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

    /// All members of a collection as resources: with it where the BMC offers that, else one request for each. `None` where the BMC has no such thing; what a
    /// single member does not tell is left out.
    pub(super) async fn resources(self, link: &str) -> Result<Option<Vec<Value>>, DriverError> {
        let Some(first) = self.get_collection(link).await? else { return Ok(None) };
        let mut out = Vec::new();
        for member in self.members(first).await? {
            out.extend(self.whole(member).await?);
        }
        Ok(Some(out))
    }

    /// A resource, or the one that a reference names; `None` where the BMC does not have it.
    pub(super) async fn whole(self, member: Value) -> Result<Option<Value>, DriverError> {
        match link_of(&member) {
            // Whoever puts a resource in a collection puts more in it than its link.
            Some(link) if member.as_object().is_some_and(|m| m.len() == 1) => self.get_optional(&link).await,
            _ => Ok(Some(member)),
        }
    }

    async fn system_at(self, link: &str) -> Result<System, DriverError> {
        let (body, etag) = self.get(link).await?;
        Ok(System::read(link, etag.as_deref(), &body))
    }

    /// Reads the system that is the node: the one that was chosen before, else the one the URL names, else the one with the bound UUID, else the only one.
    pub(super) async fn system(self, chosen: Option<&str>, uuid: Option<&str>) -> Result<System, DriverError> {
        if let Some(link) = chosen {
            match self.system_at(link).await {
                // Links may change with the BMC's firmware; then it is found again.
                Err(e) if e.class == ErrorClass::Rejected => {}
                other => return other,
            }
        }
        let collection = self.root().await?.systems;
        let (first, _) = self.get(&collection).await?;
        let links: Vec<String> = self.members(first).await?.iter().filter_map(link_of).collect();
        if let Some(wanted) = &self.target.system {
            let same = |l: &&String| l.trim_end_matches('/') == wanted.trim_end_matches('/');
            let Some(link) = links.iter().find(same).cloned() else {
                let what = format!("the URL names the system {wanted}, and the BMC has {}", list(&links));
                return Err(self.error(ErrorClass::Rejected, what).hint("correct the path in the BMC's URL"));
            };
            return self.system_at(&link).await;
        }
        match links.as_slice() {
            [] => Err(self
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
                Err(self.error(class, what).hint("add the system's path to the BMC's URL"))
            }
        }
    }

    /// Reset types: those in the system, else those in the resource it refers to.
    pub(super) async fn reset_types(self, system: &System) -> Result<Vec<String>, DriverError> {
        let Some(reset) = &system.reset else { return Ok(Vec::new()) };
        let Some(info) = reset.info.as_ref().filter(|_| reset.types.is_empty()) else {
            return Ok(reset.types.clone());
        };
        let body = self.get_optional(info).await?.unwrap_or_default();
        let parameters = body.get("Parameters").and_then(Value::as_array);
        let parameter = parameters.into_iter().flatten().find(|p| p.get("Name").and_then(Value::as_str) == Some("ResetType"));
        Ok(parameter.map(|p| texts(p, "AllowableValues")).unwrap_or_default())
    }

    /// MACs of the system's NICs, sorted.
    pub(super) async fn macs(self, system: &System) -> Result<Vec<String>, DriverError> {
        let Some(link) = &system.nics else { return Ok(Vec::new()) };
        let nics = self.resources(link).await?.unwrap_or_default();
        let macs: BTreeSet<String> = nics.iter().filter_map(mac_of).collect();
        Ok(macs.into_iter().collect())
    }
}

/// The address that a NIC was made with: that is what the provisioner will see.
pub(super) fn mac_of(nic: &Value) -> Option<String> {
    ["PermanentMACAddress", "MACAddress"].iter().find_map(|key| mac(&text(nic, key)?))
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

//! What MAAS answers, as it writes it, and its translation into the build model.
//!
//! Field names and oddities are those of the MAAS 2.0 API; fields that nothing reads are not decoded. Fields that releases from 2.9 on may
//! lack have defaults.

mod events;
mod machine;
mod site;

pub(super) use events::WireEvents;
pub(super) use machine::{Found, WireMachine, WireName, WirePowerState, WireScriptSet, WireVolumeGroup};
pub(super) use site::{
    PowerAddress, WireBootResource, WireBootSource, WireController, WireDomain, WireFabric, WireRackImages, WireRange, WireRepository,
    WireRoute, WireSelection, WireSshKey, WireSubnet, WireTag, WireUser, WireVersion, images,
};

use serde::{Deserialize, Deserializer};

/// An object of which only the id is of interest.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireId {
    pub(super) id: u64,
}

/// A reference that some releases write as an id and others as the whole object.
pub(super) fn reference<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_u64().or_else(|| value.get("id").and_then(serde_json::Value::as_u64)))
}

/// `null` as the type's default.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text that is present.
pub(super) fn text(value: Option<String>) -> Option<String> {
    value.filter(|v| !v.trim().is_empty())
}

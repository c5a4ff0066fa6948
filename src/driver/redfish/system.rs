//! The `ComputerSystem` resource as far as drydock uses it, read leniently: BMCs leave out, mistype and misspell properties.

use serde_json::Value;

use crate::build::{Bmc, BootEnabled, BootOverride, PowerState};
use crate::driver::identifier::meaningful;
use crate::driver::power::Power;

/// Where and how the system is reset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ResetAction {
    /// Link to post to.
    pub(super) target: String,
    /// Offered types, sorted; empty when the BMC does not say.
    pub(super) types: Vec<String>,
    /// Link to the resource that lists the types instead.
    pub(super) info: Option<String>,
}

/// A system.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct System {
    /// Its link.
    pub(super) link: String,
    /// Entity tag for `If-Match`.
    pub(super) etag: Option<String>,
    pub(super) name: Option<String>,
    pub(super) uuid: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) bios_version: Option<String>,
    pub(super) health: Option<String>,
    pub(super) power: Power,
    /// When it was last started or reset, as the BMC writes it.
    pub(super) last_reset: Option<String>,
    pub(super) boot: Option<BootOverride>,
    /// Values that `BootSourceOverrideEnabled` may have; empty when the BMC does not say.
    pub(super) boot_enabled: Vec<String>,
    pub(super) reset: Option<ResetAction>,
    /// Link to the collection of NICs.
    pub(super) nics: Option<String>,
}

impl System {
    /// Reads the resource that was found at a link.
    pub(super) fn read(link: &str, etag: Option<&str>, body: &Value) -> Self {
        let status = body.get("Status");
        let health = ["Health", "HealthRollup", "HealthRollUp"].iter().find_map(|k| text(status?, k));
        Self {
            link: link.to_owned(),
            etag: etag.map(str::to_owned).or_else(|| text(body, "@odata.etag")),
            name: text(body, "Name"),
            uuid: identifier(body, "UUID").map(|u| u.to_ascii_lowercase()),
            serial: identifier(body, "SerialNumber"),
            manufacturer: identifier(body, "Manufacturer"),
            model: identifier(body, "Model"),
            bios_version: identifier(body, "BiosVersion"),
            health,
            power: match body.get("PowerState").and_then(Value::as_str) {
                Some("On" | "Paused") => Power::On,
                Some("Off") => Power::Off,
                Some("PoweringOn") => Power::PoweringOn,
                Some("PoweringOff") => Power::PoweringOff,
                _ => Power::Unknown,
            },
            last_reset: text(body, "LastResetTime"),
            boot: body.get("Boot").and_then(boot),
            boot_enabled: body.get("Boot").map(|b| texts(b, "BootSourceOverrideEnabled@Redfish.AllowableValues")).unwrap_or_default(),
            reset: body.get("Actions").and_then(|a| a.get("#ComputerSystem.Reset")).and_then(reset),
            nics: body.get("EthernetInterfaces").and_then(link_of),
        }
    }

    /// As facts; `macs` were read elsewhere.
    pub(super) fn into_bmc(self, address: &str, macs: Vec<String>) -> Bmc {
        Bmc {
            driver: super::driver::NAME.to_owned(),
            address: address.to_owned(),
            system: self.link,
            uuid: self.uuid,
            guid: None,
            serial: self.serial,
            manufacturer: self.manufacturer,
            model: self.model,
            bios_version: self.bios_version,
            macs,
            power: match self.power {
                Power::On => PowerState::On,
                Power::Off => PowerState::Off,
                Power::PoweringOn | Power::PoweringOff => PowerState::Changing,
                Power::Unknown => PowerState::Unknown,
            },
            boot: self.boot,
            reset_types: self.reset.map(|r| r.types).unwrap_or_default(),
            health: self.health,
            last_reset: self.last_reset,
            inventory: None,
        }
    }
}

/// A text property, trimmed; `None` if it is missing, not text or empty.
pub(super) fn text(body: &Value, key: &str) -> Option<String> {
    let text = body.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A text property that identifies something.
pub(super) fn identifier(body: &Value, key: &str) -> Option<String> {
    meaningful(&text(body, key)?)
}

/// A list of texts, sorted.
pub(super) fn texts(body: &Value, key: &str) -> Vec<String> {
    let mut out: Vec<String> =
        body.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    out.sort();
    out.dedup();
    out
}

/// The link in a reference.
pub(super) fn link_of(reference: &Value) -> Option<String> {
    text(reference, "@odata.id")
}

fn boot(body: &Value) -> Option<BootOverride> {
    let target = text(body, "BootSourceOverrideTarget");
    let enabled = text(body, "BootSourceOverrideEnabled");
    if target.is_none() && enabled.is_none() {
        return None;
    }
    let target = target.unwrap_or_else(|| "None".to_owned());
    let enabled = match enabled.as_deref() {
        Some("Disabled") => BootEnabled::Disabled,
        Some("Once") => BootEnabled::Once,
        None if target == "None" => BootEnabled::Disabled,
        _ => BootEnabled::Continuous,
    };
    Some(BootOverride {
        target,
        enabled,
        mode: text(body, "BootSourceOverrideMode"),
        allowable: texts(body, "BootSourceOverrideTarget@Redfish.AllowableValues"),
    })
}

fn reset(action: &Value) -> Option<ResetAction> {
    Some(ResetAction {
        target: text(action, "target")?,
        types: texts(action, "ResetType@Redfish.AllowableValues"),
        info: text(action, "@Redfish.ActionInfo"),
    })
}

/// A MAC as `aa:bb:cc:dd:ee:ff`; `None` for what is none or cannot be one of a NIC.
pub(super) fn mac(written: &str) -> Option<String> {
    let digits: String = written.trim().chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect::<String>().to_ascii_lowercase();
    if digits.len() != 12 || !digits.chars().all(|c| c.is_ascii_hexdigit()) || digits == "000000000000" || digits == "ffffffffffff" {
        return None;
    }
    Some(digits.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":"))
}

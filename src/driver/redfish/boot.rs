//! The boot source override: what it shows, and in what ways it can be set.

use serde_json::{Value, json};

use super::options::BootMode;
use super::system::System;
use super::vendor::Vendor;
use crate::action::params::BootTarget;
use crate::build::{BootEnabled, BootOverride};
use crate::driver::level::{Boot, Shown};

/// Where a system boots from. A BMC that makes `Once` permanent is accepted: the override is set back to disk before it could harm.
pub(super) fn shown(system: &System, vendor: Option<&Vendor>) -> Boot {
    let boot = system.boot.as_ref();
    let is_pxe = |target: &str| target == "Pxe" || vendor.is_some_and(|v| v.pxe_shows.contains(&target));
    let pxe = match boot {
        Some(b) if b.enabled == BootEnabled::Disabled => Shown::No,
        Some(b) if b.target == "Pxe" => Shown::Yes,
        // It names an entry of the firmware's boot order, which may be any.
        Some(b) if is_pxe(&b.target) => Shown::IfOrdered,
        _ => Shown::No,
    };
    let disk = boot.is_none_or(|b| b.enabled == BootEnabled::Disabled || matches!(b.target.as_str(), "None" | "Hdd"));
    let none = || BootOverride { target: "None".to_owned(), enabled: BootEnabled::Disabled, mode: None, allowable: Vec::new() };
    Boot { pxe, disk: if disk { Shown::Yes } else { Shown::No }, fact: boot.cloned().unwrap_or_else(none) }
}

/// What to try, in order; empty where the BMC offers nothing.
pub(super) fn ways(target: BootTarget, system: &System, vendor: Option<&Vendor>, mode: Option<BootMode>) -> Vec<Value> {
    let boot = system.boot.as_ref();
    let allowable = boot.map(|b| b.allowable.as_slice()).unwrap_or_default();
    let allows = |name: &str| allowable.is_empty() || allowable.iter().any(|a| a == name);
    let enabled = |name: &str| system.boot_enabled.is_empty() || system.boot_enabled.iter().any(|a| a == name);
    let whole = vendor.is_some_and(|v| v.whole_boot);
    let present = boot.and_then(|b| b.mode.as_deref());
    // The mode is written only where the BMC shows one: others refuse it.
    let mode = match (mode.map(BootMode::name), present) {
        (Some(wanted), Some(present)) if whole || wanted != present => Some(wanted.to_owned()),
        (None, Some(present)) if whole => Some(present.to_owned()),
        _ => None,
    };
    match target {
        BootTarget::Pxe if !allows("Pxe") => Vec::new(),
        BootTarget::Pxe => {
            let lasting = if enabled("Once") { "Once" } else { "Continuous" };
            let plain = json!({ "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": lasting });
            let with_mode = mode.map(|mode| {
                let mut way = plain.clone();
                way["BootSourceOverrideMode"] = mode.into();
                way
            });
            // Firmware that cannot change its mode boots as it does; the next observation tells whether it may.
            with_mode.into_iter().chain([plain]).collect()
        }
        BootTarget::Disk => {
            let mut ways = Vec::new();
            if enabled("Disabled") {
                let plain = json!({ "BootSourceOverrideEnabled": "Disabled" });
                let none = json!({ "BootSourceOverrideTarget": "None", "BootSourceOverrideEnabled": "Disabled" });
                let has_none = allowable.iter().any(|a| a == "None");
                ways.extend(if whole {
                    vec![none]
                } else if has_none {
                    vec![plain, none]
                } else {
                    vec![plain]
                });
            }
            if allows("Hdd") {
                ways.push(json!({ "BootSourceOverrideTarget": "Hdd", "BootSourceOverrideEnabled": "Continuous" }));
            }
            ways
        }
    }
}

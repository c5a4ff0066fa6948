//! The system and its parts.

use serde_json::{Value, json};

use super::{ROOT, View, collection, health, link, resource, status};
use crate::sim::clock::rfc3339;
use crate::sim::names;
use crate::sim::options::Hardware;
use crate::sim::world::Machine;

pub(super) const TARGETS: [&str; 7] = ["None", "Pxe", "Hdd", "Cd", "Usb", "BiosSetup", "UefiHttp"];
const RESETS: [&str; 8] =
    ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "ForceOn", "PowerCycle", "PushPowerButton"];

/// Cores of one processor, and the size of one memory module in MiB.
const CORES: u32 = 8;
const MODULE: u64 = 32_768;

/// Reset types that BMCs of this site have.
pub(super) fn resets(hardware: &Hardware) -> Vec<String> {
    if hardware.bmc_resets.is_empty() { RESETS.map(str::to_owned).to_vec() } else { hardware.bmc_resets.clone() }
}

pub(super) fn etag(m: &Machine) -> String {
    format!("W/\"{}-{}\"", m.bmc.as_ref().map_or(0, |b| b.etag), u8::from(m.on))
}

/// A second system of the same BMC, which is no node's.
pub(super) fn other() -> Value {
    let uuid = "00000000-0000-5000-8000-0000000000ff";
    resource(
        "ComputerSystem",
        "v1_14_0",
        "/Systems/Other",
        "Other",
        "Other",
        json!({ "UUID": uuid, "SystemType": "Physical", "PowerState": "Off", "Status": status() }),
    )
}

fn system(view: &View<'_>) -> Value {
    let m = view.m;
    let path = format!("/Systems/{}", m.uuid);
    let (target, enabled, mode, indicator) = m.bmc.as_ref().map_or(("None", "Disabled", "UEFI", "Off"), |b| {
        (b.boot_target.as_str(), b.boot_enabled.as_str(), b.boot_mode.as_str(), b.indicator.as_str())
    });
    let mut body = json!({
        "@odata.etag": etag(m),
        "UUID": m.uuid,
        "SystemType": "Physical",
        "Manufacturer": m.vendor,
        "Model": m.model,
        "SerialNumber": m.serial,
        "BiosVersion": m.bios_version,
        "HostName": m.installed.as_ref().map_or("", |i| i.fqdn.as_str()),
        "Status": { "State": "Enabled", "Health": "OK", "HealthRollup": if view.failed_drive { "Critical" } else { "OK" } },
        "PowerState": if m.on == view.lies { "Off" } else { "On" },
        "IndicatorLED": indicator,
        "Boot": {
            "BootSourceOverrideEnabled": enabled,
            "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
            "BootSourceOverrideTarget": target,
            "BootSourceOverrideTarget@Redfish.AllowableValues": TARGETS,
            "BootSourceOverrideMode": mode,
            "BootSourceOverrideMode@Redfish.AllowableValues": ["UEFI", "Legacy"],
        },
        "ProcessorSummary": { "Count": m.cpus / CORES, "CoreCount": m.cpus, "LogicalProcessorCount": m.cpus, "Model": CPU },
        "MemorySummary": { "TotalSystemMemoryGiB": m.memory_mib / 1024 },
        "Processors": link(&format!("{path}/Processors")),
        "Memory": link(&format!("{path}/Memory")),
        "EthernetInterfaces": link(&format!("{path}/EthernetInterfaces")),
        "Storage": link(&format!("{path}/Storage")),
        "LogServices": link(&format!("{path}/LogServices")),
        "Links": { "Chassis": [link("/Chassis/Chassis")], "ManagedBy": [link("/Managers/BMC")] },
        "Actions": { "#ComputerSystem.Reset": {
            "target": format!("{ROOT}{path}/Actions/ComputerSystem.Reset"),
            "@Redfish.ActionInfo": format!("{ROOT}{path}/ResetActionInfo"),
        }},
    });
    if !view.action_info {
        body["Actions"]["#ComputerSystem.Reset"] = json!({
            "target": format!("{ROOT}{path}/Actions/ComputerSystem.Reset"), "ResetType@Redfish.AllowableValues": view.resets,
        });
    }
    if let Some(at) = m.last_reset {
        body["LastResetTime"] = rfc3339(at).into();
    }
    resource("ComputerSystem", "v1_14_0", &path, &m.uuid, &m.name, body)
}

const CPU: &str = "Simulated CPU @ 2.40GHz";

/// The system, or a part of it.
pub(super) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let m = view.m;
    let path = format!("/Systems/{}", m.uuid);
    let numbered = |n: u64| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
    let within = |text: &str, most: u64| text.parse::<u64>().ok().filter(|i| (1..=most).contains(i));
    let (sockets, modules) = (u64::from(m.cpus / CORES), m.memory_mib / MODULE);
    Some(match rest {
        [] => system(view),
        ["ResetActionInfo"] => resource(
            "ActionInfo",
            "v1_2_0",
            &format!("{path}/ResetActionInfo"),
            "ResetActionInfo",
            "Reset Action Info",
            json!({ "Parameters": [{ "Name": "ResetType", "Required": true, "DataType": "String", "AllowableValues": view.resets }] }),
        ),
        ["Processors"] => collection("Processor", "Processor Collection", &format!("{path}/Processors"), &numbered(sockets)),
        ["Processors", id] => {
            within(id, sockets)?;
            resource(
                "Processor",
                "v1_7_0",
                &format!("{path}/Processors/{id}"),
                id,
                "Processor",
                json!({
                    "ProcessorType": "CPU", "Manufacturer": "Simulated Corporation", "Model": CPU, "TotalCores": CORES, "TotalThreads": CORES,
                    "MaxSpeedMHz": 2400, "Socket": format!("CPU {id}"), "Status": status(),
                }),
            )
        }
        ["Memory"] => collection("Memory", "Memory Module Collection", &format!("{path}/Memory"), &numbered(modules)),
        ["Memory", id] => {
            within(id, modules)?;
            resource(
                "Memory",
                "v1_9_0",
                &format!("{path}/Memory/{id}"),
                id,
                "DIMM",
                json!({
                    "CapacityMiB": MODULE, "MemoryDeviceType": "DDR4", "OperatingSpeedMhz": 2933, "Manufacturer": "Simulated Corporation",
                    "SerialNumber": names::serial(1, &format!("{} dimm {id}", m.serial), 8), "Location": { "PartLocation": { "ServiceLabel": format!("DIMM {id}"), "LocationType": "Slot" } }, "Status": status(),
                }),
            )
        }
        ["EthernetInterfaces"] => {
            let members: Vec<String> = m.nics.iter().map(|n| n.mac.clone()).collect();
            collection("EthernetInterface", "Ethernet Interface Collection", &format!("{path}/EthernetInterfaces"), &members)
        }
        ["EthernetInterfaces", mac] => {
            let n = m.nics.iter().find(|n| n.mac.eq_ignore_ascii_case(mac))?;
            resource(
                "EthernetInterface",
                "v1_6_0",
                &format!("{path}/EthernetInterfaces/{}", n.mac),
                &n.mac,
                &n.product,
                json!({
                    "MACAddress": n.mac, "PermanentMACAddress": n.mac, "SpeedMbps": n.speed, "Status": status(),
                    "LinkStatus": if n.wire.is_some() { "LinkUp" } else { "LinkDown" }, "InterfaceEnabled": true,
                    "UefiDevicePath": format!("PciRoot(0x0)/Pci({})", n.pci),
                }),
            )
        }
        ["Storage", ..] => return storage(view, rest),
        ["LogServices"] => collection("LogService", "Log Service Collection", &format!("{path}/LogServices"), &["SEL".to_owned()]),
        ["LogServices", "SEL"] => resource(
            "LogService",
            "v1_1_3",
            &format!("{path}/LogServices/SEL"),
            "SEL",
            "System Event Log",
            json!({
                "ServiceEnabled": true, "LogEntryType": "Event", "OverWritePolicy": "WrapsWhenFull", "Status": status(),
                "DateTime": rfc3339(view.now), "Entries": link(&format!("{path}/LogServices/SEL/Entries")),
            }),
        ),
        ["LogServices", "SEL", "Entries"] => {
            let ids: Vec<String> = m.bmc.iter().flat_map(|b| &b.log).map(|e| e.id.to_string()).collect();
            collection("LogEntry", "Log Entries", &format!("{path}/LogServices/SEL/Entries"), &ids)
        }
        ["LogServices", "SEL", "Entries", id] => {
            let e = m.bmc.as_ref()?.log.iter().find(|e| e.id.to_string() == *id)?;
            resource(
                "LogEntry",
                "v1_4_3",
                &format!("{path}/LogServices/SEL/Entries/{id}"),
                id,
                "Log Entry",
                json!({ "EntryType": "Event", "Created": rfc3339(e.at), "Severity": "OK", "Message": e.text, "MessageArgs": [] }),
            )
        }
        _ => return None,
    })
}

fn storage(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let m = view.m;
    let path = format!("/Systems/{}", m.uuid);
    Some(match rest {
        ["Storage"] => collection("Storage", "Storage Collection", &format!("{path}/Storage"), &["1".to_owned()]),
        ["Storage", "1"] => {
            let drives: Vec<Value> = m.disks.iter().map(|d| link(&format!("/Chassis/Chassis/Drives/{}", d.serial))).collect();
            resource(
                "Storage",
                "v1_8_0",
                &format!("{path}/Storage/1"),
                "1",
                "Local Storage Controller",
                json!({
                    "Status": status(), "Drives@odata.count": drives.len(), "Drives": drives,
                    "Volumes": link(&format!("{path}/Storage/1/Volumes")),
                }),
            )
        }
        ["Storage", "1", "Volumes"] => collection("Volume", "Volume Collection", &format!("{path}/Storage/1/Volumes"), &[]),
        _ => return None,
    })
}

/// A drive of the chassis.
pub(super) fn drive(view: &View<'_>, serial: &str) -> Option<Value> {
    let at = view.m.disks.iter().position(|d| d.serial == serial)?;
    let d = &view.m.disks[at];
    let state = if view.failed_drive && at == 0 { "Critical" } else { "OK" };
    Some(resource(
        "Drive",
        "v1_4_0",
        &format!("/Chassis/Chassis/Drives/{serial}"),
        serial,
        &d.model,
        json!({
            "CapacityBytes": d.size, "SerialNumber": d.serial, "Model": d.model, "Manufacturer": "Simulated Corporation",
            "MediaType": if d.rotary { "HDD" } else { "SSD" }, "Protocol": "SATA", "BlockSizeBytes": 512, "Status": health(state),
        }),
    ))
}

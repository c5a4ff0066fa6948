//! The service itself, the chassis, the BMC, firmware.

use serde_json::{Value, json};

use super::{ROOT, View, collection, link, query, resource, status, system};
use crate::sim::names;
use crate::sim::world::Machine;

pub(super) const METADATA: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\"><edmx:DataServices><Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"Service\"><EntityContainer Name=\"Service\" Extends=\"ServiceRoot.v1_5_0.ServiceContainer\"/></Schema></edmx:DataServices></edmx:Edmx>\n";

/// Firmware version of the BMC.
const BMC_FIRMWARE: &str = "1.00";

const SERVICES: [&str; 7] = ["Systems", "Chassis", "Managers", "SessionService", "AccountService", "TaskService", "UpdateService"];

pub(super) fn root(m: &Machine) -> Value {
    let (levels, on) = (query::MAX_LEVELS, true);
    let mut body = json!({
        "RedfishVersion": "1.6.0",
        "UUID": m.uuid,
        "Product": "Simulated BMC",
        "Vendor": m.vendor,
        "Tasks": link("/TaskService"),
        "Links": { "Sessions": link("/SessionService/Sessions") },
        "ProtocolFeaturesSupported": {
            "ExpandQuery": { "ExpandAll": on, "Levels": on, "Links": on, "NoLinks": on, "MaxLevels": levels },
            "FilterQuery": false, "OnlyMemberQuery": on, "SelectQuery": false,
        },
    });
    for service in SERVICES.iter().filter(|s| **s != "TaskService") {
        body[*service] = link(&format!("/{service}"));
    }
    resource("ServiceRoot", "v1_5_0", "/", "RootService", "Root Service", body)
}

pub(super) fn odata() -> Value {
    let services: Vec<Value> =
        SERVICES.iter().map(|name| json!({ "name": name, "kind": "Singleton", "url": format!("{ROOT}/{name}") })).collect();
    json!({ "@odata.context": "/redfish/v1/$metadata", "value": services })
}

/// Everything that is not the system's.
pub(super) fn read(view: &View<'_>, parts: &[&str]) -> Option<Value> {
    let m = view.m;
    let id = m.uuid.as_str();
    let manager = "/Managers/BMC";
    let nics = format!("{manager}/EthernetInterfaces");
    Some(match parts {
        ["Chassis"] => collection("Chassis", "Chassis Collection", "/Chassis", &["Chassis".to_owned()]),
        ["Chassis", "Chassis"] => resource(
            "Chassis",
            "v1_10_0",
            "/Chassis/Chassis",
            "Chassis",
            "Chassis",
            json!({
                "ChassisType": "RackMount", "Manufacturer": m.vendor, "Model": m.model, "SerialNumber": m.serial,
                "PowerState": if m.on { "On" } else { "Off" }, "Status": status(),
                "Sensors": link("/Chassis/Chassis/Sensors"),
                "Links": {
                    "ComputerSystems": [link(&format!("/Systems/{id}"))], "ManagedBy": [link(manager)],
                    "Drives": m.disks.iter().map(|d| link(&format!("/Chassis/Chassis/Drives/{}", d.serial))).collect::<Vec<_>>(),
                },
            }),
        ),
        ["Chassis", "Chassis", "Sensors"] => {
            collection("Sensor", "Sensors", "/Chassis/Chassis/Sensors", &["InletTemp".to_owned(), "Power".to_owned()])
        }
        ["Chassis", "Chassis", "Sensors", which @ ("InletTemp" | "Power")] => {
            let (kind, unit, reading) =
                if *which == "Power" { ("Power", "W", if m.on { 180.0 } else { 12.0 }) } else { ("Temperature", "Cel", 23.5) };
            resource(
                "Sensor",
                "v1_1_0",
                &format!("/Chassis/Chassis/Sensors/{which}"),
                which,
                which,
                json!({ "ReadingType": kind, "ReadingUnits": unit, "Reading": reading, "Status": status() }),
            )
        }
        ["Chassis", "Chassis", "Drives", serial] => return system::drive(view, serial),
        ["Managers"] => collection("Manager", "Manager Collection", "/Managers", &["BMC".to_owned()]),
        ["Managers", "BMC"] => resource(
            "Manager",
            "v1_9_0",
            manager,
            "BMC",
            "Manager",
            json!({
                "ManagerType": "BMC", "UUID": id, "Model": "Simulated BMC", "FirmwareVersion": BMC_FIRMWARE, "PowerState": "On", "Status": status(),
                "EthernetInterfaces": link(&nics),
                "Links": { "ManagerForServers": [link(&format!("/Systems/{id}"))], "ManagerForChassis": [link("/Chassis/Chassis")] },
                "Actions": { "#Manager.Reset": {
                    "target": format!("{ROOT}{manager}/Actions/Manager.Reset"), "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
                }},
            }),
        ),
        ["Managers", "BMC", "EthernetInterfaces"] => {
            collection("EthernetInterface", "Ethernet Interface Collection", &nics, &["1".to_owned()])
        }
        ["Managers", "BMC", "EthernetInterfaces", "1"] => {
            let mac = names::mac(0, &format!("bmc {}", m.serial));
            resource(
                "EthernetInterface",
                "v1_6_0",
                &format!("{nics}/1"),
                "1",
                "Manager Ethernet Interface",
                json!({
                    "MACAddress": mac, "PermanentMACAddress": mac, "Status": status(), "LinkStatus": "LinkUp", "InterfaceEnabled": true,
                    "IPv4Addresses": [{ "Address": m.bmc.as_ref().map(|b| &b.address), "AddressOrigin": "Static" }],
                }),
            )
        }
        ["UpdateService"] => resource(
            "UpdateService",
            "v1_8_0",
            "/UpdateService",
            "UpdateService",
            "Update Service",
            json!({ "ServiceEnabled": true, "Status": status(), "FirmwareInventory": link("/UpdateService/FirmwareInventory") }),
        ),
        ["UpdateService", "FirmwareInventory"] => collection(
            "SoftwareInventory",
            "Firmware Inventory",
            "/UpdateService/FirmwareInventory",
            &["BIOS".to_owned(), "BMC".to_owned()],
        ),
        ["UpdateService", "FirmwareInventory", which @ ("BIOS" | "BMC")] => resource(
            "SoftwareInventory",
            "v1_3_0",
            &format!("/UpdateService/FirmwareInventory/{which}"),
            which,
            which,
            json!({
                "Version": if *which == "BIOS" { m.bios_version.as_str() } else { BMC_FIRMWARE }, "Updateable": false,
                "SoftwareId": which, "Status": status(),
            }),
        ),
        _ => return None,
    })
}

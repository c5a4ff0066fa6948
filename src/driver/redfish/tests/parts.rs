//! The inventory, and collections that come whole.

use super::*;
use crate::build::{Fact, LogEvent};

fn link(path: &str) -> Value {
    json!({ "@odata.id": path })
}

fn root(expand: &Value) -> Reply {
    let features = json!({ "ExpandQuery": expand });
    reply(200, &json!({ "Systems": link("/redfish/v1/Systems/"), "ProtocolFeaturesSupported": features, "Vendor": "Dell" }))
}

#[tokio::test]
async fn collections_come_whole_where_that_is_offered() {
    for (offered, query) in [
        (json!({ "NoLinks": true, "Levels": true }), "?$expand=.($levels=1)"),
        (json!({ "NoLinks": true }), "?$expand=."),
        (json!({ "ExpandAll": true, "Levels": true }), "?$expand=*($levels=1)"),
    ] {
        let line = format!("GET /nics{query}");
        let site = site(move |seen, system| {
            system["EthernetInterfaces"] = link("/nics");
            let nic = |n: u8| json!({ "@odata.id": format!("/nics/{n}"), "MACAddress": format!("aa:bb:cc:dd:ee:0{n}") });
            match seen.line.as_str() {
                "GET /redfish/v1/" => Some(root(&offered)),
                asked if asked == line => Some(reply(200, &json!({ "Members": [nic(1), nic(2)] }))),
                _ => None,
            }
        })
        .await;
        assert_eq!(site.driver.interrogate("n1").await.unwrap().macs, ["aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:02"]);
        assert_eq!(site.requests(), 4, "root, systems, system, NICs");
    }
}

#[tokio::test]
async fn what_is_offered_and_refused_is_not_asked_again() {
    let site = site(|seen, system| {
        system["EthernetInterfaces"] = link("/nics");
        match seen.line.as_str() {
            "GET /redfish/v1/" => Some(root(&json!({ "NoLinks": true }))),
            "GET /nics" => Some(reply(200, &json!({ "Members": [link("/nics/1")] }))),
            "GET /nics/1" => Some(reply(200, &json!({ "MACAddress": "aa:bb:cc:dd:ee:01" }))),
            line if line.contains("expand") => Some(bare(501, "")),
            _ => None,
        }
    })
    .await;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let before = site.requests();
        assert_eq!(site.driver.interrogate("n1").await.unwrap().macs.len(), 1);
        counts.push(site.requests() - before);
    }
    assert_eq!(counts, [6, 3]);
}

#[tokio::test]
async fn parts_are_read_and_what_is_missing_is_unknown() {
    let site = site(|seen, system| {
        for (key, path) in [("Processors", "/cpus"), ("Storage", "/storage"), ("LogServices", "/logs")] {
            system[key] = link(path);
        }
        system["Status"] = json!({ "Health": "Warning", "Conditions": [{ "Severity": "Warning", "Message": "Fan 2 is slow." }] });
        system["Links"] = json!({ "ManagedBy": [link("/bmc")] });
        system["MemorySummary"] = json!({ "TotalSystemMemoryGiB": 64.0 });
        let entry =
            |n: u32| json!({ "Id": n.to_string(), "Created": format!("2026-01-01T00:00:{n:02}Z"), "Message": format!("event {n}") });
        Some(match seen.line.as_str() {
            "GET /cpus" => reply(
                200,
                &json!({ "Members": [
                    { "Id": "1", "Socket": "CPU 1", "TotalCores": 8, "Model": "Xeon", "Status": { "Health": "OK" } },
                    { "Id": "2", "Socket": "CPU 2", "Status": { "State": "Absent" } },
                    { "Id": "G", "ProcessorType": "GPU" },
                ] }),
            ),
            "GET /bmc" => reply(200, &json!({ "FirmwareVersion": "7.10", "LogServices": link("/bmc/logs") })),
            "GET /storage" => reply(200, &json!({ "Members": [link("/storage/1")] })),
            "GET /storage/1" => reply(200, &json!({ "Drives": [link("/d/1"), link("/d/2")] })),
            "GET /d/1" => reply(
                200,
                &json!({ "Id": "1", "Name": "Bay 1", "SerialNumber": "D1", "CapacityBytes": 480, "Status": { "Health": "Critical" } }),
            ),
            // Dell keeps hardware events with the BMC, not with the system.
            "GET /logs" => reply(200, &json!({ "Members": [{ "Id": "Audit", "Entries": link("/audit") }] })),
            "GET /bmc/logs" => {
                reply(200, &json!({ "Members": [{ "Id": "Lclog", "Entries": link("/lc") }, { "Id": "Sel", "Entries": link("/sel") }] }))
            }
            // The newest first, over two pages.
            "GET /sel" => {
                reply(200, &json!({ "Members": (6..13).rev().map(entry).collect::<Vec<_>>(), "Members@odata.nextLink": "/sel?$skip=7" }))
            }
            "GET /sel?$skip=7" => reply(200, &json!({ "Members": (1..6).rev().map(entry).collect::<Vec<_>>() })),
            _ => return None,
        })
    })
    .await;
    let parts = site.driver.inventory("n1").await.unwrap().unwrap();
    assert_eq!((parts.bmc_firmware.as_deref(), parts.memory_mib), (Some("7.10"), Some(65_536)));
    let cpus = parts.processors.known().unwrap();
    assert_eq!((cpus.len(), cpus[0].name.as_str(), cpus[0].cores), (1, "CPU 1", Some(8)), "neither empty sockets nor GPUs");
    let drives = parts.drives.known().unwrap();
    assert_eq!((drives.len(), drives[0].serial.as_deref(), drives[0].bytes), (1, Some("D1"), Some(480)), "one drive does not answer");
    assert_eq!(parts.memory, Fact::Unknown("the BMC lists no memory modules".to_owned()));
    assert_eq!(parts.nics, Fact::Unknown("the BMC lists no NICs".to_owned()));
    assert_eq!(parts.alarms, ["drive D1: Critical", "system: Fan 2 is slow.: Warning", "system: Warning"]);
    let events = parts.events.known().unwrap();
    let texts: Vec<&str> = events.iter().map(|e: &LogEvent| e.text.as_str()).collect();
    assert_eq!(texts, (3..13).map(|n| format!("event {n}")).collect::<Vec<_>>(), "the latest ten, oldest first");
    assert!(site.effects().iter().all(|e| e.contains("Sessions")), "it only reads");

    let health = site.driver.health("n1").await.unwrap();
    assert_eq!((health.firmware.as_deref(), health.events.len(), health.sensors.len()), (Some("7.10"), 10, 0));
}

#[tokio::test]
async fn sensors_are_read_of_either_schema() {
    for new in [true, false] {
        let site = site(move |seen, system| {
            system["Links"] = json!({ "Chassis": [link("/chassis")] });
            let temperature =
                json!({ "Name": "Inlet", "Reading": 23.5, "ReadingUnits": "Cel", "ReadingCelsius": 23.5, "Status": { "Health": "OK" } });
            Some(match seen.line.as_str() {
                "GET /chassis" if new => reply(200, &json!({ "Sensors": link("/sensors") })),
                "GET /chassis" => reply(200, &json!({ "Thermal": link("/thermal"), "Power": link("/power") })),
                "GET /sensors" => reply(200, &json!({ "Members": [temperature, { "Name": "empty", "Reading": null }] })),
                "GET /thermal" => reply(200, &json!({ "Temperatures": [temperature], "Fans": [] })),
                _ => return None,
            })
        })
        .await;
        let sensors = site.driver.health("n1").await.unwrap().sensors;
        let shown: Vec<_> = sensors.iter().map(|s| (s.name.as_str(), s.state.as_str(), s.reading.as_str())).collect();
        assert_eq!(shown, [("Inlet", "OK", "23.5 Cel")]);
    }
}

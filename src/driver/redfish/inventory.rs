//! The parts of a machine: what it has, how it does, what happened to it.

use serde_json::Value;

use super::connection::Talk;
use super::discover::mac_of;
use super::system::{System, identifier, link_of, text};
use super::vendor::{self, OTHER};
use crate::build::{BmcHealth, Drive, Fact, Inventory, LogEvent, MemoryModule, NicPort, Processor, Sensor};
use crate::driver::DriverError;

/// How many events are kept.
const EVENTS: usize = 10;

/// `GET`s that a collection of references to log entries is worth.
const MOST_ENTRIES: usize = 2 * EVENTS;

fn number(body: &Value, key: &str) -> Option<u64> {
    let value = body.get(key)?;
    // Some BMCs write whole numbers with a point.
    value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
}

fn small(body: &Value, key: &str) -> Option<u32> {
    number(body, key).and_then(|n| u32::try_from(n).ok())
}

pub(super) fn health_of(body: &Value) -> Option<String> {
    let status = body.get("Status")?;
    ["Health", "HealthRollup", "HealthRollUp"].iter().find_map(|key| text(status, key))
}

fn is_absent(body: &Value) -> bool {
    body.get("Status").and_then(|s| text(s, "State")).as_deref() == Some("Absent")
}

fn name_of(body: &Value, keys: &[&str]) -> String {
    let label = body.get("Location").and_then(|l| l.get("PartLocation")).and_then(|p| text(p, "ServiceLabel"));
    keys.iter().find_map(|key| text(body, key)).or(label).or_else(|| text(body, "Name")).or_else(|| text(body, "Id")).unwrap_or_default()
}

fn processor(body: &Value) -> Option<Processor> {
    let kind = text(body, "ProcessorType");
    (!is_absent(body) && kind.is_none_or(|k| k == "CPU")).then(|| Processor {
        name: name_of(body, &["Socket"]),
        model: identifier(body, "Model"),
        cores: small(body, "TotalCores"),
        threads: small(body, "TotalThreads"),
        health: health_of(body),
    })
}

fn module(body: &Value) -> Option<MemoryModule> {
    (!is_absent(body)).then(|| MemoryModule {
        name: name_of(body, &["DeviceLocator"]),
        size_mib: number(body, "CapacityMiB"),
        kind: text(body, "MemoryDeviceType"),
        speed_mhz: small(body, "OperatingSpeedMhz"),
        serial: identifier(body, "SerialNumber"),
        health: health_of(body),
    })
}

fn nic(body: &Value) -> Option<NicPort> {
    (!is_absent(body)).then(|| NicPort {
        name: name_of(body, &["Id"]),
        mac: mac_of(body),
        speed_mbps: small(body, "SpeedMbps"),
        link: text(body, "LinkStatus").map(|s| s == "LinkUp"),
        health: health_of(body),
    })
}

fn drive(body: &Value) -> Option<Drive> {
    (!is_absent(body)).then(|| Drive {
        name: name_of(body, &[]),
        model: identifier(body, "Model"),
        serial: identifier(body, "SerialNumber"),
        bytes: number(body, "CapacityBytes"),
        kind: text(body, "MediaType"),
        health: health_of(body),
    })
}

fn event(body: &Value) -> LogEvent {
    LogEvent {
        at: text(body, "Created"),
        severity: text(body, "Severity"),
        text: text(body, "Message").unwrap_or_else(|| name_of(body, &[])),
    }
}

fn facts<T>(found: Option<Vec<Value>>, what: &str, read: impl Fn(&Value) -> Option<T>) -> Fact<Vec<T>> {
    match found {
        Some(list) => Fact::Known(list.iter().filter_map(read).collect()),
        None => Fact::Unknown(format!("the BMC lists no {what}")),
    }
}

impl Talk<'_> {
    async fn linked(self, body: &Value, key: &str) -> Result<Option<Vec<Value>>, DriverError> {
        match body.get(key).and_then(link_of) {
            Some(link) => self.resources(&link).await,
            None => Ok(None),
        }
    }

    /// The first resource of a list of links.
    async fn first_of(self, links: Option<&Value>) -> Result<Option<Value>, DriverError> {
        match links.and_then(Value::as_array).and_then(|l| l.first()).and_then(link_of) {
            Some(link) => self.get_optional(&link).await,
            None => Ok(None),
        }
    }

    /// Drives of the storage controllers; without such a thing those of `SimpleStorage`.
    async fn drives(self, body: &Value) -> Result<Option<Vec<Value>>, DriverError> {
        let mut out = Vec::new();
        if let Some(controllers) = self.linked(body, "Storage").await? {
            for controller in controllers {
                for reference in controller.get("Drives").and_then(Value::as_array).into_iter().flatten() {
                    out.extend(self.whole(reference.clone()).await?);
                }
            }
            return Ok(Some(out));
        }
        let Some(simple) = self.linked(body, "SimpleStorage").await? else { return Ok(None) };
        Ok(Some(simple.iter().flat_map(|s| s.get("Devices").and_then(Value::as_array).cloned().unwrap_or_default()).collect()))
    }

    /// The latest entries of the log with the hardware's events.
    async fn events(self, body: &Value, manager: Option<&Value>, manufacturer: Option<&str>) -> Result<Option<Vec<LogEvent>>, DriverError> {
        let vendor = self.root().await?.vendor.or_else(|| vendor::of_manufacturer(manufacturer)).unwrap_or(&OTHER);
        let mut logs = Vec::new();
        for owner in [Some(body), manager].into_iter().flatten() {
            logs.extend(self.linked(owner, "LogServices").await?.unwrap_or_default());
        }
        let rank = |log: &Value| {
            let id = text(log, "Id").unwrap_or_default();
            vendor.logs.iter().chain(OTHER.logs).position(|l| id.eq_ignore_ascii_case(l)).unwrap_or(usize::MAX)
        };
        let Some(entries) = logs.iter().min_by_key(|l| rank(l)).and_then(|l| l.get("Entries")).and_then(link_of) else {
            return Ok(None);
        };
        let Some(first) = self.get_collection(&entries).await? else { return Ok(None) };
        let mut members = self.members(first).await?;
        if members.len() > MOST_ENTRIES {
            // Whole entries are in the collection; of references the oldest or the newest come first.
            let whole = members.iter().all(|m| m.as_object().is_some_and(|m| m.len() > 1));
            if !whole {
                let newest = members.split_off(members.len() - EVENTS);
                members.truncate(EVENTS);
                members.extend(newest);
            }
        }
        let mut events = Vec::new();
        for member in members {
            events.extend(self.whole(member).await?.as_ref().map(event));
        }
        // RFC 3339 sorts as text where a BMC keeps to one time zone. The order of entries without a time is kept.
        events.sort_by(|a, b| a.at.cmp(&b.at));
        let old = events.len().saturating_sub(EVENTS);
        Ok(Some(events.split_off(old)))
    }

    /// Reads all parts of a system.
    pub(super) async fn inventory(self, system: &System) -> Result<Inventory, DriverError> {
        let (body, _) = self.get(&system.link).await?;
        let links = body.get("Links");
        let manager = self.first_of(links.and_then(|l| l.get("ManagedBy"))).await?;
        let chassis = self.first_of(links.and_then(|l| l.get("Chassis"))).await?;
        let processors = facts(self.linked(&body, "Processors").await?, "processors", processor);
        let memory = facts(self.linked(&body, "Memory").await?, "memory modules", module);
        let nics = facts(self.linked(&body, "EthernetInterfaces").await?, "NICs", nic);
        let drives = facts(self.drives(&body).await?, "drives", drive);
        let events = match self.events(&body, manager.as_ref(), system.manufacturer.as_deref()).await? {
            Some(events) => Fact::Known(events),
            None => Fact::Unknown("the BMC has no event log".to_owned()),
        };
        let mut inventory = Inventory {
            bmc_firmware: manager.as_ref().and_then(|m| text(m, "FirmwareVersion")),
            memory_mib: body
                .get("MemorySummary")
                .and_then(|m| m.get("TotalSystemMemoryGiB"))
                .and_then(Value::as_f64)
                .map(|g| (g * 1024.0) as u64),
            processors,
            memory,
            nics,
            drives,
            alarms: Vec::new(),
            events,
        };
        let whole = [("system", Some(&body)), ("BMC", manager.as_ref()), ("chassis", chassis.as_ref())];
        inventory.alarms = alarms(&inventory, &whole);
        Ok(inventory)
    }

    /// Firmware, sensors of the chassis, and the latest events.
    pub(super) async fn health(self, system: &System) -> Result<BmcHealth, DriverError> {
        let (body, _) = self.get(&system.link).await?;
        let links = body.get("Links");
        let manager = self.first_of(links.and_then(|l| l.get("ManagedBy"))).await?;
        let chassis = self.first_of(links.and_then(|l| l.get("Chassis"))).await?.unwrap_or_default();
        let events = self.events(&body, manager.as_ref(), system.manufacturer.as_deref()).await?.unwrap_or_default();
        let mut sensors = Vec::new();
        if let Some(list) = self.linked(&chassis, "Sensors").await? {
            sensors.extend(list.iter().filter_map(|s| sensor(s, "Reading", &text(s, "ReadingUnits").unwrap_or_default())));
        } else {
            // The schemas before Sensor (DSP2046: Thermal, Power).
            for (key, parts) in [
                ("Thermal", [("Temperatures", "ReadingCelsius", "Cel"), ("Fans", "Reading", "")]),
                ("Power", [("Voltages", "ReadingVolts", "V"), ("PowerControl", "PowerConsumedWatts", "W")]),
            ] {
                let Some(link) = chassis.get(key).and_then(link_of) else { continue };
                let found = self.get_optional(&link).await?.unwrap_or_default();
                for (part, reading, unit) in parts {
                    let list = found.get(part).and_then(Value::as_array);
                    sensors.extend(list.into_iter().flatten().filter_map(|s| sensor(s, reading, unit)));
                }
            }
        }
        let shown = |e: &LogEvent| {
            [e.at.as_deref(), e.severity.as_deref(), Some(e.text.as_str())].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        Ok(BmcHealth {
            firmware: manager.as_ref().and_then(|m| text(m, "FirmwareVersion")),
            sensors,
            events: events.iter().map(shown).collect(),
        })
    }
}

fn sensor(body: &Value, reading: &str, unit: &str) -> Option<Sensor> {
    let value = body.get(reading).filter(|v| v.is_number())?;
    let state = health_of(body).unwrap_or_else(|| "OK".to_owned());
    Some(Sensor { name: name_of(body, &["Name"]), state, reading: format!("{value} {unit}").trim_end().to_owned() })
}

/// Parts that are not well.
fn alarms(inventory: &Inventory, whole: &[(&str, Option<&Value>)]) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |what: String, health: Option<&str>| {
        if let Some(health) = health.filter(|h| *h != "OK") {
            out.push(format!("{what}: {health}"));
        }
    };
    for (name, body) in whole {
        let Some(status) = body.and_then(|b| b.get("Status")) else { continue };
        add((*name).to_owned(), text(status, "Health").as_deref());
        for condition in status.get("Conditions").and_then(Value::as_array).into_iter().flatten() {
            let said = text(condition, "Message").or_else(|| text(condition, "MessageId")).unwrap_or_default();
            add(format!("{name}: {said}"), text(condition, "Severity").as_deref());
        }
    }
    for p in inventory.processors.known().into_iter().flatten() {
        add(format!("processor {}", p.name), p.health.as_deref());
    }
    for m in inventory.memory.known().into_iter().flatten() {
        add(format!("memory {}", m.name), m.health.as_deref());
    }
    for n in inventory.nics.known().into_iter().flatten() {
        add(format!("NIC {}", n.name), n.health.as_deref());
    }
    for d in inventory.drives.known().into_iter().flatten() {
        add(format!("drive {}", d.serial.as_ref().unwrap_or(&d.name)), d.health.as_deref());
    }
    out.sort();
    out.dedup();
    out
}

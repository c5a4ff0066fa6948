//! Late parameters: facts that were not known when the plan was made.

use serde_json::Value;

use crate::action::params::{Device, DeviceSelector, FACT_KEY, FactRef};
use crate::action::{Json, Token, Tokens};
use crate::build::{InterfaceKind, Machine, same_bus_address};

/// Why a late parameter has no value: the branch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// What was looked for and what is there.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Whether parameters hold a late value.
pub fn has_late(params: &Json) -> bool {
    Tokens::new(params.text()).any(|token| matches!(token, Token::Key(key) if key.trim_matches('"') == FACT_KEY))
}

/// Parameters with every late value replaced by what the machine shows. Exactly one device must match each; its size must be at least what is asked.
///
/// # Errors
/// When no device or more than one matches, when it is too small, or when a reference is not one.
pub fn resolve(params: &Value, machine: &Machine) -> Result<Value, ResolveError> {
    match params {
        Value::Object(map) => {
            if let Some(fact) = map.get(FACT_KEY) {
                let fact: FactRef = serde_json::from_value(fact.clone())
                    .map_err(|e| ResolveError { message: format!("a late parameter of the plan cannot be read: {e}"), hint: None })?;
                let device = find(&fact, machine)?;
                return serde_json::to_value(device)
                    .map_err(|e| ResolveError { message: format!("a resolved parameter cannot be written: {e}"), hint: None });
            }
            map.iter().map(|(k, v)| Ok((k.clone(), resolve(v, machine)?))).collect::<Result<_, _>>().map(Value::Object)
        }
        Value::Array(items) => items.iter().map(|v| resolve(v, machine)).collect::<Result<_, _>>().map(Value::Array),
        other => Ok(other.clone()),
    }
}

struct Candidate {
    device: Device,
    bus: Option<String>,
    serial: Option<String>,
    model: Option<String>,
    size: Option<u64>,
}

/// What of a device a selector looks at.
#[derive(Clone, Copy)]
enum By {
    Bus,
    Name,
    Serial,
    Model,
}

impl Candidate {
    fn has(&self, by: By, wanted: &str) -> bool {
        match by {
            By::Bus => self.bus.as_deref().is_some_and(|bus| same_bus_address(bus, wanted)),
            By::Name => self.device.name == wanted,
            By::Serial => self.serial.as_deref().is_some_and(|s| s.trim() == wanted.trim()),
            By::Model => self.model.as_deref().is_some_and(|m| m.trim().eq_ignore_ascii_case(wanted.trim())),
        }
    }
}

fn find(fact: &FactRef, machine: &Machine) -> Result<Device, ResolveError> {
    let (what, wanted, by, candidates) = match &fact.select {
        DeviceSelector::NicAtBus(bus) => ("NIC at bus address", bus, By::Bus, nics(machine)),
        DeviceSelector::NicNamed(name) => ("NIC", name, By::Name, nics(machine)),
        DeviceSelector::DiskAtBus(bus) => ("disk at bus address", bus, By::Bus, disks(machine)),
        DeviceSelector::DiskNamed(name) => ("disk", name, By::Name, disks(machine)),
        DeviceSelector::DiskWithSerial(serial) => ("disk with serial", serial, By::Serial, disks(machine)),
        DeviceSelector::DiskOfModel(model) => ("disk of model", model, By::Model, disks(machine)),
    };
    let matches = |c: &Candidate| c.has(by, wanted);
    let (found, others): (Vec<Candidate>, Vec<Candidate>) = candidates.into_iter().partition(matches);
    let place = format!("{} ({})", fact.node, machine.id);
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => {
            if let (Some(least), Some(size)) = (fact.min_size, one.size)
                && size < least
            {
                return Err(ResolveError {
                    message: format!("{what} {wanted} of {place} has {size} bytes; the design needs at least {least}"),
                    hint: Some("correct the sizes in the design, or exchange the disk, and plan again".to_owned()),
                });
            }
            Ok(one.device)
        }
        (None, _) => {
            let mut there: Vec<String> = others
                .into_iter()
                .map(|c| match c.bus {
                    Some(bus) => format!("{} at {bus}", c.device.name),
                    None => c.device.name,
                })
                .collect();
            there.sort();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            Err(ResolveError {
                message: format!("{what} {wanted} of {place} is not there; the provisioner shows: {there}"),
                hint: Some("correct the device aliases of the hardware profile or the name in the design, and plan again".to_owned()),
            })
        }
        (Some(a), Some(b)) => Err(ResolveError {
            message: format!("{what} {wanted} of {place} matches more than one device: {} and {}", a.device.name, b.device.name),
            hint: Some("name the device in the design, and plan again".to_owned()),
        }),
    }
}

fn nics(machine: &Machine) -> Vec<Candidate> {
    machine
        .interfaces
        .iter()
        .filter(|i| i.kind == InterfaceKind::Physical)
        .map(|i| Candidate { device: Device { id: i.id, name: i.name.clone() }, bus: i.bus.clone(), serial: None, model: None, size: None })
        .collect()
}

fn disks(machine: &Machine) -> Vec<Candidate> {
    machine
        .disks
        .iter()
        .filter(|d| d.kind == crate::build::DiskKind::Physical)
        .map(|d| Candidate {
            device: Device { id: d.id, name: d.name.clone() },
            bus: d.bus.clone(),
            serial: d.serial.clone(),
            model: d.model.clone(),
            size: Some(d.size),
        })
        .collect()
}

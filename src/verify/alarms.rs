//! What a BMC says about how its machine does.

use super::types::{Check, Reading};
use crate::build::{Bmc, BmcHealth};

/// Longest event that is shown, in characters.
const EVENT: usize = 120;

/// Health as a whole, and every sensor that is not well. States are those of Redfish (`OK`, `Warning`, `Critical`) and of `ipmitool` (`ok`, `nc`, `cr`, `nr`).
pub(super) fn check(bmc: &Bmc, health: Option<&Reading<BmcHealth>>) -> Check {
    const NAME: &str = "alarms";
    const TODO: &str = "look into the BMC's event log, and repair or replace what it names";
    let health = match health {
        Some(Err(why)) => return Check::unread(NAME, why),
        Some(Ok(health)) => health.clone(),
        None => BmcHealth::default(),
    };
    let (mut failed, mut warned) = (Vec::new(), Vec::new());
    match bmc.health.as_deref() {
        None | Some("OK") => {}
        Some("Critical") => failed.push("health is Critical".to_owned()),
        Some(other) => warned.push(format!("health is {other}")),
    }
    for part in bmc.inventory.iter().flat_map(|i| &i.alarms) {
        if part.ends_with("Critical") { failed.push(part.clone()) } else { warned.push(part.clone()) }
    }
    for sensor in &health.sensors {
        let words = format!("{}: {} ({})", sensor.name, sensor.reading, sensor.state);
        match sensor.state.to_ascii_lowercase().as_str() {
            "ok" => {}
            "cr" | "nr" | "critical" => failed.push(words),
            _ => warned.push(words),
        }
    }
    let latest = health.events.last().map(|e| format!("latest event: {}", e.chars().take(EVENT).collect::<String>()));
    if failed.is_empty() && warned.is_empty() {
        if bmc.health.is_none() && health.sensors.is_empty() {
            let why = format!("the {} driver reads no sensors of this machine", bmc.driver);
            return Check::skipped(NAME, [Some(why), latest].into_iter().flatten().collect::<Vec<_>>().join("; "));
        }
        let sensors = (!health.sensors.is_empty()).then(|| format!("{} sensors", health.sensors.len()));
        let state = bmc.health.as_ref().map(|h| format!("health {h}"));
        return Check::ok(NAME, [state, sensors].into_iter().flatten().collect::<Vec<_>>().join(", "));
    }
    let critical = !failed.is_empty();
    let seen = failed.into_iter().chain(warned).chain(latest).collect::<Vec<_>>().join("; ");
    if critical { Check::failed(NAME, seen, TODO) } else { Check::warning(NAME, seen, TODO) }
}

//! What changes a system: its boot override, its indicator, its power.

use serde_json::Value;

use super::{bmc_mut, error, header, machine, missing, not_in_list, parse, stale, system, tasks};
use crate::sim::core::Core;
use crate::sim::http::{Reply, Request};
use crate::sim::options::MachineFault;
use crate::sim::physics::{self, Power};

pub(super) fn patch(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let m = machine(core, name)?;
    if header(request, "if-match").is_some_and(|wanted| wanted != "*" && wanted != system::etag(m)) {
        return Err(stale());
    }
    let body = parse(request)?;
    let unknown: Vec<&str> =
        body.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).filter(|k| !matches!(*k, "Boot" | "IndicatorLED")).collect();
    if let Some(k) = unknown.first() {
        return Err(error(
            400,
            "PropertyNotWritable",
            &format!("The property {k} is a read-only property and cannot be assigned a value."),
            "Remove the property from the request body and resubmit the request.",
        ));
    }
    if let Some(led) = body.get("IndicatorLED").and_then(Value::as_str) {
        if !matches!(led, "Lit" | "Blinking" | "Off") {
            return Err(not_in_list("IndicatorLED", led));
        }
        let bmc = bmc_mut(core, name)?;
        led.clone_into(&mut bmc.indicator);
        bmc.etag += 1;
    }
    if let Some(boot) = body.get("Boot") {
        set_boot(core, name, boot)?;
        if tasks::wanted(core) {
            return tasks::begin(core, name, "Boot source override", 0, false);
        }
    }
    let reply = Reply::new(204, "application/json", "");
    Ok(machine(core, name).map_or_else(|_| reply.clone(), |m| reply.clone().with_header("etag", system::etag(m))))
}

fn set_boot(core: &mut Core, name: &str, boot: &Value) -> Result<(), Reply> {
    let text = |k: &str| boot.get(k).and_then(Value::as_str).map(str::to_owned);
    let (target, enabled, mode) = (text("BootSourceOverrideTarget"), text("BootSourceOverrideEnabled"), text("BootSourceOverrideMode"));
    if let Some(t) = target.as_deref().filter(|t| !system::TARGETS.contains(t)) {
        return Err(not_in_list("BootSourceOverrideTarget", t));
    }
    if let Some(e) = enabled.as_deref().filter(|e| !matches!(*e, "Disabled" | "Once" | "Continuous")) {
        return Err(not_in_list("BootSourceOverrideEnabled", e));
    }
    if let Some(m) = &mode {
        if !matches!(m.as_str(), "UEFI" | "Legacy") {
            return Err(not_in_list("BootSourceOverrideMode", m));
        }
        let bmc = bmc_mut(core, name)?;
        bmc.boot_mode.clone_from(m);
        bmc.etag += 1;
    }
    if target.is_some() || enabled.is_some() {
        let bmc = bmc_mut(core, name)?;
        let old = bmc.boot_enabled.clone();
        let target = target.unwrap_or_else(|| bmc.boot_target.clone());
        // A target without a duration holds for the next boot.
        let enabled = enabled.unwrap_or_else(|| if old == "Disabled" { "Once".to_owned() } else { old });
        physics::set_boot_override(core, name, &target, &enabled);
        core.effect(format!("set_boot {name} {target} {enabled}"));
    }
    Ok(())
}

pub(super) fn reset(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = parse(request)?;
    let Some(kind) = body.get("ResetType").and_then(Value::as_str) else {
        return Err(missing("ResetType"));
    };
    let on = machine(core, name)?.on;
    let offered = system::resets(&core.world.meta.options.hardware);
    let command = match kind {
        other if !offered.iter().any(|r| r == other) => {
            return Err(error(
                400,
                "ActionParameterNotSupported",
                &format!(
                    "The parameter ResetType with the value {other} for the action ComputerSystem.Reset is not supported on the target resource."
                ),
                "Choose a value that the resource lists as allowable and resubmit the request.",
            ));
        }
        "ForceOff" => Power::Off,
        "GracefulShutdown" => Power::Shutdown,
        "ForceRestart" | "GracefulRestart" => Power::Reset,
        "PowerCycle" => Power::Cycle,
        "PushPowerButton" if on => Power::Shutdown,
        _ => Power::On,
    };
    if !on && matches!(command, Power::Reset | Power::Shutdown) {
        return Err(error(
            409,
            "ResourceInStandby",
            "The request could not be performed because the resource is in standby.",
            "Ensure that the resource is in the correct power state and resubmit the request.",
        ));
    }
    let fails = core.faults.is_permanent(name, MachineFault::BmcTaskFails);
    let takes = core.world.meta.options.timing.power_ms;
    if fails {
        return tasks::begin(core, name, kind, takes, true);
    }
    core.effect(match command {
        Power::On => format!("power_on {name}"),
        Power::Off | Power::Shutdown => format!("power_off {name}"),
        Power::Reset => format!("reset {name}"),
        Power::Cycle => format!("power_cycle {name}"),
    });
    physics::power(core, name, command);
    if tasks::wanted(core) {
        return tasks::begin(core, name, kind, takes, false);
    }
    Ok(Reply::new(204, "application/json", ""))
}

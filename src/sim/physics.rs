//! What machines do: power, self test, boot, and the systems they boot into.

use super::core::Core;
use super::db::Status;
use super::lifecycle;
use super::options::MachineFault;
use super::world::{Event, Installed, Running};

/// A power command, from a BMC's user or from MAAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    /// Power on; nothing if it is on.
    On,
    /// Power off at once.
    Off,
    /// Ask the operating system to shut down; nothing if none listens.
    Shutdown,
    /// Reset at once.
    Reset,
    /// Off and on.
    Cycle,
}

/// Gives a power command to a machine.
pub(crate) fn power(core: &mut Core, name: &str, command: Power) {
    let Some(m) = core.world.machines.get(name) else { return };
    let pending = m.timer.map(|t| t.event);
    let (on, running) = (m.on, m.running);
    let event = match command {
        Power::On if !on => Event::PowerOn,
        Power::Off if on => Event::PowerOff,
        // A machine that is about to get power and is told to stay off.
        Power::Off if pending == Some(Event::PowerOn) => Event::PowerOff,
        Power::Shutdown if running == Running::OperatingSystem => Event::PowerOff,
        Power::Reset if on => Event::Reset,
        Power::Cycle if on => Event::PowerCycle,
        Power::Cycle => Event::PowerOn,
        _ => return,
    };
    if pending == Some(event) || core.faults.is_permanent(name, MachineFault::LostPower) {
        return;
    }
    let delay = scaled(core, name, core.world.meta.options.timing.power_ms);
    core.set_timer(name, event, delay);
}

/// Sets a BMC's boot override as a user or MAAS does.
pub(crate) fn set_boot_override(core: &mut Core, name: &str, target: &str, enabled: &str) {
    let ignores_once = core.world.meta.options.hardware.bmc_ignores_once || core.faults.is_permanent(name, MachineFault::BmcIgnoresOnce);
    if let Some(bmc) = core.machine_mut(name).and_then(|m| m.bmc.as_mut()) {
        bmc.etag += 1;
        if enabled == "Disabled" || target == "None" {
            bmc.boot_enabled = "Disabled".into();
            bmc.boot_target = "None".into();
        } else {
            bmc.boot_enabled = if enabled == "Once" && ignores_once { "Continuous".into() } else { enabled.to_owned() };
            target.clone_into(&mut bmc.boot_target);
        }
    }
}

fn scaled(core: &Core, name: &str, ms: u64) -> u64 {
    if core.faults.is_empty() {
        return ms;
    }
    (ms as f64 * core.faults.factor(name)) as u64
}

fn after(core: &mut Core, name: &str, event: Event, ms: u64) {
    let delay = scaled(core, name, ms);
    core.set_timer(name, event, delay);
}

fn run(core: &mut Core, name: &str, running: Running) {
    if let Some(m) = core.machine_mut(name) {
        m.running = running;
    }
}

/// Whether a machine misbehaves this way, now; the match is counted.
pub(crate) fn misbehaves(core: &mut Core, name: &str, fault: MachineFault) -> bool {
    if core.faults.is_empty() {
        return false;
    }
    core.touch_meta();
    core.faults.machine(name, fault, &mut core.world.meta.fault_matches)
}

/// Carries out what was due.
pub(crate) fn happen(core: &mut Core, name: &str, event: Event) {
    let now = core.now;
    match event {
        Event::PowerOn | Event::PowerCycle | Event::Reset => start(core, name),
        Event::PowerOff => {
            if let Some(m) = core.machine_mut(name) {
                m.on = false;
                m.running = Running::Off;
                if let Some(b) = &mut m.bmc {
                    b.etag += 1;
                    b.note(now, "The system was switched off.");
                }
            }
            lifecycle::powered_off(core, name);
        }
        Event::SelfTestEnds => boot(core, name),
        Event::EnlistmentEnds => {
            lifecycle::enlist(core, name);
            shut_down(core, name);
        }
        Event::CommissioningEnds => {
            if misbehaves(core, name, MachineFault::CommissioningHangs) {
                return;
            }
            lifecycle::commissioned(core, name);
            shut_down(core, name);
        }
        Event::InstallationEnds => {
            if misbehaves(core, name, MachineFault::DeploymentHangs) {
                return;
            }
            if lifecycle::installed(core, name) {
                start(core, name);
            }
        }
        Event::ErasingEnds => {
            if let Some(m) = core.machine_mut(name) {
                m.installed = None;
            }
            shut_down(core, name);
        }
    }
}

fn start(core: &mut Core, name: &str) {
    let now = core.now;
    if let Some(m) = core.machine_mut(name) {
        let text = if m.on { "The system was reset." } else { "The system was switched on." };
        m.on = true;
        m.running = Running::Booting;
        m.last_reset = Some(now);
        if let Some(b) = &mut m.bmc {
            b.etag += 1;
            b.note(now, text);
        }
    }
    let ms = core.world.meta.options.timing.post_ms;
    after(core, name, Event::SelfTestEnds, ms);
}

/// A temporary system is done and powers its machine off.
fn shut_down(core: &mut Core, name: &str) {
    run(core, name, Running::ShuttingDown);
    let ms = core.world.meta.options.timing.power_ms;
    after(core, name, Event::PowerOff, ms);
}

fn boot(core: &mut Core, name: &str) {
    let Some(m) = core.machine_mut(name) else { return };
    let mut target = m.default_boot.clone();
    if let Some(b) = &mut m.bmc
        && b.boot_enabled != "Disabled"
    {
        target.clone_from(&b.boot_target);
        if b.boot_enabled == "Once" {
            b.boot_enabled = "Disabled".into();
            b.boot_target = "None".into();
            b.etag += 1;
        }
    }
    match target.as_str() {
        "Pxe" | "UefiHttp" => boot_network(core, name),
        "Hdd" => boot_disk(core, name),
        _ => run(core, name, Running::NoBootDevice),
    }
}

fn boot_network(core: &mut Core, name: &str) {
    let Some(m) = core.world.machines.get(name) else { return };
    if !m.nics.iter().any(|n| lifecycle::dhcp_subnet(&core.world, n.wire.as_deref()).is_some()) {
        boot_disk(core, name);
        return;
    }
    let known = m.nics.iter().find_map(|n| core.node_with_mac(&n.mac)).map(str::to_owned);
    let t = core.world.meta.options.timing.clone();
    let Some(id) = known else {
        run(core, name, Running::Enlisting);
        after(core, name, Event::EnlistmentEnds, t.enlist_ms);
        return;
    };
    let Some(node) = core.world.nodes.get(&id) else { return };
    let (status, netboot) = (node.status, node.netboot);
    match status {
        Status::Commissioning | Status::Testing => {
            core.log_event(&id, "Performing PXE boot", "");
            run(core, name, Running::Commissioning);
            after(core, name, Event::CommissioningEnds, t.commission_ms);
        }
        Status::Deploying if netboot => {
            core.log_event(&id, "Installing OS", "");
            if let Some(m) = core.machine_mut(name) {
                m.running = Running::Installing;
                m.installed = None;
            }
            after(core, name, Event::InstallationEnds, t.deploy_ms);
        }
        Status::Deploying | Status::Deployed => boot_disk(core, name),
        Status::DiskErasing => {
            run(core, name, Running::Erasing);
            after(core, name, Event::ErasingEnds, t.erase_ms);
        }
        Status::EnteringRescueMode => {
            run(core, name, Running::Rescue);
            core.set_status(&id, Status::RescueMode, "Rescue mode");
        }
        // MAAS tells a machine that it has no work for to power off.
        _ => shut_down(core, name),
    }
}

fn boot_disk(core: &mut Core, name: &str) {
    let Some(m) = core.machine_mut(name) else { return };
    let has_system = m.installed.is_some();
    m.running = if has_system { Running::OperatingSystem } else { Running::NoBootDevice };
    if has_system {
        lifecycle::system_up(core, name);
    }
}

/// Writes an operating system to a machine's disk.
pub(crate) fn install(core: &mut Core, name: &str, installed: Installed) {
    if let Some(m) = core.machine_mut(name) {
        m.installed = Some(installed);
    }
}

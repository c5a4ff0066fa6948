//! What MAAS does when machines do something: enlistment, commissioning, deployment, release.

use std::net::IpAddr;

use ipnet::IpNet;

use super::core::Core;
use super::db::{BootResource, Node, Status};
use super::inventory;
use super::names;
use super::options::{MachineFault, Release};
use super::physics::{self, Power};
use super::render;
use super::world::{Installed, World};

/// The subnet from whose dynamic range MAAS' DHCP gives addresses to untagged frames of a wire.
pub(crate) fn dhcp_subnet(world: &World, wire: Option<&str>) -> Option<i64> {
    let cidr = world.wires.get(wire?)?.untagged.as_deref()?;
    let site = &world.site;
    let subnet = site.subnets.values().find(|s| s.cidr == cidr)?;
    let vlan = site.vlans.get(&subnet.vlan)?;
    // The rack controller must really be there, whatever VLAN it was named for.
    let reached = |id: i64| site.rack_interfaces.iter().any(|i| i.vlan == Some(id));
    let served = |id: i64| site.vlans.get(&id).is_some_and(|v| v.dhcp_on && v.primary_rack.is_some() && reached(id));
    let on = served(vlan.id) || vlan.relay_vlan.is_some_and(served);
    (on && site.ipranges.values().any(|r| r.subnet == subnet.id && r.kind == "dynamic")).then_some(subnet.id)
}

/// A free address of a subnet: from its dynamic ranges (`dynamic`), or outside all ranges and the gateway.
pub(crate) fn free_address(world: &World, subnet: i64, dynamic: bool) -> Option<String> {
    let site = &world.site;
    let s = site.subnets.get(&subnet)?;
    let net: IpNet = s.cidr.parse().ok()?;
    let used: std::collections::HashSet<&str> = world
        .nodes
        .values()
        .flat_map(|n| n.interfaces.values())
        .chain(site.rack_interfaces.iter())
        .flat_map(|i| i.links.iter().filter_map(|l| l.ip.as_deref()).chain(i.discovered.iter().map(|(_, a)| a.as_str())))
        .collect();
    let ranges: Vec<(bool, u128, u128)> = site
        .ipranges
        .values()
        .filter(|r| r.subnet == subnet)
        .filter_map(|r| Some((r.kind == "dynamic", number(r.start.parse().ok()?), number(r.end.parse().ok()?))))
        .collect();
    let v6 = net.addr().is_ipv6();
    let free = |n: u128| {
        let text = address(n, v6).to_string();
        (!used.contains(text.as_str())).then_some(text)
    };
    if dynamic {
        return ranges.iter().filter(|r| r.0).find_map(|r| (r.1..=r.2).take(1 << 20).find_map(free));
    }
    let (first, last) = (number(net.network()) + 1, number(net.broadcast()));
    let gateway = s.gateway_ip.as_deref().and_then(|g| g.parse().ok()).map(number);
    let mut n = first;
    while n < last {
        if let Some(r) = ranges.iter().find(|r| r.1 <= n && n <= r.2) {
            n = r.2 + 1;
            continue;
        }
        if Some(n) != gateway
            && let Some(a) = free(n)
        {
            return Some(a);
        }
        n += 1;
    }
    None
}

/// An address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// The address of a number.
pub(crate) fn address(number: u128, v6: bool) -> IpAddr {
    if v6 { IpAddr::V6(number.into()) } else { IpAddr::V4((number as u32).into()) }
}

/// MAAS' own power commands go through the same BMC; they fail where it does not answer. Says whether the BMC took it.
pub(crate) fn maas_power(core: &mut Core, id: &str, command: Power) -> bool {
    let Some(name) = core.machine_of(id).map(str::to_owned) else { return false };
    let has_bmc = core.world.machines.get(&name).is_some_and(|m| m.bmc.is_some());
    let let_in = core.world.nodes.get(id).is_some_and(|n| render::is_let_in(&core.world, n));
    if !has_bmc || !let_in || core.faults.is_permanent(&name, MachineFault::BmcUnreachable) {
        return false;
    }
    if matches!(command, Power::On | Power::Cycle) {
        physics::set_boot_override(core, &name, "Pxe", "Once");
    }
    core.effect(match command {
        Power::On => format!("power_on {name}"),
        Power::Cycle => format!("power_cycle {name}"),
        _ => format!("power_off {name}"),
    });
    physics::power(core, &name, command);
    true
}

/// Starts an operation that needs a boot from the network: on if off, else off and on.
pub(crate) fn maas_boot(core: &mut Core, id: &str) -> bool {
    let on = core.machine_of(id).and_then(|m| core.world.machines.get(m)).is_some_and(|m| m.on);
    maas_power(core, id, if on { Power::Cycle } else { Power::On })
}

/// Gives an operation a deadline.
pub(crate) fn expect_end(core: &mut Core, id: &str) {
    let at = core.now + core.world.meta.options.timing.node_timeout_ms;
    if let Some(n) = core.node_mut(id) {
        n.timeout_at = Some(at);
    }
    core.wake_node(id, at);
}

/// A machine's enlistment system has reported.
pub(crate) fn enlist(core: &mut Core, name: &str) {
    let seed = core.world.meta.options.seed;
    let Some(m) = core.world.machines.get(name) else { return };
    if m.nics.iter().any(|n| core.node_with_mac(&n.mac).is_some()) {
        return;
    }
    let (serial, machine) = (m.serial.clone(), m.clone());
    let id = new_system_id(&core.world, seed, &serial);
    let taken: std::collections::HashSet<&str> = core.world.nodes.values().map(|n| n.hostname.as_str()).collect();
    let hostname = (0..=u32::MAX)
        .map(|n| if n < 32 { names::hostname(seed, &serial, n) } else { format!("{}-{n}", names::hostname(seed, &serial, n)) })
        .find(|h| !taken.contains(h.as_str()))
        .unwrap_or_default();
    let node = inventory::new_node(&machine, &id, &hostname);
    core.insert_node(node);
    inventory::report(core, &id, &machine);
    core.effect(format!("enlist {name}"));
    if let Some(n) = core.node_mut(&id) {
        n.status_message = None;
        n.status_action = None;
    }
}

/// A system id that is not taken.
pub(crate) fn new_system_id(world: &World, seed: u64, text: &str) -> String {
    (0..=u32::MAX)
        .map(|n| names::system_id(seed, text, n))
        .find(|id| *id != world.site.controller && !world.nodes.contains_key(id))
        .unwrap_or_default()
}

/// A machine's commissioning system has run its scripts.
pub(crate) fn commissioned(core: &mut Core, name: &str) {
    let Some(id) = core.node_of(name).map(str::to_owned) else { return };
    let Some(machine) = core.world.machines.get(name).cloned() else { return };
    if core.world.nodes.get(&id).is_none_or(|n| n.status != Status::Commissioning) {
        return;
    }
    if physics::misbehaves(core, name, MachineFault::CommissioningFails) {
        fail(core, &id, Status::FailedCommissioning, "1 script failed");
        return;
    }
    inventory::report(core, &id, &machine);
    ready(core, &id);
}

/// Ends a commissioning well.
pub(crate) fn ready(core: &mut Core, id: &str) {
    let Some(n) = core.world.nodes.get(id) else { return };
    let (skip_networking, skip_storage) = (n.skip_networking, n.skip_storage);
    if !skip_networking {
        inventory::initial_networking(core, id);
    }
    if !skip_storage {
        inventory::initial_storage(core, id);
    }
    super::xpath::apply_tags(core, id);
    if let Some(n) = core.node_mut(id) {
        n.owner = None;
        n.timeout_at = None;
        n.commissioning.1 = 2;
        if n.testing.1 == 0 {
            n.testing.1 = 2;
        }
    }
    core.set_status(id, Status::Ready, "Ready");
}

/// Ends an operation badly.
pub(crate) fn fail(core: &mut Core, id: &str, status: Status, why: &str) {
    core.set_status(id, status, &format!("Marking node failed - {why}"));
    if let Some(n) = core.node_mut(id) {
        why.clone_into(&mut n.error_description);
        n.status_action = Some("mark_failed".into());
        n.timeout_at = None;
        n.release_due = None;
        if status == Status::FailedCommissioning {
            n.commissioning.1 = 3;
            n.owner = None;
        }
    }
    let label = core.machine_of(id).unwrap_or(id).to_owned();
    core.effect(format!("fail {label}: {why}"));
}

/// An installer is done. Says whether it reboots.
pub(crate) fn installed(core: &mut Core, name: &str) -> bool {
    let Some(id) = core.node_of(name).map(str::to_owned) else { return false };
    let Some(n) = core.world.nodes.get(&id) else { return false };
    if n.status != Status::Deploying {
        return false;
    }
    if physics::misbehaves(core, name, MachineFault::DeploymentFails) {
        fail(core, &id, Status::FailedDeployment, "installation failed: curtin: Installation failed with exception");
        return false;
    }
    let Some(n) = core.world.nodes.get(&id) else { return false };
    let system = Installed {
        by: n.owner.clone().unwrap_or_default(),
        marker: format!("{id}-{}", n.installation.unwrap_or_default()),
        osystem: n.osystem.clone(),
        series: n.distro_series.clone(),
        kernel: n.hwe_kernel.clone().unwrap_or_default(),
        fqdn: super::render::fqdn(&core.world, n),
        kernel_opts: kernel_opts(&core.world, n),
    };
    if let Some(n) = core.node_mut(&id) {
        n.netboot = false;
    }
    physics::install(core, name, system);
    core.log_event(&id, "Rebooting", "");
    core.effect(format!("install {name}"));
    true
}

/// Kernel command line of a machine: the site's and that of its tags by name; before 3.0 that of the first such tag alone.
pub(crate) fn kernel_opts(world: &World, node: &Node) -> String {
    let site = world.site.config.get("kernel_opts").and_then(|v| v.as_str()).unwrap_or_default();
    let mut tags: Vec<_> = world.site.tags.iter().filter(|t| node.tags.contains(&t.name) && !t.kernel_opts.is_empty()).collect();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    if world.meta.options.release < Release::V3_0 {
        return tags.first().map_or(site, |t| t.kernel_opts.as_str()).to_owned();
    }
    std::iter::once(site).chain(tags.iter().map(|t| t.kernel_opts.as_str())).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}

/// An operating system is up.
pub(crate) fn system_up(core: &mut Core, name: &str) {
    let Some(id) = core.node_of(name).map(str::to_owned) else { return };
    let Some(n) = core.world.nodes.get(&id) else { return };
    match n.status {
        Status::Deploying if !n.netboot => {
            if let Some(n) = core.node_mut(&id) {
                n.timeout_at = None;
            }
            core.set_status(&id, Status::Deployed, "Deployed");
        }
        Status::ExitingRescueMode => {
            let status = n.previous_status.unwrap_or(Status::Deployed);
            core.set_status(&id, status, status.name());
        }
        _ => {}
    }
}

/// A machine has lost power.
pub(crate) fn powered_off(core: &mut Core, name: &str) {
    let Some(id) = core.node_of(name).map(str::to_owned) else { return };
    let Some(n) = core.world.nodes.get(&id) else { return };
    match n.status {
        Status::Releasing => {
            let at = core.now + core.world.meta.options.timing.release_ms;
            if let Some(n) = core.node_mut(&id) {
                n.release_due = Some(at);
            }
            core.wake_node(&id, at);
        }
        Status::DiskErasing if core.world.machines.get(name).is_some_and(|m| m.installed.is_none()) => released(core, &id),
        Status::ExitingRescueMode if n.previous_status != Some(Status::Deployed) => {
            let status = n.previous_status.unwrap_or(Status::Ready);
            core.set_status(&id, status, status.name());
        }
        _ => {}
    }
}

/// Ends a release: MAAS keeps the machine's tags, networking and storage layout, and forgets owner, owner data and image.
pub(crate) fn released(core: &mut Core, id: &str) {
    let mut status = Status::New;
    if let Some(n) = core.node_mut(id) {
        forget_deployment(n);
        // Without commissioning results a machine is new again.
        if n.commissioning.1 == 2 {
            status = Status::Ready;
        }
    }
    core.set_status(id, status, "Released");
}

/// What MAAS forgets when a machine is released.
pub(crate) fn forget_deployment(n: &mut Node) {
    n.owner = None;
    n.owner_data.clear();
    n.osystem.clear();
    n.distro_series.clear();
    n.hwe_kernel = None;
    n.netboot = true;
    n.error_description.clear();
    n.user_data = None;
    n.user_data_text = None;
    n.timeout_at = None;
    n.release_due = None;
    for link in n.interfaces.values_mut().flat_map(|i| &mut i.links) {
        if link.mode == "auto" {
            link.ip = None;
        }
    }
}

/// A MAAS machine's deadline or release.
pub(crate) fn due(core: &mut Core, id: &str, at: u64) {
    let Some(n) = core.world.nodes.get(id) else { return };
    if n.release_due == Some(at) && n.status == Status::Releasing {
        released(core, id);
    } else if n.timeout_at == Some(at) {
        let (status, what) = match n.status {
            Status::Commissioning => (Status::FailedCommissioning, "commissioning"),
            Status::Deploying => (Status::FailedDeployment, "deployment"),
            Status::Releasing => (Status::FailedReleasing, "releasing"),
            Status::DiskErasing => (Status::FailedDiskErasing, "disk erasing"),
            Status::EnteringRescueMode => (Status::FailedEnteringRescueMode, "entering rescue mode"),
            _ => return,
        };
        fail(core, id, status, &format!("Machine operation '{what}' timed out after 30 minutes."));
    }
}

/// The import of boot images has ended: every selected image is here.
pub(crate) fn import_ends(core: &mut Core, at: u64) {
    if core.world.site.import_due != Some(at) {
        return;
    }
    core.site_mut().import_due = None;
    core.site_mut().racks_synced_at = at + core.world.meta.options.timing.import_ms / 2;
    let selections: Vec<(String, String)> = core.world.site.selections.values().map(|s| (s.os.clone(), s.release.clone())).collect();
    for (os, release) in selections {
        let kernels = core.world.site.offered.get(&release).cloned().unwrap_or_default();
        for kernel in kernels {
            add_resource(core, &format!("{os}/{release}"), &format!("amd64/{kernel}"));
        }
    }
}

/// Adds a synced image if it is not there.
pub(crate) fn add_resource(core: &mut Core, name: &str, architecture: &str) {
    if core.world.site.boot_resources.values().any(|r| r.name == name && r.architecture == architecture) {
        return;
    }
    let id = core.take_id("boot_resource");
    let title = super::render::title(name);
    core.site_mut()
        .boot_resources
        .insert(id, BootResource { id, kind: "Synced".into(), name: name.to_owned(), architecture: architecture.to_owned(), title });
}

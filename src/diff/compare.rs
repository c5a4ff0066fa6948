//! The comparison of a whole site.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::Pool;
use super::hardware::Hardware;
use super::identity;
use super::memory::Memory;
use super::node::{self, Context, NodeWork, selectable};
use super::site::{self, SiteComparison};
use super::{Blocked, Change, HeldBack, NodeStage, NotManaged, Orphan, Policy, Stage, networking, orphans, removal};
use crate::build::{Binding, Build, Fact};
use crate::model::{Node, Site, assets};
use crate::yaml::SourceMap;

/// Everything a comparison says.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Site resources.
    pub site: SiteComparison,
    /// What has to be done, by node.
    pub work: BTreeMap<String, NodeWork>,
    /// Site resources that each node with work needs.
    pub needs: BTreeMap<String, NodeNeeds>,
    /// Changes of nodes.
    pub node_changes: Vec<Change>,
    /// What the policy holds back.
    pub held_back: Vec<HeldBack>,
    /// What nothing can be planned about.
    pub blocked: Vec<Blocked>,
    /// Ours and no longer in the design.
    pub orphans: Vec<Orphan>,
    /// What the design says and no driver compares.
    pub not_managed: Vec<NotManaged>,
    /// Stage of every node (of the selection).
    pub nodes: BTreeMap<String, NodeStage>,
    /// Identity of every node with work.
    pub bindings: BTreeMap<String, Binding>,
    /// What of the machines is not as their hardware profiles say, and rack controllers that do not work; nothing that drydock changes.
    pub warnings: Vec<String>,
    /// Why the plan is refused as a whole.
    pub refused: Vec<String>,
}

/// Site resources that a node's steps need, whether or not they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeNeeds {
    /// Before it boots from the network.
    pub boot: Vec<String>,
    /// Before it gets its name.
    pub naming: Vec<String>,
    /// Before its interfaces are configured.
    pub networking: Vec<String>,
    /// Before its tags are set.
    pub platform: Vec<String>,
    /// Before it is deployed.
    pub deploy: Vec<String>,
}

/// Compares the design with what is there.
pub fn compare(site: &Site, sources: &SourceMap, build: &Build, memory: &Memory, policy: &Policy) -> Comparison {
    let provisioner = build.provisioner.known();
    let pool = &Pool::new(sources);
    let site_part = match &build.provisioner {
        Fact::Known(p) => site::compare(site, pool, p, policy, memory),
        Fact::Unknown(_) => SiteComparison::default(),
    };
    let mut out = Comparison {
        site: SiteComparison::default(),
        work: BTreeMap::new(),
        needs: BTreeMap::new(),
        node_changes: Vec::new(),
        held_back: Vec::new(),
        blocked: Vec::new(),
        orphans: Vec::new(),
        not_managed: Vec::new(),
        nodes: BTreeMap::new(),
        bindings: BTreeMap::new(),
        warnings: Vec::new(),
        refused: Vec::new(),
    };
    if let Fact::Unknown(reason) = &build.provisioner {
        out.blocked.push(Blocked {
            resource: "site".into(),
            reason: format!("the provisioner could not be read: {reason}"),
            hint: "make it answer, then plan again; nothing is known about any node until then".into(),
        });
    }
    let tags = provisioner.and_then(|p| p.tags.known()).into_iter().flatten().map(|t| (t.name.as_str(), t)).collect();
    let subnets = provisioner.and_then(|p| p.subnets.known()).into_iter().flatten();
    let gateless = subnets.filter(|s| s.gateway.is_none()).map(|s| s.cidr).collect();
    let cx =
        Context { observed_at: build.observed_at, tags, site, pool, provisioner, memory, policy, fabrics: &site_part.fabrics, gateless };
    let mut absent = Vec::new();
    let identities = identity::identify(site, build, memory);
    for (name, identity) in &identities {
        let Some(node) = site.nodes.get(name) else { continue };
        let mut result = node::compare(&cx, node, identity);
        if result.now == Stage::Absent && memory.last_applied.contains_key(&format!("node.{name}")) {
            absent.push(name.clone());
        }
        if let Some(target) = &policy.target
            && !target.matches(&selectable(node, result.now).as_ref())
        {
            continue;
        }
        let needs = node_needs(site, node, result.work.as_ref(), site::architecture(name, provisioner, memory));
        if let Some(work) = &result.work
            && let Some(blocked) = blocking_resource(&needs, work, &site_part)
        {
            out.blocked.push(Blocked {
                resource: format!("node.{name}"),
                reason: format!("it needs {}, which is blocked: {}", blocked.resource, blocked.reason),
                hint: blocked.hint.clone(),
            });
            result.work = None;
            result.changes.clear();
            result.then = result.now;
        }
        if let Some(problem) = kernel_problem(node, result.work.as_ref(), provisioner) {
            out.blocked.push(problem);
            result.work = None;
            result.changes.clear();
            result.then = result.now;
        }
        let (rack, profile) = (node.rack.as_ref().map(|r| r.value.clone()), node.host_profiles.first().cloned());
        let hardware = node.hardware_profile.as_ref().map(|p| p.value.clone());
        out.nodes.insert(name.clone(), NodeStage { hardware, now: result.now, then: result.then, rack, profile });
        out.node_changes.extend(result.changes);
        out.held_back.extend(result.held_back);
        out.blocked.extend(result.blocked);
        if let Some(work) = result.work {
            out.bindings.insert(name.clone(), work.binding.clone());
            out.work.insert(name.clone(), work);
            out.needs.insert(name.clone(), needs);
        }
    }
    max_absent(&mut out, site, memory, policy, &absent);
    orphans::compare(&mut out, &cx, &identities);
    let removals = removal::compare(&mut out, &cx, &site_part);
    let hardware = Hardware::compare(site, &identities, policy);
    out.not_managed = not_managed(site, &site_part, &hardware);
    out.warnings = hardware.warnings();
    let racks = provisioner.and_then(|p| p.racks.known()).into_iter().flatten();
    out.warnings.extend(racks.filter(|r| !r.healthy).map(|r| format!("rack controller {}: {}", r.hostname, r.problems.join(", "))));
    out.site = SiteComparison { removals, ..site_part };
    if policy.goal.destroys() {
        out.site.steps.clear();
    } else if policy.target.is_none() {
        out.blocked.extend(out.site.blocked.values().cloned());
        out.held_back.extend(out.site.held_back.iter().cloned());
    }
    if matches!(policy.goal, super::Goal::VerifySite) {
        out.site.steps.clear();
    }
    out.blocked.sort_by(|a, b| a.resource.cmp(&b.resource));
    out
}

fn max_absent(out: &mut Comparison, site: &Site, memory: &Memory, policy: &Policy, absent: &[String]) {
    let deployed = site.nodes.keys().filter(|n| memory.last_applied.contains_key(&format!("node.{n}"))).count();
    if !absent.is_empty() && absent.len() * 100 > deployed * policy.max_absent_percent as usize {
        let shown: Vec<&str> = absent.iter().take(5).map(String::as_str).collect();
        out.refused.push(format!(
            "{} of the {deployed} nodes that were deployed are absent from the provisioner ({}{}); more than guards.max_absent ({} %): is this the right provisioner, or was it rebuilt?",
            absent.len(),
            shown.join(", "),
            if absent.len() > shown.len() { ", …" } else { "" },
            policy.max_absent_percent
        ));
    }
}

/// What site resources a node needs before each of its steps.
fn node_needs(site: &Site, node: &Node, work: Option<&NodeWork>, arch: &str) -> NodeNeeds {
    let mut needs = NodeNeeds::default();
    if work.is_none() {
        return needs;
    }
    for interface in node.interfaces.values() {
        let Some(link) = interface.device_link.as_ref().and_then(|l| site.links.get(&l.value)).filter(|l| !l.is_noconfig()) else {
            continue;
        };
        for network in interface.networks.iter().filter_map(|n| site.networks.get(&n.value)).filter(|n| n.has_dhcp_range()) {
            needs.boot.push(site::dhcp_resource(&link.name.value, networking::vid_on(link, network)));
        }
    }
    for (interface, link) in networking::configured(site, node) {
        needs.networking.push(format!("fabric.{}", link.name.value));
        needs.networking.push(site::vlan_resource(&link.name.value, 0));
        for network in interface.networks.iter().filter_map(|n| site.networks.get(&n.value)) {
            needs.networking.push(site::vlan_resource(&link.name.value, networking::vid_on(link, network)));
            needs.networking.push(format!("subnet.{}", network.name.value));
        }
    }
    if let Some(domain) = &node.domain {
        needs.naming.push(format!("domain.{}", domain.value));
    }
    needs.platform.extend(node.tags.iter().map(|t| format!("tag.{}", t.value)));
    if let Some((os, series)) = node.platform.system() {
        needs.deploy.push(site::image_resource(os, series, arch));
    }
    for list in [&mut needs.boot, &mut needs.networking] {
        list.sort_unstable();
        list.dedup();
    }
    needs
}

fn blocking_resource<'a>(needs: &NodeNeeds, work: &NodeWork, site: &'a SiteComparison) -> Option<&'a Blocked> {
    let installs = work.deploy.is_some() || matches!(work.now, Stage::Absent | Stage::Enlisted | Stage::FailedCommissioning);
    let mut wanted: Vec<&String> = Vec::new();
    if installs {
        wanted.extend(&needs.boot);
    }
    if work.networking.is_some() {
        wanted.extend(&needs.networking);
    }
    if work.identify {
        wanted.extend(&needs.naming);
    }
    if work.deploy.is_some() {
        wanted.extend(&needs.deploy);
    }
    wanted.into_iter().find_map(|r| site.blocked.get(r))
}

/// A kernel that the provisioner's image does not have makes a deployment fail late; it is said now.
fn kernel_problem(node: &Node, work: Option<&NodeWork>, provisioner: Option<&crate::build::Provisioner>) -> Option<Blocked> {
    let deploy = work?.deploy.as_ref()?;
    let kernel = deploy.kernel.as_ref()?;
    let images = provisioner?.images.known()?;
    let mut of_series = images.iter().filter(|i| i.os == deploy.os && i.series == deploy.series && i.synced).peekable();
    of_series.peek()?;
    let kernels: BTreeSet<&str> = of_series.flat_map(|i| i.kernels.iter().map(String::as_str)).collect();
    (!kernels.contains(kernel.as_str())).then(|| Blocked {
        resource: format!("node.{}", node.name.value),
        reason: format!(
            "the provisioner's image {}/{} has no kernel {kernel}; it has {}",
            deploy.os,
            deploy.series,
            kernels.into_iter().collect::<Vec<_>>().join(", ")
        ),
        hint: "change platform.kernel, or import that kernel".into(),
    })
}

fn not_managed(site: &Site, site_part: &SiteComparison, hardware: &Hardware) -> Vec<NotManaged> {
    let mut out: BTreeMap<String, BTreeSet<String>> = site_part.not_managed.clone();
    let mut note = |what: &str, resource: String| {
        out.entry(what.to_owned()).or_default().insert(resource);
    };
    for action in site.boot_actions.values().filter(|a| !a.nodes.is_empty()) {
        let resource = || format!("bootaction.{}", action.name.value);
        // What an action lacks to be given, it lacks for all of its nodes.
        let node = action.nodes.first().and_then(|n| site.nodes.get(n));
        let left_out = node.map(|n| assets::delivery(site, n).left_out).unwrap_or_default();
        match left_out.iter().find(|(name, _)| *name == action.name.value) {
            Some((_, why)) => note(why.what(), resource()),
            None if action.signaling.value => note("reports of boot actions", resource()),
            None => {}
        }
    }
    for rack in site.racks.values().filter(|r| !r.tor_switches.is_empty()) {
        note("switch ports", format!("rack.{}", rack.name.value));
    }
    let used: BTreeSet<&str> = site.nodes.values().filter_map(|n| n.hardware_profile.as_ref()).map(|p| p.value.as_str()).collect();
    for profile in site.hardware_profiles.values().filter(|p| used.contains(p.name.value.as_str())) {
        if profile.bios_version.is_some() && hardware.is_unknown(&profile.name.value, "BIOS version") {
            note("BIOS version", format!("hardwareprofile.{}", profile.name.value));
        }
        if profile.vendor.is_some() || profile.generation.is_some() || profile.hw_version.is_some() {
            note("hardware model", format!("hardwareprofile.{}", profile.name.value));
        }
        if profile.boot_mode.is_some() && hardware.is_unknown(&profile.name.value, "boot mode") {
            note("boot mode", format!("hardwareprofile.{}", profile.name.value));
        }
    }
    for link in site.links.values() {
        if link.is_noconfig() {
            note("links labelled noconfig", format!("link.{}", link.name.value));
        } else if link.linkspeed.as_ref().is_some_and(|s| s.value != "auto") {
            note("link speed", format!("link.{}", link.name.value));
        }
    }
    for node in site.nodes.values() {
        for interface in node.interfaces.values() {
            if interface.sriov_vf_count.is_some() {
                note("SR-IOV", format!("node.{}", node.name.value));
            }
            if interface.labels.contains_key("noconfig") {
                note("interfaces labelled noconfig", format!("node.{}/{}", node.name.value, interface.name.value));
            }
        }
        let carried: BTreeSet<&str> = node.interfaces.values().flat_map(|i| &i.networks).map(|n| n.value.as_str()).collect();
        for address in node.addressing.iter().filter(|a| !carried.contains(a.network.value.as_str())) {
            if node.oob.network.as_ref().is_none_or(|o| o.value != address.network.value) {
                note("addresses on networks that no interface carries", format!("node.{}", node.name.value));
            }
        }
    }
    out.into_iter().map(|(what, resources)| NotManaged { what, resources: resources.into_iter().collect() }).collect()
}

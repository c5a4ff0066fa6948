//! Nodes: stage, and what of networking, storage, platform and operating system differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::attributes::{Class, Draft, Pool, PresentMap, WantedMap, created, differences, want};
use super::identity::{Match, NodeIdentity};
use super::memory::Memory;
use super::networking::FabricNames;
use super::{AttributeChange, Blocked, Change, HeldBack, Operation, Policy, Release, Stage, effect_of, networking, platform, storage};
use crate::action::params::{
    ApplyNodeNetworking, ApplyNodePlatform, ApplyNodeStorage, ConfigureHardware, DeployNode, DestroyNode, PowerSettings,
};
use crate::action::{Effect, Json, Selectable};
use crate::build::{Binding, BootEnabled, Fact, Machine, MachineStatus, PowerState, Provisioner, TagFacts};
use crate::model::{Node, Site};
use crate::yaml::Span;

mod held;
mod replace;

/// What has to be done to one node, for [`crate::graph`] to turn into actions.
#[derive(Debug, Clone)]
pub struct NodeWork {
    /// Stage now.
    pub now: Stage,
    /// Stage that the goal asks for.
    pub target: Stage,
    /// Identity.
    pub binding: Binding,
    /// Power now.
    pub power: PowerState,
    /// Name and domain differ (or the machine is not enlisted yet).
    pub identify: bool,
    /// How the provisioner is to reach its BMC, if that differs.
    pub power_settings: Option<PowerSettings>,
    /// Its host name at the provisioner, if it has one there.
    pub hostname: Option<String>,
    /// Wanted networking ([`crate::action::params::ApplyNodeNetworking`]), if it differs or is not known to be so.
    pub networking: Option<Json>,
    /// Wanted storage ([`crate::action::params::ApplyNodeStorage`]), if it differs or is not known to be so.
    pub storage: Option<Json>,
    /// Wanted platform ([`crate::action::params::ApplyNodePlatform`]), if it differs or is not known to be so.
    pub platform: Option<Json>,
    /// What to deploy, if the node is to be deployed.
    pub deploy: Option<DeployNode>,
    /// How a machine in use is released first; `None` if it is not.
    pub release: Option<DestroyNode>,
    /// Whether the provisioner's record of it is deleted then.
    pub delete_record: bool,
    /// Whether it is booted from the network so that the provisioner enlists it.
    pub enlist: bool,
    /// How it is commissioned; `None` if it is not.
    pub commission: Option<ConfigureHardware>,
    /// Whether a boot override has to be removed so that it boots from its disk.
    pub boot_from_disk: bool,
    /// Whether it is only to be switched on.
    pub power_on: bool,
    /// Highest effect.
    pub effect: Effect,
}

/// What a comparison of one node says.
#[derive(Debug, Clone)]
pub(super) struct NodeComparison {
    pub(super) now: Stage,
    pub(super) then: Stage,
    pub(super) work: Option<NodeWork>,
    pub(super) changes: Vec<Change>,
    pub(super) held_back: Vec<HeldBack>,
    pub(super) blocked: Vec<Blocked>,
}

pub(super) struct Context<'a> {
    pub(super) site: &'a Site,
    pub(super) pool: &'a Pool<'a>,
    pub(super) provisioner: Option<&'a Provisioner>,
    pub(super) memory: &'a Memory,
    /// Seconds since 1970 when facts were read.
    pub(super) observed_at: u64,
    pub(super) policy: &'a Policy,
    pub(super) fabrics: &'a FabricNames,
    /// Subnets that the provisioner has without a gateway.
    pub(super) gateless: BTreeSet<ipnet::IpNet>,
    /// The provisioner's tags by name.
    pub(super) tags: BTreeMap<&'a str, &'a TagFacts>,
}

impl Context<'_> {
    /// What the design and the settings say of a node's platform, on the machine that it has.
    fn platform(&self, node: &Node, machine: Option<&Machine>) -> (ApplyNodePlatform, WantedMap) {
        let name = &node.name.value;
        // No rule asks for a stage.
        let placed = self.policy.placement(&selectable(node, Stage::Unknown).as_ref());
        platform::wanted_of(node, placed, self.memory.last_applied.get(&format!("node.{name}/platform")), machine)
    }

    /// An attribute that the design does not set.
    fn plain(&self, path: &str, before: &Value, after: &Value, effect: Effect, reason: &str) -> Arc<AttributeChange> {
        let (before, after) = (Some(before), Some(after));
        self.pool.share(&Draft { path, before, after, known_after: None, effect, reason, span: Span::NOWHERE })
    }
}

/// Whether a machine in use is ours: it bears this site's mark, or none and was deployed for the node by what is remembered.
pub(super) fn is_ours(site: &str, node: &str, machine: &Machine, memory: &Memory, user: &str) -> bool {
    let marked = machine.owner_data.get(platform::MARK_SITE).is_some_and(|s| s == site);
    let other_site = machine.owner_data.get(platform::MARK_SITE).is_some_and(|s| s != site);
    let remembered = memory.last_applied.contains_key(&format!("node.{node}"))
        && memory.bindings.get(node).is_some_and(|b| {
            let owner = machine.owner.as_deref();
            b.machine.as_deref() == Some(&machine.id) && owner.is_some() && (owner == Some(user) || owner == b.adopted_from.as_deref())
        });
    marked || (remembered && !other_site)
}

/// The stage of a node whose machine is known.
pub(super) fn stage_of(site: &str, node: &str, machine: &Machine, memory: &Memory, user: &str) -> Stage {
    let ours = is_ours(site, node, machine, memory, user);
    if machine.locked {
        return Stage::Held;
    }
    match machine.status {
        MachineStatus::New => Stage::Enlisted,
        MachineStatus::Commissioning => Stage::Commissioning,
        MachineStatus::FailedCommissioning => Stage::FailedCommissioning,
        MachineStatus::Ready => Stage::Ready,
        MachineStatus::Allocated if ours => Stage::Allocated,
        MachineStatus::Deploying if ours => Stage::Deploying,
        MachineStatus::Deployed if ours => Stage::Deployed,
        MachineStatus::FailedDeployment if ours => Stage::FailedDeployment,
        MachineStatus::Releasing => Stage::Releasing,
        MachineStatus::FailedReleasing if ours => Stage::FailedReleasing,
        MachineStatus::Allocated
        | MachineStatus::Deploying
        | MachineStatus::Deployed
        | MachineStatus::FailedDeployment
        | MachineStatus::FailedReleasing => Stage::Foreign,
        MachineStatus::Broken | MachineStatus::Rescue | MachineStatus::Other => Stage::Held,
    }
}

/// Compares one node.
pub(super) fn compare(cx: &Context<'_>, node: &Node, identity: &NodeIdentity<'_>) -> NodeComparison {
    let name = &node.name.value;
    let (now, machine) = match &identity.found {
        Match::Unknown { reason, hint } => return stuck(name, Stage::Unknown, reason.clone(), hint.clone()),
        Match::Absent => (Stage::Absent, None),
        Match::Machine { machine, .. } => {
            let user = cx.provisioner.map_or("", |p| p.user.as_str());
            (stage_of(&cx.site.name.value, name, machine, cx.memory, user), Some(*machine))
        }
    };
    if cx.policy.goal.destroys() {
        return release(cx, name, now, machine, identity);
    }
    let target = cx.policy.goal.node_stage();
    let Some(target) = target else {
        return NodeComparison { now, then: now, work: None, changes: Vec::new(), held_back: Vec::new(), blocked: Vec::new() };
    };
    match now {
        Stage::Foreign => {
            let owner = machine.and_then(|m| m.owner.clone()).unwrap_or_else(|| "somebody".into());
            let status = machine.map_or("", |m| m.status_name.as_str());
            return stuck(
                name,
                now,
                format!("its machine is {status}, owned by {owner}, and was not deployed by drydock for this site"),
                format!("to take it over as it is: drydock adopt node={name}; if it may be used otherwise, release it in the provisioner"),
            );
        }
        Stage::Held => {
            let (reason, hint) = machine.map_or_else(|| (String::new(), ""), held::held);
            return stuck(name, now, reason, hint.into());
        }
        _ => {}
    }
    if let Match::Machine { confirmed: false, .. } = identity.found
        && now != Stage::Deployed
    {
        return stuck(
            name,
            now,
            "only host name and BMC address say which machine it is, and its BMC could not be read".into(),
            "make the BMC answer, or set boot_mac, then plan again".into(),
        );
    }
    if let Some((reason, hint)) = machine.and_then(|m| held::stuck(m, cx.policy, cx.observed_at)) {
        return stuck(name, now, reason, hint.into());
    }
    if let Some(machine) = machine.filter(|_| cx.policy.replaces(&selectable(node, now).as_ref())) {
        return replace::replaced(cx, node, identity, machine, now, target);
    }
    match now {
        Stage::Deployed => deployed(cx, node, identity, machine, target),
        _ => advance(cx, node, identity, machine, now, target),
    }
}

fn stuck(name: &str, now: Stage, reason: String, hint: String) -> NodeComparison {
    NodeComparison {
        now,
        then: now,
        work: None,
        changes: Vec::new(),
        held_back: Vec::new(),
        blocked: vec![Blocked { resource: format!("node.{name}"), reason, hint }],
    }
}

/// Differences of the three aspects of a machine; `None` for an aspect that matches.
struct Aspects {
    networking: Option<(ApplyNodeNetworking, Vec<Arc<AttributeChange>>)>,
    storage: Option<(ApplyNodeStorage, Vec<Arc<AttributeChange>>)>,
    platform: Option<(ApplyNodePlatform, Vec<Arc<AttributeChange>>)>,
}

const AFTER_COMMISSIONING: &str = "known after commissioning";

/// Whether the provisioner knows the machine's hardware already.
fn is_commissioned(stage: Stage) -> bool {
    use Stage as S;
    matches!(stage, S::Ready | S::Allocated | S::Deploying | S::Deployed | S::FailedDeployment | S::Releasing | S::FailedReleasing)
}

/// `effect` is that of attributes of a machine that is not deployed.
fn aspects(cx: &Context<'_>, node: &Node, machine: Option<&Machine>, now: Stage, effect: Effect) -> Result<Aspects, String> {
    let known = machine.filter(|_| is_commissioned(now));
    let class = |of| if now == Stage::Deployed { Class::Of(of) } else { Class::All(effect) };
    let compare = |of, wanted: &WantedMap, present: Option<PresentMap>| match present {
        None => created(wanted, cx.pool, effect, Some(AFTER_COMMISSIONING)),
        Some(present) => differences(wanted, &present, cx.pool, class(of)),
    };
    let (net_params, net_wanted) = networking::wanted(cx.site, node);
    let net_present = known.map(|m| networking::present(m, &net_params, cx.fabrics, &cx.gateless)).transpose()?;
    let net = if net_params.interfaces.is_empty() { Vec::new() } else { compare("node/networking", &net_wanted, net_present) };
    let stored = storage::wanted(cx.site, node);
    let storage = match stored {
        None => None,
        Some((params, wanted)) => {
            let present = known.map(|m| storage::present(m, node, &params)).transpose()?;
            let attributes = compare("node/storage", &wanted, present);
            (!attributes.is_empty()).then_some((params, attributes))
        }
    };
    let (mut platform_params, mut platform_wanted) = cx.platform(node, machine);
    if unknown_tags(cx, node).is_some() {
        platform_params.kernel_params = None;
        platform_wanted.remove("kernel_params");
    }
    // Tags and owner data exist from enlistment on, so they are compared with what is there even before commissioning.
    let platform_attributes = match machine {
        None => created(&platform_wanted, cx.pool, effect, None),
        Some(m) => {
            let present = platform::present(m, &platform_params, &cx.tags);
            let kernel = |path: &String| path == "kernel_params";
            let split = |map: &WantedMap, want: bool| map.clone().into_iter().filter(|(p, _)| kernel(p) == want).collect::<WantedMap>();
            let split_present = |want: bool| present.clone().into_iter().filter(|(p, _)| kernel(p) == want).collect::<PresentMap>();
            let mut all = differences(&split(&platform_wanted, false), &split_present(false), cx.pool, class("node/platform"));
            // A kernel parameter reaches the machine only when it is deployed.
            all.extend(differences(&split(&platform_wanted, true), &split_present(true), cx.pool, class("node/kernel_params")));
            all.sort_by(|a, b| a.path.cmp(&b.path));
            all
        }
    };
    Ok(Aspects {
        networking: (!net.is_empty()).then_some((net_params, net)),
        storage,
        platform: (!platform_attributes.is_empty()).then_some((platform_params, platform_attributes)),
    })
}

/// Why a node's kernel parameters, which a tag carries, are not known; `None` if they are, or if the design has none.
fn unknown_tags(cx: &Context<'_>, node: &Node) -> Option<String> {
    match cx.provisioner.map(|p| &p.tags) {
        Some(Fact::Unknown(reason)) if !node.platform.kernel_params.is_empty() => {
            Some(format!("tags of the provisioner, which carry its kernel parameters, are not known: {reason}"))
        }
        _ => None,
    }
}

fn change(resource: String, node: &str, operation: Operation, attributes: Vec<Arc<AttributeChange>>, reason: &str) -> Change {
    let effect = attributes.iter().map(|a| a.effect).max().unwrap_or(Effect::None);
    Change { resource, node: Some(node.to_owned()), operation, effect, reason: reason.to_owned(), attributes }
}

/// Power settings at the provisioner that differ, and how that is shown.
fn power_settings(
    cx: &Context<'_>,
    node: &Node,
    identity: &NodeIdentity<'_>,
    machine: Option<&Machine>,
    class: Class<'_>,
) -> Option<(PowerSettings, Change)> {
    let mut wanted = platform::wanted_power(node).filter(|_| cx.policy.manage_power)?;
    // The design's credentials work: its BMC has just been read with them.
    wanted.renew = identity.bmc.is_some() && machine.is_some_and(|m| m.power_error);
    let (attributes, present) = platform::power_attributes(node, &wanted, machine);
    let differing = differences(&attributes, &present, cx.pool, class);
    let operation = if machine.is_some() { Operation::Update } else { Operation::Create };
    let name = &node.name.value;
    (!differing.is_empty()).then(|| (wanted, change(format!("node.{name}/power_settings"), name, operation, differing, "")))
}

/// From a stage before deployment to the target.
fn advance(
    cx: &Context<'_>,
    node: &Node,
    identity: &NodeIdentity<'_>,
    machine: Option<&Machine>,
    now: Stage,
    target: Stage,
) -> NodeComparison {
    let name = &node.name.value;
    let power = identity.power();
    // A machine that runs and that the provisioner does not know may be in production.
    let in_use = now == Stage::Absent && power != PowerState::Off;
    let effect = if in_use { Effect::Redeploy } else { Effect::Install };
    if now == Stage::Absent && identity.bmc.is_none() {
        let error = identity.bmc_error.as_deref().unwrap_or("no OOB settings");
        return stuck(
            name,
            now,
            format!("the provisioner does not have it, and its BMC could not be read: {error}"),
            "make the BMC answer, then plan again".into(),
        );
    }
    if now == Stage::Absent && identity.binding.macs.is_empty() && identity.binding.uuid.is_none() && identity.binding.guid.is_none() {
        return stuck(
            name,
            now,
            "its BMC reports neither MAC nor UUID and the design has no boot_mac, so its enlistment could not be recognised".into(),
            "set boot_mac in the design".into(),
        );
    }
    if let Some(reason) = unknown_tags(cx, node) {
        return stuck(name, now, reason, "make the provisioner answer, then plan again".into());
    }
    let aspects = match aspects(cx, node, machine, now, effect) {
        Ok(a) => a,
        Err(reason) => return stuck(name, now, reason, "correct the device aliases of its hardware profile, or the machine".into()),
    };
    let deploy = if target == Stage::Deployed { platform::wanted_deploy(cx.site, node) } else { None };
    if target == Stage::Deployed && deploy.is_none() {
        return stuck(name, now, "the design names no image for it".into(), "set platform.image in its host profile".into());
    }
    let mut stage_attributes = vec![cx.pool.share(&Draft {
        path: "stage",
        before: Some(&json!(now.name())),
        after: Some(&json!(target.name())),
        known_after: None,
        effect,
        reason: match power {
            _ if !in_use => "",
            PowerState::Unknown => "it cannot be told whether it is on, and the provisioner does not know it: it may be in production",
            _ => "it is on and the provisioner does not know it: it may be in production",
        },
        span: node.span,
    })];
    if let Some(d) = &deploy {
        let mut wanted = WantedMap::new();
        image_attributes(node, d, &mut wanted);
        stage_attributes.extend(created(&wanted, cx.pool, effect, None));
    }
    let operation = if in_use { Operation::Replace } else { Operation::Create };
    let identify = now == Stage::Absent
        || machine.is_some_and(|m| m.hostname != *name || node.domain.as_ref().is_some_and(|d| !m.domain.eq_ignore_ascii_case(&d.value)));
    // Disks and name of an allocated machine cannot be changed; released, it is ready again. A release that is under way is waited for.
    let release = matches!(now, Stage::FailedDeployment | Stage::Releasing | Stage::FailedReleasing)
        || (now == Stage::Allocated && (aspects.storage.is_some() || machine.is_some_and(|m| m.hostname != *name)));
    let before_ready = matches!(now, Stage::Absent | Stage::Enlisted | Stage::Commissioning | Stage::FailedCommissioning);
    let settings = power_settings(cx, node, identity, machine, Class::All(effect));
    let work = NodeWork {
        now,
        target,
        binding: identity.binding.clone(),
        power,
        identify,
        power_settings: settings.as_ref().map(|(p, _)| p.clone()),
        hostname: None,
        networking: aspects.networking.as_ref().map(|(p, _)| Json::of(p)),
        storage: aspects.storage.as_ref().map(|(p, _)| Json::of(p)),
        // A release drops owner data, so all of it is set again.
        platform: if release { Some(Json::of(&cx.platform(node, machine).0)) } else { aspects.platform.as_ref().map(|(p, _)| Json::of(p)) },
        deploy,
        release: release.then(DestroyNode::default),
        delete_record: false,
        enlist: now == Stage::Absent,
        commission: before_ready.then(|| cx.policy.commission.clone()),
        // Who sets the boot source by hand sets it for one start.
        boot_from_disk: target == Stage::Deployed && identity.bmc.is_some_and(|b| !b.address.is_empty()),
        power_on: false,
        effect,
    };
    let mut changes = Vec::new();
    let reached = now == target || (target == Stage::Ready && now == Stage::Allocated);
    if !reached || release {
        changes.push(change(format!("node.{name}"), name, operation, stage_attributes, ""));
    }
    changes.extend(settings.map(|(_, c)| c));
    push_aspects(&mut changes, name, aspects, operation);
    if changes.is_empty() {
        return NodeComparison { now, then: now, work: None, changes, held_back: Vec::new(), blocked: Vec::new() };
    }
    if in_use && !cx.policy.allows(Effect::Redeploy, &selectable(node, now).as_ref()) {
        let held_back = changes
            .into_iter()
            .map(|change| HeldBack {
                change,
                reason: "the machine is on and unknown to the provisioner; it may be in production".into(),
                hint: format!("if it may be overwritten: --allow redeploy=node={name}"),
            })
            .collect();
        return NodeComparison { now, then: now, work: None, changes: Vec::new(), held_back, blocked: Vec::new() };
    }
    NodeComparison { now, then: target, work: Some(work), changes, held_back: Vec::new(), blocked: Vec::new() }
}

fn push_aspects(changes: &mut Vec<Change>, name: &str, aspects: Aspects, operation: Operation) {
    if let Some((_, attributes)) = aspects.networking {
        changes.push(change(format!("node.{name}/networking"), name, operation, attributes, ""));
    }
    if let Some((_, attributes)) = aspects.storage {
        changes.push(change(format!("node.{name}/storage"), name, operation, attributes, ""));
    }
    if let Some((_, attributes)) = aspects.platform {
        changes.push(change(format!("node.{name}/platform"), name, operation, attributes, ""));
    }
}

fn image_attributes(node: &Node, deploy: &DeployNode, wanted: &mut WantedMap) {
    if let Some(image) = &node.platform.image {
        want(wanted, "image", format!("{}/{}", deploy.os, deploy.series), image.span);
    }
    if let (Some(kernel), Some(text)) = (&deploy.kernel, &node.platform.kernel) {
        want(wanted, "kernel", kernel.as_str(), text.span);
    }
    if let Some(shown) = &deploy.user_data {
        want(wanted, "user_data", shown.as_str(), Span::NOWHERE);
    }
}

/// A deployed node: what differs is either changed online or needs a new deployment.
fn deployed(cx: &Context<'_>, node: &Node, identity: &NodeIdentity<'_>, machine: Option<&Machine>, target: Stage) -> NodeComparison {
    let name = &node.name.value;
    let now = Stage::Deployed;
    let mut blocked = Vec::new();
    let aspects = match aspects(cx, node, machine, now, Effect::Redeploy) {
        Ok(a) => a,
        Err(reason) => {
            blocked.push(Blocked {
                resource: format!("node.{name}"),
                reason,
                hint: "correct the device aliases of its hardware profile; a deployed machine is left as it is".into(),
            });
            return NodeComparison { now, then: now, work: None, changes: Vec::new(), held_back: Vec::new(), blocked };
        }
    };
    let Aspects { networking: net, storage: disks, platform } = aspects;
    let mut online = Vec::new();
    let mut redeploy: Vec<Change> = Vec::new();
    let mut platform_params = None;
    if let Some((params, attributes)) = platform {
        let (kernel, rest): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|a| a.path == "kernel_params");
        if !rest.is_empty() {
            online.push(change(format!("node.{name}/platform"), name, Operation::Update, rest, ""));
        }
        if !kernel.is_empty() {
            redeploy.push(change(format!("node.{name}/kernel_params"), name, Operation::Replace, kernel, ""));
        }
        platform_params = Some(params);
    }
    let wanted_deploy = platform::wanted_deploy(cx.site, node);
    if let (Some(d), Some(m)) = (&wanted_deploy, machine) {
        let mut wanted = WantedMap::new();
        image_attributes(node, d, &mut wanted);
        let mut have = PresentMap::from([("image".to_owned(), json!(format!("{}/{}", m.os, m.series)))]);
        if d.kernel.is_some() {
            have.insert("kernel".into(), m.kernel.as_ref().map_or(Value::Null, |k| json!(k)));
        }
        match m.owner_data.get(platform::MARK_USER_DATA) {
            // Deployed by somebody else, or before it was marked: what it was given is not known.
            None => drop(wanted.remove("user_data")),
            Some(given) if given == platform::NO_USER_DATA => {}
            Some(given) => drop(have.insert("user_data".into(), json!(given))),
        }
        let attributes = differences(&wanted, &have, cx.pool, Class::Of("node"));
        if !attributes.is_empty() {
            redeploy.push(change(format!("node.{name}"), name, Operation::Replace, attributes, ""));
        }
    }
    if let Some((_, attributes)) = &net {
        redeploy.push(change(format!("node.{name}/networking"), name, Operation::Replace, attributes.clone(), ""));
    }
    if let Some((_, attributes)) = &disks {
        redeploy.push(change(format!("node.{name}/storage"), name, Operation::Replace, attributes.clone(), ""));
    }
    let mut boot_from_disk = false;
    let mut power_on = false;
    let mut held_back = Vec::new();
    let selection = selectable(node, now);
    if let Some(bmc) = identity.bmc {
        if let Some(boot) = &bmc.boot
            && boot.enabled != BootEnabled::Disabled
            && !matches!(boot.target.as_str(), "None" | "Hdd")
        {
            boot_from_disk = true;
            let attributes = vec![cx.plain(
                "boot_source",
                &json!(format!("{}, {}", boot.target, enabled_name(boot.enabled))),
                &json!("disk"),
                effect_of("node/boot", "boot_source").0,
                "",
            )];
            online.push(change(format!("node.{name}/boot"), name, Operation::Update, attributes, "a restart would not boot from its disk"));
        }
        if bmc.power == PowerState::Off {
            let (power, why) = effect_of("node/power", "power");
            let attributes = vec![cx.plain("power", &json!("off"), &json!("on"), power, why)];
            let c = change(format!("node.{name}/power"), name, Operation::Update, attributes, "");
            if cx.policy.allows(Effect::Reboot, &selection.as_ref()) {
                power_on = true;
                online.push(c);
            } else {
                held_back.push(HeldBack {
                    change: c,
                    reason: "it is deployed and switched off; perhaps on purpose".into(),
                    hint: format!("to switch it on: --allow reboot=node={name}"),
                });
            }
        }
    }
    // A BMC that has answered before and does not now: an empty plan must not hide that.
    if let (None, Some(error), Some(_)) = (identity.bmc, &identity.bmc_error, &identity.binding.bmc_address) {
        blocked.push(Blocked {
            resource: format!("node.{name}/power"),
            reason: format!("its power and boot source are not known: {error}"),
            hint: "make the BMC answer, then plan again".into(),
        });
    }
    let unknown = unknown_tags(cx, node);
    if let Some(reason) = &unknown {
        blocked.push(Blocked {
            resource: format!("node.{name}/kernel_params"),
            reason: reason.clone(),
            hint: "make the provisioner answer, then plan again".into(),
        });
    }
    let settings = power_settings(cx, node, identity, machine, Class::Of("node/power_settings"));
    online.extend(settings.as_ref().map(|(_, c)| c.clone()));
    let confirmed = !matches!(identity.found, Match::Machine { confirmed: false, .. });
    let allowed = !redeploy.is_empty() && cx.policy.allows(Effect::Redeploy, &selection.as_ref());
    let mut changes = online;
    let mut do_redeploy = false;
    if allowed && confirmed && identity.bmc.is_some() && unknown.is_none() {
        do_redeploy = true;
        changes.append(&mut redeploy);
    }
    for change in redeploy {
        let (reason, hint) = if let (true, Some(why)) = (allowed, &unknown) {
            (format!("it may be deployed again, but {why}"), "make the provisioner answer, then plan again".to_owned())
        } else if allowed {
            (
                "it may be deployed again, but its BMC could not be read to confirm which machine it is".to_owned(),
                "make the BMC answer, then plan again".to_owned(),
            )
        } else {
            ("it would write the operating system again".to_owned(), format!("to allow it: --allow redeploy=node={name}"))
        };
        held_back.push(HeldBack { change, reason, hint });
    }
    if changes.is_empty() {
        return NodeComparison { now, then: now, work: None, changes, held_back, blocked };
    }
    let effect = changes.iter().map(|c| c.effect).max().unwrap_or(Effect::None);
    let work = NodeWork {
        now,
        target,
        binding: identity.binding.clone(),
        power: identity.power(),
        identify: false,
        power_settings: settings.map(|(p, _)| p),
        // MAAS does not rename a machine in use.
        hostname: machine.map(|m| m.hostname.clone()),
        networking: do_redeploy.then(|| Json::of(&networking::wanted(cx.site, node).0)),
        storage: if do_redeploy { storage::wanted(cx.site, node).map(|(p, _)| Json::of(&p)) } else { None },
        // A release drops owner data, so a new deployment sets the platform again.
        platform: if do_redeploy {
            Some(Json::of(&cx.platform(node, machine).0))
        } else if changes.iter().any(|c| c.resource.ends_with("/platform")) {
            // The kernel parameters stay as they are while their change is held back.
            platform_params.map(|mut p| {
                if held_back.iter().any(|h| h.change.resource.ends_with("/kernel_params")) {
                    p.kernel_params = None;
                }
                Json::of(&p)
            })
        } else {
            None
        },
        deploy: if do_redeploy { wanted_deploy } else { None },
        release: do_redeploy.then(DestroyNode::default),
        delete_record: false,
        enlist: false,
        commission: None,
        boot_from_disk: boot_from_disk || do_redeploy,
        // A deployment switches it on; in between it is off on purpose.
        power_on: power_on && !do_redeploy,
        effect,
    };
    NodeComparison { now, then: target, work: Some(work), changes, held_back, blocked }
}

fn enabled_name(enabled: BootEnabled) -> &'static str {
    match enabled {
        BootEnabled::Disabled => "no override",
        BootEnabled::Once => "next boot",
        BootEnabled::Continuous => "every boot",
    }
}

/// The goal `destroy_nodes`.
fn release(cx: &Context<'_>, name: &str, now: Stage, machine: Option<&Machine>, identity: &NodeIdentity<'_>) -> NodeComparison {
    let nothing = NodeComparison { now, then: now, work: None, changes: Vec::new(), held_back: Vec::new(), blocked: Vec::new() };
    match now {
        Stage::Deployed | Stage::Allocated | Stage::Deploying | Stage::FailedDeployment | Stage::FailedReleasing => {}
        Stage::Enlisted | Stage::Ready | Stage::FailedCommissioning if cx.policy.release.delete_record => {}
        Stage::Absent | Stage::Enlisted | Stage::Ready | Stage::FailedCommissioning | Stage::Releasing => return nothing,
        Stage::Foreign => {
            return stuck(
                name,
                now,
                "it was not deployed by drydock for this site".into(),
                "release it in the provisioner; it is never touched otherwise".into(),
            );
        }
        _ => {
            return stuck(
                name,
                now,
                format!("its machine is {}", machine.map_or("not known", |m| m.status_name.as_str())),
                "bring it to a known status first".into(),
            );
        }
    }
    if matches!(identity.found, Match::Machine { confirmed: false, .. }) {
        return stuck(
            name,
            now,
            "only host name and BMC address say which machine it is".into(),
            "make the BMC answer, then plan again".into(),
        );
    }
    let (work, change) = released(cx, name, now, identity.binding.clone(), identity.power());
    NodeComparison { now, then: work.target, work: Some(work), changes: vec![change], held_back: Vec::new(), blocked: Vec::new() }
}

/// What a release does beside releasing, as attributes: shown in every plan that releases.
fn release_attributes(cx: &Context<'_>, release: Release) -> Vec<Arc<AttributeChange>> {
    let (kept, erased) = ("as they are", "erased");
    let mut out = vec![cx.plain("disks", &json!(kept), &json!(if release.erase { erased } else { kept }), Effect::Destroy, "")];
    if release.delete_record {
        out.push(cx.plain("record", &json!("kept"), &json!("deleted"), Effect::Destroy, "the provisioner forgets the machine"));
    }
    out
}

/// The release of a machine, and how it is shown.
pub(super) fn released(cx: &Context<'_>, name: &str, now: Stage, binding: Binding, power: PowerState) -> (NodeWork, Change) {
    let release = cx.policy.release;
    let target = if release.delete_record { Stage::Absent } else { Stage::Ready };
    let reason = if release.erase { "what runs on it is given up" } else { "what runs on it is given up; its disks are not erased" };
    let mut attributes = vec![cx.plain("stage", &json!(now.name()), &json!(target.name()), Effect::Destroy, reason)];
    attributes.extend(release_attributes(cx, release));
    attributes.sort_by(|a, b| a.path.cmp(&b.path));
    let work = NodeWork {
        now,
        target,
        binding,
        power,
        identify: false,
        power_settings: None,
        hostname: None,
        networking: None,
        storage: None,
        platform: None,
        deploy: None,
        release: (now > Stage::Ready).then_some(DestroyNode { erase: release.erase }),
        delete_record: release.delete_record,
        enlist: false,
        commission: None,
        boot_from_disk: false,
        power_on: false,
        effect: Effect::Destroy,
    };
    (work, change(format!("node.{name}"), name, Operation::Delete, attributes, ""))
}

/// An owned copy of what selectors look at.
#[derive(Debug, Clone)]
pub(super) struct NodeSelection {
    node: String,
    rack: Option<String>,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
    stage: &'static str,
}

impl NodeSelection {
    pub(super) fn as_ref(&self) -> Selectable<'_> {
        Selectable { node: &self.node, rack: self.rack.as_deref(), tags: &self.tags, labels: &self.labels, stage: self.stage }
    }
}

pub(super) fn selectable(node: &Node, stage: Stage) -> NodeSelection {
    NodeSelection {
        node: node.name.value.clone(),
        rack: node.rack.as_ref().map(|r| r.value.clone()),
        tags: node.tags.iter().map(|t| t.value.clone()).collect(),
        labels: node.owner_data.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect(),
        stage: stage.name(),
    }
}

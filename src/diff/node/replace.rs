//! A node that is released and bootstrapped from scratch, as one reviewed plan (`plan --replace`).

use serde_json::json;

use super::{
    AFTER_COMMISSIONING, Aspects, Context, NodeComparison, NodeWork, change, image_attributes, push_aspects, release_attributes, stuck,
};
use crate::action::params::{ConfigureHardware, DestroyNode};
use crate::action::{Effect, Json};
use crate::build::{Binding, Machine, PowerState};
use crate::diff::attributes::{WantedMap, created};
use crate::diff::identity::NodeIdentity;
use crate::diff::{Operation, Stage, networking, platform, storage};
use crate::model::Node;

/// The release of a machine, its commissioning, and everything that the design says of it.
pub(super) fn replaced(
    cx: &Context<'_>,
    node: &Node,
    identity: &NodeIdentity<'_>,
    machine: &Machine,
    now: Stage,
    target: Stage,
) -> NodeComparison {
    let name = &node.name.value;
    if identity.bmc.is_none() {
        let why = identity.bmc_error.as_deref().unwrap_or("it has no out-of-band settings");
        let reason = format!("it is to be replaced, and its BMC could not be read to confirm which machine it is: {why}");
        return stuck(name, now, reason, "make the BMC answer, then plan again".into());
    }
    let deploy = if target == Stage::Deployed { platform::wanted_deploy(cx.site, node) } else { None };
    if target == Stage::Deployed && deploy.is_none() {
        return stuck(name, now, "the design names no image for it".into(), "set platform.image in its host profile".into());
    }
    let in_use = !matches!(now, Stage::Enlisted | Stage::Commissioning | Stage::FailedCommissioning | Stage::Ready);
    let release = cx.policy.release;
    // A record that nobody holds needs no release, only its removal.
    let releases = in_use || release.delete_record;
    let effect = if in_use { Effect::Destroy } else { Effect::Install };
    let full = everything(cx, node, machine, effect);
    let commission =
        ConfigureHardware { again_after: if release.delete_record { None } else { machine.commissioning }, ..cx.policy.commission.clone() };
    let mut attributes = vec![cx.plain(
        "stage",
        &json!(format!("{}, to be replaced", now.name())),
        &json!(target.name()),
        effect,
        if in_use { "what runs on it is given up, and it is bootstrapped from scratch" } else { "it is bootstrapped from scratch" },
    )];
    if releases {
        attributes.extend(release_attributes(cx, release));
    }
    if let Some(d) = &deploy {
        let mut wanted = WantedMap::new();
        image_attributes(node, d, &mut wanted);
        attributes.extend(created(&wanted, cx.pool, effect, None));
    }
    attributes.sort_by(|a, b| a.path.cmp(&b.path));
    let work = NodeWork {
        now,
        target,
        // After its record is gone, the machine is known by its hardware alone.
        binding: Binding {
            machine: if release.delete_record { None } else { identity.binding.machine.clone() },
            ..identity.binding.clone()
        },
        power: PowerState::Unknown,
        identify: release.delete_record
            || machine.hostname != *name
            || node.domain.as_ref().is_some_and(|d| !machine.domain.eq_ignore_ascii_case(&d.value)),
        power_settings: platform::wanted_power(node).filter(|_| cx.policy.manage_power),
        hostname: None,
        networking: full.networking.as_ref().map(|(p, _)| Json::of(p)),
        storage: full.storage.as_ref().map(|(p, _)| Json::of(p)),
        platform: full.platform.as_ref().map(|(p, _)| Json::of(p)),
        deploy,
        release: in_use.then_some(DestroyNode { erase: release.erase }),
        delete_record: release.delete_record,
        enlist: release.delete_record,
        commission: Some(commission),
        boot_from_disk: target == Stage::Deployed,
        power_on: false,
        effect,
    };
    let mut changes = vec![change(format!("node.{name}"), name, Operation::Replace, attributes, "")];
    push_aspects(&mut changes, name, full, Operation::Replace);
    NodeComparison { now, then: target, work: Some(work), changes, held_back: Vec::new(), blocked: Vec::new() }
}

/// All that the design says of networking, storage and platform: commissioning puts them back to what the provisioner finds.
fn everything(cx: &Context<'_>, node: &Node, machine: &Machine, effect: Effect) -> Aspects {
    let known = |wanted: &WantedMap| created(wanted, cx.pool, effect, Some(AFTER_COMMISSIONING));
    let (params, wanted) = networking::wanted(cx.site, node);
    let networking = (!params.interfaces.is_empty()).then(|| (params, known(&wanted)));
    let storage = storage::wanted(cx.site, node).map(|(params, wanted)| (params, known(&wanted)));
    let (params, wanted) = cx.platform(node, Some(machine));
    Aspects { networking, storage, platform: Some((params, created(&wanted, cx.pool, effect, None))) }
}

//! The branch of one node: stage now and target → ordered steps. One table.

use crate::action::params::{BootTarget, IdentifyNode, NoParams, PowerParams, SetNodeBoot};
use crate::action::{ActionKind, Effect, Json, Precondition};
use crate::build::{MachineStatus, PowerState};
use crate::diff::{NodeNeeds, NodeWork, Stage};

/// Seconds that a running operating system gets to shut down before it is forced off.
const GRACEFUL_SHUTDOWN_S: u32 = 120;

/// One step of a branch.
pub(super) struct Step<'a> {
    pub(super) kind: ActionKind,
    /// Part of the node that it changes (`node.x` or `node.x/networking`).
    pub(super) resource: String,
    pub(super) effect: Effect,
    pub(super) params: Json,
    /// Site resources it waits for.
    pub(super) needs: Vec<&'a [String]>,
    pub(super) preconditions: Vec<Precondition>,
    /// Whether it needs a healthy provisioner and rack controller.
    pub(super) verified_site: bool,
    /// What follows it at once, if it is only there for that, and waits for the same.
    pub(super) before: Option<ActionKind>,
}

/// The steps that bring a node from where it is to where it shall be.
pub(super) fn steps<'a>(name: &str, domain: Option<&str>, work: &NodeWork, needs: &'a NodeNeeds) -> Vec<Step<'a>> {
    let mut out: Vec<Step<'a>> = Vec::new();
    let node = format!("node.{name}");
    let part = |p: &str| format!("{node}/{p}");
    let mut push = |kind, resource: String, effect, params, needs: Vec<&'a [String]>, preconditions, verified_site| {
        out.push(Step { kind, resource, effect, params, needs, preconditions, verified_site, before: None });
    };
    if let Some(release) = work.release {
        let statuses = vec![
            MachineStatus::Allocated,
            MachineStatus::Deploying,
            MachineStatus::Deployed,
            MachineStatus::FailedDeployment,
            MachineStatus::Releasing,
            MachineStatus::FailedReleasing,
        ];
        push(
            ActionKind::DestroyNode,
            node.clone(),
            work.effect,
            Json::of(&release),
            // What it installs with is in place before the operating system is given up.
            if work.deploy.is_some() {
                vec![&needs.networking, &needs.platform, &needs.naming, &needs.deploy, &needs.boot]
            } else {
                Vec::new()
            },
            vec![Precondition::Identity, Precondition::Status(statuses)],
            work.deploy.is_some(),
        );
    }
    if work.delete_record {
        let nothing = Json::of(&NoParams {});
        push(ActionKind::DeleteNode, part("record"), work.effect, nothing, Vec::new(), vec![Precondition::Identity], false);
    }
    if work.enlist {
        let is_off = work.power == PowerState::Off;
        let mut guards = vec![Precondition::NotEnlisted, Precondition::Identity];
        if is_off {
            guards.push(Precondition::HoldsNothing);
        }
        let boot = Json::of(&SetNodeBoot { target: BootTarget::Pxe });
        push(ActionKind::SetNodeBoot, part("boot"), work.effect, boot, vec![&needs.boot], guards, true);
        let guards = || vec![Precondition::NotEnlisted, Precondition::Identity];
        if !is_off {
            let off = Json::of(&PowerParams { graceful_s: GRACEFUL_SHUTDOWN_S });
            push(ActionKind::PowerOffNode, part("power"), work.effect, off, Vec::new(), guards(), false);
        }
        push(ActionKind::PowerOnNode, part("power"), work.effect, Json::of(&PowerParams { graceful_s: 0 }), Vec::new(), guards(), false);
    } else if work.power_on {
        let on = Json::of(&PowerParams { graceful_s: 0 });
        push(ActionKind::PowerOnNode, part("power"), Effect::Reboot, on, Vec::new(), vec![Precondition::Identity], false);
    }
    if (work.identify && work.commission.is_some()) || work.power_settings.is_some() {
        let (hostname, power) = (work.hostname.clone().unwrap_or_else(|| name.to_owned()), work.power_settings.clone());
        let domain = if work.hostname.is_some() { None } else { domain.map(str::to_owned) };
        let identify = Json::of(&IdentifyNode { domain, hostname, power });
        let effect = if work.now == Stage::Deployed && work.release.is_none() { Effect::Online } else { work.effect };
        push(ActionKind::IdentifyNode, node.clone(), effect, identify, vec![&needs.naming], Vec::new(), false);
    }
    if let Some(commission) = &work.commission {
        push(
            ActionKind::ConfigureHardware,
            part("hardware"),
            work.effect,
            Json::of(commission),
            vec![&needs.boot],
            vec![Precondition::Identity],
            true,
        );
        push(ActionKind::InterrogateNode, part("hardware"), Effect::None, Json::of(&NoParams {}), Vec::new(), Vec::new(), false);
    }
    // Nothing of a machine that is being deployed can be changed but its tags and data.
    if work.now != Stage::Deploying || work.release.is_some() {
        if let Some(p) = &work.networking {
            push(ActionKind::ApplyNodeNetworking, part("networking"), work.effect, p.clone(), vec![&needs.networking], Vec::new(), false);
        }
        if let Some(p) = &work.storage {
            push(ActionKind::ApplyNodeStorage, part("storage"), work.effect, p.clone(), Vec::new(), Vec::new(), false);
        }
    }
    if let Some(p) = &work.platform {
        let effect = if work.now == Stage::Deployed && work.release.is_none() { Effect::Online } else { work.effect };
        push(ActionKind::ApplyNodePlatform, part("platform"), effect, p.clone(), vec![&needs.platform, &needs.naming], Vec::new(), false);
    }
    if let Some(p) = &work.deploy {
        push(
            ActionKind::DeployNode,
            node.clone(),
            work.effect,
            Json::of(p),
            vec![&needs.deploy, &needs.boot],
            vec![Precondition::Identity],
            true,
        );
    }
    if work.boot_from_disk {
        let boot = Json::of(&SetNodeBoot { target: BootTarget::Disk });
        push(ActionKind::SetNodeBoot, part("boot"), Effect::Online, boot, Vec::new(), vec![Precondition::Identity], false);
    }
    out
}

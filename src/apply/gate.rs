//! Gates between waves: whether the nodes of a wave are healthy, and stay so for as long as the plan says.
//!
//! Watching reads only, and holds no slot. What was seen is told to the dispatcher, which journals it; a resumed run watches anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::build::{Binding, MachineStatus, PowerState};
use crate::diff::Goal;

use super::context::Context;

/// Looks at a wave's nodes are at most so far apart.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Nodes that a message names.
const NAMED: usize = 5;

/// A wave that is watched.
pub(super) struct Watch {
    pub wave: u32,
    /// Its nodes whose branches are through.
    pub nodes: Vec<(String, Arc<Binding>)>,
    /// Its nodes that are deployed with boot actions, whose end nobody reports.
    pub boot_actions: Vec<String>,
    /// How long they have to be healthy.
    pub healthy_for: Duration,
    /// In what time they have to have become so.
    pub patience: Duration,
}

/// What watching showed.
pub(super) enum Watched {
    Healthy { not_verified: Vec<String> },
    Sick { message: String },
}

/// What one look at a node shows.
#[derive(Default)]
struct Look {
    sick: Option<String>,
    /// What cannot be looked at.
    unseen: Option<String>,
}

/// Watches a wave until its nodes have been healthy for long enough, or did not become so in time.
pub(super) async fn watch(cx: Arc<Context>, watch: Watch) -> Watched {
    let begun = Instant::now();
    let pause = (watch.healthy_for / 3).clamp(Duration::from_millis(10), LONGEST_PAUSE);
    let mut healthy_since: Option<Instant> = None;
    loop {
        let (sick, mut unseen) = look_at_all(&cx, &watch.nodes).await;
        let now = Instant::now();
        if sick.is_empty() {
            let since = *healthy_since.get_or_insert(now);
            if now - since >= watch.healthy_for {
                if !watch.boot_actions.is_empty() {
                    unseen.push(format!("boot actions of {}, whose end is not reported", few(&watch.boot_actions)));
                }
                return Watched::Healthy { not_verified: unseen };
            }
        } else {
            healthy_since = None;
            if now - begun >= watch.patience {
                return Watched::Sick { message: few_lines(&sick) };
            }
        }
        sleep(pause).await;
    }
}

async fn look_at_all(cx: &Arc<Context>, nodes: &[(String, Arc<Binding>)]) -> (Vec<String>, Vec<String>) {
    let mut looks = JoinSet::new();
    for (place, (node, binding)) in nodes.iter().enumerate() {
        let (cx, node, binding) = (Arc::clone(cx), node.clone(), Arc::clone(binding));
        looks.spawn(async move { (place, look(&cx, &node, &binding).await) });
    }
    let mut seen: Vec<(usize, Look)> = Vec::with_capacity(nodes.len());
    while let Some(looked) = looks.join_next().await {
        // A look that panicked saw nothing that is well.
        seen.push(looked.unwrap_or_else(|e| (0, Look { sick: Some(format!("drydock itself failed to look: {e}")), unseen: None })));
    }
    seen.sort_by_key(|(place, _)| *place);
    let unseen: Vec<String> = seen.iter().filter_map(|(_, l)| l.unseen.clone()).collect();
    let unseen = if unseen.is_empty() { Vec::new() } else { vec![few_lines(&unseen)] };
    (seen.into_iter().filter_map(|(_, l)| l.sick).collect(), unseen)
}

/// One look at a node: where its branch has brought it, its power, and its BMC.
async fn look(cx: &Context, node: &str, binding: &Binding) -> Look {
    let sick = |text: String| Look { sick: Some(format!("{node}: {text}")), unseen: None };
    let deployed = cx.plan.goal == Goal::DeployNodes;
    if let Some(provisioner) = cx.drivers.provisioner("") {
        match provisioner.record(binding).await {
            Ok(Some(machine)) => {
                let wanted = if deployed {
                    machine.status == MachineStatus::Deployed
                } else {
                    matches!(machine.status, MachineStatus::Ready | MachineStatus::Allocated | MachineStatus::Deployed)
                };
                if !wanted {
                    return sick(format!("the provisioner shows it as {}", machine.status_name));
                }
            }
            Ok(None) => return sick("the provisioner does not have it".to_owned()),
            Err(error) => return sick(format!("the provisioner does not tell: {error}")),
        }
    }
    let Some(driver) = cx.drivers.bmc(node).filter(|_| binding.bmc_address.is_some()) else {
        return Look { sick: None, unseen: Some(format!("the BMC of {node}, which no driver talks to")) };
    };
    match driver.interrogate(node).await {
        Err(error) => sick(format!("its BMC does not answer: {error}")),
        Ok(bmc) if deployed && bmc.power == PowerState::Off => sick("its BMC shows it as off".to_owned()),
        Ok(bmc) if bmc.health.as_deref().is_some_and(|h| h.eq_ignore_ascii_case("critical")) => {
            sick("its BMC reports its health as Critical".to_owned())
        }
        Ok(bmc) => {
            let warns =
                bmc.health.filter(|h| !h.eq_ignore_ascii_case("ok")).map(|h| format!("health of {node}, which its BMC reports as {h}"));
            Look { sick: None, unseen: warns }
        }
    }
}

fn few(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}

fn few_lines(texts: &[String]) -> String {
    let shown = texts.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if texts.len() > NAMED { format!("{shown}; and {} more", texts.len() - NAMED) } else { shown }
}

//! The whole graph.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;

use super::{branch, hooks};
use crate::action::params::{RunHook, VerifySite};
use crate::action::{Action, ActionKind, DriverRole, Effect, Json, JsonDigest, Precondition, RetryClass};
use crate::build::Binding;
use crate::diff::{Comparison, Goal, SiteStep};

/// The driver that asks a person, and how long a person may take.
const MANUAL: &str = "manual";
const MANUAL_MINUTES: u32 = 240;

/// The driver of hooks, and the time in which it notices that one has passed its limit.
const HOOKS: &str = "hooks";
const HOOK_GRACE_S: u32 = 60;

/// What the graph needs besides the comparison.
#[derive(Debug, Clone, Default)]
pub struct GraphOptions {
    /// Site name.
    pub site: String,
    /// Name of the node driver.
    pub node_driver: String,
    /// Name of the OOB driver by node.
    pub oob_drivers: BTreeMap<String, String>,
    /// Time limits in seconds that differ from the defaults.
    pub timeouts_s: BTreeMap<ActionKind, u32>,
    /// DNS domain by node.
    pub domains: BTreeMap<String, String>,
    /// Generation by resource; part of every action's identity.
    pub generations: BTreeMap<String, u64>,
    /// Programs of the site's own around disruptions, by node.
    pub hooks: BTreeMap<String, Vec<RunHook>>,
    /// Whether only what the selected nodes need is kept.
    pub partial: bool,
}

/// Actions and the site resources whose changes they carry out.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Actions in a topological order.
    pub actions: Vec<Action>,
    /// Site resources that are changed by it.
    pub site_resources: BTreeSet<String>,
}

/// Why no graph can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Resources need each other.
    #[error("these resources need each other, so no order exists: {0}")]
    Cycle(String),
}

struct Draft {
    kind: ActionKind,
    resource: String,
    node: Option<String>,
    effect: Effect,
    params: Json,
    after: Vec<usize>,
    preconditions: Vec<Precondition>,
}

/// Makes the graph.
///
/// # Errors
/// When resources need each other.
pub fn construct(comparison: &Comparison, goal: Goal, options: &GraphOptions) -> Result<Graph, GraphError> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let ordered = order(&comparison.site.steps)?;
    let mut pending: Vec<(&str, &SiteStep)> = ordered;
    let removals = &comparison.site.removals;
    let needs_verification = goal == Goal::VerifySite || !pending.is_empty() || !comparison.work.is_empty() || !removals.is_empty();
    let boots = comparison.work.values().any(|w| w.deploy.is_some() || w.now < crate::diff::Stage::Ready);
    let verify = needs_verification && goal != Goal::DestroyNodes;
    if verify {
        let params = Json::of(&VerifySite { rack_controller: boots });
        drafts.push(Draft {
            kind: ActionKind::VerifySite,
            resource: "site".into(),
            node: None,
            effect: Effect::None,
            params,
            after: Vec::new(),
            preconditions: Vec::new(),
        });
    }
    let verified: Vec<usize> = if verify { vec![0] } else { Vec::new() };
    for (resource, step) in pending.drain(..) {
        let mut after: Vec<usize> = step.needs.iter().filter_map(|n| at.get(n).copied()).collect();
        if after.is_empty() {
            after.clone_from(&verified);
        }
        at.insert(resource.to_owned(), drafts.len());
        drafts.push(Draft {
            kind: step.kind,
            resource: resource.to_owned(),
            node: None,
            effect: step.change.effect,
            params: Json::from(step.params.clone()),
            after: tidy(after),
            preconditions: Vec::new(),
        });
    }
    // What a machine installs from and is reached with is in place before it is deployed.
    let before_deploy: Vec<usize> =
        at.iter().filter(|(r, _)| r.starts_with("repository.") || r.starts_with("sshkey.")).map(|(_, i)| *i).collect();
    let site_count = drafts.len();
    let mut last_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, work) in &comparison.work {
        let Some(needs) = comparison.needs.get(name) else { continue };
        let domain = options.domains.get(name).map(String::as_str);
        let mut previous: Option<usize> = None;
        let hooks = options.hooks.get(name).map_or(&[][..], Vec::as_slice);
        for step in hooks::around(name, work, branch::steps(name, domain, work, needs), hooks) {
            let mut after: Vec<usize> = step.needs.iter().flat_map(|list| list.iter()).filter_map(|n| at.get(n).copied()).collect();
            let gate = step.before.unwrap_or(step.kind);
            if gate == ActionKind::DeployNode || (gate == ActionKind::DestroyNode && work.deploy.is_some()) {
                after.extend(&before_deploy);
            }
            match previous {
                Some(p) => after.push(p),
                None => after.extend(&verified),
            }
            if step.verified_site {
                after.extend(&verified);
            }
            previous = Some(drafts.len());
            drafts.push(Draft {
                kind: step.kind,
                resource: step.resource,
                node: Some(name.clone()),
                effect: step.effect,
                params: step.params,
                after: tidy(after),
                preconditions: step.preconditions,
            });
        }
        if let Some(last) = previous {
            last_of.insert(name, last);
        }
    }
    for removal in removals {
        let resource = &removal.step.change.resource;
        let mut after: Vec<usize> = removal.step.needs.iter().filter_map(|n| at.get(n).copied()).collect();
        after.extend(removal.leaving.iter().filter_map(|node| last_of.get(node.as_str())));
        if after.is_empty() {
            after.clone_from(&verified);
        }
        at.insert(resource.clone(), drafts.len());
        drafts.push(Draft {
            kind: removal.step.kind,
            resource: resource.clone(),
            node: None,
            effect: removal.step.change.effect,
            params: Json::from(removal.step.params.clone()),
            after: tidy(after),
            preconditions: Vec::new(),
        });
    }
    let keep = if options.partial { ancestors(&drafts, site_count) } else { vec![true; drafts.len()] };
    Ok(finish(drafts, &keep, comparison, options))
}

fn tidy(mut after: Vec<usize>) -> Vec<usize> {
    after.sort_unstable();
    after.dedup();
    after
}

/// Site steps in an order in which each comes after what it needs.
fn order(steps: &BTreeMap<String, SiteStep>) -> Result<Vec<(&str, &SiteStep)>, GraphError> {
    let mut graph: DiGraph<&str, ()> = DiGraph::new();
    let ids: BTreeMap<&str, _> = steps.keys().map(|r| (r.as_str(), graph.add_node(r.as_str()))).collect();
    for (resource, step) in steps {
        for need in step.needs.iter().filter_map(|n| ids.get(n.as_str())) {
            graph.add_edge(*need, ids[resource.as_str()], ());
        }
    }
    let sorted = toposort(&graph, None).map_err(|cycle| GraphError::Cycle(graph[cycle.node_id()].to_owned()))?;
    Ok(sorted.into_iter().filter_map(|i| steps.get_key_value(graph[i])).map(|(r, s)| (r.as_str(), s)).collect())
}

/// Node actions and all that they wait for.
fn ancestors(drafts: &[Draft], site_count: usize) -> Vec<bool> {
    let mut keep = vec![false; drafts.len()];
    let mut stack: Vec<usize> = (site_count..drafts.len()).collect();
    while let Some(i) = stack.pop() {
        if !std::mem::replace(&mut keep[i], true) {
            stack.extend(&drafts[i].after);
        }
    }
    keep
}

fn finish(drafts: Vec<Draft>, keep: &[bool], comparison: &Comparison, options: &GraphOptions) -> Graph {
    let mut out = Graph::default();
    let mut ids: Vec<String> = vec![String::new(); drafts.len()];
    for (i, draft) in drafts.into_iter().enumerate() {
        if !keep[i] {
            continue;
        }
        let driver = match draft.kind.role() {
            DriverRole::Node => options.node_driver.clone(),
            DriverRole::Hook => HOOKS.to_owned(),
            DriverRole::Oob => draft.node.as_ref().and_then(|n| options.oob_drivers.get(n)).cloned().unwrap_or_else(|| "redfish".into()),
        };
        let after: Vec<String> = draft.after.iter().map(|d| ids[*d].clone()).filter(|id| !id.is_empty()).collect();
        let minutes = if driver == MANUAL { MANUAL_MINUTES } else { draft.kind.default_timeout_minutes() };
        let timeout_s = match hook_limit_s(&draft) {
            Some(limit_s) => limit_s.saturating_add(HOOK_GRACE_S),
            None => options.timeouts_s.get(&draft.kind).copied().unwrap_or(minutes * 60),
        };
        let retry = match draft.kind {
            ActionKind::DeployNode | ActionKind::DestroyNode | ActionKind::ConfigureHardware | ActionKind::RunHook => {
                RetryClass::ObserveFirst
            }
            _ => RetryClass::Repeatable,
        };
        if draft.node.is_none() {
            out.site_resources.insert(draft.resource.clone());
        }
        let mut action = Action {
            id: String::new(),
            kind: draft.kind,
            resource: draft.resource,
            node: draft.node,
            driver,
            effect: draft.effect,
            params: draft.params,
            after,
            preconditions: draft.preconditions,
            timeout_s,
            retry,
        };
        let binding = action.node.as_ref().and_then(|n| comparison.bindings.get(n));
        let generation = options.generations.get(&action.resource).copied().unwrap_or(0);
        action.id = action_id(&options.site, &action, binding, generation);
        ids[i].clone_from(&action.id);
        out.actions.push(action);
    }
    out
}

/// The time limit that a hook has of its own.
fn hook_limit_s(draft: &Draft) -> Option<u32> {
    let limit = draft.params.get("limit_s").filter(|_| draft.kind == ActionKind::RunHook)?;
    u32::try_from(limit.as_u64()?).ok()
}

/// What makes an action what it is. A later deployment of the same thing is another action: the generation differs.
fn action_id(site: &str, action: &Action, binding: Option<&Binding>, generation: u64) -> String {
    let mut digest = JsonDigest::new();
    digest.text("{\"site\":").json(site);
    digest.text(",\"kind\":").json(&action.kind);
    digest.text(",\"resource\":").json(&action.resource);
    digest.text(",\"driver\":").json(&action.driver);
    digest.text(",\"effect\":").json(&action.effect);
    digest.text(",\"params\":").text(action.params.text());
    digest.text(",\"after\":").json(&action.after);
    digest.text(",\"preconditions\":").json(&action.preconditions);
    digest.text(",\"timeout_s\":").json(&action.timeout_s);
    digest.text(",\"retry\":").json(&action.retry);
    digest.text(",\"binding\":").json(&binding);
    digest.text(",\"generation\":").json(&generation).text("}");
    let mut id = digest.finish();
    id.truncate(20);
    id
}

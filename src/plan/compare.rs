//! Two plans side by side: what differs, and what one does beyond the other.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::looser::looser;
use crate::action::{Action, ActionKind, Effect};
use crate::diff::{AttributeChange, Change};

/// Something that a plan does and the one that was reviewed does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excess {
    /// The resource; `plan` for what is about the whole.
    pub resource: String,
    /// What goes beyond.
    pub what: String,
}

/// What `live` does beyond `approved`: another site or goal, more permissions, looser limits, nodes on other machines, changes that are not there, other values
/// afterwards, higher effects, disruptive actions that are not there or have other parameters. Empty: it is a part of what was approved.
pub fn excess(approved: &Plan, live: &Plan) -> Vec<Excess> {
    let mut out = BTreeSet::new();
    whole(approved, live, &mut out);
    for (node, binding) in &live.bindings {
        if approved.bindings.get(node).is_some_and(|b| b != binding) {
            out.insert(of(&format!("node.{node}"), "is bound to another machine than in the reviewed plan"));
        }
    }
    let known: BTreeMap<&str, &Change> = approved.changes.iter().map(|c| (c.resource.as_str(), c)).collect();
    for change in &live.changes {
        match known.get(change.resource.as_str()) {
            None => {
                out.insert(of(&change.resource, &format!("changes ({}), and does not in the reviewed plan", change.effect)));
            }
            Some(approved) => of_change(approved, change, &mut out),
        }
    }
    let (before, now) = (approved.effects_on_nodes(), live.effects_on_nodes());
    for (node, effect) in now {
        let approved = before.get(node).copied().unwrap_or(Effect::None);
        if effect > approved {
            out.insert(of(&format!("node.{node}"), &format!("effect {effect}, reviewed is {approved}")));
        }
    }
    let mut actions: BTreeMap<(&str, &str), Vec<&Action>> = BTreeMap::new();
    for action in &approved.actions {
        actions.entry((action.kind.name(), &action.resource)).or_default().push(action);
    }
    for action in live.actions.iter().filter(|a| a.effect >= Effect::Reboot) {
        match actions.get(&(action.kind.name(), action.resource.as_str())) {
            None => {
                out.insert(of(&action.resource, &format!("{} is no action of the reviewed plan", action.kind)));
            }
            Some(known) if !known.iter().any(|a| a.params == action.params) => {
                out.insert(of(&action.resource, &format!("{} has other parameters than in the reviewed plan", action.kind)));
            }
            Some(_) => {}
        }
    }
    out.into_iter().collect()
}

fn of(resource: &str, what: &str) -> Excess {
    Excess { resource: resource.to_owned(), what: what.to_owned() }
}

fn whole(approved: &Plan, live: &Plan, out: &mut BTreeSet<Excess>) {
    let plan = |what: String| of("plan", &what);
    if approved.site != live.site {
        out.insert(plan(format!("is for site {}, reviewed is {}", live.site, approved.site)));
    }
    if approved.goal != live.goal {
        out.insert(plan(format!("has goal {}, reviewed is {}", live.goal.name(), approved.goal.name())));
    }
    let places = |plan: &Plan| plan.endpoints.iter().map(|e| (e.driver.clone(), e.identity.clone())).collect::<BTreeSet<_>>();
    // A preview was made without any endpoint.
    for (driver, _) in places(live).difference(&places(approved)).filter(|_| approved.preview.is_none()) {
        out.insert(plan(format!("acts through another endpoint of driver {driver} than the reviewed plan")));
    }
    for allowance in live.allow.iter().filter(|a| !approved.allow.contains(a)) {
        out.insert(plan(format!("is allowed {}={}, which the reviewed plan is not", allowance.effect, allowance.selector)));
    }
    // A hook that is missing lets a node be disrupted without what was reviewed; one more is a program that nobody saw.
    let (reviewed, planned) = (hooks(approved), hooks(live));
    for (resource, params) in &planned {
        if !reviewed.contains(&(*resource, *params)) {
            out.insert(of(resource, "runs a program that the reviewed plan does not run"));
        }
    }
    let nodes: BTreeSet<&str> = live.actions.iter().filter_map(|a| a.node.as_deref()).collect();
    for action in approved.actions.iter().filter(|a| a.kind == ActionKind::RunHook && a.node.as_deref().is_some_and(|n| nodes.contains(n)))
    {
        if !planned.iter().any(|(resource, _)| *resource == action.resource) {
            out.insert(of(&action.resource, "does not run the program that the reviewed plan runs"));
        }
    }
    if approved.failures.on_failure != live.failures.on_failure {
        let (a, l) = (approved.failures.on_failure.name(), live.failures.on_failure.name());
        out.insert(plan(format!("does {l} with a node that fails, reviewed is {a}")));
    }
    out.extend(looser(approved, live).into_iter().map(plan));
}

/// Hooks by resource, with their parameters.
fn hooks(plan: &Plan) -> BTreeSet<(&str, &str)> {
    plan.actions.iter().filter(|a| a.kind == ActionKind::RunHook).map(|a| (a.resource.as_str(), a.params.text())).collect()
}

fn of_change(approved: &Change, live: &Change, out: &mut BTreeSet<Excess>) {
    if approved.operation != live.operation {
        let what = format!("is to be {}, reviewed is {}", word(live), word(approved));
        out.insert(of(&live.resource, &what));
    }
    if live.effect > approved.effect {
        out.insert(of(&live.resource, &format!("effect {}, reviewed is {}", live.effect, approved.effect)));
    }
    let known: BTreeMap<&str, &AttributeChange> = approved.attributes.iter().map(|a| (a.path.as_str(), a.as_ref())).collect();
    for attribute in &live.attributes {
        match known.get(attribute.path.as_str()) {
            None => {
                out.insert(of(&live.resource, &format!("{} changes, and does not in the reviewed plan", attribute.path)));
            }
            Some(a) if a.after != attribute.after => {
                out.insert(of(&live.resource, &format!("{} gets another value than in the reviewed plan", attribute.path)));
            }
            Some(_) => {}
        }
    }
}

fn word(change: &Change) -> &'static str {
    match change.operation {
        crate::diff::Operation::Create => "created",
        crate::diff::Operation::Update => "updated",
        crate::diff::Operation::Replace => "replaced",
        crate::diff::Operation::Delete => "deleted",
    }
}

/// A resource that changes in at least one of two plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference<'p> {
    /// It changes in the first plan only.
    OnlyFirst(&'p Change),
    /// It changes in the second plan only.
    OnlySecond(&'p Change),
    /// It changes in both, and not alike.
    Both {
        /// In the first.
        first: &'p Change,
        /// In the second.
        second: &'p Change,
        /// Paths of attributes that are not alike.
        attributes: Vec<&'p str>,
    },
}

/// What two plans change differently, in order of address.
pub fn differences<'p>(first: &'p Plan, second: &'p Plan) -> Vec<Difference<'p>> {
    let index = |plan: &'p Plan| plan.changes.iter().map(|c| (c.resource.as_str(), c)).collect::<BTreeMap<_, _>>();
    let (a, b) = (index(first), index(second));
    let all: BTreeSet<&str> = a.keys().chain(b.keys()).copied().collect();
    let mut out = Vec::new();
    for resource in all {
        match (a.get(resource), b.get(resource)) {
            (Some(one), None) => out.push(Difference::OnlyFirst(one)),
            (None, Some(one)) => out.push(Difference::OnlySecond(one)),
            (Some(one), Some(other)) => {
                let attributes = unlike(one, other);
                if !attributes.is_empty() || (one.operation, one.effect) != (other.operation, other.effect) {
                    out.push(Difference::Both { first: one, second: other, attributes });
                }
            }
            (None, None) => {}
        }
    }
    out
}

/// Paths of attributes that stand in one only, or have other values or another effect.
fn unlike<'p>(one: &'p Change, other: &'p Change) -> Vec<&'p str> {
    let index = |change: &'p Change| change.attributes.iter().map(|a| (a.path.as_str(), a.as_ref())).collect::<BTreeMap<_, _>>();
    let (a, b) = (index(one), index(other));
    let all: BTreeSet<&str> = a.keys().chain(b.keys()).copied().collect();
    let said = |a: &'p AttributeChange| (&a.before, &a.after, a.effect, &a.known_after);
    all.into_iter().filter(|path| a.get(path).map(|x| said(x)) != b.get(path).map(|x| said(x))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::testing::{action, plan};
    use super::{Difference, differences, excess};
    use crate::action::params::{HookPhase, RunHook};
    use crate::action::{Action, ActionKind, Effect, Json};
    use crate::diff::{AttributeChange, Change, Operation};
    use crate::plan::{Allowance, Counts, Gate, OnFailure, Plan, Pool, Wave};

    fn change(node: &str, path: &str, after: i64, effect: Effect) -> Change {
        let attribute = AttributeChange {
            after: Some(json!(after)),
            before: None,
            effect,
            known_after: None,
            path: path.to_owned(),
            reason: String::new(),
            source: None,
        };
        Change {
            resource: format!("node.{node}/storage"),
            node: Some(node.to_owned()),
            operation: Operation::Update,
            effect,
            reason: String::new(),
            attributes: vec![Arc::new(attribute)],
        }
    }

    fn hook(program: &str) -> Action {
        let params = RunHook {
            argv: vec![program.to_owned()],
            disrupts: "destroy_node".to_owned(),
            environment: Vec::new(),
            limit_s: 60,
            name: "drain".to_owned(),
            phase: HookPhase::BeforeDisrupt,
            rack: None,
            repeatable: false,
        };
        Action {
            resource: "node.r1-n2/hooks/drain".to_owned(),
            params: Json::of(&params),
            ..action("h1", ActionKind::RunHook, Some("r1-n2"), &[])
        }
    }

    #[test]
    fn another_program_around_a_disruption_is_beyond_what_was_reviewed() {
        let reviewed = Plan { actions: [approved().actions, vec![hook("./drain.sh")]].concat(), ..approved() };
        let beyond = |actions: Vec<Action>| {
            let live = Plan { actions, ..approved() };
            excess(&reviewed, &live).into_iter().map(|e| format!("{}: {}", e.resource, e.what)).collect::<Vec<_>>()
        };
        assert_eq!(beyond(reviewed.actions.clone()), [""; 0]);
        let (runs, does_not) =
            ("runs a program that the reviewed plan does not run", "does not run the program that the reviewed plan runs");
        assert_eq!(beyond([approved().actions, vec![hook("./other.sh")]].concat()), [format!("node.r1-n2/hooks/drain: {runs}")]);
        assert_eq!(beyond(approved().actions), [format!("node.r1-n2/hooks/drain: {does_not}")]);
        // A node that is not touched needs no hook.
        assert_eq!(beyond(vec![approved().actions.remove(0)]), [""; 0]);
    }

    fn approved() -> Plan {
        let mut deploy = action("a1", ActionKind::DeployNode, Some("r1-n1"), &[]);
        deploy.effect = Effect::Redeploy;
        let mut plan = plan(vec![deploy, action("a2", ActionKind::ApplyNodeStorage, Some("r1-n2"), &[])]);
        plan.changes = vec![change("r1-n1", "size", 1, Effect::Redeploy), change("r1-n2", "size", 1, Effect::Online)];
        plan.limits = crate::plan::Limits::default();
        plan.limits.calls.insert(ActionKind::DeployNode, 1);
        plan.limits.per_rack.insert(ActionKind::DeployNode, 2);
        plan.limits.requests.insert("fake".to_owned(), 4);
        let nodes = vec!["r1-n1".to_owned(), "r1-n2".to_owned()];
        plan.limits.pools.push(Pool { counts: Counts::Unavailable, limit: 1, nodes: nodes.clone(), of: "label a=b".to_owned() });
        let wave = |name: &str, after: &[u32], node: &str| Wave {
            after: after.to_vec(),
            gate: Gate { max_failed: Some(0), min_successful: 1, ..Gate::default() },
            name: name.to_owned(),
            nodes: vec![node.to_owned()],
        };
        plan.rollout.waves = vec![wave("canaries", &[], &nodes[0]), wave("wave 1", &[0], &nodes[1])];
        plan.rollout.healthy_for_s = 60;
        plan
    }

    fn beyond(edit: impl FnOnce(&mut Plan)) -> Vec<String> {
        let mut live = approved();
        edit(&mut live);
        excess(&approved(), &live).into_iter().map(|e| format!("{}: {}", e.resource, e.what)).collect()
    }

    #[test]
    fn a_part_of_what_was_approved_is_no_excess() {
        assert_eq!(beyond(|_| {}), [""; 0]);
        assert_eq!(
            beyond(|live| {
                live.changes.remove(0);
                live.actions.remove(0);
                // What is left needs neither the canary nor limits for it.
                live.limits = crate::plan::Limits { pools: Vec::new(), calls: std::collections::BTreeMap::new(), ..live.limits.clone() };
                live.rollout = crate::plan::Rollout::default();
                live.limits.nodes_in_flight = 1;
            }),
            [""; 0]
        );
        // Another value before is what happened since, not what is wanted.
        assert_eq!(beyond(|live| Arc::make_mut(&mut live.changes[1].attributes[0]).before = Some(json!(7))), [""; 0]);
    }

    #[test]
    fn everything_beyond_is_named() {
        let one = |edit: fn(&mut Plan), expected: &str| {
            let all = beyond(edit);
            assert!(all.iter().any(|e| e.contains(expected)), "{expected:?} is not in {all:?}");
        };
        one(|p| p.changes.push(change("r1-n3", "size", 1, Effect::Online)), "node.r1-n3/storage: changes (online)");
        one(|p| p.changes[1] = change("r1-n2", "size", 2, Effect::Online), "node.r1-n2/storage: size gets another value");
        one(|p| p.changes[1] = change("r1-n2", "other", 1, Effect::Online), "other changes, and does not");
        one(|p| p.changes[1] = change("r1-n2", "size", 1, Effect::Reboot), "node.r1-n2/storage: effect reboot, reviewed is online");
        one(|p| p.changes[1].operation = Operation::Delete, "is to be deleted, reviewed is updated");
        one(|p| p.failures.on_failure = OnFailure::PowerOff, "does power_off with a node that fails, reviewed is leave");
        one(|p| p.actions.push(hook("./other.sh")), "node.r1-n2/hooks/drain: runs a program that the reviewed plan does not run");
        one(|p| p.actions[1].effect = Effect::Destroy, "node.r1-n2: effect destroy, reviewed is online");
        one(
            |p| {
                let mut destroy = action("a3", ActionKind::DestroyNode, Some("r1-n1"), &[]);
                destroy.effect = Effect::Redeploy;
                p.actions.push(destroy);
            },
            "destroy_node is no action of the reviewed plan",
        );
        one(|p| p.actions[0].params = json!({"erase": true}).into(), "deploy_node has other parameters");
        one(|p| p.limits.max_failures += 1, "has limit max_failures");
        one(|p| p.limits.requests_per_bmc += 1, "has limit requests_per_bmc 2, reviewed is 1");
        one(|p| p.limits.calls.clear(), "has no limit calls.deploy_node, reviewed is 1");
        one(|p| *p.limits.per_rack.get_mut(&ActionKind::DeployNode).unwrap() = 3, "has limit per_rack.deploy_node 3, reviewed is 2");
        one(|p| p.limits.requests.clear(), "has no limit requests.fake, reviewed is 4");
        one(|p| p.limits.pools.clear(), "has no limit on unavailable nodes of label a=b, reviewed is 1");
        one(|p| p.limits.pools[0].limit = 2, "has limit on unavailable nodes of label a=b 2, reviewed is 1");
        one(|p| drop(p.limits.pools[0].nodes.pop()), "leaves out r1-n2");
        one(|p| p.rollout.waves.clear(), "does not let r1-n2 (wave 1) wait for r1-n1 (canaries)");
        one(|p| p.rollout.waves[1].after.clear(), "does not let r1-n2 (wave 1) wait for r1-n1 (canaries)");
        one(|p| p.rollout.waves.swap(0, 1), "does not let r1-n2 (wave 1) wait");
        one(|p| p.rollout.healthy_for_s = 59, "watches waves for 59 s, reviewed is 60 s");
        one(|p| p.rollout.waves[0].gate.max_failed = None, "lets canaries be through with less");
        one(|p| p.rollout.waves[0].gate.min_successful = 0, "lets canaries be through with less");
        one(|p| p.site = "other".to_owned(), "is for site other");
        one(|p| p.goal = crate::plan::Goal::DestroyNodes, "has goal destroy_nodes");
        one(|p| p.allow.push(Allowance { effect: Effect::Reboot, selector: "*".to_owned() }), "is allowed reboot=*");
    }

    #[test]
    fn limits_and_waves_survive_the_file() {
        let mut plan = approved();
        plan.rollout.warnings = vec!["never".to_owned()];
        super::super::file::seal(&mut plan);
        assert_eq!(super::super::read(&super::super::write(&plan)).unwrap(), plan);
    }

    #[test]
    fn differences_name_what_is_unlike() {
        let first = approved();
        assert_eq!(differences(&first, &first), []);
        let mut second = approved();
        second.changes[0] = change("r1-n1", "size", 2, Effect::Redeploy);
        second.changes[1] = change("r1-n9", "size", 1, Effect::Online);
        let found: Vec<String> = differences(&first, &second)
            .into_iter()
            .map(|d| match d {
                Difference::OnlyFirst(c) => format!("- {}", c.resource),
                Difference::OnlySecond(c) => format!("+ {}", c.resource),
                Difference::Both { first, attributes, .. } => format!("~ {} {}", first.resource, attributes.join(",")),
            })
            .collect();
        assert_eq!(found, ["~ node.r1-n1/storage size", "- node.r1-n2/storage", "+ node.r1-n9/storage"]);
    }
}

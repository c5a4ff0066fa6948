//! Rules and deployment groups, and what plans make of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::resolve::{Resolved, Scope, resolve};
use super::{Canaries, Rules, Share, StrategyChoice, Unavailable, UnavailableOf};
use crate::action::{Action, ActionKind, Effect, Selector};
use crate::diff::{Goal, NodeStage, Stage};
use crate::document;
use crate::model::{self, Site};
use crate::plan::testing::action;
use crate::plan::{Counts, Limits};
use crate::yaml::SourceMap;

/// `r1-n0`, `r1-n1`, … with what else is said of each.
fn node(name: &str, more: &str) -> String {
    let rack = name.split('-').next().unwrap_or_default();
    format!(
        "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{schema: metadata/Document/v1, name: {name}}}\n\
         data:\n  metadata: {{rack: {rack}{more}}}\n"
    )
}

fn site(documents: &str) -> Site {
    let region = "schema: drydock/Region/v1\nmetadata: {schema: metadata/Document/v1, name: site}\ndata: {}\n";
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", format!("{region}{documents}"));
    let document::Read { documents, sensitive, .. } = document::read_all(&map, &[file]);
    model::resolve(&documents, &sensitive).0.unwrap()
}

/// A site of so many racks with so many nodes; the first of each rack is of the control plane.
fn racks(racks: usize, nodes: usize) -> Site {
    let mut text = String::new();
    for r in 0..racks {
        for n in 0..nodes {
            let more = if n == 0 {
                ", tags: [masters], owner_data: {ucp-control-plane: enabled}"
            } else {
                ", tags: [workers], owner_data: {zone: a}"
            };
            let _ = write!(text, "{}", node(&format!("r{r}-n{n}"), more));
        }
    }
    site(&text)
}

/// What rules make of a plan that does this to all nodes of a site, or to those that are named.
struct Planned {
    site: Site,
    rules: Rules,
    effect: Effect,
    nodes: Vec<String>,
    stage: Stage,
    goal: Goal,
    partial: bool,
}

impl Planned {
    fn new(site: Site) -> Self {
        let nodes = site.nodes.keys().cloned().collect();
        Self {
            site,
            rules: Rules::default(),
            effect: Effect::Redeploy,
            nodes,
            stage: Stage::Deployed,
            goal: Goal::DeployNodes,
            partial: false,
        }
    }

    fn try_resolve(&self) -> Result<Resolved, String> {
        let actions: Vec<Action> = self
            .nodes
            .iter()
            .map(|n| Action { effect: self.effect, ..action(&format!("deploy {n}"), ActionKind::DeployNode, Some(n), &[]) })
            .collect();
        let stage = |name: &String| {
            let rack = name.split('-').next().map(str::to_owned);
            (name.clone(), NodeStage { hardware: None, now: self.stage, then: Stage::Deployed, rack, profile: None })
        };
        let nodes: BTreeMap<String, NodeStage> = self.site.nodes.keys().map(stage).collect();
        let scope = Scope { site: &self.site, goal: self.goal, partial: self.partial, nodes: &nodes, actions: &actions };
        resolve(&self.rules, &Limits::default(), &scope)
    }

    fn resolve(&self) -> Resolved {
        self.try_resolve().unwrap()
    }

    /// Each wave as `name after: nodes`.
    fn waves(&self) -> Vec<String> {
        let waves = self.resolve().rollout.waves;
        let name = |w: &u32| waves[*w as usize].name.clone();
        let after = |w: &crate::plan::Wave| w.after.iter().map(name).collect::<Vec<_>>().join("+");
        waves.iter().map(|w| format!("{} <{}: {}", w.name, after(w), w.nodes.join(" "))).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.resolve().rollout.warnings
    }
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

#[test]
fn without_rules_control_planes_have_a_limit_of_one_and_nobody_waits() {
    let resolved = Planned::new(racks(3, 3)).resolve();
    assert_eq!(resolved.unavailable_per_rack, 1);
    let pools: Vec<_> = resolved.pools.iter().map(|p| (p.counts, p.limit, p.of.as_str(), p.nodes.join(" "))).collect();
    assert_eq!(pools, [(Counts::Unavailable, 1, "label ucp-control-plane=enabled", "r0-n0 r1-n0 r2-n0".to_owned())]);
    assert!(resolved.rollout.is_empty() && resolved.rollout.warnings.is_empty());
    // Nothing is interrupted by a first installation, so nothing is unavailable.
    assert_eq!(Planned { effect: Effect::Install, ..Planned::new(racks(3, 3)) }.resolve().pools, []);
}

#[test]
fn shares_are_of_all_nodes_of_a_rack_or_label_rounded_down() {
    let rule = |of, limit| Unavailable { of, limit };
    let mut planned = Planned::new(racks(2, 5));
    planned.rules.max_unavailable = vec![
        rule(UnavailableOf::Racks, Share::Percent(50)),
        rule(UnavailableOf::Label("zone".to_owned()), Share::Percent(30)),
        rule(UnavailableOf::Label("ucp-control-plane".to_owned()), Share::Count(2)),
        rule(UnavailableOf::Nodes(selector("tag=workers && rack=r1")), Share::Count(3)),
    ];
    let resolved = planned.resolve();
    assert_eq!(resolved.unavailable_per_rack, 2);
    let pools: Vec<_> = resolved.pools.iter().map(|p| (p.limit, p.of.as_str(), p.nodes.len())).collect();
    assert_eq!(pools, [(2, "label zone=a", 8), (2, "label ucp-control-plane=enabled", 2), (3, "tag=workers && rack=r1", 4)]);
    assert_eq!(resolved.rollout.warnings, [""; 0]);
}

#[test]
fn racks_of_different_size_have_limits_of_their_own() {
    let mut planned = Planned::new(site(&["r1-n0", "r1-n1", "r1-n2", "r1-n3", "r2-n0", "r2-n1"].map(|n| node(n, "")).concat()));
    planned.rules.max_unavailable = vec![Unavailable { of: UnavailableOf::Racks, limit: Share::Percent(50) }];
    let resolved = planned.resolve();
    assert_eq!(resolved.unavailable_per_rack, 2);
    assert_eq!(resolved.pools.iter().map(|p| (p.limit, p.of.as_str())).collect::<Vec<_>>(), [(1, "rack r2")]);
}

#[test]
fn what_can_never_be_met_is_warned_of() {
    let rule = |of, limit| vec![Unavailable { of, limit }];
    let warned = |edit: &dyn Fn(&mut Rules), expected: &str| {
        let mut planned = Planned::new(racks(2, 3));
        edit(&mut planned.rules);
        let warnings = planned.warnings();
        assert!(warnings.iter().any(|w| w.contains(expected)), "{expected:?} is not in {warnings:?}");
    };
    warned(
        &|r| r.max_unavailable = rule(UnavailableOf::Racks, Share::Percent(10)),
        "no node of rack r0 may be unavailable (10% of 3 rounds to nothing)",
    );
    warned(
        &|r| r.max_unavailable = rule(UnavailableOf::Label("zone".into()), Share::Count(0)),
        "no node of label zone=a may be unavailable, so r0-n1",
    );
    warned(&|r| r.max_unavailable = rule(UnavailableOf::Nodes(selector("node=x*")), Share::Count(1)), "`node=x*`, which selects no node");
    warned(&|r| r.canaries = Some(Canaries::Nodes(selector("tag=canary"))), "selects none of the nodes");
    warned(&|r| r.canaries = Some(Canaries::Number(6)), "selects all of the 6 nodes");
    warned(
        &|r| r.waves = vec![Share::Count(1), Share::Percent(10), Share::Percent(100)],
        "wave 2 of `rollout.waves` (10% of 6 nodes) has no node beyond",
    );
    let mut planned = Planned::new(racks(2, 3));
    planned.rules.waves = vec![Share::Percent(50), Share::Percent(100)];
    planned.rules.canaries = Some(Canaries::Number(1));
    assert_eq!(planned.warnings(), [""; 0]);
}

#[test]
fn canaries_go_first_then_waves_of_growing_size() {
    let mut planned = Planned::new(racks(2, 5));
    planned.rules.canaries = Some(Canaries::Number(2));
    planned.rules.waves = vec![Share::Percent(40), Share::Count(7)];
    planned.rules.max_failed = Some(Share::Percent(50));
    assert_eq!(
        planned.waves(),
        [
            "canaries <: r0-n0 r1-n0",
            "wave 1 (40%) <canaries: r0-n1 r1-n1",
            "wave 2 (7) <wave 1 (40%): r0-n2 r0-n3 r1-n2",
            "the rest <wave 2 (7): r0-n4 r1-n3 r1-n4"
        ]
    );
    let rollout = planned.resolve().rollout;
    assert_eq!(rollout.waves.iter().map(|w| w.gate.max_failed).collect::<Vec<_>>(), [Some(0), Some(1), Some(1), None]);
    assert_eq!((rollout.healthy_for_s, rollout.patience_s), (60, 960));
    planned.rules.canaries = Some(Canaries::Nodes(selector("rack=r1 && tag=masters")));
    planned.rules.waves.clear();
    assert_eq!(planned.waves()[0], "canaries <: r1-n0");
    // Destroying has no order, and one wave is none.
    assert!(Planned { goal: Goal::DestroyNodes, ..planned }.resolve().rollout.is_empty());
    let mut planned = Planned::new(racks(1, 3));
    planned.rules.waves = vec![Share::Percent(100)];
    assert!(planned.resolve().rollout.is_empty());
}

#[test]
fn deployments_are_limited_by_the_network_that_machines_boot_from() {
    let mut planned = Planned::new(racks(1, 3));
    planned.rules.deployments_per_network = Some(2);
    let pools = planned.resolve().pools;
    assert_eq!(
        pools.iter().map(|p| (p.counts, p.limit, p.of.as_str())).collect::<Vec<_>>(),
        [(Counts::Deployments, 2, "network not known")]
    );
}

const STRATEGY: &str = "
---
schema: shipyard/DeploymentConfiguration/v1
metadata: {schema: metadata/Document/v1, name: configuration}
data: {physical_provisioner: {deployment_strategy: strategy}}
---
schema: shipyard/DeploymentStrategy/v1
metadata: {schema: metadata/Document/v1, name: strategy}
data:
  groups:
    - {name: workers, critical: false, depends_on: [masters], selectors: [{node_tags: [workers], rack_names: []}], success_criteria: {percent_successful_nodes: 60}}
    - {name: masters, critical: true, depends_on: [], selectors: [{node_tags: [masters]}], success_criteria: {minimum_successful_nodes: 2, maximum_failed_nodes: 1}}
";

fn airship() -> Planned {
    let mut text = String::new();
    for n in ["r0-n0", "r1-n0"] {
        text += &node(n, ", tags: [masters]");
    }
    for n in ["r0-n1", "r0-n2", "r1-n1"] {
        text += &node(n, ", tags: [workers]");
    }
    Planned { effect: Effect::Install, stage: Stage::Ready, ..Planned::new(site(&format!("{text}{STRATEGY}"))) }
}

#[test]
fn deployment_groups_are_waves() {
    let planned = airship();
    assert_eq!(planned.waves(), ["group masters <: r0-n0 r1-n0", "group workers <group masters: r0-n1 r0-n2 r1-n1"]);
    let gates: Vec<_> = planned.resolve().rollout.waves.into_iter().map(|w| w.gate).collect();
    assert_eq!((gates[0].critical, gates[0].min_successful, gates[0].max_failed, gates[0].through), (true, 2, Some(1), 0));
    assert_eq!((gates[1].critical, gates[1].min_successful, gates[1].max_failed), (false, 2, None), "60 % of 3, rounded up");
    assert_eq!(planned.warnings(), [""; 0]);
    // What is through already needs no wave.
    let rest = Planned { nodes: vec!["r0-n1".into(), "r0-n2".into()], stage: Stage::Deployed, ..airship() };
    assert_eq!(rest.waves(), ["group workers <: r0-n1 r0-n2"]);
    assert_eq!(rest.resolve().rollout.waves[0].gate.through, 1);
}

#[test]
fn groups_that_cannot_be_met_and_nodes_in_none_are_warned_of() {
    // One master cannot be planned: it is not through, and has no branch.
    let blocked = Planned { nodes: vec!["r0-n0".into(), "r0-n1".into()], ..airship() };
    assert_eq!(
        blocked.warnings(),
        [
            "deployment group masters needs 2 nodes that are through; 0 are, and this plan brings 1 there: what depends on it never begins until its other nodes can be planned",
            "deployment group workers needs 2 nodes that are through; 0 are, and this plan brings 1 there: what depends on it never begins until its other nodes can be planned",
        ]
    );
    let mut text = node("r0-n9", ", tags: [masters]");
    text += &node("r0-n8", "");
    let lone = Planned { effect: Effect::Install, ..Planned::new(site(&format!("{text}{STRATEGY}"))) };
    let warnings = lone.warnings();
    assert!(
        warnings.iter().any(|w| w.starts_with("deployment group masters has 1 nodes, and 2 of them have to be through")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|w| w.starts_with("r0-n8 is in no group of deployment strategy strategy")), "{warnings:?}");
    // A selection has not all nodes that a minimum counts on.
    assert_eq!(Planned { partial: true, ..lone }.resolve().rollout.waves[0].gate.min_successful, 1);
}

#[test]
fn settings_choose_the_strategy_and_divide_its_groups() {
    let mut planned = airship();
    planned.rules.strategy = StrategyChoice::Off;
    assert_eq!(planned.waves(), [""; 0]);
    planned.rules.strategy = StrategyChoice::Named("other".to_owned());
    let error = planned.try_resolve().err().unwrap();
    assert!(error.contains("`other`") && error.contains("it has strategy") && error.contains("write `off`"), "{error}");
    planned.rules.strategy = StrategyChoice::Named("strategy".to_owned());
    planned.rules.canaries = Some(Canaries::Number(1));
    assert_eq!(
        planned.waves(),
        [
            "group masters, canaries <: r0-n0",
            "group masters, the rest <group masters, canaries: r1-n0",
            "group workers, canaries <group masters, the rest: r0-n1",
            "group workers, the rest <group workers, canaries: r0-n2 r1-n1",
        ]
    );
    let waves = planned.resolve().rollout.waves;
    assert_eq!(
        (waves[0].gate.max_failed, waves[1].gate.over.as_slice(), waves[3].gate.over.as_slice()),
        (Some(0), [0].as_slice(), [2].as_slice())
    );
}

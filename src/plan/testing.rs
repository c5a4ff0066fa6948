//! Plans for tests.

use serde_json::json;

use super::{Digests, Goal, Limits, Plan};
use crate::action::{Action, ActionKind, Effect, RetryClass};
use crate::diff::{NodeStage, Stage};

/// An action that needs nothing.
pub(crate) fn action(id: &str, kind: ActionKind, node: Option<&str>, after: &[&str]) -> Action {
    Action {
        id: id.to_owned(),
        kind,
        resource: node.map_or_else(|| format!("site.{id}"), |n| format!("node.{n}")),
        node: node.map(ToOwned::to_owned),
        driver: "fake".to_owned(),
        effect: Effect::Online,
        params: json!({}).into(),
        after: after.iter().map(|s| (*s).to_owned()).collect(),
        preconditions: Vec::new(),
        timeout_s: 60,
        retry: RetryClass::ObserveFirst,
    }
}

/// A plan of actions; the rack of a node is the part of its name before `-`.
pub(crate) fn plan(actions: Vec<Action>) -> Plan {
    let nodes = actions.iter().filter_map(|a| a.node.clone()).map(|name| {
        let rack = name.split_once('-').map(|(rack, _)| rack.to_owned());
        (name, NodeStage { hardware: None, now: Stage::Absent, then: Stage::Deployed, rack, profile: None })
    });
    let generations = actions.iter().map(|a| (a.resource.clone(), 0)).collect();
    Plan {
        drydock: "0.0.0".to_owned(),
        limits: Limits { parallelism: 64, ..Limits::none() },
        nodes: nodes.collect(),
        generations,
        actions,
        digests: Digests { plan: "digest-of-test-plan".to_owned(), ..Digests::default() },
        ..Plan::empty("test", Goal::DeployNodes)
    }
}

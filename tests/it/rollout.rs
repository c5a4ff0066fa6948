//! Rollout rules from the settings to the site: waves of a plan, what a rehearsal makes of them, gates of a run.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cli_support::{Folder, unfolded};
use crate::support;

fn hello(rollout: &str) -> Folder {
    let site = Folder::hello();
    let settings = site.read("drydock.yaml");
    site.write("drydock.yaml", &format!("{settings}\nrollout:\n{rollout}"));
    site
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Events of a run as the lines of `--json`.
fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| json(line)["event"].clone()).collect()
}

/// Every intent of nodes outside of a wave comes after the event that let them begin.
#[track_caller]
fn others_begin_after(plan: &Value, events: &[Value], first: &[&str], gate: &str) {
    let node_of = |id: &Value| plan["actions"].as_array().unwrap().iter().find(|a| a["id"] == *id).unwrap()["node"].clone();
    let passed = events.iter().position(|e| e["type"] == "gate_passed" && e["name"] == gate).expect("the gate is passed");
    let mut seen = BTreeSet::new();
    for (at, event) in events.iter().enumerate().filter(|(_, e)| e["type"] == "attempt_intent") {
        let node = node_of(&event["action"]);
        let Some(node) = node.as_str() else { continue };
        assert!(first.contains(&node) == (at < passed), "{node} begins at {at}, the gate is passed at {passed}");
        seen.insert(node.to_owned());
    }
    assert_eq!(seen.len(), 3, "all three nodes are deployed");
}

#[test]
fn canaries_go_first_and_the_rest_waits_until_they_are_healthy() {
    let site = hello("  canaries: node=compute02\n  waves: [100%]\n  gate: {healthy_for: 1s}\n");
    let shown = site.run(&["plan", "--out", "plan.json"]).expect(0).shows(&[
        "Waves  before others begin, the nodes of a wave are healthy for 1 s",
        "canaries  at once  1 node: compute02",
        "through if no node may fail",
        "wave 1 (100%)  after canaries  2 nodes: compute01, control01",
    ]);
    assert!(!shown.stdout.contains("do not work out"), "{}", shown.stdout);
    site.run(&["rehearse", "plan.json"]).expect(0).shows(&["Waves  taken to be healthy, and watched for 1 s", "canaries", "wave 1 (100%)"]);
    let failing = site.run(&["rehearse", "plan.json", "--fail", "node.compute02:deploy_node"]).expect(0);
    failing.shows(&["no: 1 node of it failed, and at most 0 may", "canaries is not through", "never"]);
    let rehearsed = json(&site.run(&["rehearse", "plan.json", "--format", "json"]).expect(0).stdout);
    let gate = &rehearsed["gates"][0];
    assert_eq!(gate["passed_ms"].as_u64().zip(gate["ended_ms"].as_u64()).map(|(passed, ended)| passed - ended), Some(1000));

    let plan = unfolded(&site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout);
    let ended = site.run(&["apply", "plan.json", "--json"]).expect(0);
    others_begin_after(&plan, &events(&ended.stdout), &["compute02"], "canaries");
    site.run(&["runs", "show", "--format", "json"]).expect(0).shows(&["\"state\": \"passed\""]);
}

const STRATEGY: &str = "---
schema: shipyard/DeploymentConfiguration/v1
metadata: {schema: metadata/Document/v1, name: deployment-configuration}
data: {physical_provisioner: {deployment_strategy: deployment-strategy}}
---
schema: shipyard/DeploymentStrategy/v1
metadata: {schema: metadata/Document/v1, name: deployment-strategy}
data:
  groups:
    - {name: workers, critical: false, depends_on: [control], selectors: [{node_names: [compute01, compute02]}]}
    - {name: control, critical: true, depends_on: [], selectors: [{node_names: [control01]}], success_criteria: {percent_successful_nodes: 100}}
";

#[test]
fn a_deployment_strategy_of_the_design_is_followed_unless_it_is_switched_off() {
    let site = hello("  gate: {healthy_for: 1s, within: 1s}\n");
    site.write("design/deployment.yaml", STRATEGY);
    site.run(&["validate"]).expect(0);
    site.run(&["plan", "--out", "plan.json"]).expect(0).shows(&[
        "group control  at once  1 node: control01",
        "through if 1 node must be through, else the run is a failure",
        "group workers  after group control  2 nodes: compute01, compute02",
    ]);
    // The one node of a critical group fails: what depends on it is not begun, and the run is a failure.
    let ended = site.run(&["rehearse", "plan.json", "--fail", "node.control01:configure_hardware", "--format", "json"]).expect(0);
    let rehearsed = json(&ended.stdout);
    assert_eq!(rehearsed["gates"][0]["why"], "0 of its nodes are through, and 1 have to be");
    let plan = unfolded(&site.run(&["show", "plan.json", "--format", "json"]).expect(0).stdout);
    let of_workers = plan["actions"].as_array().unwrap().iter().filter(|a| a["node"].as_str().is_some_and(|n| n.starts_with("compute")));
    let workers: BTreeSet<&str> = of_workers.filter_map(|a| a["id"].as_str()).collect();
    let not_started: BTreeSet<&str> = rehearsed["not_started"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(not_started, workers);

    site.edit("drydock.yaml", "rollout:\n", "rollout:\n  deployment_strategy: off\n");
    let text = site.run(&["plan"]).expect(0).stdout;
    assert!(!text.contains("group control"), "{text}");
    site.edit("drydock.yaml", "deployment_strategy: off", "deployment_strategy: other");
    site.run(&["plan"]).expect(6).says(&["`rollout.deployment_strategy` is `other`", "it has deployment-strategy", "write `off`"]);
}

#[test]
fn strategies_of_airship_sites_are_read_unchanged() {
    for name in ["seaworthy", "airsloop"] {
        let Some(file) = support::shared(&format!("sites/rendered-by-deckhand/{name}.all.yaml")) else { return };
        let site = support::loose_design(file.parent().unwrap(), &[file.file_name().unwrap().to_str().unwrap()]);
        let deployment = &site.deployment;
        let chosen = &deployment.strategies[&deployment.strategy.as_ref().expect("the configuration names one").value];
        let groups: Vec<_> =
            chosen.groups.iter().map(|g| (g.name.as_str(), g.critical, g.percent_successful, g.depends_on.len())).collect();
        assert_eq!(groups, [("masters", true, Some(100), 0), ("workers", true, Some(60), 1)], "{name}");
        let grouped: usize = chosen.groups.iter().map(|g| g.nodes.len()).sum();
        assert_eq!(grouped, site.nodes.len(), "{name}: every node is in one group");
    }
}

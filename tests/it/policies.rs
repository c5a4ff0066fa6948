//! Policies over a plan and its design, as a pure function: what is denied, what needs approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock::action::{Effect, Selector};
use drydock::diff::{Goal, LastApplied, Memory, NodeStage, Operation, Origin, Stage};
use drydock::plan::policy::{ApprovalRule, NodeLimit, Otherwise, Required, evaluate};
use drydock::plan::{Plan, Policies, PolicyReport, Share, intent_digest};

use crate::support::{Design, facts, hello_site, plan, policy};

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// The first plan of the example, with these effects on nodes instead of `install`.
fn planned(design: &Design, effects: &[(&str, Effect)]) -> Plan {
    let build = facts::before_first_apply(&design.site);
    let mut plan = plan(design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    for (node, effect) in effects {
        for change in plan.changes.iter_mut().filter(|c| c.node.as_deref() == Some(node)) {
            change.effect = *effect;
            change.attributes.iter_mut().for_each(|a| Arc::make_mut(a).effect = *effect);
        }
        plan.actions.iter_mut().filter(|a| a.node.as_deref() == Some(node)).for_each(|a| a.effect = *effect);
    }
    plan
}

/// A node that the design does not have is destroyed.
fn destroys(plan: &mut Plan, node: &str) {
    let mut change = plan.changes.iter().find(|c| c.node.is_some()).unwrap().clone();
    (change.resource, change.node) = (format!("node.{node}"), Some(node.to_owned()));
    (change.operation, change.effect) = (Operation::Delete, Effect::Destroy);
    plan.changes.push(change);
    plan.nodes.insert(node.to_owned(), NodeStage { now: Stage::Orphaned, then: Stage::Ready, rack: None, profile: None, hardware: None });
}

fn report(plan: &Plan, design: &Design, memory: &Memory, policies: &Policies) -> PolicyReport {
    evaluate(plan, &design.site, memory, policies)
}

/// Why a plan is denied, and the nodes.
fn denied(report: &PolicyReport) -> Vec<(&str, Vec<&str>)> {
    report.denied.iter().map(|d| (d.reason.as_str(), d.nodes.iter().map(String::as_str).collect())).collect()
}

#[test]
fn a_protected_node_is_neither_restarted_nor_written_over_whatever_is_allowed() {
    let design = hello_site();
    let protect = Policies { protect: vec![selector("tag=control")], ..Policies::default() };
    let of = |effects: &[(&str, Effect)]| report(&planned(&design, effects), &design, &Memory::default(), &protect);
    assert_eq!(denied(&of(&[])), [], "an installation takes nothing away");
    assert_eq!(denied(&of(&[("compute01", Effect::Redeploy)])), []);
    assert_eq!(denied(&of(&[("control01", Effect::Reboot)])), [("effect reboot on what is protected", vec!["control01"])]);
    assert_eq!(of(&[]).rules, ["protect tag=control: nothing of effect reboot or higher"]);
}

#[test]
fn a_protected_node_stays_protected_when_its_document_is_gone() {
    let design = hello_site();
    let mut plan = planned(&design, &[]);
    destroys(&mut plan, "db01");
    let of = |protect: &str, memory: &Memory| {
        let policies = Policies { protect: vec![selector(protect)], ..Policies::default() };
        let report = report(&plan, &design, memory, &policies);
        denied(&report).into_iter().map(|(reason, nodes)| (reason.to_owned(), nodes.join(","))).collect::<Vec<_>>()
    };
    let mut remembers = Memory::default();
    let attributes = serde_json::json!({
        "add_tags": ["control"], "domain": null, "hostname": "db01", "kernel_params": null, "remove_owner_data": [], "remove_tags": [],
        "set_owner_data": {"owner": "storage"},
    });
    remembers.last_applied.insert("node.db01/platform".into(), LastApplied { origin: Origin::Created, attributes });
    let protected = "effect destroy on what is protected, also when its document is gone";
    assert_eq!(of("node=db*", &Memory::default()), [(protected.to_owned(), "db01".to_owned())]);
    assert_eq!(of("tag=control", &remembers), [(protected.to_owned(), "db01".to_owned())]);
    assert_eq!(of("label.owner=storage", &remembers).len(), 1);
    assert_eq!(of("tag=lab", &remembers), [], "it is remembered not to have that tag");
    // What is not known does not excuse it.
    for (selector, memory) in [("rack=rack1", &remembers), ("tag=lab", &Memory::default()), ("!node=web01 && rack=rack9", &remembers)] {
        let found = of(selector, memory);
        assert!(
            found.len() == 1 && found[0].0.starts_with("effect destroy on what may be protected: its document is gone"),
            "{selector}: {found:?}"
        );
    }
    assert_eq!(of("node=web* && rack=rack1", &remembers), [], "its name alone says that it is not meant");
}

#[test]
fn one_plan_reaches_no_more_nodes_than_it_may() {
    let design = hello_site();
    let plan = planned(&design, &[("control01", Effect::Redeploy), ("compute01", Effect::Destroy), ("compute02", Effect::Reboot)]);
    let limit = |limit: Share, effect: Effect, nodes: Option<&str>, otherwise: Otherwise| NodeLimit {
        effect,
        nodes: nodes.map(selector),
        limit,
        otherwise,
        reason: "change window".into(),
    };
    let site = |l: NodeLimit| report(&plan, &design, &Memory::default(), &Policies { max_nodes: vec![l], ..Policies::default() });
    let rack = |l: NodeLimit| report(&plan, &design, &Memory::default(), &Policies { max_per_rack: vec![l], ..Policies::default() });
    assert_eq!(denied(&site(limit(Share::Count(2), Effect::Redeploy, None, Otherwise::Deny))), []);
    let found = site(limit(Share::Percent(33), Effect::Redeploy, None, Otherwise::Deny));
    assert_eq!(
        denied(&found),
        [("2 nodes with effect redeploy or higher, and at most 1 are allowed in one plan", vec!["compute01", "control01"])]
    );
    assert_eq!(found.rules, ["max_nodes 33% with effect redeploy or higher, else refused (change window)"]);
    assert_eq!(denied(&site(limit(Share::Count(2), Effect::Reboot, None, Otherwise::Deny)))[0].1.len(), 3);
    assert_eq!(denied(&site(limit(Share::Count(1), Effect::Reboot, Some("tag=control"), Otherwise::Deny))), []);
    let two = Otherwise::Approve { approvers: 2, signers: "ops/signers".into() };
    let found = rack(limit(Share::Count(1), Effect::Redeploy, None, two));
    assert_eq!(denied(&found), []);
    let needed = &found.approvals[0];
    assert_eq!((needed.approvers, needed.signers.as_str(), needed.nodes.len()), (2, "ops/signers", 2));
    assert_eq!(
        needed.reason,
        "more nodes of one rack with effect redeploy or higher than are allowed in one plan: 2 of rack rack1, at most 1"
    );
    assert_eq!(rack(limit(Share::Percent(60), Effect::Redeploy, None, Otherwise::Deny)).denied, [], "60 % of three are two");
}

#[test]
fn every_node_has_what_the_site_requires() {
    let design = hello_site();
    let plan = planned(&design, &[]);
    let of = |nodes: Option<&str>, must: &str| {
        let required =
            vec![Required { nodes: nodes.map(selector), must: selector(must), otherwise: Otherwise::Deny, reason: String::new() }];
        let report = report(&plan, &design, &Memory::default(), &Policies { required, ..Policies::default() });
        report.denied.iter().flat_map(|d| d.nodes.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(None, "rack=*"), [""; 0]);
    assert_eq!(of(None, "tag=control"), ["compute01", "compute02"]);
    assert_eq!(of(Some("tag=compute"), "tag=control || node=compute01"), ["compute02"]);
    assert_eq!(of(None, "label.no-such-label=*").len(), 3);
}

#[test]
fn approvals_are_needed_for_what_reaches_their_effect() {
    let design = hello_site();
    let plan = planned(&design, &[("control01", Effect::Redeploy)]);
    let of = |effect: Effect, nodes: Option<&str>| {
        let rule = ApprovalRule { effect, nodes: nodes.map(selector), approvers: 2, signers: "signers".into(), reason: String::new() };
        let report = report(&plan, &design, &Memory::default(), &Policies { approvals: vec![rule], ..Policies::default() });
        report.approvals.iter().map(|n| (n.reason.clone(), n.nodes.len())).collect::<Vec<_>>()
    };
    assert_eq!(of(Effect::Destroy, None), []);
    assert_eq!(of(Effect::Redeploy, None), [("1 node with effect redeploy or higher".to_owned(), 1)]);
    assert_eq!(of(Effect::Redeploy, Some("tag=compute")), []);
    let all = of(Effect::Online, None);
    assert!(all[0].0.starts_with("3 nodes and ") && all[0].0.contains("site resources"), "{all:?}");
    assert_eq!(of(Effect::Online, Some("*")), [("3 nodes with effect online or higher".to_owned(), 3)]);
    // A node whose document is gone and of which nothing is known is not taken for one that needs none.
    let mut gone = plan.clone();
    destroys(&mut gone, "old01");
    let rule =
        ApprovalRule { effect: Effect::Destroy, nodes: Some(selector("tag=x")), approvers: 1, signers: "s".into(), reason: String::new() };
    let report = report(&gone, &design, &Memory::default(), &Policies { approvals: vec![rule], ..Policies::default() });
    assert_eq!(report.approvals[0].nodes, ["old01"]);
}

#[test]
fn policies_are_a_part_of_the_plan_and_of_what_is_approved() {
    let design = hello_site();
    let mut plan = planned(&design, &[]);
    let before = intent_digest(&plan);
    plan.policy = report(&plan, &design, &Memory::default(), &Policies { protect: vec![selector("tag=control")], ..Policies::default() });
    assert_ne!(intent_digest(&plan), before);
    let written = drydock::plan::write(&Plan { sealed: drydock::plan::Sealed::default(), ..plan.clone() });
    assert!(written.contains("\"policy\":{\"approvals\":[],\"denied\":[],\"rules\":[\"protect tag=control"), "{written:.400}");
    let _: BTreeMap<String, serde_json::Value> = serde_json::from_str(&written).unwrap();
}

//! Plans as text in, text out: what is planned, what is held back, what is never claimed.

use std::collections::{BTreeMap, BTreeSet};

use drydock::action::{ActionKind, Effect, Selector};
use drydock::build::{Build, Fact, PowerState};
use drydock::diff::{Goal, Memory, Stage};
use drydock::plan::{self, Plan};

use crate::support::{Design, facts, hello_site, plan, policy, shared};

fn first_plan(design: &Design) -> (Build, Plan) {
    let build = facts::before_first_apply(&design.site);
    let plan = plan(design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    (build, plan)
}

fn chain(plan: &Plan, node: &str) -> Vec<&'static str> {
    plan.actions.iter().filter(|a| a.node.as_deref() == Some(node)).map(|a| a.kind.name()).collect()
}

const FULL_CHAIN: [&str; 10] = [
    "set_node_boot",
    "power_on_node",
    "identify_node",
    "configure_hardware",
    "interrogate_node",
    "apply_node_networking",
    "apply_node_storage",
    "apply_node_platform",
    "deploy_node",
    "set_node_boot",
];

fn provisioner(build: &mut Build) -> &mut drydock::build::Provisioner {
    match &mut build.provisioner {
        Fact::Known(p) => p,
        Fact::Unknown(e) => panic!("{e}"),
    }
}

#[test]
fn a_new_site_is_planned_from_fabric_to_deployment() {
    let design = hello_site();
    let (_, plan) = first_plan(&design);
    assert!(plan.blocked.is_empty() && plan.held_back.is_empty(), "{:?} {:?}", plan.blocked, plan.held_back);
    for node in design.site.nodes.keys() {
        assert_eq!(chain(&plan, node), FULL_CHAIN, "{node}");
        assert_eq!(plan.nodes[node].now, Stage::Absent);
        assert_eq!(plan.nodes[node].then, Stage::Deployed);
    }
    assert!(plan.changes.iter().all(|c| c.effect <= Effect::Install), "nothing is written over in a new site");
}

#[test]
fn actions_wait_for_what_they_need() {
    let design = hello_site();
    let (_, plan) = first_plan(&design);
    let position: BTreeMap<&str, usize> = plan.actions.iter().enumerate().map(|(i, a)| (a.id.as_str(), i)).collect();
    assert_eq!(position.len(), plan.actions.len(), "ids are unique");
    for action in &plan.actions {
        for before in &action.after {
            assert!(position[before.as_str()] < position[action.id.as_str()], "{} is planned before what it waits for", action.resource);
        }
    }
    let ancestors = |start: &str| {
        let by_id: BTreeMap<&str, &drydock::action::Action> = plan.actions.iter().map(|a| (a.id.as_str(), a)).collect();
        let mut seen = BTreeSet::new();
        let mut stack = vec![start.to_owned()];
        while let Some(id) = stack.pop() {
            for dep in &by_id[id.as_str()].after {
                if seen.insert(dep.clone()) {
                    stack.push(dep.clone());
                }
            }
        }
        plan.actions.iter().filter(|a| seen.contains(&a.id)).map(|a| a.resource.clone()).collect::<BTreeSet<_>>()
    };
    let node = design.site.nodes.keys().next().unwrap();
    let action = |kind: ActionKind| plan.actions.iter().find(|a| a.node.as_deref() == Some(node) && a.kind == kind).unwrap();
    let boot = ancestors(&action(ActionKind::SetNodeBoot).id);
    assert!(boot.iter().any(|r| r.starts_with("dhcp.")), "booting from the network waits for DHCP: {boot:?}");
    assert!(boot.contains("site"), "and for a healthy rack controller");
    let networking = ancestors(&action(ActionKind::ApplyNodeNetworking).id);
    for network in design.site.nodes[node].interfaces.values().flat_map(|i| &i.networks) {
        assert!(networking.contains(&format!("subnet.{}", network.value)), "networking waits for {}", network.value);
    }
    let deploy = ancestors(&action(ActionKind::DeployNode).id);
    assert!(deploy.iter().any(|r| r.starts_with("sshkey.")), "a machine is deployed with the keys of the design");
    for other in design.site.nodes.keys().filter(|n| *n != node) {
        assert!(!deploy.iter().any(|r| r.starts_with(&format!("node.{other}"))), "nodes never wait for one another");
    }
}

#[test]
fn a_plan_file_is_reproducible_and_tamper_evident() {
    let design = hello_site();
    let (_, a) = first_plan(&design);
    let (_, b) = first_plan(&design);
    let text = plan::write(&a);
    assert_eq!(text, plan::write(&b), "the same inputs give the same bytes");
    assert_eq!(plan::read(&text).unwrap(), a);
    let changed = text.replacen("\"install\"", "\"online\"", 1);
    assert_ne!(changed, text);
    let error = plan::read(&changed).unwrap_err().to_string();
    assert!(error.contains("digest"), "{error}");
    let cut = plan::read(&text[..text.len() / 2]).unwrap_err().to_string();
    assert!(cut.contains("cut off"), "{cut}");
    let newer = plan::read(&text.replacen("\"format\":1", "\"format\":2", 1)).unwrap_err().to_string();
    assert!(newer.contains("format 2"), "{newer}");
    for node in design.site.nodes.values() {
        if let Some(secret) = &node.oob.credential {
            assert!(!text.contains(secret.value.expose()), "no credential is in a plan");
        }
    }
}

#[test]
fn a_failed_listing_is_not_absence() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    provisioner(&mut build).machines = Fact::Unknown("503 Service Unavailable".into());
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    for node in design.site.nodes.keys() {
        assert_eq!(plan.nodes[node].now, Stage::Unknown);
        assert_eq!(chain(&plan, node), Vec::<&str>::new());
        assert!(plan.blocked.iter().any(|b| b.resource == format!("node.{node}") && b.reason.contains("503")), "{:?}", plan.blocked);
    }
}

#[test]
fn an_unreachable_provisioner_plans_nothing_and_says_so() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    build.provisioner = Fact::Unknown("connection refused".into());
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    assert!(plan.actions.is_empty() && plan.changes.is_empty());
    assert!(plan.blocked.iter().any(|b| b.resource == "site" && b.reason.contains("connection refused")));
}

#[test]
fn a_machine_that_runs_and_is_unknown_is_held_back() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    let name = design.site.nodes.keys().next().unwrap().clone();
    if let Some(Fact::Known(bmc)) = build.bmcs.get_mut(&name) {
        bmc.power = PowerState::On;
    }
    let held = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    assert_eq!(chain(&held, &name), Vec::<&str>::new());
    let entry = held.held_back.iter().find(|h| h.change.resource == format!("node.{name}")).unwrap();
    assert_eq!(entry.change.effect, Effect::Redeploy);
    assert!(entry.hint.contains("--allow redeploy=node="), "{}", entry.hint);
    assert_eq!(held.actions.iter().filter(|a| a.kind == ActionKind::DeployNode).count(), design.site.nodes.len() - 1, "the others go on");
    let mut allowed = policy(Goal::DeployNodes);
    allowed.allow = vec![(Effect::Redeploy, Selector::parse(&format!("node={name}")).unwrap())];
    let plan = plan(&design, &build, &Memory::default(), &allowed).unwrap();
    assert_eq!(chain(&plan, &name)[..3], ["set_node_boot", "power_off_node", "power_on_node"]);
    assert_eq!(plan.allow.len(), 1, "what was allowed is in the plan");
}

#[test]
fn an_unreachable_bmc_blocks_its_node_alone() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    let name = design.site.nodes.keys().next().unwrap().clone();
    build.bmcs.insert(name.clone(), Fact::Unknown("timed out".into()));
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    assert_eq!(chain(&plan, &name), Vec::<&str>::new());
    assert!(plan.blocked.iter().any(|b| b.resource == format!("node.{name}") && b.reason.contains("timed out")));
    assert_eq!(plan.actions.iter().filter(|a| a.kind == ActionKind::DeployNode).count(), design.site.nodes.len() - 1);
}

#[test]
fn two_nodes_on_one_machine_are_refused() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    let names: Vec<String> = design.site.nodes.keys().take(2).cloned().collect();
    let same = build.bmcs[&names[0]].clone();
    build.bmcs.insert(names[1].clone(), same);
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    for name in &names {
        assert_eq!(plan.nodes[name].now, Stage::Unknown);
        assert_eq!(chain(&plan, name), Vec::<&str>::new());
    }
    assert!(
        plan.blocked.iter().any(|b| b.reason.contains(&names[0]) && b.reason.contains(&names[1])),
        "both are named: {:?}",
        plan.blocked
    );
}

#[test]
fn a_foreign_dhcp_server_blocks_dhcp_and_the_nodes_that_boot_there() {
    let design = hello_site();
    let mut build = facts::before_first_apply(&design.site);
    if let Fact::Known(fabrics) = &mut provisioner(&mut build).fabrics {
        for vlan in fabrics.iter_mut().flat_map(|f| &mut f.vlans) {
            vlan.external_dhcp = Some("192.0.2.7".into());
        }
    }
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    assert!(plan.blocked.iter().any(|b| b.resource.starts_with("dhcp.") && b.reason.contains("192.0.2.7")), "{:?}", plan.blocked);
    assert!(!plan.actions.iter().any(|a| a.node.is_some()), "no node boots where two DHCP servers answer");
}

#[test]
fn a_target_takes_only_its_prerequisites() {
    let design = hello_site();
    let build = facts::before_first_apply(&design.site);
    let name = design.site.nodes.keys().next().unwrap().clone();
    let mut one = policy(Goal::DeployNodes);
    one.target = Some(Selector::parse(&format!("node={name}")).unwrap());
    let plan = plan(&design, &build, &Memory::default(), &one).unwrap();
    assert_eq!(plan.nodes.keys().collect::<Vec<_>>(), [&name]);
    assert_eq!(chain(&plan, &name), FULL_CHAIN);
    assert!(plan.actions.iter().any(|a| a.resource.starts_with("dhcp.")));
    assert!(plan.selection.is_some());
    let changed: BTreeSet<&str> = plan.changes.iter().filter(|c| c.node.is_none()).map(|c| c.resource.as_str()).collect();
    let acted: BTreeSet<&str> =
        plan.actions.iter().filter(|a| a.node.is_none() && a.kind != ActionKind::VerifySite).map(|a| a.resource.as_str()).collect();
    assert_eq!(changed, acted, "every site change has its action and every action its change");
}

#[test]
fn goals_end_where_they_say() {
    let design = hello_site();
    let build = facts::before_first_apply(&design.site);
    let kinds = |goal: Goal| {
        let plan = plan(&design, &build, &Memory::default(), &policy(goal)).unwrap();
        plan.actions.iter().map(|a| a.kind).collect::<BTreeSet<_>>()
    };
    assert_eq!(kinds(Goal::VerifySite), BTreeSet::from([ActionKind::VerifySite]));
    let site = kinds(Goal::PrepareSite);
    assert!(site.contains(&ActionKind::CreateNetworkTemplate) && !site.contains(&ActionKind::PowerOnNode));
    let prepared = kinds(Goal::PrepareNodes);
    assert!(prepared.contains(&ActionKind::ApplyNodeStorage) && !prepared.contains(&ActionKind::DeployNode));
    assert!(kinds(Goal::DestroyNodes).is_empty(), "nothing is deployed, so nothing is released");
}

#[test]
fn a_rebuilt_provisioner_is_refused() {
    let design = hello_site();
    let build = facts::before_first_apply(&design.site);
    let mut memory = Memory::default();
    for node in design.site.nodes.keys() {
        let applied = drydock::diff::LastApplied { origin: drydock::diff::Origin::Created, attributes: serde_json::json!({}) };
        memory.last_applied.insert(format!("node.{node}"), applied);
    }
    let error = plan(&design, &build, &memory, &policy(Goal::DeployNodes)).unwrap_err().to_string();
    assert!(error.contains("max_absent") && error.contains("rebuilt"), "{error}");
}

#[test]
fn the_sample_site_is_planned_and_its_broken_tag_held_back() {
    let Some(path) = shared("sites/drydock-samples") else { return };
    let design = crate::support::design(&path, &["deckhand_fullsite.yaml"]);
    let (_, plan) = first_plan(&design);
    assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
    let held: Vec<&str> = plan.held_back.iter().map(|h| h.change.resource.as_str()).collect();
    assert_eq!(held, ["tag.test"]);
    assert!(plan.held_back[0].reason.contains("deckhand_fullsite.yaml:"), "{}", plan.held_back[0].reason);
    for node in design.site.nodes.keys() {
        assert_eq!(chain(&plan, node), FULL_CHAIN);
    }
    let dhcp = plan.changes.iter().find(|c| c.resource == "dhcp.pxe/0").unwrap();
    assert_eq!(dhcp.attributes[0].after, Some(serde_json::json!("relayed to 172.16.5.5")));
    let kernel = plan.changes.iter().find(|c| c.resource == "node.compute01/platform").unwrap();
    let options = kernel.attributes.iter().find(|a| a.path == "kernel_params").unwrap().after.clone().unwrap();
    assert_eq!(options, "console=ttyS2 hugepagesz=1G hugepages=300 isolcpus=2,4 quiet");
}

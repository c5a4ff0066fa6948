//! Nodes that the design no longer has: listed, and released only where somebody names them.

use std::collections::BTreeMap;

use drydock::action::{ActionKind, Effect, Selector};
use drydock::build::{Build, Fact};
use drydock::diff::{Goal, Memory, Policy};
use drydock::plan::Plan;
use drydock::sim::{Node, Status};

use crate::perturbed_support::{Site, node, node_mut, of};
use crate::support;

/// The applied site without `compute02` in its design.
fn left_behind() -> Site {
    let site = Site::applied();
    let text = site.folder().read("design/nodes.yaml");
    let at = text.rfind("---\nschema: drydock/BaremetalNode/v1").unwrap();
    assert!(text[at..].contains("name: compute02"));
    site.folder().write("design/nodes.yaml", &text[..at]);
    site
}

fn record(site: &Site) -> Node {
    node(&site.world(), "compute02").unwrap().clone()
}

#[test]
fn a_plan_releases_the_orphan_that_it_names() {
    let site = left_behind();
    site.run(&["plan"]).expect(0).shows(&["No longer in the design", "drydock destroy --target node=NAME"]);
    let (plan, code) = site.plan(&["--allow", "destroy=node=compute02", "--out", "release.plan"]);
    assert_eq!(code, 2, "{plan:#}");
    let change = of(&plan, "changes", "node.compute02");
    assert_eq!((&change[0]["operation"], &change[0]["effect"]), (&"delete".into(), &"destroy".into()), "{plan:#}");
    assert_eq!(plan["nodes"]["compute02"]["now"], "orphaned", "{plan:#}");
    assert!(of(&plan, "orphans", "node.compute02").is_empty(), "what is released is not listed as left alone");
    let before = site.now();
    site.run(&["apply", "release.plan"]).expect(0);
    assert_eq!((site.effects(&before, "release", "compute02"), site.effects(&before, "release", "compute01")), (1, 0));
    assert_eq!(record(&site).status, Status::Ready);
    site.run(&["plan", "--detailed-exitcode"]).expect(0).shows(&["No changes"]);
}

#[test]
fn destroy_releases_the_orphan_that_it_names_and_no_other_node() {
    let site = left_behind();
    let before = site.now();
    for selector in ["*", "node=comp*", "!node=compute01", "rack=rack1"] {
        let (plan, _) = site.plan(&["--allow", &format!("destroy={selector}")]);
        assert!(of(&plan, "changes", "node.compute02").is_empty(), "{selector}: {plan:#}");
        assert_eq!(of(&plan, "orphans", "node.compute02").len(), 1, "{selector}: {plan:#}");
        let plan = destroying(&site, selector, |_| {});
        assert!(!plan.nodes.contains_key("compute02"), "{selector}: {plan:#?}");
        assert_eq!(plan.orphans.len(), 1, "{selector}");
    }
    assert_eq!(destroying(&site, "stage=orphaned", |_| {}).nodes.keys().collect::<Vec<_>>(), ["compute02"]);
    let wrong = site.run(&["destroy", "--target", "node=compute03", "--auto-approve"]).expect(64);
    assert!(wrong.stderr.contains("no node `compute03`") && wrong.stderr.contains("did you mean `node=compute0"), "{}", wrong.stderr);
    site.expect_no_requests(&before);
    site.run(&["destroy", "--target", "node=compute02", "--auto-approve"]).expect(0);
    assert_eq!((site.effects(&before, "release", "compute02"), site.effects(&before, "release", "compute01")), (1, 0));
    assert_eq!((record(&site).status, record(&site).owner), (Status::Ready, None));
    // A second time there is nothing to do.
    let released = site.now();
    site.run(&["destroy", "--target", "node=compute02", "--auto-approve"]).expect(0).shows(&["No changes in the selection"]);
    site.expect_no_requests(&released);
}

#[test]
fn a_machine_that_others_have_is_no_orphan() {
    let release = ["destroy", "--target", "node=compute02", "--auto-approve"];
    // Somebody else deployed it after it was released; another site has it.
    let taken: [(&str, &[(&str, &str)]); 2] = [("other-team", &[]), ("admin", &[("drydock.site", "elsewhere")])];
    for (owner, marks) in taken {
        let site = left_behind();
        site.change(|w| {
            let n = node_mut(w, "compute02");
            n.owner = Some(owner.into());
            n.owner_data = marks.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
        });
        let before = site.now();
        let (plan, code) = site.plan(&["--allow", "destroy=node=compute02"]);
        assert_eq!((code, of(&plan, "orphans", "node.compute02").len()), (0, 0), "{owner}: {plan:#}");
        site.run(&release).expect(0);
        site.expect_untouched(&before, "compute02");
    }
    // Taken between plan and apply.
    let site = left_behind();
    site.plan(&["--allow", "destroy=node=compute02", "--out", "release.plan"]);
    site.change(|w| {
        let n = node_mut(w, "compute02");
        n.owner = Some("other-team".into());
        n.owner_data.clear();
    });
    let before = site.now();
    let ended = site.run(&["apply", "release.plan"]).expect(4);
    assert!((ended.stdout + &ended.stderr).contains("owned by other-team: it was not taken by drydock for this site"));
    site.expect_untouched(&before, "compute02");
}

#[test]
fn a_locked_orphan_stays_and_is_said() {
    let site = left_behind();
    site.change(|w| node_mut(w, "compute02").locked = true);
    let before = site.now();
    let ended = site.run(&["destroy", "--target", "node=compute02", "--auto-approve"]).expect(7);
    assert!(ended.stdout.contains("is locked") && ended.stdout.contains("unlock it"), "{}", ended.stdout);
    site.expect_untouched(&before, "compute02");
}

#[test]
fn a_node_whose_machine_is_in_doubt_makes_no_orphan() {
    // Renamed in the design, and its BMC does not answer: nothing but the BMC's address says that this is its machine.
    let site = Site::applied();
    site.folder().edit("design/nodes.yaml", "name: compute02", "name: storage02");
    let silent = |build: &mut Build| {
        build.bmcs.remove("compute02");
        build.bmcs.insert("storage02".into(), Fact::Unknown("timed out".into()));
    };
    let plan = destroying(&site, "node=compute02", silent);
    assert!(plan.actions.is_empty() && plan.orphans.is_empty(), "{plan:#?}");
    // With the BMC's word it is known which machine the new name has, so no orphan is left either.
    let answers = |build: &mut Build| {
        let bmc = build.bmcs.remove("compute02").unwrap();
        build.bmcs.insert("storage02".into(), bmc);
    };
    let plan = destroying(&site, "node=storage02", answers);
    assert_eq!(
        plan.actions.iter().map(|a| (a.kind, a.resource.as_str())).collect::<Vec<_>>(),
        [(ActionKind::DestroyNode, "node.storage02")]
    );
    assert!(plan.orphans.is_empty());
}

/// What `destroy --target` would do, by what is at the site and what is changed in that.
fn destroying(site: &Site, selector: &str, change: impl FnOnce(&mut Build)) -> Plan {
    let design = support::design(site.path(), &["design"]);
    let mut build = build();
    change(&mut build);
    let selector = Selector::parse(selector).unwrap();
    let policy = Policy { target: Some(selector.clone()), allow: vec![(Effect::Destroy, selector)], ..support::policy(Goal::DestroyNodes) };
    support::plan(&design, &build, &Memory::default(), &policy).unwrap()
}

/// What drydock discovers of the applied site while its design has all nodes.
fn build() -> Build {
    let site = Site::applied();
    site.run(&["discover", "-q", "-o", "build.json"]).expect(0);
    serde_json::from_str(&site.folder().read("build.json")).unwrap()
}

//! Previews as pure functions: a base against itself, a base against what was changed, and both against the simulated site.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use drydock::diff::{Goal, Policy, Stage};
use drydock::model::{Site, resolve};
use drydock::plan::{self, Plan, Preview, PreviewInputs, Version};
use drydock::source::{self, Entry, Pegleg, Request};
use drydock::yaml::SourceMap;
use drydock::{check, document};

use crate::random_design::{Design as Random, Dice};
use crate::support::{Design, design, hello_site, limits, policy, shared};

fn origin() -> Preview {
    Preview {
        base: "main".to_owned(),
        base_commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        base_folder: String::new(),
        commit: None,
    }
}

/// What `head` changes against `base`.
fn preview(base: (&Site, &SourceMap), head: (&Site, &SourceMap), policy: &Policy) -> Plan {
    let version = |(site, sources)| Version { site, sources, policy };
    let plan = plan::preview(&PreviewInputs {
        base: version(base),
        head: version(head),
        origin: &origin(),
        design_digest: &plan::design_digest(head.0),
        oob_driver: None,
        limits: &limits(),
        rollout: &drydock::plan::Rules::default(),
        hooks: &BTreeMap::new(),
        failures: &drydock::plan::FailureRules::default(),
        timeouts_s: &BTreeMap::new(),
        warnings: &[],
        policies: &drydock::plan::Policies::default(),
    })
    .unwrap();
    assert_eq!(crate::plan_file::problems(&plan::write(&plan)), Vec::<String>::new());
    plan
}

fn of(base: &Design, head: &Design) -> Plan {
    preview((&base.site, &base.sources), (&head.site, &head.sources), &policy(Goal::DeployNodes))
}

/// Nothing of it may differ from itself.
#[track_caller]
fn expect_empty(what: &str, site: &Site, sources: &SourceMap) {
    let plan = preview((site, sources), (site, sources), &policy(Goal::DeployNodes));
    let changes: Vec<_> = plan.changes.iter().chain(plan.held_back.iter().map(|h| &h.change)).collect();
    assert!(changes.is_empty(), "{what}: {changes:#?}");
    assert!(plan.actions.is_empty() && plan.orphans.is_empty(), "{what}: {:?} {:?}", plan.actions, plan.orphans);
    assert!(plan.blocked.is_empty(), "{what}: {:#?}", plan.blocked);
    assert!(!plan.nodes.is_empty() && plan.nodes.values().all(|n| n.now == Stage::Deployed), "{what}: {:?}", plan.nodes);
}

/// A design of one text, and whether it is valid.
fn text(text: &str) -> (Design, bool) {
    let loaded = source::load(Request::disk(Path::new(".")), &[Entry::Text { name: "site.yaml".into(), text: text.into() }]).unwrap();
    read(&loaded)
}

fn read(loaded: &source::Loaded) -> (Design, bool) {
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&loaded.map, &loaded.files);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    let site = site.expect("a region");
    diagnostics.extend(check::run(&site));
    (Design { sources: loaded.map.clone(), site }, !drydock::diag::has_errors(&diagnostics))
}

#[test]
fn a_site_against_itself_changes_nothing() {
    let hello = hello_site();
    expect_empty("hello-site", &hello.site, &hello.sources);
    for sample in
        ["drydock-samples/deckhand_fullsite.yaml", "drydock-samples/deckhand_fullsite_libvirt.yaml", "drydock-samples/fullsite.yaml"]
    {
        let Some(path) = shared(&format!("sites/{sample}")) else { return };
        let sample = design(path.parent().unwrap(), &[path.file_name().unwrap().to_str().unwrap()]);
        expect_empty(&path.display().to_string(), &sample.site, &sample.sources);
    }
}

#[test]
fn sites_of_airship_against_themselves_change_nothing() {
    let Some(root) = shared("sites/treasuremap-v1.9") else { return };
    for site in ["airsloop", "seaworthy"] {
        let entry = Entry::Pegleg(Pegleg { root: root.clone(), site: site.to_owned(), repositories: BTreeMap::new() });
        let (design, valid) = read(&source::load(Request::disk(&root), &[entry]).unwrap());
        assert!(valid, "{site}");
        expect_empty(site, &design.site, &design.sources);
    }
}

#[test]
fn random_designs_against_themselves_change_nothing() {
    let mut valid = 0;
    for seed in 0..400 {
        let design = Random::new(&mut Dice(seed)).text();
        let (design, is_valid) = text(&design);
        if is_valid {
            valid += 1;
            expect_empty(&format!("seed {seed}"), &design.site, &design.sources);
        }
    }
    assert!(valid > 200, "{valid} of 400 designs are valid");
}

/// A copy of hello-site with edits.
fn edited(edits: &[(&str, &str, &str)]) -> (crate::cli_support::Folder, Design) {
    let folder = crate::cli_support::Folder::hello();
    for (file, from, to) in edits {
        folder.edit(file, from, to);
    }
    let design = design(folder.path(), &["design"]);
    (folder, design)
}

#[test]
fn what_is_removed_stands_where_the_base_has_it() {
    let base = hello_site();
    let (_folder, head) = edited(&[("design/networks.yaml", "gateway: 10.10.3.1, metric: 20", "gateway: 10.10.3.9, metric: 20")]);
    let plan = of(&base, &head);
    let gone = plan.changes.iter().find(|c| c.attributes.iter().all(|a| a.after.is_none())).expect("a route is removed");
    for attribute in &gone.attributes {
        let at = attribute.source.as_deref().expect("a place");
        assert!(at.starts_with("0123456789ab:design/networks.yaml:"), "{at}");
    }
    let others = plan.changes.iter().flat_map(|c| &c.attributes).filter(|a| a.after.is_some());
    for attribute in others {
        assert!(attribute.source.as_deref().is_some_and(|at| at.starts_with("design/networks.yaml:")), "{attribute:?}");
    }
}

#[test]
fn sizes_that_only_a_machine_knows_stand_as_the_base_writes_them() {
    let storage = |size: &str| {
        let to = format!(
            "name: compute01\ndata:\n  host_profile: compute\n  storage:\n    physical_devices: {{boot_disk: {{partitions: [{{name: root, size: '{size}'}}]}}}}\n"
        );
        edited(&[("design/nodes.yaml", "name: compute01\ndata:\n  host_profile: compute\n", &to)])
    };
    for (before, after, shown) in [("40%", "50%", "40%"), ("40%", "70g", "40%"), ("70g", "40%", "70g")] {
        let ((_a, base), (_b, head)) = (storage(before), storage(after));
        let plan = of(&base, &head);
        let held: Vec<_> = plan.held_back.iter().flat_map(|h| &h.change.attributes).filter(|a| a.path == "boot_disk.root.size").collect();
        assert_eq!(held.len(), 1, "{before} → {after}: {:?}", plan.held_back);
        assert_eq!(held[0].before.as_ref().and_then(|b| b.as_str()), Some(shown), "{before} → {after}");
    }
}

#[test]
fn new_nodes_are_installed_and_deleted_ones_stay_as_orphans() {
    let base = hello_site();
    let all = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site/design/nodes.yaml")).unwrap();
    let folder = crate::cli_support::Folder::hello();
    let documents: Vec<&str> = all.split("\n---\n").filter(|d| !d.contains("name: compute02\n")).collect();
    folder.write("design/nodes.yaml", &documents.join("\n---\n"));
    let without = design(folder.path(), &["design"]);
    assert_eq!(without.site.nodes.len(), 2);

    let deleted = of(&base, &without);
    assert_eq!(deleted.orphans.iter().map(|o| o.resource.as_str()).collect::<Vec<_>>(), ["node.compute02"]);
    assert!(deleted.orphans[0].detail.contains("0123456789ab:design/nodes.yaml:"), "{}", deleted.orphans[0].detail);
    assert!(deleted.actions.iter().all(|a| a.node.is_none()), "nothing releases a machine that was not named");

    let added = of(&without, &base);
    assert_eq!((added.nodes["compute02"].now, added.nodes["compute02"].then), (Stage::Absent, Stage::Deployed));
    assert!(added.actions.iter().filter_map(|a| a.node.as_deref()).all(|n| n == "compute02"));
    assert_eq!(added.effects_on_nodes().into_values().collect::<BTreeSet<_>>(), BTreeSet::from([drydock::action::Effect::Install]));
}

#[test]
fn a_preview_says_that_it_is_one_and_names_no_machine() {
    let base = hello_site();
    let (_folder, head) = edited(&[("design/networks.yaml", "metric: 20", "metric: 30")]);
    let plan = of(&base, &head);
    assert_eq!(plan.preview, Some(origin()));
    assert!(plan.bindings.is_empty() && plan.endpoints.is_empty());
    assert_eq!(plan::read(&plan::write(&plan)).unwrap(), plan);
}

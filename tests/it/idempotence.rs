//! Apply, then nothing is left to do: by the plan, and by the oracle.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cli_support::unfolded;
use crate::support::{Design, design, shared};
use crate::{oracle, support};

/// A folder of its own for one test.
struct Site {
    dir: tempfile::TempDir,
}

fn text(output: &Output) -> String {
    format!("{}\n--- stderr\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Site {
    fn new(settings: &str, files: &[(PathBuf, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("drydock.yaml"), settings).unwrap();
        for (from, to) in files {
            std::fs::copy(from, dir.path().join(to)).unwrap();
        }
        Self { dir }
    }

    fn hello() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site");
        std::fs::create_dir(dir.path().join("design")).unwrap();
        std::fs::copy(from.join("drydock.yaml"), dir.path().join("drydock.yaml")).unwrap();
        for entry in std::fs::read_dir(from.join("design")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join("design").join(entry.file_name())).unwrap();
        }
        Self { dir }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_drydock")).arg("-C").arg(self.dir.path()).args(args).output().unwrap()
    }

    fn expect(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "drydock {}\n{text}", args.join(" "));
        text
    }

    fn world(&self) -> drydock::sim::World {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = drydock::sim::Server::reopen(&self.dir.path().join(".drydock/sim")).await.unwrap();
            let world = running.world().unwrap();
            running.shutdown().await.unwrap();
            world
        })
    }

    fn design(&self, entries: &[&str]) -> Design {
        design(self.dir.path(), entries)
    }
}

const SAMPLE: &str = "
design: [site.yaml]
drivers:
  oob: {override: redfish}
  maas: {owns_region: true}
limits: {nodes_in_flight: 16, power_ups_per_rack: 16, unavailable_per_rack: 16}
simulate:
  timing: {post_ms: 20, enlist_ms: 40, commission_ms: 80, deploy_ms: 100, release_ms: 50, import_ms: 40}
";

#[test]
fn hello_site_is_applied_once_and_for_all() {
    let site = Site::hello();
    site.expect(2, &["plan", "--detailed-exitcode", "--out", "first.plan"]);
    site.expect(0, &["show", "first.plan"]);
    site.expect(0, &["apply", "first.plan"]);
    let after = site.expect(0, &["plan", "--detailed-exitcode"]);
    assert!(after.to_lowercase().contains("no changes"), "{after}");
    let differences = oracle::differences(&site.design(&["design"]).site, &site.world());
    assert!(differences.is_empty(), "{differences:#?}");
    let again = site.run(&["apply", "first.plan"]);
    assert_eq!(again.status.code(), Some(6), "a plan is applied once: {}", text(&again));
    // The oracle sees what it is for: every difference that is put into the world.
    let mut world = site.world();
    let node = world.nodes.values_mut().find(|n| n.hostname == "compute01").unwrap();
    node.owner_data.remove("role");
    let tags = node.tags.len();
    node.tags.clear();
    let differences = oracle::differences(&site.design(&["design"]).site, &world);
    assert!(tags > 0 && differences.iter().any(|d| d.contains("owner data role")) && differences.iter().any(|d| d.contains("tag ")));
}

#[test]
fn a_released_node_is_deployed_again() {
    let site = Site::hello();
    site.expect(0, &["apply", "--auto-approve"]);
    site.expect(0, &["destroy", "--target", "node=compute01", "--auto-approve"]);
    let plan = site.expect(2, &["plan", "--detailed-exitcode"]);
    assert!(plan.contains("compute01") && !plan.contains("power_on_node"), "a machine that the provisioner has is not switched on: {plan}");
    site.expect(0, &["apply", "--auto-approve"]);
    site.expect(0, &["plan", "--detailed-exitcode"]);
    let differences = oracle::differences(&site.design(&["design"]).site, &site.world());
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn the_drydock_sample_is_applied_but_for_its_broken_tag() {
    let Some(path) = shared("sites/drydock-samples/deckhand_fullsite.yaml") else { return };
    let site = Site::new(SAMPLE, &[(path, "site.yaml")]);
    site.expect(0, &["validate"]);
    site.expect(2, &["plan", "--detailed-exitcode", "--out", "first.plan"]);
    site.expect(0, &["show", "first.plan"]);
    site.expect(0, &["apply", "first.plan"]);
    let after = site.expect(7, &["plan", "--detailed-exitcode", "--format", "json"]);
    let json = unfolded(after.split("\n--- stderr").next().unwrap());
    let held = json["held_back"].as_array().unwrap();
    assert_eq!(held.len(), 1, "{after}");
    assert!(held[0].to_string().contains("tag.test") && held[0].to_string().contains("site.yaml:"), "{after}");
    assert_eq!(json["changes"].as_array().map(Vec::len), Some(0), "{after}");
    let differences = oracle::differences(&site.design(&["site.yaml"]).site, &site.world());
    assert_eq!(differences.len(), 1, "{differences:#?}");
    assert!(differences[0].starts_with("tag test"), "{differences:#?}");
}

#[test]
fn a_real_site_is_applied() {
    let Some(path) = support::shared("sites/rendered-by-deckhand/seaworthy.yaml") else { return };
    let site = Site::new(SAMPLE, &[(path, "site.yaml")]);
    site.expect(0, &["validate"]);
    site.expect(2, &["plan", "--detailed-exitcode", "--out", "first.plan"]);
    site.expect(0, &["show", "first.plan"]);
    site.expect(0, &["apply", "first.plan"]);
    let after = site.expect(0, &["plan", "--detailed-exitcode"]);
    assert!(after.to_lowercase().contains("no changes"), "{after}");
    let differences = oracle::differences(&site.design(&["site.yaml"]).site, &site.world());
    assert!(differences.is_empty(), "{differences:#?}");
}

/// From the tree of layered documents, without any server that renders it.
fn a_raw_tree_is_applied(name: &str) {
    let Some(tree) = support::shared("sites/treasuremap-v1.9") else { return };
    let tree = std::fs::canonicalize(tree).unwrap();
    let settings = SAMPLE.replace("[site.yaml]", &format!("[{{pegleg: {{root: '{}', site: {name}}}}}]", tree.display()));
    let site = Site::new(&settings, &[]);
    site.expect(0, &["validate"]);
    let first = site.expect(2, &["plan", "--detailed-exitcode", "--out", "first.plan"]);
    assert!(first.contains(&format!(" site/{name}/networks/physical/networks.yaml:")), "places are relative to the tree: {first}");
    assert!(!std::fs::read_to_string(site.dir.path().join("first.plan")).unwrap().contains(&*tree.to_string_lossy()));
    site.expect(0, &["apply", "first.plan"]);
    let after = site.expect(0, &["plan", "--detailed-exitcode"]);
    assert!(after.contains("No changes"), "{after}");
    let pegleg = drydock::source::Pegleg { root: tree, site: name.to_owned(), repositories: std::collections::BTreeMap::new() };
    let design = support::design_of(site.dir.path(), &[drydock::source::Entry::Pegleg(pegleg)]);
    let differences = oracle::differences(&design.site, &site.world());
    assert!(differences.is_empty(), "{differences:#?}");
    // Every value of every node has a source, and the last link of its chain is where it is written.
    for node in design.site.nodes.keys() {
        let json = site.expect(0, &["explain", &format!("node.{node}"), "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(json.split("\n--- stderr").next().unwrap()).unwrap();
        for value in json["values"].as_array().unwrap() {
            let last = &value["links"].as_array().unwrap().last().unwrap()["at"];
            let file = last["file"].as_str().unwrap_or_else(|| panic!("{value}"));
            let line = usize::try_from(last["line"].as_u64().unwrap()).unwrap();
            let path = std::path::Path::new(&design_root()).join(file);
            let text = std::fs::read_to_string(path).unwrap();
            let written = text.lines().nth(line - 1).unwrap();
            if let Some(text) = value["value"].as_str().filter(|text| *text != "(sensitive)" && !text.contains('\n')) {
                assert!(
                    written.contains(text) || value["links"].to_string().contains("substitution"),
                    "{file}:{line} is {written:?}: {value}"
                );
            }
        }
    }
}

fn design_root() -> PathBuf {
    support::shared("sites/treasuremap-v1.9").unwrap()
}

#[test]
fn seaworthy_is_applied_from_its_tree() {
    a_raw_tree_is_applied("seaworthy");
}

#[test]
fn airsloop_is_applied_from_its_tree() {
    a_raw_tree_is_applied("airsloop");
}

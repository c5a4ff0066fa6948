//! Every attribute of `docs/drivers/maas.md`: design before → applied → design after → plan and calls → empty plan.
//!
//! A case is a file of `testdata/attributes/`: which attributes it is about, what is changed, and, as a reviewed snapshot, what the plan says and which
//! calls MAAS and BMCs got (method, path, operation and the names of the form's fields, once each). `UPDATE_CASES=1` writes the snapshots anew.
//! Every attribute has a case, every case has its attributes in its plan, and sends a call that the table lists for each of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drydock::diff::{EFFECTS, kind_of};
use drydock::driver::maas::CALLS;
use drydock::sim::World;
use serde::Deserialize;
use serde_json::Value;

use crate::cli_support::unfolded;
use crate::driver_docs::shape;
use crate::perturbed_support::{Site, node_mut};

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Attributes: kind of resource and path, as in the table of effects.
    covers: Vec<String>,
    /// The site before: edits of `examples/hello-site`, which are applied.
    #[serde(default)]
    before: Vec<Edit>,
    /// Commands that then run, each with its arguments in one line.
    #[serde(default)]
    run: Vec<String>,
    /// What somebody does at the site meanwhile.
    #[serde(default)]
    world: Vec<String>,
    /// The change.
    #[serde(default)]
    after: Vec<Edit>,
    /// Options of `plan`.
    #[serde(default)]
    options: Vec<String>,
    /// Expected: what the plan says.
    #[serde(default)]
    plan: String,
    /// Expected: which calls were made.
    #[serde(default)]
    calls: String,
}

/// A text that takes the place of another in a file, everywhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    from: String,
    to: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/attributes");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> (String, Case) {
    let text = std::fs::read_to_string(path).unwrap();
    let case = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (text, case)
}

/// What happens at the site by other hands than drydock's.
fn happens(world: &mut World, what: &str) {
    match what {
        "fabric renamed" => world.site.fabrics.values_mut().find(|f| f.name == "data").unwrap().name = "other".into(),
        "dhcp switched off" => world.site.vlans.values_mut().filter(|v| v.dhcp_on).for_each(|v| v.dhcp_on = false),
        "repository switched off" => world.site.repositories.values_mut().find(|r| r.name == "tools").unwrap().enabled = false,
        "image of focal removed" => {
            world.site.boot_resources.retain(|_, r| r.name != "ubuntu/focal");
            world.site.selections.retain(|_, s| s.release != "focal");
        }
        "interface moved to another fabric" => {
            let other = world.site.vlans.values().find(|v| v.vid == 102).unwrap().id;
            let node = node_mut(world, "compute01");
            let boot = node.boot_interface;
            let nic = node.interfaces.values_mut().find(|i| Some(i.id) == boot).unwrap();
            nic.vlan = Some(other);
        }
        "bond lost a NIC" => {
            let bond = node_mut(world, "compute01").interfaces.values_mut().find(|i| i.kind == "bond").unwrap();
            bond.parents.pop();
        }
        "machine renamed" => node_mut(world, "compute01").hostname = "renamed".into(),
        "power settings lost" => {
            let node = node_mut(world, "compute01");
            node.power_type = "manual".into();
            node.power_parameters.clear();
        }
        "password changed in MAAS" => {
            node_mut(world, "compute01").power_parameters.insert("power_pass".into(), "an older one".into());
        }
        "boot override set" => {
            let bmc = world.machines.get_mut("compute01").unwrap().bmc.as_mut().unwrap();
            (bmc.boot_target, bmc.boot_enabled) = ("Pxe".into(), "Continuous".into());
        }
        "machine switched off" => world.machines.get_mut("compute01").unwrap().on = false,
        other => panic!("nothing is known of {other:?}"),
    }
}

/// What a plan says of its changes: without headline, places in files, UUIDs that MAAS chose, and what every plan of the site says.
fn said(text: &str) -> String {
    let place = regex::Regex::new(r"(design/\w+\.yaml):\d+:\d+").unwrap();
    let uuid = regex::Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let of_maas =
        |found: &regex::Captures<'_>| if found[0].starts_with("6d1e5ba5-") { found[0].to_owned() } else { "(of MAAS)".to_owned() };
    let mut out = String::new();
    let body = text.lines().skip_while(|l| !l.starts_with("  digest")).skip(1);
    for line in body.take_while(|l| !l.starts_with("not managed") && !l.starts_with("next:")) {
        if !(out.is_empty() && line.is_empty()) {
            writeln!(out, "{}", uuid.replace_all(&place.replace_all(line, "$1"), of_maas).trim_end()).unwrap();
        }
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// The attributes that a plan has, changed or held back, as `KIND PATH`.
fn attributes(plan: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for change in plan["changes"].as_array().unwrap() {
        let kind = kind_of(change["resource"].as_str().unwrap());
        for attribute in change["attributes"].as_array().unwrap() {
            let path = attribute["path"].as_str().unwrap().to_owned();
            // Part of the platform before a machine is deployed.
            let kind = if kind == "node/platform" && path == "kernel_params" { "node/kernel_params".to_owned() } else { kind.clone() };
            out.push((kind, path));
        }
    }
    out
}

/// What a preview and a plan at the site must have in common: what changes and what is held back, attribute by attribute, and what is done, in which order.
/// Sizes as MAAS rounds them, and UUIDs that MAAS chose, are in no design.
fn comparable(plan: &Value) -> Vec<String> {
    let held = plan["held_back"].as_array().unwrap().iter().map(|h| ("held back", &h["change"]));
    let chosen = regex::Regex::new(" with UUID [0-9a-f-]{36}").unwrap();
    let mut out = Vec::new();
    for (how, change) in plan["changes"].as_array().unwrap().iter().map(|c| ("changed", c)).chain(held) {
        for attribute in change["attributes"].as_array().unwrap() {
            let of = |key: &str| attribute.get(key).map_or_else(|| "-".to_owned(), Value::to_string);
            let place = |at: &str| at.rsplit_once(".yaml").map_or(String::new(), |(_, at)| at.to_owned());
            let path = attribute["path"].as_str().unwrap();
            let before = match of("before") {
                _ if matches!(path.rsplit('.').next(), Some("size" | "uuid")) => "(of the machine)".to_owned(),
                before => chosen.replace_all(&before, "").into_owned(),
            };
            // What the design removes has a place in the base.
            let at = attribute["source"].as_str().filter(|_| attribute.get("after").is_some()).map_or(String::new(), place);
            out.push(format!(
                "{how} {} {} {} {}: {} → {} {}{at}",
                change["operation"],
                change["effect"],
                change["resource"],
                path,
                before,
                of("after"),
                of("effect")
            ));
        }
    }
    for action in plan["actions"].as_array().unwrap() {
        out.push(format!("{} {} {} {}", action["kind"], action["resource"], action["effect"], action["driver"]));
    }
    out
}

/// The row of the table that an attribute is of.
fn row(kind: &str, path: &str) -> String {
    let row = EFFECTS.iter().find(|r| {
        let matches = match (r.attribute.strip_prefix('*'), r.attribute.strip_suffix('*')) {
            (Some(end), _) => path.ends_with(end),
            (_, Some(start)) => path.starts_with(start),
            _ => path == r.attribute,
        };
        r.resource == kind && matches
    });
    row.map_or_else(|| panic!("{kind} {path} is not in the table"), |r| format!("{} {}", r.resource, r.attribute))
}

/// What a case came to.
struct Outcome {
    plan: String,
    calls: String,
}

fn carry_out(name: &str, case: &Case) -> Outcome {
    let site = Site::applied();
    // What somebody does at the site, or runs, is in no design.
    let by_design = case.run.is_empty() && case.world.is_empty();
    let edit = |edits: &[Edit]| edits.iter().for_each(|e| site.folder().edit(&e.file, &e.from, &e.to));
    if !case.before.is_empty() {
        edit(&case.before);
        site.run(&["apply", "--auto-approve", "--allow", "redeploy=*"]).expect(0);
        site.expect_as_designed();
    }
    for command in &case.run {
        site.run(&command.split(' ').collect::<Vec<_>>()).expect(0);
    }
    if !case.world.is_empty() {
        site.change(|w| case.world.iter().for_each(|what| happens(w, what)));
    }
    if by_design {
        crate::preview_cli::commit(site.path());
    }
    edit(&case.after);
    let options: Vec<&str> = case.options.iter().map(String::as_str).collect();
    let (plan, code) = site.plan(&[&options[..], &["--out", "case.plan"]].concat());
    assert_eq!(code, 2, "{name}: {plan:#}");
    if by_design {
        let preview = site.run(&[&["plan", "--base", "HEAD", "--format", "json", "-q"], &options[..]].concat()).expect(0).stdout;
        assert_eq!(
            comparable(&unfolded(&preview)),
            comparable(&plan),
            "{name}: the preview of the change (left), and the plan at the site"
        );
    }
    let shown = site.run(&["show", "case.plan"]).expect(0).stdout;
    let changed: BTreeSet<String> = attributes(&plan).iter().map(|(kind, path)| row(kind, path)).collect();
    let before = site.now();
    site.run(&["apply", "case.plan"]).expect(0);
    let requests = site.since(&before);
    let refused: Vec<_> = requests.iter().filter(|r| r.status >= 400).collect();
    assert!(refused.is_empty(), "{name}: {refused:#?}");
    let mut calls = BTreeSet::new();
    let mut shapes = BTreeSet::new();
    for r in &requests {
        if r.server == "maas" {
            let shape = shape(&r.method, &r.path, r.op.as_deref());
            let fields = if r.fields.is_empty() { String::new() } else { format!(" ({})", r.fields.join(", ")) };
            calls.insert(format!("{shape}{fields}"));
            shapes.insert(shape);
        } else {
            calls.insert(format!("BMC {} {}", r.method, r.op.as_deref().unwrap_or("")).trim_end().to_owned());
        }
    }
    for covered in &case.covers {
        assert!(changed.contains(covered), "{name}: {covered} is not changed by the plan, which changes {changed:?}");
        let (kind, path) = covered.split_once(' ').unwrap();
        let own = CALLS.iter().any(|c| c.resource == kind && c.attribute == path);
        let listed: BTreeSet<&str> = CALLS
            .iter()
            .filter(|c| c.resource == kind && c.attribute == if own { path } else { "*" })
            .flat_map(|c| c.calls.iter().copied())
            .collect();
        let sent = shapes.iter().any(|s| listed.contains(s.as_str())) || (listed.is_empty() && calls.iter().any(|c| c.starts_with("BMC ")));
        assert!(sent, "{name}: no call that the table lists for {covered} was sent: {shapes:?}");
    }
    site.expect_as_designed();
    Outcome { plan: said(&shown), calls: calls.iter().map(|c| format!("{c}\n")).collect() }
}

fn block(key: &str, text: &str) -> String {
    let lines: String = text.lines().map(|l| if l.is_empty() { "\n".to_owned() } else { format!("  {l}\n") }).collect();
    format!("{key}: |2\n{lines}")
}

fn check(path: &Path) {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let (text, case) = read(path);
    let outcome = carry_out(&name, &case);
    if std::env::var_os("UPDATE_CASES").is_some() {
        let head = text.split("\nplan: |").next().unwrap().trim_end();
        std::fs::write(path, format!("{head}\n{}{}", block("plan", &outcome.plan), block("calls", &outcome.calls))).unwrap();
        return;
    }
    assert_eq!(outcome.plan, case.plan, "{name}: what the plan says; UPDATE_CASES=1 writes it anew");
    assert_eq!(outcome.calls, case.calls, "{name}: the calls; UPDATE_CASES=1 writes them anew");
}

#[test]
fn every_attribute_is_planned_applied_and_settled() {
    let only = std::env::var("CASE").unwrap_or_default();
    let files: Vec<PathBuf> = files().into_iter().filter(|f| f.to_string_lossy().contains(&only)).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    // Made once, and not by whoever comes first.
    drop(Site::applied());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    if std::panic::catch_unwind(|| check(file)).is_err() {
                        failed.lock().unwrap().push(file.file_stem().unwrap().to_string_lossy().into_owned());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:?}", failed.len(), files.len());
}

#[test]
fn every_attribute_has_a_case() {
    let covered: BTreeSet<String> = files().iter().flat_map(|f| read(f).1.covers).collect();
    let all: BTreeSet<String> = EFFECTS.iter().map(|r| format!("{} {}", r.resource, r.attribute)).collect();
    let missing: Vec<_> = all.difference(&covered).collect();
    let unknown: Vec<_> = covered.difference(&all).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "without a case: {missing:?}; of no row of the table: {unknown:?}");
}

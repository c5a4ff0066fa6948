//! What several integration tests share.

pub(crate) mod facts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drydock::diff::{Goal, Memory, Policy};
use drydock::model::{Site, resolve};
use drydock::plan::{Inputs, Limits, Plan, PlanError, Rules, assemble, design_digest};
use drydock::yaml::SourceMap;
use drydock::{check, document, source};

/// A design read from disk and resolved without errors.
pub(crate) struct Design {
    pub(crate) sources: SourceMap,
    pub(crate) site: Site,
}

/// Reads files or folders below `root`.
pub(crate) fn design(root: &Path, entries: &[&str]) -> Design {
    let entries: Vec<source::Entry> = entries.iter().map(|entry| source::Entry::Path(PathBuf::from(entry))).collect();
    design_of(root, &entries)
}

/// Reads a design from anywhere.
pub(crate) fn design_of(root: &Path, entries: &[source::Entry]) -> Design {
    let loaded = source::load(source::Request::disk(root), entries).expect("the design can be read");
    let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&loaded.map, &loaded.files);
    let (site, found) = resolve(&documents, &sensitive);
    diagnostics.extend(found);
    let site = site.expect("the design has a region");
    diagnostics.extend(check::run(&site));
    assert!(!drydock::diag::has_errors(&diagnostics), "{diagnostics:#?}");
    Design { sources: loaded.map, site }
}

/// A site of a design that need not pass every rule.
pub(crate) fn loose_design(root: &Path, entries: &[&str]) -> Site {
    let entries: Vec<source::Entry> = entries.iter().map(|entry| source::Entry::Path(PathBuf::from(entry))).collect();
    let loaded = source::load(source::Request::disk(root), &entries).expect("the design can be read");
    let document::Read { documents, sensitive, .. } = document::read_all(&loaded.map, &loaded.files);
    resolve(&documents, &sensitive).0.expect("the design has a region")
}

/// The folder of reference material; `None`, with a message, where it is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("DRYDOCK_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = root.join("reference").join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: {} is not there", found.display());
    None
}

pub(crate) fn hello_site() -> Design {
    design(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-site"), &["design"])
}

pub(crate) fn policy(goal: Goal) -> Policy {
    Policy { owns_region: true, ..Policy::new(goal) }
}

pub(crate) fn limits() -> Limits {
    Limits::default()
}

pub(crate) fn plan(design: &Design, build: &drydock::build::Build, memory: &Memory, policy: &Policy) -> Result<Plan, PlanError> {
    let plan = assemble(&Inputs {
        site: &design.site,
        sources: &design.sources,
        design_digest: &design_digest(&design.site),
        build,
        memory,
        policy,
        limits: &limits(),
        hooks: &BTreeMap::new(),
        failures: &drydock::plan::FailureRules::default(),
        rollout: &Rules::default(),
        timeouts_s: &BTreeMap::new(),
        warnings: &[],
        policies: &drydock::plan::Policies::default(),
    })?;
    // Every plan of the tests is held against the published schema.
    assert_eq!(crate::plan_file::problems(&drydock::plan::write(&plan)), Vec::<String>::new());
    Ok(plan)
}

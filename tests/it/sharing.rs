//! What a plan for many like nodes holds once, and how it grows.

use std::collections::BTreeSet;
use std::sync::Arc;

use drydock::diff::{Goal, Memory};
use drydock::model::resolve;
use drydock::plan::{self, Plan};
use drydock::yaml::SourceMap;
use drydock::{check, document};

use crate::support::{Design, facts, plan, policy};

#[path = "../../examples/generate_site.rs"]
#[allow(dead_code)]
pub(crate) mod generate_site;

fn planned(nodes: u32) -> Plan {
    let mut sources = SourceMap::default();
    let file = sources.add("site.yaml", generate_site::site(nodes));
    let read = document::read_all(&sources, &[file]);
    let (site, _) = resolve(&read.documents, &read.sensitive);
    let site = site.expect("the generated site resolves");
    assert!(!drydock::diag::has_errors(&check::run(&site)));
    let design = Design { sources, site };
    let build = facts::before_first_apply(&design.site);
    let plan = plan(&design, &build, &Memory::default(), &policy(Goal::DeployNodes)).unwrap();
    assert_eq!(plan.nodes.len(), nodes as usize);
    plan
}

/// Attribute changes of a plan: how many are held, and how many are meant.
fn attributes(plan: &Plan) -> (usize, usize) {
    let all = || plan.changes.iter().flat_map(|c| &c.attributes);
    (all().map(Arc::as_ptr).collect::<BTreeSet<_>>().len(), all().count())
}

#[test]
fn equal_attributes_are_held_once() {
    let (few, many) = (planned(50), planned(150));
    let ((held_few, meant_few), (held_many, meant_many)) = (attributes(&few), attributes(&many));
    let meant_by_a_node = (meant_many - meant_few) / 100;
    let held_by_a_node = (held_many - held_few).div_ceil(100);
    assert!(meant_by_a_node > 40, "{meant_by_a_node} attributes of a node");
    assert!(held_by_a_node <= 8, "a further node holds {held_by_a_node} attributes of its own of {meant_by_a_node}");
    // A plan that was read from its file shares them, too.
    assert_eq!(attributes(&plan::read(&plan::write(&many)).unwrap()), (held_many, meant_many));
}

#[test]
fn a_plan_file_grows_as_the_site_does() {
    let sizes: Vec<usize> = [40, 400].map(|nodes| plan::write(&planned(nodes)).len()).to_vec();
    assert!(sizes[1] < sizes[0] * 10, "{} bytes for 40 nodes, {} for 400", sizes[0], sizes[1]);
    assert!(sizes[1] < 400 * 4096, "{} bytes for 400 nodes", sizes[1]);
}

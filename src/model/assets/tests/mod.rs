//! Boot actions of small sites.

mod delivery;
mod hostile;
mod paid;
mod pipelines;
mod previews;
mod templates;

use minijinja::Value;

use super::context::{ActionFacts, context, node_value};
use crate::diag::Diagnostic;
use crate::document;
use crate::model::{Site, resolve};
use crate::yaml::SourceMap;

/// Two nodes on a network, and these further documents.
fn read(documents: &str) -> (Site, Vec<Diagnostic>) {
    const DOCUMENTS: &str = "
---
schema: drydock/Region/v1
metadata: {name: site}
data: {}
---
schema: drydock/Network/v1
metadata: {name: calico}
data: {cidr: 10.0.0.0/24, dns: {domain: example.com}}
---
schema: drydock/Network/v1
metadata: {name: storage}
data: {cidr: 10.0.1.0/24}
---
schema: drydock/BaremetalNode/v1
metadata: {name: n1}
data:
  primary_network: calico
  interfaces:
    bond0: {networks: [calico], sriov: {vf_count: 2, trustedmode: false}}
    pxe: {}
  addressing:
    - {network: calico, address: 10.0.0.1}
    - {network: storage, address: 10.0.1.1}
    - {network: pxe, address: dhcp}
  metadata:
    tags: [a, b]
    owner_data: {k: v, x: y z}
---
schema: drydock/BaremetalNode/v1
metadata: {name: n2}
data: {}
";
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", format!("{DOCUMENTS}{documents}"));
    let read = document::read_all(&map, &[file]);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let (site, found) = resolve(&read.documents, &read.sensitive);
    (site.expect("a site"), found)
}

/// A boot action with these assets.
fn action(name: &str, assets: &str) -> String {
    let assets = assets.trim_end().replace('\n', "\n    ");
    format!("---\nschema: drydock/BootAction/v1\nmetadata: {{name: {name}}}\ndata:\n  signaling: false\n  assets:\n    {assets}\n")
}

fn n1() -> Value {
    let (site, _) = read("");
    let facts = ActionFacts {
        action_id: "ID".to_owned(),
        action_key: "KEY".to_owned(),
        report_url: "http://report".to_owned(),
        design_ref: "deckhand+http://h/a?b=c d~e/ü".to_owned(),
    };
    context(&node_value(&site, &site.nodes["n1"], None), &facts)
}

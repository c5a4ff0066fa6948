//! What a node would get.

use super::super::preview::{Previewed, preview};
use super::{action, read};
use crate::document;
use crate::model::{Site, resolve};
use crate::yaml::SourceMap;

fn shown(site: &Site, node: &str) -> Vec<String> {
    let preview = preview(site, node).expect("a node");
    let mut lines = Vec::new();
    for action in preview.actions {
        for asset in action.assets {
            let path = asset.path.unwrap_or_default();
            let mode = asset.mode.map(|mode| mode.to_string()).unwrap_or_default();
            let content = match asset.content {
                Previewed::Content { bytes, exact } => format!("{:?} {exact}", String::from_utf8_lossy(&bytes)),
                Previewed::Packages(packages) => format!("{packages:?}"),
                Previewed::Fetched { url, pipeline } => format!("from {url} {pipeline:?}"),
                Previewed::Sensitive => "sensitive".to_owned(),
                Previewed::Failed(failure) => failure.to_string(),
                Previewed::Nothing => "nothing".to_owned(),
            };
            lines.push(format!("{} {} {path} {mode} {content}", action.name, asset.kind.name()));
        }
    }
    lines
}

const ASSETS: &str = "- {type: file, path: /h, permissions: '555', data: '{{ node.hostname }} é', data_pipeline: [utf8_decode, template]}
- {type: unit, path: /u, data: 'x: {{ action.action_key }}', data_pipeline: [utf8_decode, template]}
- type: file
  path: /j
  location: 'promenade+http://api/join?ref={{ action.design_ref | urlencode }}&host={{ node.hostname }}'
  location_pipeline: [template]
  data_pipeline: [utf8_decode]
- {type: pkg_list, data: {2ping: 3.2.1-1, '0xffff': null}}
- {type: file, path: /f, data: '{{ node.network.calico.ip }}', data_pipeline: [utf8_decode, template]}
";

#[test]
fn a_preview_shows_all_that_can_be_known() {
    let (site, found) = read(&action("a", ASSETS));
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(
        shown(&site, "n1"),
        [
            "a file /h 0555 \"n1 é\" true",
            "a unit /u 0600 \"x: (known at deployment)\" false",
            "a file /j 0600 from promenade+http://api/join?ref=(known at deployment)&host=n1 [Utf8Decode]",
            "a pkg_list   {\"0xffff\": None, \"2ping\": Some(\"3.2.1-1\")}",
            "a file /f 0600 \"10.0.0.1\" true",
        ]
    );
    assert_eq!(shown(&site, "n2")[4], "a file /f 0600 step 2 (`template`) line 1: undefined value in `node.network.calico.ip`");
    assert!(preview(&site, "n3").is_none());
}

/// What a substitution leaves behind: text that is written elsewhere, and the past of it.
#[test]
fn what_secret_documents_had_a_part_in_is_not_shown() {
    const SECRET: &str = "---\nschema: deckhand/Passphrase/v1\nmetadata: {name: p, storagePolicy: cleartext}\ndata: hunter2\n";
    let text = format!(
        "---\nschema: drydock/Region/v1\nmetadata: {{name: site}}\ndata: {{}}\n---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: n1}}\ndata: {{metadata: {{owner_data: {{k: v}}}}}}\n{}{SECRET}",
        action(
            "a",
            "- {type: file, path: /s, data: key=}\n- {type: file, path: /t, data: '{{ node.labels.k }}', data_pipeline: [utf8_decode, template]}"
        )
    );
    let mut map = SourceMap::default();
    let file = map.add("design.yaml", text);
    let document::Read { mut documents, sensitive, .. } = document::read_all(&map, &[file]);
    let secret = documents.iter().find(|d| d.name == "p").expect("the secret").data.clone();
    substitute(&mut documents, &secret);
    let (site, found) = resolve(&documents, &sensitive);
    assert!(found.is_empty(), "{found:?}");
    let site = site.expect("a site");
    assert_eq!(shown(&site, "n1"), ["a file /s 0600 sensitive", "a file /t 0600 \"(sensitive)\" false"]);
    assert!(!format!("{site:?}").contains("hunter2 in a file"), "the design's digest is made of this");
}

/// Puts the secret into the first asset by a pattern, and in the place of the node's label.
fn substitute(documents: &mut [crate::document::Document], secret: &crate::yaml::Node) {
    use crate::yaml::{Mapping, Node, Past, Span, Step, Value};
    use std::sync::Arc;
    fn edit(node: &Node, path: &[&str], change: &dyn Fn(&Node) -> Node) -> Node {
        let Some((first, rest)) = path.split_first() else { return change(node) };
        let value = match &node.value {
            Value::Map(mapping) => {
                let entries =
                    mapping.entries.iter().map(|(k, v)| (k.clone(), if *k.name == **first { edit(v, rest, change) } else { v.clone() }));
                Value::Map(Arc::new(Mapping { entries: entries.collect() }))
            }
            Value::Seq(members) => {
                let at: usize = first.parse().expect("an index");
                Value::Seq(Arc::new(
                    members.iter().enumerate().map(|(i, v)| if i == at { edit(v, rest, change) } else { v.clone() }).collect(),
                ))
            }
            _ => panic!("no such path"),
        };
        Node { value, ..node.clone() }
    }
    for document in documents {
        if document.name == "a" {
            document.data = edit(&document.data, &["assets", "0", "data"], &|before| {
                let past = Past { step: Step::Substituted { by: Span::NOWHERE, source: secret.clone() }, before: Some(before.clone()) };
                Node { span: before.span, value: Value::Str("key=hunter2 in a file".into()), past: Some(Arc::new(past)) }
            });
        }
        if document.name == "n1" {
            document.data = edit(&document.data, &["metadata", "owner_data", "k"], &|_| secret.clone());
        }
    }
}

//! Documents in both forms, and what is refused.

use std::fmt::Write as _;

use super::{Document, Form, Kind, Read, Schema, read_all};
use crate::yaml::SourceMap;

fn read(text: &str) -> (Vec<Document>, String) {
    let mut map = SourceMap::default();
    let id = map.add("site.yaml", text);
    let Read { documents, diagnostics, .. } = read_all(&map, &[id]);
    let mut out = String::new();
    for d in diagnostics {
        let at = d.span.map_or_else(|| "-".to_owned(), |s| map.describe(s));
        let _ = write!(out, "{} {at} {} | {}", d.code.0, d.message, d.help.unwrap_or_default());
        for label in &d.labels {
            let _ = write!(out, " | {} {}", map.describe(label.span), label.text);
        }
        out.push('\n');
    }
    (documents, out)
}

#[test]
fn both_forms_give_the_same_document() {
    let (deckhand, problems) = read(
        "---\nschema: drydock/Network/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: mgmt\n  labels: {zone: 1}\ndata:\n  cidr: 10.0.0.0/24\n",
    );
    assert_eq!(problems, "");
    let (older, problems) = read("apiVersion: 'drydock/v1'\nkind: Network\nmetadata:\n  name: mgmt\nspec:\n  cidr: 10.0.0.0/24\n");
    assert_eq!(problems, "");
    assert_eq!((deckhand.len(), older.len()), (1, 1));
    assert_eq!(deckhand[0].kind(), Some(Kind::Network));
    assert_eq!(older[0].kind(), Some(Kind::Network));
    assert_eq!((&*deckhand[0].name, &*older[0].name), ("mgmt", "mgmt"));
    assert_eq!(deckhand[0].data, older[0].data);
    assert_eq!((deckhand[0].form, older[0].form), (Form::Deckhand, Form::ApiVersion));
    assert_eq!(deckhand[0].labels.get("zone").map(String::as_str), Some("1"));
    assert_eq!((deckhand[0].span.line, deckhand[0].name_span.line, deckhand[0].name_span.column), (2, 5, 9));
}

#[test]
fn others_are_kept_and_abstract_ones_are_not() {
    let (documents, problems) = read(
        "schema: deckhand/Passphrase/v1\nmetadata: {name: p}\ndata: secret\n---\nschema: drydock/HostProfile/v1\nmetadata:\n  name: base\n  layeringDefinition: {abstract: true, layer: global}\ndata: {}\n---\nschema: drydock/HostProfile/v1\nmetadata:\n  name: real\n  layeringDefinition: {abstract: false, layer: site}\ndata: {oob: {}}\n---\napiVersion: v1\nkind: ConfigMap\n",
    );
    assert_eq!(problems, "");
    let schemas: Vec<_> = documents.iter().map(|d| (d.schema.clone(), d.name.as_str())).collect();
    assert_eq!(
        schemas,
        [
            (Schema::Other("deckhand/Passphrase/v1".into()), "p"),
            (Schema::Drydock(Kind::HostProfile), "real"),
            (Schema::Other("v1/ConfigMap".into()), ""),
        ]
    );
}

#[test]
fn what_is_refused_says_where_and_what_to_do() {
    let (documents, problems) = read(
        "\
- a list
---
shema: drydock/Network/v1
---
schema: 12
---
schema: drydock/Netwrok/v1
---
schema: drydock/Server/v1
---
schema: drydock/Zebra/v1
---
schema: drydock/Network/v2
---
schema: drydok/Network/v1
---
schema: drydock/Network/v1
data: {}
---
schema: drydock/Network/v1
metadata: {name: true}
data: {}
---
schema: drydock/Network/v1
metadata: {name: x}
spec: {}
---
schema: drydock/Network/v1
metadata: {name: x}
data:
---
apiVersion: drydock/v1
metadata: {name: x}
---
apiVersion: drydock/v1
kind: network
metadata: {name: x}
---
schema: drydock/Rack/v1
metadata: {name: r1}
data: {}
---
schema: drydock/Rack/v1
metadata: {name: r1}
data: {}
",
    );
    assert_eq!(documents.len(), 1);
    assert_eq!(
        problems,
        "\
DD0010 site.yaml:1:1 a list where a document is expected | a document is a mapping that starts with `schema:`; documents are separated by `---`
DD0011 site.yaml:3:1 document without `schema` | start it with `schema: drydock/<Kind>/v1`, or keep files that are no documents out of the design | site.yaml:3:1 did `shema` mean `schema`?
DD0011 site.yaml:5:9 `schema` is an integer | start it with `schema: drydock/<Kind>/v1`, or keep files that are no documents out of the design
DD0012 site.yaml:7:9 unknown kind `Netwrok` | did you mean `drydock/Network/v1`?
DD0012 site.yaml:9:9 unknown kind `Server` | did you mean `drydock/BaremetalNode/v1`?
DD0012 site.yaml:11:9 unknown kind `Zebra` | kinds are Region, Rack, NetworkLink, Network, HardwareProfile, HostProfile, BaremetalNode, BootAction
DD0013 site.yaml:13:9 unknown version `v2` | write `schema: drydock/Network/v1`
DD0018 site.yaml:15:9 `drydok/Network/v1` would not be read as a drydock document | did you mean `drydock/Network/v1`?
DD0014 site.yaml:17:1 Network without `metadata` | give the Network a name under `metadata`: `name: example`
DD0014 site.yaml:21:18 `metadata.name` is a boolean | write a name; quote it if YAML reads it as something else
DD0015 site.yaml:24:1 Network without `data` | rename `spec` to `data` | site.yaml:26:1 this form calls it `data`
DD0015 site.yaml:30:1 `data` of this Network is empty | indent what belongs to it below it
DD0011 site.yaml:32:13 document with `apiVersion` and without a textual `kind` | start it with `schema: drydock/<Kind>/v1`, or keep files that are no documents out of the design
DD0012 site.yaml:36:7 unknown kind `network` | did you mean `Network`?
DD0016 site.yaml:44:18 two Rack documents with the name `r1` | remove or rename one of them; the one at site.yaml:40:18 is used until then | site.yaml:40:18 first defined here
"
    );
}

#[test]
fn a_design_without_drydock_documents_is_an_error() {
    let (documents, problems) = read("---\n---\n");
    assert!(documents.is_empty());
    assert_eq!(
        problems,
        "DD0017 - no drydock document in 1 file | give a file or directory with documents such as `schema: drydock/BaremetalNode/v1`\n"
    );
    // A file that could not be read is the better explanation.
    let (_, problems) = read("a: [\n");
    assert!(problems.starts_with("DD0001 site.yaml:1:4 "), "{problems}");
    assert_eq!(problems.lines().count(), 1);
}

#[test]
fn every_code_has_a_page_and_is_unique() {
    let codes: Vec<_> = crate::yaml::codes::ALL.into_iter().chain(super::codes::ALL).collect();
    for code in &codes {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules").join(format!("{}.md", code.0));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        assert!(text.starts_with(&format!("# {}: ", code.0)), "{}", page.display());
    }
    let unique: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), codes.len());
}

#[test]
fn rendered_sites_are_read_without_a_problem() {
    let shared = std::env::var_os("DRYDOCK_SHARED")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), std::path::PathBuf::from)
        .join("reference/sites");
    if !shared.is_dir() {
        eprintln!("skipped: {} is not there; set DRYDOCK_SHARED", shared.display());
        return;
    }
    let count = |file: &str| {
        let (documents, problems) = read(&std::fs::read_to_string(shared.join(file)).unwrap());
        // Both sites have a schema of another tool with a reference that leads nowhere.
        let known = |line: &&str| line.starts_with("DD0041") || (line.starts_with("DD0037") && line.contains("promenade/Genesis/v1"));
        let notes = problems.lines().filter(|line| !known(line)).collect::<Vec<_>>();
        assert!(notes.is_empty(), "{file}: {notes:?}");
        Kind::ALL.map(|kind| documents.iter().filter(|d| d.kind() == Some(kind)).count())
    };
    // Region, Rack, NetworkLink, Network, HardwareProfile, HostProfile, BaremetalNode, BootAction
    assert_eq!(count("drydock-samples/fullsite.yaml"), [1, 1, 3, 5, 1, 2, 2, 2]);
    assert_eq!(count("drydock-samples/deckhand_fullsite.yaml"), [1, 1, 3, 5, 2, 2, 3, 3]);
    assert_eq!(count("drydock-samples/deckhand_fullsite_libvirt.yaml"), [1, 1, 2, 4, 1, 1, 2, 2]);
    assert_eq!(count("drydock-samples/deckhand_routedomain.yaml"), [0, 0, 0, 3, 0, 0, 0, 0]);
    assert_eq!(count("rendered-by-deckhand/seaworthy.yaml"), [1, 0, 3, 6, 2, 3, 5, 6]);
    assert_eq!(count("rendered-by-deckhand/seaworthy.all.yaml"), [1, 0, 3, 6, 2, 3, 5, 6]);
    assert_eq!(count("rendered-by-deckhand/airsloop.yaml"), [1, 0, 3, 6, 2, 1, 1, 6]);
}

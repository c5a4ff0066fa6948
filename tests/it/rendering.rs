//! The raw trees of public sites render to what Deckhand makes of them, document by document and value by value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drydock::diag::Severity;
use drydock::document::{Rendered, render};
use drydock::report;
use drydock::yaml::{Node, SourceMap, Value, parse};

/// Differences shown of one site.
const SHOWN: usize = 40;

#[expect(clippy::print_stderr, reason = "says why the tests prove nothing")]
fn sites() -> Option<PathBuf> {
    let shared =
        std::env::var_os("DRYDOCK_SHARED").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let sites = shared.join("reference/sites");
    if !sites.is_dir() {
        eprintln!("skipped: {} is not there", sites.display());
        return None;
    }
    Some(sites)
}

fn collect(root: &Path, under: &str, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(root.join(under)) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(root, &name, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// The files of a site, sorted: what all sites share, what its type shares, its own.
fn files(root: &Path, site: &str) -> Vec<PathBuf> {
    let definition = std::fs::read_to_string(root.join(format!("site/{site}/site-definition.yaml"))).unwrap();
    let site_type = definition.lines().find_map(|l| l.trim().strip_prefix("site_type:")).unwrap().trim().to_owned();
    let mut found = Vec::new();
    for under in ["global".to_owned(), format!("type/{site_type}"), format!("site/{site}")] {
        collect(root, &under, &mut found);
    }
    found.sort();
    found
}

fn read(paths: &[PathBuf]) -> (SourceMap, Vec<Node>) {
    let mut map = SourceMap::default();
    let mut documents = Vec::new();
    for path in paths {
        let id = map.add(path.to_str().unwrap(), std::fs::read_to_string(path).unwrap());
        let parsed = parse(&map, id);
        let broken: Vec<_> = parsed.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        documents.extend(parsed.documents.into_iter().filter(|d| !d.is_null()));
    }
    (map, documents)
}

fn rendered(site: &str) -> Option<(SourceMap, Rendered, Vec<Node>)> {
    let sites = sites()?;
    let (map, documents) = read(&files(&sites.join("treasuremap-v1.9"), site));
    let (_, expected) = read(&[sites.join(format!("rendered-by-deckhand/{site}.all.yaml"))]);
    let rendered = render(&map, documents);
    Some((map, rendered, expected))
}

fn identity(document: &Node) -> String {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or("").to_owned();
    let metadata = document.get("metadata");
    let name = text(metadata.and_then(|m| m.get("name")));
    let layer = text(metadata.and_then(|m| m.get("layeringDefinition")).and_then(|l| l.get("layer")));
    format!("{} {name} {layer}", text(document.get("schema")))
}

fn differences(path: &str, ours: &Node, theirs: &Node, out: &mut Vec<String>) {
    match (&ours.value, &theirs.value) {
        (Value::Map(a), Value::Map(b)) => {
            for (key, value) in &a.entries {
                match b.get(&key.name) {
                    Some(other) => differences(&format!("{path}.{}", key.name), value, other, out),
                    None => out.push(format!("{path}.{}: only ours: {value:?}", key.name)),
                }
            }
            for (key, value) in b.entries.iter().filter(|(key, _)| a.get(&key.name).is_none()) {
                out.push(format!("{path}.{}: only Deckhand's: {:?}", key.name, value.value));
            }
        }
        (Value::Seq(a), Value::Seq(b)) if a.len() == b.len() => {
            for (at, (ours, theirs)) in a.iter().zip(b.iter()).enumerate() {
                differences(&format!("{path}[{at}]"), ours, theirs, out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: ours {a:?}, Deckhand's {b:?}")),
    }
}

fn compare(site: &str, count: usize) {
    let Some((map, rendered, expected)) = rendered(site) else { return };
    assert_eq!(expected.len(), count, "the reference is another one");
    let errors: Vec<_> = rendered.diagnostics.iter().filter(|d| d.severity == Severity::Error).cloned().collect();
    assert!(errors.is_empty(), "{}", report::diagnostics::render(&map, &errors, report::diagnostics::Style::default()));
    let ours: BTreeMap<String, &Node> = rendered.documents.iter().map(|d| (identity(d), d)).collect();
    let theirs: BTreeMap<String, &Node> = expected.iter().map(|d| (identity(d), d)).collect();
    let mut found = Vec::new();
    for (id, document) in &ours {
        match theirs.get(id) {
            Some(other) => differences(&format!("{id}: "), document, other, &mut found),
            None => found.push(format!("{id}: only ours")),
        }
    }
    found.extend(theirs.keys().filter(|id| !ours.contains_key(*id)).map(|id| format!("{id}: only Deckhand's")));
    let mut shown = String::new();
    for difference in found.iter().take(SHOWN) {
        let _ = writeln!(shown, "{}", difference.chars().take(400).collect::<String>());
    }
    assert!(found.is_empty(), "{} differences in {site}:\n{shown}", found.len());
    assert_eq!(rendered.documents.len(), count);
}

#[test]
fn seaworthy_renders_as_deckhand_renders_it() {
    compare("seaworthy", 404);
}

#[test]
fn airsloop_renders_as_deckhand_renders_it() {
    compare("airsloop", 381);
}

/// What drydock says about sites that Deckhand renders without a word.
#[test]
fn the_public_sites_have_known_problems() {
    for site in ["seaworthy", "airsloop"] {
        let Some((map, rendered, _)) = rendered(site) else { return };
        let mut found = String::new();
        for problem in &rendered.diagnostics {
            let at = problem.span.map(|span| map.describe(span)).unwrap_or_default();
            let at = at.split_once("treasuremap-v1.9/").map_or(&*at, |(_, at)| at);
            let _ = writeln!(found, "{} {at} {}", problem.code.0, problem.message);
        }
        insta::assert_snapshot!(site, found);
    }
}

//! Designs with odd values anywhere: something may be reported, nothing may panic.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use drydock::document::{self, Document, Sensitive};
use drydock::model::resolve;
use drydock::yaml::{Key, Mapping, Node, SourceMap, Span, Value};
use drydock::{check, diag, report};
use proptest::prelude::*;

fn design() -> Vec<Document> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/check/nodes/design.yaml");
    let mut map = SourceMap::default();
    let id = map.add("design.yaml", std::fs::read_to_string(file).expect("design.yaml"));
    document::read_all(&map, &[id]).documents
}

fn odd_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("!"),
        Just(""),
        Just("!!x"),
        Just("hardwareprofile:"),
        Just("hardwareprofile:hugepages..size"),
        Just("0.0.0.0/0"),
        Just("::/0"),
        Just("255.255.255.255"),
        Just("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        Just(">99999999999999999999t"),
        Just("4294967295%"),
        Just("ü/../\u{0}"),
        Just("defaults"),
        Just("node02"),
        Just("-1"),
    ]
    .prop_map(|text| Value::Str(text.into()));
    let other = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        Just(Value::Seq(Arc::default())),
        Just(Value::Map(Arc::default())),
    ];
    prop_oneof![text, other].prop_recursive(2, 6, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..3);
        let map = proptest::collection::vec(("(!|name|network|size|[a-c])", inner), 0..3);
        prop_oneof![
            list.prop_map(|members| Value::Seq(Arc::new(members.into_iter().map(Node::nowhere).collect()))),
            map.prop_map(|entries| {
                let key = |name: String| Key { name: name.into(), span: drydock::yaml::Span::NOWHERE };
                let mut entries: Vec<(Key, Node)> = entries.into_iter().map(|(name, value)| (key(name), Node::nowhere(value))).collect();
                entries.dedup_by(|a, b| a.0 == b.0);
                Value::Map(Arc::new(Mapping { entries: entries.into() }))
            }),
        ]
    })
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Map(map) => map.entries.iter().map(|(_, value)| count(value)).sum(),
        Value::Seq(members) => members.iter().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the `at`-th node, counted from the root.
fn replace(node: &Node, at: &mut usize, value: &Value) -> Node {
    let here = *at == 0;
    *at = at.wrapping_sub(1);
    let value = match &node.value {
        _ if here => value.clone(),
        Value::Map(map) => {
            let entries = map.entries.iter().map(|(key, child)| (key.clone(), replace(child, at, value))).collect();
            Value::Map(Arc::new(Mapping { entries }))
        }
        Value::Seq(members) => Value::Seq(Arc::new(members.iter().map(|child| replace(child, at, value)).collect())),
        other => other.clone(),
    };
    Node::new(node.span, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), odd_value()), 1..8)) {
        let mut documents = design();
        for (document, place, value) in changes {
            let index = document.index(documents.len());
            let data = &mut documents[index].data;
            let mut at = place.index(count(data));
            *data = replace(data, &mut at, &value);
        }
        let (site, found) = resolve(&documents, &Sensitive::default());
        let site = site.expect("there are documents");
        let again = resolve(&documents, &Sensitive::default()).1;
        prop_assert_eq!(&found, &again, "the same design gives the same problems");
        let checked = check::run(&site);
        prop_assert!(checked.iter().chain(&found).all(|d| !d.message.is_empty() && diag::Severity::Info <= d.severity));
    }
}

/// The texts of all designs that this repository has as samples.
static SAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                collect(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "yaml") {
                found.push(entry);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["testdata/check", "examples"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let texts = files.iter().map(|file| std::fs::read_to_string(file).expect("a text"));
    texts.filter(|text| text.len() < 20_000).collect()
});

/// A small change of a text, at a place of its own choice.
#[derive(Debug, Clone)]
enum Edit {
    Remove(usize),
    Insert(&'static str),
    /// Takes out a line.
    Drop,
    /// Writes a line twice.
    Twice,
    /// Writes a line where another is.
    Move(prop::sample::Index),
    /// Changes the indentation of a line.
    Indent(bool),
    /// Puts something else for the value of a line.
    Value(&'static str),
}

const PIECES: [&str; 24] = [
    "null",
    "''",
    "'!'",
    "'!x'",
    "-1",
    "0.5",
    "[]",
    "{}",
    "[[]]",
    "{a: {b: c}}",
    "*a",
    "&a x",
    "!!int x",
    "<<: *a",
    "99999999999999999999",
    "é\u{2028}",
    "yes",
    "1:30",
    "0x10",
    "\u{feff}",
    "{{ x }}",
    "10.0.0.0/33",
    "::1",
    "name",
];

fn edit() -> impl Strategy<Value = (prop::sample::Index, Edit)> {
    let piece = || proptest::sample::select(&PIECES[..]);
    let edit = prop_oneof![
        (1usize..6).prop_map(Edit::Remove),
        piece().prop_map(Edit::Insert),
        Just(Edit::Drop),
        Just(Edit::Twice),
        any::<prop::sample::Index>().prop_map(Edit::Move),
        any::<bool>().prop_map(Edit::Indent),
        piece().prop_map(Edit::Value),
    ];
    (any::<prop::sample::Index>(), edit)
}

fn edited(text: &str, at: prop::sample::Index, edit: &Edit) -> String {
    if text.is_empty() {
        return text.to_owned();
    }
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    if let Edit::Remove(_) | Edit::Insert(_) = edit {
        let start = boundary(at.index(text.len()));
        return match edit {
            Edit::Remove(length) => format!("{}{}", &text[..start], &text[boundary((start + length).min(text.len())).max(start)..]),
            Edit::Insert(piece) => format!("{}{piece}{}", &text[..start], &text[start..]),
            _ => text.to_owned(),
        };
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let here = at.index(lines.len());
    match edit {
        Edit::Drop => drop(lines.remove(here)),
        Edit::Twice => lines.insert(here, lines[here].clone()),
        Edit::Move(to) => {
            let line = lines.remove(here);
            lines.insert(to.index(lines.len() + 1), line);
        }
        Edit::Indent(true) => lines[here].insert_str(0, "  "),
        Edit::Indent(false) => lines[here] = lines[here].strip_prefix("  ").map_or_else(|| lines[here].clone(), str::to_owned),
        Edit::Value(piece) => {
            let key = lines[here].split_once(": ").map(|(key, _)| key.to_owned());
            lines[here] = format!("{}: {piece}", key.unwrap_or_else(|| lines[here].clone()));
        }
        Edit::Remove(_) | Edit::Insert(_) => {}
    }
    lines.join("\n")
}

/// Problems of a design as a whole; all others are about something that is written.
const OF_THE_WHOLE: [&str; 2] = ["DD0017", "DD1107"];

/// Line and column agree with the byte range, which is inside the file.
fn is_inside(text: &str, span: Span) -> bool {
    let (start, end) = (span.start as usize, span.end as usize);
    let Some(before) = text.get(..start) else { return false };
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
    start <= end
        && text.get(start..end).is_some()
        && before.matches('\n').count() + 1 == span.line as usize
        && column.abs_diff(span.column as usize) <= 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn edited_samples_end_in_a_model_or_in_problems_with_places(which in any::<prop::sample::Index>(), edits in proptest::collection::vec(edit(), 1..4)) {
        let mut text = which.get(&SAMPLES).clone();
        for (at, edit) in &edits {
            text = edited(&text, *at, edit);
        }
        let mut map = SourceMap::default();
        let file = map.add("design.yaml", text.clone());
        let document::Read { documents, sensitive, mut diagnostics, .. } = document::read_all(&map, &[file]);
        let (site, found) = resolve(&documents, &sensitive);
        diagnostics.extend(found);
        if let Some(site) = &site {
            diagnostics.extend(check::run(site));
        }
        diagnostics.extend(check::secrets(&documents, &sensitive));
        prop_assert!(site.is_some() || diag::has_errors(&diagnostics));
        for found in &diagnostics {
            prop_assert!(found.span.is_some() || OF_THE_WHOLE.contains(&found.code.0), "no place: {:?}", found);
            for span in found.span.into_iter().chain(found.labels.iter().map(|label| label.span)) {
                prop_assert!(is_inside(&text, span), "outside the file: {:?}", found);
            }
        }
        let shown = report::diagnostics::render(&map, &diagnostics, report::diagnostics::Style::default());
        prop_assert_eq!(shown.is_empty(), diagnostics.is_empty());
        for found in &diagnostics {
            let code = format!("[{}]", found.code.0);
            prop_assert!(shown.contains(&code));
        }
        // Every value of the model that is written somewhere knows where.
        for node in site.iter().flat_map(|site| site.nodes.values()) {
            prop_assert!(is_inside(&text, node.name.span), "{:?}", node.name);
            for span in node.owner_data.values().chain(&node.tags).map(|text| text.span) {
                prop_assert!(is_inside(&text, span));
            }
        }
    }
}

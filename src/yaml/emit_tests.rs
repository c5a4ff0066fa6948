//! What is written reads back as the same values.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Key, Mapping, Node, SourceMap, Span, Value, emit, parse};

fn text(s: &str) -> Node {
    Node::nowhere(Value::Str(s.into()))
}

fn map(entries: Vec<(String, Node)>) -> Node {
    let mut out: Vec<(Key, Node)> = Vec::new();
    for (name, value) in entries {
        if !out.iter().any(|(key, _)| *key.name == *name) {
            out.push((Key { name: name.into(), span: Span::NOWHERE }, value));
        }
    }
    Node::nowhere(Value::Map(Arc::new(Mapping { entries: out.into() })))
}

fn list(members: Vec<Node>) -> Node {
    Node::nowhere(Value::Seq(Arc::new(members)))
}

fn read_back(written: &str) -> Node {
    let mut sources = SourceMap::default();
    let file = sources.add("x.yaml", written);
    let mut parsed = parse(&sources, file);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{written}", parsed.diagnostics);
    assert_eq!(parsed.documents.len(), 1, "{written}");
    parsed.documents.remove(0)
}

#[test]
fn the_form_is_what_a_person_would_write() {
    let node = map(vec![
        ("schema".into(), text("drydock/Network/v1")),
        ("empty".into(), map(Vec::new())),
        ("cidr".into(), text("10.0.0.0/24")),
        ("pci".into(), text("0000:00:03.0")),
        ("mac".into(), text("52:54:00:11:22:33")),
        ("date".into(), text("2026-11-22")),
        ("mode".into(), text("0644")),
        ("flag".into(), text("yes")),
        ("url".into(), text("https://example.net/a: b")),
        ("version".into(), Node::nowhere(Value::Float(1e20))),
        ("list".into(), list(vec![list(vec![text("a"), text("b c")]), map(vec![("k".into(), text("v")), ("l".into(), list(vec![]))])])),
        ("script".into(), text("#!/bin/sh\necho \"x\"\n")),
        ("keep".into(), text("a\n\n")),
        ("strip".into(), text("a\n\n  b")),
    ]);
    let expected = "---\nschema: drydock/Network/v1\nempty: {}\ncidr: 10.0.0.0/24\npci: \"0000:00:03.0\"\nmac: \"52:54:00:11:22:33\"\n\
                    date: \"2026-11-22\"\nmode: \"0644\"\nflag: \"yes\"\nurl: \"https://example.net/a: b\"\nversion: 1.0e+20\nlist:\n- - a\n  - b c\n\
                    - k: v\n  l: []\nscript: |\n  #!/bin/sh\n  echo \"x\"\nkeep: |+\n  a\n\nstrip: |-\n  a\n\n    b\n";
    assert_eq!(emit(&node), expected);
    assert_eq!(read_back(expected), node);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\n\t]{0,20}",
        "[0-9:._eE+xob-]{1,8}",
        "(yes|no|on|off|null|~|true|y|n|=|<<|---|\\.\\.\\.|- a|a: b|a #b|!x|&a|\\*a|%x|@x|`x|\\{|\\[|\\|x|>x|\\?|: |' |\"| x|x )",
    ]
    // A file cannot hold a NUL or a lone carriage return as text, but escapes can.
    .prop_filter("YAML has no noncharacters", |s| !s.contains(['\u{fffe}', '\u{ffff}']))
}

fn nodes() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::nowhere(Value::Null)),
        any::<bool>().prop_map(|b| Node::nowhere(Value::Bool(b))),
        any::<i64>().prop_map(|n| Node::nowhere(Value::Int(n))),
        (-1e15f64..1e15).prop_map(|n| Node::nowhere(Value::Float(n))),
        texts().prop_map(|s| text(&s)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(list),
            proptest::collection::vec((texts(), inner), 0..4).prop_map(map),
        ]
    })
}

proptest! {
    #[test]
    fn every_tree_reads_back_as_itself(node in nodes()) {
        let written = emit(&node);
        prop_assert_eq!(read_back(&written), node, "{}", written);
    }
}

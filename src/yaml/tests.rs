//! The parser against literal answers of PyYAML 6.0.3 and against hostile text.

use super::{FileId, Node, Parsed, SourceMap, Value, parse};

fn read(text: &str) -> (SourceMap, Parsed) {
    let mut map = SourceMap::default();
    let id = map.add("site.yaml", text);
    let parsed = parse(&map, id);
    (map, parsed)
}

fn good(text: &str) -> Node {
    let (_, parsed) = read(text);
    assert!(parsed.diagnostics.is_empty(), "{text:?}: {:?}", parsed.diagnostics);
    assert_eq!(parsed.documents.len(), 1, "{text:?}");
    parsed.documents.into_iter().next().unwrap()
}

#[test]
fn positions() {
    let text = "a: &x\n  - bé: \"q\"\n  - |\n    text\n    more\n\nd:\n";
    let (map, parsed) = read(text);
    let root = &parsed.documents[0];
    let at = |node: &Node| (map.describe(node.span), text[node.span.start as usize..node.span.end as usize].to_owned());
    let items = root.get("a").unwrap().as_seq().unwrap();
    assert_eq!(at(items[0].get("bé").unwrap()), ("site.yaml:2:9".to_owned(), "\"q\"".to_owned()));
    assert_eq!(items[1].as_str(), Some("text\nmore\n"));
    assert_eq!(at(&items[1]), ("site.yaml:4:5".to_owned(), "text\n    more".to_owned()));
    let (key, value) = root.as_map().unwrap().entry("d").unwrap();
    assert_eq!(map.describe(key.span), "site.yaml:7:1");
    assert!(value.is_null());
    assert_eq!(root.get("missing"), None);
    assert_eq!(map.get(FileId(7)).map(|f| f.path.as_str()), None);
}

#[test]
fn scalars_resolve_as_pyyaml_resolves_them() {
    let int = |n| Value::Int(n);
    let cases: &[(&str, Value)] = &[
        ("0644", int(420)),
        ("0x1F", int(31)),
        ("-0b1_01", int(-5)),
        ("1_000", int(1000)),
        ("190:20:30", int(685_230)),
        ("08", Value::Str("08".into())),
        ("0o17", Value::Str("0o17".into())),
        ("1e3", Value::Str("1e3".into())),
        ("1.5e+3", Value::Float(1500.0)),
        ("1.5e3", Value::Str("1.5e3".into())),
        ("1:30.5", Value::Float(90.5)),
        (".5", Value::Float(0.5)),
        ("-.5", Value::Str("-.5".into())),
        ("yes", Value::Bool(true)),
        ("Off", Value::Bool(false)),
        ("y", Value::Str("y".into())),
        ("~", Value::Null),
        ("Null", Value::Null),
        ("0000:00:03.0", Value::Str("0000:00:03.0".into())),
        ("2:0.0.0", Value::Str("2:0.0.0".into())),
        ("2017-02-17", Value::Str("2017-02-17".into())),
        ("'0644'", Value::Str("0644".into())),
        ("!!str 12", Value::Str("12".into())),
        ("!!int '12'", int(12)),
        ("!!float 12", Value::Float(12.0)),
        ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
        ("-9223372036854775808", int(i64::MIN)),
    ];
    for (text, want) in cases {
        assert_eq!(good(&format!("v: {text}\n")).get("v").unwrap().value, *want, "{text}");
    }
}

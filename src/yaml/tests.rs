//! The parser against literal answers of PyYAML 6.0.3 and against hostile text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{FileId, Node, Parsed, SourceMap, Span, Value, parse};

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

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Str(s) => (&**s).into(),
        Value::Seq(items) => items.iter().map(json).collect(),
        Value::Map(map) => serde_json::Value::Object(map.entries.iter().map(|(k, v)| (k.name.to_string(), json(v))).collect()),
    }
}

#[test]
fn documents_load_as_pyyaml_loads_them() {
    let cases = [
        (
            "base: &b {x: 1, y: 2}\nc: &c {y: 3, z: 4}\none: {<<: *b, y: 9}\nlist: {<<: [*b, *c]}\ntwice:\n  <<: *b\n  <<: *c\n  x: 5\n",
            r#"[{"base": {"x": 1, "y": 2}, "c": {"y": 3, "z": 4}, "one": {"x": 1, "y": 9}, "list": {"y": 2, "z": 4, "x": 1}, "twice": {"x": 5, "y": 3, "z": 4}}]"#,
        ),
        ("a: &a [1, &n two]\nb: *a\n*n : 3\n", r#"[{"a": [1, "two"], "b": [1, "two"], "two": 3}]"#),
        ("? plain\n: - 1\n  - {a: b, c}\n", r#"[{"plain": [1, {"a": "b", "c": null}]}]"#),
        (
            "lit: |\n  a\n   b\n\n  c\n\nfold: >-\n  a\n  b\n\n  c\nkeep: |+\n  a\n\nind: |2\n   a\nlast: |\n  end",
            r#"[{"lit": "a\n b\n\nc\n", "fold": "a b\nc", "keep": "a\n\n", "ind": " a\n", "last": "end"}]"#,
        ),
        (
            "multi: a\n  b\n\n  c\nsq: 'it''s\n  x'\ndq: \"a\\tb\\u00e9\\\n   c\\x41\"\n",
            r#"[{"multi": "a b\nc", "sq": "it's x", "dq": "a\tb\u00e9cA"}]"#,
        ),
        (
            "- !!str yes\n- !!int '0x10'\n- !!bool 'YES'\n- !!null ''\n- !!str\n- ! 12\n- !!seq [a]\n- !!map {}\n",
            r#"[["yes", 16, true, null, "", 12, ["a"], {}]]"#,
        ),
        ("%YAML 1.1\n---\na: 1\n...\n---\n---\nb\n--- |\n text\n", r#"[{"a": 1}, null, "b", "text\n"]"#),
        ("- -1\n- +1\n- -\n- - x\n- {}\n- []\n-\n", r#"[[-1, 1, [null], ["x"], {}, [], null]]"#),
        (
            "url: http://x/y?z=1#frag # comment\nhash: a#b\ntime: 12:30:45\nver: 1.2.3\nip: 10.0.0.1\nmac: 00:11:22:33:44:55\nmac2: 52:54:00:12:34:56\n",
            r#"[{"url": "http://x/y?z=1#frag", "hash": "a#b", "time": 45045, "ver": "1.2.3", "ip": "10.0.0.1", "mac": "00:11:22:33:44:55", "mac2": 41135085296}]"#,
        ),
        ("", "[]"),
        ("\u{feff}# only a comment\n", "[]"),
        ("\u{feff}a: b\r\nc: |\r\n  x\r\n  y\r\n", r#"[{"a": "b", "c": "x\ny\n"}]"#),
    ];
    for (text, want) in cases {
        let (_, parsed) = read(text);
        assert!(parsed.diagnostics.is_empty(), "{text:?}: {:?}", parsed.diagnostics);
        let got: serde_json::Value = parsed.documents.iter().map(json).collect();
        assert_eq!(got, serde_json::from_str::<serde_json::Value>(want).unwrap(), "{text:?}");
    }
}

#[test]
fn merged_entries_keep_the_position_where_they_are_written() {
    let text = "base: &b\n  x: 1\n  y: 2\none:\n  y: 3\n  <<: *b\n";
    let (map, parsed) = read(text);
    let one = parsed.documents[0].get("one").unwrap().as_map().unwrap();
    let places: Vec<_> = one.entries.iter().map(|(k, v)| format!("{} {} {}", k.name, map.describe(k.span), map.describe(v.span))).collect();
    assert_eq!(places, ["x site.yaml:2:3 site.yaml:2:6", "y site.yaml:5:3 site.yaml:5:6"]);
}

#[test]
fn keys_are_text_as_written() {
    let root = good("12: a\n0644: b\nyes: c\n~: d\n1.5: e\n'': f\n");
    let names: Vec<_> = root.as_map().unwrap().entries.iter().map(|(k, _)| &*k.name).collect();
    assert_eq!(names, ["12", "0644", "yes", "null", "1.5", ""]);
}

fn problems(text: &str) -> String {
    let (map, parsed) = read(text);
    let mut out = String::new();
    for d in parsed.diagnostics {
        let at = d.span.map_or_else(|| "-".to_owned(), |s| map.describe(s));
        let _ = write!(out, "{} {at} {} | {}", d.code.0, d.message, d.help.unwrap_or_default());
        for label in &d.labels {
            let _ = write!(out, " | {} {}", map.describe(label.span), label.text);
        }
        out.push('\n');
    }
    out
}

#[test]
fn problems_have_a_position_and_a_remedy() {
    let cases = [
        (
            "a: b: c\n",
            "DD0001 site.yaml:1:5 a `: ` where no further key can start | quote the value if the colon belongs to it; else check the indentation of this line\n",
        ),
        ("a:\n\tb: c\n", "DD0001 site.yaml:2:2 a tab where YAML allows only spaces | indent with spaces\n"),
        ("a: é\n\tb: c\n", "DD0001 site.yaml:2:1 a tab where YAML allows only spaces | indent with spaces\n"),
        ("a: [1,\nb: 2\n", "DD0001 site.yaml:1:4 `[` is never closed | close it, or quote the value if the bracket belongs to it\n"),
        (
            "a: 'x\nb: 1\n",
            "DD0001 site.yaml:1:4 this quotation is never closed | add the closing quote; inside '…' a quote is written ''\n",
        ),
        ("a: 'x' y\n", "DD0001 site.yaml:1:8 text behind the closing quote | quote the whole value; inside '…' a quote is written ''\n"),
        (
            "a: \"\\q\"\n",
            "DD0001 site.yaml:1:4 unknown escape sequence in a \"…\" value | write a backslash as \\\\, or use '…', where it needs no escape\n",
        ),
        (
            "a: 1\n  b: 2\n",
            "DD0001 site.yaml:2:4 a `: ` where no further key can start | quote the value if the colon belongs to it; else check the indentation of this line\n",
        ),
        (
            "a:\n    b: 1\n  c: 2\n",
            "DD0001 site.yaml:3:3 this line fits no indentation that is open | align it with the keys or `-` entries it belongs to\n",
        ),
        (
            "a: 1\nword\nb: 2\n",
            "DD0001 site.yaml:2:1 expected `:` behind a key | write `key: value`, or indent the line if it continues the value above\n",
        ),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n", "DD0001 site.yaml:2:1 a merge conflict marker | resolve the conflict that git left in this file\n"),
        (
            "a: *b\n",
            "DD0003 site.yaml:1:4 alias of an anchor that this document does not have | define the anchor (`&name`) earlier in the same document; if the value starts with a literal `*`, quote it\n",
        ),
        (
            "a: &a [*a]\n",
            "DD0003 site.yaml:1:8 alias of the collection that it stands in | a value cannot contain itself; write out what you mean\n",
        ),
        (
            "a: !x y\n",
            "DD0006 site.yaml:1:7 unknown tag !x | remove the tag; if the value starts with a literal `!`, quote it (as in '!name')\n",
        ),
        ("a: !!int y\n", "DD0006 site.yaml:1:10 `y` does not fit the tag !!int | remove the tag or correct the value\n"),
        (
            "a: !!str [y]\n",
            "DD0006 site.yaml:1:10 unknown tag !!str | remove the tag; if the value starts with a literal `!`, quote it (as in '!name')\n",
        ),
        ("a: {{ x }}\n", "DD0007 site.yaml:1:5 a mapping used as a key | quote the value if this is a template: '{{ name }}'\n"),
        ("? [a]\n: 1\n", "DD0007 site.yaml:1:3 a list used as a key | keys must be plain words or quoted text\n"),
        (
            "a: {<<: 1}\n",
            "DD0008 site.yaml:1:9 a merge key (`<<`) with an integer | give it an alias of a mapping (`<<: *name`) or a list of such aliases\n",
        ),
        (
            "a: b\u{2028}\n",
            "DD0009 site.yaml:1:5 the invisible character U+2028, which other tools read as the end of the line | remove it, or write it as an escape sequence in a \"…\" value\n",
        ),
        (
            "a: 1\nb: 2\na: 3\n",
            "DD0002 site.yaml:3:1 the key `a` is given twice | remove one of the two | site.yaml:1:1 first given here\n",
        ),
    ];
    let mut wrong = String::new();
    for (text, want) in cases {
        let got = problems(text);
        if got != want {
            let _ = write!(wrong, "{text:?}\n  got  {got}  want {want}");
        }
    }
    assert_eq!(wrong, "");
}

#[test]
fn documents_around_a_broken_one_are_kept() {
    let (_, parsed) = read("a: 1\n---\nb: [\n---\nc: 3\n---\nd: *x\n---\ne: 5\n");
    let kept: Vec<_> = parsed.documents.iter().map(|d| d.as_map().unwrap().entries[0].0.name.to_string()).collect();
    assert_eq!(kept, ["a", "c", "e"]);
    let places: Vec<_> = parsed.diagnostics.iter().map(|d| (d.code.0, d.span.unwrap().line)).collect();
    assert_eq!(places, [("DD0001", 3), ("DD0003", 7)]);
    // Of a file that is no YAML at all, only some errors are worth reading.
    let (_, parsed) = read(&"a: [\n---\n".repeat(1000));
    assert_eq!(parsed.diagnostics.len(), 20);
}

fn lines(range: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    range.map(line).collect::<Vec<_>>().concat()
}

#[test]
fn of_a_duplicate_key_the_last_value_counts_also_in_large_mappings() {
    let mut text: String = lines(0..40, |n| format!("k{n}: {n}\n"));
    text += "k3: again\nk39: again\n";
    let (_, parsed) = read(&text);
    assert_eq!(
        parsed.diagnostics.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(),
        ["the key `k3` is given twice", "the key `k39` is given twice"]
    );
    let map = parsed.documents[0].as_map().unwrap();
    assert_eq!(
        (map.entries.len(), &map.get("k3").unwrap().value, &map.get("k39").unwrap().value),
        (40, &Value::Str("again".into()), &Value::Str("again".into()))
    );
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        let _ = writeln!(text, "a{n}: &a{n} [{aliases}]");
    }
    text += "---\nok: 1\n";
    let (_, parsed) = read(&text);
    assert_eq!(parsed.documents.len(), 1);
    assert_eq!(parsed.diagnostics[0].code.0, "DD0004");
    assert_eq!(parsed.diagnostics[0].span.unwrap().line, 6);
    // Merge keys copy entries: the same limit holds for them.
    let big: String = lines(0..2000, |n| format!("  k{n}: {n}\n"));
    let merges: String = lines(0..2000, |n| format!("m{n}: {{<<: *b}}\n"));
    let (_, parsed) = read(&format!("b: &b\n{big}{merges}"));
    assert_eq!((parsed.documents.len(), parsed.diagnostics[0].code.0), (0, "DD0004"));
    // A large document that says everything itself is no bomb.
    let large: String = lines(0..50_000, |n| format!("- [{n}, {n}]\n"));
    assert!(read(&large).1.diagnostics.is_empty());
}

#[test]
fn absurd_nesting_is_refused() {
    let deep = |n: usize| format!("a: {}{}\n", "[".repeat(n), "]".repeat(n));
    assert!(read(&deep(127)).1.diagnostics.is_empty());
    for text in [
        deep(128),
        deep(100_000),
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        lines(0..2000, |n| format!("{}a:\n", " ".repeat(n))),
    ] {
        let (_, parsed) = read(&text);
        assert_eq!(parsed.documents.len(), 0);
        assert_eq!(parsed.diagnostics[0].code.0, "DD0005", "{:?}", parsed.diagnostics[0]);
    }
    // Aliases nest, too.
    let mut text = "- &a0 []\n".to_owned();
    for n in 1..200 {
        let _ = writeln!(text, "- &a{n} [*a{}]", n - 1);
    }
    let (_, parsed) = read(&text);
    assert_eq!((parsed.documents.len(), parsed.diagnostics[0].code.0), (0, "DD0005"));
}

/// `shared/reference` beside the repository; tests that need it pass without it.
fn reference() -> Option<PathBuf> {
    let shared = std::env::var_os("DRYDOCK_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("reference/sites");
    if shared.is_dir() {
        return Some(shared);
    }
    eprintln!("skipped: {} is not there; set DRYDOCK_SHARED", shared.display());
    None
}

fn yaml_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn real_sites_are_read_without_a_problem() {
    let Some(dir) = reference() else { return };
    let mut files = Vec::new();
    yaml_files(&dir, &mut files);
    assert!(files.len() > 500, "{}", files.len());
    let mut documents = 0;
    for file in files {
        let mut map = SourceMap::default();
        let id = map.add(file.display().to_string(), std::fs::read_to_string(&file).unwrap());
        let parsed = parse(&map, id);
        assert!(parsed.diagnostics.is_empty(), "{}: {:?}", file.display(), parsed.diagnostics);
        let lines = Lines::of(&map.files()[0].text);
        for node in &parsed.documents {
            well_formed(node, &lines, 0);
        }
        documents += parsed.documents.len();
    }
    assert!(documents > 1000, "{documents}");
}

/// Laws of every tree: spans are in the text and agree with line and column, keys are unique, nothing is too deep.
fn well_formed(node: &Node, lines: &Lines<'_>, depth: usize) {
    assert!(depth <= super::MAX_DEPTH);
    lines.hold(node.span);
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|n| well_formed(n, lines, depth + 1)),
        Value::Map(m) => {
            let mut names = std::collections::BTreeSet::new();
            for (key, value) in &m.entries {
                assert!(names.insert(&key.name), "{} twice", key.name);
                lines.hold(key.span);
                well_formed(value, lines, depth + 1);
            }
        }
        _ => {}
    }
}

/// Where the lines of a text start.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends = (0..bytes.len()).filter(|at| bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n')));
        Self { text, starts: std::iter::once(0).chain(ends.map(|at| at + 1)).collect() }
    }

    fn hold(&self, span: Span) {
        let (start, text) = (span.start as usize, self.text);
        assert!(text.get(start..span.end as usize).is_some(), "{span:?} in {text:?}");
        let line = self.starts.partition_point(|s| *s <= start);
        assert_eq!(span.line as usize, line, "{span:?} in {text:?}");
        // A byte order mark at the start of a line has no width before a document, and one within.
        let before = &text[self.starts[line - 1]..start];
        let narrowest = before.trim_start_matches('\u{feff}').chars().count() + 1;
        assert!((narrowest..=before.chars().count() + 1).contains(&(span.column as usize)), "{span:?} in {text:?}");
    }
}

fn check_any(text: &str) {
    let (_, parsed) = read(text);
    let lines = Lines::of(text);
    for node in &parsed.documents {
        well_formed(node, &lines, 0);
    }
    for d in &parsed.diagnostics {
        let span = d.span.unwrap();
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{d:?}");
        assert!(d.help.is_some() && span.line > 0 && span.column > 0, "{d:?}");
        assert!(d.message.len() < 400, "{d:?}");
    }
}

const SAMPLE: &str = "---\nschema: 'drydock/BaremetalNode/v1'\nmetadata:\n  schema: metadata/Document/v1\n  name: &name compute01 # comment\n  layeringDefinition: {abstract: false, layer: site}\n  labels:\n    - a\n    - \"é\\n\"\ndata:\n  base: &base\n    mtu: 0644\n    list: [1, 2.5, yes, ~]\n  more:\n    <<: *base\n    text: |\n      one\n       two\n    folded: >-\n      one\n\n      two\n  addressing:\n    - network: oob\n      address: 10.0.0.1\n  name: *name\n...\n---\nb: {c: d}\n";

fn sites() -> Vec<String> {
    let mut all = vec![SAMPLE.to_owned()];
    if let Some(dir) = reference() {
        for name in ["drydock-samples/fullsite.yaml", "drydock-samples/deckhand_routedomain.yaml"] {
            all.extend(std::fs::read_to_string(dir.join(name)));
        }
    }
    all
}

#[derive(Debug, Clone)]
enum Edit {
    Insert(usize, String),
    Delete(usize, usize),
    Swap(usize, usize),
    Cut(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let piece = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        ":",
        ": ",
        "- ",
        "? ",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ",",
        "#",
        " #",
        "|",
        ">",
        "|-\n",
        "&a ",
        "*a",
        "*name",
        "!x ",
        "!!str ",
        "!!int ",
        "<<: *base\n",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
        "\u{feff}",
        "é",
        "\u{2028}",
        "\u{85}",
        "\u{0}",
        "\\",
        "~",
    ]);
    let edit = prop_oneof![
        3 => (any::<usize>(), piece).prop_map(|(at, text)| Edit::Insert(at, text.to_owned())),
        2 => (any::<usize>(), 1usize..8).prop_map(|(at, n)| Edit::Delete(at, n)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::Swap(a, b)),
        1 => any::<usize>().prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 1..5)
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for edit in edits {
        let len = text.len();
        match edit {
            Edit::Insert(at, piece) => {
                let at = at % (len + 1);
                text.splice(at..at, piece.chars());
            }
            Edit::Delete(at, n) => {
                let at = at % (len + 1);
                text.drain(at..(at + n).min(len));
            }
            Edit::Swap(a, b) if len > 0 => text.swap(a % len, b % len),
            Edit::Cut(at) => text.truncate(at % (len + 1)),
            Edit::Swap(..) => {}
        }
    }
    text.into_iter().collect()
}

#[test]
fn a_byte_order_mark_within_a_document_has_a_place() {
    check_any("{é &\n\r\u{feff}?:%}[");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        check_any(&text);
    }

    #[test]
    fn text_of_indicators_never_panics(text in "[ \n\t\ra0:,.\\-?{}\\[\\]&*!|>'\"%@`#~<é\u{feff}]{0,60}") {
        check_any(&text);
    }

    #[test]
    fn edited_documents_never_panic(which in any::<usize>(), edits in edits()) {
        static SITES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        let sites = SITES.get_or_init(sites);
        check_any(&apply(&sites[which % sites.len()], &edits));
    }

    #[test]
    fn scalars_that_are_quoted_are_text(text in "[ -~é]{0,30}") {
        let node = good(&format!("'{}'\n", text.replace('\'', "''")));
        prop_assert_eq!(node.as_str(), Some(text.as_str()));
    }

    #[test]
    fn integers_of_every_base_are_read(n in any::<i64>()) {
        let sign = if n < 0 { "-" } else { "" };
        let size = n.unsigned_abs();
        for text in [format!("{sign}{size}"), format!("{sign}0x{size:x}"), format!("{sign}0b{size:b}"), format!("{sign}0{size:o}")] {
            prop_assert_eq!(&good(&text).value, &Value::Int(n), "{}", text);
        }
    }
}

/// Run by hand in release mode: `cargo test --release --lib yaml::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "measures, does not judge"]
fn speed() {
    for nodes in [1000, 10_000] {
        let mut text = String::new();
        for n in 0..nodes {
            let _ = write!(
                text,
                "---\nschema: drydock/BaremetalNode/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: node{n:05}\n  layeringDefinition:\n    abstract: false\n    layer: site\n  storagePolicy: cleartext\ndata:\n  oob:\n    account: admin\n    credential: secret\n  host_profile: compute\n  metadata:\n    rack: rack{:02}\n    tags:\n      - compute\n    owner_data:\n      openstack-compute-node: enabled\n  addressing:\n    - network: oob\n      address: 10.0.{}.{}\n    - network: mgmt\n      address: 10.1.{}.{}\n    - network: storage\n      address: 10.2.{}.{}\n",
                n / 40,
                n / 250,
                n % 250,
                n / 250,
                n % 250,
                n / 250,
                n % 250
            );
        }
        let bytes = text.len();
        let mut map = SourceMap::default();
        let id = map.add("site.yaml", text);
        let start = std::time::Instant::now();
        let parsed = parse(&map, id);
        let took = start.elapsed();
        assert_eq!(parsed.documents.len(), nodes);
        println!("{nodes} nodes, {bytes} bytes: {took:?}");
    }
}

//! Diagnostics as people and programs see them.

use proptest::prelude::*;

use super::diagnostics::{FORMATS, Report, Style, render, summary, to_json};
use crate::diag::{Code, Diagnostic};
use crate::document::read_all;
use crate::yaml::{SourceMap, Span};

fn problems(files: &[(&str, &str)]) -> (SourceMap, Vec<Diagnostic>) {
    let mut map = SourceMap::default();
    let ids: Vec<_> = files.iter().map(|(path, text)| map.add(*path, *text)).collect();
    let diagnostics = read_all(&map, &ids).diagnostics;
    (map, diagnostics)
}

#[test]
fn text() {
    let (map, mut diagnostics) = problems(&[
        ("site/b.yaml", "schema: drydock/Rack/v1\nmetadata: {name: r1}\ndata:\n  größe: 1\n  größe: 2\n---\na: 'b\n"),
        (
            "site/a.yaml",
            "\u{feff}schema: drydock/Netwrok/v1\r\nmetadata: {name: x}\r\n---\r\nschema: drydock/Rack/v1\r\nmetadata: {name: r1}\r\ndata: {}\r\n",
        ),
    ]);
    diagnostics.push(Diagnostic::warning(Code("DD9999"), "something without a place").help("do this").resource("node.n1"));
    assert_eq!(
        render(&map, &diagnostics, Style::default()),
        "\
warning[DD9999]: something without a place
 |
 = note: this is about node.n1
 = help: do this

error[DD0012]: unknown kind `Netwrok`
 --> site/a.yaml:1:9
  |
1 | schema: drydock/Netwrok/v1
  |         ^^^^^^^^^^^^^^^^^^
  |
  = help: did you mean `drydock/Network/v1`?

error[DD0016]: two Rack documents with the name `r1`
 --> site/a.yaml:5:18
  |
5 | metadata: {name: r1}
  |                  ^^ defined again here
  |
 ::: site/b.yaml:2:18
  |
2 | metadata: {name: r1}
  |                  -- first defined here
  |
  = help: remove or rename one of them; the one at site/b.yaml:2:18 is used until then

error[DD0002]: the key `größe` is given twice
 --> site/b.yaml:5:3
  |
4 |   größe: 1
  |   ----- first given here
5 |   größe: 2
  |   ^^^^^ given again here, and this one counts
  |
  = help: remove one of the two

error[DD0001]: this quotation is never closed
 --> site/b.yaml:7:4
  |
7 | a: 'b
  |    ^
  |
  = help: add the closing quote; inside '…' a quote is written ''

4 errors, 1 warning
"
    );
}

#[test]
fn json() {
    let (map, mut diagnostics) = problems(&[("a.yaml", "schema: drydock/Rack/v1\nmetadata: {name: r1}\ndata:\n  a: 1\n  a: 2\n")]);
    diagnostics.push(Diagnostic::warning(Code("DD9999"), "something without a place").at(Span::NOWHERE).resource("node.n1"));
    let rack = "docs/rules/DD0002.md";
    let mut expected = serde_json::json!({
        "format": 1, "drydock": env!("CARGO_PKG_VERSION"), "valid": false, "strict": false, "site": null,
        "errors": 1, "warnings": 1, "infos": 0,
        "silenced": [],
        "diagnostics": [
            {
                "code": "DD9999", "title": "", "severity": "warning", "rule_severity": null, "original": null,
                "message": "something without a place",
                "file": null, "line": null, "column": null, "end_line": null, "end_column": null, "start": null, "end": null,
                "note": null, "help": null, "help_url": "docs/rules/DD9999.md", "resource": "node.n1", "also": [], "labels": []
            },
            {
                "code": "DD0002", "title": "a key stands twice in a mapping", "severity": "error", "rule_severity": "error", "original": null,
                "message": "the key `a` is given twice",
                "file": "a.yaml", "line": 5, "column": 3, "end_line": 5, "end_column": 4, "start": 60, "end": 61,
                "note": "given again here, and this one counts", "help": "remove one of the two", "help_url": rack, "resource": null, "also": [],
                "labels": [{
                    "file": "a.yaml", "line": 4, "column": 3, "end_line": 4, "end_column": 4, "start": 53, "end": 54, "text": "first given here"
                }]
            }
        ]
    });
    expected["unverified"] = serde_json::json!([]);
    for found in expected["diagnostics"].as_array_mut().expect("diagnostics") {
        found["also_unnamed"] = 0.into();
    }
    assert_eq!(to_json(&Report::new(&map, &diagnostics)), expected);
}

#[test]
fn secrets_and_escape_sequences_do_not_reach_the_terminal() {
    let (map, diagnostics) = problems(&[(
        "x\u{1b}[31m.yaml",
        "schema: deckhand/Passphrase/v1\ndata: hunter2: x\n---\nschema: drydock/Rack/v1\nmetadata: {name: r}\ndata:\n  credential: hunter3\n  credential: hunter4\n  \"a\\e[31m\": 1\n  \"a\\e[31m\": 2\n",
    )]);
    assert_eq!(diagnostics.len(), 3);
    let text = render(&map, &diagnostics, Style::default());
    assert!(!text.contains("hunter"), "{text}");
    assert!(text.contains("data: ********"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let colored = render(&map, &diagnostics, Style { color: true, width: 100 });
    assert!(colored.contains("\u{1b}[") && !colored.contains("\u{1b}[31m."), "{colored:?}");
}

#[test]
fn any_position_can_be_shown() {
    let mut map = SourceMap::default();
    let file = map.add("a.yaml", "é\nb: c");
    for start in 0..9 {
        for end in 0..9 {
            let span = Span { file, line: 2, column: 9, start, end };
            let text = render(&map, &[Diagnostic::error(Code("DD9999"), "x").at(span).label(span, "y")], Style::default());
            assert!(text.contains("a.yaml"), "{text}");
        }
    }
    let nowhere = Span { file: crate::yaml::FileId(9), line: 1, column: 1, start: 0, end: 1 };
    let text = render(&map, &[Diagnostic::error(Code("DD9999"), "x").at(nowhere)], Style::default());
    assert_eq!(text, "error[DD9999]: x\n\n1 error\n");
}

#[test]
fn summaries() {
    assert_eq!(summary(&[]), "no problems");
    let (e, w) = (Diagnostic::error(Code("DD1"), ""), Diagnostic::warning(Code("DD2"), ""));
    assert_eq!(summary(&[e.clone(), w.clone(), w.clone()]), "1 error, 2 warnings");
    assert_eq!(summary(&[w]), "1 warning");
    assert_eq!(render(&SourceMap::default(), &[], Style::default()), "");
}

fn renders(text: &str) {
    let (map, mut diagnostics) = problems(&[("a.yaml", text), ("b.yaml", "schema: drydock/Rack/v1\nmetadata: {name: r1}\ndata: {}\n")]);
    // Every position of the text as a further label of the first problem.
    let labels: Vec<Span> = (0..text.len().min(80))
        .map(|at| Span {
            file: map_file(),
            line: text.as_bytes()[..at].split(|b| *b == b'\n').count() as u32,
            column: 1,
            start: at as u32,
            end: at as u32 + 3,
        })
        .collect();
    diagnostics.push(labels.iter().fold(Diagnostic::warning(Code("DD9999"), text), |d, span| d.at(*span).label(*span, text)));
    for color in [false, true] {
        for width in [0, 20, 140] {
            let out = render(&map, &diagnostics, Style { color, width });
            assert!(out.contains("DD9999"), "{out}");
            assert!(color || !out.contains('\u{1b}'), "{out:?}");
        }
    }
    for format in &FORMATS {
        let out = (format.write)(&Report::new(&map, &diagnostics));
        assert!(out.contains("DD9999") && !out.contains('\u{1b}'), "{}: {out}", format.name);
    }
}

fn map_file() -> crate::yaml::FileId {
    crate::yaml::FileId(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_shown(text in any::<String>()) {
        renders(&text);
    }

    #[test]
    fn any_broken_yaml_can_be_shown(text in "[ \n\t\r\u{1b}a:,\\-{}\\[\\]&*!|'\"#é漢\u{feff}\u{2028}]{0,60}") {
        renders(&text);
    }
}

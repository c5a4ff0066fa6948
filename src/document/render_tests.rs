//! The rules of rendering, one by one.

#![allow(clippy::format_push_string, clippy::format_collect, clippy::needless_for_each, clippy::needless_pass_by_value)] // texts of tests are small

use std::fmt::Write as _;

use proptest::prelude::*;

use super::render::{Rendered, render};
use crate::diag::Severity;
use crate::yaml::{Node, SourceMap, Span, Step, Value, parse};

const POLICY: &str = "schema: deckhand/LayeringPolicy/v1
metadata: {schema: metadata/Control/v1, name: policy}
data: {layerOrder: [global, type, site]}
";

/// A document: `a/A/v1 name layer`, further metadata, and data.
fn document(head: &str, metadata: &str, data: &str) -> String {
    let mut parts = head.split(' ');
    let (schema, name, layer) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let (definition, metadata): (Vec<&str>, Vec<&str>) = metadata
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .partition(|l| ["abstract", "parentSelector", "actions"].iter().any(|k| l.starts_with(k)));
    let mut out = format!("---\nschema: {schema}\nmetadata:\n  schema: metadata/Document/v1\n  name: {name}\n  labels: {{id: {name}}}\n");
    metadata.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    out.push_str(&format!("  layeringDefinition:\n    layer: {layer}\n"));
    definition.iter().for_each(|line| out.push_str(&format!("    {line}\n")));
    out.push_str(&format!("data: {data}\n"));
    out
}

/// A child of `id: parent` in the layer `site`.
fn child(actions: &str, data: &str) -> String {
    document("a/A/v1 child site", &format!("parentSelector: {{id: parent}}\nactions: [{actions}]"), data)
}

fn parent(data: &str) -> String {
    document("a/A/v1 parent global", "abstract: true", data)
}

struct Site {
    map: SourceMap,
    rendered: Rendered,
}

fn site(documents: &[String]) -> Site {
    let mut map = SourceMap::default();
    let policy = map.add("policy.yaml", POLICY);
    let mut parsed = parse(&map, policy).documents;
    for (at, text) in documents.iter().enumerate() {
        let id = map.add(format!("{at}.yaml"), text.as_str());
        let file = parse(&map, id);
        assert!(file.diagnostics.is_empty(), "{text}\n{:?}", file.diagnostics);
        parsed.extend(file.documents);
    }
    let rendered = render(&map, parsed);
    Site { map, rendered }
}

fn show(node: &Node, out: &mut String) {
    let _ = match &node.value {
        Value::Null => write!(out, "null"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::Int(n) => write!(out, "{n}"),
        Value::Float(n) => write!(out, "{n:?}"),
        Value::Str(s) => write!(out, "{s}"),
        Value::Seq(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                show(item, out);
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.entries.iter().enumerate() {
                let _ = write!(out, "{}{}: ", if at > 0 { ", " } else { "" }, key.name);
                show(value, out);
            }
            write!(out, "}}")
        }
    };
}

impl Site {
    fn node(&self, name: &str) -> &Node {
        let named = |node: &&Node| node.get("metadata").and_then(|m| m.get("name")).and_then(Node::as_str) == Some(name);
        self.rendered.documents.iter().find(named).unwrap_or_else(|| panic!("no document {name}")).get("data").unwrap()
    }

    fn data(&self, name: &str) -> String {
        let mut out = String::new();
        show(self.node(name), &mut out);
        out
    }

    /// `DD0025 0.yaml:8:5 message`, a line each.
    fn problems(&self) -> String {
        self.rendered.diagnostics.iter().fold(String::new(), |mut out, found| {
            let at = found.span.map(|span| self.map.describe(span)).unwrap_or_default();
            let _ = writeln!(out, "{} {at} {}", found.code.0, found.message);
            assert!(found.help.is_some(), "{}", found.message);
            out
        })
    }

    fn names(&self) -> Vec<&str> {
        self.rendered.documents.iter().filter_map(|d| d.get("metadata")?.get("name")?.as_str()).collect()
    }

    /// The text that a position means.
    fn text(&self, span: Span) -> &str {
        &self.map.get(span.file).unwrap().text[span.start as usize..span.end as usize]
    }
}

/// What a child with these actions gets; parent and child are those of Deckhand's manual.
fn layered(actions: &str) -> String {
    let site = site(&[parent("{a: {x: 1, y: 2}, c: 9}"), child(actions, "{a: {x: 7, z: 3}, b: 4}")]);
    format!("{} {}", site.data("child"), site.problems())
}

#[test]
fn actions() {
    assert_eq!(layered("{method: merge, path: .}"), "{a: {x: 7, y: 2, z: 3}, c: 9, b: 4} ");
    assert_eq!(layered("{method: merge, path: $}"), "{a: {x: 7, y: 2, z: 3}, c: 9, b: 4} ");
    assert_eq!(layered("{method: merge, path: .a}"), "{a: {x: 7, y: 2, z: 3}, c: 9} ");
    assert_eq!(layered("{method: merge, path: .b}"), "{a: {x: 1, y: 2}, c: 9, b: 4} ");
    assert_eq!(layered("{method: replace, path: .}"), "{a: {x: 7, z: 3}, b: 4} ");
    assert_eq!(layered("{method: replace, path: .a}"), "{a: {x: 7, z: 3}, c: 9} ");
    assert_eq!(layered("{method: replace, path: .a.x}"), "{a: {x: 7, y: 2}, c: 9} ");
    assert_eq!(layered("{method: delete, path: .}"), "{} ");
    assert_eq!(layered("{method: delete, path: .a}"), "{c: 9} ");
    assert_eq!(
        layered("{method: merge, path: .}, {method: delete, path: .a.z}, {method: replace, path: .a.x}"),
        "{a: {x: 7, y: 2}, c: 9, b: 4} "
    );
    assert_eq!(
        layered("{method: merge, path: .c}"),
        "{a: {x: 1, y: 2}, c: 9} DD0029 1.yaml:10:37 a/A/v1 `child` (layer site) has no value at `.c` to put over its parent's\n"
    );
    assert_eq!(
        layered("{method: delete, path: .b}"),
        "{a: {x: 1, y: 2}, c: 9} DD0029 1.yaml:10:38 a/A/v1 `child` (layer site) inherits nothing at `.b` that could be deleted\n"
    );
}

#[test]
fn lists_null_and_quoted_keys() {
    let of = |parent_data: &str, actions: &str, own: &str| site(&[parent(parent_data), child(actions, own)]).data("child");
    assert_eq!(of("{l: [1, 2]}", "{method: merge, path: .}", "{l: [3]}"), "{l: [3]}");
    assert_eq!(of("{a: 1, b: 2}", "{method: merge, path: .}", "{a: null}"), "{a: null, b: 2}");
    assert_eq!(of("{l: [{x: 1}, {x: 2}]}", "{method: merge, path: '.l[1]'}", "{l: [0, {y: 3}]}"), "{l: [{x: 1}, {x: 2, y: 3}]}");
    assert_eq!(of("{l: [1, 2, 3]}", "{method: delete, path: '.l[1]'}", "{}"), "{l: [1, 3]}");
    assert_eq!(of("{'a.b': {c: 1}}", "{method: replace, path: \".['a.b'].c\"}", "{'a.b': {c: 2}}"), "{a.b: {c: 2}}");
    assert_eq!(of("{}", "{method: replace, path: '.l[1].x'}", "{l: [0, {x: 5}]}"), "{l: [{}, {x: 5}]}");
    assert_eq!(of("text", "{method: merge, path: .}", "other"), "other");
}

#[test]
fn of_equal_values_the_first_is_deleted_as_deckhand_does() {
    let site = site(&[parent("{a: 1, b: 1}"), child("{method: delete, path: .b}", "{}")]);
    assert_eq!(site.data("child"), "{b: 1}", "as Deckhand does it");
    assert_eq!(site.problems(), "DD0040 1.yaml:10:38 `delete` of `.b` deletes `.a`, which has an equal value\n");
}

#[test]
fn parents_are_in_the_nearest_layer_and_rendered_first() {
    let merge = "parentSelector: {k: v}\nactions: [{method: merge, path: .}]";
    let global = document("a/A/v1 g global", "abstract: true\nlabels: {k: v}", "{from: global, g: 1}").replace("  labels: {id: g}\n", "");
    let middle = document("a/A/v1 t type", &format!("abstract: true\nlabels: {{k: v, x: y}}\n{merge}"), "{from: type, t: 1}")
        .replace("  labels: {id: t}\n", "");
    let low = document("a/A/v1 s site", "parentSelector: {k: v, x: y}\nactions: [{method: merge, path: .}]", "{s: 1}");
    let found = site(&[low.clone(), middle.clone(), global.clone()]);
    assert_eq!(found.problems(), "");
    assert_eq!(found.data("s"), "{from: type, g: 1, t: 1, s: 1}");
    assert_eq!(found.names(), ["s", "policy"], "abstract documents are left out");
    let nearest = document("a/A/v1 s site", merge, "{s: 1}");
    assert_eq!(site(&[nearest, middle, global]).data("s"), "{from: type, g: 1, t: 1, s: 1}");
}

#[test]
fn parents_that_are_wrong() {
    let own = || child("{method: merge, path: .}", "{b: 1}");
    let alone = site(&[own()]);
    assert_eq!((alone.data("child").as_str(), alone.rendered.diagnostics[0].severity), ("{b: 1}", Severity::Warning));
    assert_eq!(alone.problems(), "DD0025 0.yaml:9:5 a/A/v1 `child` (layer site) has no parent: no document has `id: parent`\n");
    let twin = document("a/A/v1 other global", "", "{a: 2}").replace("{id: other}", "{id: parent}");
    assert_eq!(site(&[own(), parent("{a: 1}"), twin]).problems(), "DD0026 0.yaml:9:5 a/A/v1 `child` (layer site) has 2 parents\n");
    let stranger = document("b/B/v1 other global", "", "{a: 2}").replace("{id: other}", "{id: parent}");
    let found = site(&[own(), parent("{a: 1}"), stranger]);
    assert_eq!(
        found.problems(),
        "DD0027 0.yaml:9:5 the parentSelector of a/A/v1 `child` (layer site) also selects a document that has another schema\n"
    );
    assert_eq!(found.data("child"), "{a: 1, b: 1}");
    let layer = document("a/A/v1 child sito", "", "{}");
    assert_eq!(site(&[layer]).problems(), "DD0024 0.yaml:8:12 the layer `sito` is not in the layer order\n");
}

#[test]
fn replacements() {
    let merge = "parentSelector: {id: original}\nactions: [{method: merge, path: .}]";
    let original = document("a/A/v1 original global", "", "{a: 1, b: 1}");
    let by = document("a/A/v1 original site", &format!("replacement: true\n{merge}"), "{b: 2}")
        .replace("{id: original}\n  repl", "{id: by}\n  repl");
    let sibling = document("a/A/v1 sibling type", merge, "{c: 3}");
    let taker =
        document("b/B/v1 taker global", "substitutions: [{src: {schema: a/A/v1, name: original, path: .b}, dest: {path: .got}}]", "{}");
    let found = site(&[taker, sibling, by.clone(), original.clone()]);
    assert_eq!(found.problems(), "");
    assert_eq!(found.names(), ["original", "sibling", "taker", "policy"]);
    assert_eq!(found.data("original"), "{a: 1, b: 2}");
    assert_eq!(found.data("sibling"), "{a: 1, b: 2, c: 3}", "children of the replaced document inherit from its replacement");
    assert_eq!(found.data("taker"), "{got: 2}");

    let renamed = by.replace("name: original", "name: other");
    assert!(
        site(&[original.clone(), renamed, parent("{}")])
            .problems()
            .contains("DD0030 1.yaml:7:16 a/A/v1 `other` (layer site) cannot replace")
    );
    let plain = by.replace("  replacement: true\n", "");
    assert!(
        site(&[original.clone(), plain, parent("{}")])
            .problems()
            .contains("DD0030 1.yaml:5:9 a/A/v1 `original` (layer site) has the name of its parent")
    );
    let orphan = by.replace("{id: original}", "{id: nobody}");
    assert!(
        site(&[orphan, parent("{}")])
            .problems()
            .contains("DD0030 0.yaml:7:16 a/A/v1 `original` (layer site) replaces a document, but has no parent")
    );
}

#[test]
fn rendered_documents_with_their_policy_are_left_alone() {
    let by = document("a/A/v1 original site", "replacement: true\nparentSelector: {id: x}\nactions: [{method: merge, path: .}]", "{b: 2}");
    let found = site(&[by]);
    assert_eq!(found.problems(), "DD0041 0.yaml:7:16 these documents are taken as rendered already\n");
    assert_eq!(found.data("original"), "{b: 2}");
}

/// The data of `a/A/v1 to` after one substitution from `b/B/v1 from`.
fn substituted(src: &str, dest: &str, from: &str, to: &str) -> String {
    let taker = document("a/A/v1 to site", &format!("substitutions: [{{src: {{schema: b/B/v1, name: from, {src}}}, dest: {dest}}}]"), to);
    let site = site(&[taker, document("b/B/v1 from site", "", from)]);
    format!(
        "{} {}",
        site.data("to"),
        site.problems().replace("a/A/v1 `to` (layer site)", "TO").replace("b/B/v1 `from` (layer site)", "FROM")
    )
}

#[test]
fn substitutions() {
    assert_eq!(substituted("path: .a.b", "{path: .x.y}", "{a: {b: 1}}", "{}"), "{x: {y: 1}} ");
    assert_eq!(substituted("path: .", "{path: .x}", "secret", "{x: old}"), "{x: secret} ");
    assert_eq!(
        substituted("path: .", "{path: .}", "{a: 1, b: 2}", "{b: 0, c: 3}"),
        "{b: 2, c: 3, a: 1} ",
        "mappings are merged at the root"
    );
    assert_eq!(substituted("path: .", "[{path: '.l[2]'}, {path: '.m[0].x'}]", "1", "{}"), "{l: [{}, {}, 1], m: [{x: 1}]} ");
    assert_eq!(substituted("path: .", "{path: .u, pattern: 'X+'}", "5000", "{u: http://h:XX/X}"), "{u: http://h:5000/5000} ");
    assert_eq!(
        substituted("path: .", "{path: ., pattern: X, recurse: {depth: -1}}", "v", "{a: X, b: [X, {c: aXa}]}"),
        "{a: v, b: [v, {c: ava}]} "
    );
    assert_eq!(
        substituted("path: .", "{path: ., pattern: X, recurse: {depth: 2}}", "v", "{a: X, b: [X, {c: aXa}]}"),
        "{a: v, b: [v, {c: aXa}]} "
    );
    assert_eq!(substituted("path: ., pattern: '^(.*):(.*)$', match_group: 2", "{path: .tag}", "repo:1.2", "{}"), "{tag: 1.2} ");
    assert_eq!(
        substituted("path: .", "{path: .x, pattern: X}", "{k: [1, yes]}", "{x: X}"),
        "{x: {'k': [1, True]}} ",
        "as Python writes it"
    );
}

#[test]
fn substitutions_that_are_wrong() {
    let cases = [
        (substituted("path: .b", "{path: .x}", "{a: 1}", "{}"), "{} DD0033 0.yaml:7:60 FROM has no value at `.b`\n"),
        (
            substituted("path: .", "{path: .x.y}", "1", "{x: text}"),
            "{x: text} DD0034 0.yaml:7:77 `.x.y` cannot be made in TO: `.x` is text\n",
        ),
        (
            substituted("path: .", "{path: .x, pattern: A}", "1", "{x: 5}"),
            "{x: 5} DD0034 0.yaml:7:90 a pattern for `.x` of TO, which is an integer\n",
        ),
        (
            substituted("path: .", "{path: .x, pattern: A}", "1", "{}"),
            "{} DD0034 0.yaml:7:90 a pattern for `.x` of TO, which does not exist\n",
        ),
        (
            substituted("path: .", "{path: .x, pattern: A}", "1", "{x: b}"),
            "{x: b} DD0036 0.yaml:7:90 the pattern matches nothing at `.x` of TO\n",
        ),
        (
            substituted("path: .", "{path: .x, pattern: '('}", "1", "{x: b}"),
            "{x: b} DD0035 0.yaml:7:90 not a regular expression: unclosed group\n",
        ),
        (
            substituted("path: .", "{path: '.x[99999999]'}", "1", "{}"),
            "{} DD0034 0.yaml:7:77 `.x[99999999]` cannot be made in TO: `.x` is a list\n",
        ),
        (substituted("path: ..a", "{path: .x}", "1", "{}"), "{} DD0028 0.yaml:7:60 `..` (any depth) is not supported\n"),
        (substituted("path: ., patern: A", "{path: .x}", "1", "{}"), "{x: 1} DD0021 0.yaml:7:63 `patern` is no key of src\n"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

/// `re.sub` reads what it puts in only where Deckhand calls it; with `recurse`, that is where a text contains the pattern.
#[test]
fn backslashes_are_wrong_only_where_something_is_replaced() {
    let with = |dest: &str| substituted("path: .", dest, "'back\\slash'", "{x: {y: A}, z: b}");
    let wrong = "DD0035 0.yaml:7:90 the value from FROM cannot be put where a pattern matches: `\\s` has no meaning\n";
    assert_eq!(with("{path: .z, pattern: A}"), format!("{{x: {{y: A}}, z: b}} {wrong}"));
    assert_eq!(with("{path: .x, pattern: A, recurse: {depth: -1}}"), format!("{{x: {{y: A}}, z: b}} {wrong}"));
    let idle = with("{path: .x, pattern: B, recurse: {depth: -1}}");
    assert_eq!(idle, "{x: {y: A}, z: b} DD0036 0.yaml:7:90 the pattern matches nothing at `.x` of TO\n");
}

/// jsonpath-ng from 1.8 on takes such a list for one value for each index.
#[test]
fn a_list_at_an_index_is_put_there_with_a_warning() {
    let put = |value: &str| substituted("path: .a", "{path: '.x[0]'}", value, "{x: [1]}");
    let warned = |what: &str| format!("DD0040 0.yaml:7:78 a list is put at `.x[0]`, where a Deckhand of 2026 {what}\n");
    assert_eq!(put("{a: [7, 8]}"), format!("{{x: [[7, 8]]}} {}", warned("puts only the first member of the list")));
    assert_eq!(put("{a: []}"), format!("{{x: [[]]}} {}", warned("refuses an empty list")));
    assert_eq!(put("{a: 7}"), "{x: [7]} ");
    let layered = site(&[parent("{a: [1, 2]}"), child("{method: replace, path: '.a[1]'}", "{a: [3, [4]]}")]);
    assert_eq!(layered.data("child"), "{a: [1, [4]]}");
    assert!(layered.problems().starts_with("DD0040"), "{}", layered.problems());
}

#[test]
fn sources_that_are_missing_abstract_or_in_a_circle() {
    let taker = |name: &str, from: &str| {
        document(
            &format!("a/A/v1 {name} site"),
            &format!("substitutions: [{{src: {{schema: a/A/v1, name: {from}, path: .v}}, dest: {{path: .v}}}}]"),
            "{v: 0}",
        )
    };
    let missing = site(&[taker("one", "won"), document("a/A/v1 won2 site", "", "{v: 1}")]);
    assert_eq!(missing.problems(), "DD0032 0.yaml:7:48 a/A/v1 `one` (layer site) takes a value from a/A/v1 `won`, which does not exist\n");
    assert_eq!(missing.rendered.diagnostics[0].help.as_deref(), Some("did you mean `won2`?"));
    let hidden = site(&[taker("one", "parent"), parent("{v: 1}")]);
    assert_eq!(hidden.rendered.diagnostics[0].labels[0].text, "this one is abstract");
    let circle = site(&[taker("one", "two"), taker("two", "three"), taker("three", "one")]);
    assert_eq!(
        circle.problems(),
        "DD0031 1.yaml:7:48 3 documents need one another: a/A/v1/one → a/A/v1/two → a/A/v1/three → a/A/v1/one\n"
            .replace("1.yaml", "2.yaml")
    );
    assert_eq!(site(&[taker("one", "one")]).problems(), "DD0031 0.yaml:7:48 a/A/v1 `one` (layer site) needs itself\n");
}

#[test]
fn chains_are_rendered_in_order() {
    let link = |n: usize| {
        document(
            &format!("a/A/v1 n{n} site"),
            &format!("substitutions: [{{src: {{schema: a/A/v1, name: n{}, path: .v}}, dest: {{path: .v}}}}]", n + 1),
            "{}",
        )
    };
    let mut documents: Vec<String> = (0..2000).map(link).collect();
    documents.push(document("a/A/v1 n2000 site", "", "{v: end}"));
    let found = site(&documents);
    assert_eq!((found.data("n0").as_str(), found.problems().as_str()), ("{v: end}", ""));
    let end = found.node("n0").get("v").unwrap().span;
    assert_eq!(found.text(end), "end", "the place where it is written");
}

#[test]
fn a_value_shared_with_its_source_changes_there_too() {
    let src = |path: &str, extra: &str| format!("src: {{schema: b/B/v1, name: from, path: {path}{extra}}}");
    let taker = |extra: &str| {
        let own =
            format!("substitutions: [{{{}, dest: {{path: .x}}}}, {{{}, dest: {{path: .x.in.deep}}}}]", src(".a", extra), src(".b", ""));
        document("a/A/v1 to site", &own, "{}")
    };
    let from = document("b/B/v1 from site", "", "{a: {in: {deep: 1}, flat: 1}, b: 2}");
    let found = site(&[taker(""), from.clone()]);
    assert_eq!(
        (found.data("to"), found.data("from")),
        ("{x: {in: {deep: 2}, flat: 1}}".to_owned(), "{a: {in: {deep: 2}, flat: 1}, b: 2}".to_owned())
    );
    assert!(found.problems().starts_with("DD0042 0.yaml:7:"), "{}", found.problems());
    let copied = site(&[taker(", deepcopy: true"), from]);
    assert_eq!((copied.data("from").as_str(), copied.problems().as_str()), ("{a: {in: {deep: 1}, flat: 1}, b: 2}", ""));
}

#[test]
fn values_know_where_they_come_from() {
    let from = document("b/B/v1 from site", "", "{v: source-text}");
    let subs = "substitutions: [{src: {schema: b/B/v1, name: from, path: .v}, dest: [{path: .whole}, {path: .part, pattern: X}]}]";
    let own = document(
        "a/A/v1 child site",
        &format!("{subs}\nparentSelector: {{id: parent}}\nactions: [{{method: merge, path: .}}]"),
        "{a: own-text, whole: before}",
    );
    let found = site(&[parent("{a: inherited-text, part: text-X, kept: {b: kept-text}}"), own, from]);
    let data = found.node("child");
    let at = |name: &str| data.get(name).unwrap();
    assert_eq!(found.text(at("a").span), "own-text");
    let past = at("a").past.as_deref().unwrap();
    assert!(matches!(past.step, Step::Overrode { own: None }));
    assert_eq!(found.text(past.before.as_ref().unwrap().span), "inherited-text");
    assert_eq!(found.text(at("whole").span), "source-text");
    let past = at("whole").past.as_deref().unwrap();
    let Step::Substituted { by, source } = &past.step else { panic!("substituted") };
    assert_eq!((found.text(*by), found.text(source.span)), (".whole", "source-text"));
    assert_eq!(found.text(past.before.as_ref().unwrap().span), "before");
    assert_eq!((at("part").as_str(), found.text(at("part").span)), (Some("text-source-text"), "text-X"));
    assert_eq!(found.text(at("part").past.as_deref().unwrap().before.as_ref().unwrap().span), "text-X");
    assert!(at("kept").past.is_none() && found.text(at("kept").get("b").unwrap().span) == "kept-text");
}

#[test]
fn secrets_stay_secret_wherever_they_go() {
    let secret = document("deckhand/Passphrase/v1 pass site", "storagePolicy: cleartext", "hunter2");
    let key = document("deckhand/PublicKey/v1 key site", "storagePolicy: cleartext", "ssh-rsa");
    let from = |schema: &str, name: &str, dest: &str| format!("{{src: {{schema: {schema}, name: {name}, path: .}}, dest: {dest}}}");
    let subs = [
        from("deckhand/Passphrase/v1", "pass", "[{path: .whole}, {path: .url, pattern: PASS}]"),
        from("deckhand/PublicKey/v1", "key", "{path: .key}"),
    ];
    let first = document("a/A/v1 first site", &format!("substitutions: [{}]", subs.join(", ")), "{url: 'http://u:PASS@h', plain: text}");
    let second = document(
        "a/A/v1 second site",
        "substitutions: [{src: {schema: a/A/v1, name: first, path: .url}, dest: {path: .copy, pattern: U}}]",
        "{copy: see-U, other: text}",
    );
    let found = site(&[secret, key, first, second]);
    assert_eq!(found.data("second"), "{copy: see-http://u:hunter2@h, other: text}");
    let covers = |name: &str, at: &str| found.rendered.sensitive.covers(found.node(name).get(at).unwrap().span);
    assert!(covers("first", "whole") && covers("first", "url") && covers("second", "copy"));
    assert!(!covers("first", "plain") && !covers("first", "key") && !covers("second", "other"));
    assert!(found.rendered.sensitive.covers(found.node("pass").span) && !found.rendered.sensitive.covers(found.node("key").span));
}

#[test]
fn documents_without_a_policy_are_read_as_they_are() {
    let mut map = SourceMap::default();
    let text = [parent("{a: 1}"), child("{method: merge, path: .}", "{b: 1}")].concat();
    let id = map.add("a.yaml", text);
    let found = render(&map, parse(&map, id).documents);
    assert_eq!(found.documents.len(), 2);
    assert_eq!(found.diagnostics[0].code.0, "DD0022");
}

#[test]
fn data_schemas_check_what_is_rendered() {
    let schema = "---\nschema: deckhand/DataSchema/v1\nmetadata: {schema: metadata/Control/v1, name: a/A/v1}\ndata: {type: object, required: [a], \
                  properties: {a: {type: integer}, s: {type: integer}}, additionalProperties: false}\n";
    let secret = document("deckhand/Passphrase/v1 pass site", "", "hunter2");
    let subs = "substitutions: [{src: {schema: deckhand/Passphrase/v1, name: pass, path: .}, dest: {path: .s}}]";
    let own =
        document("a/A/v1 child site", &format!("{subs}\nparentSelector: {{id: parent}}\nactions: [{{method: merge, path: .}}]"), "{b: 1}");
    let found = site(&[schema.to_owned(), parent("{a: x}"), own, secret]);
    assert_eq!(
        found.problems(),
        "DD0038 1.yaml:10:11 `.a` of a/A/v1 `child` is text, must be an integer
DD0038 3.yaml:5:9 `.s` of a/A/v1 `child` is text, must be an integer
DD0038 3.yaml:12:8 `.` of a/A/v1 `child` has the unknown key `b`; did you mean `a`?
"
        .replace("3.yaml", "2.yaml")
    );
    assert!(!format!("{:?}", found.rendered.diagnostics).contains("hunter2"));
    let number = document("deckhand/Passphrase/v1 pass site", "", "12345");
    assert_eq!(site(&[number]).problems(), "DD0038 0.yaml:5:9 the data of deckhand/Passphrase/v1 `pass` is an integer, must be text\n");
}

#[test]
fn documents_that_multiply_one_another_are_refused() {
    let bomb = |n: usize| {
        let dests: Vec<String> = (0..10).map(|k| format!("{{path: .k{k}}}")).collect();
        let subs = format!("substitutions: [{{src: {{schema: a/A/v1, name: n{}, path: .}}, dest: [{}]}}]", n + 1, dests.join(", "));
        document(&format!("a/A/v1 n{n} site"), &subs, "{}")
    };
    let mut documents: Vec<String> = (0..30).map(bomb).collect();
    documents.push(document("a/A/v1 n30 site", "", "{v: 1}"));
    let found = site(&documents);
    assert!(found.problems().contains("DD0039"), "{}", found.problems());

    let double = |n: usize| {
        let subs = format!("substitutions: [{{src: {{schema: a/A/v1, name: n{}, path: .v}}, dest: {{path: .v, pattern: X}}}}]", n + 1);
        document(&format!("a/A/v1 n{n} site"), &subs, "{v: XXXX}")
    };
    let mut documents: Vec<String> = (0..30).map(double).collect();
    documents.push(document("a/A/v1 n30 site", "", "{v: abcdabcd}"));
    assert!(site(&documents).problems().contains("DD0035"));

    let nest = |n: usize| {
        let subs = format!("substitutions: [{{src: {{schema: a/A/v1, name: n{}, path: .}}, dest: {{path: .k}}}}]", n + 1);
        document(&format!("a/A/v1 n{n} site"), &subs, "{}")
    };
    let mut documents: Vec<String> = (0..600).map(nest).collect();
    documents.push(document("a/A/v1 n600 site", "", "{v: 1}"));
    assert!(site(&documents).problems().contains("DD0039"));

    let source = document("b/B/v1 from site", "", "{m: {a: {b: {}}}}");
    let own = "substitutions: [{src: {schema: b/B/v1, name: from, path: .m}, dest: [{path: .}, {path: .a.b.c}, {path: .a.z}]}]";
    assert!(site(&[document("a/A/v1 to site", own, "{x: 1}"), source]).problems().contains("would contain itself without end"));
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![(0..9_i64).prop_map(|n| n.to_string()), Just("text".to_owned()), Just("null".to_owned())];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(mapping),
        ]
    })
}

fn mapping(entries: std::collections::BTreeMap<String, String>) -> String {
    format!("{{{}}}", entries.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", "))
}

fn data() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-d]", value(), 0..4).prop_map(mapping)
}

/// Mappings have the keys of both; of any other value, the child's counts.
fn is_merge(merged: &Node, parent: &Node, child: &Node) -> bool {
    let (Some(of_both), Some(inherited), Some(own)) = (merged.as_map(), parent.as_map(), child.as_map()) else { return merged == child };
    let known = |name: &str| inherited.get(name).is_some() || own.get(name).is_some();
    let value = |name: &str| match (of_both.get(name), inherited.get(name), own.get(name)) {
        (Some(both), Some(parent), Some(child)) => is_merge(both, parent, child),
        (Some(both), Some(one), None) | (Some(both), None, Some(one)) => both == one,
        _ => false,
    };
    of_both.entries.iter().all(|(key, _)| known(&key.name))
        && inherited.entries.iter().chain(own.entries.iter()).all(|(key, _)| value(&key.name))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_child_that_adds_nothing_is_its_parent(inherited in data()) {
        let child_of = |own: &str| site(&[parent(&inherited), child("{method: merge, path: .}", own)]);
        let plain = site(&[document("a/A/v1 child site", "", &inherited)]).data("child");
        prop_assert_eq!(child_of("{}").data("child"), plain.clone());
        prop_assert_eq!(child_of(&inherited).data("child"), plain);
    }

    #[test]
    fn a_merge_has_the_childs_values_and_else_the_parents(inherited in data(), own in data()) {
        let found = site(&[parent(&inherited), child("{method: merge, path: .}", &own), document("a/A/v1 raw site", "", &inherited)]);
        let alone = site(&[document("a/A/v1 own site", "", &own)]);
        prop_assert!(is_merge(found.node("child"), found.node("raw"), alone.node("own")), "{} over {inherited} is {}", own, found.data("child"));
    }

    #[test]
    fn replacing_after_merging_is_replacing(inherited in data(), own in data()) {
        let of = |actions: &str| site(&[parent(&inherited), child(actions, &own)]).data("child");
        let replaced = of("{method: replace, path: .}");
        prop_assert_eq!(of("{method: merge, path: .}, {method: replace, path: .}"), replaced.clone());
        prop_assert_eq!(replaced, site(&[document("a/A/v1 child site", "", &own)]).data("child"));
    }

    #[test]
    fn merging_twice_is_merging_once(inherited in data(), own in data()) {
        let of = |actions: &str| site(&[parent(&inherited), child(actions, &own)]).data("child");
        prop_assert_eq!(of("{method: merge, path: .}, {method: merge, path: .}"), of("{method: merge, path: .}"));
    }

    #[test]
    fn neither_the_order_of_files_nor_that_of_names_matters(values in prop::collection::vec(data(), 6), links in prop::collection::vec((0..6_usize, 0..6_usize), 0..8), order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(), names in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let layers = ["global", "type", "site"];
        let documents = |names: &[usize]| -> Vec<String> {
            (0..6).map(|n| {
                let subs: Vec<String> = links.iter().filter(|(to, from)| *to == n && from < to).enumerate()
                    .map(|(at, (_, from))| format!("{{src: {{schema: a/A/v1, name: n{}, path: .}}, dest: {{path: .s{at}.a}}}}", names[*from])).collect();
                let mut metadata = format!("substitutions: [{}]", subs.join(", "));
                if n > 1 {
                    let _ = write!(metadata, "\nparentSelector: {{id: n{}}}\nactions: [{{method: merge, path: .}}]", names[n - 2]);
                }
                document(&format!("a/A/v1 n{} {}", names[n], layers[n / 2]), &metadata, &values[n])
            }).collect()
        };
        // What documents need comes first in files and names, last, and anywhere.
        let first: Vec<usize> = (0..6).collect();
        let last: Vec<usize> = (0..6).rev().collect();
        let one = site(&documents(&first));
        for (order, names) in [(&order, &first), (&first, &last), (&last, &last), (&order, &names), (&last, &names)] {
            let documents = documents(names);
            let other = site(&order.iter().map(|n| documents[*n].clone()).collect::<Vec<_>>());
            prop_assert_eq!(one.rendered.diagnostics.len(), other.rendered.diagnostics.len());
            for (n, name) in names.iter().enumerate() {
                prop_assert_eq!(one.data(&format!("n{n}")), other.data(&format!("n{name}")));
            }
        }
    }

    #[test]
    fn paths_are_written_as_they_are_read(steps in prop::collection::vec(prop_oneof!["[a-z-]{1,5}", "[0-9]", "a[.]b"], 0..6)) {
        use super::json_path::{JsonPath, PathStep};
        let path = JsonPath::of(steps.iter().map(|s| s.parse().map_or_else(|_| PathStep::Key(s.as_str().into()), PathStep::Index)).collect());
        prop_assert_eq!(JsonPath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn nothing_makes_it_panic(text in "(\\.|\\$|\\[|\\]|'|[a-c]|[0-9]|\\*|-|\\\\|\\(|\\)|\\{|,|\\^){0,12}") {
        use super::{json_path::JsonPath, pattern::{Pattern, Template}};
        let _ = JsonPath::parse(&text);
        if let Ok(pattern) = Pattern::new(&text) {
            let _ = pattern.search("a.b[0]'c'", 1);
            if let Ok(template) = Template::new(&text, &pattern) {
                let _ = pattern.replace("a.b[0]'c'\n", &template, 1000);
            }
        }
    }
}

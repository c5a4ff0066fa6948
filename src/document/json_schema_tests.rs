//! Schemas against values: what is found, where, and in which words; and schemas that nobody should write.

use std::fmt::Write as _;

use super::JsonSchema;
use crate::yaml::{Node, SourceMap, parse};

fn yaml(text: &str) -> Node {
    let mut map = SourceMap::default();
    let file = map.add("a.yaml", text);
    let parsed = parse(&map, file);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    parsed.documents.into_iter().next().unwrap()
}

fn compile(schema: &str) -> JsonSchema {
    let (schema, wrong) = JsonSchema::new(&yaml(schema));
    assert_eq!(wrong, [], "the schema is right");
    schema
}

/// `line:column path what [line of the schema]` for everything that does not fit.
fn found(schema: &str, value: &str) -> String {
    let mut out = String::new();
    for misfit in compile(schema).check(&yaml(value)).expect("it can be checked") {
        let _ = writeln!(out, "{}:{} {} {} [{}]", misfit.span.line, misfit.span.column, misfit.path, misfit.what, misfit.by.line);
    }
    out
}

/// What is wrong with a schema.
fn wrong(schema: &str) -> String {
    let mut out = String::new();
    for misfit in JsonSchema::new(&yaml(schema)).1 {
        let _ = writeln!(out, "{}:{} {}", misfit.span.line, misfit.span.column, misfit.what);
    }
    out
}

/// What every keyword takes and refuses, one line each: `schema | values that fit | values that do not`.
const CASES: &str = r##"
{type: integer} | 1; -3; 9223372036854775807 | 1.0; 1.5; "1"; true; null
{type: number} | 1; 1.5 | "1"; true
{type: [string, "null"]} | a; null | 1; []
{type: boolean} | true; no | 0; "true"
{type: object} | {} | []; a
{type: array} | [] | {}
{enum: [a, 1, null, [1, {a: b}]]} | a; 1; 1.0; null; [1, {a: b}] | b; 2; true; [1]; {}
{enum: [{id: x, $ref: y, pattern: z}]} | {id: x, $ref: y, pattern: z} | {}; {id: x}
{minimum: 3} | 3; 4; a | 2; 2.9
{minimum: 3, exclusiveMinimum: true} | 3.1; 4 | 3; 2
{maximum: 3} | 3; -1 | 4; 3.1
{maximum: 3, exclusiveMaximum: true} | 2.9 | 3; 3.0
{multipleOf: 0.5} | 1; 1.5; a | 0.7
{multipleOf: 3} | 9; 0 | 10
{minLength: 2, maxLength: 3} | ab; äöü; 5 | a; abcd
{pattern: "^a+$"} | aaa; 5; "aa\n" | b; "aa\nb"
{pattern: "b"} | abc | ac
{pattern: '^(?P<x>a)(?P=x)\Z'} | aa | aaa; "aa\n"
{pattern: '(?i)^AB$'} | ab | b
{pattern: '^\d{3}$'} | "123"; "１２３" | "12"
{minItems: 1, maxItems: 2} | [1]; a | []; [1, 2, 3]
{uniqueItems: true} | [1, 2]; [1, true]; ["1", 1] | [1, 1.0]; [{a: 1, b: 2}, {b: 2, a: 1}]
{uniqueItems: false} | [1, 1] |
{items: {type: integer}} | []; [1]; {a: b} | [a]; [1, a]
{items: [{type: integer}, {type: string}]} | [1]; [1, a]; [1, a, null] | [a]; [1, 2]
{items: [{}], additionalItems: false} | [1] | [1, 2]
{items: [{}], additionalItems: {type: string}} | [1, a] | [1, 2]
{items: {}, additionalItems: false} | [1, 2] |
{minProperties: 1, maxProperties: 2} | {a: 1} | {}; {a: 1, b: 1, c: 1}
{required: [a, b]} | {a: 1, b: null}; [] | {}; {a: 1}
{properties: {a: {type: integer}}} | {a: 1, b: x}; {} | {a: x}
{properties: {id: {type: integer}, $ref: {type: integer}, pattern: {type: integer}, enum: {type: integer}}} | {id: 1, $ref: 1, pattern: 1, enum: 1} | {id: x}; {$ref: x}; {pattern: x}; {enum: x}
{patternProperties: {"^a": {type: integer}}} | {a1: 1, b: x} | {a1: x}
{properties: {a: {}}, patternProperties: {"^b": {}}, additionalProperties: false} | {a: 1, b1: 1} | {c: 1}
{properties: {a: {}}, additionalProperties: {type: integer}} | {a: x, b: 1} | {b: x}
{additionalProperties: false} | {} | {a: 1}
{dependencies: {a: [b]}} | {a: 1, b: 1}; {b: 1} | {a: 1}
{dependencies: {a: {required: [c]}}} | {a: 1, c: 1}; {} | {a: 1}
{allOf: [{minimum: 1}, {maximum: 3}]} | 2 | 0; 4
{anyOf: [{type: string}, {minimum: 3}]} | a; 3 | 2
{oneOf: [{minimum: 2}, {maximum: 3}]} | 1; 4 | 2; 3
{not: {type: string}} | 1 | a
{definitions: {n: {type: integer}}, properties: {a: {$ref: "#/definitions/n"}}} | {a: 1} | {a: x}
{definitions: {"a/b": {type: integer}}, $ref: "#/definitions/a~1b"} | 1 | x
{properties: {a: {$ref: "#"}, b: {type: integer}}} | {a: {a: {b: 1}}} | {a: {a: {b: x}}}
{definitions: {t: {type: array, items: {$ref: "#/definitions/t"}}}, $ref: "#/definitions/t"} | [[], [[]]] | [[], [1]]
{$ref: "#/definitions/n", type: string, definitions: {n: {type: integer}}} | 1 | a
{format: email} | none |
{format: date-time, default: {$ref: "#/format"}, const: 3, if: {type: integer}, then: false, contains: {}} | 1; a; [] |
{$schema: "http://json-schema.org/schema#", id: "http://example.com/a", type: string} | a | 1
{$schema: "https://json-schema.org/draft/2020-12/schema", exclusiveMinimum: true, minimum: 3} | 4 | 3
{} | a; 1; null; {} |
"##;

#[test]
fn every_keyword_of_draft_4() {
    for case in CASES.lines().filter(|line| !line.is_empty()) {
        let [schema, fitting, others] = case.split(" |").collect::<Vec<_>>()[..] else { panic!("{case}") };
        let compiled = compile(schema);
        for (values, fits) in [(fitting, true), (others, false)] {
            for value in values.split("; ").filter(|value| !value.trim().is_empty()) {
                let found = compiled.check(&yaml(value)).unwrap();
                assert_eq!(found.is_empty(), fits, "{schema} and {value}: {found:?}");
            }
        }
    }
}

#[test]
fn what_is_wrong_and_where() {
    let schema = r##"
type: object
required: [name, missing]
additionalProperties: false
properties:
  name: {type: string, minLength: 3}
  port: {type: [integer, "null"]}
  mode: {enum: [fast, slow]}
  parts: {type: array, items: {$ref: "#/definitions/part"}, uniqueItems: true, maxItems: 2}
  pair: {items: [{}], additionalItems: false}
  some: {anyOf: [{type: string}, {minimum: 3}]}
  one: {oneOf: [{minimum: 2}, {maximum: 3}]}
  both: {oneOf: [{minimum: 4}, {maximum: 1}]}
  not: {not: {type: string}}
  needs: {dependencies: {a: [b]}}
definitions:
  part: {multipleOf: 3, minimum: 1, maximum: 10, exclusiveMaximum: true}
  "a~b/c": {type: integer}
patternProperties:
  "^x/~": {$ref: "#/definitions/a~0b~1c"}
"##;
    let value = r#"name: ab
port: "22"
mode: medium
parts: [3, 3, 20]
pair: [1, 2]
some: 1
one: 2
both: 3
not: a
needs: {a: 1}
nmae: x
x/~1: word
"#;
    assert_eq!(
        found(schema, value),
        "1:1 . lacks `missing` [3]
1:7 .name has 2 characters, must have at least 3 [6]
2:7 .port is text, must be an integer or null [7]
3:7 .mode is none of 2 values: fast, slow [8]
4:8 .parts has 3 members, must have at most 2 [9]
4:15 .parts[2] must be less than 10 [17]
4:15 .parts[2] must be a multiple of 3 [17]
4:12 .parts[1] stands in the list twice [9]
5:11 .pair has more than 1 members [10]
6:7 .some fits none of 2 alternatives [11]
7:6 .one fits several of 2 alternatives, must fit one [12]
8:7 .both fits none of 2 alternatives, must fit one [13]
9:6 .not is what it must not be [14]
10:8 .needs has `a` and so needs `b` [15]
11:1 . has the unknown key `nmae`; did you mean `name`? [4]
12:7 .x/~1 is text, must be an integer [18]
"
    );
}

#[test]
fn values_are_never_quoted() {
    let rules = ["type: object", "enum: [1]", "pattern: x", "maxLength: 1", "not: {}", "anyOf: [{type: array}]", "oneOf: [{}, {}]"];
    for rule in rules {
        let text = found(rule, "hunter2");
        assert!(!text.is_empty() && !text.contains("hunter"), "{text}");
    }
    for rule in ["minimum: 99999", "maximum: 1", "multipleOf: 5", "uniqueItems: true", "type: string", "enum: [a]"] {
        let text = found(&format!("{{items: {{{rule}}}, {rule}}}"), "[4242, 4242]");
        assert!(!text.is_empty() && !text.contains("4242"), "{rule}: {text}");
    }
}

#[test]
fn what_is_wrong_in_a_schema_is_left_out() {
    let types = "no type of JSON Schema: they are null, boolean, integer, number, string, array and object";
    for (schema, what) in [
        ("[]", "1:1 a schema that is a list".to_owned()),
        ("a: {}\ntype: [strnig]", format!("2:8 {types}")),
        ("minLength: -1", "1:12 `minLength` must be a number of things".to_owned()),
        ("required: a", "1:11 `required` must be a list of keys".to_owned()),
        ("$ref: '#/definitions/x'", "1:7 `#/definitions/x` leads to nothing".to_owned()),
        ("{$ref: '#x', x: {}}", "1:8 `#x` leads out of the schema; only references such as `#/definitions/name` are followed".to_owned()),
    ] {
        assert_eq!(wrong(schema), format!("{what}\n"), "{schema}");
    }
    let (schema, wrong) = JsonSchema::new(&yaml("{pattern: '(', minLength: 3}"));
    assert!(wrong.len() == 1 && wrong[0].what.starts_with("not a regular expression: "), "{wrong:?}");
    assert_eq!(schema.check(&yaml("ab")).unwrap()[0].what, "has 2 characters, must have at least 3");
}

#[test]
fn nothing_outside_of_the_schema_is_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let http = format!("http://{}/a.json", listener.local_addr().unwrap());
    for address in [http, format!("file://{file}"), file.to_owned(), "other.json#/a".to_owned()] {
        let text = wrong(&format!("{{$ref: '{address}'}}"));
        assert!(text.contains("leads out of the schema; only references such as `#/definitions/name` are followed"), "{text}");
        // An address that makes the others relative to it, and one of a schema of schemas.
        for schema in
            [format!("{{id: '{address}', properties: {{a: {{$ref: 'b.json'}}}}}}"), format!("{{$schema: '{address}', $ref: 'b.json'}}")]
        {
            assert!(wrong(&schema).contains("`b.json` leads out of the schema"), "{}", wrong(&schema));
        }
        let (schema, _) = JsonSchema::new(&yaml(&format!("{{$ref: '{address}'}}")));
        assert_eq!(schema.check(&yaml("text")), Ok(Vec::new()));
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody asked");
}

fn nested(levels: usize, inner: &str) -> String {
    format!("{}{inner}{}", "{a: ".repeat(levels), "}".repeat(levels))
}

#[test]
fn schemas_without_end() {
    let endless = Err("the schema refers to itself without end");
    let checked = |schema: &str, value: &str| compile(schema).check(&yaml(value)).map(|found| found.len());
    assert_eq!(checked("{$ref: '#'}", "1"), endless);
    assert_eq!(checked("{allOf: [{$ref: '#'}]}", "1"), endless);
    let by_turns = "{properties: {a: {not: {$ref: '#/definitions/b'}}}, definitions: {b: {anyOf: [{$ref: '#/properties/a'}]}}}";
    assert_eq!((checked(by_turns, "{b: 1}"), checked(by_turns, "{a: 1}")), (Ok(0), endless));
    let chain = |step: &str| {
        let mut steps = String::new();
        for i in 0..5_000 {
            let _ = writeln!(steps, "  d{i}: {}", step.replace("NEXT", &format!("{{$ref: '#/definitions/d{}'}}", i + 1)));
        }
        format!("definitions:\n{steps}  d5000: {{type: integer}}\n$ref: '#/definitions/d0'\n")
    };
    assert_eq!(checked(&chain("{allOf: [NEXT]}"), "1"), endless);
    assert_eq!(checked(&chain("{properties: {a: NEXT}}"), &nested(100, "1")), Ok(0));
    // Each is twice the next.
    assert_eq!(checked(&chain("{allOf: [NEXT, NEXT]}"), "1").map(|_| ()), Err("the schema refers to itself without end"));
    let doubling = "{properties: {a: {allOf: [{$ref: '#'}, {$ref: '#'}]}, b: {type: string}}}";
    assert_eq!(checked(doubling, &nested(100, "{b: 1}")), Err("checking takes too long"));
    assert_eq!(checked(doubling, &nested(3, "{b: 1}")), Ok(8), "once on each of the ways");
}

// With the stack that threads have unless told otherwise, as all tests.
#[test]
fn deep_schemas_and_values() {
    let to_the_ground = compile("{properties: {a: {$ref: '#'}}, required: [a]}");
    assert_eq!(to_the_ground.check(&yaml(&nested(100, "{}"))).unwrap()[0].path, ".a".repeat(100));
    let list = |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(compile("{items: {$ref: '#'}, uniqueItems: true}").check(&yaml(&list(120, "1, 1"))).unwrap().len(), 1);
    let within = format!("{}{{type: integer}}{}", "{allOf: [".repeat(60), "]}".repeat(60));
    assert_eq!(compile(&within).check(&yaml("x")).unwrap().len(), 1);
    let both = format!("{{properties: {{a: {}{{$ref: '#'}}{}}}}}", "{anyOf: [".repeat(50), "]}".repeat(50));
    assert_eq!(compile(&both).check(&yaml(&nested(120, "1"))), Err("the schema refers to itself without end"));
}

#[test]
fn what_is_found_is_bounded() {
    let list = format!("[{}]", "x, ".repeat(100_000));
    let found = compile("{items: {type: integer}}").check(&yaml(&list)).unwrap();
    assert_eq!(found.len(), super::MAX_FOUND);
    let (mut numbers, mut keys) = (String::new(), String::new());
    for i in 0..10_000 {
        let _ = writeln!(numbers, "- {i}");
        let _ = writeln!(keys, "k{i}: 1");
    }
    assert_eq!(compile("{uniqueItems: true}").check(&yaml(&numbers)), Err("checking takes too long"));
    let found = compile("{additionalProperties: false}").check(&yaml(&keys)).unwrap();
    assert_eq!(found.len(), super::MAX_FOUND);
    let hard = format!("{}!", "a".repeat(60));
    assert_eq!(compile("{pattern: '^(a+)+$'}").check(&yaml(&hard)).unwrap().len(), 1, "linear");
    let _ = compile("{pattern: '^(?=(a+)+$)'}").check(&yaml(&hard));
    let _ = compile("{patternProperties: {'^(?=(a+)+$)': {}}, additionalProperties: false}").check(&yaml(&format!("{{\"{hard}\": 1}}")));
}

#[test]
fn numbers_that_json_has_not() {
    for value in [".nan", ".inf", "-.inf", "99999999999999999999999", "1.0e+308"] {
        for rule in ["multipleOf: 0.1", "minimum: 1", "maximum: 1", "enum: [1]", "type: integer", "uniqueItems: true", "multipleOf: 3"] {
            let _ = compile(&format!("{{{rule}, items: {{{rule}}}}}")).check(&yaml(value));
            let _ = compile(&format!("{{{rule}, items: {{{rule}}}}}")).check(&yaml(&format!("[{value}, {value}]")));
        }
    }
    for rule in
        ["minimum: .nan", "multipleOf: .inf", "multipleOf: 0", "maxLength: 1.0e+30", "enum: [.nan]", "minLength: 99999999999999999999"]
    {
        let (schema, _) = JsonSchema::new(&yaml(&format!("{{{rule}}}")));
        let _ = (schema.check(&yaml("1")), schema.check(&yaml("abc")));
    }
}

/// The library knows draft 4 from its authors' tests; it is too much of a library for what is checked here (see `docs/rendering.md`), but it is the better judge.
mod against_the_library {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::{JsonSchema, yaml};

    fn names() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "ab", "id", "x/y"]).prop_map(str::to_owned)
    }

    fn scalar() -> impl Strategy<Value = Json> {
        let text = prop::sample::select(vec!["", "a", "ab", "abc", "äöü", "1", "true"]).prop_map(Json::from);
        let number = prop::sample::select(vec![
            json!(0),
            json!(1),
            json!(2),
            json!(-1),
            json!(6),
            json!(1.0),
            json!(1.5),
            json!(1_000_000_000_000_i64),
        ]);
        prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), number, text]
    }

    fn value() -> impl Strategy<Value = Json> {
        scalar().prop_recursive(3, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from);
            prop_oneof![list, prop::collection::hash_map(names(), inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect()))]
        })
    }

    fn keyword(inner: impl Strategy<Value = Json> + Clone + 'static) -> impl Strategy<Value = (String, Json)> {
        let named = |names: &[&'static str]| prop::sample::select(names.to_vec()).prop_map(str::to_owned);
        let types = prop::sample::subsequence(vec!["null", "boolean", "integer", "number", "string", "array", "object"], 1..4);
        let patterns = || prop::sample::select(vec!["^a", "b", "^$", "^.{2}$", "[0-9]", "^(a|ab)$", "."]);
        let schemas = || prop::collection::vec(inner.clone(), 1..4).prop_map(Json::from);
        let map = || prop::collection::hash_map(names(), inner.clone(), 0..3).prop_map(|map| Json::Object(map.into_iter().collect()));
        let by_pattern = prop::collection::hash_map(patterns().prop_map(str::to_owned), inner.clone(), 0..3);
        let keys = || prop::collection::hash_set(names(), 1..3).prop_map(|keys| json!(keys));
        let with = |name: &'static str| move |value: Json| (name.to_owned(), value);
        let more = || prop_oneof![any::<bool>().prop_map(Json::from), inner.clone()];
        prop_oneof![
            types.prop_map(|types| ("type".to_owned(), if types.len() == 1 { json!(types[0]) } else { json!(types) })),
            prop::collection::vec(value(), 1..4).prop_map(|mut options| {
                let mut seen: Vec<Json> = Vec::new();
                options.retain(|option| {
                    !seen.contains(option) && {
                        seen.push(option.clone());
                        true
                    }
                });
                ("enum".to_owned(), json!(options))
            }),
            (named(&["minimum", "maximum"]), prop::sample::select(vec![json!(0), json!(1), json!(1.5), json!(-2)])),
            (named(&["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]), (0..4_u8).prop_map(Json::from)),
            prop::sample::select(vec![json!(1), json!(2), json!(0.5), json!(3)]).prop_map(with("multipleOf")),
            patterns().prop_map(|pattern| ("pattern".to_owned(), json!(pattern))),
            any::<bool>().prop_map(|unique| ("uniqueItems".to_owned(), json!(unique))),
            (named(&["allOf", "anyOf", "oneOf", "items"]), schemas()),
            (named(&["not", "items"]), inner.clone()),
            (named(&["additionalItems", "additionalProperties"]), more()),
            map().prop_map(with("properties")),
            by_pattern.prop_map(|map| ("patternProperties".to_owned(), Json::Object(map.into_iter().collect()))),
            keys().prop_map(with("required")),
            (names(), prop_oneof![keys(), inner.clone()]).prop_map(|(name, needs)| ("dependencies".to_owned(), json!({name: needs}))),
        ]
    }

    fn schema() -> impl Strategy<Value = Json> {
        let leaf = Just(json!({}));
        let inner = leaf.prop_recursive(3, 24, 4, |inner| {
            let keywords = prop::collection::vec(keyword(inner), 1..4);
            prop_oneof![4 => keywords.prop_map(|all| Json::Object(all.into_iter().collect())), 1 => Just(json!({"$ref": "#/definitions/d"}))]
        });
        (inner.clone(), inner, any::<bool>(), any::<bool>()).prop_map(|(mut schema, definition, exclusive_minimum, exclusive_maximum)| {
            if let Some(map) = schema.as_object_mut() {
                let has = |name: &str| map.contains_key(name);
                let (low, high) = (has("minimum") && exclusive_minimum, has("maximum") && exclusive_maximum);
                map.extend(
                    [("exclusiveMinimum", low), ("exclusiveMaximum", high)]
                        .into_iter()
                        .filter(|(_, on)| *on)
                        .map(|(name, on)| (name.to_owned(), json!(on))),
                );
                map.insert("definitions".to_owned(), json!({"d": definition}));
            }
            schema
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn the_same_fits(schema in schema(), values in prop::collection::vec(value(), 4)) {
            let library = jsonschema::options().with_draft(jsonschema::Draft::Draft4).should_validate_formats(false).build(&schema);
            prop_assume!(library.is_ok());
            let (ours, wrong) = JsonSchema::new(&yaml(&schema.to_string()));
            prop_assert!(wrong.is_empty(), "{wrong:?}");
            for value in values {
                if let Ok(found) = ours.check(&yaml(&value.to_string())) {
                    prop_assert_eq!(found.is_empty(), library.as_ref().unwrap().is_valid(&value), "{}: {:?}", value, found);
                }
            }
        }
    }
}

//! What reads much is paid for, whether or not it makes much.

use super::super::data::Why;
use super::super::template::Templates;
use super::n1;

fn fuel(expression: &str) -> Result<u64, Why> {
    // `x` and `z` are 64 000 bytes, and almost equal.
    let source = format!("{{% set x = 'aB' * 32000 %}}{{% set z = x ~ 'c' %}}{{% set y = {expression} %}}");
    Templates::default().render_once(&source, &n1(), true).map(|made| made.fuel)
}

#[test]
fn whatever_reads_a_text_is_paid_for() {
    let nothing = fuel("1").unwrap();
    for expression in [
        "x is lower",
        "x is upper",
        "[x, z]|sort",
        "[x, z]|unique",
        "[x, z]|min",
        "[x, z]|max",
        "[{'a': x}, {'a': z}]|sort(attribute='a')",
        "[{'a': {'b': x}}, {'a': {'b': z}}]|sort(attribute='a.b')",
        "[{'a': x}, {'a': z}]|groupby('a')",
        "{x: 1, z: 2}|dictsort",
        "{'a': x, 'b': z}|dictsort(by='value')",
        "x|lower",
        "x|upper",
        "x|title",
        "x|capitalize",
        "x|trim",
        "x|length",
        "x|reverse",
        "x|split(',')",
        "x|replace('q', '')",
        "x|indent",
        "x|urlencode",
        "x|tojson",
        "x|center(9)",
        "x.upper()",
        "x.find('q')",
        "x.count('q')",
        "'q' in x",
        "x[:9]",
    ] {
        let paid = fuel(expression).unwrap_or_else(|why| panic!("{expression}: {why}")) - nothing;
        assert!(paid > 64_000 / 64 - 100, "{expression} costs {paid}");
    }
}

#[test]
fn order_is_paid_for_by_members_and_their_texts() {
    for expression in ["([x, z] * 300)|sort", "([{'a': [x, z]}] * 300)|sort(attribute='a')", "([x] * 1000)|unique"] {
        assert_eq!(fuel(expression), Err(Why::Exhausted), "{expression}");
    }
    let nested = (0..40).fold("'a'".to_owned(), |inner, _| format!("[{inner}]"));
    assert!(matches!(fuel(&format!("[{nested}, {nested}]|sort")), Err(Why::Render { .. })));
}

#[test]
fn what_is_ordinary_is_sorted_and_grouped_as_before() {
    for (expression, expected) in [
        ("['b', 'A', 'c']|sort", "['A', 'b', 'c']"),
        ("['b', 'A', 'B']|unique|list", "['b', 'A']"),
        ("[3, 1, 2]|min", "1"),
        ("['b', 'a']|max", "b"),
        ("{'b': 1, 'a': 2}|dictsort", "[('a', 2), ('b', 1)]"),
        ("[{'a': 1, 'b': 2}, {'a': 1, 'b': 3}]|groupby('a')|length", "1"),
        ("'abc' is lower and 'ABC' is upper and 'aB' is not upper", "True"),
    ] {
        let made = Templates::default().render_once(&format!("{{{{ {expression} }}}}"), &n1(), true).unwrap();
        assert_eq!(made.text.replace('"', "'"), expected, "{expression}");
    }
}

#[test]
fn long_texts_have_to_be_made() {
    let tag = format!("\n{{{{ '{}'|length }}}}", "a".repeat(65 << 10));
    let expected = Why::Compile { line: Some(2), message: "a text of more than 64 KiB in a tag".to_owned() };
    assert_eq!(Templates::default().render_once(&tag, &n1(), true).unwrap_err(), expected);
}

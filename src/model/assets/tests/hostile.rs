//! Whoever proposes a design chooses its templates: they end, and nothing else ends with them.

#![allow(clippy::format_push_string, clippy::format_collect, clippy::needless_for_each, clippy::needless_pass_by_value)] // texts of tests are small

use proptest::prelude::*;

use super::super::data::Why;
use super::super::template::Templates;
use super::super::{FUEL, MAX_BYTES, MAX_TEMPLATE};
use super::{action, n1, read};

/// Templates that would run for ever, or fill the memory.
const ENDLESS: [&str; 38] = [
    "{{ 'x' * 10**9 }}",
    "{{ 'x' * 99999999 }}",
    "{{ 10**9 * 'x' }}",
    "{{ ['x'] * 10**7 }}",
    "{{ (['x'] * 99999999)|list|length }}",
    "{{ range(10**9)|list }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{{ i }}{% endfor %}{% for i in range(100000) %}{{ i }}{% endfor %}",
    "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(1000) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(1000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(1000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}{{ ns.x|list }}",
    "{% set ns = namespace(x='x') %}{% for i in range(1000) %}{% set a %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = a %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(1000) %}{% set ns.x = ns.x.replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(1000) %}{% set ns.x = ns.x|replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') %}{% endfor %}",
    "{% set x = 'x' * 1000000 %}{{ x.replace('x', x) }}",
    "{% set x = 'x' * 1000000 %}{{ x.replace('', x) }}",
    "{% set x = 'x' * 1000000 %}{{ x|replace('x', x) }}",
    "{% set x = 'x' * 1000000 %}{{ x.join(range(100000)) }}",
    "{% set x = 'x' * 1000000 %}{{ range(100000)|join(x) }}",
    "{% set x = 'x' * 1000000 %}{{ x.join(x) }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ '%999999999s' % 'x' }}",
    "{{ '%.999999999f'|format(1.5) }}",
    "{{ '{:999999999}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 999999999) }}",
    "{% set x = 'x' * 1000000 %}{{ ('{0}' * 100000).format(x) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ 'x\nx'|indent(999999999) }}",
    "{{ [1]|tojson(indent=999999999) }}",
    "{% set x = '\n' * 1000000 %}{{ x|indent(1000000) }}",
    "{% set x = '/' * 5000000 %}{{ (x ~ x)|urlencode|urlencode|urlencode }}",
    "{{ range(100000)|batch(100000, 'x')|list|length }}{{ [1]|batch(10**9, 'x') }}",
    "{{ [1]|slice(10**9) }}",
    "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% set x = 'ab' * 1000000 %}{% for i in range(100000) %}{% set y = x.split('b') %}{% endfor %}",
];

#[test]
fn endless_templates_end_with_a_reason() {
    let templates = Templates::default();
    let context = n1();
    for source in ENDLESS {
        match templates.render_once(source, &context, true) {
            Ok(made) => panic!("{source} made {} bytes with {} fuel", made.text.len(), made.fuel),
            Err(why) => assert!(matches!(why, Why::Exhausted | Why::Render { .. }), "{source}: {why:?}"),
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_deep_values_are_dropped_without_overflow() {
    let templates = Templates::default();
    for source in [
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(100_000)),
        "{% if true %}".repeat(20_000),
        format!("{{{{ {}{} }}}}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        assert!(matches!(templates.render_once(&source, &n1(), true), Err(Why::Compile { .. })), "{}", &source[..20]);
    }
    for source in [
        format!("{{{{ 1{} }}}}", " + 1".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(20_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(100_000)),
        format!("{{{{ x{} }}}}", "|e".repeat(100_000)),
        format!("{{{{ 1{} }}}}", "|string".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " if x else 1".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " and 1".repeat(50_000)),
        format!("{{{{ 2{} }}}}", " ** 1".repeat(50_000)),
        "{% if x %}{% elif x %}".to_owned() + &"{% elif x %}".repeat(20_000) + "{% endif %}",
        "{% set ns = namespace(x=1) %}{% for i in range(30000) %}{% set ns.x = [ns.x] %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x={}) %}{% for i in range(30000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[]) %}{% for i in range(30000) %}{% set ns.x = ns.x|map('upper') %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(30000) %}{% set ns.x = ns.x + [1] %}{% endfor %}{{ ns.x|length }}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(30000) %}{% set ns.x = ns.x[:1] %}{% endfor %}{{ ns.x|length }}".to_owned(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(30000) %}{% set ns.x = ns.x * 1 %}{% endfor %}{{ ns.x|length }}".to_owned(),
        "{% set ns = namespace(x={'a': 1}) %}{% for i in range(30000) %}{% set ns.x = ns.x.items() %}{% endfor %}".to_owned(),
    ] {
        // Whether it works does not matter here.
        let _ = templates.render_once(&source, &n1(), true);
    }
}

#[test]
fn an_ordinary_template_needs_little_of_what_it_may_spend() {
    let line = "Environment=NO_PROXY={{ node.hostname }},{{ node.network.calico.ip }}{% for tag in node.tags %},{{ tag }}{% endfor %}\n";
    let source = line.repeat(500);
    let made = Templates::default().render_once(&source, &n1(), true).expect("made");
    assert!(made.text.len() > 18_000 && made.fuel < FUEL, "{} bytes with {} fuel", made.text.len(), made.fuel);
    // Half a megabyte of output is no problem either.
    let large = Templates::default().render_once(&"x".repeat(MAX_TEMPLATE), &n1(), true).expect("made");
    assert!(large.fuel < FUEL && large.text.len() < MAX_BYTES);
}

/// One hostile template for thousands of nodes costs no more than the whole may cost.
#[test]
fn trying_all_nodes_ends() {
    let nodes: String =
        (0..3000).map(|n| format!("---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: x{n}}}\ndata: {{}}\n")).collect();
    let endless = "- {type: file, path: /a, data_pipeline: [utf8_decode, template], data: '{% for i in range(100000) %}{% endfor %}'}";
    let costly = "- {type: file, path: /b, data_pipeline: [utf8_decode, template], data: '{% for i in range(100) %}{% endfor %}'}";
    let (site, found) = read(&format!("{nodes}{}{}", action("endless", endless), action("slow", costly)));
    assert!(found.is_empty());
    let trial = super::super::trial(&site);
    let failures: Vec<String> = trial.failures.iter().map(|f| format!("{} {} {}", f.action.name, f.failure, f.nodes.len())).collect();
    assert_eq!(failures, ["endless step 2 (`template`) does more work or makes more text than a template may 20"]);
    let untried: Vec<(&str, bool)> = trial.untried.iter().map(|(action, _, nodes)| (action.name.as_str(), *nodes > 2000)).collect();
    assert_eq!(untried, [("endless", true)]);
}

/// Pieces of templates, put together at random.
fn source() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            " if ",
            " endif ",
            " for x in ",
            " endfor ",
            " set ",
            " endset ",
            " macro m(a) ",
            " endmacro ",
            " m(1) ",
            " else ",
            " raw ",
            " endraw ",
            "node",
            ".hostname",
            ".labels",
            ".items()",
            "['a']",
            "[1:]",
            "[::-1]",
            "[-1]",
            "x",
            " = ",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ":",
            ",",
            "'a'",
            "\"b\"",
            "1",
            "-1",
            "1.5",
            "1e400",
            "99999999999999999999999999999999",
            "|",
            "~",
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "**",
            "==",
            "<",
            " in ",
            " is ",
            " not ",
            " and ",
            " none ",
            " true ",
            "|length",
            "|join",
            "|replace('a','b')",
            "|format(1)",
            "|tojson",
            "|urlencode",
            "|int",
            "|float",
            "|round(400)",
            "|list",
            "|batch(2)",
            "|slice(3)",
            "|sort",
            "|map('upper')",
            "|groupby('a')",
            "|indent(3)",
            "|center(30)",
            "|first",
            "|last",
            "|unique",
            "|sum",
            "|min",
            "|dictsort",
            "|items",
            "|default('x')",
            "|trim",
            "|e",
            "|abs",
            "|wordcount",
            ".split('a')",
            ".format(1)",
            ".replace('a','bb')",
            ".join('ab')",
            ".upper()",
            ".get('a')",
            "range(5)",
            "range(0, 10, -1)",
            "range(5, 0, 0)",
            "namespace(a=1)",
            "dict(a=1)",
            "cycler(1,2)",
            "joiner()",
            "loop.index",
            "caller()",
            " call m(1) ",
            " endcall ",
            " filter upper ",
            " endfilter ",
            " with a = 1 ",
            " endwith ",
            " is defined",
            " is odd",
            " is divisibleby(0)",
            " do ",
            " autoescape true ",
            " endautoescape ",
            "'%s'",
            "'%999d'",
            "'{}'",
            "\n",
            "ü",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,6}",
    ];
    prop_oneof![
        prop::collection::vec(piece.clone(), 0..25).prop_map(|pieces| pieces.concat()),
        // Most of these are expressions that mean something.
        prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("{{{{ node{} }}}}", pieces.concat())),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_template_panics(source in source()) {
        let templates = Templates::default();
        let context = n1_once();
        if let Ok(made) = templates.render_once(&source, context, true) {
            prop_assert!(made.fuel <= FUEL);
        }
        templates.names(&source);
    }

    #[test]
    fn no_base64_panics(text in any::<Vec<u8>>()) {
        let encoded = super::super::base64::encode(&text);
        prop_assert_eq!(super::super::base64::decode(&encoded), Ok(text.clone()));
        let _ = super::super::base64::decode(&text);
    }
}

fn n1_once() -> &'static minijinja::Value {
    static VALUE: std::sync::OnceLock<minijinja::Value> = std::sync::OnceLock::new();
    VALUE.get_or_init(n1)
}

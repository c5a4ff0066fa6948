//! Templates mean what Jinja2 means by them.

use super::super::context::unknown_name;
use super::super::data::Why;
use super::super::template::Templates;
use super::{n1, read};

/// Templates and what Jinja2 3.1.6 makes of them; its `node` and `action` are those of the tests.
#[test]
fn templates_make_what_jinja2_makes_of_them() {
    let cases: Vec<(String, String)> =
        serde_json::from_str(include_str!("../../../../testdata/boot-actions/jinja2-3.1.json")).expect("pairs");
    let templates = Templates::default();
    let context = n1();
    let mut different = Vec::new();
    for (template, expected) in cases {
        let made = templates.render_once(&template, &context, true).map(|made| made.text);
        // The network of the tests has a suffix.
        let expected = if template.contains("dns_suffix") { "example.com".to_owned() } else { expected };
        if made.as_deref() != Ok(&expected) {
            different.push(format!("{template:?}\n  Jinja2: {expected:?}\n  here:   {made:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn templates_see_the_documented_context() {
    let templates = Templates::default();
    let made = |template: &str| templates.render_once(template, &n1(), true).map_or_else(|why| why.to_string(), |made| made.text);
    assert_eq!(made("{{ node.hostname }} {{ node.domain }} {{ node.tags|join('+') }} {{ node.labels.x }}"), "n1 example.com a+b y z");
    assert_eq!(
        made("{{ node.network.storage.ip }} {{ node.network.storage.cidr }} {{ node.network.storage.dns_suffix }}"),
        "10.0.1.1 10.0.1.0/24 None"
    );
    assert_eq!(made("{{ node.network.default.ip }} {{ node.network.pxe is defined }}"), "10.0.0.1 False");
    assert_eq!(made("{{ node.interfaces }}"), "{'bond0': {'sriov': True, 'trustedmode': False, 'vf_count': 2}, 'pxe': {'sriov': False}}");
    assert_eq!(made("{{ action.action_id }} {{ action.action_key }} {{ action.report_url }}"), "ID KEY http://report");
    assert_eq!(made("{{ node.network.nope.ip }}"), "line 1: undefined value in `node.network.nope.ip`");
}

#[test]
fn templates_reach_nothing_but_their_context() {
    let templates = Templates::default();
    let failed = |template: &str| match templates.render_once(template, &n1(), true) {
        Ok(made) => panic!("{template} made {:?}", made.text),
        Err(why) => why.to_string(),
    };
    assert_eq!(failed("{% include '/etc/passwd' %}"), "line 1: syntax error: unknown statement include in `include`");
    assert_eq!(failed("{% import '/etc/passwd' as x %}"), "line 1: syntax error: unknown statement import in `import`");
    assert_eq!(failed("{% extends '/etc/passwd' %}"), "line 1: syntax error: unknown statement extends in `extends`");
    for template in [
        "{{ debug() }}",
        "{{ now() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ node.__init__.x }}",
        "{{ open('/etc/passwd') }}",
        "{{ lipsum() }}",
        "{{ [1]|random }}",
    ] {
        failed(template);
    }
}

#[test]
fn messages_quote_no_value() {
    let templates = Templates::default();
    for template in
        ["{{ node.labels.x|int + 'secret' }}", "{{ node.labels.x / 0 }}", "{{ node.labels.x()|foo }}", "{{ node[node.labels.x].a.b }}"]
    {
        let why = templates.render_once(template, &n1(), false).map(|made| made.text).unwrap_err();
        assert!(!why.to_string().contains("y z") && !why.to_string().contains("secret"), "{why}");
        let why = templates.render_once(template, &n1(), true).map(|made| made.text).unwrap_err();
        assert!(!why.to_string().contains("y z"), "{why}");
    }
}

#[test]
fn lines_of_problems_are_known() {
    let templates = Templates::default();
    let why = templates.render_once("a\nb\n{{ node.x.y }}\n", &n1(), true).map(|made| made.text).unwrap_err();
    assert_eq!(why, Why::Render { line: Some(3), message: "undefined value in `node.x.y`".to_owned() });
    let why = templates.render_once("a\n{% fi %}\n", &n1(), true).map(|made| made.text).unwrap_err();
    assert_eq!(why, Why::Compile { line: Some(2), message: "syntax error: unknown statement fi in `fi`".to_owned() });
}

#[test]
fn names_that_mean_nothing_are_known() {
    let (site, _) = read("");
    let templates = Templates::default();
    let unknown = |source: &str| {
        let names = templates.names(source);
        names
            .iter()
            .filter_map(|name| unknown_name(&site, name))
            .map(|(name, similar)| format!("{name} {}", similar.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    assert_eq!(unknown("{{ node.hostnam }}{{ nod.x }}{{ foo }}"), ["foo ", "nod.x node", "node.hostnam hostname"]);
    assert_eq!(
        unknown("{{ node.network.calica.ip }}{{ node.network.calico.ipp }}"),
        ["node.network.calica.ip calico", "node.network.calico.ipp ip"]
    );
    assert_eq!(
        unknown("{{ action.action_ref }}{{ node.interfaces.bond0.sriof }}"),
        ["action.action_ref action_key", "node.interfaces.bond0.sriof sriov"]
    );
    let fine = "{% for k, v in node.labels.items() %}{{ k }}{{ v }}{{ loop.index }}{% endfor %}{{ node.labels.any }}{{ node.network.default.ip }}\
                {{ node.interfaces.x.sriov }}{{ range(3) }}{{ node['hostname'] }}{{ action.design_ref|urlencode }}{% set x = 1 %}{{ x }}";
    assert_eq!(unknown(fine), Vec::<String>::new());
}

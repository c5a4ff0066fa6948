//! Designs with odd values anywhere: something may be reported, nothing may panic.

use std::path::Path;
use std::sync::Arc;

use drydock::document::{self, Document};
use drydock::model::resolve;
use drydock::yaml::{Key, Mapping, Node, SourceMap, Value};
use drydock::{check, diag};
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
                Value::Map(Arc::new(Mapping { entries }))
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
        let (site, found) = resolve(&documents);
        let site = site.expect("there are documents");
        let again = resolve(&documents).1;
        prop_assert_eq!(&found, &again, "the same design gives the same problems");
        let checked = check::run(&site);
        prop_assert!(checked.iter().chain(&found).all(|d| !d.message.is_empty() && diag::Severity::Info <= d.severity));
    }
}

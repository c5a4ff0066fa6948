//! Templates: identical structures are stored once, with what differs as arguments.
//!
//! Values of one shape (same keys, same lengths of lists, same kinds of scalars) are factored: where all agree the template has the value,
//! where they differ it has `{"$arg": N}`, and each instance lists its arguments. Expanding gives back exactly what was put in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The key that marks an argument in a template.
const ARG: &str = "$arg";

/// Values of one shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    pub(super) template: Value,
    /// Index of the value in the input, and its arguments.
    pub(super) instances: Vec<(usize, Vec<Value>)>,
}

/// Factors values into families, in order of first appearance.
pub(super) fn factor(values: &[&Value]) -> Vec<Family> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let mut key = String::new();
        shape(value, &mut key);
        let group = groups.entry(key.clone()).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(i);
    }
    order
        .into_iter()
        .filter_map(|key| groups.remove(&key))
        .map(|members| {
            let refs: Vec<&Value> = members.iter().map(|i| values[*i]).collect();
            let mut args: Vec<Vec<Value>> = vec![Vec::new(); refs.len()];
            let template = unify(&refs, &mut args);
            Family { template, instances: members.into_iter().zip(args).collect() }
        })
        .collect()
}

fn shape(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push('n'),
        Value::Bool(_) => out.push('b'),
        Value::Number(_) => out.push('i'),
        Value::String(_) => out.push('s'),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                shape(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (key, item) in map {
                let _ = write!(out, "{}", key.len());
                out.push(':');
                out.push_str(key);
                shape(item, out);
            }
            out.push('}');
        }
    }
}

/// All values have one shape, so where one is a map or list all are.
fn unify(values: &[&Value], args: &mut [Vec<Value>]) -> Value {
    let Some(first) = values.first() else { return Value::Null };
    if values.iter().all(|v| v == first) && !mentions_arg(first) {
        return (*first).clone();
    }
    match first {
        Value::Array(items) => Value::Array(
            (0..items.len())
                .map(|i| {
                    let column: Vec<&Value> = values.iter().map(|v| v.get(i).unwrap_or(&Value::Null)).collect();
                    unify(&column, args)
                })
                .collect(),
        ),
        Value::Object(map) if !map.contains_key(ARG) => {
            let mut out = Map::new();
            for key in map.keys() {
                let column: Vec<&Value> = values.iter().map(|v| v.get(key).unwrap_or(&Value::Null)).collect();
                out.insert(key.clone(), unify(&column, args));
            }
            Value::Object(out)
        }
        _ => {
            let index = args.first().map_or(0, Vec::len);
            for (value, list) in values.iter().zip(args.iter_mut()) {
                list.push((*value).clone());
            }
            Value::Object(Map::from_iter([(ARG.to_owned(), Value::from(index))]))
        }
    }
}

/// A value that itself looks like an argument must travel as one.
fn mentions_arg(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(mentions_arg),
        Value::Object(map) => map.contains_key(ARG) || map.values().any(mentions_arg),
        _ => false,
    }
}

/// Puts arguments into a template.
///
/// # Errors
/// When the template asks for an argument that is not there.
pub(super) fn expand(template: &Value, args: &[Value]) -> Result<Value, String> {
    match template {
        Value::Array(items) => items.iter().map(|i| expand(i, args)).collect::<Result<Vec<_>, _>>().map(Value::Array),
        Value::Object(map) => {
            if let Some(index) = map.get(ARG) {
                let index = index.as_u64().and_then(|i| usize::try_from(i).ok()).ok_or("a template has an argument without a number")?;
                return args.get(index).cloned().ok_or_else(|| format!("a template asks for argument {index}, which is missing"));
            }
            map.iter().map(|(k, v)| Ok((k.clone(), expand(v, args)?))).collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn round_trip(values: &[Value]) {
        let mut back = vec![Value::Null; values.len()];
        for family in factor(&values.iter().collect::<Vec<_>>()) {
            for (i, args) in &family.instances {
                back[*i] = expand(&family.template, args).unwrap();
            }
        }
        assert_eq!(back, values);
    }

    #[test]
    fn what_agrees_is_stored_once() {
        let values = [json!({"a": 1, "b": ["x", "same"]}), json!({"a": 2, "b": ["y", "same"]}), json!({"c": null})];
        let families = factor(&values.iter().collect::<Vec<_>>());
        assert_eq!(families.len(), 2);
        assert_eq!(families[0].template, json!({"a": {"$arg": 0}, "b": [{"$arg": 1}, "same"]}));
        assert_eq!(families[0].instances[1], (1, vec![json!(2), json!("y")]));
        round_trip(&values);
    }

    #[test]
    fn a_value_that_looks_like_an_argument_survives() {
        round_trip(&[json!({"$arg": 7}), json!([{"$arg": 0}]), json!({"a": {"$arg": "x"}, "b": 1})]);
        round_trip(&[json!({"a": {"$arg": 7}}), json!({"a": {"$arg": 7}})]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(prop_oneof!["[a-c]{1}", Just(ARG.to_owned())], inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn expanding_gives_back_what_was_put_in(values in prop::collection::vec(any_json(), 0..8)) {
            round_trip(&values);
        }
    }
}

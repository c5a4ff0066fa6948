//! Templates: identical structures are stored once, with what differs as arguments.
//!
//! Values of one shape (same keys, same lengths of lists, same kinds of scalars) are factored: where all agree the template has the value,
//! where they differ it has `{"$arg": N}`, and each instance lists its arguments. Expanding gives back exactly what was put in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::action::{Json, Token, Tokens, canonical};

/// The key that marks an argument in a template.
const ARG: &str = "$arg";
/// That key in canonical JSON; no text holds this, for quotes within texts are escaped.
const ARG_AS_KEY: &str = "\"$arg\":";
/// How an argument begins in a template.
const ARG_KEY: &str = "{\"$arg\":";

/// Values of one shape; template and arguments are canonical JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family<'a> {
    pub(super) template: String,
    /// Index of the value in the input, and its arguments.
    pub(super) instances: Vec<(usize, Vec<Cow<'a, str>>)>,
}

/// Factors values, given as canonical JSON, into families, in order of first appearance.
pub(super) fn factor<'a>(texts: &[&'a str]) -> Vec<Family<'a>> {
    let mut groups: HashMap<String, usize> = HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut key = String::new();
    for (i, text) in texts.iter().enumerate() {
        key.clear();
        shape(text, &mut key);
        let group = groups.get(&key).copied().unwrap_or_else(|| {
            members.push(Vec::new());
            groups.insert(key.clone(), members.len() - 1);
            members.len() - 1
        });
        members[group].push(i);
    }
    members
        .into_iter()
        .map(|members| {
            // A value that itself looks like an argument travels whole.
            if members.first().is_some_and(|i| texts[*i].contains(ARG_AS_KEY)) {
                family_of_trees(texts, members)
            } else {
                family(texts, &members)
            }
        })
        .collect()
}

/// Structure and keys, with the kind of each scalar in its place.
fn shape(text: &str, out: &mut String) {
    for token in Tokens::new(text) {
        match token {
            Token::Mark(mark) => out.push(char::from(mark)),
            Token::Key(key) => out.push_str(key),
            Token::Scalar(scalar) => out.push(match scalar.as_bytes().first() {
                Some(b'"') => 's',
                Some(b't' | b'f') => 'b',
                Some(b'n') => 'n',
                _ => 'i',
            }),
        }
    }
}

fn scalars(text: &str) -> impl Iterator<Item = &str> {
    Tokens::new(text).filter_map(|token| if let Token::Scalar(scalar) = token { Some(scalar) } else { None })
}

/// All values have one shape: the same scalars at the same places differ or agree.
fn family<'a>(texts: &[&'a str], members: &[usize]) -> Family<'a> {
    let first: Vec<&str> = members.first().map(|i| scalars(texts[*i]).collect()).unwrap_or_default();
    let mut differs = vec![false; first.len()];
    for i in members.iter().skip(1) {
        if texts[*i] == texts[members[0]] {
            continue;
        }
        for ((scalar, first), differs) in scalars(texts[*i]).zip(&first).zip(&mut differs) {
            *differs |= scalar != *first;
        }
    }
    let arguments = |i: &usize| scalars(texts[*i]).zip(&differs).filter(|(_, differs)| **differs).map(|(s, _)| Cow::Borrowed(s)).collect();
    let any = differs.contains(&true);
    let instances = members.iter().map(|i| (*i, if any { arguments(i) } else { Vec::new() })).collect();
    Family { template: members.first().map(|i| with_holes(texts[*i], &differs)).unwrap_or_default(), instances }
}

/// The text with `{"$arg": N}` in place of the scalars that differ.
fn with_holes(text: &str, differs: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut tokens = Tokens::new(text);
    let (mut start, mut place, mut hole) = (0, 0, 0);
    while let Some(token) = tokens.next() {
        let end = tokens.offset();
        if matches!(token, Token::Scalar(_)) {
            if differs.get(place) == Some(&true) {
                let _ = write!(out, "{ARG_KEY}{hole}}}");
                (start, hole) = (end, hole + 1);
            }
            place += 1;
        }
        out.push_str(&text[start..end]);
        start = end;
    }
    out
}

fn family_of_trees<'a>(texts: &[&'a str], members: Vec<usize>) -> Family<'a> {
    let trees: Vec<Value> = members.iter().map(|i| serde_json::from_str(texts[*i]).unwrap_or_default()).collect();
    let refs: Vec<&Value> = trees.iter().collect();
    let mut args: Vec<Vec<Value>> = vec![Vec::new(); refs.len()];
    let template = canonical(&unify(&refs, &mut args));
    let args = args.into_iter().map(|list| list.iter().map(|v| Cow::Owned(canonical(v))).collect());
    Family { template, instances: members.into_iter().zip(args).collect() }
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

/// A template, taken apart for expanding.
pub(super) struct Template {
    /// What stands before each argument, and its index.
    parts: Vec<(String, usize)>,
    /// What stands behind the last one.
    rest: String,
}

impl Template {
    /// Takes a template apart.
    ///
    /// # Errors
    /// When it has an argument without a number.
    pub(super) fn new(template: &Value) -> Result<Self, String> {
        let text = canonical(template);
        let (mut parts, mut rest) = (Vec::new(), text.as_str());
        while let Some((before, after)) = rest.split_once(ARG_KEY) {
            let (index, after) = after.split_once('}').ok_or("a template has an argument without an end")?;
            let index = index.parse::<usize>().map_err(|_| "a template has an argument without a number")?;
            parts.push((before.to_owned(), index));
            rest = after;
        }
        Ok(Self { parts, rest: rest.to_owned() })
    }

    /// Puts arguments in.
    ///
    /// # Errors
    /// When the template asks for an argument that is not there.
    pub(super) fn expand(&self, args: &[Value]) -> Result<Json, String> {
        let mut out = String::new();
        for (before, index) in &self.parts {
            out.push_str(before);
            let arg = args.get(*index).ok_or_else(|| format!("a template asks for argument {index}, which is missing"))?;
            out.push_str(&canonical(arg));
        }
        out.push_str(&self.rest);
        Ok(Json::from_canonical(&out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn round_trip(values: &[Value]) {
        let texts: Vec<String> = values.iter().map(canonical).collect();
        let mut back = vec![Value::Null; values.len()];
        for family in factor(&texts.iter().map(String::as_str).collect::<Vec<_>>()) {
            let template = Template::new(&serde_json::from_str(&family.template).unwrap()).unwrap();
            for (i, args) in &family.instances {
                let args: Vec<Value> = args.iter().map(|a| serde_json::from_str(a).unwrap()).collect();
                back[*i] = template.expand(&args).unwrap().value();
            }
        }
        assert_eq!(back, values);
    }

    #[test]
    fn what_agrees_is_stored_once() {
        let values = [json!({"a": 1, "b": ["x", "same"]}), json!({"a": 2, "b": ["y", "same"]}), json!({"c": null})];
        let texts: Vec<String> = values.iter().map(canonical).collect();
        let families = factor(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(families.len(), 2);
        assert_eq!(families[0].template, r#"{"a":{"$arg":0},"b":[{"$arg":1},"same"]}"#);
        assert_eq!(families[0].instances[1], (1, vec!["2".into(), "\"y\"".into()]));
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

//! A child's value laid over its parent's, and the three layering actions.

use std::sync::Arc;

use super::json_path::{Blocked, JsonPath, PathStep};
use crate::yaml::{Mapping, Node, Span, Value};

/// What an action does with the child's value at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Mappings are merged key by key; anything else of the child takes the place of the parent's.
    Merge,
    /// The child's value takes the place of the parent's.
    Replace,
    /// The parent's value is not inherited.
    Delete,
}

/// One entry of `metadata.layeringDefinition.actions`.
#[derive(Debug, Clone)]
pub(super) struct Action {
    /// What to do.
    pub(super) method: Method,
    /// Where, below `data`.
    pub(super) path: JsonPath,
    /// Where the path is written.
    pub(super) span: Span,
}

/// Why an action cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// The child has no value at the path (`merge`, `replace`).
    NotInChild,
    /// What is inherited has no value at the path (`delete`).
    NotInherited,
    /// Something stands in the way of the path.
    Blocked(Blocked),
}

/// Applies one action to what is inherited so far.
pub(super) fn apply(action: &Action, inherited: &Node, child: &Node) -> Result<Node, Refused> {
    let mut result = inherited.clone();
    if action.method == Method::Delete {
        if !action.path.is_root() && action.path.find(inherited).is_none_or(Node::is_null) {
            return Err(Refused::NotInherited);
        }
        // Deckhand looks for the value, not for the path.
        match action.path.find(inherited).filter(|_| !action.path.is_root()).and_then(|there| first_equal(inherited, there)) {
            Some(path) => JsonPath::of(path).remove(&mut result),
            None => action.path.remove(&mut result),
        };
        return Ok(result);
    }
    let own = action.path.find(child).filter(|own| !own.is_null()).ok_or(Refused::NotInChild)?;
    if let Some(there) = action.path.find(inherited) {
        let new = if action.method == Method::Merge { merge(there, own) } else { own.clone().over(there) };
        action.path.update(&mut result, &mut |place| *place = new.clone());
    } else {
        action.path.create(&mut result, action.span).map_err(Refused::Blocked)?;
        action.path.update(&mut result, &mut |place| *place = own.clone());
    }
    Ok(result)
}

/// The child's value over the parent's: mappings key by key, anything else as a whole. What only the parent has is shared, not copied.
pub(super) fn merge(parent: &Node, child: &Node) -> Node {
    let (Value::Map(inherited), Value::Map(own)) = (&parent.value, &child.value) else {
        return child.clone().over(parent);
    };
    let mut entries = inherited.entries.to_vec();
    for (key, value) in &own.entries {
        let at = inherited.entries.position(&key.name);
        match at {
            Some(at) => {
                let merged = merge(&entries[at].1, value);
                entries[at] = (key.clone(), merged);
            }
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node::new(child.span, Value::Map(Arc::new(Mapping { entries: entries.into() }))).over(parent)
}

/// The path of the first value that equals this one, depth first: what Deckhand deletes.
pub(super) fn first_equal(node: &Node, target: &Node) -> Option<Vec<PathStep>> {
    let mut path = Vec::new();
    found_in(node, target, &mut path).then_some(path)
}

fn found_in(node: &Node, target: &Node, path: &mut Vec<PathStep>) -> bool {
    let mut child = |step: PathStep, child: &Node| {
        path.push(step);
        let found = equal(child, target) || found_in(child, target, path);
        if !found {
            path.pop();
        }
        found
    };
    match &node.value {
        Value::Seq(items) => items.iter().enumerate().any(|(at, item)| child(PathStep::Index(at as i64), item)),
        Value::Map(map) => map.entries.iter().any(|(key, value)| child(PathStep::Key(key.name.clone()), value)),
        _ => false,
    }
}

/// Equality as Python has it: mappings in any order, `True` is 1 is 1.0.
fn equal(one: &Node, other: &Node) -> bool {
    let number = |value: &Value| match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    match (&one.value, &other.value) {
        (Value::Map(a), Value::Map(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().all(|(key, value)| b.get(&key.name).is_some_and(|other| equal(value, other)))
        }
        (Value::Seq(a), Value::Seq(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::Int(a), Value::Int(b)) => a == b,
        (a, b) => match (number(a), number(b)) {
            // Equal as Python's `==` has it: exactly.
            (Some(a), Some(b)) => a.total_cmp(&b).is_eq() || (a == 0.0 && b == 0.0),
            _ => a == b,
        },
    }
}

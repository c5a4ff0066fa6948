//! A child's value laid over its parent's, and the three layering actions.

use std::collections::HashMap;
use std::sync::Arc;

use super::json_path::{Blocked, JsonPath};
use crate::yaml::{Mapping, Node, Span, Value};

/// From this many entries on, a mapping is searched through an index.
const INDEX_FROM: usize = 16;

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
        action.path.remove(&mut result);
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
    let mut entries = inherited.entries.clone();
    let index: HashMap<Arc<str>, usize> = if inherited.entries.len() >= INDEX_FROM && own.entries.len() >= INDEX_FROM {
        inherited.entries.iter().enumerate().map(|(at, (key, _))| (key.name.clone(), at)).collect()
    } else {
        HashMap::new()
    };
    for (key, value) in &own.entries {
        let at = if index.is_empty() {
            inherited.entries.iter().position(|(known, _)| known.name == key.name)
        } else {
            index.get(&key.name).copied()
        };
        match at {
            Some(at) => {
                let merged = merge(&entries[at].1, value);
                entries[at] = (key.clone(), merged);
            }
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node::new(child.span, Value::Map(Arc::new(Mapping { entries }))).over(parent)
}

//! Inheritance: a child's tree over its parent's.
//!
//! Works on YAML trees, so that every value keeps the position that set it, and shares what is inherited unchanged.
//!
//! * scalars: the child's wins; a text `'!'` unsets
//! * mappings merge by key; `null`, or the key written as `'!key'`, removes the key
//! * lists of named things (`partitions`, `logical_volumes`) merge by `name`; `name: '!x'`, or a text `'!x'`, removes `x`
//! * other lists: the child's members are appended if they are not there yet; a text `'!x'` removes `x`

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::yaml::{Key, Mapping, Node, Span, Value};

/// Keys whose lists are merged by name.
const NAMED_LISTS: [&str; 2] = ["partitions", "logical_volumes"];

/// Above this number of members, lookups are hashed.
const SMALL: usize = 16;

/// A removal that found nothing to remove: its text and position.
pub(super) type Idle = (String, Span);

/// `child` over `parent`. Removals that find nothing go to `idle`.
pub(super) fn merge(parent: &Node, child: &Node, idle: &mut Vec<Idle>) -> Node {
    merge_value(parent, child, "", idle)
}

/// A tree that inherits from nothing: its removals are carried out on nothing.
pub(super) fn root(tree: &Node, idle: &mut Vec<Idle>) -> Node {
    if is_clean(tree, "") {
        return tree.clone();
    }
    clean(tree, "", idle)
}

fn merge_value(parent: &Node, child: &Node, key: &str, idle: &mut Vec<Idle>) -> Node {
    match (&parent.value, &child.value) {
        (Value::Map(p), Value::Map(c)) => {
            Node::new(child.span, if c.entries.is_empty() { parent.value.clone() } else { merge_maps(p, c, idle) })
        }
        (Value::Seq(p), Value::Seq(c)) if c.is_empty() => Node::new(child.span, Value::Seq(Arc::clone(p))),
        (Value::Seq(p), Value::Seq(c)) => {
            let members = if NAMED_LISTS.contains(&key) { merge_named(p, c, idle) } else { merge_plain(p, c, idle) };
            Node::new(child.span, Value::Seq(Arc::new(members)))
        }
        _ if is_clean(child, key) => child.clone().over(parent),
        _ => clean(child, key, idle).over(parent),
    }
}

fn removes(value: &Node) -> bool {
    value.is_null() || value.as_str() == Some("!")
}

fn removed_key(key: &Key) -> Option<&str> {
    key.name.strip_prefix('!').filter(|name| !name.is_empty())
}

fn merge_maps(parent: &Mapping, child: &Mapping, idle: &mut Vec<Idle>) -> Value {
    let mut entries: Vec<Option<(Key, Node)>> = parent.entries.iter().cloned().map(Some).collect();
    let mut added = Vec::new();
    for (key, value) in &child.entries {
        if let Some(name) = removed_key(key) {
            match parent.entries.position(name) {
                Some(at) => entries[at] = None,
                None => idle.push((key.name.to_string(), key.span)),
            }
            continue;
        }
        match parent.entries.position(&key.name) {
            Some(at) if removes(value) => entries[at] = None,
            Some(at) => {
                entries[at] = Some((key.clone(), merge_value(&parent.entries[at].1, value, &key.name, idle)));
            }
            None if removes(value) => {}
            None => added.push((key.clone(), if is_clean(value, &key.name) { value.clone() } else { clean(value, &key.name, idle) })),
        }
    }
    Value::Map(Arc::new(Mapping { entries: entries.into_iter().flatten().chain(added).collect() }))
}

fn removal(member: &Node) -> Option<&str> {
    member.as_str().and_then(|text| text.strip_prefix('!')).filter(|name| !name.is_empty())
}

fn merge_plain(parent: &[Node], child: &[Node], idle: &mut Vec<Idle>) -> Vec<Node> {
    let mut removed: HashMap<&str, (&Node, bool)> = child.iter().filter_map(|member| Some((removal(member)?, (member, false)))).collect();
    let mut members = Vec::with_capacity(parent.len());
    for member in parent {
        let number = scalar_text(member);
        match removed.get_mut(member.as_str().or(number.as_deref()).unwrap_or_default()) {
            Some((_, found)) => *found = true,
            None => members.push(member.clone()),
        }
    }
    if !removed.is_empty() {
        let idle_removal = |member: &&Node| removal(member).is_some_and(|name| removed.get(name).is_some_and(|(_, found)| !found));
        idle.extend(child.iter().filter(idle_removal).map(|member| (member.as_str().unwrap_or_default().to_owned(), member.span)));
    }
    let additions = child.iter().filter(|member| removal(member).is_none());
    if members.len() + child.len() > SMALL {
        let mut texts: HashSet<Arc<str>> = members.iter().filter_map(text).collect();
        for member in additions {
            match text(member) {
                Some(text) => {
                    if texts.insert(text) {
                        members.push(member.clone());
                    }
                }
                None if members.contains(member) => {}
                None => members.push(member.clone()),
            }
        }
    } else {
        for member in additions {
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
    }
    members
}

fn text(node: &Node) -> Option<Arc<str>> {
    if let Value::Str(text) = &node.value { Some(Arc::clone(text)) } else { None }
}

/// A number or boolean as a removal would write it.
fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// What a member of a named list is called, and whether it removes that name.
fn name_of(member: &Node) -> Option<(&str, bool)> {
    let text = member.as_str().or_else(|| member.get("name").and_then(Node::as_str))?;
    match text.strip_prefix('!') {
        Some(name) if !name.is_empty() => Some((name, true)),
        _ => Some((text, false)),
    }
}

fn merge_named(parent: &[Node], child: &[Node], idle: &mut Vec<Idle>) -> Vec<Node> {
    let mut members: Vec<Option<Node>> = parent.iter().cloned().map(Some).collect();
    let mut added = Vec::new();
    let named = parent.iter().enumerate().rev();
    let places: HashMap<&str, usize> = named.filter_map(|(at, inherited)| Some((name_of(inherited)?.0, at))).collect();
    for member in child {
        let Some((name, remove)) = name_of(member) else {
            added.push(clean(member, "", idle));
            continue;
        };
        let at = places.get(name).copied();
        match (at, remove) {
            (Some(at), true) => members[at] = None,
            (None, true) => idle.push((format!("!{name}"), member.span)),
            (Some(at), false) => members[at] = Some(merge_value(&parent[at], member, "", idle)),
            (None, false) => added.push(clean(member, "", idle)),
        }
    }
    members.into_iter().flatten().chain(added).collect()
}

/// Whether nothing in this tree removes anything.
fn is_clean(node: &Node, key: &str) -> bool {
    match &node.value {
        Value::Map(mapping) => {
            mapping.entries.iter().all(|(key, value)| removed_key(key).is_none() && !removes(value) && is_clean(value, &key.name))
        }
        Value::Seq(members) if NAMED_LISTS.contains(&key) => {
            members.iter().all(|member| !name_of(member).is_some_and(|(_, remove)| remove) && is_clean(member, ""))
        }
        Value::Seq(members) => members.iter().all(|member| removal(member).is_none() && is_clean(member, "")),
        _ => true,
    }
}

fn clean(node: &Node, key: &str, idle: &mut Vec<Idle>) -> Node {
    let value = match &node.value {
        Value::Map(mapping) => {
            let mut entries = Vec::with_capacity(mapping.entries.len());
            for (key, value) in &mapping.entries {
                if removed_key(key).is_some() {
                    idle.push((key.name.to_string(), key.span));
                } else if !removes(value) {
                    entries.push((key.clone(), clean(value, &key.name, idle)));
                }
            }
            Value::Map(Arc::new(Mapping { entries: entries.into() }))
        }
        Value::Seq(members) => {
            let named = NAMED_LISTS.contains(&key);
            let mut kept = Vec::with_capacity(members.len());
            for member in members.iter() {
                let removed = if named { name_of(member).filter(|(_, remove)| *remove).map(|(name, _)| name) } else { removal(member) };
                match removed {
                    Some(name) => idle.push((format!("!{name}"), member.span)),
                    None => kept.push(clean(member, "", idle)),
                }
            }
            Value::Seq(Arc::new(kept))
        }
        other => other.clone(),
    };
    Node { value, ..node.clone() }
}

//! Mappings: entries in the order in which they are written, with an index where there are many.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::tree::{Key, Node};

/// From this many entries on, a mapping is searched through an index.
const INDEX_FROM: usize = 16;

/// A mapping in the order in which it was written. Keys are unique.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping {
    /// Entries in document order.
    pub entries: Entries,
}

impl Mapping {
    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, v)| v)
    }

    /// Key and value of a key.
    pub fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.entries.position(name).map(|at| &self.entries[at])
    }
}

/// The entries of a [`Mapping`]: a slice that knows where its keys are. Most mappings are small and pay nothing for those that are not.
#[derive(Clone)]
pub struct Entries(Repr);

#[derive(Clone)]
enum Repr {
    Few(Vec<(Key, Node)>),
    Many(Box<Many>),
}

struct Many {
    list: Vec<(Key, Node)>,
    /// Made when a key is looked for, dropped when keys change.
    index: OnceLock<HashMap<Arc<str>, u32>>,
}

impl Clone for Many {
    fn clone(&self) -> Self {
        // Who copies is about to change it.
        Self { list: self.list.clone(), index: OnceLock::new() }
    }
}

impl Entries {
    /// Where a key is.
    pub fn position(&self, name: &str) -> Option<usize> {
        match &self.0 {
            Repr::Few(list) => list.iter().position(|(key, _)| &*key.name == name),
            Repr::Many(many) => {
                let index =
                    many.index.get_or_init(|| many.list.iter().zip(0..).map(|((key, _), at)| (Arc::clone(&key.name), at)).collect());
                index.get(name).map(|at| *at as usize)
            }
        }
    }

    /// The value at a place, to be changed.
    pub fn value_mut(&mut self, at: usize) -> Option<&mut Node> {
        self.list_mut().get_mut(at).map(|(_, value)| value)
    }

    /// All keys, and their values to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Node)> {
        self.list_mut().iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Adds an entry whose key is not there yet.
    pub fn push(&mut self, key: Key, value: Node) {
        self.change_keys(|list| list.push((key, value)));
    }

    /// Takes an entry out; nothing happens where there is none.
    pub fn remove(&mut self, at: usize) {
        self.change_keys(|list| {
            if at < list.len() {
                list.remove(at);
            }
        });
    }

    fn list_mut(&mut self) -> &mut Vec<(Key, Node)> {
        match &mut self.0 {
            Repr::Few(list) => list,
            Repr::Many(many) => &mut many.list,
        }
    }

    fn change_keys(&mut self, change: impl FnOnce(&mut Vec<(Key, Node)>)) {
        let mut list = std::mem::take(self.list_mut());
        change(&mut list);
        *self = list.into();
    }
}

impl Default for Entries {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<(Key, Node)>> for Entries {
    fn from(list: Vec<(Key, Node)>) -> Self {
        Self(if list.len() < INDEX_FROM { Repr::Few(list) } else { Repr::Many(Box::new(Many { list, index: OnceLock::new() })) })
    }
}

impl FromIterator<(Key, Node)> for Entries {
    fn from_iter<T: IntoIterator<Item = (Key, Node)>>(entries: T) -> Self {
        Vec::from_iter(entries).into()
    }
}

impl Deref for Entries {
    type Target = [(Key, Node)];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Repr::Few(list) => list,
            Repr::Many(many) => &many.list,
        }
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a (Key, Node);
    type IntoIter = std::slice::Iter<'a, (Key, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Span, Value};

    fn key(name: &str) -> Key {
        Key { name: name.into(), span: Span::NOWHERE }
    }

    fn numbered(count: i64) -> Mapping {
        Mapping { entries: (0..count).map(|n| (key(&format!("k{n}")), Node::nowhere(Value::Int(n)))).collect() }
    }

    #[test]
    fn every_key_is_found_however_many_there_are() {
        for count in [0, 1, 15, 16, 17, 1000] {
            let mapping = numbered(count);
            for n in 0..count {
                assert_eq!(mapping.get(&format!("k{n}")), Some(&Node::nowhere(Value::Int(n))), "{n} of {count}");
            }
            assert_eq!(mapping.get("k1000"), None);
            assert!(matches!(mapping.entries.0, Repr::Many(_)) == (count >= 16), "{count}");
        }
    }

    #[test]
    fn keys_that_come_and_go_are_found_and_not_found() {
        let mut mapping = numbered(15);
        for n in 15..40 {
            assert_eq!(mapping.get(&format!("k{n}")), None);
            mapping.entries.push(key(&format!("k{n}")), Node::nowhere(Value::Int(n)));
            assert_eq!(mapping.get(&format!("k{n}")), Some(&Node::nowhere(Value::Int(n))));
        }
        let copy = mapping.clone();
        for n in 0..38 {
            mapping.entries.remove(0);
            assert_eq!(mapping.get(&format!("k{n}")), None);
            assert_eq!(mapping.get("k39"), Some(&Node::nowhere(Value::Int(39))));
        }
        mapping.entries.remove(2);
        assert_eq!(mapping.entries.len(), 2);
        *mapping.entries.value_mut(1).unwrap() = Node::nowhere(Value::Null);
        assert_eq!((mapping.get("k39"), copy.get("k39")), (Some(&Node::nowhere(Value::Null)), Some(&Node::nowhere(Value::Int(39)))));
    }

    #[test]
    fn small_mappings_hold_nothing_but_their_entries() {
        assert_eq!(size_of::<Mapping>(), size_of::<Vec<(Key, Node)>>());
    }
}

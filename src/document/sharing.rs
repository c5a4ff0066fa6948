//! Values that several documents share, so that a change in one is a change in all.
//!
//! Deckhand puts a mapping or list into a document by reference: only its outermost level is copied. A later substitution that writes two levels or more inside it
//! therefore also writes into the source, and into every other document that took the same value. Sites depend on the result, so it is reproduced here.

use std::collections::{BTreeSet, HashMap};

use super::json_path::PathStep;
use crate::yaml::{Node, Value};

/// Comparisons of places in all.
const MAX_LOOKS: usize = 20_000_000;
/// Steps to a place; a value that was put into itself has places without end.
const MAX_STEPS: usize = 64;

/// A place in the data of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The document, by its number.
    pub(super) document: usize,
    /// The way from its data.
    pub(super) path: Vec<PathStep>,
}

/// Two places whose values have members in common.
#[derive(Debug)]
struct Share {
    ends: [Place; 2],
    /// The members that are mappings or lists and still the same in both.
    members: BTreeSet<PathStep>,
}

/// All shared values of a site.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: Vec<Share>,
    by_document: HashMap<usize, Vec<usize>>,
    looks: usize,
}

impl Shares {
    /// Notes that `value` was taken from one place and put in another.
    pub(super) fn link(&mut self, from: Place, to: Place, value: &Node) {
        let holds_more = |node: &Node| matches!(node.value, Value::Map(_) | Value::Seq(_));
        let members: BTreeSet<PathStep> = match &value.value {
            Value::Map(map) => {
                map.entries.iter().filter(|(_, value)| holds_more(value)).map(|(key, _)| PathStep::Key(key.name.clone())).collect()
            }
            Value::Seq(items) => {
                let held = items.iter().enumerate().filter(|(_, item)| holds_more(item));
                held.filter_map(|(at, _)| Some(PathStep::Index(i64::try_from(at).ok()?))).collect()
            }
            _ => return,
        };
        if members.is_empty() {
            return;
        }
        let at = self.all.len();
        for document in BTreeSet::from([from.document, to.document]) {
            self.by_document.entry(document).or_default().push(at);
        }
        self.all.push(Share { ends: [from, to], members });
    }

    /// Whether values are shared so often that not all changes could be followed.
    pub(super) fn is_exhausted(&self) -> bool {
        self.looks >= MAX_LOOKS
    }

    /// Notes that a value was written, and tells where else it appears by that. `Err`: in itself, without end; then also the places that are not too deep.
    pub(super) fn written(&mut self, place: Place) -> Result<Vec<Place>, Vec<Place>> {
        let mut endless = false;
        let mut seen = BTreeSet::from([place.clone()]);
        let mut reached = vec![place];
        let mut next = 0;
        while let Some(place) = reached.get(next).cloned() {
            next += 1;
            let Some(shares) = self.by_document.get(&place.document) else { continue };
            for at in shares {
                let share = &mut self.all[*at];
                if share.members.is_empty() || self.looks >= MAX_LOOKS {
                    continue;
                }
                self.looks += 1;
                for (here, there) in [(0, 1), (1, 0)] {
                    if share.ends[here].document != place.document {
                        continue;
                    }
                    if share.ends[here].path.starts_with(&place.path) {
                        share.members.clear();
                        continue;
                    }
                    let Some(rest) = place.path.strip_prefix(&*share.ends[here].path) else { continue };
                    let Some(member) = rest.first().filter(|member| share.members.contains(*member)) else { continue };
                    if rest.len() == 1 {
                        share.members.remove(member);
                        continue;
                    }
                    let other = &share.ends[there];
                    if other.path.len() + rest.len() > MAX_STEPS {
                        endless = true;
                        continue;
                    }
                    let path = other.path.iter().chain(rest).cloned().collect();
                    let other = Place { document: other.document, path };
                    if seen.insert(other.clone()) {
                        reached.push(other);
                    }
                }
            }
        }
        reached.remove(0);
        if endless { Err(reached) } else { Ok(reached) }
    }
}

//! Attributes of one resource as a flat, ordered map, and their comparison.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use serde_json::Value;

use super::{AttributeChange, effect_of};
use crate::action::Effect;
use crate::yaml::{SourceMap, Span};

/// A wanted attribute and where the design says so.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) value: Value,
    pub(super) span: Span,
    /// Words of a text, or members of a list, that are written in several places, with where.
    parts: Vec<(String, Span)>,
}

impl Wanted {
    /// Where it is written what differs from the present value: the first part that is not there, if it has parts.
    fn source(&self, present: Option<&Value>) -> Span {
        let is_there = |part: &str| match present {
            Some(Value::String(text)) => text.split(' ').any(|word| word == part),
            Some(Value::Array(members)) => members.iter().any(|member| member == part),
            _ => true,
        };
        self.parts.iter().find(|(part, _)| !is_there(part)).map_or(self.span, |(_, span)| *span)
    }
}

/// Wanted attributes by path.
pub(super) type WantedMap = BTreeMap<String, Wanted>;

/// Present attributes by path.
pub(super) type PresentMap = BTreeMap<String, Value>;

pub(super) fn want(map: &mut WantedMap, path: impl Into<String>, value: impl Into<Value>, span: Span) {
    map.insert(path.into(), Wanted { value: value.into(), span, parts: Vec::new() });
}

/// The same for a value whose parts are written in several places.
pub(super) fn want_parts(map: &mut WantedMap, path: impl Into<String>, value: impl Into<Value>, span: Span, parts: Vec<(String, Span)>) {
    map.insert(path.into(), Wanted { value: value.into(), span, parts });
}

/// Attributes with one hash, and where the design sets them.
type Alike = Vec<(Span, Arc<AttributeChange>)>;

/// Attributes of one comparison: equal ones are one value, however many nodes they stand at.
pub(super) struct Pool<'a> {
    sources: &'a SourceMap,
    seen: RefCell<HashMap<u64, Alike>>,
    hasher: RandomState,
}

/// An attribute that differs, before it is known whether there is one like it.
#[derive(Hash)]
pub(super) struct Draft<'a> {
    pub(super) path: &'a str,
    pub(super) before: Option<&'a Value>,
    pub(super) after: Option<&'a Value>,
    pub(super) known_after: Option<&'a str>,
    pub(super) effect: Effect,
    pub(super) reason: &'a str,
    pub(super) span: Span,
}

impl Draft<'_> {
    fn is(&self, span: Span, other: &AttributeChange) -> bool {
        self.span == span
            && self.path == other.path
            && self.before == other.before.as_ref()
            && self.after == other.after.as_ref()
            && self.known_after == other.known_after.as_deref()
            && self.effect == other.effect
            && self.reason == other.reason
    }
}

impl<'a> Pool<'a> {
    pub(super) fn new(sources: &'a SourceMap) -> Self {
        Self { sources, seen: RefCell::default(), hasher: RandomState::new() }
    }

    /// `file:line:column` of a place in the design.
    pub(super) fn place(&self, span: Span) -> Option<String> {
        span.is_somewhere().then(|| self.sources.describe(span)).filter(|s| !s.is_empty())
    }

    /// The attribute, shared with all that are equal.
    pub(super) fn share(&self, draft: &Draft<'_>) -> Arc<AttributeChange> {
        let mut seen = self.seen.borrow_mut();
        let alike = seen.entry(self.hasher.hash_one(draft)).or_insert_with(|| Vec::with_capacity(1));
        if let Some((_, known)) = alike.iter().find(|(span, known)| draft.is(*span, known)) {
            return Arc::clone(known);
        }
        let made = Arc::new(AttributeChange {
            path: draft.path.to_owned(),
            before: draft.before.cloned(),
            after: draft.after.cloned(),
            known_after: draft.known_after.map(str::to_owned),
            effect: draft.effect,
            reason: draft.reason.to_owned(),
            source: self.place(draft.span),
        });
        alike.push((draft.span, Arc::clone(&made)));
        made
    }
}

/// Attributes of something that does not exist yet, or whose present values are not known.
pub(super) fn created(wanted: &WantedMap, pool: &Pool<'_>, effect: Effect, known_after: Option<&str>) -> Vec<Arc<AttributeChange>> {
    wanted
        .iter()
        .map(|(path, w)| pool.share(&Draft { path, before: None, after: Some(&w.value), known_after, effect, reason: "", span: w.span }))
        .collect()
}

/// Which effects attributes have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class<'a> {
    /// All the same: the resource is made or its machine is installed anyway.
    All(Effect),
    /// That of the table for a kind of resource.
    Of(&'a str),
}

/// Attributes that differ, in order of path. Paths that are present and not wanted are removals.
pub(super) fn differences(wanted: &WantedMap, present: &PresentMap, pool: &Pool<'_>, class: Class<'_>) -> Vec<Arc<AttributeChange>> {
    let mut out = Vec::new();
    let draft = |path: &str, before, after, span| {
        let (effect, reason) = match class {
            Class::All(effect) => (effect, ""),
            Class::Of(resource) => effect_of(resource, path),
        };
        pool.share(&Draft { path, before, after, known_after: None, effect, reason, span })
    };
    for (path, w) in wanted {
        let before = present.get(path);
        if before != Some(&w.value) {
            out.push(draft(path, before, Some(&w.value), w.source(before)));
        }
    }
    for (path, before) in present {
        if !wanted.contains_key(path) {
            out.push(draft(path, Some(before), None, Span::NOWHERE));
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

//! Attributes of one resource as a flat, ordered map, and their comparison.

use std::collections::BTreeMap;

use serde_json::Value;

use super::AttributeChange;
use crate::action::Effect;
use crate::yaml::{SourceMap, Span};

/// A wanted attribute and where the design says so.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) value: Value,
    pub(super) span: Span,
}

/// Wanted attributes by path.
pub(super) type WantedMap = BTreeMap<String, Wanted>;

/// Present attributes by path.
pub(super) type PresentMap = BTreeMap<String, Value>;

pub(super) fn want(map: &mut WantedMap, path: impl Into<String>, value: impl Into<Value>, span: Span) {
    map.insert(path.into(), Wanted { value: value.into(), span });
}

pub(super) fn source_of(sources: &SourceMap, span: Span) -> Option<String> {
    span.is_somewhere().then(|| sources.describe(span)).filter(|s| !s.is_empty())
}

/// Attributes of something that does not exist yet, or whose present values are not known.
pub(super) fn created(wanted: &WantedMap, sources: &SourceMap, effect: Effect, known_after: Option<&str>) -> Vec<AttributeChange> {
    wanted
        .iter()
        .map(|(path, w)| AttributeChange {
            path: path.clone(),
            before: None,
            after: Some(w.value.clone()),
            known_after: known_after.map(str::to_owned),
            effect,
            reason: String::new(),
            source: source_of(sources, w.span),
        })
        .collect()
}

/// Attributes that differ. Paths that are present and not wanted are removals.
pub(super) fn differences(
    wanted: &WantedMap,
    present: &PresentMap,
    sources: &SourceMap,
    effect: Effect,
    reason: &str,
) -> Vec<AttributeChange> {
    let mut out = Vec::new();
    for (path, w) in wanted {
        let before = present.get(path);
        if before != Some(&w.value) {
            out.push(AttributeChange {
                path: path.clone(),
                before: before.cloned(),
                after: Some(w.value.clone()),
                known_after: None,
                effect,
                reason: reason.to_owned(),
                source: source_of(sources, w.span),
            });
        }
    }
    for (path, before) in present {
        if !wanted.contains_key(path) {
            out.push(AttributeChange {
                path: path.clone(),
                before: Some(before.clone()),
                after: None,
                known_after: None,
                effect,
                reason: reason.to_owned(),
                source: None,
            });
        }
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

//! Values of one document put into another.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::codes;
use super::heading::{Destination, Draft, Substitution};
use super::json_path::{Blocked, JsonPath, PathStep};
use super::pattern::{Pattern, Template};
use super::python;
use super::sensitive::Sensitive;
use super::sharing::{Place, Shares};
use super::size::{Budget, MAX_DEPTH, MAX_TEXT, Size, with_short_history};
use crate::diag::{Code, Diagnostic};
use crate::yaml::{Node, Past, Span, Step, Value};

/// The data of all documents as far as they are rendered, and what rendering writes beside them.
#[derive(Debug)]
pub(super) struct Values {
    /// The data of each document.
    pub(super) data: Vec<Node>,
    /// What they share.
    pub(super) shares: Shares,
    /// What is wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Where secrets are.
    pub(super) sensitive: Sensitive,
    /// What may still be measured.
    pub(super) budget: Budget,
}

/// A value on its way into a document.
struct Put<'a> {
    drafts: &'a [Draft],
    /// The document that it goes into.
    at: usize,
    /// The document that it comes from.
    source: usize,
    from: &'a Substitution,
    /// The value to put in; its place is where it is written.
    value: Node,
    size: Size,
    is_secret: bool,
}

/// Carries out one substitution in the document `at`, which has this `size`.
pub(super) fn substitute(drafts: &[Draft], at: usize, source: usize, from: &Substitution, size: &mut Size, values: &mut Values) {
    let Some(value) = taken(drafts, at, source, from, values) else { return };
    let is_secret = values.sensitive.touches_value(&value);
    let value = with_short_history(&value);
    let put = Put { drafts, at, source, from, size: values.budget.measure(&value), value, is_secret };
    for destination in &from.destinations {
        if let Some((pattern, span)) = &destination.pattern {
            put.text(destination, pattern, *span, size, values);
            continue;
        }
        let grown = size.with(put.size, destination.path.len());
        if grown.is_excessive() || values.budget.is_spent() {
            let found = Diagnostic::error(codes::TOO_LARGE, format!("this substitution would make {} too large", drafts[at].title()))
                .at(destination.span)
                .help("it is not carried out; look for documents that are substituted into one another many times");
            values.diagnostics.push(found);
            return;
        }
        if put.whole(destination, values) {
            *size = grown;
            values.diagnostics.extend(unpacked(&destination.path, &put.value, destination.span));
        }
    }
}

/// JSON path libraries from jsonpath-ng 1.8 on take a list that is put at an index for one value for each index.
pub(super) fn unpacked(path: &JsonPath, value: &Node, at: Span) -> Option<Diagnostic> {
    let members = value.as_seq().filter(|_| path.is_member())?;
    let what = if members.is_empty() { "refuses an empty list" } else { "puts only the first member of the list" };
    Some(
        Diagnostic::warning(codes::DIFFERS_FROM_DECKHAND, format!("a list is put at `{path}`, where a Deckhand of 2026 {what}"))
            .at(at)
            .help("the list is put there as it is, as Deckhand always did; lead the path to the list above, or to a key"),
    )
}

/// The value that a substitution takes.
fn taken(drafts: &[Draft], at: usize, source: usize, from: &Substitution, values: &mut Values) -> Option<Node> {
    let (draft, data, source) = (&drafts[at], &values.data[source], &drafts[source]);
    let found = if data.as_map().is_some() { from.path.find(data) } else { Some(data) };
    let Some(found) = found.filter(|found| !found.is_null()) else {
        values.diagnostics.push(
            Diagnostic::error(codes::MISSING_SOURCE_VALUE, format!("{} has no value at `{}`", source.title(), from.path))
                .at(from.path_span)
                .label(source.span, "the source")
                .help(format!("correct the path, or give the source this value; `{}` waits for it", draft.name)),
        );
        return None;
    };
    let Some((pattern, at)) = &from.pattern else { return Some(found.clone()) };
    let Some(text) = found.as_str() else {
        values.diagnostics.push(
            Diagnostic::error(
                codes::BAD_PATTERN,
                format!("a pattern for `{}` of {}, which is {}", from.path, source.title(), found.kind()),
            )
            .at(*at)
            .help("only text has parts; remove the pattern, or take a value that is text"),
        );
        return None;
    };
    match pattern.search(text, from.group) {
        Ok(Some(Some(part))) => Some(Node { span: found.span, value: Value::Str(part.into()), past: found.past.clone() }),
        Ok(Some(None)) => {
            let message = match pattern.groups() {
                groups if from.group > groups => format!("`match_group` is {}, the pattern has {groups} groups", from.group),
                _ => format!("group {} takes no part in the match", from.group),
            };
            values.diagnostics.push(
                Diagnostic::error(codes::BAD_PATTERN, message)
                    .at(*at)
                    .help("groups are the parentheses of the pattern, counted from 1; choose one that always matches"),
            );
            None
        }
        Ok(None) => {
            values.diagnostics.push(
                Diagnostic::warning(codes::IDLE_PATTERN, format!("the pattern matches nothing in `{}` of {}", from.path, source.title()))
                    .at(*at)
                    .help("the whole value is taken, as Deckhand does; correct the pattern"),
            );
            Some(found.clone())
        }
        Err(why) => {
            values.diagnostics.push(Diagnostic::error(codes::BAD_PATTERN, why).at(*at).help("simplify the pattern"));
            None
        }
    }
}

impl Put<'_> {
    fn draft(&self) -> &Draft {
        &self.drafts[self.at]
    }

    /// Puts the value in as a whole.
    fn whole(&self, to: &Destination, values: &mut Values) -> bool {
        let data = &mut values.data[self.at];
        match (&data.value, &self.value.value) {
            // Deckhand adds the keys of a mapping to the data instead of replacing them.
            (Value::Map(_), Value::Map(new)) if to.path.is_root() => {
                let new = new.clone();
                for (key, value) in &new.entries {
                    let path = JsonPath::of(vec![PathStep::Key(key.name.clone())]);
                    if self.set(&path, to.span, value, values).is_err() {
                        return false;
                    }
                }
            }
            _ if to.path.is_root() => {
                let before = (!data.is_null()).then_some(&*data);
                *data = Self::substituted(&self.value, to.span, before);
                let _ = values.shares.written(Place { document: self.at, path: Vec::new() }); // shares end here, nothing is reached
            }
            _ => {
                if let Err(blocked) = self.set(&to.path, to.span, &self.value, values) {
                    self.blocked(to, &blocked, values);
                    return false;
                }
            }
        }
        // What Deckhand copies in full, and what is no longer the value of the source, is not shared.
        let is_whole = values.data[self.source].as_map().is_none();
        let from = if is_whole { Some(&[][..]) } else { self.from.path.exact() };
        if let (false, None, Some(from), Some(path)) = (self.from.is_copy, &self.from.pattern, from, to.path.exact()) {
            let from = Place { document: self.source, path: from.to_vec() };
            values.shares.link(from, Place { document: self.at, path: path.to_vec() }, &self.value);
        }
        true
    }

    /// Writes a value at a path, which is made where it is missing.
    fn set(&self, path: &JsonPath, by: Span, value: &Node, values: &mut Values) -> Result<(), Blocked> {
        let data = &mut values.data[self.at];
        if path.find(data).is_none() {
            path.create(data, by)?;
            path.update(data, &mut |place| *place = Self::substituted(value, by, None));
        } else {
            path.update(data, &mut |place| *place = Self::substituted(value, by, Some(&*place)));
        }
        self.spread(path, by, values);
        Ok(())
    }

    /// Writes what now stands at a path wherever else it is shared.
    fn spread(&self, path: &JsonPath, by: Span, values: &mut Values) {
        let Some(steps) = path.exact() else { return };
        let places = match values.shares.written(Place { document: self.at, path: steps.to_vec() }) {
            Ok(places) => places,
            Err(places) => {
                let found = Diagnostic::error(
                    codes::TOO_LARGE,
                    format!("a value of {} would contain itself without end", self.draft().title()),
                )
                .at(by)
                .help(
                    "a mapping is substituted into a part of itself, which its source shares; take it with `deepcopy: true` in its `src`",
                );
                values.diagnostics.push(found);
                places
            }
        };
        if places.is_empty() {
            return;
        }
        let Some(new) = path.find(&values.data[self.at]).cloned() else { return };
        let mut changed = BTreeSet::new();
        for place in places {
            let there = JsonPath::of(place.path);
            if there.len() + self.size.depth > MAX_DEPTH || !values.budget.charge(self.size) {
                continue;
            }
            let data = &mut values.data[place.document];
            let old = there.find(data);
            if old.is_some_and(|old| *old == new) || (old.is_none() && there.create(data, by).is_err()) {
                continue;
            }
            there.update(data, &mut |place| *place = new.clone());
            changed.insert(place.document);
        }
        changed.remove(&self.at);
        let others: Vec<&Draft> = changed.iter().map(|at| &self.drafts[*at]).collect();
        if let Some((first, more)) = others.split_first() {
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let found = Diagnostic::warning(codes::SHARED_VALUE, format!("this substitution also changes {}{more}", first.title()))
                .at(by)
                .label(first.span, "this document is changed too")
                .help("they share the mapping that is written into, as in Deckhand; take it with `deepcopy: true` in its `src` to change only this document");
            values.diagnostics.push(found);
        }
    }

    /// Replaces what a pattern matches in the text at the destination.
    fn text(&self, to: &Destination, pattern: &Pattern, at: Span, size: &mut Size, values: &mut Values) {
        let wrong = |code: Code, message: String, help: &str| Diagnostic::error(code, message).at(at).help(help);
        // Deckhand makes the place, finds no text in it, and is content.
        if to.depth.is_some() && to.path.find(&values.data[self.at]).is_none() {
            match to.path.create(&mut values.data[self.at], to.span) {
                Ok(()) => self.spread(&to.path, to.span, values),
                Err(blocked) => return self.blocked(to, &blocked, values),
            }
        }
        let Some(there) = to.path.find(&values.data[self.at]) else {
            let message = format!("a pattern for `{}` of {}, which does not exist", to.path, self.draft().title());
            let help = "write the text with a place for the pattern there, or remove the pattern";
            values.diagnostics.push(wrong(codes::BLOCKED_DESTINATION, message, help));
            return;
        };
        let recursive = to.depth.is_some() && matches!(there.value, Value::Map(_) | Value::Seq(_));
        if !recursive && there.as_str().is_none() {
            let message = format!("a pattern for `{}` of {}, which is {}", to.path, self.draft().title(), there.kind());
            let help = match there.value {
                Value::Map(_) | Value::Seq(_) => "lead the path to a text, or add `recurse: {depth: -1}` to replace in all texts below",
                _ => "quote the value, so that it is text, or remove the pattern",
            };
            values.diagnostics.push(wrong(codes::BLOCKED_DESTINATION, message, help));
            return;
        }
        let Some(text) = python::text(&self.value, MAX_TEXT) else {
            let message = format!("the value is longer than {MAX_TEXT} bytes");
            values.diagnostics.push(wrong(codes::TOO_LARGE, message, "substitute a smaller value"));
            return;
        };
        let template = Template::new(&text, pattern);
        let steps = to.path.exact().map(<[PathStep]>::to_vec).unwrap_or_default();
        let mut replacing = Replacing {
            put: self,
            pattern,
            template,
            wanted: false,
            by: to.span,
            here: steps,
            changed: Vec::new(),
            grown: 0,
            failed: None,
            odd: None,
        };
        let data = &mut values.data[self.at];
        if recursive {
            let depth = to.depth.filter(|depth| *depth >= 0);
            to.path.update(data, &mut |place| replacing.below(place, depth));
        } else {
            to.path.update(data, &mut |place| replacing.in_text(place));
        }
        let Replacing { changed, grown, failed, odd, template, wanted, .. } = replacing;
        size.bytes += grown;
        for (path, span) in &changed {
            if self.is_secret {
                values.sensitive.add(*span);
            }
            if to.path.exact().is_some() {
                self.spread(&JsonPath::of(path.clone()), to.span, values);
            }
        }
        if let (Err(why), true) = (template, wanted) {
            let message = format!("the value from {} cannot be put where a pattern matches: {why}", self.drafts[self.source].title());
            let help = "a `\\` in the value has a meaning there; write it twice in the source";
            values.diagnostics.push(wrong(codes::BAD_PATTERN, message, help));
        } else if let Some(why) = failed {
            values.diagnostics.push(wrong(codes::BAD_PATTERN, why, "simplify the pattern, or substitute a smaller value"));
        } else if let Some(odd) = odd {
            let found = Diagnostic::warning(
                codes::DIFFERS_FROM_DECKHAND,
                "the pattern matches here, but Deckhand replaces nothing".to_owned(),
            )
            .at(at)
            .label(odd, "this text is left as it is")
            .help("with `recurse`, Deckhand only looks at texts that contain the pattern literally; write it without special characters");
            values.diagnostics.push(found);
        } else if changed.is_empty() {
            let message = format!("the pattern matches nothing at `{}` of {}", to.path, self.draft().title());
            let found = Diagnostic::warning(codes::IDLE_PATTERN, message)
                .at(at)
                .help("nothing is substituted; correct the pattern, or remove the substitution");
            values.diagnostics.push(found);
        }
    }

    /// A value with the substitution as the last thing that happened to it.
    fn substituted(value: &Node, by: Span, before: Option<&Node>) -> Node {
        let past = Past { step: Step::Substituted { by, source: value.clone() }, before: before.map(with_short_history) };
        Node { span: value.span, value: value.value.clone(), past: Some(Arc::new(past)) }
    }

    fn blocked(&self, to: &Destination, blocked: &Blocked, values: &mut Values) {
        let message = format!("`{}` cannot be made in {}: `{}` is {}", to.path, self.draft().title(), blocked.at, blocked.kind);
        values.diagnostics.push(
            Diagnostic::error(codes::BLOCKED_DESTINATION, message)
                .at(to.span)
                .label(self.from.span, "the source")
                .help("keys are made in mappings, and indexes in lists; correct the path, or what stands in its way"),
        );
    }
}

struct Replacing<'a> {
    put: &'a Put<'a>,
    pattern: &'a Pattern,
    /// What is put in; wrong only if it is wanted, as Python reads it when it replaces.
    template: Result<Template, String>,
    /// Whether a text was to be replaced.
    wanted: bool,
    by: Span,
    /// The way to the value in hand.
    here: Vec<PathStep>,
    /// The ways to texts that were changed, and where they are written.
    changed: Vec<(Vec<PathStep>, Span)>,
    /// Bytes that came in.
    grown: usize,
    failed: Option<String>,
    /// A text that matches and that Deckhand leaves as it is.
    odd: Option<Span>,
}

impl Replacing<'_> {
    /// Replaces in all texts `depth` levels below.
    fn below(&mut self, node: &mut Node, depth: Option<i64>) {
        if depth == Some(0) || self.failed.is_some() || !self.concerns(node, depth) {
            return;
        }
        let deeper = depth.map(|d| d - 1);
        match &mut node.value {
            Value::Map(map) => {
                for (key, value) in Arc::make_mut(map).entries.values_mut() {
                    self.member(PathStep::Key(key.name.clone()), value, deeper);
                }
            }
            Value::Seq(items) => {
                for (at, value) in Arc::make_mut(items).iter_mut().enumerate() {
                    self.member(PathStep::Index(i64::try_from(at).unwrap_or(i64::MAX)), value, deeper);
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, step: PathStep, value: &mut Node, deeper: Option<i64>) {
        self.here.push(step);
        match &value.value {
            Value::Str(text) if text.contains(self.pattern.source()) => self.in_text(value),
            Value::Str(text) => {
                if self.odd.is_none() && matches!(self.pattern.search(text, 0), Ok(Some(_))) {
                    self.odd = Some(value.span);
                }
            }
            _ => self.below(value, deeper),
        }
        self.here.pop();
    }

    /// Whether any text below matches, so that what is shared stays shared where none does.
    fn concerns(&self, node: &Node, depth: Option<i64>) -> bool {
        let deeper = depth.map(|d| d - 1);
        let one = |value: &Node| match &value.value {
            Value::Str(text) => text.contains(self.pattern.source()) || matches!(self.pattern.search(text, 0), Ok(Some(_))),
            _ => depth != Some(1) && self.concerns(value, deeper),
        };
        match &node.value {
            Value::Map(map) => map.entries.iter().any(|(_, value)| one(value)),
            Value::Seq(items) => items.iter().any(one),
            _ => false,
        }
    }

    fn in_text(&mut self, node: &mut Node) {
        let Value::Str(text) = &node.value else { return };
        self.wanted = true;
        let Ok(template) = &self.template else { return };
        match self.pattern.replace(text, template, MAX_TEXT) {
            Ok(None) => {}
            Ok(Some(new)) => {
                self.grown += new.len().saturating_sub(text.len());
                self.changed.push((self.here.clone(), node.span));
                let step = Step::Substituted { by: self.by, source: self.put.value.clone() };
                let past = Past { step, before: Some(with_short_history(node)) };
                *node = Node { span: node.span, value: Value::Str(new.into()), past: Some(Arc::new(past)) };
            }
            Err(why) => self.failed = Some(why),
        }
    }
}

//! Values of one document put into another.

use std::sync::Arc;

use super::codes;
use super::heading::{Destination, Draft, Substitution};
use super::json_path::Blocked;
use super::pattern::{Pattern, Template};
use super::python;
use super::sensitive::Sensitive;
use super::size::{Budget, MAX_TEXT, Size, with_short_history};
use crate::diag::{Code, Diagnostic};
use crate::yaml::{Mapping, Node, Past, Span, Step, Value};

/// What substitutions write beside the data.
#[derive(Debug)]
pub(super) struct Notes<'n> {
    /// What is wrong.
    pub(super) diagnostics: &'n mut Vec<Diagnostic>,
    /// Where secrets are.
    pub(super) sensitive: &'n mut Sensitive,
    /// What may still be measured.
    pub(super) budget: &'n mut Budget,
}

/// Where a value goes, and what stands there.
struct Put<'a> {
    draft: &'a Draft,
    source: &'a Draft,
    from: &'a Substitution,
    /// The value to put in; its place is where it is written.
    value: Node,
    is_secret: bool,
}

/// Carries out one substitution in `data`, which has this `size`.
pub(super) fn substitute(draft: &Draft, source: &Draft, from: &Substitution, data: &mut Node, size: &mut Size, notes: &mut Notes<'_>) {
    let Some(value) = taken(draft, source, from, notes) else { return };
    let is_secret = notes.sensitive.touches_value(&value);
    let put = Put { draft, source, from, value: with_short_history(&value), is_secret };
    let value_size = notes.budget.measure(&put.value);
    for destination in &from.destinations {
        let grown = size.with(value_size, destination.path.len());
        if destination.pattern.is_none() && (grown.is_excessive() || notes.budget.is_spent()) {
            let found = Diagnostic::error(codes::TOO_LARGE, format!("this substitution would make {} too large", draft.title()))
                .at(destination.span)
                .help("it is not carried out; look for documents that are substituted into one another many times");
            notes.diagnostics.push(found);
            return;
        }
        match &destination.pattern {
            Some((pattern, span)) => put.text(destination, pattern, *span, data, size, notes),
            None => {
                if put.whole(destination, data, notes) {
                    *size = grown;
                }
            }
        }
    }
}

/// The value that a substitution takes.
fn taken(draft: &Draft, source: &Draft, from: &Substitution, notes: &mut Notes<'_>) -> Option<Node> {
    let found = if source.data.as_map().is_some() { from.path.find(&source.data) } else { Some(&source.data) };
    let Some(found) = found.filter(|found| !found.is_null()) else {
        notes.diagnostics.push(
            Diagnostic::error(codes::MISSING_SOURCE_VALUE, format!("{} has no value at `{}`", source.title(), from.path))
                .at(from.path_span)
                .label(source.span, "the source")
                .help(format!("correct the path, or give the source this value; `{}` waits for it", draft.name)),
        );
        return None;
    };
    let Some((pattern, at)) = &from.pattern else { return Some(found.clone()) };
    let Some(text) = found.as_str() else {
        notes.diagnostics.push(
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
            notes.diagnostics.push(
                Diagnostic::error(codes::BAD_PATTERN, format!("group {} takes no part in the match", from.group))
                    .at(*at)
                    .help("choose a group that always matches, or change the pattern"),
            );
            None
        }
        Ok(None) => {
            notes.diagnostics.push(
                Diagnostic::warning(codes::IDLE_PATTERN, format!("the pattern matches nothing in `{}` of {}", from.path, source.title()))
                    .at(*at)
                    .help("the whole value is taken, as Deckhand does; correct the pattern"),
            );
            Some(found.clone())
        }
        Err(why) => {
            notes.diagnostics.push(Diagnostic::error(codes::BAD_PATTERN, why).at(*at).help("simplify the pattern"));
            None
        }
    }
}

impl Put<'_> {
    /// Puts the value in as a whole.
    fn whole(&self, to: &Destination, data: &mut Node, notes: &mut Notes<'_>) -> bool {
        if to.path.is_root() {
            let merged = match (&data.value, &self.value.value) {
                // Deckhand adds the keys of a mapping to the data instead of replacing them.
                (Value::Map(there), Value::Map(new)) => {
                    let mut entries = there.entries.clone();
                    for (key, value) in &new.entries {
                        match entries.iter_mut().find(|(known, _)| known.name == key.name) {
                            Some((_, there)) => *there = self.substituted(value, to.span, Some(there)),
                            None => entries.push((key.clone(), self.substituted(value, to.span, None))),
                        }
                    }
                    Node { span: data.span, value: Value::Map(Arc::new(Mapping { entries })), past: data.past.clone() }
                }
                _ => self.substituted(&self.value, to.span, Some(&*data).filter(|d| !d.is_null())),
            };
            *data = merged;
            return true;
        }
        if to.path.find(data).is_none() {
            if let Err(blocked) = to.path.create(data, to.span) {
                self.blocked(to, &blocked, notes);
                return false;
            }
            to.path.update(data, &mut |place| *place = self.substituted(&self.value, to.span, None));
        } else {
            to.path.update(data, &mut |place| *place = self.substituted(&self.value, to.span, Some(&*place)));
        }
        true
    }

    /// Replaces what a pattern matches in the text at the destination.
    fn text(&self, to: &Destination, pattern: &Pattern, at: Span, data: &mut Node, size: &mut Size, notes: &mut Notes<'_>) {
        let wrong = |code: Code, message: String, help: &str| Diagnostic::error(code, message).at(at).help(help);
        let Some(there) = to.path.find(data) else {
            let message = format!("a pattern for `{}` of {}, which does not exist", to.path, self.draft.title());
            notes.diagnostics.push(wrong(
                codes::BLOCKED_DESTINATION,
                message,
                "write the text with a place for the pattern there, or remove the pattern",
            ));
            return;
        };
        let recursive = to.depth.is_some() && matches!(there.value, Value::Map(_) | Value::Seq(_));
        if !recursive && there.as_str().is_none() {
            let message = format!("a pattern for `{}` of {}, which is {}", to.path, self.draft.title(), there.kind());
            let help = match there.value {
                Value::Map(_) | Value::Seq(_) => "lead the path to a text, or add `recurse: {depth: -1}` to replace in all texts below",
                _ => "quote the value, so that it is text, or remove the pattern",
            };
            notes.diagnostics.push(wrong(codes::BLOCKED_DESTINATION, message, help));
            return;
        }
        let template = match python::text(&self.value, MAX_TEXT) {
            Some(text) => Template::new(&text, pattern),
            None => {
                notes.diagnostics.push(wrong(
                    codes::TOO_LARGE,
                    format!("the value is longer than {MAX_TEXT} bytes"),
                    "substitute a smaller value",
                ));
                return;
            }
        };
        let template = match template {
            Ok(template) => template,
            Err(why) => {
                let message = format!("the value from {} cannot be put where a pattern matches: {why}", self.source.title());
                notes.diagnostics.push(wrong(
                    codes::BAD_PATTERN,
                    message,
                    "a `\\` in the value has a meaning there; write it twice in the source",
                ));
                return;
            }
        };
        let mut replacing =
            Replacing { put: self, pattern, template, by: to.span, count: 0, grown: 0, failed: None, odd: None, secret: Vec::new() };
        if recursive {
            let depth = to.depth.filter(|depth| *depth >= 0);
            to.path.update(data, &mut |place| replacing.below(place, depth));
        } else {
            to.path.update(data, &mut |place| replacing.in_text(place));
        }
        let Replacing { count, grown, failed, odd, secret, .. } = replacing;
        secret.into_iter().for_each(|span| notes.sensitive.add(span));
        size.bytes += grown;
        if let Some(why) = failed {
            notes.diagnostics.push(wrong(codes::BAD_PATTERN, why, "simplify the pattern, or substitute a smaller value"));
        } else if let Some(odd) = odd {
            let found = Diagnostic::warning(
                codes::DIFFERS_FROM_DECKHAND,
                "the pattern matches here, but Deckhand replaces nothing".to_owned(),
            )
            .at(at)
            .label(odd, "this text is left as it is")
            .help("with `recurse`, Deckhand only looks at texts that contain the pattern literally; write it without special characters");
            notes.diagnostics.push(found);
        } else if count == 0 {
            let found =
                Diagnostic::warning(codes::IDLE_PATTERN, format!("the pattern matches nothing at `{}` of {}", to.path, self.draft.title()))
                    .at(at)
                    .help("nothing is substituted; correct the pattern, or remove the substitution");
            notes.diagnostics.push(found);
        }
    }

    /// A value with the substitution as the last thing that happened to it.
    fn substituted(&self, value: &Node, by: Span, before: Option<&Node>) -> Node {
        let past = Past { step: Step::Substituted { by, source: value.clone() }, before: before.map(with_short_history) };
        Node { span: value.span, value: value.value.clone(), past: Some(Arc::new(past)) }
    }

    fn blocked(&self, to: &Destination, blocked: &Blocked, notes: &mut Notes<'_>) {
        let message = format!("`{}` cannot be made in {}: `{}` is {}", to.path, self.draft.title(), blocked.at, blocked.kind);
        notes.diagnostics.push(
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
    template: Template,
    by: Span,
    count: usize,
    grown: usize,
    failed: Option<String>,
    /// A text that matches and that Deckhand leaves as it is.
    odd: Option<Span>,
    secret: Vec<Span>,
}

impl Replacing<'_> {
    /// Replaces in all texts `depth` levels below.
    fn below(&mut self, node: &mut Node, depth: Option<i64>) {
        if depth == Some(0) || self.failed.is_some() || !self.concerns(node, depth) {
            return;
        }
        let deeper = depth.map(|d| d - 1);
        let mut each = |value: &mut Node| match &value.value {
            Value::Str(text) if text.contains(self.pattern.source()) => self.in_text(value),
            Value::Str(text) => {
                if self.odd.is_none() && matches!(self.pattern.search(text, 0), Ok(Some(_))) {
                    self.odd = Some(value.span);
                }
            }
            _ => self.below(value, deeper),
        };
        match &mut node.value {
            Value::Map(map) => Arc::make_mut(map).entries.iter_mut().for_each(|(_, value)| each(value)),
            Value::Seq(items) => Arc::make_mut(items).iter_mut().for_each(each),
            _ => {}
        }
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
        match self.pattern.replace(text, &self.template, MAX_TEXT) {
            Ok(None) => {}
            Ok(Some(new)) => {
                self.count += 1;
                self.grown += new.len().saturating_sub(text.len());
                if self.put.is_secret {
                    self.secret.push(node.span);
                }
                let past = Past {
                    step: Step::Substituted { by: self.by, source: self.put.value.clone() },
                    before: Some(with_short_history(node)),
                };
                *node = Node { span: node.span, value: Value::Str(new.into()), past: Some(Arc::new(past)) };
            }
            Err(why) => self.failed = Some(why),
        }
    }
}

//! All documents of a site as written → its concrete documents.

use std::collections::HashSet;

use super::codes;
use super::data_schema;
use super::family::{Family, Order, layer_order, rank, selects};
use super::heading::{Draft, Headings, is_deckhand};
use super::json_path::JsonPath;
use super::kind::is_secret_kind;
use super::managed::unwrap;
use super::merge::{Method, Refused, apply, first_equal};
use super::sensitive::Sensitive;
use super::sharing::Shares;
use super::size::Budget;
use super::substitute::{Values, substitute, unpacked};
use crate::diag::{Diagnostic, Severity};
use crate::yaml::{Node, SourceMap};

/// The concrete documents of a site.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// Whole documents (`schema`, `metadata`, `data`). Rendered ones are ordered by schema, name and layer, whatever the order of files; documents that Deckhand does
    /// not know (`apiVersion: …`) follow as written.
    pub documents: Vec<Node>,
    /// Where their secrets are written.
    pub sensitive: Sensitive,
    /// Where secrets are written that are encrypted, and of no use as they are.
    pub encrypted: Sensitive,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Renders all documents of a site as Deckhand does: layering, replacement and substitution; abstract and replaced documents are left out.
///
/// Documents without a `LayeringPolicy` beside them are not layered (they are rendered already, or need none) and go through as they are.
/// Problems never stop the rendering: what cannot be carried out is left out and reported.
pub fn render(map: &SourceMap, parsed: Vec<Node>) -> Rendered {
    let mut encrypted = Sensitive::default();
    let (parsed, found) = unwrap(parsed, &mut encrypted);
    let mut rendered = render_unwrapped(map, parsed);
    rendered.diagnostics.extend(found);
    Rendered { encrypted, ..rendered }
}

fn render_unwrapped(map: &SourceMap, parsed: Vec<Node>) -> Rendered {
    let mut headings = Headings::default();
    let has_policy = parsed.iter().any(|node| node.get("schema").and_then(Node::as_str).is_some_and(|s| is_deckhand(s, "LayeringPolicy")));
    let mut drafts = Vec::new();
    let mut others = Vec::new();
    for node in &parsed {
        match headings.read(node) {
            Some(draft) => drafts.push(draft),
            None => others.push(node.clone()),
        }
    }
    if !has_policy {
        let mut diagnostics = Vec::new();
        diagnostics.extend(without_policy(&drafts));
        let mut sensitive = Sensitive::default();
        mark_secrets(&drafts, &mut sensitive);
        mark_substituted(&drafts, &mut sensitive);
        data_schema::check(&parsed, &sensitive, &mut diagnostics);
        return Rendered { documents: parsed, sensitive, diagnostics, ..Rendered::default() };
    }
    let mut diagnostics = headings.diagnostics;
    if let Some((layers, policy)) = layer_order(&drafts, &mut diagnostics) {
        rank(&mut drafts, &layers, policy, &mut diagnostics);
    }
    drafts.sort_by(|a, b| (&a.schema, &a.name, a.rank, a.span).cmp(&(&b.schema, &b.name, b.rank, b.span)));
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        match kept.last() {
            Some(first) if (&first.schema, &first.name, first.rank) == (&draft.schema, &draft.name, draft.rank) => {
                diagnostics.push(duplicate(map, first, &draft));
            }
            _ => kept.push(draft),
        }
    }
    let mut sensitive = Sensitive::default();
    mark_secrets(&kept, &mut sensitive);
    if let Some(found) = is_rendered(&kept) {
        mark_substituted(&kept, &mut sensitive);
        diagnostics.retain(|found| found.code != codes::BAD_METADATA);
        diagnostics.push(found);
        data_schema::check(&parsed, &sensitive, &mut diagnostics);
        return Rendered { documents: parsed, sensitive, diagnostics, ..Rendered::default() };
    }
    kept.sort_by(|a, b| (a.rank, &a.schema, &a.name).cmp(&(b.rank, &b.schema, &b.name)));
    let family = Family::new(&kept, &mut diagnostics);
    let order = family.order(&kept, &mut diagnostics);
    let data = kept.iter().map(|draft| draft.data.clone()).collect();
    let values = Values { data, shares: Shares::default(), diagnostics, sensitive, budget: Budget::default() };
    let mut site = Site { drafts: kept, values };
    site.render(&family, &order);
    let Site { drafts, values: Values { data, mut diagnostics, sensitive, .. } } = site;
    let mut concrete: Vec<(&Draft, Node)> = drafts
        .iter()
        .zip(data)
        .zip(&family.replaced_by)
        .filter(|((draft, _), by)| !draft.is_abstract && by.is_none())
        .map(|(own, _)| own)
        .collect();
    concrete.sort_by(|(a, _), (b, _)| (&a.schema, &a.name, a.rank).cmp(&(&b.schema, &b.name, b.rank)));
    let mut documents: Vec<Node> = concrete.into_iter().map(|(draft, data)| draft.finish(data)).collect();
    documents.extend(others);
    data_schema::check(&documents, &sensitive, &mut diagnostics);
    diagnostics.sort_by_key(|found| found.span);
    Rendered { documents, sensitive, diagnostics, ..Rendered::default() }
}

fn duplicate(map: &SourceMap, first: &Draft, second: &Draft) -> Diagnostic {
    Diagnostic::error(codes::DUPLICATE_DOCUMENT, format!("two documents are {}", second.title()))
        .at(second.span)
        .note("defined again here")
        .label(first.span, "first defined here")
        .help(format!("remove or rename one of them; the one at {} is used until then", map.describe(first.span)))
}

/// Without a policy nothing can be layered; that is a problem only if something has to be.
fn without_policy(drafts: &[Draft]) -> Option<Diagnostic> {
    let parents: Vec<&Draft> = drafts.iter().filter(|d| d.is_abstract).collect();
    let needs = |draft: &&Draft| {
        let Some((_, selector)) = &draft.selector else { return false };
        parents.iter().any(|parent| parent.schema == draft.schema && parent.name != draft.name && selects(selector, &parent.labels))
    };
    let draft = drafts.iter().filter(|d| !d.is_abstract).find(needs)?;
    let span = draft.selector.as_ref().map_or(draft.span, |(key, _)| key.span);
    Some(
        Diagnostic::error(codes::NO_LAYERING_POLICY, format!("{} inherits from a parent, but there is no LayeringPolicy", draft.title()))
            .at(span)
            .help("add the document `schema: deckhand/LayeringPolicy/v1` with `layerOrder` to the design; documents are read as they are until then"),
    )
}

/// Marks the data of secret documents.
fn mark_secrets(drafts: &[Draft], sensitive: &mut Sensitive) {
    for draft in drafts.iter().filter(|draft| is_secret(draft)) {
        sensitive.add_value(&draft.data);
    }
}

fn is_secret(draft: &Draft) -> bool {
    draft.is_encrypted || is_secret_kind(&draft.schema)
}

/// Marks where secrets were put into documents that are rendered already.
fn mark_substituted(drafts: &[Draft], sensitive: &mut Sensitive) {
    let secrets: HashSet<(&str, &str)> = drafts.iter().filter(|d| is_secret(d)).map(|d| (&*d.schema, &*d.name)).collect();
    for draft in drafts {
        for from in &draft.substitutions {
            let secret = is_secret_kind(&from.schema) || secrets.contains(&(&*from.schema, &*from.name));
            for to in from.destinations.iter().filter(|_| secret) {
                if let Some(value) = to.path.find(&draft.data) {
                    sensitive.add_value(value);
                }
            }
        }
    }
}

/// Whether these documents come from a Deckhand, whose answer holds the policy and keeps the metadata: nothing is abstract, nothing stands in two layers, and
/// replacements have lost what they replaced.
fn is_rendered(drafts: &[Draft]) -> Option<Diagnostic> {
    let replacement = drafts.iter().find(|d| d.is_replacement)?;
    let is_twice = |pair: &[Draft]| (&pair[0].schema, &pair[0].name) == (&pair[1].schema, &pair[1].name);
    if drafts.iter().any(|d| d.is_abstract) || drafts.windows(2).any(is_twice) {
        return None;
    }
    Some(
        Diagnostic::new(codes::ALREADY_RENDERED, Severity::Info, "these documents are taken as rendered already")
            .at(replacement.replacement_span)
            .note("what it replaces is not among them")
            .help("give the documents as written, with abstract and replaced ones, if drydock shall render them"),
    )
}

struct Site {
    drafts: Vec<Draft>,
    values: Values,
}

impl Site {
    fn render(&mut self, family: &Family, order: &Order) {
        for at in order.documents.iter().copied() {
            if self.drafts[at].is_control {
                continue;
            }
            if self.values.budget.is_spent() || self.values.shares.is_exhausted() {
                self.values.diagnostics.push(
                    Diagnostic::error(codes::TOO_LARGE, "rendering is given up: documents multiply one another beyond all measure")
                        .at(self.drafts[at].span)
                        .help("look for documents that are substituted into one another many times"),
                );
                return;
            }
            if let Some(parent) = family.parents[at].filter(|parent| !order.cut.contains(&(at, *parent))) {
                self.layer(at, parent);
            }
            if !self.drafts[at].substitutions.is_empty() {
                self.substitute(at, family, order);
            }
            if let Some(parent) = family.parents[at].filter(|parent| family.replaced_by[*parent] == Some(at)) {
                self.values.data[parent] = self.values.data[at].clone();
            }
        }
    }

    /// Lays the data of a document over those of its parent.
    fn layer(&mut self, at: usize, parent: usize) {
        let draft = &self.drafts[at];
        if draft.actions.is_empty() {
            return;
        }
        let values = &mut self.values;
        let mut data = values.data[parent].clone();
        for action in &draft.actions {
            if action.method == Method::Delete {
                values.diagnostics.extend(other_deletion(action, &data));
            }
            match apply(action, &data, &draft.data) {
                Ok(new) => {
                    let own = action.path.find(&draft.data).filter(|_| action.method != Method::Delete);
                    values.diagnostics.extend(own.and_then(|own| unpacked(&action.path, own, action.span)));
                    data = new;
                }
                Err(refused) => values.diagnostics.push(refusal(draft, &self.drafts[parent], action, &refused)),
            }
        }
        if values.budget.measure(&data).is_excessive() {
            values.diagnostics.push(too_large(draft));
        } else {
            values.data[at] = data;
        }
    }

    fn substitute(&mut self, at: usize, family: &Family, order: &Order) {
        let draft = &self.drafts[at];
        let values = &mut self.values;
        let mut size = values.budget.measure(&values.data[at]);
        for from in &draft.substitutions {
            let Some(source) = family.sources.get(&(from.schema.clone(), from.name.clone())).copied() else {
                values.diagnostics.push(missing(&self.drafts, draft, from));
                continue;
            };
            if source == at || order.cut.contains(&(at, source)) {
                continue;
            }
            substitute(&self.drafts, at, source, from, &mut size, values);
            if size.is_excessive() {
                values.diagnostics.push(too_large(draft));
                return;
            }
        }
    }
}

fn too_large(draft: &Draft) -> Diagnostic {
    Diagnostic::error(codes::TOO_LARGE, format!("{} would become too large", draft.title()))
        .at(draft.span)
        .help("look for documents that are layered or substituted into one another many times")
}

fn missing(drafts: &[Draft], draft: &Draft, from: &super::heading::Substitution) -> Diagnostic {
    let found = Diagnostic::error(
        codes::MISSING_SOURCE,
        format!("{} takes a value from {} `{}`, which does not exist", draft.title(), from.schema, from.name),
    )
    .at(from.span);
    let same_name = drafts.iter().find(|d| d.name == from.name && (d.schema == from.schema || !d.is_abstract));
    match same_name {
        Some(other) if other.schema == from.schema => found
            .label(other.span, "this one is abstract")
            .help("only concrete documents give values; remove `abstract: true`, or take the value from a document that is concrete"),
        Some(other) => found.label(other.span, format!("there is {}", other.title())).help("correct the schema"),
        None => {
            let near = drafts.iter().filter(|d| d.schema == from.schema && !d.is_abstract);
            let near = near.map(|d| (strsim::osa_distance(&d.name, &from.name), d)).min_by_key(|(distance, _)| *distance);
            match near.filter(|(distance, _)| *distance <= 1 + from.name.len() / 4) {
                Some((_, near)) => found.label(near.span, "there is this one").help(format!("did you mean `{}`?", near.name)),
                None => found.help("add the document to the design, or remove the substitution"),
            }
        }
    }
}

fn refusal(draft: &Draft, parent: &Draft, action: &super::merge::Action, refused: &Refused) -> Diagnostic {
    let (code, message, help) = match refused {
        Refused::NotInChild => (
            codes::IDLE_ACTION,
            format!("{} has no value at `{}` to put over its parent's", draft.title(), action.path),
            "write the value there, correct the path, or remove the action".to_owned(),
        ),
        Refused::NotInherited => (
            codes::IDLE_ACTION,
            format!("{} inherits nothing at `{}` that could be deleted", draft.title(), action.path),
            "correct the path, or remove the action".to_owned(),
        ),
        Refused::Blocked(blocked) => (
            codes::BLOCKED_DESTINATION,
            format!("`{}` cannot be made in what {} inherits: `{}` is {}", action.path, draft.title(), blocked.at, blocked.kind),
            "correct the path, or replace what stands in its way first".to_owned(),
        ),
    };
    Diagnostic::error(code, message).at(action.span).label(parent.span, "the parent").help(help)
}

/// Deckhand deletes the first value that equals the one at the path, and so do we; where that is another place, it is said.
fn other_deletion(action: &super::merge::Action, data: &Node) -> Option<Diagnostic> {
    let there = action.path.find(data).filter(|_| !action.path.is_root())?;
    let other = JsonPath::of(first_equal(data, there)?);
    let first = other.find(data).filter(|first| !std::ptr::eq(*first, there))?;
    Some(
        Diagnostic::warning(
            codes::DIFFERS_FROM_DECKHAND,
            format!("`delete` of `{}` deletes `{other}`, which has an equal value", action.path),
        )
        .at(action.span)
        .label(first.span, "this is deleted")
        .help("Deckhand looks for the value, not for the path; give the two values a difference, or delete what holds them"),
    )
}

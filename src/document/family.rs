//! Which document is whose parent, which takes whose place, and in what order they are rendered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::codes;
use super::heading::Draft;
use crate::diag::{Diagnostic, Severity};
use crate::yaml::{Mapping, Node, Span, Value};

/// Cycles reported; thousands of documents may wait for one another.
const MAX_CYCLES: usize = 20;

/// Relations between documents, by their place in the list.
#[derive(Debug)]
pub(super) struct Family {
    /// The parent of each document.
    pub(super) parents: Vec<Option<usize>>,
    /// The document that takes the place of each.
    pub(super) replaced_by: Vec<Option<usize>>,
    /// Schema and name → the document that substitutions take values from.
    pub(super) sources: HashMap<(Arc<str>, Arc<str>), usize>,
}

/// The layers of the `LayeringPolicy`, highest first, and where it stands. With several policies the first counts.
pub(super) fn layer_order(drafts: &[Draft], diagnostics: &mut Vec<Diagnostic>) -> Option<(Vec<Arc<str>>, Span)> {
    let mut policies: Vec<&Draft> = drafts.iter().filter(|d| d.is_kind("LayeringPolicy")).collect();
    policies.sort_by_key(|d| d.span);
    let (policy, others) = policies.split_first()?;
    for other in others {
        diagnostics.push(
            Diagnostic::error(codes::SEVERAL_LAYERING_POLICIES, format!("a second LayeringPolicy, `{}`", other.name))
                .at(other.span)
                .label(policy.span, "this one counts until then")
                .help("keep one; it orders the layers of the whole site"),
        );
    }
    let wrong = |message: &str, span: Span| {
        Diagnostic::error(codes::NO_LAYERING_POLICY, message).at(span).help("write `layerOrder:` with the layers, the most general first")
    };
    let order = policy.data.get("layerOrder");
    let Some(items) = order.and_then(Node::as_seq) else {
        diagnostics.push(wrong("the LayeringPolicy has no list `layerOrder`", order.map_or(policy.span, |o| o.span)));
        return Some((Vec::new(), policy.span));
    };
    let mut layers = Vec::new();
    for item in items {
        match &item.value {
            Value::Str(layer) => layers.push(layer.clone()),
            _ => diagnostics.push(wrong(&format!("a layer that is {}", item.kind()), item.span)),
        }
    }
    Some((layers, policy.span))
}

/// Finds the place of each document's layer.
pub(super) fn rank(drafts: &mut [Draft], layers: &[Arc<str>], policy: Span, diagnostics: &mut Vec<Diagnostic>) {
    for draft in drafts {
        let Some((layer, span)) = &draft.layer else {
            if let Some((key, _)) = &draft.selector {
                diagnostics.push(
                    Diagnostic::error(codes::BAD_METADATA, "`parentSelector` without `layer`")
                        .at(key.span)
                        .help("write the layer of this document into `layeringDefinition`; its parent is in a higher one"),
                );
            }
            continue;
        };
        draft.rank = layers.iter().position(|known| known == layer);
        if draft.rank.is_none() {
            let known = layers.iter().map(|l| &**l).collect::<Vec<_>>().join(", ");
            let found = Diagnostic::error(codes::UNKNOWN_LAYER, format!("the layer `{layer}` is not in the layer order"))
                .at(*span)
                .label(policy, format!("layers are {known}"));
            let near = layers.iter().find(|l| strsim::osa_distance(l, layer) <= 2);
            diagnostics.push(match near {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("correct the layer, or add it to `layerOrder` of the LayeringPolicy"),
            });
        }
    }
}

/// Whether all labels of a selector are among these labels.
pub(super) fn selects(selector: &Mapping, labels: &Mapping) -> bool {
    selector.entries.iter().all(|(key, value)| labels.get(&key.name) == Some(value))
}

impl Family {
    /// Finds parents and replacements.
    pub(super) fn new(drafts: &[Draft], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let parents = parents(drafts, diagnostics);
        let replaced_by = replacements(drafts, &parents, diagnostics);
        let mut sources = HashMap::new();
        for (at, draft) in drafts.iter().enumerate().filter(|(_, draft)| !draft.is_abstract) {
            sources.insert((draft.schema.clone(), draft.name.clone()), replaced_by[at].unwrap_or(at));
        }
        // A replaced document gives way to its replacement, wherever both stand in the list.
        for (at, by) in replaced_by.iter().enumerate() {
            if let Some(by) = by
                && !drafts[at].is_abstract
            {
                sources.insert((drafts[at].schema.clone(), drafts[at].name.clone()), *by);
            }
        }
        Self { parents, replaced_by, sources }
    }

    /// The document that must be rendered before a child of `parent` is: the parent, or what takes its place.
    fn ancestor(&self, child: usize) -> Option<usize> {
        let parent = self.parents[child]?;
        Some(self.replaced_by[parent].filter(|by| *by != child).unwrap_or(parent))
    }

    /// All documents, each behind those it needs. What closes a cycle is reported and cut.
    ///
    /// Of several possible orders it is the one that Deckhand takes if documents are given to it by layer, schema and name. It matters where documents share values.
    pub(super) fn order(&self, drafts: &[Draft], diagnostics: &mut Vec<Diagnostic>) -> Order {
        let needs: Vec<Vec<(usize, Span)>> = drafts
            .iter()
            .enumerate()
            .map(|(at, draft)| {
                let ancestor = self.ancestor(at).map(|a| (a, draft.selector.as_ref().map_or(draft.span, |(key, _)| key.span)));
                let sources =
                    draft.substitutions.iter().filter_map(|s| Some((*self.sources.get(&(s.schema.clone(), s.name.clone()))?, s.span)));
                let mut seen = BTreeSet::new();
                ancestor.into_iter().chain(sources).filter(|(needed, _)| seen.insert(*needed)).collect()
            })
            .collect();
        let cut = cycles(drafts, &needs, diagnostics);
        Order { documents: sorted(&needs, &cut), cut }
    }
}

/// Finds what closes cycles.
fn cycles(drafts: &[Draft], needs: &[Vec<(usize, Span)>], diagnostics: &mut Vec<Diagnostic>) -> BTreeSet<(usize, usize)> {
    let mut cut = BTreeSet::new();
    let mut state = vec![State::New; drafts.len()];
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..drafts.len() {
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Open;
        path.push((start, 0));
        while let Some((at, next)) = path.last_mut() {
            let Some((needed, span)) = needs[*at].get(*next).copied() else {
                state[*at] = State::Done;
                path.pop();
                continue;
            };
            let document = *at;
            *next += 1;
            match state[needed] {
                State::Done => {}
                State::New => {
                    state[needed] = State::Open;
                    path.push((needed, 0));
                }
                State::Open => {
                    cut.insert((document, needed));
                    if cut.len() <= MAX_CYCLES {
                        diagnostics.push(cycle(drafts, needs, &path, needed, span));
                    }
                }
            }
        }
    }
    cut
}

/// The documents behind those they need: generation by generation, from those that nothing needs, and all of it backwards; then those without relations.
fn sorted(needs: &[Vec<(usize, Span)>], cut: &BTreeSet<(usize, usize)>) -> Vec<usize> {
    let kept = |at: usize| needs[at].iter().map(move |(needed, _)| *needed).filter(move |needed| !cut.contains(&(at, *needed)));
    let mut related = Vec::new();
    let mut is_related = vec![false; needs.len()];
    let mut needed_by = vec![0_usize; needs.len()];
    for at in 0..needs.len() {
        for needed in kept(at) {
            needed_by[needed] += 1;
            for one in [at, needed] {
                if !std::mem::replace(&mut is_related[one], true) {
                    related.push(one);
                }
            }
        }
    }
    let mut documents: Vec<usize> = related.into_iter().filter(|at| needed_by[*at] == 0).collect();
    let mut next = 0;
    while let Some(at) = documents.get(next).copied() {
        next += 1;
        for needed in kept(at) {
            needed_by[needed] -= 1;
            if needed_by[needed] == 0 {
                documents.push(needed);
            }
        }
    }
    documents.reverse();
    documents.extend((0..needs.len()).filter(|at| !is_related[*at]));
    documents
}

/// Documents in the order in which they are rendered.
#[derive(Debug)]
pub(super) struct Order {
    /// Places in the list of documents.
    pub(super) documents: Vec<usize>,
    /// Document and what it would need, where that would close a cycle.
    pub(super) cut: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

fn cycle(drafts: &[Draft], needs: &[Vec<(usize, Span)>], path: &[(usize, usize)], back: usize, span: Span) -> Diagnostic {
    const SHOWN: usize = 12;
    let from = path.iter().position(|(at, _)| *at == back).unwrap_or(0);
    let round = &path[from..];
    let mut names: Vec<String> = round.iter().take(SHOWN).map(|(at, _)| format!("{}/{}", drafts[*at].schema, drafts[*at].name)).collect();
    if round.len() > SHOWN {
        names.push(format!("… {} more", round.len() - SHOWN));
    }
    names.push(format!("{}/{}", drafts[back].schema, drafts[back].name));
    let message = match round.len() {
        1 => format!("{} needs itself", drafts[back].title()),
        n => format!("{n} documents need one another: {}", names.join(" → ")),
    };
    let mut found = Diagnostic::error(codes::DEPENDENCY_CYCLE, message).at(span).help(
        "a document is rendered after its parent and after the sources of its substitutions; move the shared value into a document of its own",
    );
    for ((at, next), (needed, _)) in round.iter().zip(round.iter().skip(1)).take(SHOWN) {
        if let Some((_, span)) = needs[*at].get(next.wrapping_sub(1)) {
            found = found.label(*span, format!("`{}` needs `{}`", drafts[*at].name, drafts[*needed].name));
        }
    }
    found
}

/// The parent of each document: of the documents whose labels its selector matches, the one in the nearest layer.
fn parents(drafts: &[Draft], diagnostics: &mut Vec<Diagnostic>) -> Vec<Option<usize>> {
    let mut by_label: HashMap<(&str, String), Vec<usize>> = HashMap::new();
    for (at, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.rank.is_some()) {
        for (key, value) in &draft.labels.entries {
            by_label.entry((&key.name, label_text(value))).or_default().push(at);
        }
    }
    let find = |at: usize, draft: &Draft, diagnostics: &mut Vec<Diagnostic>| -> Option<usize> {
        let (key, selector) = draft.selector.as_ref()?;
        let rank = draft.rank?;
        let none = Vec::new();
        let candidates = selector
            .entries
            .iter()
            .map(|(key, value)| by_label.get(&(&*key.name, label_text(value))).unwrap_or(&none))
            .min_by_key(|candidates| candidates.len())?;
        let mut by_rank: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut unsuitable = None;
        for other in candidates.iter().copied().filter(|other| *other != at && selects(selector, &drafts[*other].labels)) {
            let (parent, parent_rank) = (&drafts[other], drafts[other].rank.unwrap_or(0));
            let why = if parent.schema != draft.schema {
                Some("has another schema")
            } else if parent_rank >= rank {
                Some("is not in a higher layer")
            } else {
                by_rank.entry(parent_rank).or_default().push(other);
                None
            };
            unsuitable = unsuitable.or(why.map(|why| (parent, why)));
        }
        if let Some((parent, why)) = unsuitable {
            diagnostics.push(
                Diagnostic::error(codes::UNSUITABLE_PARENT, format!("the parentSelector of {} also selects a document that {why}", draft.title()))
                    .at(key.span)
                    .label(parent.span, format!("{} has these labels", parent.title()))
                    .help("give the parent a label of its own and select that; labels must select documents of the same schema in higher layers only"),
            );
        }
        for several in by_rank.values().filter(|several| several.len() > 1) {
            let (first, second) = (&drafts[several[0]], &drafts[several[1]]);
            diagnostics.push(
                Diagnostic::error(codes::SEVERAL_PARENTS, format!("{} has {} parents", draft.title(), several.len()))
                    .at(key.span)
                    .label(first.span, first.title())
                    .label(second.span, second.title())
                    .help("select labels that only one document of the layer has"),
            );
        }
        let nearest = by_rank.last_entry().and_then(|nearest| nearest.get().first().copied());
        if nearest.is_none() && unsuitable.is_none() && !draft.is_replacement {
            let labels: Vec<String> = selector.entries.iter().map(|(key, value)| format!("{}: {}", key.name, label_text(value))).collect();
            diagnostics.push(
                Diagnostic::warning(
                    codes::MISSING_PARENT,
                    format!("{} has no parent: no document has `{}`", draft.title(), labels.join("`, `")),
                )
                .at(key.span)
                .help("it is used without what it would inherit; correct the selector or the labels of its parent"),
            );
        }
        nearest
    };
    drafts.iter().enumerate().map(|(at, draft)| find(at, draft, diagnostics)).collect()
}

fn label_text(value: &Node) -> String {
    match &value.value {
        Value::Str(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Null => "null".to_owned(),
        Value::Seq(_) | Value::Map(_) => value.kind().to_owned(),
    }
}

/// The replacement of each document.
fn replacements(drafts: &[Draft], parents: &[Option<usize>], diagnostics: &mut Vec<Diagnostic>) -> Vec<Option<usize>> {
    let mut replaced_by: Vec<Option<usize>> = vec![None; drafts.len()];
    let mut originals: HashMap<(&str, &str), usize> = HashMap::new();
    let bad = |message: String, span: Span| Diagnostic::new(codes::BAD_REPLACEMENT, Severity::Error, message).at(span);
    for (at, draft) in drafts.iter().enumerate() {
        let parent = parents[at].map(|parent| (parent, &drafts[parent]));
        let same_as = |parent: &Draft| parent.schema == draft.schema && parent.name == draft.name;
        if draft.is_replacement {
            match parent {
                None => diagnostics.push(
                    bad(format!("{} replaces a document, but has no parent", draft.title()), draft.replacement_span)
                        .help("select the document that it replaces with `parentSelector`, or remove `replacement`"),
                ),
                Some((_, other)) if !same_as(other) => diagnostics.push(
                    bad(format!("{} cannot replace {}", draft.title(), other.title()), draft.replacement_span)
                        .label(other.span, "its parent")
                        .help("a replacement has the schema and the name of its parent"),
                ),
                Some((parent, other)) => {
                    if let Some(first) = replaced_by[parent] {
                        diagnostics.push(
                            Diagnostic::warning(codes::REPLACED_TWICE, format!("{} is replaced twice", other.title()))
                                .at(draft.replacement_span)
                                .label(drafts[first].replacement_span, "replaced here first")
                                .help("keep one of the replacements"),
                        );
                        continue;
                    }
                    replaced_by[parent] = Some(at);
                    if other.is_replacement {
                        diagnostics.push(
                            bad(format!("{} replaces a document that is a replacement itself", draft.title()), draft.replacement_span)
                                .label(other.replacement_span, "its parent")
                                .help("only one level of replacement is possible; change one of the two"),
                        );
                    }
                }
            }
            continue;
        }
        if let Some((_, other)) = parent.filter(|(_, other)| same_as(other)) {
            diagnostics.push(
                bad(format!("{} has the name of its parent", draft.title()), draft.span)
                    .label(other.span, other.title())
                    .help("add `replacement: true` to its metadata, or give it another name"),
            );
        } else if !draft.is_control {
            match originals.get(&(&*draft.schema, &*draft.name)) {
                Some(first) => diagnostics.push(
                    bad(format!("two documents are {} `{}`, and neither replaces the other", draft.schema, draft.name), draft.span)
                        .label(drafts[*first].span, drafts[*first].title())
                        .help("rename one, or make the one in the lower layer a replacement of the other (`replacement: true` and `parentSelector`)"),
                ),
                None => {
                    originals.insert((&draft.schema, &draft.name), at);
                }
            }
        }
    }
    replaced_by
}

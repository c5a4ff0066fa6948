//! Host profiles and what they inherit, each resolved once.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::codes;
use super::inherit::{self, Idle};
use super::sink::Sink;
use crate::diag::Diagnostic;
use crate::document::Document;
use crate::yaml::{Mapping, Node, Span, Value};

/// Keys that belong to one document and are not inherited.
const OWN_KEYS: [&str; 2] = ["host_profile", "addressing"];

/// Host profiles that may inherit from one another in one chain.
const MAX_CHAIN: usize = 200;

/// Values of all profiles and nodes with what they inherit.
const MAX_INHERITED: usize = 10_000_000;

/// A profile over everything it inherits.
struct Profile {
    tree: Node,
    /// Values in the tree.
    size: usize,
    /// The profile and those it inherits from, nearest first.
    chain: Vec<String>,
    /// Whether the chain names a profile that does not exist.
    incomplete: bool,
}

/// What a node has with everything it inherits.
pub(super) struct Inherited {
    pub(super) tree: Node,
    /// Profiles, nearest first.
    pub(super) chain: Vec<String>,
    /// Whether the chain names a profile that does not exist.
    pub(super) incomplete: bool,
}

/// All host profiles of a design.
pub(super) struct Profiles<'d> {
    documents: BTreeMap<&'d str, &'d Document>,
    resolved: HashMap<&'d str, Rc<Profile>>,
    /// What is left of [`MAX_INHERITED`].
    pub(super) left: usize,
}

impl<'d> Profiles<'d> {
    pub(super) fn new(documents: impl Iterator<Item = &'d Document>) -> Self {
        Self {
            documents: documents.map(|document| (document.name.as_str(), document)).collect(),
            resolved: HashMap::new(),
            left: MAX_INHERITED,
        }
    }

    /// Names and positions.
    pub(super) fn spans(&self) -> BTreeMap<String, Span> {
        self.documents.iter().map(|(name, document)| ((*name).to_owned(), document.name_span)).collect()
    }

    /// Resolves every profile, so that problems of unused ones are reported as well.
    pub(super) fn resolve_all(&mut self, sink: &mut Sink) {
        let names: Vec<&'d str> = self.documents.keys().copied().collect();
        for name in names {
            self.profile(name, sink);
        }
    }

    /// A node's data over its profiles.
    pub(super) fn apply(&mut self, node: &'d Document, resource: &str, sink: &mut Sink) -> Inherited {
        let mut idle = Vec::new();
        let parent = self.parent_of(node, resource, sink);
        let known = parent.known().is_some();
        let profile = parent.known().and_then(|name| self.profile(name, sink));
        let profile = profile.filter(|profile| self.affords(&node.data, profile.size, resource, sink));
        let result = match profile {
            Some(profile) => Inherited {
                tree: inherit::merge(&profile.tree, &node.data, &mut idle),
                chain: profile.chain.clone(),
                incomplete: profile.incomplete,
            },
            None => Inherited {
                tree: inherit::root(&node.data, &mut idle),
                chain: Vec::new(),
                incomplete: known || matches!(parent, Parent::Unknown),
            },
        };
        report_idle(idle, resource, sink);
        result
    }

    /// The profile that a document names.
    fn parent_of(&self, document: &Document, resource: &str, sink: &mut Sink) -> Parent<'d> {
        let Some(reference) = document.data.get("host_profile") else { return Parent::None };
        let Some(name) = super::decode::scalar(reference) else { return Parent::None };
        if let Some((name, _)) = self.documents.get_key_value(name.as_str()) {
            return Parent::Known(name);
        }
        let found = Diagnostic::error(codes::UNKNOWN_HOST_PROFILE, format!("host profile `{name}` does not exist"));
        let found = match sink.similar(&name, self.documents.keys().copied()) {
            Some(similar) => found.help(format!("did you mean `{similar}`?")),
            None => found.help("add a HostProfile document of this name, or name another profile"),
        };
        sink.push(found.at(reference.span).resource(resource));
        Parent::Unknown
    }

    /// Whether a document may inherit this many values. Reported once, where the first may not.
    fn affords(&mut self, data: &Node, inherited: usize, resource: &str, sink: &mut Sink) -> bool {
        let cost = inherited.saturating_add(count(data, MAX_INHERITED));
        if let Some(left) = self.left.checked_sub(cost) {
            self.left = left;
            return true;
        }
        if self.left > 0 {
            let place = data.get("host_profile").unwrap_or(data).span;
            let message = format!("profiles and nodes have more than {MAX_INHERITED} values with what they inherit");
            let found = Diagnostic::error(codes::GROWS_TOO_LARGE, message).at(place).note("nothing is inherited here, nor by what follows");
            sink.push(found.help("move large mappings out of profiles that many inherit").resource(resource));
            self.left = 0;
        }
        false
    }

    fn profile(&mut self, name: &'d str, sink: &mut Sink) -> Option<Rc<Profile>> {
        // From the profile up to the first that is resolved or has no parent.
        let mut pending: Vec<&'d Document> = Vec::new();
        let mut at: HashMap<&'d str, usize> = HashMap::new();
        let mut next = Some(name);
        let mut base: Option<Rc<Profile>> = None;
        let mut incomplete = false;
        while let Some(name) = next {
            if let Some(profile) = self.resolved.get(name) {
                base = Some(Rc::clone(profile));
                incomplete = profile.incomplete;
                break;
            }
            if let Some(start) = at.get(name) {
                report_cycle(&pending[*start..], sink);
                break;
            }
            let document = *self.documents.get(name)?;
            at.insert(document.name.as_str(), pending.len());
            pending.push(document);
            let parent = self.parent_of(document, &format!("host_profile.{}", document.name), sink);
            incomplete |= matches!(parent, Parent::Unknown);
            next = parent.known();
        }
        for document in pending.into_iter().rev() {
            let mut idle = Vec::new();
            let own = without_own_keys(&document.data);
            let resource = format!("host_profile.{}", document.name);
            if base.as_ref().is_some_and(|parent| parent.chain.len() >= MAX_CHAIN) {
                let place = document.data.get("host_profile").map_or(document.name_span, |reference| reference.span);
                let found =
                    Diagnostic::error(codes::GROWS_TOO_LARGE, format!("more than {MAX_CHAIN} host profiles inherit from one another"));
                sink.push(found.at(place).note("nothing is inherited from here").help("inherit from fewer profiles").resource(&resource));
                (base, incomplete) = (None, true);
            }
            if base.as_ref().is_some_and(|parent| !self.affords(&document.data, parent.size, &resource, sink)) {
                (base, incomplete) = (None, true);
            }
            let (tree, inherited) = match &base {
                Some(parent) => (inherit::merge(&parent.tree, &own, &mut idle), parent.chain.as_slice()),
                None => (inherit::root(&own, &mut idle), &[][..]),
            };
            report_idle(idle, &resource, sink);
            let mut chain = Vec::with_capacity(inherited.len() + 1);
            chain.push(document.name.clone());
            chain.extend_from_slice(inherited);
            let size = count(&tree, MAX_INHERITED);
            let profile = Rc::new(Profile { tree, size, chain, incomplete });
            self.resolved.insert(document.name.as_str(), Rc::clone(&profile));
            base = Some(profile);
        }
        base
    }
}

/// What a `host_profile` key names.
#[derive(Clone, Copy)]
enum Parent<'d> {
    None,
    Known(&'d str),
    Unknown,
}

impl<'d> Parent<'d> {
    fn known(self) -> Option<&'d str> {
        if let Self::Known(name) = self { Some(name) } else { None }
    }
}

/// Values in a tree; a number above `most` if there are more than that.
fn count(node: &Node, most: usize) -> usize {
    let sum = |total: usize, child: &Node| if total > most { total } else { total + count(child, most - total.min(most)) };
    match &node.value {
        Value::Map(map) => map.entries.iter().map(|(_, child)| child).fold(1, sum),
        Value::Seq(members) => members.iter().fold(1, sum),
        _ => 1,
    }
}

fn without_own_keys(data: &Node) -> Node {
    let Some(mapping) = data.as_map() else { return data.clone() };
    if !mapping.entries.iter().any(|(key, _)| OWN_KEYS.contains(&&*key.name)) {
        return data.clone();
    }
    let entries = mapping.entries.iter().filter(|(key, _)| !OWN_KEYS.contains(&&*key.name)).cloned().collect();
    Node { value: Value::Map(Arc::new(Mapping { entries })), ..data.clone() }
}

fn report_idle(idle: Vec<Idle>, resource: &str, sink: &mut Sink) {
    for (text, span) in idle {
        let name = text.trim_start_matches('!');
        sink.push(
            Diagnostic::warning(codes::REMOVES_NOTHING, format!("`{text}` removes nothing: no `{name}` is inherited here"))
                .at(span)
                .resource(resource)
                .help("remove it, or correct the name"),
        );
    }
}

fn report_cycle(cycle: &[&Document], sink: &mut Sink) {
    let names: Vec<String> = cycle.iter().chain(cycle.first()).map(|document| format!("`{}`", document.name)).collect();
    let mut found = Diagnostic::error(codes::PROFILE_CYCLE, format!("host profiles inherit from one another: {}", names.join(" → ")))
        .help("remove one `host_profile` key of this chain");
    let references: Vec<Span> = cycle.iter().filter_map(|document| document.data.get("host_profile")).map(|node| node.span).collect();
    // Starts at the closing reference, which is the one to remove when the rest of the chain is right.
    for (index, (span, document)) in references.iter().zip(cycle).enumerate().rev() {
        found = if index + 1 == references.len() {
            found.at(*span).resource(format!("host_profile.{}", document.name))
        } else {
            found.label(*span, "inherits here")
        };
    }
    sink.push(found);
}

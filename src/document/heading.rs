//! What the metadata of a document say about its rendering.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::codes;
use super::json_path::JsonPath;
use super::merge::{Action, Method};
use super::pattern::Pattern;
use crate::diag::Diagnostic;
use crate::yaml::{Key, Mapping, Node, Span, Value};

/// A document to be rendered.
#[derive(Debug)]
pub(super) struct Draft {
    /// The document as written.
    pub(super) root: Node,
    /// `schema`.
    pub(super) schema: Arc<str>,
    /// `metadata.name`.
    pub(super) name: Arc<str>,
    /// Where the name stands, or the schema if there is none.
    pub(super) span: Span,
    /// `metadata.layeringDefinition.layer`.
    pub(super) layer: Option<(Arc<str>, Span)>,
    /// The place of the layer in the layer order; `None`: no layer.
    pub(super) rank: Option<usize>,
    /// Control documents are never layered and get no substitutions.
    pub(super) is_control: bool,
    /// Abstract documents exist to be layered upon.
    pub(super) is_abstract: bool,
    /// It takes the place of its parent.
    pub(super) is_replacement: bool,
    /// Where `replacement` stands.
    pub(super) replacement_span: Span,
    /// `storagePolicy: encrypted`.
    pub(super) is_encrypted: bool,
    /// `metadata.labels`.
    pub(super) labels: Arc<Mapping>,
    /// `metadata.layeringDefinition.parentSelector`; never empty.
    pub(super) selector: Option<(Key, Arc<Mapping>)>,
    /// What of the parent is changed how.
    pub(super) actions: Vec<Action>,
    /// What is put where.
    pub(super) substitutions: Vec<Substitution>,
    /// `data` as written.
    pub(super) data: Node,
}

/// One entry of `metadata.substitutions`.
#[derive(Debug)]
pub(super) struct Substitution {
    /// Schema of the source.
    pub(super) schema: Arc<str>,
    /// Name of the source.
    pub(super) name: Arc<str>,
    /// Where the source is named.
    pub(super) span: Span,
    /// The value to take.
    pub(super) path: JsonPath,
    /// Where the path of the value is written.
    pub(super) path_span: Span,
    /// The part of the value to take, and where the pattern is written.
    pub(super) pattern: Option<(Rc<Pattern>, Span)>,
    /// The group of the pattern.
    pub(super) group: usize,
    /// Whether the value is copied in full, so that later changes of it stay where they are.
    pub(super) is_copy: bool,
    /// Where to put it.
    pub(super) destinations: Vec<Destination>,
}

/// One `dest` of a substitution.
#[derive(Debug)]
pub(super) struct Destination {
    /// The place.
    pub(super) path: JsonPath,
    /// Where the path is written.
    pub(super) span: Span,
    /// What of the text there is replaced, and where the pattern is written.
    pub(super) pattern: Option<(Rc<Pattern>, Span)>,
    /// How many levels below the place texts are replaced; negative: all.
    pub(super) depth: Option<i64>,
}

impl Draft {
    /// `drydock/HostProfile/v1 base (layer global)`: how messages call this document.
    pub(super) fn title(&self) -> String {
        match &self.layer {
            Some((layer, _)) => format!("{} `{}` (layer {layer})", self.schema, self.name),
            None => format!("{} `{}`", self.schema, self.name),
        }
    }

    /// Whether it is a document of this Deckhand kind.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        is_deckhand(&self.schema, kind)
    }

    /// The document with its rendered data.
    pub(super) fn finish(&self, data: Node) -> Node {
        let Some(map) = self.root.as_map() else { return self.root.clone() };
        let mut entries = map.entries.to_vec();
        match entries.iter_mut().find(|(key, _)| &*key.name == "data") {
            Some((_, there)) => *there = data,
            None if data.is_null() => return self.root.clone(),
            None => entries.push((Key { name: "data".into(), span: self.span }, data)),
        }
        Node { span: self.root.span, value: Value::Map(Arc::new(Mapping { entries: entries.into() })), past: self.root.past.clone() }
    }
}

/// Whether a schema is `deckhand/KIND/v…`.
pub(super) fn is_deckhand(schema: &str, kind: &str) -> bool {
    schema.strip_prefix("deckhand/").and_then(|rest| rest.strip_prefix(kind)).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads metadata; compiles each pattern once.
#[derive(Debug, Default)]
pub(super) struct Headings {
    patterns: HashMap<String, Result<Rc<Pattern>, String>>,
    /// What is wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Headings {
    /// The document as far as it can be rendered; `None`: it is none of Deckhand's and stays as it is.
    pub(super) fn read(&mut self, root: &Node) -> Option<Draft> {
        let map = root.as_map()?;
        let schema_node = map.get("schema")?;
        let Value::Str(schema) = &schema_node.value else { return None };
        let metadata = map.get("metadata").filter(|metadata| metadata.as_map().is_some())?;
        let (name, span) = match metadata.get("name") {
            Some(Node { value: Value::Str(name), span, .. }) => (name.clone(), *span),
            Some(Node { value: Value::Int(number), span, .. }) => (number.to_string().into(), *span),
            _ => return None,
        };
        let is = |node: Option<&Node>| matches!(node.map(|n| &n.value), Some(Value::Bool(true)));
        let text_is = |key: &str, what: &str| metadata.get(key).and_then(Node::as_str) == Some(what);
        let labels = match metadata.get("labels") {
            Some(Node { value: Value::Map(labels), .. }) => labels.clone(),
            None | Some(Node { value: Value::Null, .. }) => Arc::default(),
            Some(other) => {
                self.wrong(other, "`labels`", "a mapping");
                Arc::default()
            }
        };
        let definition = metadata.get("layeringDefinition");
        if let Some(other) = definition.filter(|d| d.as_map().is_none() && !d.is_null()) {
            self.wrong(other, "`layeringDefinition`", "a mapping");
        }
        let layer = match definition.and_then(|d| d.get("layer")) {
            Some(Node { value: Value::Str(layer), span, .. }) => Some((layer.clone(), *span)),
            None => None,
            Some(other) => {
                self.wrong(other, "`layer`", "the name of a layer");
                None
            }
        };
        if let Some(definition) = definition {
            self.known(definition, "layeringDefinition", &["layer", "abstract", "parentSelector", "actions"]);
        }
        let selector = definition.and_then(|d| self.selector(d));
        let actions = definition.map(|d| self.actions(d)).unwrap_or_default();
        let is_control = metadata.get("schema").and_then(Node::as_str).is_some_and(|s| s.starts_with("metadata/Control"));
        Some(Draft {
            root: root.clone(),
            schema: schema.clone(),
            name,
            span,
            layer,
            rank: None,
            is_control,
            is_abstract: is(definition.and_then(|d| d.get("abstract"))),
            is_replacement: is(metadata.get("replacement")),
            replacement_span: metadata.get("replacement").map_or(span, |r| r.span),
            is_encrypted: text_is("storagePolicy", "encrypted"),
            labels,
            selector,
            actions,
            substitutions: if is_control { Vec::new() } else { self.substitutions(metadata) },
            data: map.get("data").cloned().unwrap_or(Node::new(root.span, Value::Null)),
        })
    }

    fn selector(&mut self, definition: &Node) -> Option<(Key, Arc<Mapping>)> {
        let (key, node) = definition.as_map()?.entry("parentSelector")?;
        match &node.value {
            Value::Map(map) if !map.entries.is_empty() => {
                if definition.get("actions").is_none_or(|a| a.as_seq().is_some_and(<[Node]>::is_empty)) {
                    self.bad("`parentSelector` without `actions`: nothing is inherited".to_owned(), key.span)
                        .push("write `actions:`, such as `[{method: merge, path: .}]`, or remove the selector");
                }
                Some((key.clone(), map.clone()))
            }
            Value::Map(_) => {
                self.bad("`parentSelector` is empty".to_owned(), key.span).push("name at least one label of the parent");
                None
            }
            _ => {
                self.wrong(node, "`parentSelector`", "a mapping of labels");
                None
            }
        }
    }

    fn actions(&mut self, definition: &Node) -> Vec<Action> {
        let Some((key, node)) = definition.as_map().and_then(|d| d.entry("actions")) else { return Vec::new() };
        let Some(items) = node.as_seq() else {
            self.wrong(node, "`actions`", "a list");
            return Vec::new();
        };
        if definition.get("parentSelector").is_none() && !items.is_empty() {
            self.bad("`actions` without `parentSelector`: there is nothing to change".to_owned(), key.span)
                .push("select the parent by its labels with `parentSelector`, or remove the actions");
        }
        items.iter().filter_map(|item| self.action(item)).collect()
    }

    fn action(&mut self, item: &Node) -> Option<Action> {
        self.known(item, "an action", &["method", "path"]);
        let method = match item.get("method").and_then(Node::as_str) {
            Some("merge") => Method::Merge,
            Some("replace") => Method::Replace,
            Some("delete") => Method::Delete,
            other => {
                let span = item.get("method").map_or(item.span, |m| m.span);
                let what = other.map_or_else(|| "an action without a `method`".to_owned(), |other| format!("unknown method `{other}`"));
                self.bad(what, span).push("methods are `merge`, `replace` and `delete`");
                return None;
            }
        };
        let path = self.text(item, "path", "an action")?;
        match JsonPath::below_data(&path.0) {
            Ok(parsed) => Some(Action { method, path: parsed, span: path.1 }),
            Err(why) => {
                self.bad_path(why, path.1);
                None
            }
        }
    }

    fn substitutions(&mut self, metadata: &Node) -> Vec<Substitution> {
        let Some(node) = metadata.get("substitutions") else { return Vec::new() };
        match &node.value {
            Value::Seq(items) => items.iter().filter_map(|item| self.substitution(item)).collect(),
            Value::Null => Vec::new(),
            _ => {
                self.wrong(node, "`substitutions`", "a list");
                Vec::new()
            }
        }
    }

    fn substitution(&mut self, item: &Node) -> Option<Substitution> {
        self.known(item, "a substitution", &["src", "dest"]);
        let (Some(src), Some(dest)) = (item.get("src"), item.get("dest")) else {
            let missing = if item.get("src").is_none() { "src" } else { "dest" };
            self.bad(format!("a substitution without `{missing}`"), item.span)
                .push("write `src: {schema: …, name: …, path: …}` and `dest: {path: …}`");
            return None;
        };
        self.known(src, "`src`", &["schema", "name", "path", "pattern", "match_group", "deepcopy"]);
        let (schema, schema_span) = self.text(src, "schema", "`src`")?;
        let (name, span) = self.text(src, "name", "`src`")?;
        let (path, path_span) = self.text(src, "path", "`src`")?;
        let pattern = self.pattern(src)?;
        let group = match src.get("match_group").map(|g| (&g.value, g)) {
            None => 0,
            Some((Value::Int(group), _)) if *group >= 0 => usize::try_from(*group).unwrap_or(usize::MAX),
            Some((_, node)) => {
                self.wrong(node, "`match_group`", "the number of a group");
                return None;
            }
        };
        let path = match JsonPath::parse(&path) {
            Ok(path) => path,
            Err(why) => {
                self.bad_path(why, path_span);
                return None;
            }
        };
        let destinations: Vec<Destination> = match &dest.value {
            Value::Seq(items) => items.iter().filter_map(|item| self.destination(item)).collect(),
            _ => self.destination(dest).into_iter().collect(),
        };
        let span = if span.is_somewhere() { span } else { schema_span };
        let is_copy = matches!(src.get("deepcopy").map(|d| &d.value), Some(Value::Bool(true)));
        Some(Substitution { schema, name, span, path, path_span, pattern, group, is_copy, destinations })
    }

    fn destination(&mut self, dest: &Node) -> Option<Destination> {
        self.known(dest, "`dest`", &["path", "pattern", "recurse"]);
        let (text, span) = self.text(dest, "path", "`dest`")?;
        let path = match JsonPath::parse(&text) {
            Ok(path) => path,
            Err(why) => {
                self.bad_path(why, span);
                return None;
            }
        };
        let pattern = self.pattern(dest)?;
        let depth = match dest.get("recurse") {
            None => None,
            Some(recurse) => {
                if let Some(Value::Int(depth)) = recurse.get("depth").map(|d| &d.value) {
                    Some(*depth)
                } else {
                    self.wrong(recurse, "`recurse`", "`{depth: N}`, where -1 is any depth");
                    return None;
                }
            }
        };
        Some(Destination { path, span, pattern, depth })
    }

    /// `None`: the pattern is broken; `Some(None)`: there is none.
    fn pattern(&mut self, of: &Node) -> Option<Option<(Rc<Pattern>, Span)>> {
        let Some(node) = of.get("pattern") else { return Some(None) };
        let Some(text) = node.as_str() else {
            self.wrong(node, "`pattern`", "a regular expression");
            return None;
        };
        if text.is_empty() {
            return Some(None);
        }
        let compiled = if let Some(known) = self.patterns.get(text) {
            known.clone()
        } else {
            let compiled = Pattern::new(text).map(Rc::new);
            self.patterns.insert(text.to_owned(), compiled.clone());
            compiled
        };
        match compiled {
            Ok(pattern) => Some(Some((pattern, node.span))),
            Err(why) => {
                let found = Diagnostic::error(codes::BAD_PATTERN, format!("not a regular expression: {why}"))
                    .at(node.span)
                    .help("patterns are Python regular expressions; put a `\\` before a character that is meant literally");
                self.diagnostics.push(found);
                None
            }
        }
    }

    fn text(&mut self, of: &Node, key: &str, what: &str) -> Option<(Arc<str>, Span)> {
        match of.get(key) {
            Some(Node { value: Value::Str(text), span, .. }) => Some((text.clone(), *span)),
            Some(Node { value: Value::Int(number), span, .. }) => Some((number.to_string().into(), *span)),
            Some(other) => {
                self.wrong(other, &format!("`{key}`"), "text");
                None
            }
            None => {
                self.bad(format!("{what} without `{key}`"), of.span).push(&format!("add `{key}:`"));
                None
            }
        }
    }

    fn known(&mut self, node: &Node, what: &str, keys: &[&str]) {
        let Some(map) = node.as_map() else { return };
        for (key, _) in map.entries.iter().filter(|(key, _)| !keys.contains(&&*key.name)) {
            let near = keys.iter().find(|k| strsim::osa_distance(k, &key.name) <= 2);
            let help = near.map_or_else(|| format!("keys are {}", keys.join(", ")), |near| format!("did you mean `{near}`?"));
            let what = what.trim_matches('`');
            self.bad(format!("`{}` is no key of {what}", key.name), key.span).push(&help);
        }
    }

    fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        self.bad(format!("{what} is {}", node.kind()), node.span).push(&format!("write {expected}"));
    }

    fn bad_path(&mut self, why: String, span: Span) {
        let found = Diagnostic::error(codes::BAD_PATH, why)
            .at(span)
            .help("paths are written like `.a.b`, `.a[0].b` or `.a['b.c']`; `.` is all data");
        self.diagnostics.push(found);
    }

    fn bad(&mut self, message: String, span: Span) -> Remedy<'_> {
        Remedy { headings: self, found: Diagnostic::error(codes::BAD_METADATA, message).at(span) }
    }
}

/// A problem that still lacks what to do.
struct Remedy<'h> {
    headings: &'h mut Headings,
    found: Diagnostic,
}

impl Remedy<'_> {
    fn push(self, help: &str) {
        self.headings.diagnostics.push(self.found.help(help));
    }
}

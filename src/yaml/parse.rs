//! Parser events to trees.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::codes::{ALIAS_BOMB, BAD_KEY, BAD_MERGE, BAD_TAG, BROKEN_YAML, DUPLICATE_KEY, TOO_LARGE, UNKNOWN_ALIAS};
use super::mapping::Mapping;
use super::tree::{FileId, Key, Node, SourceMap, Span, Value};
use super::{resolve, syntax};
use crate::diag::Diagnostic;

/// Collections may be nested this deep, aliases included.
pub const MAX_DEPTH: usize = 128;

/// Aliases may stand for this many nodes of one document in total.
pub const MAX_ALIASED_NODES: u64 = 1_000_000;

/// Values in one file, aliases counted as what they stand for.
pub const MAX_VALUES: u64 = 5_000_000;

/// Bytes of one scalar.
pub const MAX_SCALAR_BYTES: usize = 4 << 20;

/// Broken documents reported per file; a file that is no YAML at all would report thousands.
const MAX_BROKEN_DOCUMENTS: usize = 20;

/// Above this many entries a mapping is searched through an index.
const INDEX_FROM: usize = 16;

const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The documents that could be read, in order; an empty document is `null`.
    pub documents: Vec<Node>,
    /// What is wrong, in the order in which it was met.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all documents of a file. A broken document is reported and left out; the others are kept.
///
/// Of a duplicate key the first value is kept. A merge key (`<<`) adds what the mapping does not have itself. An aliased value keeps the position where it is
/// written, not that of the alias. An id that the map does not have gives no documents.
pub fn parse(map: &SourceMap, file: FileId) -> Parsed {
    let Some(source) = map.get(file) else { return Parsed::default() };
    let text: &str = &source.text;
    let mut builder = Builder::new(file, text);
    if u32::try_from(text.len()).is_err() {
        builder.diagnostics.push(Diagnostic::error(BROKEN_YAML, format!("{} is larger than 4 GiB", source.path)).help("split the file"));
        return builder.finish();
    }
    let mut options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut broken = 0;
    while let Some(next) = parser.next_event() {
        let stop = match next {
            Ok((event, span)) => builder.event(event, &span).err().map(|boxed| *boxed),
            Err(error) => Some(syntax::diagnostic(&error, text, file)),
        };
        let Some(diagnostic) = stop else { continue };
        builder.diagnostics.push(diagnostic);
        builder.abandon();
        broken += 1;
        if builder.is_full() || broken >= MAX_BROKEN_DOCUMENTS || !next_document(&mut parser) {
            break;
        }
    }
    builder.diagnostics.extend(syntax::unusual_break(text, file));
    builder.finish()
}

fn next_document<'input>(parser: &mut Parser<'input, StrInput<'input>>) -> bool {
    parser.proceed_next_document().unwrap_or(false)
}

/// A collection that is still open.
struct Frame {
    span: Span,
    anchor: usize,
    /// [`Builder::size`] before this collection.
    size_before: u64,
    /// Height of the highest child.
    height: usize,
    body: Body,
}

enum Body {
    Seq(Vec<Node>),
    Map(MapBody),
}

#[derive(Default)]
struct MapBody {
    entries: Vec<(Key, Node)>,
    /// Name → entry, once there are [`INDEX_FROM`] of them.
    index: HashMap<Arc<str>, usize>,
    pending: Option<Pending>,
    merges: Vec<Node>,
}

/// The key that waits for its value.
enum Pending {
    Key(Key),
    Merge,
    /// Reported already; its value is dropped.
    Bad,
}

struct Anchor {
    node: Node,
    size: u64,
    height: usize,
}

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    names: HashSet<Arc<str>>,
    /// Nodes of this document so far, aliases counted as what they stand for.
    size: u64,
    /// How many of them came through aliases.
    aliased: u64,
    /// Values of the documents before.
    before: u64,
    /// Byte range and position behind the last token, where an open collection ends.
    last_end: u32,
    root: Option<Node>,
    documents: Vec<Node>,
    diagnostics: Vec<Diagnostic>,
}

/// `Err` abandons the document.
type Step = Result<(), Box<Diagnostic>>;

impl<'a> Builder<'a> {
    fn new(file: FileId, text: &'a str) -> Self {
        Self {
            file,
            text,
            stack: Vec::new(),
            anchors: HashMap::new(),
            names: HashSet::new(),
            size: 0,
            aliased: 0,
            before: 0,
            last_end: 0,
            root: None,
            documents: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    fn finish(self) -> Parsed {
        Parsed { documents: self.documents, diagnostics: self.diagnostics }
    }

    fn abandon(&mut self) {
        self.stack.clear();
        self.anchors.clear();
        self.before += self.size;
        self.size = 0;
        self.aliased = 0;
        self.root = None;
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            line: narrow(span.start.line()),
            column: narrow(span.start.col() + 1),
            start: narrow(range.start),
            end: narrow(range.end),
        }
    }

    fn is_full(&self) -> bool {
        self.before + self.size > MAX_VALUES
    }

    fn event(&mut self, event: Event<'_>, at: &granit_parser::Span) -> Step {
        if self.is_full() {
            return Err(Box::new(
                Diagnostic::error(TOO_LARGE, format!("a file of more than {MAX_VALUES} values"))
                    .at(self.span(at))
                    .help("nothing from here on is read; split the file, or write fewer aliases"),
            ));
        }
        match event {
            Event::DocumentStart(..) => self.abandon(),
            Event::DocumentEnd => {
                if let Some(root) = self.root.take() {
                    self.documents.push(root);
                }
                self.abandon();
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mut span = self.span(at);
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    let raw = self.text.get(span.start as usize..span.end as usize).unwrap_or("");
                    span.end = span.start + u32::try_from(raw.trim_end().len()).unwrap_or(0);
                }
                self.last_end = span.end;
                if text.len() > MAX_SCALAR_BYTES {
                    let message = format!("a value of {} bytes; {MAX_SCALAR_BYTES} are the most", text.len());
                    let found = Diagnostic::error(TOO_LARGE, message).at(Span { end: span.start, ..span });
                    return Err(Box::new(found.help("this document is not read; let the machine fetch what is that large from a URL")));
                }
                // The parser writes `~` where there is nothing.
                let missing = style == ScalarStyle::Plain && span.start == span.end;
                self.scalar(if missing { "" } else { &text }, style, anchor, tag.as_deref(), span);
            }
            Event::SequenceStart(_, anchor, tag) => return self.open(Body::Seq(Vec::new()), anchor, tag.as_deref(), at),
            Event::MappingStart(_, anchor, tag) => return self.open(Body::Map(MapBody::default()), anchor, tag.as_deref(), at),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(range) = at.byte_range()
                    && !range.is_empty()
                {
                    self.last_end = u32::try_from(range.end).unwrap_or(u32::MAX);
                }
                self.close();
            }
            Event::Alias(id) => return self.alias(id, self.span(at)),
            _ => {}
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { body: Body::Map(MapBody { pending: None, .. }), .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) {
        self.size += 1;
        let plain = style == ScalarStyle::Plain;
        let as_key = self.awaits_key();
        if as_key && anchor == 0 && tag.is_none() {
            if plain && text == "<<" {
                self.set_pending(Pending::Merge);
            } else {
                let name = if plain && resolve::null(text).is_some() { "null" } else { text };
                let name = self.intern(name);
                self.set_pending(Pending::Key(Key { name, span }));
            }
            return;
        }
        let value = match tag {
            Some(tag) => self.tagged(text, tag, span),
            None if plain => resolve::plain(text).unwrap_or_else(|| Value::Str(text.into())),
            None => Value::Str(text.into()),
        };
        let node = Node::new(span, value);
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { node: node.clone(), size: 1, height: 0 });
        }
        if as_key {
            let name = self.intern(if node.is_null() { "null" } else { text });
            self.set_pending(Pending::Key(Key { name, span }));
            return;
        }
        self.push(node, 0);
    }

    fn tagged(&mut self, text: &str, tag: &Tag, span: Span) -> Value {
        if tag.parts() == ("", "!") {
            return resolve::plain(text).unwrap_or_else(|| Value::Str(text.into()));
        }
        let value = match tag.suffix_in_namespace(YAML_TAGS).as_deref() {
            Some("str" | "timestamp" | "binary" | "value") => Some(Value::Str(text.into())),
            Some("int") => resolve::int(text),
            Some("float") => resolve::float(text).or_else(|| match resolve::int(text) {
                Some(Value::Int(n)) => Some(Value::Float(n as f64)),
                other => other,
            }),
            Some("bool") => resolve::boolean(&text.to_ascii_lowercase()),
            Some("null") => Some(Value::Null),
            _ => {
                self.unknown_tag(tag, span);
                return Value::Str(text.into());
            }
        };
        value.unwrap_or_else(|| {
            self.diagnostics.push(
                Diagnostic::error(BAD_TAG, format!("`{}` does not fit the tag {}", clip(text), tag.original()))
                    .at(span)
                    .help("remove the tag or correct the value"),
            );
            Value::Str(text.into())
        })
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        self.diagnostics.push(
            Diagnostic::error(BAD_TAG, format!("unknown tag {}", clip(&tag.original())))
                .at(span)
                .help("remove the tag; if the value starts with a literal `!`, quote it (as in '!name')"),
        );
    }

    fn open(&mut self, body: Body, anchor: usize, tag: Option<&Tag>, at: &granit_parser::Span) -> Step {
        let span = self.span(at);
        self.last_end = span.end;
        if self.stack.len() >= MAX_DEPTH {
            return Err(Box::new(syntax::too_deep(span)));
        }
        if let Some(tag) = tag {
            let known = tag.parts() == ("", "!")
                || matches!(
                    (tag.suffix_in_namespace(YAML_TAGS).as_deref(), &body),
                    (Some("seq" | "omap" | "pairs"), Body::Seq(_)) | (Some("map" | "set"), Body::Map(_))
                );
            if !known {
                self.unknown_tag(tag, span);
            }
        }
        let size_before = self.size;
        self.size += 1;
        self.stack.push(Frame { span, anchor, size_before, height: 0, body });
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        let Frame { mut span, anchor, size_before, height, body } = frame;
        span.end = span.end.max(self.last_end);
        let value = match body {
            Body::Seq(items) => Value::Seq(Arc::new(items)),
            Body::Map(map) => Value::Map(Arc::new(Mapping { entries: merged(map).into() })),
        };
        let node = Node::new(span, value);
        let height = height + 1;
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { node: node.clone(), size: self.size - size_before, height });
        }
        self.push(node, height);
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        self.last_end = span.end;
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(Box::new(
                Diagnostic::error(UNKNOWN_ALIAS, "alias of the collection that it stands in")
                    .at(span)
                    .help("a value cannot contain itself; write out what you mean"),
            ));
        };
        self.size += anchor.size;
        self.aliased += anchor.size;
        if self.aliased > MAX_ALIASED_NODES {
            return Err(Box::new(
                Diagnostic::error(ALIAS_BOMB, format!("aliases multiply this document to more than {MAX_ALIASED_NODES} values"))
                    .at(span)
                    .help("this document is not read; write out fewer aliases of aliases"),
            ));
        }
        if self.stack.len() + anchor.height > MAX_DEPTH {
            return Err(Box::new(syntax::too_deep(span)));
        }
        let (node, height) = (anchor.node.clone(), anchor.height);
        if self.awaits_key() {
            let pending = match scalar_text(&node.value) {
                Some(name) => Pending::Key(Key { name: self.intern(&name), span }),
                None => self.bad_key(&node, span),
            };
            self.set_pending(pending);
            return Ok(());
        }
        self.push(node, height);
        Ok(())
    }

    fn set_pending(&mut self, pending: Pending) {
        if let Some(Frame { body: Body::Map(map), .. }) = self.stack.last_mut() {
            map.pending = Some(pending);
        }
    }

    fn bad_key(&mut self, node: &Node, span: Span) -> Pending {
        let template = node.as_map().is_some() && self.text.get(span.start as usize..).is_some_and(|t| t.starts_with('{'));
        self.diagnostics.push(Diagnostic::error(BAD_KEY, format!("{} used as a key", node.kind())).at(span).help(if template {
            "quote the value if this is a template: '{{ name }}'"
        } else {
            "keys must be plain words or quoted text"
        }));
        Pending::Bad
    }

    fn push(&mut self, node: Node, height: usize) {
        if self.awaits_key() {
            let pending = self.bad_key(&node, node.span);
            self.set_pending(pending);
            return;
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.height = frame.height.max(height);
        let map = match &mut frame.body {
            Body::Seq(items) => {
                items.push(node);
                return;
            }
            Body::Map(map) => map,
        };
        match map.pending.take() {
            Some(Pending::Key(key)) => {
                if let Some(first) = map.find(&key.name) {
                    self.diagnostics.push(
                        Diagnostic::error(DUPLICATE_KEY, format!("the key `{}` is given twice", clip(&key.name)))
                            .at(key.span)
                            .note("given again here, and this one counts")
                            .label(map.entries[first].0.span, "first given here")
                            .help("remove one of the two"),
                    );
                    // As PyYAML does: the last value, at the place of the first.
                    map.entries[first] = (key, node);
                } else {
                    map.insert(key, node);
                }
            }
            Some(Pending::Merge) => {
                let is_mapping = |n: &Node| n.as_map().is_some();
                if is_mapping(&node) || node.as_seq().is_some_and(|items| items.iter().all(is_mapping)) {
                    map.merges.push(node);
                } else {
                    self.diagnostics.push(
                        Diagnostic::error(BAD_MERGE, format!("a merge key (`<<`) with {}", node.kind()))
                            .at(node.span)
                            .help("give it an alias of a mapping (`<<: *name`) or a list of such aliases"),
                    );
                }
            }
            Some(Pending::Bad) | None => {}
        }
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}

impl MapBody {
    fn find(&self, name: &str) -> Option<usize> {
        if self.entries.len() < INDEX_FROM {
            return self.entries.iter().position(|(k, _)| &*k.name == name);
        }
        self.index.get(name).copied()
    }

    fn insert(&mut self, key: Key, node: Node) {
        let at = self.entries.len();
        if at + 1 == INDEX_FROM {
            self.index = self.entries.iter().enumerate().map(|(i, (k, _))| (k.name.clone(), i)).collect();
        }
        if at + 1 >= INDEX_FROM {
            self.index.insert(key.name.clone(), at);
        }
        self.entries.push((key, node));
    }

    fn replace(&mut self, (key, node): (Key, Node)) {
        match self.find(&key.name) {
            Some(at) => self.entries[at] = (key, node),
            None => self.insert(key, node),
        }
    }
}

/// What PyYAML's `flatten_mapping` gives: merged entries first, own values win, of several merge keys the last, of a list of mappings the first.
fn merged(map: MapBody) -> Vec<(Key, Node)> {
    if map.merges.is_empty() {
        return map.entries;
    }
    let mut all = MapBody::default();
    for merge in &map.merges {
        let parts = match &merge.value {
            Value::Seq(items) => items.as_slice(),
            _ => std::slice::from_ref(merge),
        };
        for entry in parts.iter().rev().filter_map(Node::as_map).flat_map(|m| &m.entries) {
            all.replace(entry.clone());
        }
    }
    for entry in map.entries {
        all.replace(entry);
    }
    all.entries
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::Float(n) => Some(n.to_string()),
        Value::Str(s) => Some(s.to_string()),
        Value::Seq(_) | Value::Map(_) => None,
    }
}

/// Text of a file for a message: bounded.
fn clip(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

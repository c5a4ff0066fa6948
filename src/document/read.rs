//! From YAML nodes to documents.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::codes;
use super::kind::{Kind, Schema};
use super::render::render;
use super::sensitive::Sensitive;
use crate::diag::{Code, Diagnostic, has_errors};
use crate::yaml::{self, FileId, Key, Mapping, Node, SourceMap, Span, Value};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `schema`, `metadata`, `data`.
    Deckhand,
    /// `apiVersion`, `kind`, `metadata`, `spec`.
    ApiVersion,
}

/// One concrete document.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it is.
    pub schema: Schema,
    /// How it is written.
    pub form: Form,
    /// `metadata.name`; may be empty only where [`Document::schema`] is not ours.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The whole document; its start is where its first key stands.
    pub span: Span,
    /// `metadata`, or `null`.
    pub metadata: Node,
    /// `metadata.labels`, as text.
    pub labels: BTreeMap<String, String>,
    /// `data`, or `spec` of the older form. A mapping in every drydock document.
    pub data: Node,
}

impl Document {
    /// The kind, if this is one of ours.
    pub fn kind(&self) -> Option<Kind> {
        match self.schema {
            Schema::Drydock(kind) => Some(kind),
            Schema::Other(_) => None,
        }
    }
}

/// What the files of a design hold.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// The concrete documents, rendered.
    pub documents: Vec<Document>,
    /// Where their secrets are written.
    pub sensitive: Sensitive,
    /// Where secrets are written that are encrypted, and of no use as they are.
    pub encrypted: Sensitive,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and renders all documents of these files.
///
/// Abstract documents are left out: they exist only to be layered upon. Of two documents with the same kind and name the first is kept. A design without any
/// drydock document is an error.
pub fn read_all(map: &SourceMap, files: &[FileId]) -> Read {
    let mut documents: Vec<Document> = Vec::new();
    let mut diagnostics = Vec::new();
    let mut parsed = Vec::new();
    for file in files {
        let file = parse(map, *file);
        diagnostics.extend(file.diagnostics);
        parsed.extend(file.documents);
    }
    let rendered = render(map, parsed);
    diagnostics.extend(rendered.diagnostics);
    let mut first: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for node in &rendered.documents {
        let Some(document) = read(node, &mut diagnostics) else { continue };
        if let Some(kind) = document.kind() {
            match first.entry((kind, document.name.clone())) {
                Entry::Vacant(entry) => {
                    entry.insert(documents.len());
                }
                Entry::Occupied(entry) => {
                    diagnostics.push(duplicate(kind, &document, &documents[*entry.get()], map));
                    continue;
                }
            }
        }
        documents.push(document);
    }
    if first.is_empty() && !has_errors(&diagnostics) {
        let count = files.len();
        let files = if count == 1 { "file" } else { "files" };
        diagnostics.push(
            Diagnostic::error(codes::EMPTY_DESIGN, format!("no drydock document in {count} {files}"))
                .help("give a file or directory with documents such as `schema: drydock/BaremetalNode/v1`"),
        );
    }
    Read { documents, sensitive: rendered.sensitive, encrypted: rendered.encrypted, diagnostics }
}

/// Parses one file of a design. A duplicate key in a document that is not ours is a warning: the tools that it is for have always taken the last one.
pub fn parse(map: &SourceMap, file: FileId) -> yaml::Parsed {
    let mut parsed = yaml::parse(map, file);
    let ours = |node: &Node| {
        let text = |key: &str| node.get(key).and_then(Node::as_str).unwrap_or_default();
        text("schema").starts_with("drydock/") || text("apiVersion").starts_with("drydock/")
    };
    let starts: Vec<(u32, bool)> = parsed.documents.iter().map(|node| (node.span.start, ours(node))).collect();
    for found in parsed.diagnostics.iter_mut().filter(|found| found.code == yaml::codes::DUPLICATE_KEY) {
        let at = found.span.map_or(0, |span| span.start);
        if starts.iter().rev().find(|(start, _)| *start <= at).is_some_and(|(_, ours)| !ours) {
            found.severity = crate::diag::Severity::Warning;
        }
    }
    parsed
}

fn duplicate(kind: Kind, document: &Document, first: &Document, map: &SourceMap) -> Diagnostic {
    Diagnostic::error(codes::DUPLICATE_DOCUMENT, format!("two {kind} documents with the name `{}`", document.name))
        .at(document.name_span)
        .note("defined again here")
        .label(first.name_span, "first defined here")
        .help(format!("remove or rename one of them; the one at {} is used until then", map.describe(first.name_span)))
}

/// Reads one document. `None`: nothing there, abstract, or unusable (then with a diagnostic).
pub fn read(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Document> {
    let mapping = match &node.value {
        Value::Null => return None,
        Value::Map(mapping) => mapping,
        _ => {
            diagnostics.push(
                Diagnostic::error(codes::NOT_A_DOCUMENT, format!("{} where a document is expected", node.kind()))
                    .at(node.span)
                    .help("a document is a mapping that starts with `schema:`; documents are separated by `---`"),
            );
            return None;
        }
    };
    let (schema, form) = schema(mapping, node, diagnostics)?;
    let metadata = mapping.get("metadata").cloned().unwrap_or(Node::new(node.span, Value::Null));
    if is_abstract(&metadata) {
        return None;
    }
    let data_key = match form {
        Form::Deckhand => "data",
        Form::ApiVersion => "spec",
    };
    let data = mapping.get(data_key).cloned();
    let span = mapping.entries.first().map_or(node.span, |(key, _)| Span { end: node.span.end, ..key.span });
    let labels = labels(&metadata);
    let Schema::Drydock(kind) = schema else {
        let (name, name_span) = metadata.get("name").and_then(name_text).unwrap_or_else(|| (String::new(), node.span));
        let data = data.unwrap_or(Node::new(node.span, Value::Null));
        return Some(Document { schema, form, name, name_span, span, metadata, labels, data });
    };
    let name = name(kind, mapping, &metadata, node.span, diagnostics);
    let data = usable_data(kind, data_key, data, mapping, node.span, diagnostics);
    let ((name, name_span), data) = (name?, data?);
    Some(Document { schema, form, name, name_span, span, metadata, labels, data })
}

/// What stands at the first line of a document: the place to point to if the document as a whole is meant.
fn head(mapping: &Mapping, whole: Span) -> Span {
    mapping.entries.first().map_or(whole, |(key, _)| key.span)
}

fn schema(mapping: &Mapping, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Schema, Form)> {
    if let Some(schema) = mapping.get("schema") {
        let Some(text) = schema.as_str() else {
            diagnostics.push(no_schema(format!("`schema` is {}", schema.kind()), schema.span));
            return None;
        };
        let mut parts = text.split('/');
        let (owner, kind, version) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        if let Some(found) = misspelt(owner, text, schema.span, kind) {
            diagnostics.push(found);
            return None;
        }
        if owner != "drydock" {
            return Some((Schema::Other(text.into()), Form::Deckhand));
        }
        let kind = known_kind(kind.unwrap_or(""), schema.span, |kind| format!("drydock/{kind}/v1"), diagnostics)?;
        known_version(version.unwrap_or(""), schema.span, || format!("schema: drydock/{kind}/v1"), diagnostics)?;
        return Some((Schema::Drydock(kind), Form::Deckhand));
    }
    let Some(api) = mapping.get("apiVersion") else {
        let mut found = no_schema("document without `schema`".to_owned(), head(mapping, node.span));
        let similar = mapping.entries.iter().map(|(key, _)| key).find(|key| is_similar(&key.name, &["schema", "apiVersion"]));
        if let Some(Key { name, span }) = similar {
            found = found.label(*span, format!("did `{name}` mean `schema`?"));
        }
        diagnostics.push(found);
        return None;
    };
    let kind_node = mapping.get("kind");
    let (Some(text), Some(kind)) = (api.as_str(), kind_node.and_then(Node::as_str)) else {
        diagnostics.push(no_schema("document with `apiVersion` and without a textual `kind`".to_owned(), api.span));
        return None;
    };
    let kind_span = kind_node.map_or(api.span, |k| k.span);
    let (owner, version) = text.split_once('/').unwrap_or((text, ""));
    if let Some(found) = misspelt(owner, text, api.span, None) {
        diagnostics.push(found);
        return None;
    }
    if owner != "drydock" {
        return Some((Schema::Other(format!("{text}/{kind}").into()), Form::ApiVersion));
    }
    let kind = known_kind(kind, kind_span, str::to_owned, diagnostics)?;
    known_version(version, api.span, || "apiVersion: drydock/v1".to_owned(), diagnostics)?;
    Some((Schema::Drydock(kind), Form::ApiVersion))
}

fn no_schema(message: String, span: Span) -> Diagnostic {
    Diagnostic::error(codes::NO_SCHEMA, message)
        .at(span)
        .help("start it with `schema: drydock/<Kind>/v1`, or keep files that are no documents out of the design")
}

fn misspelt(owner: &str, text: &str, span: Span, kind: Option<&str>) -> Option<Diagnostic> {
    if owner == "drydock" || !is_similar(owner, &["drydock"]) {
        return None;
    }
    let right = kind.map_or_else(|| "drydock/v1".to_owned(), |kind| format!("drydock/{kind}/v1"));
    Some(
        Diagnostic::error(codes::MISSPELT_SCHEMA, format!("`{text}` would not be read as a drydock document"))
            .at(span)
            .help(format!("did you mean `{right}`?")),
    )
}

fn known_kind(name: &str, span: Span, write: impl Fn(&str) -> String, diagnostics: &mut Vec<Diagnostic>) -> Option<Kind> {
    let found = Kind::from_name(name);
    if found.is_none() {
        let help = match Kind::similar(name) {
            Some(kind) => format!("did you mean `{}`?", write(kind.as_str())),
            None => format!("kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")),
        };
        diagnostics.push(Diagnostic::error(codes::UNKNOWN_KIND, format!("unknown kind `{name}`")).at(span).help(help));
    }
    found
}

fn known_version(version: &str, span: Span, right: impl Fn() -> String, diagnostics: &mut Vec<Diagnostic>) -> Option<()> {
    if matches!(version, "v1" | "v1.0") {
        return Some(());
    }
    let what = if version.is_empty() { "no version".to_owned() } else { format!("unknown version `{version}`") };
    diagnostics.push(Diagnostic::error(codes::UNKNOWN_VERSION, what).at(span).help(format!("write `{}`", right())));
    None
}

fn is_similar(name: &str, to: &[&str]) -> bool {
    let lower = name.to_ascii_lowercase();
    to.iter().any(|word| strsim::osa_distance(&lower, &word.to_ascii_lowercase()) <= 2)
}

fn is_abstract(metadata: &Node) -> bool {
    matches!(metadata.get("layeringDefinition").and_then(|l| l.get("abstract")).map(|n| &n.value), Some(Value::Bool(true)))
}

fn labels(metadata: &Node) -> BTreeMap<String, String> {
    let Some(labels) = metadata.get("labels").and_then(Node::as_map) else { return BTreeMap::new() };
    labels.entries.iter().filter_map(|(key, value)| Some((key.name.to_string(), scalar_text(&value.value)?))).collect()
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(b) => Some(b.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::Float(n) => Some(n.to_string()),
        Value::Str(s) => Some(s.to_string()),
        Value::Null | Value::Seq(_) | Value::Map(_) => None,
    }
}

fn name_text(name: &Node) -> Option<(String, Span)> {
    let text = match &name.value {
        Value::Str(text) => text.trim().to_owned(),
        Value::Int(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some((text, name.span))
}

fn name(kind: Kind, mapping: &Mapping, metadata: &Node, whole: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, Span)> {
    let problem = |message: String, span: Span| {
        Diagnostic::error(codes::NO_NAME, message).at(span).help(format!("give the {kind} a name under `metadata`: `name: example`"))
    };
    let found = match mapping.entry("metadata") {
        None => problem(format!("{kind} without `metadata`"), head(mapping, whole)),
        Some((key, _)) if metadata.as_map().is_none() => problem(format!("`metadata` is {}", metadata.kind()), key.span),
        Some((key, _)) => match metadata.get("name") {
            None => problem(format!("{kind} without `metadata.name`"), key.span),
            Some(name) => match name_text(name) {
                Some(good) => return Some(good),
                None if name.as_str().is_some() => problem("`metadata.name` is empty".to_owned(), name.span),
                None => problem(format!("`metadata.name` is {}", name.kind()), name.span)
                    .help("write a name; quote it if YAML reads it as something else"),
            },
        },
    };
    diagnostics.push(found);
    None
}

fn usable_data(
    kind: Kind,
    key: &str,
    data: Option<Node>,
    mapping: &Mapping,
    whole: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let code: Code = codes::NO_DATA;
    let found = match (data, mapping.entry(key)) {
        (Some(data), _) if data.as_map().is_some() => return Some(data),
        (Some(data), Some((at, _))) if data.is_null() => {
            Diagnostic::error(code, format!("`{key}` of this {kind} is empty")).at(at.span).help("indent what belongs to it below it")
        }
        (Some(data), _) => Diagnostic::error(code, format!("`{key}` is {}, not a mapping", data.kind()))
            .at(data.span)
            .help("write its settings as `key: value` lines"),
        (None, _) => {
            let other = if key == "data" { "spec" } else { "data" };
            let found = Diagnostic::error(code, format!("{kind} without `{key}`")).at(head(mapping, whole));
            match mapping.entry(other) {
                Some((at, _)) => found.label(at.span, format!("this form calls it `{key}`")).help(format!("rename `{other}` to `{key}`")),
                None => found.help(format!("add `{key}:` with its settings")),
            }
        }
    };
    diagnostics.push(found);
    None
}

//! Which document a position belongs to.

use crate::yaml::{self, FileId, Node, SourceMap, Span};

/// A document as it is written, abstract ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Where it starts.
    pub span: Span,
    /// `schema`, or `apiVersion/kind` of the older form.
    pub schema: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.layeringDefinition.layer`.
    pub layer: Option<String>,
    /// Where its data is written.
    pub data: Span,
    /// Whether its data is a secret: by its kind, or by its `storagePolicy`.
    pub secret: bool,
}

/// All documents of a design, in the order of their positions.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    heads: Vec<Head>,
}

impl Heads {
    /// The documents of these files. Files that cannot be parsed have none.
    pub fn read(map: &SourceMap, files: &[FileId]) -> Self {
        let documents: Vec<Node> = files.iter().flat_map(|file| yaml::parse(map, *file).documents).collect();
        Self::of(&documents)
    }

    /// These documents.
    pub fn of(documents: &[Node]) -> Self {
        let mut heads: Vec<Head> = documents.iter().filter_map(head).collect();
        heads.sort_by_key(|head| (head.span.file, head.span.start));
        Self { heads }
    }

    /// The documents.
    pub fn iter(&self) -> impl Iterator<Item = &Head> {
        self.heads.iter()
    }

    /// The document that a position belongs to.
    pub fn at(&self, span: Span) -> Option<&Head> {
        if !span.is_somewhere() {
            return None;
        }
        let behind = self.heads.partition_point(|head| (head.span.file, head.span.start) <= (span.file, span.start));
        self.heads[..behind].last().filter(|head| head.span.file == span.file)
    }
}

fn head(node: &Node) -> Option<Head> {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let mapping = node.as_map()?;
    let metadata = mapping.get("metadata");
    let schema = match mapping.get("schema") {
        Some(schema) => text(Some(schema)),
        None => format!("{}/{}", text(mapping.get("apiVersion")), text(mapping.get("kind"))),
    };
    let layer = metadata.and_then(|m| m.get("layeringDefinition")).and_then(|l| l.get("layer")).and_then(Node::as_str).map(str::to_owned);
    let stored_encrypted = metadata.and_then(|m| m.get("storagePolicy")).and_then(Node::as_str) == Some("encrypted");
    let secret = stored_encrypted || super::is_secret_kind(&schema);
    let span = mapping.entries.first().map_or(node.span, |(key, _)| Span { end: node.span.end, ..key.span });
    let name = text(metadata.and_then(|m| m.get("name")));
    let data = mapping.get("data").map_or(Span::NOWHERE, |data| data.span);
    Some(Head { span, schema, name, layer, data, secret })
}

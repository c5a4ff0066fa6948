//! Where secrets are written.

use std::fmt;

use crate::document::{Document, Schema, is_secret_kind};
use crate::yaml::{Node, Span, Step};

/// The documents of a design whose data are secrets: by their kind, or by their `storagePolicy`.
#[derive(Clone, Default)]
pub struct SecretPlaces {
    /// In order.
    documents: Vec<Span>,
}

impl SecretPlaces {
    /// Of these documents.
    pub fn of(documents: &[Document]) -> Self {
        let mut spans: Vec<Span> = documents.iter().filter(|document| is_secret(document)).map(|document| document.span).collect();
        spans.sort_by_key(|span| (span.file, span.start));
        Self { documents: spans }
    }

    /// Whether what is written there is a secret.
    pub fn holds(&self, span: Span) -> bool {
        if !span.is_somewhere() {
            return false;
        }
        let behind = self.documents.partition_point(|document| (document.file, document.start) <= (span.file, span.start));
        self.documents[..behind].last().is_some_and(|document| document.file == span.file && span.start < document.end)
    }
}

/// Positions are not part of what a design means.
impl fmt::Debug for SecretPlaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPlaces")
    }
}

fn is_secret(document: &Document) -> bool {
    let kind = matches!(&document.schema, Schema::Other(schema) if is_secret_kind(schema));
    kind || document.metadata.get("storagePolicy").and_then(Node::as_str) == Some("encrypted")
}

/// Every place that had a part in a value: where it is written, and whatever a substitution put into it or over it.
pub(super) fn origins(node: &Node) -> Vec<Span> {
    let mut found = vec![node.span];
    let mut open = vec![node];
    // A past is finite, but sources may be shared by many substitutions.
    while let Some(node) = open.pop() {
        let mut past = node.past.as_deref();
        while let Some(step) = past {
            past = match &step.step {
                Step::Substituted { source, .. } => {
                    // With a pattern, what stood here before is still in the text.
                    for part in step.before.iter().chain([source]) {
                        if found.len() < 1000 {
                            found.push(part.span);
                            open.push(part);
                        }
                    }
                    None
                }
                Step::Overrode { own } => own.as_deref(),
            };
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

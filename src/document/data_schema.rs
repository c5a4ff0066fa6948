//! Documents against the `DataSchema` documents beside them.

use std::collections::HashMap;

use super::codes;
use super::heading::is_deckhand;
use super::json_schema::{JsonSchema, Misfit};
use super::sensitive::Sensitive;
use crate::diag::Diagnostic;
use crate::yaml::{Node, Span, Value};

/// Kinds of Deckhand whose data are one text.
const TEXT_KINDS: [&str; 7] =
    ["Certificate", "CertificateAuthority", "CertificateAuthorityKey", "CertificateKey", "Passphrase", "PrivateKey", "PublicKey"];

struct Known {
    schema: JsonSchema,
    name: String,
    span: Span,
}

/// Checks all concrete documents.
pub(super) fn check(documents: &[Node], sensitive: &Sensitive, diagnostics: &mut Vec<Diagnostic>) {
    let mut schemas: HashMap<&str, Known> = HashMap::new();
    for document in documents.iter().filter(|d| schema_of(d).is_some_and(|s| is_deckhand(s, "DataSchema"))) {
        let (Some(name), Some(data)) = (name_of(document), document.get("data").filter(|data| !data.is_null())) else { continue };
        let Some(described) = name.as_str() else { continue };
        if schemas.contains_key(described) {
            continue;
        }
        let (schema, wrong) = JsonSchema::new(data);
        for found in wrong {
            diagnostics.push(
                Diagnostic::warning(codes::BAD_DATA_SCHEMA, found.what)
                    .at(found.span)
                    .label(name.span, format!("the schema of {described}"))
                    .help("correct the schema (JSON Schema draft 4); this part of it is not checked"),
            );
        }
        schemas.insert(described, Known { schema, name: described.to_owned(), span: name.span });
    }
    for document in documents.iter().filter(|document| !is_abstract(document)) {
        let (Some(schema), Some(data)) = (schema_of(document), document.get("data")) else { continue };
        if let Some(known) = schemas.get(schema) {
            match known.schema.check(data) {
                Ok(misfits) => diagnostics.extend(misfits.into_iter().map(|misfit| violation(document, known, misfit, sensitive))),
                Err(why) => diagnostics.push(
                    Diagnostic::warning(codes::BAD_DATA_SCHEMA, format!("{} cannot be checked: {why}", title(document)))
                        .at(known.span)
                        .help("simplify the schema"),
                ),
            }
        } else if TEXT_KINDS.iter().any(|kind| is_deckhand(schema, kind)) && data.as_str().is_none() {
            let at = name_of(document).map_or(document.span, |name| name.span);
            diagnostics.push(
                Diagnostic::error(codes::SCHEMA_VIOLATION, format!("the data of {} is {}, must be text", title(document), data.kind()))
                    .at(at)
                    .help("write one text; quote it if YAML reads it as something else"),
            );
        }
    }
}

fn violation(document: &Node, known: &Known, misfit: Misfit, sensitive: &Sensitive) -> Diagnostic {
    let name = name_of(document).map_or(document.span, |name| name.span);
    let Misfit { span, path, what, by } = misfit;
    let found = Diagnostic::error(codes::SCHEMA_VIOLATION, format!("`{path}` of {} {what}", title(document)));
    // A secret is never shown, not even as the line that is wrong.
    let found = if sensitive.touches(span) { found.at(name) } else { found.at(span).label(name, "in this document") };
    found.label(by, format!("the schema {} says so", known.name)).help("correct the value, or the schema")
}

fn is_abstract(document: &Node) -> bool {
    let definition = document.get("metadata").and_then(|m| m.get("layeringDefinition"));
    matches!(definition.and_then(|d| d.get("abstract")).map(|a| &a.value), Some(Value::Bool(true)))
}

fn schema_of(document: &Node) -> Option<&str> {
    document.get("schema").and_then(Node::as_str)
}

fn name_of(document: &Node) -> Option<&Node> {
    document.get("metadata").and_then(|m| m.get("name"))
}

fn title(document: &Node) -> String {
    let name = name_of(document).and_then(Node::as_str).unwrap_or("");
    format!("{} `{name}`", schema_of(document).unwrap_or(""))
}

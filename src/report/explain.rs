//! Where values come from, as text and JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::escape::clean;
use super::mask;
use crate::model::{Explained, Link, Role};
use crate::redact::without_url_credentials;
use crate::yaml::{Node, SourceMap, Span, Value};

/// What stands in the place of a secret.
const SENSITIVE: &str = "(sensitive)";

/// Whether the value of a key is a secret.
pub fn is_secret_key(key: &str) -> bool {
    mask::is_secret_key(key)
}

/// The answer for people: one value in detail, or one line for each of several.
pub fn explained_text(resource: &str, explained: &[Explained], map: &SourceMap) -> String {
    let mut out = String::new();
    if let [only] = explained {
        detail(&mut out, resource, only, map);
        return out;
    }
    let lines: Vec<(String, String)> =
        explained.iter().map(|e| (format!("{resource}{} = {}", e.path, shown(&e.value, e.sensitive)), origin(e, map))).collect();
    let width = lines.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0).min(72);
    for (left, right) in lines {
        let _ = writeln!(out, "{left:<width$}  ← {right}");
    }
    out
}

fn detail(out: &mut String, resource: &str, explained: &Explained, map: &SourceMap) {
    let _ = writeln!(out, "{resource}{} = {}", explained.path, shown(&explained.value, explained.sensitive));
    for link in &explained.links {
        let mut line = format!("  ← {} {}", word(link), clean(&map.describe(link.span)));
        if let Role::Substitution { by } = link.role {
            let _ = write!(line, ", substituted at {}", clean(&map.describe(by)));
        }
        if let Role::Reference { by } = link.role {
            let _ = write!(line, ", referred to at {}", clean(&map.describe(by)));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for lost in &explained.overridden {
        let value = shown(&lost.value, lost.sensitive);
        let at = map.describe(lost.value.span);
        let _ = writeln!(out, "  instead of {value} of {} {}", document(&lost.schema, &lost.name, lost.layer.as_deref()), clean(&at));
    }
}

/// `file:line:column (HostProfile cp)`.
fn origin(explained: &Explained, map: &SourceMap) -> String {
    let Some(last) = explained.links.last() else { return String::new() };
    format!("{} ({})", clean(&map.describe(last.span)), document(&last.schema, &last.name, last.layer.as_deref()))
}

fn word(link: &Link) -> String {
    document(&link.schema, &link.name, link.layer.as_deref())
}

/// `HostProfile cp (layer site)`.
fn document(schema: &str, name: &str, layer: Option<&str>) -> String {
    let kind = match schema.strip_prefix("drydock/") {
        Some(rest) => rest.split('/').find(|part| !part.is_empty() && !is_version(part)).unwrap_or(rest),
        None => schema,
    };
    let layer = layer.map(|layer| format!(" (layer {})", clean(layer))).unwrap_or_default();
    format!("{} {}{layer}", clean(kind), clean(name))
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn shown(value: &Node, sensitive: bool) -> String {
    if sensitive { SENSITIVE.to_owned() } else { super::values::inline(&open(value)) }
}

/// A value that is no secret, as JSON; credentials in URLs are masked.
fn open(value: &Node) -> Json {
    match &value.value {
        Value::Str(text) => json!(without_url_credentials(text)),
        Value::Seq(members) => Json::Array(members.iter().map(open).collect()),
        Value::Map(mapping) => Json::Object(mapping.entries.iter().map(|(key, value)| (key.name.to_string(), open(value))).collect()),
        _ => json_of(value),
    }
}

/// A value as JSON.
pub fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(&**text),
        Value::Seq(members) => Json::Array(members.iter().map(json_of).collect()),
        Value::Map(mapping) => Json::Object(mapping.entries.iter().map(|(key, value)| (key.name.to_string(), json_of(value))).collect()),
    }
}

/// The answer for programs: a list of values, each with `links` from the resource to the source and `overridden`.
pub fn explained_json(resource: &str, explained: &[Explained], map: &SourceMap) -> Json {
    let place = |span: Span| match map.get(span.file) {
        Some(file) => json!({"file": file.path, "line": span.line, "column": span.column}),
        None => Json::Null,
    };
    let value = |node: &Node, sensitive: bool| if sensitive { json!(SENSITIVE) } else { open(node) };
    let values: Vec<Json> = explained
        .iter()
        .map(|e| {
            let links: Vec<Json> = e
                .links
                .iter()
                .map(|link| {
                    let mut out = json!({"schema": link.schema, "name": link.name, "layer": link.layer, "at": place(link.span)});
                    out["role"] = json!(match link.role {
                        Role::Resource => "resource",
                        Role::Profile => "profile",
                        Role::Layer => "layer",
                        Role::Reference { .. } => "reference",
                        Role::Substitution { .. } => "substitution",
                    });
                    if let Role::Substitution { by } | Role::Reference { by } = link.role {
                        out["by"] = place(by);
                    }
                    out
                })
                .collect();
            let overridden: Vec<Json> = e
                .overridden
                .iter()
                .map(|lost| {
                    json!({"value": value(&lost.value, lost.sensitive), "at": place(lost.value.span), "schema": lost.schema, "name": lost.name, "layer": lost.layer})
                })
                .collect();
            json!({
                "path": e.path, "value": value(&e.value, e.sensitive), "sensitive": e.sensitive, "links": links, "overridden": overridden,
            })
        })
        .collect();
    json!({"resource": resource, "values": values})
}

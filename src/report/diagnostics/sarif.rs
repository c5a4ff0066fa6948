//! SARIF 2.1.0 (OASIS), as code scanning services take it.
//!
//! Nothing is grouped. What the settings silence is a result with a suppression. Excerpts are left out, so that no secret can be in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::place::{help_url, in_order, place, title};
use super::summary::unverified;
use super::{Format, Report};
use crate::check;
use crate::diag::{Code, Diagnostic, Severity};
use crate::report::{clean, clean_json};
use crate::yaml::Span;

pub(super) const FORMAT: Format = Format { name: "sarif", write };

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn write(report: &Report<'_>) -> String {
    clean_json(&format!("{:#}\n", to_sarif(report))).into_owned()
}

fn to_sarif(report: &Report<'_>) -> Value {
    let shown = in_order(report.map, report.diagnostics).into_iter().map(|d| (d, None));
    let silenced = report.silenced.iter().map(|silenced| (&silenced.diagnostic, Some(silenced.reason.as_str())));
    let found: Vec<(&Diagnostic, Option<&str>)> = shown.chain(silenced).collect();
    let mut index: BTreeMap<Code, usize> = found.iter().map(|(d, _)| (d.code, 0)).collect();
    for (at, place) in index.values_mut().enumerate() {
        *place = at;
    }
    let rules: Vec<Value> = index.keys().map(|code| rule(report, *code)).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let results: Vec<Value> = found
        .iter()
        .map(|(diagnostic, reason)| {
            let mut value = result(report, diagnostic, index[&diagnostic.code]);
            // The second of two problems that are alike stays another one.
            let print = fingerprint(report, diagnostic);
            let times = seen.entry(print.clone()).or_default();
            value["partialFingerprints"] = json!({"drydock/v1": if *times == 0 { print } else { format!("{print}:{times}") }});
            *times += 1;
            if let Some(reason) = reason {
                value["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": reason}]);
            }
            value
        })
        .collect();
    let notifications: Vec<Value> = report
        .unverified
        .iter()
        .zip(unverified(report))
        .map(|(left, text)| json!({"level": "note", "message": {"text": text}, "associatedRule": {"id": left.code.0}}))
        .collect();
    let mut driver = json!({
        "name": "drydock",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let home = env!("CARGO_PKG_REPOSITORY");
    if !home.is_empty() {
        driver["informationUri"] = json!(home);
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications}],
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the root of the repository"}}},
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(report: &Report<'_>, code: Code) -> Value {
    let rule = check::rule(code.0);
    let page = check::page(code).unwrap_or_default();
    let mut value = json!({
        "id": code.0,
        "shortDescription": {"text": title(code)},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": level(rule.map_or(Severity::Error, |rule| rule.severity))},
    });
    let url = help_url(report, code);
    if url.contains("://") {
        value["helpUri"] = json!(url);
    }
    if let Some(original) = rule.and_then(|rule| rule.original) {
        value["properties"] = json!({"original": original});
    }
    value
}

fn result(report: &Report<'_>, d: &Diagnostic, index: usize) -> Value {
    let mut text = clean(&d.message).into_owned();
    for (what, part) in [("note", &d.note), ("help", &d.help)] {
        if let Some(part) = part {
            let _ = write!(text, "\n{what}: {}", clean(part));
        }
    }
    let mut value = json!({"ruleId": d.code.0, "ruleIndex": index, "level": level(d.severity), "message": {"text": text}});
    let related: Vec<Value> = d
        .labels
        .iter()
        .filter_map(|label| physical(report, label.span).map(|place| (label, place)))
        .enumerate()
        .map(|(at, (label, place))| json!({"id": at + 1, "physicalLocation": place, "message": {"text": clean(&label.text)}}))
        .collect();
    if !related.is_empty() {
        value["relatedLocations"] = json!(related);
    }
    // GitHub refuses a whole file with a result that is nowhere.
    let physical = d.span.and_then(|span| physical(report, span)).or_else(|| {
        let file = report.paths.fallback.as_deref()?;
        Some(json!({"artifactLocation": artifact(report, file), "region": {"startLine": 1}}))
    });
    let logical: Vec<Value> =
        d.resource.iter().chain(&d.also).map(|name| json!({"fullyQualifiedName": clean(name), "kind": "resource"})).collect();
    let mut location = serde_json::Map::new();
    if let Some(physical) = physical {
        location.insert("physicalLocation".to_owned(), physical);
    }
    if !logical.is_empty() {
        location.insert("logicalLocations".to_owned(), json!(logical));
    }
    value["locations"] = if location.is_empty() { json!([]) } else { json!([location]) };
    value
}

fn physical(report: &Report<'_>, span: Span) -> Option<Value> {
    let at = place(report.map, span)?;
    let region = json!({
        "startLine": at.line.max(1),
        "startColumn": at.column.max(1),
        "endLine": at.end_line.max(1),
        "endColumn": at.end_column.max(1),
        "byteOffset": at.start,
        "byteLength": at.end - at.start,
    });
    Some(json!({"artifactLocation": artifact(report, at.file), "region": region}))
}

/// A path from the root of the repository, or a URL.
fn artifact(report: &Report<'_>, path: &str) -> Value {
    let shown = report.paths.shown(path);
    if shown.contains("://") {
        json!({"uri": encoded(&shown, ":/?#[]@!$&'()*+,;=%")})
    } else if shown.starts_with('/') {
        json!({"uri": format!("file://{}", encoded(&shown, "/"))})
    } else {
        json!({"uri": encoded(&shown, "/"), "uriBaseId": "SRCROOT"})
    }
}

/// RFC 3986: what is neither unreserved nor in `kept` is percent-encoded.
fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && kept.contains(c)) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same for the same problem although lines above it come or go.
fn fingerprint(report: &Report<'_>, d: &Diagnostic) -> String {
    let mut hash = Sha256::new();
    let file = d.span.and_then(|span| place(report.map, span)).map(|at| report.paths.shown(at.file));
    for part in [d.code.0, file.as_deref().unwrap_or_default(), &d.message, d.resource.as_deref().unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

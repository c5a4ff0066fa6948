//! For programs; `docs/validate-json.md` describes every field.

use serde_json::{Value, json};

use super::place::{help_url, in_order, place, title};
use super::{Format, Report};
use crate::check;
use crate::diag::{Diagnostic, Severity};
use crate::report::clean_json;
use crate::yaml::{SourceMap, Span};

pub(super) const FORMAT: Format = Format { name: "json", write };

/// Version of the format; it changes only when a field changes its meaning or goes.
const VERSION: u32 = 1;

fn write(report: &Report<'_>) -> String {
    clean_json(&format!("{:#}\n", to_json(report))).into_owned()
}

/// The report as a value: everything by file and line, and nothing grouped. What a diagnostic does not have is `null`.
pub fn to_json(report: &Report<'_>) -> Value {
    let found: Vec<Value> = in_order(report.map, report.diagnostics).into_iter().map(|d| diagnostic(report, d)).collect();
    let reasons = report.silenced.iter().map(|silenced| (&silenced.diagnostic, &silenced.reason));
    let silenced: Vec<Value> = reasons
        .map(|(d, reason)| {
            let mut value = diagnostic(report, d);
            value["reason"] = json!(reason);
            value
        })
        .collect();
    json!({
        "format": VERSION,
        "drydock": env!("CARGO_PKG_VERSION"),
        "valid": report.is_valid(),
        "strict": report.raised.is_some(),
        "site": report.site.map(|site| &site.name.value),
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "infos": report.count(Severity::Info),
        "diagnostics": found,
        "silenced": silenced,
        "unverified": report.unverified.iter().map(|left| {
            json!({"code": left.code.0, "title": title(left.code), "what": left.what, "why": left.why, "help_url": help_url(report, left.code)})
        }).collect::<Vec<_>>(),
    })
}

fn diagnostic(report: &Report<'_>, d: &Diagnostic) -> Value {
    let map = report.map;
    let rule = check::rule(d.code.0);
    let mut value = located(map, d.span);
    let fields = json!({
        "code": d.code.0,
        "title": title(d.code),
        "severity": d.severity.name(),
        "rule_severity": rule.map(|rule| rule.severity.name()),
        "original": rule.and_then(|rule| rule.original),
        "message": d.message,
        "note": d.note,
        "help": d.help,
        "help_url": help_url(report, d.code),
        "resource": d.resource,
        "also": d.also,
        "also_unnamed": d.unnamed,
        "labels": d.labels.iter().map(|label| {
            let mut value = located(map, Some(label.span));
            value["text"] = json!(label.text);
            value
        }).collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(fields)) = (&mut value, fields) {
        value.extend(fields);
    }
    value
}

fn located(map: &SourceMap, span: Option<Span>) -> Value {
    let at = span.and_then(|span| place(map, span));
    json!({
        "file": at.map(|at| at.file),
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "end_line": at.map(|at| at.end_line),
        "end_column": at.map(|at| at.end_column),
        "start": at.map(|at| at.start),
        "end": at.map(|at| at.end),
    })
}

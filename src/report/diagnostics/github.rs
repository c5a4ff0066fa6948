//! Workflow commands of GitHub Actions: each problem becomes an annotation of the changed file.
//!
//! A line that begins with `::` is a command to the runner, so text of a design must never begin one or end one: it only stands inside of messages and properties,
//! where percent signs, line breaks, colons and commas are escaped as the runner unescapes them (`actions/toolkit`, `core/src/command.ts`).

use std::fmt::Write as _;

use super::groups::{Group, groups};
use super::place::{in_order, place, title};
use super::summary::{counts, unverified};
use super::{Format, Report};
use crate::diag::Severity;
use crate::report::clean;

pub(super) const FORMAT: Format = Format { name: "github", write };

/// The worst first: GitHub shows only ten errors and ten warnings of a step.
fn write(report: &Report<'_>) -> String {
    let mut sorted = in_order(report.map, report.diagnostics);
    sorted.sort_by_key(|d| std::cmp::Reverse(d.severity));
    let mut out = String::new();
    for group in groups(&sorted) {
        out.push_str(&command(report, &group));
        out.push('\n');
    }
    let silenced: std::collections::BTreeSet<&str> = report.silenced.iter().map(|s| s.diagnostic.code.0).collect();
    let mut summary = counts(report);
    if !silenced.is_empty() {
        let _ = write!(summary, " ({})", silenced.into_iter().collect::<Vec<_>>().join(", "));
    }
    let last: Vec<String> = std::iter::once(summary).chain(unverified(report)).map(|line| data(&line)).collect();
    let _ = writeln!(out, "::notice title=drydock validate::{}", last.join("%0A"));
    out
}

fn command(report: &Report<'_>, group: &Group<'_>) -> String {
    let found = group.first;
    let name = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = Vec::new();
    if let Some(at) = found.span.and_then(|span| place(report.map, span)) {
        properties.push(format!("file={}", property(&report.paths.shown(at.file))));
        properties.push(format!("line={}", at.line));
        // Columns are taken only within one line.
        if at.end_line == at.line {
            properties.push(format!("endLine={}", at.line));
            properties.push(format!("col={}", at.column));
            properties.push(format!("endColumn={}", at.end_column));
        } else {
            properties.push(format!("endLine={}", at.end_line));
        }
    } else if let Some(file) = &report.paths.fallback {
        properties.push(format!("file={}", property(&report.paths.shown(file))));
    }
    properties.push(format!("title={}", property(&format!("{}: {}", found.code.0, title(found.code)))));
    format!("::{name} {}::{}", properties.join(","), lines(report, group).iter().map(|line| data(line)).collect::<Vec<_>>().join("%0A"))
}

/// The message, and what belongs to it.
fn lines(report: &Report<'_>, group: &Group<'_>) -> Vec<String> {
    let found = group.first;
    let mut lines = vec![found.message.clone()];
    lines.extend(found.note.as_ref().map(|note| format!("note: {note}")));
    for label in &found.labels {
        if let Some(at) = place(report.map, label.span) {
            lines.push(format!("{}:{}:{}: {}", report.paths.shown(at.file), at.line, at.column, label.text));
        }
    }
    lines.extend(found.resource.as_ref().map(|resource| format!("this is about {resource}")));
    lines.extend(group.others());
    lines.extend(found.help.as_ref().map(|help| format!("help: {help}")));
    lines.push(format!("drydock validate --explain {}", found.code.0));
    lines
}

/// The text of a command.
pub(in crate::report) fn data(text: &str) -> String {
    clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
pub(in crate::report) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

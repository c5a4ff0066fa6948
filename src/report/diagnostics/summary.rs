//! Counts in words.

use std::fmt::Write as _;

use super::Report;
use crate::check::silenced_rules;
use crate::diag::{Diagnostic, Severity};
use crate::report::clean;

/// `2 errors, 1 warning`; `no problems` if there are none.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, one: &str| {
        let n = diagnostics.iter().filter(|d| d.severity == severity).count();
        (n > 0).then(|| counted(n, one))
    };
    let parts: Vec<String> = [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Info, "info")]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

/// The summary with what is silenced or raised, without a word that comes from the design or its settings.
pub(super) fn counts(report: &Report<'_>) -> String {
    let mut text = summary(report.diagnostics);
    if let Some(raised) = report.raised.filter(|raised| *raised > 0) {
        let _ = write!(text, " ({} raised by --strict)", counted(raised, "warning"));
    }
    if !report.silenced.is_empty() {
        let _ = write!(text, ", {} silenced", report.silenced.len());
    }
    text
}

/// The summary line, and a line for each rule that is silenced.
pub(super) fn lines(report: &Report<'_>) -> String {
    let mut text = counts(report);
    text.push('\n');
    for (code, (times, reason)) in silenced_rules(report.silenced) {
        let _ = writeln!(text, "  {} ×{times} silenced in drydock.yaml: {}", code.0, clean(reason));
    }
    text
}

/// What was not verified, one line each, without a word that comes from the design or its settings in front.
pub(super) fn unverified(report: &Report<'_>) -> Vec<String> {
    report.unverified.iter().map(|left| format!("not verified [{}]: {} ({})", left.code.0, clean(&left.what), clean(&left.why))).collect()
}

pub(super) fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

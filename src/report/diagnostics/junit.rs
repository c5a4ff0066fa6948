//! JUnit XML, which most CI servers show as tests: a test suite for each file, and one for what stands in no file.
//!
//! Errors are failures. Warnings and notes are tests that pass and say something; what the settings silence is skipped, and so is
//! what no rule could look at. A file without errors has a test that
//! passes, and so has a design without errors, so that it is never a report without tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::groups::{Group, groups};
use super::place::{in_order, place};
use super::summary::{counts, lines};
use super::{Format, Report};
use crate::check::Unverified;
use crate::diag::{Diagnostic, Severity};
use crate::report::clean;

pub(super) const FORMAT: Format = Format { name: "junit", write };

/// The suite of what stands in no file.
const NOWHERE: &str = "design";

#[derive(Debug, Default)]
struct Suite {
    cases: String,
    tests: usize,
    failures: usize,
    skipped: usize,
}

fn write(report: &Report<'_>) -> String {
    let mut suites: BTreeMap<String, Suite> = BTreeMap::from([(NOWHERE.to_owned(), Suite::default())]);
    for file in report.map.files() {
        suites.entry(report.paths.shown(&file.path).into_owned()).or_default();
    }
    for group in groups(&in_order(report.map, report.diagnostics)) {
        let name = file(report, group.first);
        suites.entry(name.clone()).or_default().case(report, &name, &group);
    }
    for silenced in report.silenced {
        let name = file(report, &silenced.diagnostic);
        suites.entry(name.clone()).or_default().skip(report, &name, &silenced.diagnostic, &silenced.reason);
    }
    for left in report.unverified {
        suites.entry(NOWHERE.to_owned()).or_default().not_run(left);
    }
    let valid = report.count(Severity::Error) == 0;
    for (name, suite) in &mut suites {
        if suite.failures == 0 && (valid || name != NOWHERE) {
            let what = if name == NOWHERE { "the design as a whole is valid" } else { "the file is valid" };
            suite.open(name, what, name != NOWHERE);
            suite.cases.push_str("/>\n");
        }
    }
    let (tests, failures) = suites.values().fold((0, 0), |(tests, failures), suite| (tests + suite.tests, failures + suite.failures));
    let skipped: usize = suites.values().map(|suite| suite.skipped).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"drydock validate\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">"
    );
    for (name, suite) in &suites {
        let Suite { cases, tests, failures, skipped } = suite;
        let _ = write!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n{cases}",
            escaped(name)
        );
        if name == NOWHERE {
            let summary: Vec<String> =
                if report.silenced.is_empty() { vec![counts(report)] } else { lines(report).lines().map(str::to_owned).collect() };
            let _ = writeln!(out, "    <system-out>{}</system-out>", body(&summary));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn file(report: &Report<'_>, found: &Diagnostic) -> String {
    found.span.and_then(|span| place(report.map, span)).map_or_else(|| NOWHERE.to_owned(), |at| report.paths.shown(at.file).into_owned())
}

impl Suite {
    fn open(&mut self, suite: &str, name: &str, is_file: bool) {
        self.tests += 1;
        let _ = write!(self.cases, "    <testcase classname=\"{}\" name=\"{}\"", escaped(suite), escaped(name));
        if is_file {
            let _ = write!(self.cases, " file=\"{}\"", escaped(suite));
        }
    }

    /// A test case that is named after a problem.
    fn found(&mut self, report: &Report<'_>, suite: &str, found: &Diagnostic) {
        let at = found.span.and_then(|span| place(report.map, span));
        let place = at.map(|at| format!(" ({}:{})", at.line, at.column)).unwrap_or_default();
        self.open(suite, &format!("{} {}{place}", found.code.0, found.message), at.is_some());
        if let Some(at) = at {
            let _ = write!(self.cases, " line=\"{}\"", at.line);
        }
        self.cases.push_str(">\n");
    }

    fn case(&mut self, report: &Report<'_>, suite: &str, group: &Group<'_>) {
        let found = group.first;
        self.found(report, suite, found);
        let text = body(&detail(report, group));
        if found.severity == Severity::Error {
            self.failures += 1;
            let _ = writeln!(
                self.cases,
                "      <failure type=\"{}\" message=\"{}\">{text}</failure>",
                escaped(found.code.0),
                escaped(&found.message)
            );
        } else {
            let _ = writeln!(self.cases, "      <system-out>{}: {text}</system-out>", found.severity.name());
        }
        self.cases.push_str("    </testcase>\n");
    }

    /// What nobody looked at is a test that did not run.
    fn not_run(&mut self, left: &Unverified) {
        self.skipped += 1;
        self.open(NOWHERE, &format!("{} {}", left.code.0, left.what), false);
        let _ =
            writeln!(self.cases, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(&format!("not verified: {}", left.why)));
    }

    fn skip(&mut self, report: &Report<'_>, suite: &str, found: &Diagnostic, reason: &str) {
        self.skipped += 1;
        self.found(report, suite, found);
        let _ = writeln!(
            self.cases,
            "      <skipped message=\"{}\"/>\n    </testcase>",
            escaped(&format!("silenced in drydock.yaml: {reason}"))
        );
    }
}

fn detail(report: &Report<'_>, group: &Group<'_>) -> Vec<String> {
    let found = group.first;
    let located = |span| place(report.map, span).map(|at| format!("{}:{}:{}: ", report.paths.shown(at.file), at.line, at.column));
    let mut lines = vec![format!("{}{}", found.span.and_then(located).unwrap_or_default(), found.message)];
    lines.extend(found.note.as_ref().map(|note| format!("note: {note}")));
    lines.extend(found.labels.iter().map(|label| format!("{}{}", located(label.span).unwrap_or_default(), label.text)));
    lines.extend(found.resource.as_ref().map(|resource| format!("this is about {resource}")));
    lines.extend(group.others());
    lines.extend(found.help.as_ref().map(|help| format!("help: {help}")));
    lines.push(format!("drydock validate --explain {}", found.code.0));
    lines
}

fn body(lines: &[String]) -> String {
    lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n")
}

/// For attributes and text: XML's own characters as entities, and what XML 1.0 cannot hold as escapes or as the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

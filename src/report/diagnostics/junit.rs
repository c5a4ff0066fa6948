//! JUnit XML, which most CI servers show as tests: a test suite for each file, and one for what stands in no file.
//!
//! Errors are failures. Warnings and notes are tests that pass and say something; what the settings silence is skipped, and so is
//! what no rule could look at. A file without errors has a test that
//! passes, and so has a design without errors, so that it is never a report without tests.

use std::collections::BTreeMap;

use super::groups::{Group, groups};
use super::place::{in_order, place};
use super::summary::{counts, lines};
use super::{Format, Report};
use crate::diag::{Diagnostic, Severity};
use crate::report::junit::{self, Case, Ended, Suite};

pub(super) const FORMAT: Format = Format { name: "junit", write };

/// The suite of what stands in no file.
const NOWHERE: &str = "design";

fn write(report: &Report<'_>) -> String {
    let mut suites: BTreeMap<String, Suite> = BTreeMap::new();
    let paths = report.map.files().iter().map(|file| report.paths.shown(&file.path).into_owned());
    for name in paths.chain([NOWHERE.to_owned()]) {
        suites.entry(name.clone()).or_insert_with(|| Suite::new(name));
    }
    let mut add = |found: &Diagnostic, ended: Ended<'_>| {
        let at = found.span.and_then(|span| place(report.map, span));
        let file = at.map(|at| report.paths.shown(at.file));
        let position = at.map(|at| format!(" ({}:{})", at.line, at.column)).unwrap_or_default();
        let name = format!("{} {}{position}", found.code.0, found.message);
        let suite = file.as_deref().unwrap_or(NOWHERE).to_owned();
        let at = file.as_deref().zip(at.map(|at| Some(u64::from(at.line))));
        suites.entry(suite.clone()).or_insert_with(|| Suite::new(suite)).add(&Case { name: &name, at, time_ms: None, ended });
    };
    for group in groups(&in_order(report.map, report.diagnostics)) {
        let (found, lines) = (group.first, detail(report, &group));
        if found.severity == Severity::Error {
            add(found, Ended::Failed(found.code.0, &found.message, &lines));
        } else {
            add(found, Ended::Passed(Some(&format!("{}: {}", found.severity.name(), lines.join("\n")))));
        }
    }
    for silenced in report.silenced {
        add(&silenced.diagnostic, Ended::Skipped(&format!("silenced in drydock.yaml: {}", silenced.reason)));
    }
    let valid = report.count(Severity::Error) == 0;
    for (name, suite) in &mut suites {
        let whole = name == NOWHERE;
        if whole {
            for left in report.unverified {
                // What nobody looked at is a test that did not run.
                let (name, why) = (format!("{} {}", left.code.0, left.what), format!("not verified: {}", left.why));
                suite.add(&Case { name: &name, at: None, time_ms: None, ended: Ended::Skipped(&why) });
            }
            let silenced = !report.silenced.is_empty();
            suite.say(if silenced { lines(report).lines().map(str::to_owned).collect() } else { vec![counts(report)] });
        }
        if suite.failures == 0 && (valid || !whole) {
            let what = if whole { "the design as a whole is valid" } else { "the file is valid" };
            let at = (!whole).then_some((name.as_str(), None));
            suite.add(&Case { name: what, at, time_ms: None, ended: Ended::Passed(None) });
        }
    }
    junit::report("drydock validate", suites.values())
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

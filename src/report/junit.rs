//! JUnit XML, as CI servers read it: test suites with test cases.
//!
//! Elements and attributes are those of the schema of Jenkins' xUnit plugin (junit-10.xsd), and `file` and `line` of a test case, which GitLab reads.

use std::fmt::Write as _;

use super::escape::clean;

/// How a test case ended.
#[derive(Debug)]
pub(super) enum Ended<'a> {
    /// It passed, and may have something to say.
    Passed(Option<&'a str>),
    /// What was looked at is wrong: kind, message, details.
    Failed(&'a str, &'a str, &'a [String]),
    /// It did not come to its end: kind, message, details.
    Error(&'a str, &'a str, &'a [String]),
    /// It was not looked at, and why.
    Skipped(&'a str),
}

/// A test case.
#[derive(Debug)]
pub(super) struct Case<'a> {
    /// Its name; not empty.
    pub(super) name: &'a str,
    /// File and line that it is about.
    pub(super) at: Option<(&'a str, Option<u64>)>,
    /// Milliseconds that it took.
    pub(super) time_ms: Option<u64>,
    /// How it ended.
    pub(super) ended: Ended<'a>,
}

/// Test cases that belong together.
#[derive(Debug, Default)]
pub(super) struct Suite {
    name: String,
    cases: String,
    tests: usize,
    pub(super) failures: usize,
    errors: usize,
    skipped: usize,
    time_ms: Option<u64>,
    /// Attributes beside name and counts.
    attributes: Vec<(&'static str, String)>,
    properties: Vec<(&'static str, String)>,
    /// Text below the cases.
    out: Vec<String>,
}

impl Suite {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Says when (`2026-11-22T19:04:11Z`) and on which host it was run.
    pub(super) fn ran(mut self, timestamp: String, host: &str) -> Self {
        self.attributes = vec![("timestamp", timestamp), ("hostname", host.to_owned())];
        self
    }

    pub(super) fn property(&mut self, name: &'static str, value: impl Into<String>) {
        self.properties.push((name, value.into()));
    }

    /// Text below the cases.
    pub(super) fn say(&mut self, lines: Vec<String>) {
        self.out = lines;
    }

    pub(super) fn add(&mut self, case: &Case<'_>) {
        self.tests += 1;
        let out = &mut self.cases;
        let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"", escaped(&self.name), escaped(case.name));
        if let Some(ms) = case.time_ms {
            self.time_ms = Some(self.time_ms.unwrap_or(0) + ms);
            let _ = write!(out, " time=\"{}\"", seconds(ms));
        }
        if let Some((file, line)) = case.at {
            let _ = write!(out, " file=\"{}\"", escaped(file));
            if let Some(line) = line {
                let _ = write!(out, " line=\"{line}\"");
            }
        }
        let troubled = |out: &mut String, tag: &str, kind: &str, message: &str, details: &[String]| {
            let (kind, message, text) = (escaped(kind), escaped(message), body(details));
            let _ = writeln!(out, ">\n      <{tag} type=\"{kind}\" message=\"{message}\">{text}</{tag}>\n    </testcase>");
        };
        match case.ended {
            Ended::Passed(None) => out.push_str("/>\n"),
            Ended::Passed(Some(text)) => {
                let _ = writeln!(out, ">\n      <system-out>{}</system-out>\n    </testcase>", lines(text));
            }
            Ended::Failed(kind, message, details) => {
                self.failures += 1;
                troubled(out, "failure", kind, message, details);
            }
            Ended::Error(kind, message, details) => {
                self.errors += 1;
                troubled(out, "error", kind, message, details);
            }
            Ended::Skipped(why) => {
                self.skipped += 1;
                let _ = writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why));
            }
        }
    }
}

/// The whole report.
pub(super) fn report<'a>(name: &str, suites: impl IntoIterator<Item = &'a Suite>) -> String {
    let suites: Vec<&Suite> = suites.into_iter().collect();
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(|suite| of(suite)).sum::<usize>();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(out, "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" ", escaped(name), sum(|s| s.tests), sum(|s| s.failures));
    let _ = writeln!(out, "errors=\"{}\">", sum(|s| s.errors));
    for suite in suites {
        let Suite { name, cases, tests, failures, errors, skipped, time_ms, attributes, properties, out: said } = suite;
        let _ = write!(out, "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" ", escaped(name));
        let _ = write!(out, "errors=\"{errors}\" skipped=\"{skipped}\"");
        if let Some(ms) = time_ms {
            let _ = write!(out, " time=\"{}\"", seconds(*ms));
        }
        for (attribute, value) in attributes {
            let _ = write!(out, " {attribute}=\"{}\"", escaped(value));
        }
        out.push_str(">\n");
        if !properties.is_empty() {
            out.push_str("    <properties>\n");
            for (name, value) in properties {
                let _ = writeln!(out, "      <property name=\"{name}\" value=\"{}\"/>", escaped(value));
            }
            out.push_str("    </properties>\n");
        }
        out.push_str(cases);
        if !said.is_empty() {
            let _ = writeln!(out, "    <system-out>{}</system-out>", body(said));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// `0.040`, `251.500`.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn body(lines: &[String]) -> String {
    lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n")
}

/// Text that keeps its line ends.
fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
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

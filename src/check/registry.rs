//! The table of rules, and how they are run.

use super::findings::Findings;
use super::reading::READING;
use super::rules::RULES;
use crate::diag::{Code, Diagnostic, Severity};
use crate::model::{Sink, Site};

/// A rule, or a kind of problem that is found while a design is read and resolved.
#[derive(Debug)]
pub struct Rule {
    /// Its unique code; `docs/rules/<code>.md` explains it.
    pub code: Code,
    /// What Airship Drydock calls the nearest thing that it checks.
    pub original: Option<&'static str>,
    /// What is wrong where it reports something.
    pub title: &'static str,
    /// How bad that is.
    pub severity: Severity,
    /// What finds it in a model alone; `None` if reading and resolving do, or a build model is needed ([`super::Known`]).
    pub(super) check: Option<fn(&Site, &mut Findings<'_>)>,
}

/// Every rule, in the order of codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let mut all: Vec<&'static Rule> =
        READING.iter().chain([&super::secrets::RULE, &super::secrets::URL_RULE]).chain(RULES.iter().copied()).collect();
    all.sort_by_key(|rule| rule.code);
    all.into_iter()
}

/// The rule with this code, written with or without `DD`.
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.code.0.eq_ignore_ascii_case(code) || rule.code.0.strip_prefix("DD") == Some(code))
}

/// Runs one rule over a model: what it finds, in no order. Nothing for a problem that reading finds.
pub fn run_one(rule: &'static Rule, site: &Site) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    if let Some(check) = rule.check {
        check(site, &mut Findings::new(rule, &mut sink));
    }
    sink.finish()
}

/// Runs all rules over a model. What they find comes in the order of files and lines.
pub fn run(site: &Site) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    for rule in RULES {
        if let Some(check) = rule.check {
            check(site, &mut Findings::new(rule, &mut sink));
        }
    }
    in_order(sink)
}

pub(super) fn in_order(sink: Sink) -> Vec<Diagnostic> {
    let mut found = sink.finish();
    found.sort_by(|a, b| (a.span, a.code, &a.message).cmp(&(b.span, b.code, &b.message)));
    found
}

//! What a design alone does not say, and which rules need it.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Findings;
use super::registry::Rule;
use super::rules::KNOWING;
use crate::build::Image;
use crate::diag::{Code, Diagnostic};
use crate::model::{Sink, Site};

/// Facts of a build model in terms of the design.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Boot images of the provisioner, or why they are not known.
    pub images: Result<&'a [Image], &'a str>,
    /// Bytes of the disks that are known, by node and by the design's name of the disk. A node whose machine is not known is not in it.
    pub disks: BTreeMap<&'a str, BTreeMap<&'a str, u64>>,
}

/// What a rule has to look at, so that it can be said where nobody looked.
pub(super) type Subject = fn(&Site, Option<&Known<'_>>) -> Option<Subjects>;

/// In words, what of a design could not be looked at, and why.
#[derive(Debug)]
pub(super) struct Subjects {
    pub(super) what: String,
    pub(super) why: String,
}

/// What to say where there is no build model at all.
pub(super) const NO_BUILD: &str = "no build model: give one with --build FILE, or plan";

/// A rule that needs facts.
pub(super) struct Knowing {
    pub(super) rule: &'static Rule,
    pub(super) check: fn(&Site, &Known<'_>, &mut Findings<'_>),
    pub(super) subject: Subject,
}

/// Something of a design that no rule could look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    /// The rule that would have looked.
    pub code: Code,
    /// What was not looked at: `the images jammy, noble`.
    pub what: String,
    /// What is missing, and how to get it.
    pub why: String,
}

/// Runs the rules that need facts. What they find comes in the order of files and lines.
pub fn run_knowing(site: &Site, known: &Known<'_>) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    for knowing in KNOWING {
        (knowing.check)(site, known, &mut Findings::new(knowing.rule, &mut sink));
    }
    super::registry::in_order(sink)
}

/// What of a design is not verified, because it takes facts that are not at hand.
pub fn unverified(site: &Site, known: Option<&Known<'_>>) -> Vec<Unverified> {
    let subjects = KNOWING.iter().filter_map(|knowing| Some((knowing.rule.code, (knowing.subject)(site, known)?)));
    subjects.map(|(code, Subjects { what, why })| Unverified { code, what, why }).collect()
}

/// `the images `a`, `b`` or `the images `a`, `b` and 7 more`.
pub(super) fn named(what: &str, names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{what}{} {}{more}", if names.len() == 1 { "" } else { "s" }, shown.join(", "))
}

//! The table of formats, and what they are given.

use super::text::Style;
use super::{Paths, github, json, junit, sarif, text};
use crate::check::{Silenced, Unverified};
use crate::diag::{Diagnostic, Severity};
use crate::model::Site;
use crate::yaml::SourceMap;

/// A way to write the problems of a design.
#[derive(Debug)]
pub struct Format {
    /// Its name, for `--format`.
    pub name: &'static str,
    /// Writes a report.
    pub write: fn(&Report<'_>) -> String,
}

/// All formats; the first is the default.
pub static FORMATS: [Format; 5] = [text::FORMAT, json::FORMAT, github::FORMAT, sarif::FORMAT, junit::FORMAT];

/// The format of this name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// What was found in a design.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Its files.
    pub map: &'a SourceMap,
    /// What is wrong.
    pub diagnostics: &'a [Diagnostic],
    /// What the settings silence.
    pub silenced: &'a [Silenced],
    /// What no rule could look at, because it takes facts that are not at hand.
    pub unverified: &'a [Unverified],
    /// Warnings that count as errors because `--strict` says so.
    pub raised: Option<usize>,
    /// What the design means, if it could be read.
    pub site: Option<&'a Site>,
    /// URL of the pages of rules, with `{code}`.
    pub pages: Option<&'a str>,
    /// How files are named for tools that look at the whole repository.
    pub paths: Paths,
    /// How text looks.
    pub style: Style,
    /// Whether text shows every problem with an excerpt, however many there are.
    pub verbose: bool,
}

impl<'a> Report<'a> {
    /// A report without anything special.
    pub fn new(map: &'a SourceMap, diagnostics: &'a [Diagnostic]) -> Self {
        Self {
            map,
            diagnostics,
            silenced: &[],
            unverified: &[],
            raised: None,
            site: None,
            pages: None,
            paths: Paths::default(),
            style: Style::default(),
            verbose: false,
        }
    }

    /// Whether the design can be planned from.
    pub fn is_valid(&self) -> bool {
        self.site.is_some() && self.count(Severity::Error) == 0
    }

    pub(super) fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }
}

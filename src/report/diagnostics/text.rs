//! Text with excerpts in the style of rustc.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::groups::{Group, groups};
use super::place::{boundary, in_order};
use super::summary::{counted, lines, summary, unverified};
use super::{Format, Report};
use crate::diag::{Code, Diagnostic, Severity};
use crate::document::Heads;
use crate::model::Site;
use crate::report::mask;
use crate::yaml::{self, FileId, SourceMap, Span};
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};

/// How diagnostics are shown as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal; long lines of an excerpt are cut to it.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, width: 140 }
    }
}

/// Lines between two positions that still make one excerpt.
const SAME_EXCERPT_LINES: u32 = 100;

/// Bytes of an excerpt; above this, the place alone is shown.
const LONGEST_EXCERPT: usize = 64 * 1024;

/// How many problems are shown with an excerpt.
#[derive(Debug, Clone, Copy)]
struct Most {
    of_a_rule: usize,
    /// With the same message.
    alike: usize,
}

const ALL: Most = Most { of_a_rule: usize::MAX, alike: usize::MAX };

const FEW: Most = Most { of_a_rule: 5, alike: 2 };

/// Messages of one rule that are shown with a line where there are too many for excerpts; further ones are counted.
const LINES: usize = 20;

/// Places that such a line names.
const PLACES: usize = 3;

pub(super) const FORMAT: Format = Format { name: "text", write };

fn write(report: &Report<'_>) -> String {
    let (map, diagnostics) = (report.map, report.diagnostics);
    let mut text = all(map, diagnostics, report.style, if report.verbose { ALL } else { FEW });
    text.push_str(&lines(report));
    if let Some(site) = report.site.filter(|_| report.is_valid()) {
        text.push_str(&contents(site));
        for line in unverified(report) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// All diagnostics with excerpts, the worst last, where a terminal shows them; within a severity by file and line. Ends with the [`summary`]. Empty if there are
/// none.
pub fn render(map: &SourceMap, diagnostics: &[Diagnostic], style: Style) -> String {
    with_summary(all(map, diagnostics, style, ALL), diagnostics)
}

/// As [`render`], but of a rule with many problems not all are shown with an excerpt.
pub fn render_short(map: &SourceMap, diagnostics: &[Diagnostic], style: Style) -> String {
    with_summary(all(map, diagnostics, style, FEW), diagnostics)
}

fn with_summary(mut text: String, diagnostics: &[Diagnostic]) -> String {
    if !diagnostics.is_empty() {
        text.push_str(&summary(diagnostics));
        text.push('\n');
    }
    text
}

fn all(map: &SourceMap, diagnostics: &[Diagnostic], style: Style, most: Most) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() }.term_width(style.width);
    let mut sorted = in_order(map, diagnostics);
    sorted.sort_by_key(|d| d.severity);
    let mut out = String::new();
    let mut shown: BTreeMap<(Severity, Code), BTreeMap<&str, usize>> = BTreeMap::new();
    let mut excerpts_of: BTreeMap<(Severity, Code), usize> = BTreeMap::new();
    let mut rest: BTreeMap<(Severity, Code), Vec<Group>> = BTreeMap::new();
    let mut wanted = Vec::new();
    for group in groups(&sorted) {
        let key = (group.first.severity, group.first.code);
        let of_rule = shown.entry(key).or_default();
        let alike = of_rule.entry(&group.first.message).or_default();
        if *alike >= most.alike || excerpts_of.get(&key).is_some_and(|n| *n >= most.of_a_rule) {
            rest.entry(key).or_default().push(group);
        } else {
            *alike += 1;
            *excerpts_of.entry(key).or_default() += 1;
            wanted.push(group);
        }
    }
    let texts = masked_texts(map, wanted.iter().map(|group| group.first));
    for severity in [Severity::Info, Severity::Warning, Severity::Error] {
        for group in wanted.iter().filter(|group| group.first.severity == severity) {
            out.push_str(&one(map, &texts, group, &renderer));
            out.push_str("\n\n");
        }
        for ((_, code), groups) in rest.range((severity, Code(""))..).take_while(|((of, _), _)| *of == severity) {
            out.push_str(&in_lines(map, severity, *code, groups, style));
            out.push('\n');
        }
    }
    out
}

/// `warning[DD2107]: 7 more of this rule`, and a line for each message.
fn in_lines(map: &SourceMap, severity: Severity, code: Code, groups: &[Group<'_>], style: Style) -> String {
    let color = match severity {
        Severity::Error => "1;91",
        Severity::Warning => "1;33",
        Severity::Info => "1;94",
    };
    let head = format!("{}[{}]", severity.name(), code.0);
    let head = if style.color { format!("\u{1b}[{color}m{head}\u{1b}[0m") } else { head };
    let mut out = format!("{head}: {} more of this rule\n", groups.len());
    let mut order: Vec<(&str, Vec<&Group>)> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups {
        let at = *known.entry(&group.first.message).or_insert(order.len());
        match order.get_mut(at) {
            Some((_, alike)) => alike.push(group),
            None => order.push((&group.first.message, vec![group])),
        }
    }
    for (message, alike) in order.iter().take(LINES) {
        let places =
            alike.iter().filter_map(|group| group.first.span).map(|span| map.describe(span)).take(PLACES).collect::<Vec<_>>().join(", ");
        let times = if alike.len() == 1 { String::new() } else { format!(" ×{}", alike.len()) };
        let more = if alike.len() > PLACES { ", …" } else { "" };
        let resources = alike.iter().map(|group| group.more.len()).sum::<usize>();
        let also = if resources == 0 { String::new() } else { format!(" (and {})", counted(resources, "more resource")) };
        // A line must not begin with a path: `::error ::.yaml` would be a command to GitHub's runner.
        let _ = writeln!(out, "  - {}{times}{also}", clean(message));
        if !places.is_empty() {
            let _ = writeln!(out, "    at {}{more}", clean(&places));
        }
    }
    if order.len() > LINES {
        let left: usize = order[LINES..].iter().map(|(_, alike)| alike.len()).sum();
        let _ = writeln!(out, "  … and {left} further ones; -v shows all");
    }
    out
}

/// `site hello-site: 3 nodes, 5 networks, …`.
fn contents(site: &Site) -> String {
    let parts = [
        counted(site.nodes.len(), "node"),
        counted(site.racks.len(), "rack"),
        counted(site.networks.len(), "network"),
        counted(site.links.len(), "link"),
        counted(site.host_profiles.len(), "host profile"),
        counted(site.hardware_profiles.len(), "hardware profile"),
        counted(site.boot_actions.len(), "boot action"),
    ];
    format!("site {}: {}\n", clean(&site.name.value), parts.join(", "))
}

/// The files that diagnostics point into, without their secrets: byte offsets are the same.
type Texts = BTreeMap<FileId, String>;

fn masked_texts<'a>(map: &SourceMap, diagnostics: impl Iterator<Item = &'a Diagnostic>) -> Texts {
    let spans = diagnostics.flat_map(|d| d.span.into_iter().chain(d.labels.iter().map(|l| l.span)));
    let files: BTreeSet<FileId> = spans.map(|span| span.file).collect();
    files.into_iter().filter_map(|id| Some((id, masked(map, id)?))).collect()
}

fn masked(map: &SourceMap, id: FileId) -> Option<String> {
    let text = &map.get(id)?.text;
    let parsed = yaml::parse(map, id);
    let is_read = parsed.diagnostics.iter().all(|found| found.code == yaml::codes::DUPLICATE_KEY);
    let secrets: Vec<(u32, u32)> =
        Heads::of(&parsed.documents).iter().filter(|head| head.secret).map(|head| (head.data.start, head.data.end)).collect();
    Some(mask::masked(text, is_read.then_some(&secrets)))
}

/// A position with its note; primary is where the problem is.
struct Mark<'a> {
    span: Span,
    primary: bool,
    text: Option<&'a str>,
}

fn one(map: &SourceMap, texts: &Texts, group: &Group<'_>, renderer: &Renderer) -> String {
    let diagnostic = group.first;
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let primary = diagnostic.span.map(|span| Mark { span, primary: true, text: diagnostic.note.as_deref() });
    let others = diagnostic.labels.iter().map(|label| Mark { span: label.span, primary: false, text: Some(&label.text) });
    let marks: Vec<Mark> = primary.into_iter().chain(others).filter(|mark| map.get(mark.span.file).is_some()).collect();

    let mut title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.0).elements(excerpts(map, texts, &marks));
    if marks.is_empty()
        && let Some(note) = &diagnostic.note
    {
        title = title.element(Level::NOTE.message(clean(note)));
    }
    if let Some(resource) = &diagnostic.resource {
        title = title.element(Level::NOTE.message(format!("this is about {}", clean(resource))));
    }
    if let Some(others) = group.others() {
        title = title.element(Level::NOTE.message(others));
    }
    if let Some(help) = &diagnostic.help {
        title = title.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[title])
}

/// One snippet per run of nearby marks of a file: the primary's first.
fn excerpts<'a>(map: &'a SourceMap, texts: &'a Texts, marks: &[Mark<'a>]) -> Vec<Element<'a>> {
    let mut by_file: BTreeMap<FileId, Vec<&Mark>> = BTreeMap::new();
    for mark in marks {
        by_file.entry(mark.span.file).or_default().push(mark);
    }
    let mut runs: Vec<Vec<&Mark>> = Vec::new();
    for (_, mut of_file) in by_file {
        of_file.sort_by_key(|mark| (mark.span.line, mark.span.column));
        for mark in of_file {
            match runs.last_mut() {
                Some(run)
                    if run.last().is_some_and(|last| {
                        last.span.file == mark.span.file && mark.span.line.saturating_sub(last.span.line) <= SAME_EXCERPT_LINES
                    }) =>
                {
                    run.push(mark);
                }
                _ => runs.push(vec![mark]),
            }
        }
    }
    runs.sort_by_key(|run| !run.iter().any(|mark| mark.primary));
    runs.into_iter().filter_map(|run| excerpt(map, texts, &run)).collect()
}

fn excerpt<'a>(map: &'a SourceMap, texts: &'a Texts, run: &[&Mark<'a>]) -> Option<Element<'a>> {
    let (first, last) = (run.first()?, run.last()?);
    let file = map.get(first.span.file)?;
    let text: &str = texts.get(&first.span.file)?;
    let start = text[..boundary(text, first.span.start)].rfind('\n').map_or(0, |at| at + 1);
    let start = if text[start..].starts_with('\u{feff}') { start + '\u{feff}'.len_utf8() } else { start };
    let end = boundary(text, last.span.start);
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at).max(start);
    let end = if text[start..end].ends_with('\r') { end - 1 } else { end };
    if end - start > LONGEST_EXCERPT {
        let origin = Origin::path(clean(&file.path)).line(first.span.line as usize).char_column(first.span.column as usize);
        return Some(origin.into());
    }
    let snippet = Snippet::source(&text[start..end]).path(clean(&file.path)).line_start(first.span.line as usize).annotations(
        run.iter().map(|mark| {
            let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(within(text, mark.span, start..end));
            match mark.text {
                Some(text) => annotation.label(clean(text)),
                None => annotation,
            }
        }),
    );
    Some(snippet.into())
}

/// The part of a span on its first line, relative to the excerpt.
fn within(text: &str, span: Span, excerpt: Range<usize>) -> Range<usize> {
    let start = boundary(text, span.start).clamp(excerpt.start, excerpt.end);
    let end = boundary(text, span.end).clamp(start, excerpt.end);
    let end = text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
    start - excerpt.start..end - excerpt.start
}

/// Without what could move a terminal's cursor or reverse its text: the renderer itself cleans only titles and excerpts.
fn clean(text: &str) -> Cow<'_, str> {
    let hostile = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(hostile) { Cow::Owned(text.replace(hostile, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

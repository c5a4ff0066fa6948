//! Diagnostics as text with excerpts, and as JSON.
//!
//! In: diagnostics and the files they point into. Out: text in the style of rustc, or a JSON value. Secrets in the excerpts are masked: an excerpt may end up in
//! the log of a CI run.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::mask;
use crate::diag::{Diagnostic, Severity};
use crate::document::Heads;
use crate::yaml::{self, FileId, SourceMap, Span};

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

/// All diagnostics with excerpts, the worst last, where a terminal shows them; within a severity by file and line. Ends with the [`summary`]. Empty if there are
/// none.
pub fn render(map: &SourceMap, diagnostics: &[Diagnostic], style: Style) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() }.term_width(style.width);
    let mut sorted = in_order(map, diagnostics);
    sorted.sort_by_key(|d| d.severity);
    let texts = masked_texts(map, diagnostics);
    let mut out = String::new();
    for diagnostic in sorted {
        out.push_str(&one(map, &texts, diagnostic, &renderer));
        out.push_str("\n\n");
    }
    out.push_str(&summary(diagnostics));
    out.push('\n');
    out
}

/// `2 errors, 1 warning`; `no problems` if there are none.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, one: &str| {
        let n = diagnostics.iter().filter(|d| d.severity == severity).count();
        (n > 0).then(|| format!("{n} {one}{}", if n == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Info, "note")]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

/// `{"errors": n, "warnings": n, "diagnostics": [...]}`, by file and line. Each diagnostic has all fields; what it does not have is `null`.
pub fn to_json(diagnostics: &[Diagnostic], map: &SourceMap) -> Value {
    let place = |span: Option<Span>| {
        let file = span.and_then(|s| map.get(s.file)).map(|f| f.path.as_str());
        let span = span.filter(|_| file.is_some());
        (file, span.map(|s| s.line), span.map(|s| s.column))
    };
    let list: Vec<Value> = in_order(map, diagnostics)
        .into_iter()
        .map(|d| {
            let (file, line, column) = place(d.span);
            let labels: Vec<Value> = d
                .labels
                .iter()
                .map(|label| {
                    let (file, line, column) = place(Some(label.span));
                    json!({"file": file, "line": line, "column": column, "text": label.text})
                })
                .collect();
            json!({
                "code": d.code.0,
                "severity": severity_name(d.severity),
                "message": d.message,
                "file": file,
                "line": line,
                "column": column,
                "note": d.note,
                "help": d.help,
                "resource": d.resource,
                "labels": labels,
            })
        })
        .collect();
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    json!({"errors": count(Severity::Error), "warnings": count(Severity::Warning), "diagnostics": list})
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// By path and place; what stands in no file comes first; ties keep their order.
fn in_order<'a>(map: &SourceMap, diagnostics: &'a [Diagnostic]) -> Vec<&'a Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    let key = |d: &Diagnostic| d.span.map(|s| (map.get(s.file).map_or("", |f| f.path.as_str()).to_owned(), s.line, s.column));
    sorted.sort_by_cached_key(|d| key(d));
    sorted
}

/// The files that diagnostics point into, without their secrets: byte offsets are the same.
type Texts = BTreeMap<FileId, String>;

fn masked_texts(map: &SourceMap, diagnostics: &[Diagnostic]) -> Texts {
    let spans = diagnostics.iter().flat_map(|d| d.span.into_iter().chain(d.labels.iter().map(|l| l.span)));
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

fn one(map: &SourceMap, texts: &Texts, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let primary = diagnostic.span.map(|span| Mark { span, primary: true, text: diagnostic.note.as_deref() });
    let others = diagnostic.labels.iter().map(|label| Mark { span: label.span, primary: false, text: Some(&label.text) });
    let marks: Vec<Mark> = primary.into_iter().chain(others).filter(|mark| map.get(mark.span.file).is_some()).collect();

    let mut group = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.0).elements(excerpts(map, texts, &marks));
    if marks.is_empty()
        && let Some(note) = &diagnostic.note
    {
        group = group.element(Level::NOTE.message(clean(note)));
    }
    if let Some(resource) = &diagnostic.resource {
        group = group.element(Level::NOTE.message(format!("this is about {}", clean(resource))));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[group])
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

fn boundary(text: &str, offset: u32) -> usize {
    let mut at = (offset as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

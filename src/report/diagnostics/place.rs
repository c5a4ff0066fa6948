//! Positions as other programs count them, and names of files.

use std::borrow::Cow;

use super::Report;
use crate::check;
use crate::diag::{Code, Diagnostic};
use crate::yaml::{SourceMap, Span};

/// Where something stands: lines and columns are 1-based, columns count characters, and the end is behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_line: u32,
    pub(super) end_column: u32,
    /// Byte offsets.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The place of a span, without blanks and line ends behind it; `None` if it is in no file.
pub(super) fn place(map: &SourceMap, span: Span) -> Option<Place<'_>> {
    let file = map.get(span.file)?;
    let start = boundary(&file.text, span.start);
    let end = boundary(&file.text, span.end).max(start);
    let inside = file.text[start..end].trim_end();
    let breaks = inside.bytes().filter(|b| *b == b'\n').count();
    let last_line = inside.rsplit('\n').next().unwrap_or_default().chars().count();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Some(Place {
        file: &file.path,
        line: span.line,
        column: span.column,
        end_line: span.line.saturating_add(number(breaks)),
        end_column: if breaks == 0 { span.column.saturating_add(number(last_line)) } else { number(last_line).saturating_add(1) },
        start: number(start),
        end: number(start + inside.len()),
    })
}

/// The nearest start of a character at or before an offset.
pub(super) fn boundary(text: &str, offset: u32) -> usize {
    let mut at = (offset as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// By path and place; what stands in no file comes first; ties keep their order.
pub(super) fn in_order<'a>(map: &SourceMap, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<&'a Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.into_iter().collect();
    let key = |d: &Diagnostic| d.span.map(|s| (map.get(s.file).map_or("", |f| f.path.as_str()).to_owned(), s.line, s.column));
    sorted.sort_by_cached_key(|d| key(d));
    sorted
}

/// What a rule reports, in a few words.
pub(super) fn title(code: Code) -> &'static str {
    check::rule(code.0).map_or("", |rule| rule.title)
}

/// Where a rule is explained: a URL, or a path among drydock's own files where neither settings nor package name one.
pub(super) fn help_url(report: &Report<'_>, code: Code) -> String {
    let page = format!("docs/rules/{}.md", code.0);
    match (report.pages, env!("CARGO_PKG_REPOSITORY")) {
        (Some(pages), _) => pages.replace("{code}", code.0),
        (None, "") => page,
        (None, repository) => format!("{repository}/blob/v{}/{page}", env!("CARGO_PKG_VERSION")),
    }
}

/// How files of a design are named for tools that look at the whole repository: annotations and code scanning match paths from its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// The root of the repository, absolute, with `/`; empty if there is none.
    pub root: String,
    /// The folder that paths of the design are relative to, from the root; empty if it is the root.
    pub folder: String,
    /// A file of the design's folder, for what stands in no file.
    pub fallback: Option<String>,
}

impl Paths {
    /// A path of a design, from the root of the repository. URLs and what lies outside of the repository stay as they are.
    pub(in crate::report) fn shown<'p>(&self, path: &'p str) -> Cow<'p, str> {
        if path.contains("://") || path.starts_with('<') || path.contains(": ") {
            return Cow::Borrowed(path);
        }
        if path.starts_with('/') {
            let inside = path.strip_prefix(self.root.as_str()).and_then(|rest| rest.strip_prefix('/'));
            return Cow::Borrowed(inside.filter(|_| !self.root.is_empty()).unwrap_or(path));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in self.folder.split('/').chain(path.split('/')) {
            match part {
                ".." if parts.pop().is_none() => return Cow::Borrowed(path),
                "" | "." | ".." => {}
                part => parts.push(part),
            }
        }
        Cow::Owned(parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Paths, place};
    use crate::yaml::{SourceMap, Span};

    #[test]
    fn ends_are_behind_the_last_character() {
        let mut map = SourceMap::default();
        let file = map.add("a.yaml", "\u{feff}é: größe  # x\nb:\n  c: 1\r\n\n");
        let span = |line, column, start, end| Span { file, line, column, start, end };
        let at = place(&map, span(1, 4, 7, 16)).expect("in a file");
        assert_eq!((at.end_line, at.end_column, at.start, at.end), (1, 9, 7, 14));
        let at = place(&map, span(2, 1, 20, 99)).expect("in a file");
        assert_eq!((at.line, at.end_line, at.end_column), (2, 3, 7));
        assert_eq!(place(&map, Span::NOWHERE), None);
        for start in 0..40 {
            for end in 0..40 {
                let at = place(&map, span(1, u32::MAX, start, end)).expect("in a file");
                assert!(at.start <= at.end && at.line <= at.end_line);
            }
        }
    }

    #[test]
    fn paths_are_shown_from_the_root_of_the_repository() {
        let paths = Paths { root: "/r/repo".into(), folder: "sites/dc1".into(), fallback: None };
        for (path, shown) in [
            ("design/a.yaml", "sites/dc1/design/a.yaml"),
            ("../common/a.yaml", "sites/common/a.yaml"),
            ("../../../x/a.yaml", "../../../x/a.yaml"),
            ("/r/repo/a.yaml", "a.yaml"),
            ("/r/repository/a.yaml", "/r/repository/a.yaml"),
            ("https://host/a.yaml", "https://host/a.yaml"),
            ("<stdin>", "<stdin>"),
        ] {
            assert_eq!(paths.shown(path), shown);
        }
        assert_eq!(Paths::default().shown("./a.yaml"), "a.yaml");
        assert_eq!(Paths::default().shown("/a.yaml"), "/a.yaml");
    }
}

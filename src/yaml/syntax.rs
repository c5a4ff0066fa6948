//! Errors of the YAML scanner in the words of a diagnostic.

use granit_parser::{ErrorKind, ScanError};

use super::codes::{BROKEN_YAML, TOO_DEEP, UNKNOWN_ALIAS, UNUSUAL_BREAK};
use super::parse::MAX_DEPTH;
use super::tree::{FileId, Span};
use crate::diag::Diagnostic;

/// The diagnostic of a scan error, at its position.
pub(super) fn diagnostic(error: &ScanError, text: &str, file: FileId) -> Diagnostic {
    let mark = error.marker();
    let start = floor_boundary(text, mark.byte_offset().unwrap_or(text.len()));
    let end = text[start..].chars().next().map_or(start, |c| if c == '\n' || c == '\r' { start } else { start + c.len_utf8() });
    let span = Span {
        file,
        line: u32::try_from(mark.line()).unwrap_or(u32::MAX),
        column: u32::try_from(mark.col() + 1).unwrap_or(u32::MAX),
        start: u32::try_from(start).unwrap_or(u32::MAX),
        end: u32::try_from(end).unwrap_or(u32::MAX),
    };
    // The scanner names the start of the value that such a line would continue.
    let tab = matches!(error.kind(), ErrorKind::TabInPlainScalar).then(|| tab_before_text(text, start)).flatten();
    let (start, span) = tab.map_or((start, span), |at| (at, place(text, file, at, 1)));
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(span);
    }
    if matches!(error.kind(), ErrorKind::UnknownAnchor) {
        return Diagnostic::error(UNKNOWN_ALIAS, "alias of an anchor that this document does not have")
            .at(span)
            .help("define the anchor (`&name`) earlier in the same document; if the value starts with a literal `*`, quote it");
    }
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let (message, help) = explain(error.kind(), line);
    let diagnostic = Diagnostic::error(BROKEN_YAML, message.unwrap_or_else(|| format!("not YAML: {}", error.info()))).at(span);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic.help("check indentation, quotes and brackets here and in the lines above"),
    }
}

/// The first character that is a line break for the Airship tools and a letter here.
pub(super) fn unusual_break(text: &str, file: FileId) -> Option<Diagnostic> {
    let at = text.find(['\u{85}', '\u{2028}', '\u{2029}'])?;
    let found = text[at..].chars().next()?;
    let span = place(text, file, at, found.len_utf8());
    let name = u32::from(found);
    Some(
        Diagnostic::warning(UNUSUAL_BREAK, format!("the invisible character U+{name:04X}, which other tools read as the end of the line"))
            .at(span)
            .help("remove it, or write it as an escape sequence in a \"…\" value"),
    )
}

/// The first tab, behind the line of an offset, that stands before the text of its line.
fn tab_before_text(text: &str, offset: usize) -> Option<usize> {
    let mut at = offset;
    for line in text[offset..].split_inclusive('\n') {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..blank].find('\t').filter(|_| at > offset) {
            return Some(at + tab);
        }
        at += line.len();
    }
    None
}

/// So many bytes of a text.
fn place(text: &str, file: FileId, at: usize, bytes: usize) -> Span {
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file,
        line: narrow(text[..at].matches('\n').count() + 1),
        column: narrow(text[line_start..at].chars().count() + 1),
        start: narrow(at),
        end: narrow(at + bytes),
    }
}

/// The refusal of nesting beyond [`MAX_DEPTH`].
pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(TOO_DEEP, format!("collections nested more than {MAX_DEPTH} deep"))
        .at(span)
        .help("this document is not read; flatten it (no drydock document needs more than 12 levels)")
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn explain(kind: &ErrorKind, line: &str) -> (Option<String>, Option<&'static str>) {
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|marker| line.starts_with(marker)) {
        return (Some("a merge conflict marker".to_owned()), Some("resolve the conflict that git left in this file"));
    }
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => (Some("a tab where YAML allows only spaces".to_owned()), Some("indent with spaces")),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            Some("a `: ` where no further key can start".to_owned()),
            Some("quote the value if the colon belongs to it; else check the indentation of this line"),
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            (Some(format!("`{open}` is never closed")), Some("close it, or quote the value if the bracket belongs to it"))
        }
        ErrorKind::UnexpectedEofFlowSequence => (Some("`[` is never closed".to_owned()), Some("add the missing `]`")),
        ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            (Some("`{` is never closed".to_owned()), Some("add the missing `}`"))
        }
        ErrorKind::UnclosedQuotedScalar => {
            (Some("this quotation is never closed".to_owned()), Some("add the closing quote; inside '…' a quote is written ''"))
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            (Some("text behind the closing quote".to_owned()), Some("quote the whole value; inside '…' a quote is written ''"))
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            Some("unknown escape sequence in a \"…\" value".to_owned()),
            Some("write a backslash as \\\\, or use '…', where it needs no escape"),
        ),
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry => {
            (Some("this line fits no indentation that is open".to_owned()), Some("align it with the keys or `-` entries it belongs to"))
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            (Some("expected `:` behind a key".to_owned()), Some("write `key: value`, or indent the line if it continues the value above"))
        }
        _ => (None, None),
    }
}

//! Where secrets are written.

use std::collections::BTreeMap;
use std::fmt;

use crate::diag::Diagnostic;
use crate::yaml::{FileId, Node, Span, Value};

/// Places in files that hold secrets: the data of secret documents, and texts into which a secret was put.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sensitive {
    /// Start → end of ranges that neither touch nor overlap.
    ranges: BTreeMap<(FileId, u32), u32>,
}

impl Sensitive {
    /// Whether what is written here is a secret.
    ///
    /// Values keep the place where they are written, so this also answers for values that came from a secret through layering and substitution. A mapping or list that
    /// merely contains a secret is none itself.
    pub fn covers(&self, span: Span) -> bool {
        self.before(span.file, span.start).is_some_and(|(_, end)| span.end <= end && span.start < end)
    }

    /// Whether any secret is written in this range: what is shown from the file must be masked.
    pub fn touches(&self, span: Span) -> bool {
        span.is_somewhere() && self.before(span.file, span.end.saturating_sub(1).max(span.start)).is_some_and(|(_, end)| end > span.start)
    }

    /// The parts of a file that hold secrets, as byte ranges in order.
    pub fn ranges(&self, file: FileId) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges.range((file, 0)..=(file, u32::MAX)).map(|((_, start), end)| (*start, *end))
    }

    /// Whether this value, or any value in it, is written where a secret is.
    pub fn touches_value(&self, node: &Node) -> bool {
        if self.covers(node.span) {
            return true;
        }
        match &node.value {
            Value::Map(map) => map.entries.iter().any(|(_, value)| self.touches_value(value)),
            Value::Seq(items) => items.iter().any(|item| self.touches_value(item)),
            _ => false,
        }
    }

    /// Adds the place of a value.
    pub(super) fn add(&mut self, span: Span) {
        if !span.is_somewhere() || span.end <= span.start {
            return;
        }
        let (mut start, mut end) = (span.start, span.end);
        while let Some((from, to)) = self.before(span.file, end).filter(|(_, to)| *to >= start) {
            self.ranges.remove(&(span.file, from));
            start = start.min(from);
            end = end.max(to);
        }
        self.ranges.insert((span.file, start), end);
    }

    /// Adds the places of a value and of everything in it.
    pub(super) fn add_value(&mut self, node: &Node) {
        self.add(node.span);
        match &node.value {
            Value::Map(map) => map.entries.iter().for_each(|(_, value)| self.add_value(value)),
            Value::Seq(items) => items.iter().for_each(|item| self.add_value(item)),
            _ => {}
        }
    }

    fn before(&self, file: FileId, at: u32) -> Option<(u32, u32)> {
        self.ranges.range((file, 0)..=(file, at)).next_back().map(|((_, start), end)| (*start, *end))
    }

    /// Takes values out of messages about secrets: what stands in backticks in a diagnostic that points at one.
    pub fn mask(&self, diagnostics: &mut [Diagnostic]) {
        for found in diagnostics {
            if found.span.is_some_and(|span| self.touches(span)) {
                found.message = without_values(&found.message);
                found.note = found.note.as_deref().map(without_values);
                found.help = found.help.as_deref().map(without_values);
            }
            for label in found.labels.iter_mut().filter(|label| self.touches(label.span)) {
                label.text = without_values(&label.text);
            }
        }
    }
}

/// Positions are not part of what a design means.
impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive")
    }
}

fn without_values(text: &str) -> String {
    let part = |(at, part): (usize, &str)| if at % 2 == 1 { "(sensitive)".to_owned() } else { part.to_owned() };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::Sensitive;
    use crate::yaml::{FileId, Span};

    fn span(start: u32, end: u32) -> Span {
        Span { file: FileId(1), line: 1, column: 1, start, end }
    }

    #[test]
    fn ranges_join() {
        let mut sensitive = Sensitive::default();
        for (start, end) in [(10, 20), (30, 40), (50, 60), (15, 35), (60, 61)] {
            sensitive.add(span(start, end));
        }
        assert_eq!(sensitive.ranges(FileId(1)).collect::<Vec<_>>(), [(10, 40), (50, 61)]);
        assert!(sensitive.covers(span(12, 38)) && sensitive.covers(span(10, 40)));
        assert!(!sensitive.covers(span(9, 12)) && !sensitive.covers(span(40, 41)) && !sensitive.covers(span(35, 55)));
        assert!(sensitive.touches(span(35, 55)) && sensitive.touches(span(0, 11)) && sensitive.touches(span(0, 100)));
        assert!(!sensitive.touches(span(40, 50)) && !sensitive.touches(span(0, 10)));
        assert!(!sensitive.covers(Span { file: FileId(0), ..span(12, 14) }));
        assert!(!sensitive.covers(Span::NOWHERE));
    }
}

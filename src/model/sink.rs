//! Where diagnostics are gathered: a problem that many nodes inherit is one problem.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::diag::{Code, Diagnostic};
use crate::yaml::Span;

/// Diagnostics without repetition.
#[derive(Debug, Default)]
pub struct Sink {
    list: Vec<Diagnostic>,
    seen: HashMap<(Code, Span, String), usize>,
    compared: usize,
    named: usize,
}

/// Names that are compared with misspelt ones in all. Where thousands are wrong, the first suggestions say why.
const MAX_COMPARED: usize = 1_000_000;

/// Resources that are named beside the first of a problem, in all: ten problems of 25 000 nodes. Faults of a profile and nodes that inherit it multiply.
const MAX_NAMED: usize = 250_000;

impl Sink {
    /// Adds a problem. One with the same code, position and message as an earlier one only adds its resource to that one's.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let Some(span) = diagnostic.span else {
            self.list.push(diagnostic);
            return;
        };
        match self.seen.entry((diagnostic.code, span, diagnostic.message.clone())) {
            Entry::Occupied(first) => {
                let first = &mut self.list[*first.get()];
                match diagnostic.resource {
                    Some(resource) if first.resource.as_ref() != Some(&resource) => {
                        if self.named < MAX_NAMED {
                            self.named += 1;
                            first.also.push(resource);
                        } else {
                            first.unnamed += 1;
                        }
                    }
                    _ => {}
                }
            }
            Entry::Vacant(free) => {
                free.insert(self.list.len());
                self.list.push(diagnostic);
            }
        }
    }

    /// Whether a problem like this one was added.
    pub(crate) fn has(&self, code: Code, span: Span, message: &str) -> bool {
        self.seen.contains_key(&(code, span, message.to_owned()))
    }

    /// The name most like `name`, if any is like it and not too many were compared already.
    pub(crate) fn similar<'n>(&mut self, name: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        let left = MAX_COMPARED.checked_sub(self.compared).filter(|left| *left > 0)?;
        crate::design::similar(name, among.take(left).inspect(|_| self.compared += 1))
    }

    /// All of them, with a note where more than one resource has the problem.
    pub fn finish(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        for diagnostic in &mut list {
            let others = diagnostic.also.len() + diagnostic.unnamed;
            if others == 0 {
                continue;
            }
            let more = format!("{others} more inherit{} this", if others == 1 { "s" } else { "" });
            diagnostic.note = Some(match diagnostic.note.take() {
                Some(note) => format!("{note}; {more}"),
                None => more,
            });
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAMED, Sink};
    use crate::diag::{Code, Diagnostic};
    use crate::yaml::{FileId, Span};

    #[test]
    fn so_many_resources_are_named_and_all_are_counted() {
        let mut sink = Sink::default();
        let at = Span { file: FileId(0), line: 1, column: 1, start: 0, end: 1 };
        for n in 0..MAX_NAMED + 8 {
            sink.push(Diagnostic::warning(Code("DD9999"), "odd").at(at).resource(format!("node.n{n}")));
        }
        let found = sink.finish();
        assert_eq!((found.len(), found[0].also.len(), found[0].unnamed), (1, MAX_NAMED, 7));
        assert_eq!(found[0].note.as_deref(), Some("250007 more inherit this"));
    }
}

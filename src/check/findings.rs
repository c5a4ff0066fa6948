//! What a rule reports to.

use super::registry::Rule;
use crate::diag::Diagnostic;
use crate::model::{Sink, Text};

/// Takes the findings of one rule: each has the rule's code and severity.
#[derive(Debug)]
pub struct Findings<'a> {
    rule: &'static Rule,
    sink: &'a mut Sink,
}

impl<'a> Findings<'a> {
    pub(super) fn new(rule: &'static Rule, sink: &'a mut Sink) -> Self {
        Self { rule, sink }
    }

    /// A finding of this rule, to be completed and given to [`Findings::push`].
    pub(super) fn finding(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.rule.code, self.rule.severity, message)
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.sink.push(diagnostic);
    }

    /// The name most like `name`, if any is like it.
    pub(super) fn similar<'n>(&mut self, name: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        self.sink.similar(name, among)
    }

    /// Whether a finding like this one was pushed.
    pub(super) fn has(&self, found: &Diagnostic) -> bool {
        found.span.is_some_and(|span| self.sink.has(found.code, span, &found.message))
    }

    /// Reports that `name` is no `what` of the design, with the name that was probably meant, or with `otherwise`.
    pub(super) fn unknown<'n>(
        &mut self,
        what: &str,
        name: &Text,
        resource: String,
        known: impl Iterator<Item = &'n String>,
        otherwise: &str,
    ) {
        let found = self.finding(format!("{what} `{name}` does not exist")).at(name.span).resource(resource);
        // What many inherit is looked for once.
        if self.sink.has(found.code, name.span, &found.message) {
            self.sink.push(found);
            return;
        }
        let found = match self.sink.similar(name, known.map(String::as_str)) {
            Some(similar) => found.help(format!("did you mean `{similar}`?")),
            None => found.help(otherwise),
        };
        self.push(found);
    }
}

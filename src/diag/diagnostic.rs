//! The diagnostic type.

use crate::yaml::Span;

/// How bad a problem is. Only errors stop a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Suspicious, and can still be carried out.
    Warning,
    /// Planning would be unsafe.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A stable, unique name of a rule or kind of problem, such as `DD2005`; `docs/rules/<code>.md` explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub &'static str);

/// A further position with a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, e.g. `first defined here`.
    pub text: String,
}

/// Bytes of a message, a help or a note; what they quote from a file may be of any length.
const LONGEST_TEXT: usize = 2000;

fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let mut end = LONGEST_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.shrink_to_fit();
        text.push('…');
    }
    text
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// Where it is wrong, if the problem stands in a file.
    pub span: Option<Span>,
    /// Note shown at [`Diagnostic::span`].
    pub note: Option<String>,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// The resource the problem is about (`node.compute01`), if any.
    pub resource: Option<String>,
    /// Further resources that have the same problem at the same place.
    pub also: Vec<String>,
    /// Still further ones, which are not named because too many are.
    pub unnamed: usize,
}

impl Diagnostic {
    /// A diagnostic without position.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: bounded(message.into()),
            span: None,
            note: None,
            labels: Vec::new(),
            help: None,
            resource: None,
            also: Vec::new(),
            unnamed: 0,
        }
    }

    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Sets the position.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        if span.is_somewhere() {
            self.span = Some(span);
        }
        self
    }

    /// Sets the note shown at the position.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(bounded(note.into()));
        self
    }

    /// Adds another position.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.is_somewhere() {
            self.labels.push(Label { span, text: bounded(text.into()) });
        }
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(bounded(help.into()));
        self
    }

    /// Names the resource.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(bounded(resource.into()));
        self
    }
}

/// Whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

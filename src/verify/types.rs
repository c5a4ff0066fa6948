//! Checks and their verdicts.

/// How a check went, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// There is nothing to look at yet, or ever; `seen` says why.
    Skipped,
    /// Somebody should look at it; nothing that is planned fails because of it.
    Warning,
    /// What is planned would fail, or would be wrong.
    Failed,
}

impl Verdict {
    /// The name in JSON and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at (`oob`, `memory`, `rack.r1`).
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen; several things are parted by `; `.
    pub seen: String,
    /// What to do; never empty where the verdict is a warning or a failure.
    pub todo: Option<String>,
}

impl Check {
    /// As it should be.
    pub(super) fn ok(name: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Ok, seen: seen.into(), todo: None }
    }

    /// Not looked at.
    pub(super) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Skipped, seen: why.into(), todo: None }
    }

    /// Worth a look.
    pub(super) fn warning(name: impl Into<String>, seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Warning, seen: seen.into(), todo: Some(todo.into()) }
    }

    /// Not as it should be.
    pub(super) fn failed(name: impl Into<String>, seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Failed, seen: seen.into(), todo: Some(todo.into()) }
    }

    /// Of something that was not answered.
    pub(super) fn unread(name: impl Into<String>, why: &Unread) -> Self {
        let todo = why.hint.clone().unwrap_or_else(|| "make it answer, and verify again".to_owned());
        Self::failed(name, why.message.clone(), todo)
    }

    /// What several findings of one question come to: failed if there is any, else ok with what was seen.
    pub(super) fn of(name: &str, seen: &[String], wrong: &[String], todo: &str) -> Self {
        if wrong.is_empty() { Self::ok(name, seen.join("; ")) } else { Self::failed(name, wrong.join("; "), todo) }
    }
}

/// The checks of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// Node name.
    pub node: String,
    /// Its rack.
    pub rack: Option<String>,
    /// Its stage.
    pub stage: &'static str,
    /// Provisioner id of its machine.
    pub machine: Option<String>,
    /// In a fixed order, each name once.
    pub checks: Vec<Check>,
}

/// Why something was not answered. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What went wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// An answer, or why there is none.
pub type Reading<T> = Result<T, Unread>;

/// The worst verdict of some checks; [`Verdict::Ok`] of none.
pub fn worst<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Verdict {
    checks.into_iter().map(|c| c.verdict).max().unwrap_or(Verdict::Ok)
}

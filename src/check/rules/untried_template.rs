//! Trying all templates for all nodes has a limit. What is found is pushed by the rule that tries them.

use crate::check::registry::Rule;
use crate::diag::{Code, Severity};

pub(super) static RULE: Rule = Rule {
    code: Code("DD4210"),
    original: None,
    title: "a template was not tried for every node",
    severity: Severity::Warning,
    check: None,
};

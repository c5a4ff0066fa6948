//! The pages of `docs/rules/`, as they were when the program was built.

use super::registry::{Rule, rules};
use crate::diag::Code;

/// Code and text, in the order of codes.
static PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rule_pages.rs"));

/// The page of a rule, in Markdown.
pub fn page(code: Code) -> Option<&'static str> {
    PAGES.binary_search_by_key(&code.0, |(code, _)| code).ok().map(|at| PAGES[at].1)
}

/// Codes of pages that explain no rule.
pub fn stray_pages() -> Vec<&'static str> {
    PAGES.iter().map(|(code, _)| *code).filter(|code| !rules().any(|rule| rule.code.0 == *code)).collect()
}

/// What a rule's page begins with, as the table of rules has it.
pub fn page_head(rule: &Rule) -> String {
    let original = rule.original.map(|original| format!("\nIn Airship Drydock: {original}\n")).unwrap_or_default();
    format!("# {}: {}\n\nSeverity: {}\n{original}", rule.code.0, rule.title, rule.severity.name())
}

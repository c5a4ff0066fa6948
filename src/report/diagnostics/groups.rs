//! One problem of many resources is said once, where people read.

use std::collections::HashMap;

use crate::diag::{Code, Diagnostic, Severity};
use crate::report::clean;
use crate::yaml::Span;

/// Resources that are named; more are only counted.
const NAMED: usize = 5;

/// A problem, and the same one of other resources.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) first: &'a Diagnostic,
    pub(super) more: Vec<&'a Diagnostic>,
}

impl Group<'_> {
    /// Resources that have the problem too, in words.
    pub(super) fn others(&self) -> Option<String> {
        let names: Vec<&str> = self.more.iter().filter_map(|d| d.resource.as_deref()).collect();
        if names.is_empty() {
            return None;
        }
        let mut text = format!("the same for {} more: {}", names.len(), names[..names.len().min(NAMED)].join(", "));
        if names.len() > NAMED {
            text.push_str(", …");
        }
        Some(clean(&text).into_owned())
    }
}

/// Problems of the same rule at the same place whose messages differ in nothing but the name of their resource become one group, at the place of the first.
pub(super) fn groups<'a>(sorted: &[&'a Diagnostic]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut known: HashMap<(Code, Severity, Option<Span>, String), usize> = HashMap::new();
    for diagnostic in sorted {
        let Some(name) = diagnostic.resource.as_deref().and_then(name) else {
            groups.push(Group { first: diagnostic, more: Vec::new() });
            continue;
        };
        let message = diagnostic.message.replace(&format!("`{name}`"), "`\0`");
        let at = *known.entry((diagnostic.code, diagnostic.severity, diagnostic.span, message)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.more.push(diagnostic),
            None => groups.push(Group { first: diagnostic, more: Vec::new() }),
        }
    }
    groups
}

/// `compute01` of `node.compute01/storage/sda`.
fn name(resource: &str) -> Option<&str> {
    let (_, name) = resource.split_once('.')?;
    Some(name.split('/').next().unwrap_or(name)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::groups;
    use crate::diag::{Code, Diagnostic};
    use crate::yaml::{FileId, Span};

    #[test]
    fn messages_that_differ_in_the_name_alone_are_one_group() {
        let span = Span { file: FileId(0), line: 3, column: 1, start: 9, end: 12 };
        let on = |node: &str, what: &str| {
            Diagnostic::warning(Code("DD9999"), format!("node `{node}` {what}")).at(span).resource(format!("node.{node}"))
        };
        let found = [
            on("n1", "has `x`"),
            on("n2", "has `x`"),
            on("n3", "has `y`"),
            on("n4", "has `x`"),
            on("n4", "has `x`").at(Span { line: 4, ..span }),
        ];
        let grouped = groups(&found.iter().collect::<Vec<_>>());
        assert_eq!(grouped.iter().map(|g| g.more.len()).collect::<Vec<_>>(), [2, 0, 0]);
        assert_eq!(grouped[0].others().as_deref(), Some("the same for 2 more: node.n2, node.n4"));
        let many: Vec<Diagnostic> = (0..100).map(|n| on(&format!("n{n}"), "is odd")).collect();
        let grouped = groups(&many.iter().collect::<Vec<_>>());
        assert_eq!(grouped.len(), 1);
        assert_eq!(grouped[0].others().as_deref(), Some("the same for 99 more: node.n1, node.n2, node.n3, node.n4, node.n5, …"));
    }
}

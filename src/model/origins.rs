//! What had a part in a value.

use crate::yaml::{Node, Span, Step};

/// Every place that had a part in a value: where it is written, and whatever a substitution put into it or over it.
pub(super) fn origins(node: &Node) -> Vec<Span> {
    let mut found = vec![node.span];
    let mut open = vec![node];
    // A past is finite, but sources may be shared by many substitutions.
    while let Some(node) = open.pop() {
        let mut past = node.past.as_deref();
        while let Some(step) = past {
            past = match &step.step {
                Step::Substituted { source, .. } => {
                    // With a pattern, what stood here before is still in the text.
                    for part in step.before.iter().chain([source]) {
                        if found.len() < 1000 {
                            found.push(part.span);
                            open.push(part);
                        }
                    }
                    None
                }
                Step::Overrode { own } => own.as_deref(),
            };
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

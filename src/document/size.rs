//! How large values are, so that documents which multiply one another are refused before anything walks them.

use crate::yaml::{Node, Past, Step, Value};

/// Values of one rendered document, shared ones counted as often as they appear.
pub(super) const MAX_NODES: usize = 1_000_000;
/// Text of one rendered document, in bytes.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Text that a pattern makes, in bytes.
pub(super) const MAX_TEXT: usize = 4 << 20;
/// Nesting of a rendered document; one document as written has at most [`crate::yaml::MAX_DEPTH`].
pub(super) const MAX_DEPTH: usize = 256;
/// Values that are measured in all: what rendering costs at most.
pub(super) const MAX_WORK: usize = 50_000_000;
/// How many times a value's history is told; longer ones end there.
pub(super) const MAX_HISTORY: usize = 32;

/// What a value amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) depth: usize,
}

impl Size {
    /// Whether a document of this size is refused.
    pub(super) fn is_excessive(self) -> bool {
        self.nodes > MAX_NODES || self.bytes > MAX_BYTES || self.depth > MAX_DEPTH
    }

    /// A document of this size with another value put in, `steps` below its root.
    pub(super) fn with(self, value: Self, steps: usize) -> Self {
        Self { nodes: self.nodes + value.nodes, bytes: self.bytes + value.bytes, depth: self.depth.max(steps + value.depth) }
    }
}

/// What remains of [`MAX_WORK`].
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_WORK)
    }
}

impl Budget {
    /// Measures a value; stops where it is excessive or the budget ends.
    pub(super) fn measure(&mut self, node: &Node) -> Size {
        let mut size = Size::default();
        self.walk(node, 1, &mut size);
        size
    }

    /// Takes off what another copy of a value of this size costs; whether that is still possible.
    pub(super) fn charge(&mut self, size: Size) -> bool {
        self.0 = self.0.saturating_sub(size.nodes);
        self.0 > 0
    }

    /// Whether nothing more may be measured.
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn walk(&mut self, node: &Node, depth: usize, size: &mut Size) {
        size.depth = size.depth.max(depth);
        if size.is_excessive() || self.0 == 0 {
            return;
        }
        self.0 -= 1;
        size.nodes += 1;
        match &node.value {
            Value::Str(text) => size.bytes += text.len(),
            Value::Seq(items) => items.iter().for_each(|item| self.walk(item, depth + 1, size)),
            Value::Map(map) => {
                for (key, value) in &map.entries {
                    size.bytes += key.name.len();
                    self.walk(value, depth + 1, size);
                }
            }
            _ => {}
        }
    }
}

/// The value, without its history if that is too long: a history is dropped link by link, each within the other.
pub(super) fn with_short_history(node: &Node) -> Node {
    let mut looks = 16 * MAX_HISTORY;
    if is_short(node.past.as_deref(), MAX_HISTORY, &mut looks) { node.clone() } else { Node::new(node.span, node.value.clone()) }
}

/// Whether no chain of this history is longer than `most`; `looks` bounds the search, because histories share parts.
fn is_short(past: Option<&Past>, most: usize, looks: &mut usize) -> bool {
    let Some(past) = past else { return true };
    if most == 0 || *looks == 0 {
        return false;
    }
    *looks -= 1;
    let other = match &past.step {
        Step::Overrode { own } => own.as_deref(),
        Step::Substituted { source, .. } => source.past.as_deref(),
    };
    past.before.as_ref().is_none_or(|before| is_short(before.past.as_deref(), most - 1, looks)) && is_short(other, most - 1, looks)
}

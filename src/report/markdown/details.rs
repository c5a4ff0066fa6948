//! Like changes as folded blocks with `diff` syntax.

use std::fmt::Write as _;

use super::escape::{code, fenced, html, sentence};
use super::{Links, nodeset};
use crate::report::clean;
use crate::report::plan_attributes::one_side;
use crate::report::values::{self, Mark};
use crate::report::view::{AttributeGroup, Group, Side};

/// How much is said of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Every attribute, values up to [`VALUE`] characters, differences of texts.
    Full,
    /// Some attributes, short values, no texts.
    Short,
    /// One line.
    Line,
}

/// Characters of a value in full detail.
const VALUE: usize = 300;
/// Characters of a value in short detail.
const SHORT_VALUE: usize = 60;
/// Attributes in short detail.
const SHORT_ATTRIBUTES: usize = 6;
/// Lines of a difference of texts.
const TEXT_LINES: usize = 60;
/// Links to places in the design for each group.
const PLACES: usize = 4;
/// Sets of names in the title of a group.
const SETS: usize = 4;

/// The group as Markdown.
pub(super) fn group(group: &Group, links: &Links, detail: Detail) -> String {
    let first = group.first();
    let title = title(group);
    if detail == Detail::Line {
        let attributes = group.attributes.len();
        let noun = if attributes == 1 { "attribute" } else { "attributes" };
        return format!("* {} `{}` {}, {attributes} {noun}\n", code(&title), first.operation.sign(), first.effect);
    }
    let mut out = format!("<details><summary><code>{}</code> {} {}", html(first.operation.sign()), html(&title), first.effect);
    if group.changes.len() > 1 {
        let _ = write!(out, ", {} nodes", group.changes.len());
    }
    out.push_str("</summary>\n\n");
    if !group.reason.is_empty() {
        let _ = writeln!(out, "because {}\n", sentence(&group.reason));
    }
    let limit = if detail == Detail::Full { usize::MAX } else { SHORT_ATTRIBUTES };
    let mut lines = Vec::new();
    for attribute in group.attributes.iter().take(limit) {
        attribute_lines(attribute, group, detail, &mut lines);
    }
    if group.attributes.len() > limit {
        lines.push(format!("# {} more attributes", group.attributes.len() - limit));
    }
    if !lines.is_empty() {
        out.push_str(&fenced("diff", &lines));
    }
    let mut places: Vec<&str> = Vec::new();
    for source in group.attributes.iter().flat_map(|a| &a.sources) {
        if !places.contains(source) {
            places.push(source);
        }
        if places.len() > PLACES {
            break;
        }
    }
    if !places.is_empty() {
        let shown: Vec<String> = places.iter().take(PLACES).map(|place| links.place(place)).collect();
        let more = if places.len() > PLACES { ", …" } else { "" };
        let _ = writeln!(out, "\nset at {}{more}", shown.join(", "));
    }
    out.push_str("\n</details>\n");
    out
}

/// `node.n[01-98]/storage`.
pub(super) fn title(group: &Group) -> String {
    if let [change] = group.changes.as_slice() {
        return change.resource.clone();
    }
    let mut sets = nodeset::fold(group.changes.iter().filter_map(|c| c.node.as_deref()));
    let hidden = sets.len().saturating_sub(SETS);
    sets.truncate(SETS);
    if hidden > 0 {
        sets.push(format!("… {hidden} more"));
    }
    format!("node.{}{}", if sets.len() == 1 { sets.concat() } else { format!("{{{}}}", sets.join(", ")) }, group.suffix())
}

fn attribute_lines(attribute: &AttributeGroup, group: &Group, detail: Detail, lines: &mut Vec<String>) {
    let path = clean(&attribute.path);
    let mut notes = Vec::new();
    if attribute.of.effect != group.first().effect {
        notes.push(attribute.of.effect.name().to_owned());
    }
    if !attribute.reason.is_empty() && attribute.reason != group.reason {
        notes.push(clean(&attribute.reason).into_owned());
    }
    if !notes.is_empty() {
        lines.push(format!("# {path}: {}", notes.join("; ")));
    }
    if detail == Detail::Full
        && let Some(text) = text_lines(attribute)
    {
        lines.push(format!("# {path}"));
        let hidden = text.len().saturating_sub(TEXT_LINES);
        lines.extend(text.into_iter().take(TEXT_LINES));
        if hidden > 0 {
            lines.push(format!("# {hidden} more lines"));
        }
        return;
    }
    let limit = if detail == Detail::Full { VALUE } else { SHORT_VALUE };
    let before = one_side(&attribute.before, limit).or_else(|| attribute.of.known_after.as_ref().map(|when| format!("({})", clean(when))));
    if let Some(before) = before {
        lines.push(format!("- {path}: {}", values::cut(&before, limit)));
    }
    if let Some(after) = one_side(&attribute.after, limit) {
        lines.push(format!("+ {path}: {}", values::cut(&after, limit)));
    }
}

/// The difference of two texts of several lines.
fn text_lines(attribute: &AttributeGroup) -> Option<Vec<String>> {
    let text = |side: &Side| match side {
        Side::Nothing => Some(None),
        Side::Same(value) => value.as_str().map(|s| Some(s.to_owned())),
        Side::PerNode(_) => None,
    };
    let (before, after) = (text(&attribute.before)?, text(&attribute.after)?);
    if !values::several_lines(before.as_deref(), after.as_deref()) {
        return None;
    }
    let lines = values::text_diff(before.as_deref(), after.as_deref());
    let line = |(mark, text): (Mark, String)| format!("{} {}", mark.sign(), values::cut(&clean(&text), VALUE));
    Some(lines.into_iter().map(line).collect())
}

//! The attributes of like changes as lines of text.

use console::measure_text_width;
use serde_json::Value;

use super::escape::clean;
use super::names;
use super::paint::{Look, Page};
use super::plan_text::look;
use super::values::{self, Mark};
use super::view::{AttributeGroup, Group, Side};

/// Characters of a value that are shown.
const VALUE: usize = 200;
/// Lines of a new or removed text that are shown.
const TEXT_LINES: usize = 20;
/// Lines of a difference that are shown.
const DIFF_LINES: usize = 80;
/// Distinct values, or ranges of them, that are shown of many nodes.
const VALUES: usize = 6;
/// Nodes up to which every node's value is shown with its name.
const NAMED: usize = 3;
/// Columns of a list's members above which it is shown member by member.
const LIST: usize = 80;

/// Says once that nothing is known of the present values, where that is so of all attributes.
pub(super) fn known_later(page: &mut Page, group: &Group) {
    if let Some(when) = all_known_later(group) {
        page.put(Look::Dim, &format!("  values now: ({when})"));
    }
}

fn all_known_later<'g>(group: &'g Group) -> Option<&'g str> {
    let when = group.attributes.first()?.of.known_after.as_deref()?;
    group.attributes.iter().all(|a| a.of.known_after.as_deref() == Some(when)).then_some(when)
}

/// One line, or a block, for each attribute.
pub(super) fn attributes(page: &mut Page, group: &Group, verbose: bool, indent: usize) {
    let said = all_known_later(group).is_some();
    let widest = |widths: &mut dyn Iterator<Item = usize>, limit: usize| widths.filter(|w| *w <= limit).max().unwrap_or(0);
    let lines: Vec<Line> = group.attributes.iter().map(|a| line(a, said, verbose)).collect();
    let paths = widest(&mut group.attributes.iter().map(|a| columns(&a.path)), 40);
    let values = widest(&mut lines.iter().map(Line::columns), 40);
    let place = Place { verbose, indent, value: indent + 2 + paths + 2, note: indent + 2 + paths + 2 + values + 2 };
    let mut source = None;
    for (attribute, line) in group.attributes.iter().zip(&lines) {
        one(page, group, attribute, line, place);
        if attribute.sources.first() != source.as_ref() {
            source = attribute.sources.first().copied();
            sources(page, attribute);
        }
        page.end();
        block_lines(page, &line.block, place);
    }
}

#[derive(Clone, Copy)]
struct Place {
    verbose: bool,
    indent: usize,
    /// Column of the values.
    value: usize,
    /// Column of what is said about them.
    note: usize,
}

/// What an attribute's line says of its values.
struct Line {
    sign: &'static str,
    color: Look,
    values: Vec<(Look, String)>,
    block: Block,
    folded: bool,
}

impl Line {
    fn columns(&self) -> usize {
        self.values.iter().map(|(_, text)| columns(text)).sum()
    }
}

fn columns(text: &str) -> usize {
    measure_text_width(&clean(text))
}

fn line(attribute: &AttributeGroup, said: bool, verbose: bool) -> Line {
    let unknown = attribute.of.known_after.as_deref().filter(|_| !said);
    let removed = attribute.after == Side::Nothing && attribute.before != Side::Nothing;
    let added = attribute.before == Side::Nothing && unknown.is_none();
    let (sign, color) = match (added, removed) {
        (_, true) => ("-", Look::Red),
        (true, false) => ("+", Look::Green),
        (false, false) => ("~", Look::Yellow),
    };
    let (values, block, folded) = values(attribute, unknown, verbose);
    Line { sign, color, values, block, folded }
}

fn one(page: &mut Page, group: &Group, attribute: &AttributeGroup, line: &Line, place: Place) {
    page.to(place.indent).put(line.color, line.sign).text(" ").text(&attribute.path).to(place.value);
    for (look, text) in &line.values {
        page.put(*look, text);
    }
    if line.folded {
        page.fold();
    }
    if attribute.of.effect != group.first().effect {
        page.to(place.note).text(" ").put(look(attribute.of.effect), attribute.of.effect.name());
    }
    if !attribute.reason.is_empty() && attribute.reason != group.reason {
        page.to(place.note).put(Look::Dim, " # ").put(Look::Dim, &attribute.reason);
    }
    if attribute.sources.is_empty() {
        return;
    }
    page.to(place.note);
}

/// Where the values stand in the design.
fn sources(page: &mut Page, attribute: &AttributeGroup) {
    if let Some(source) = attribute.sources.first() {
        page.text(" ").put(Look::Dim, source);
        if attribute.sources.len() > 1 {
            page.put(Look::Dim, &format!(" and {} more", attribute.sources.len() - 1));
        }
    }
}

/// Lines below an attribute.
enum Block {
    None,
    Lines { lines: Vec<(Mark, String)>, limit: usize },
}

/// The values on the attribute's line, and the block below it; and whether anything is shortened.
fn values(attribute: &AttributeGroup, unknown: Option<&str>, verbose: bool) -> (Vec<(Look, String)>, Block, bool) {
    let plain = |text: String| vec![(Look::Plain, text)];
    let (before, after) = (same(&attribute.before), same(&attribute.after));
    if let (Some(before), Some(after)) = (before, after) {
        if let Some((text, block)) = text_block(before, after) {
            return (plain(text), block, false);
        }
        if let (Some(old @ Value::Array(o)), Some(new @ Value::Array(n))) = (before, after)
            && columns(&values::inline(old)) + columns(&values::inline(new)) > LIST
        {
            let block = Block::Lines { lines: values::list_diff(o, n), limit: DIFF_LINES };
            return (plain(format!("{} → {} members", o.len(), n.len())), block, false);
        }
    }
    let nodes = per_node(&attribute.before).max(per_node(&attribute.after));
    if nodes > 0 && (nodes <= NAMED || verbose) && (attribute.before != Side::Nothing || verbose) {
        let block = Block::Lines { lines: named_values(attribute, unknown), limit: usize::MAX };
        return (vec![(Look::Dim, format!("{nodes} values"))], block, false);
    }
    let limit = if verbose { usize::MAX } else { VALUE };
    let mut folded = nodes > NAMED;
    let mut text = |side: &Side| {
        let full = one_side(side, limit);
        folded |= full.as_ref().is_some_and(|t| t.contains('…'));
        full
    };
    let values = match (text(&attribute.before), text(&attribute.after), unknown) {
        (None, Some(after), Some(when)) => vec![(Look::Dim, format!("({when})")), (Look::Plain, format!(" → {after}"))],
        (None, Some(one), None) | (Some(one), None, _) => plain(one),
        (Some(before), Some(after), _) => plain(format!("{before} → {after}")),
        (None, None, when) => vec![(Look::Dim, format!("({})", when.unwrap_or("no value")))],
    };
    (values, Block::None, folded)
}

/// The value that all share; `None` inside if there is none; nothing if each node has another.
fn same<'s>(side: &'s Side) -> Option<Option<&'s Value>> {
    match side {
        Side::Nothing => Some(None),
        Side::Same(value) => Some(Some(value)),
        Side::PerNode(_) => None,
    }
}

fn per_node(side: &Side) -> usize {
    if let Side::PerNode(values) = side { values.len() } else { 0 }
}

/// Texts of several lines are shown as a difference.
fn text_block(before: Option<&Value>, after: Option<&Value>) -> Option<(String, Block)> {
    let text = |v: Option<&Value>| match v {
        None => Some(None),
        Some(Value::String(s)) => Some(Some(s.clone())),
        Some(_) => None,
    };
    let (before, after) = (text(before)?, text(after)?);
    if ![&before, &after].into_iter().flatten().any(|t| t.trim_end_matches('\n').contains('\n')) {
        return None;
    }
    let lines = |t: &Option<String>| t.as_ref().map(|t| t.lines().count());
    let summary = match (lines(&before), lines(&after)) {
        (Some(b), Some(a)) => format!("{b} → {a} lines"),
        (b, a) => format!("{} lines", a.or(b).unwrap_or(0)),
    };
    let limit = if before.is_some() && after.is_some() { DIFF_LINES } else { TEXT_LINES };
    Some((summary, Block::Lines { lines: values::text_diff(before.as_deref(), after.as_deref()), limit }))
}

/// `node  before → after` for every node.
fn named_values(attribute: &AttributeGroup, unknown: Option<&str>) -> Vec<(Mark, String)> {
    let many = match (&attribute.before, &attribute.after) {
        (_, Side::PerNode(many)) | (Side::PerNode(many), _) => many,
        _ => return Vec::new(),
    };
    let at = |side: &Side, index: usize| match side {
        Side::Nothing => None,
        Side::Same(value) => Some(values::inline(value)),
        Side::PerNode(list) => list.get(index).map(|(_, v)| values::inline(v)),
    };
    let width = many.iter().map(|(n, _)| measure_text_width(&clean(n))).max().unwrap_or(0);
    many.iter()
        .enumerate()
        .map(|(index, (node, _))| {
            let change = match (at(&attribute.before, index), at(&attribute.after, index), unknown) {
                (Some(before), Some(after), _) => format!("{before} → {after}"),
                (None, Some(after), Some(when)) => format!("({when}) → {after}"),
                (before, after, _) => after.or(before).unwrap_or_default(),
            };
            let node = clean(node);
            let blanks = width - measure_text_width(&node);
            (Mark::Note, format!("{node}{:blanks$}  {change}", ""))
        })
        .collect()
}

/// One side on one line; many values as ranges.
fn one_side(side: &Side, limit: usize) -> Option<String> {
    match side {
        Side::Nothing => None,
        Side::Same(value) => Some(values::cut(&values::inline(value), limit).into_owned()),
        Side::PerNode(list) if list.len() <= NAMED => {
            Some(list.iter().map(|(node, v)| format!("{} ({node})", values::cut(&values::inline(v), limit))).collect::<Vec<_>>().join(", "))
        }
        Side::PerNode(list) => {
            let texts: Vec<String> = list.iter().map(|(_, v)| values::cut(&values::inline(v), limit / VALUES).into_owned()).collect();
            Some(names::pieces(texts.iter().map(String::as_str), " … ", VALUES).join(", "))
        }
    }
}

fn block_lines(page: &mut Page, block: &Block, place: Place) {
    let Block::Lines { lines, limit } = block else { return };
    let limit = if place.verbose { usize::MAX } else { *limit };
    for (mark, line) in lines.iter().take(limit) {
        let (sign, look) = match mark {
            Mark::Same => ("  ", Look::Plain),
            Mark::Removed => ("- ", Look::Red),
            Mark::Added => ("+ ", Look::Green),
            Mark::Note => ("", Look::Dim),
        };
        page.to(place.indent + 2).put(Look::Dim, "│ ").put(look, sign).put(look, line).end();
    }
    if lines.len() > limit {
        page.fold();
        page.to(place.indent + 2).put(Look::Dim, &format!("│ … {} more lines; --verbose shows them", lines.len() - limit)).end();
    }
}

//! The attributes of like changes as lines of text.

use std::collections::{BTreeMap, BTreeSet};

use console::measure_text_width;
use serde_json::Value;

use super::escape::clean;
use super::names;
use super::paint::{Look, Page};
use super::plan_text::look;
use super::values::{self, Mark};
use super::view::{AttributeGroup, Group, Side};
use crate::diff::Operation;

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

/// Columns that values have at least; where there are fewer beside the paths, they go on below them.
const NARROW: usize = 24;

/// Says once that nothing is known of the present values, where that is so of all attributes.
pub(super) fn known_later(page: &mut Page, group: &Group, indent: usize) {
    if let Some(when) = all_known_later(group) {
        let text = format!("  values now: ({when})");
        page.room(columns(&text), indent).put(Look::Dim, &text);
    }
}

fn all_known_later<'g>(group: &'g Group) -> Option<&'g str> {
    let when = group.attributes.first()?.of.known_after.as_deref()?;
    group.attributes.iter().all(|a| a.of.known_after.as_deref() == Some(when)).then_some(when)
}

/// One line, or a block, for each attribute; many with one value in one block.
pub(super) fn attributes(page: &mut Page, group: &Group, verbose: bool, indent: usize) {
    let said = all_known_later(group).is_some();
    let widest = |widths: &mut dyn Iterator<Item = usize>, limit: usize| widths.filter(|w| *w <= limit).max().unwrap_or(0);
    let attributes: Vec<&AttributeGroup> = group.attributes.iter().filter(|a| !is_named_by_address(group, a)).collect();
    let rows = rows(&attributes, said, verbose);
    let paths = widest(&mut rows.iter().map(|r| columns(&r.path)), 40);
    let values = widest(&mut rows.iter().map(|r| r.line.columns()), 40);
    let value = indent + 2 + paths + 2;
    let wrap = if value + NARROW <= page.width() { value } else { indent + 4 };
    let place = Place { verbose, indent, value, note: value + values + 2, wrap };
    let mut source = None;
    for row in &rows {
        one(page, group, row, place);
        if row.attribute.sources.first() != source.as_ref() {
            source = row.attribute.sources.first().copied();
            sources(page, row.attribute, place);
        }
        page.end();
        if !row.names.is_empty() {
            page.to(place.indent + 2).put(Look::Dim, "│ ").flow(Look::Plain, &row.names, ", ", place.indent + 4).end();
        }
        block_lines(page, &row.line.block, place);
    }
}

/// Where the name of a new resource, which its address says already, stands in the design.
pub(super) fn named_at<'g>(group: &'g Group) -> Option<&'g str> {
    group.attributes.iter().find(|a| is_named_by_address(group, a))?.sources.first().copied()
}

fn is_named_by_address(group: &Group, attribute: &AttributeGroup) -> bool {
    let first = group.first();
    first.operation == Operation::Create
        && attribute.path == "name"
        && attribute.before == Side::Nothing
        && matches!(&attribute.after, Side::Same(v) if v.as_str().is_some_and(|name| first.resource.split_once('.').is_some_and(|(_, n)| n == name)))
}

/// Attributes with one value from which on they are shown together.
const ALIKE: usize = 5;

/// A line of its own, or of several attributes with the same value.
struct Row<'g, 'a> {
    attribute: &'g AttributeGroup<'a>,
    path: String,
    names: Vec<&'g str>,
    line: Line,
}

fn rows<'g, 'a>(attributes: &[&'g AttributeGroup<'a>], said: bool, verbose: bool) -> Vec<Row<'g, 'a>> {
    let mut out: Vec<Row> = Vec::new();
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for attribute in attributes {
        let line = line(attribute, said, verbose);
        if let (Some((parent, _)), Block::None, false) =
            (attribute.path.split_once('.').filter(|(_, name)| !name.contains('.')), &line.block, verbose)
        {
            let values: Vec<&str> = line.values.iter().map(|(_, text)| text.as_str()).collect();
            let key = [parent, line.sign, attribute.of.effect.name(), &attribute.reason, &values.concat()].join("\u{1}");
            alike.entry(key).or_default().push(out.len());
        }
        out.push(Row { attribute, path: attribute.path.to_string(), names: Vec::new(), line });
    }
    let mut dropped: BTreeSet<usize> = BTreeSet::new();
    for rows in alike.values().filter(|rows| rows.len() >= ALIKE) {
        let attributes = rows.iter().filter_map(|row| out[*row].attribute.path.split_once('.'));
        let names: Vec<&str> = attributes.map(|(_, name)| name).collect();
        let first = &mut out[rows[0]];
        first.path = format!("{}.* ×{}", first.path.split('.').next().unwrap_or(""), rows.len());
        first.names = names;
        dropped.extend(&rows[1..]);
    }
    let mut index = 0;
    out.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
    out
}

#[derive(Clone, Copy)]
struct Place {
    verbose: bool,
    indent: usize,
    /// Column of the values.
    value: usize,
    /// Column of what is said about them.
    note: usize,
    /// Column at which both go on in new lines.
    wrap: usize,
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

fn one(page: &mut Page, group: &Group, row: &Row, place: Place) {
    let (attribute, line) = (row.attribute, &row.line);
    page.to(place.indent).put(line.color, line.sign).text(" ").wrapped(Look::Plain, &row.path, place.indent + 4).to(place.value);
    for (look, text) in &line.values {
        page.wrapped(*look, text, place.wrap);
    }
    if line.folded {
        page.fold();
    }
    if attribute.of.effect != group.first().effect {
        let name = attribute.of.effect.name();
        page.beside(place.note, name.len(), place.wrap).put(look(attribute.of.effect), name);
    }
    if !attribute.reason.is_empty() && attribute.reason != group.reason {
        page.beside(place.note, 2 + columns(&attribute.reason), place.wrap);
        page.put(Look::Dim, "# ").wrapped(Look::Dim, &attribute.reason, place.wrap + 2);
    }
}

/// Where the values stand in the design.
fn sources(page: &mut Page, attribute: &AttributeGroup, place: Place) {
    if let Some(source) = attribute.sources.first() {
        let more = attribute.sources.len() - 1;
        let text = if more > 0 { format!("{source} and {more} more") } else { (*source).to_owned() };
        page.beside(place.note, columns(&text), place.wrap).wrapped(Look::Dim, &text, place.wrap);
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
    if let (Some(before), Some(after)) = (Shared::of(&attribute.before), Shared::of(&attribute.after)) {
        if let (Ok(before), Ok(after)) = (before.text(), after.text())
            && let Some((text, block)) = text_block(before, after)
        {
            return (plain(text), block, false);
        }
        if let (Shared::Value(old @ Value::Array(o)), Shared::Value(new @ Value::Array(n))) = (before, after)
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
    let mut folded = nodes > NAMED && !verbose;
    let mut text = |side: &Side| {
        let full = one_side(side, limit);
        folded |= full.as_ref().is_some_and(|t| t.contains("… ("));
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

/// A side that is the same for all nodes.
enum Shared<'s> {
    None,
    Value(&'s Value),
}

impl<'s> Shared<'s> {
    /// Nothing if each node has another value.
    fn of(side: &'s Side) -> Option<Self> {
        match side {
            Side::Nothing => Some(Self::None),
            Side::Same(value) => Some(Self::Value(value)),
            Side::PerNode(_) => None,
        }
    }

    /// The text, where it is one or missing.
    fn text(&self) -> Result<Option<&'s str>, NoText> {
        match self {
            Self::None => Ok(None),
            Self::Value(Value::String(s)) => Ok(Some(s)),
            Self::Value(_) => Err(NoText),
        }
    }
}

/// A value that is no text.
struct NoText;

fn per_node(side: &Side) -> usize {
    if let Side::PerNode(values) = side { values.len() } else { 0 }
}

/// Texts of several lines are shown as a difference.
fn text_block(before: Option<&str>, after: Option<&str>) -> Option<(String, Block)> {
    if !values::several_lines(before, after) {
        return None;
    }
    let lines = |t: Option<&str>| t.map(|t| t.lines().count());
    let (summary, limit) = match (lines(before), lines(after)) {
        (Some(b), Some(a)) => (format!("{b} → {a} lines"), DIFF_LINES),
        (b, a) => (format!("{} lines", a.or(b).unwrap_or(0)), TEXT_LINES),
    };
    Some((summary, Block::Lines { lines: values::text_diff(before, after), limit }))
}

/// `node  before → after` for every node.
fn named_values(attribute: &AttributeGroup, unknown: Option<&str>) -> Vec<(Mark, String)> {
    let ((_, Side::PerNode(many)) | (Side::PerNode(many), _)) = (&attribute.before, &attribute.after) else {
        return Vec::new();
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
pub(super) fn one_side(side: &Side, limit: usize) -> Option<String> {
    match side {
        Side::Nothing => None,
        Side::Same(value) => Some(values::cut(&values::inline(value), limit).into_owned()),
        Side::PerNode(list) => Some(many_values(list, limit)),
    }
}

/// The values of many nodes: what they have in common once, what differs in braces: `10.0.0.{11 … 108}/24`.
fn many_values(list: &[(&str, &Value)], limit: usize) -> String {
    let strings: Option<Vec<&str>> = list.iter().map(|(_, v)| v.as_str()).collect();
    let texts: Vec<String> = match &strings {
        Some(strings) => strings.iter().map(|s| clean(s).into_owned()).collect(),
        None => list.iter().map(|(_, v)| values::inline(v)).collect(),
    };
    let (head, tail) = common(&texts);
    let cut = |text: &str| values::cut(text, limit / VALUES).into_owned();
    let middles: Vec<&str> = texts.iter().map(|t| &t[head..t.len() - tail]).collect();
    let pieces: Vec<String> = if list.len() <= NAMED {
        list.iter().zip(&middles).map(|((node, _), text)| format!("{} ({node})", cut(text))).collect()
    } else {
        names::pieces(middles.iter().copied(), " … ", if limit == usize::MAX { limit } else { VALUES }).iter().map(|p| cut(p)).collect()
    };
    let (before, after) = (&texts[0][..head], &texts[0][texts[0].len() - tail..]);
    if head + tail == 0 {
        return pieces.join(", ");
    }
    // Quotes are decided by what does not differ: what does is in braces.
    let quote =
        strings.is_some() && !before.chars().chain(after.chars()).all(|c| c.is_alphanumeric() || "_-./:@+%~=<>^*!' ,()".contains(c));
    let text = format!("{}{{{}}}{}", values::cut(before, limit), pieces.join(", "), values::cut(after, limit));
    if quote { format!("\"{text}\"") } else { text }
}

/// Bytes that all texts begin with and end with, without breaking a number or a word.
fn common(texts: &[String]) -> (usize, usize) {
    let first = &texts[0];
    let shortest = texts.iter().map(String::len).min().unwrap_or(0);
    let same = |at: &dyn Fn(&str) -> Option<u8>| texts.iter().all(|t| at(t) == at(first));
    let mut head = (0..shortest).take_while(|i| same(&|t| t.as_bytes().get(*i).copied())).count();
    let word = |text: &str, at: usize| {
        let around = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !text.is_char_boundary(at) || around(text[..at].chars().next_back()) && around(text[at..].chars().next())
    };
    while head > 0 && texts.iter().any(|t| word(t, head)) {
        head -= 1;
    }
    let mut tail = (0..shortest - head).take_while(|i| same(&|t| t.as_bytes().iter().rev().nth(*i).copied())).count();
    while tail > 0 && texts.iter().any(|t| word(t, t.len() - tail)) {
        tail -= 1;
    }
    (head, tail)
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

//! JSON paths as Deckhand documents write them: `.`, `$`, `.a.b`, `.a[0].b`, `['a.b']`, `.a[*].b`.

use std::fmt;
use std::sync::Arc;

use crate::yaml::{Key, Mapping, Node, Span, Value};

/// Steps of a path; a longer one would make values that nothing can walk.
pub(super) const MAX_STEPS: usize = 64;

/// A list is filled up to an index that a path names, but not beyond this.
pub(super) const MAX_INDEX: usize = 10_000;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathStep {
    /// A key of a mapping.
    Key(Arc<str>),
    /// A member of a list; negative ones count from the end.
    Index(i64),
    /// Every member.
    Each,
}

/// A path below the data of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct JsonPath {
    steps: Vec<PathStep>,
}

/// Why a path cannot be made in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    /// The part of the path that is there.
    pub(super) at: JsonPath,
    /// What is there.
    pub(super) kind: &'static str,
}

impl JsonPath {
    /// Reads a path; `Err` says what of it cannot be read.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the path is empty".to_owned());
        }
        let mut rest = text.strip_prefix('.').filter(|r| r.starts_with('$')).unwrap_or(text);
        rest = rest.strip_prefix('$').unwrap_or(rest);
        let mut steps = Vec::new();
        let mut first = true;
        while !rest.is_empty() {
            if steps.len() >= MAX_STEPS {
                return Err(format!("the path has more than {MAX_STEPS} steps"));
            }
            if let Some(inner) = rest.strip_prefix('[') {
                let (step, behind) = bracket(inner)?;
                steps.push(step);
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix('.') {
                if behind.starts_with('.') {
                    return Err("`..` (any depth) is not supported".to_owned());
                }
                if behind.is_empty() && !first {
                    return Err("the path ends with a `.`".to_owned());
                }
                rest = behind;
                if !rest.is_empty() && !rest.starts_with('[') {
                    let (step, behind) = name(rest)?;
                    steps.push(step);
                    rest = behind;
                }
            } else if first {
                let (step, behind) = name(rest)?;
                steps.push(step);
                rest = behind;
            } else {
                return Err(format!("`{}` follows without a `.`", clip(rest)));
            }
            first = false;
        }
        Ok(Self { steps })
    }

    /// The path below `data` of an action, which may begin with `.data`.
    pub(super) fn below_data(text: &str) -> Result<Self, String> {
        let mut path = Self::parse(text)?;
        let spelled = text.trim().trim_start_matches('$').starts_with(".data");
        if spelled && matches!(path.steps.first(), Some(PathStep::Key(key)) if &**key == "data") {
            path.steps.remove(0);
        }
        Ok(path)
    }

    /// Whether this is the data as a whole.
    pub(super) fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// A path of these steps.
    pub(super) fn of(steps: Vec<PathStep>) -> Self {
        Self { steps }
    }

    /// The steps, if each leads to one place whatever the value is.
    pub(super) fn exact(&self) -> Option<&[PathStep]> {
        let exact = |step: &PathStep| matches!(step, PathStep::Key(_) | PathStep::Index(0..));
        self.steps.iter().all(exact).then_some(&self.steps)
    }

    /// Whether this is a member of a list.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.steps.last(), Some(PathStep::Index(_)))
    }

    /// Number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The first value at this path.
    pub(super) fn find<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        find(&self.steps, node)
    }

    /// Changes every value at this path; what is shared is copied only along the path. Returns how many there are.
    pub(super) fn update(&self, node: &mut Node, change: &mut dyn FnMut(&mut Node)) -> usize {
        if self.find(node).is_none() {
            return 0;
        }
        update(&self.steps, node, change)
    }

    /// Makes the path where it is missing: mappings for keys, lists filled with empty mappings for indexes.
    pub(super) fn create(&self, node: &mut Node, at: Span) -> Result<(), Blocked> {
        // Nothing is made on the way to an index that is refused.
        let refused = |step: &PathStep| matches!(step, PathStep::Index(index) if usize::try_from(*index).is_ok_and(|i| i > MAX_INDEX));
        if let Some(depth) = self.steps.iter().position(refused) {
            return Err(Blocked { at: Self { steps: self.steps[..depth].to_vec() }, kind: "a list" });
        }
        let mut here = node;
        for (depth, step) in self.steps.iter().enumerate() {
            let kind = here.kind();
            let blocked = || Blocked { at: Self { steps: self.steps[..depth].to_vec() }, kind };
            let fresh = || match self.steps.get(depth + 1) {
                Some(PathStep::Index(_)) => Node::new(at, Value::Seq(Arc::default())),
                _ => Node::new(at, Value::Map(Arc::default())),
            };
            here = match (step, &mut here.value) {
                (PathStep::Key(name), Value::Map(map)) => {
                    let map = Arc::make_mut(map);
                    let place = map.entries.position(name).unwrap_or_else(|| {
                        map.entries.push(Key { name: name.clone(), span: at }, fresh());
                        map.entries.len() - 1
                    });
                    map.entries.value_mut(place).ok_or_else(blocked)?
                }
                (PathStep::Index(index), Value::Seq(items)) => {
                    let Some(index) = usize::try_from(*index).ok().filter(|i| *i <= MAX_INDEX) else { return Err(blocked()) };
                    let items = Arc::make_mut(items);
                    while items.len() < index {
                        items.push(Node::new(at, Value::Map(Arc::default())));
                    }
                    if items.len() == index {
                        items.push(fresh());
                    }
                    &mut items[index]
                }
                _ => return Err(blocked()),
            };
        }
        Ok(())
    }

    /// Removes the first value at this path; whether there was one.
    pub(super) fn remove(&self, node: &mut Node) -> bool {
        let Some((last, above)) = self.steps.split_last() else {
            *node = Node::new(node.span, Value::Map(Arc::new(Mapping::default())));
            return true;
        };
        if self.find(node).is_none() {
            return false;
        }
        let mut removed = false;
        update(above, node, &mut |parent| {
            if removed {
                return;
            }
            match (last, &mut parent.value) {
                (PathStep::Key(name), Value::Map(map)) => {
                    if let Some(at) = map.entries.position(name) {
                        Arc::make_mut(map).entries.remove(at);
                        removed = true;
                    }
                }
                (PathStep::Each, Value::Map(map)) if !map.entries.is_empty() => {
                    Arc::make_mut(map).entries.remove(0);
                    removed = true;
                }
                (PathStep::Index(_) | PathStep::Each, Value::Seq(items)) => {
                    let at = if let PathStep::Index(index) = last { place(*index, items.len()) } else { place(0, items.len()) };
                    if let Some(at) = at {
                        Arc::make_mut(items).remove(at);
                        removed = true;
                    }
                }
                _ => {}
            }
        });
        removed
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str(".");
        }
        for step in &self.steps {
            match step {
                PathStep::Key(name) if name.contains(['.', '[', ']', '\'', '"']) => write!(f, "['{name}']")?,
                PathStep::Key(name) => write!(f, ".{name}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
                PathStep::Each => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

fn place(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { i64::try_from(len).ok()?.checked_add(index)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < len)
}

fn find<'n>(steps: &[PathStep], node: &'n Node) -> Option<&'n Node> {
    let Some((step, rest)) = steps.split_first() else { return Some(node) };
    match (step, &node.value) {
        (PathStep::Key(name), Value::Map(map)) => find(rest, map.get(name)?),
        (PathStep::Index(index), Value::Seq(items)) => find(rest, &items[place(*index, items.len())?]),
        (PathStep::Each, Value::Map(map)) => map.entries.iter().find_map(|(_, value)| find(rest, value)),
        (PathStep::Each, Value::Seq(items)) => items.iter().find_map(|item| find(rest, item)),
        _ => None,
    }
}

fn update(steps: &[PathStep], node: &mut Node, change: &mut dyn FnMut(&mut Node)) -> usize {
    let Some((step, rest)) = steps.split_first() else {
        change(node);
        return 1;
    };
    match (step, &mut node.value) {
        (PathStep::Key(name), Value::Map(map)) => {
            let Some(at) = map.entries.position(name) else { return 0 };
            Arc::make_mut(map).entries.value_mut(at).map_or(0, |value| update(rest, value, change))
        }
        (PathStep::Index(index), Value::Seq(items)) => {
            let Some(at) = place(*index, items.len()) else { return 0 };
            update(rest, &mut Arc::make_mut(items)[at], change)
        }
        (PathStep::Each, Value::Map(map)) => Arc::make_mut(map).entries.values_mut().map(|(_, value)| update(rest, value, change)).sum(),
        (PathStep::Each, Value::Seq(items)) => Arc::make_mut(items).iter_mut().map(|item| update(rest, item, change)).sum(),
        _ => 0,
    }
}

/// A bare or quoted name and what follows it.
fn name(text: &str) -> Result<(PathStep, &str), String> {
    if text.starts_with(['\'', '"']) {
        let (key, rest) = quoted(text)?;
        return Ok((PathStep::Key(key.into()), rest));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (bare, rest) = text.split_at(end);
    match bare.trim() {
        "" => Err(format!("no name before `{}`", clip(rest))),
        "*" => Ok((PathStep::Each, rest)),
        bare if bare.contains(['\'', '"', ']', '(', ')', '|']) => Err(format!("`{}` cannot be read as a name", clip(bare))),
        bare => Ok((PathStep::Key(bare.into()), rest)),
    }
}

/// What follows a `[`, and what follows its `]`.
fn bracket(text: &str) -> Result<(PathStep, &str), String> {
    let (step, rest) = if text.starts_with(['\'', '"']) {
        let (key, rest) = quoted(text)?;
        (PathStep::Key(key.into()), rest)
    } else {
        let end = text.find(']').ok_or_else(|| "a `[` is never closed".to_owned())?;
        let (inner, rest) = text.split_at(end);
        let step = match inner.trim() {
            "*" => PathStep::Each,
            "" => return Err("`[]` is empty".to_owned()),
            inner => match inner.parse() {
                Ok(index) => PathStep::Index(index),
                Err(_) if inner.contains([':', ',', '?', '(', '@', '$', '\'', '"', '[']) => {
                    return Err(format!("`[{}]` is not supported: only one index, `*` or one name", clip(inner)));
                }
                Err(_) => PathStep::Key(inner.into()),
            },
        };
        (step, rest)
    };
    match rest.strip_prefix(']') {
        Some(behind) => Ok((step, behind)),
        None => Err("a `[` is never closed".to_owned()),
    }
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let quote = text.chars().next().unwrap_or('\'');
    let mut key = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Ok((key, &text[at + c.len_utf8()..]));
        }
        if c == '\\' {
            key.extend(chars.next().map(|(_, c)| c));
        } else {
            key.push(c);
        }
    }
    Err("a quotation is never closed".to_owned())
}

fn clip(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

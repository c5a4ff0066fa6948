//! JSON Schema, draft 4, over trees with positions.
//!
//! In: a schema as a YAML value. Out: a compiled schema, and for a value what does not fit, where, and because of which part of the schema. Nothing outside of the schema
//! is ever read, and every check has a limit: schemas and values come from anywhere. `format` is not checked, as in Deckhand.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::pattern::Pattern;
use crate::yaml::{Mapping, Node, Span, Value};

/// Steps that checking one value may take.
const MAX_STEPS: u32 = 5_000_000;
/// Schemas within schemas that apply to one value.
const MAX_NESTING: usize = 400;
/// Subschemas of one schema.
const MAX_SCHEMAS: usize = 100_000;
/// Problems reported of one value.
const MAX_FOUND: usize = 20;

/// Something in a schema that is none of JSON Schema, or does not fit in a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Misfit {
    /// The value or the part of it that is wrong: the key, where the key is.
    pub(super) span: Span,
    /// The way to the value, such as `.a.b[0]`; `.` is all of it.
    pub(super) path: String,
    /// What is wrong with it, in words that follow its name: `is text, must be an integer`.
    pub(super) what: String,
    /// The part of the schema that says so.
    pub(super) by: Span,
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct JsonSchema {
    schemas: Vec<Schema>,
}

type Id = usize;

#[derive(Debug, Default)]
struct Schema {
    reference: Option<Id>,
    types: Option<(Vec<Type>, Span)>,
    options: Option<(Arc<Vec<Node>>, Span)>,
    minimum: Option<(f64, bool, Span)>,
    maximum: Option<(f64, bool, Span)>,
    multiple_of: Option<(f64, Span)>,
    /// Length of texts, lists and mappings.
    sizes: [Option<(Bounds, Span)>; 3],
    pattern: Option<(Rc<Pattern>, Span)>,
    unique: Option<Span>,
    items: Option<Items>,
    more_items: More,
    properties: Vec<(Arc<str>, Id)>,
    pattern_properties: Vec<(Rc<Pattern>, Id)>,
    more_properties: More,
    required: Vec<(Arc<str>, Span)>,
    dependencies: Vec<(Arc<str>, Dependency)>,
    all: Vec<Id>,
    any: Option<(Vec<Id>, Span)>,
    one: Option<(Vec<Id>, Span)>,
    not: Option<(Id, Span)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: Option<u64>,
    high: Option<u64>,
}

#[derive(Debug)]
enum Items {
    Each(Id),
    Tuple(Vec<Id>),
}

#[derive(Debug, Default)]
enum More {
    #[default]
    Allowed,
    Refused(Span),
    Schema(Id),
}

#[derive(Debug)]
enum Dependency {
    Keys(Vec<Arc<str>>, Span),
    Schema(Id),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::String,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "text",
            Self::Array => "a list",
            Self::Object => "a mapping",
        }
    }

    fn has(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Null, Value::Null)
                | (Self::Boolean, Value::Bool(_))
                | (Self::Integer, Value::Int(_))
                | (Self::Number, Value::Int(_) | Value::Float(_))
                | (Self::String, Value::Str(_))
                | (Self::Array, Value::Seq(_))
                | (Self::Object, Value::Map(_))
        )
    }
}

impl JsonSchema {
    /// Compiles a schema. What cannot be read of it is left out and reported.
    pub(super) fn new(node: &Node) -> (Self, Vec<Misfit>) {
        let mut compiler = Compiler { root: node, schemas: Vec::new(), known: HashMap::new(), todo: Vec::new(), found: Vec::new() };
        compiler.id(node);
        while let Some((id, node)) = compiler.todo.pop() {
            compiler.schemas[id] = compiler.schema(node);
        }
        (Self { schemas: compiler.schemas }, compiler.found)
    }

    /// What of a value does not fit. `Err`: the schema refers to itself without end, or takes too long.
    pub(super) fn check(&self, value: &Node) -> Result<Vec<Misfit>, &'static str> {
        let check = Check { schemas: &self.schemas, steps: Cell::new(MAX_STEPS), endless: Cell::new(false) };
        let mut found = Vec::new();
        check.value(0, value, &Way::Root, 0, Some(&mut found));
        if check.endless.get() {
            return Err("the schema refers to itself without end");
        }
        if check.steps.get() == 0 { Err("checking takes too long") } else { Ok(found) }
    }
}

struct Compiler<'s> {
    root: &'s Node,
    schemas: Vec<Schema>,
    /// Subschemas by where they lie in memory.
    known: HashMap<*const Node, Id>,
    todo: Vec<(Id, &'s Node)>,
    found: Vec<Misfit>,
}

impl<'s> Compiler<'s> {
    fn id(&mut self, node: &'s Node) -> Id {
        let next = self.schemas.len();
        if let Some(known) = self.known.get(&std::ptr::from_ref(node)) {
            return *known;
        }
        if next >= MAX_SCHEMAS {
            return 0;
        }
        self.known.insert(node, next);
        self.schemas.push(Schema::default());
        self.todo.push((next, node));
        next
    }

    fn wrong(&mut self, node: &Node, what: impl Into<String>) {
        self.found.push(Misfit { span: node.span, path: String::new(), what: what.into(), by: node.span });
    }

    fn schema(&mut self, node: &'s Node) -> Schema {
        let mut schema = Schema::default();
        let Some(map) = node.as_map() else {
            self.wrong(node, format!("a schema that is {}", node.kind()));
            return schema;
        };
        if let Some(reference) = map.get("$ref") {
            match reference.as_str().ok_or("`$ref` is no text".to_owned()).and_then(|text| resolve(self.root, text)) {
                Ok(target) => schema.reference = Some(self.id(target)),
                Err(why) => self.wrong(reference, why),
            }
            return schema;
        }
        let mut bounds = [Bounds::default(); 3];
        for (key, value) in &map.entries {
            self.keyword(&mut schema, &mut bounds, map, &key.name, value);
        }
        for (at, names) in [["minLength", "maxLength"], ["minItems", "maxItems"], ["minProperties", "maxProperties"]].iter().enumerate() {
            let span = names.iter().find_map(|name| map.get(name)).map(|node| node.span);
            schema.sizes[at] = span.map(|span| (bounds[at], span));
        }
        schema
    }

    fn keyword(&mut self, schema: &mut Schema, bounds: &mut [Bounds; 3], map: &'s Mapping, key: &str, value: &'s Node) {
        match key {
            "type" => schema.types = Some((self.types(value), value.span)),
            "enum" => match &value.value {
                Value::Seq(options) => schema.options = Some((options.clone(), value.span)),
                _ => self.wrong(value, "`enum` must be a list"),
            },
            "minimum" | "maximum" => {
                let limit = self.number(value, key);
                let exclusive = map.get(if key == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" });
                let exclusive = matches!(exclusive.map(|e| &e.value), Some(Value::Bool(true)));
                let limit = limit.map(|limit| (limit, exclusive, value.span));
                *if key == "minimum" { &mut schema.minimum } else { &mut schema.maximum } = limit;
            }
            "multipleOf" => {
                schema.multiple_of = self.number(value, key).filter(|of| *of > 0.0).map(|of| (of, value.span));
            }
            "minLength" => bounds[0].low = self.count(value, key),
            "maxLength" => bounds[0].high = self.count(value, key),
            "minItems" => bounds[1].low = self.count(value, key),
            "maxItems" => bounds[1].high = self.count(value, key),
            "minProperties" => bounds[2].low = self.count(value, key),
            "maxProperties" => bounds[2].high = self.count(value, key),
            "pattern" => schema.pattern = self.pattern(value.as_str(), value).map(|pattern| (pattern, value.span)),
            "uniqueItems" => schema.unique = matches!(value.value, Value::Bool(true)).then_some(value.span),
            "items" => {
                schema.items = Some(match &value.value {
                    Value::Seq(_) => Items::Tuple(self.list(value, key)),
                    _ => Items::Each(self.id(value)),
                });
            }
            "additionalItems" => schema.more_items = self.more(value),
            "additionalProperties" => schema.more_properties = self.more(value),
            "properties" => {
                let properties = self.mapping(value, key);
                schema.properties = properties.iter().map(|(name, sub)| (name.name.clone(), self.id(sub))).collect();
            }
            "patternProperties" => {
                for (name, sub) in self.mapping(value, key) {
                    if let Some(pattern) = self.pattern(Some(&name.name), sub) {
                        let id = self.id(sub);
                        schema.pattern_properties.push((pattern, id));
                    }
                }
            }
            "required" => match value.as_seq() {
                Some(names) => {
                    schema.required = names.iter().filter_map(|n| Some((n.as_str()?.into(), n.span))).collect();
                }
                None => self.wrong(value, "`required` must be a list of keys"),
            },
            "dependencies" => {
                for (name, needs) in self.mapping(value, key) {
                    let dependency = match needs.as_seq() {
                        Some(keys) => Dependency::Keys(keys.iter().filter_map(|k| Some(k.as_str()?.into())).collect(), needs.span),
                        None => Dependency::Schema(self.id(needs)),
                    };
                    schema.dependencies.push((name.name.clone(), dependency));
                }
            }
            "allOf" => schema.all = self.list(value, key),
            "anyOf" => schema.any = Some((self.list(value, key), value.span)),
            "oneOf" => schema.one = Some((self.list(value, key), value.span)),
            "not" => schema.not = Some((self.id(value), value.span)),
            _ => {}
        }
    }

    fn types(&mut self, node: &Node) -> Vec<Type> {
        let names = match &node.value {
            Value::Seq(names) => names.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut types = Vec::new();
        for name in names {
            match name.as_str().and_then(Type::named) {
                Some(known) => types.push(known),
                None => self.wrong(name, "no type of JSON Schema: they are null, boolean, integer, number, string, array and object"),
            }
        }
        types
    }

    fn number(&mut self, node: &Node, key: &str) -> Option<f64> {
        let number = number(&node.value);
        if number.is_none() {
            self.wrong(node, format!("`{key}` must be a number"));
        }
        number
    }

    fn count(&mut self, node: &Node, key: &str) -> Option<u64> {
        let count = if let Value::Int(count) = node.value { u64::try_from(count).ok() } else { None };
        if count.is_none() {
            self.wrong(node, format!("`{key}` must be a number of things"));
        }
        count
    }

    fn pattern(&mut self, text: Option<&str>, node: &Node) -> Option<Rc<Pattern>> {
        match text.ok_or("a pattern must be text".to_owned()).and_then(Pattern::new) {
            Ok(pattern) => Some(Rc::new(pattern)),
            Err(why) => {
                self.wrong(node, format!("not a regular expression: {why}"));
                None
            }
        }
    }

    fn more(&mut self, node: &'s Node) -> More {
        match node.value {
            Value::Bool(true) => More::Allowed,
            Value::Bool(false) => More::Refused(node.span),
            _ => More::Schema(self.id(node)),
        }
    }

    fn list(&mut self, node: &'s Node, key: &str) -> Vec<Id> {
        let Some(items) = node.as_seq() else {
            self.wrong(node, format!("`{key}` must be a list of schemas"));
            return Vec::new();
        };
        items.iter().map(|item| self.id(item)).collect()
    }

    fn mapping(&mut self, node: &'s Node, key: &str) -> &'s [(crate::yaml::Key, Node)] {
        if let Some(map) = node.as_map() {
            return &map.entries;
        }
        self.wrong(node, format!("`{key}` must be a mapping"));
        &[]
    }
}

/// The value that `#/definitions/name` means.
fn resolve<'s>(root: &'s Node, text: &str) -> Result<&'s Node, String> {
    let Some(pointer) = text.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/')) else {
        return Err(format!("`{text}` leads out of the schema; only references such as `#/definitions/name` are followed"));
    };
    let mut here = root;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &here.value {
            Value::Map(map) => map.get(&part),
            Value::Seq(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => None,
        };
        here = next.ok_or_else(|| format!("`{text}` leads to nothing"))?;
    }
    Ok(here)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        _ => None,
    }
}

/// Equality as JSON sees it: `1` is `1.0`, the order of keys does not matter.
fn equal(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => a.value == b.value || number(&a.value) == number(&b.value),
        (Value::Seq(a), Value::Seq(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().all(|(key, value)| b.get(&key.name).is_some_and(|other| equal(value, other)))
        }
        (a, b) => a == b,
    }
}

/// The way from the root to a value, as a list that needs no allocation.
enum Way<'w> {
    Root,
    Key(&'w Way<'w>, &'w str),
    Index(&'w Way<'w>, usize),
}

impl Way<'_> {
    fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(above, key) => format!("{}.{key}", above.text()),
            Self::Index(above, at) => format!("{}[{at}]", above.text()),
        }
    }
}

struct Check<'s> {
    schemas: &'s [Schema],
    steps: Cell<u32>,
    endless: Cell<bool>,
}

type Found<'f> = Option<&'f mut Vec<Misfit>>;

/// Notes a misfit if they are collected; the answer is always "does not fit".
fn misfit(found: &mut Found<'_>, span: Span, way: &Way<'_>, by: Span, what: impl FnOnce() -> String) -> bool {
    if let Some(found) = found
        && found.len() < MAX_FOUND
    {
        let path = way.text();
        found.push(Misfit { span, path: if path.is_empty() { ".".to_owned() } else { path }, what: what(), by });
    }
    false
}

impl Check<'_> {
    /// Whether a value fits. Without a list of misfits the first one ends the check.
    fn value(&self, id: Id, node: &Node, way: &Way<'_>, nesting: usize, mut found: Found<'_>) -> bool {
        let left = self.steps.get();
        if left == 0 || nesting > MAX_NESTING {
            self.endless.set(self.endless.get() || nesting > MAX_NESTING);
            return true;
        }
        self.steps.set(left - 1);
        let schema = &self.schemas[id];
        if let Some(reference) = schema.reference {
            return self.value(reference, node, way, nesting + 1, found);
        }
        let mut fits = Self::plain(schema, node, way, &mut found);
        match &node.value {
            Value::Map(map) => fits &= self.mapping(schema, map, node, way, nesting, &mut found),
            Value::Seq(items) => fits &= self.list(schema, items, node, way, nesting, &mut found),
            _ => {}
        }
        if !fits && found.is_none() {
            return false;
        }
        for sub in &schema.all {
            fits &= self.value(*sub, node, way, nesting + 1, found.as_deref_mut());
        }
        if let Some((any, by)) = &schema.any
            && !any.iter().any(|sub| self.value(*sub, node, way, nesting + 1, None))
        {
            fits = misfit(&mut found, node.span, way, *by, || format!("fits none of {} alternatives", any.len()));
        }
        if let Some((one, by)) = &schema.one {
            let count = one.iter().filter(|sub| self.value(**sub, node, way, nesting + 1, None)).take(2).count();
            if count != 1 {
                let which = if count == 0 { "none" } else { "several" };
                fits = misfit(&mut found, node.span, way, *by, || format!("fits {which} of {} alternatives, must fit one", one.len()));
            }
        }
        if let Some((not, by)) = schema.not
            && self.value(not, node, way, nesting + 1, None)
        {
            fits = misfit(&mut found, node.span, way, by, || "is what it must not be".to_owned());
        }
        fits
    }

    fn plain(schema: &Schema, node: &Node, way: &Way<'_>, found: &mut Found<'_>) -> bool {
        let mut fits = true;
        if let Some((types, by)) = &schema.types
            && !types.iter().any(|t| t.has(&node.value))
        {
            let words = || types.iter().map(|t| t.words()).collect::<Vec<_>>().join(" or ");
            fits = misfit(found, node.span, way, *by, || format!("is {}, must be {}", node.kind(), words()));
        }
        if let Some((options, by)) = &schema.options
            && !options.iter().any(|option| equal(option, node))
        {
            let named: Vec<&str> = options.iter().filter_map(Node::as_str).take(12).collect();
            let what = if named.len() == options.len() { format!(": {}", named.join(", ")) } else { String::new() };
            fits = misfit(found, node.span, way, *by, || format!("is none of {} values{what}", options.len()));
        }
        if let Some(number) = number(&node.value) {
            if let Some((limit, exclusive, by)) = schema.minimum
                && (number < limit || (exclusive && number <= limit))
            {
                fits =
                    misfit(found, node.span, way, by, || format!("must be {} {limit}", if exclusive { "more than" } else { "at least" }));
            }
            if let Some((limit, exclusive, by)) = schema.maximum
                && (number > limit || (exclusive && number >= limit))
            {
                fits = misfit(found, node.span, way, by, || format!("must be {} {limit}", if exclusive { "less than" } else { "at most" }));
            }
            if let Some((of, by)) = schema.multiple_of
                && (number / of).fract() != 0.0
            {
                fits = misfit(found, node.span, way, by, || format!("must be a multiple of {of}"));
            }
        }
        if let (Value::Str(text), Some((pattern, by))) = (&node.value, &schema.pattern)
            && pattern.search(text, 0) == Ok(None)
        {
            fits = misfit(found, node.span, way, *by, || format!("does not match `{}`", pattern.source()));
        }
        let (place, size, unit) = match &node.value {
            Value::Str(text) => (0, text.chars().count(), "characters"),
            Value::Seq(items) => (1, items.len(), "members"),
            Value::Map(map) => (2, map.entries.len(), "keys"),
            _ => return fits,
        };
        if let Some((bounds, by)) = schema.sizes[place] {
            let size = size as u64;
            if let Some(low) = bounds.low.filter(|low| size < *low) {
                fits = misfit(found, node.span, way, by, || format!("has {size} {unit}, must have at least {low}"));
            }
            if let Some(high) = bounds.high.filter(|high| size > *high) {
                fits = misfit(found, node.span, way, by, || format!("has {size} {unit}, must have at most {high}"));
            }
        }
        fits
    }

    fn mapping(&self, schema: &Schema, map: &Mapping, node: &Node, way: &Way<'_>, nesting: usize, found: &mut Found<'_>) -> bool {
        let mut fits = true;
        for (name, by) in &schema.required {
            if map.get(name).is_none() {
                let at = map.entries.first().map_or(node.span, |(key, _)| key.span);
                fits = misfit(found, at, way, *by, || format!("lacks `{name}`"));
            }
        }
        let is_open =
            schema.properties.is_empty() && schema.pattern_properties.is_empty() && matches!(schema.more_properties, More::Allowed);
        for (key, value) in map.entries.iter().filter(|_| !is_open) {
            let here = Way::Key(way, &key.name);
            let mut known = false;
            for (_, sub) in schema.properties.iter().filter(|(name, _)| *name == key.name) {
                known = true;
                fits &= self.value(*sub, value, &here, nesting + 1, found.as_deref_mut());
            }
            for (pattern, sub) in &schema.pattern_properties {
                if matches!(pattern.search(&key.name, 0), Ok(Some(_))) {
                    known = true;
                    fits &= self.value(*sub, value, &here, nesting + 1, found.as_deref_mut());
                }
            }
            match schema.more_properties {
                _ if known => {}
                More::Allowed => {}
                More::Refused(by) => {
                    let near = schema.properties.iter().find(|(name, _)| strsim::osa_distance(name, &key.name) <= 2);
                    let near = near.map(|(name, _)| format!("; did you mean `{name}`?")).unwrap_or_default();
                    fits = misfit(found, key.span, way, by, || format!("has the unknown key `{}`{near}", key.name));
                }
                More::Schema(sub) => fits &= self.value(sub, value, &here, nesting + 1, found.as_deref_mut()),
            }
            if !fits && found.is_none() {
                return false;
            }
        }
        for (name, dependency) in schema.dependencies.iter().filter(|(name, _)| map.get(name).is_some()) {
            match dependency {
                Dependency::Keys(keys, by) => {
                    for key in keys.iter().filter(|key| map.get(key).is_none()) {
                        fits = misfit(found, node.span, way, *by, || format!("has `{name}` and so needs `{key}`"));
                    }
                }
                Dependency::Schema(sub) => fits &= self.value(*sub, node, way, nesting + 1, found.as_deref_mut()),
            }
        }
        fits
    }

    fn list(&self, schema: &Schema, items: &[Node], node: &Node, way: &Way<'_>, nesting: usize, found: &mut Found<'_>) -> bool {
        let mut fits = true;
        for (at, item) in items.iter().enumerate() {
            let here = Way::Index(way, at);
            let sub = match &schema.items {
                None => break,
                Some(Items::Each(sub)) => *sub,
                Some(Items::Tuple(subs)) => match (subs.get(at), &schema.more_items) {
                    (Some(sub), _) | (None, More::Schema(sub)) => *sub,
                    (None, More::Allowed) => break,
                    (None, More::Refused(by)) => {
                        fits = misfit(found, item.span, way, *by, || format!("has more than {} members", subs.len()));
                        break;
                    }
                },
            };
            fits &= self.value(sub, item, &here, nesting + 1, found.as_deref_mut());
            if !fits && found.is_none() {
                return false;
            }
        }
        if let Some(by) = schema.unique {
            for (at, item) in items.iter().enumerate() {
                self.steps.set(self.steps.get().saturating_sub(u32::try_from(at).unwrap_or(u32::MAX)));
                if self.steps.get() > 0 && items[..at].iter().any(|other| equal(other, item)) {
                    return misfit(found, item.span, &Way::Index(way, at), by, || "stands in the list twice".to_owned());
                }
            }
        }
        let _ = node;
        fits
    }
}

#[cfg(test)]
#[path = "json_schema_tests.rs"]
mod tests;

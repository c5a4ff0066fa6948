//! The tree and its positions.

use std::fmt;
use std::sync::Arc;

use super::mapping::Mapping;

/// A file of the [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Where a key or value stands: 1-based line and column, and its byte range in the file.
///
/// With `{:-?}` it prints as nothing, so that what is printed depends on what is written and not on where.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// 1-based line of the first character.
    pub line: u32,
    /// 1-based column, in characters, of the first character.
    pub column: u32,
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// A position for values that no file holds (defaults, tests).
    pub const NOWHERE: Self = Self { file: FileId(u32::MAX), line: 0, column: 0, start: 0, end: 0 };

    /// Whether this position points into a file.
    pub fn is_somewhere(&self) -> bool {
        self.file.0 != u32::MAX
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.sign_minus() {
            return Ok(());
        }
        let Self { file, line, column, start, end } = self;
        let mut out = f.debug_struct("Span");
        out.field("file", file).field("line", line).field("column", column).field("start", start).field("end", end).finish()
    }
}

/// One file as read: the path shown to people (relative to the design root where possible) and its text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path as shown, `/`-separated.
    pub path: String,
    /// The whole text.
    pub text: Arc<str>,
}

/// All files that positions may point into.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX - 1));
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        id
    }

    /// The file with this id, if any.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files in the order in which they were added.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// `path:line:column`, or an empty string for a position in no file.
    pub fn describe(&self, span: Span) -> String {
        self.get(span.file).map_or_else(String::new, |f| format!("{}:{}:{}", f.path, span.line, span.column))
    }
}

/// A value with its position. Equality compares values only, not positions.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where the value is written: of a value that was inherited, layered or substituted, the file that holds its text.
    pub span: Span,
    /// The value.
    pub value: Value,
    /// How it came here, if it was not simply written here.
    pub past: Option<Arc<Past>>,
}

/// The last thing that happened to a value on its way here.
#[derive(Debug, Clone)]
pub struct Past {
    /// What happened.
    pub step: Step,
    /// What stood here before, with its own past.
    pub before: Option<Node>,
}

/// What can happen to a value.
#[derive(Debug, Clone)]
pub enum Step {
    /// A child (a layer, a host profile, a node) wrote it over what it inherits.
    Overrode {
        /// What had happened to it in the child itself.
        own: Option<Arc<Past>>,
    },
    /// A substitution put it here.
    Substituted {
        /// Where the substitution is written.
        by: Span,
        /// The value that it took, with its own past. With a `pattern`, only a part of the text here came from it.
        source: Node,
    },
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// What a node holds. Collections are shared, so that inheriting a subtree copies nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A YAML 1.1 boolean (`yes`, `on`, `true`, …).
    Bool(bool),
    /// A YAML 1.1 integer, of any base.
    Int(i64),
    /// A YAML 1.1 float; also integers beyond 64 bits.
    Float(f64),
    /// Anything else that is a scalar; timestamps stay text.
    Str(Arc<str>),
    /// A sequence.
    Seq(Arc<Vec<Node>>),
    /// A mapping.
    Map(Arc<Mapping>),
}

/// The key of a mapping entry: its text (scalars of other types are written as text) and position.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key as text.
    pub name: Arc<str>,
    /// Where the key stands.
    pub span: Span,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Node {
    /// A value that is written at `span`.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value, past: None }
    }

    /// A node that stands nowhere.
    pub fn nowhere(value: Value) -> Self {
        Self::new(Span::NOWHERE, value)
    }

    /// This value, written over `before`.
    #[must_use]
    pub fn over(self, before: &Self) -> Self {
        let past = Past { step: Step::Overrode { own: self.past }, before: Some(before.clone()) };
        Self { past: Some(Arc::new(past)), span: self.span, value: self.value }
    }

    /// The mapping, if this is one.
    pub fn as_map(&self) -> Option<&Mapping> {
        if let Value::Map(m) = &self.value { Some(m) } else { None }
    }

    /// The sequence, if this is one.
    pub fn as_seq(&self) -> Option<&[Node]> {
        if let Value::Seq(s) = &self.value { Some(s) } else { None }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(s) = &self.value { Some(s) } else { None }
    }

    /// The value under a key, if this is a mapping that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.as_map().and_then(|m| m.get(name))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What kind of value this is, in the words of a message: `a mapping`, `a list`, `text`, ….
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a decimal number",
            Value::Str(_) => "text",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

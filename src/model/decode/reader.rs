//! Reading of single values.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::diag::{Code, Diagnostic};
use crate::model::sink::Sink;
use crate::model::{Located, Size, Text, codes};
use crate::yaml::{Key, Node, Value};

/// Reads values of one resource and reports what is wrong with them.
pub(in crate::model) struct Reader<'s> {
    /// `node.compute01`
    resource: &'s str,
    sink: &'s mut Sink,
    reported: bool,
}

impl<'s> Reader<'s> {
    pub(in crate::model) fn new(resource: &'s str, sink: &'s mut Sink) -> Self {
        Self { resource, sink, reported: false }
    }

    /// Whether it reported anything.
    pub(in crate::model) fn has_reported(&self) -> bool {
        self.reported
    }

    pub(in crate::model) fn report(&mut self, diagnostic: Diagnostic) {
        self.reported = true;
        self.sink.push(diagnostic.resource(self.resource));
    }

    /// The name most like `name`, if any is like it.
    pub(in crate::model) fn similar<'n>(&mut self, name: &str, among: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        self.sink.similar(name, among)
    }

    pub(in crate::model) fn error(&mut self, code: Code, node: &Node, message: String, help: &str) {
        let found = Diagnostic::error(code, message).at(node.span);
        self.report(if help.is_empty() { found } else { found.help(help) });
    }

    pub(in crate::model) fn malformed(&mut self, node: &Node, message: String, help: &str) {
        self.error(codes::MALFORMED_VALUE, node, message, help);
    }

    pub(in crate::model) fn missing(&mut self, node: &Node, message: String, help: &str) {
        self.error(codes::MISSING_VALUE, node, message, help);
    }

    pub(in crate::model) fn number<N: FromStr + TryFrom<i64>>(&mut self, node: &Node, what: &str, expected: &str) -> Option<Located<N>> {
        let number = match &node.value {
            Value::Int(number) => N::try_from(*number).ok(),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => N::try_from(*number as i64).ok(),
            Value::Str(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() && !matches!(node.value, Value::Map(_) | Value::Seq(_) | Value::Null) {
            self.malformed(node, format!("`{}` is not {expected} ({what})", shown(node)), "write digits alone");
        }
        number.map(|value| Located::new(value, node.span))
    }

    pub(in crate::model) fn number_at(&mut self, map: &Node, key: &str) -> Option<Located<u32>> {
        self.number(map.get(key)?, key, "a whole number of at most 4294967295")
    }

    pub(in crate::model) fn bool_at(&mut self, map: &Node, key: &str) -> Option<Located<bool>> {
        let node = map.get(key)?;
        let value = match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            Value::Str(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(true),
                "false" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() && !matches!(node.value, Value::Map(_) | Value::Seq(_) | Value::Null) {
            self.malformed(node, format!("`{}` is neither true nor false ({key})", shown(node)), "write `true` or `false`");
        }
        value.map(|value| Located::new(value, node.span))
    }

    /// One of several words, compared without regard to case.
    pub(in crate::model) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<Located<T>> {
        let text = scalar(node)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim())).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let help = match crate::design::similar(text.trim(), words.iter().map(|(word, _)| *word)) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write one of {}", known.join(", ")),
            };
            self.malformed(node, format!("`{}` is not a known {what}", clip(&text)), &help);
        }
        found.map(|value| Located::new(value, node.span))
    }

    fn parsed<T: FromStr>(&mut self, node: &Node, what: &str, help: &str) -> Option<Located<T>> {
        let text = scalar(node)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            self.malformed(node, format!("`{}` is not {what}", clip(&text)), help);
        }
        value.map(|value| Located::new(value, node.span))
    }

    pub(in crate::model) fn ip(&mut self, node: &Node) -> Option<Located<IpAddr>> {
        let help = match scalar(node) {
            Some(text) if text.contains('/') => "write the address without the prefix length",
            _ => "write an IPv4 or IPv6 address such as `10.0.0.10`",
        };
        self.parsed(node, "an IP address", help)
    }

    pub(in crate::model) fn ip_at(&mut self, map: &Node, key: &str) -> Option<Located<IpAddr>> {
        self.ip(map.get(key)?)
    }

    pub(in crate::model) fn cidr(&mut self, node: &Node) -> Option<Located<IpNet>> {
        // A bare address is the network of that one host, as Python's netaddr reads it.
        if let Some(address) = scalar(node).and_then(|text| text.trim().parse::<IpAddr>().ok()) {
            return Some(Located::new(IpNet::from(address), node.span));
        }
        self.parsed(node, "an address block", "write the network address and its prefix length, such as `10.0.0.0/24`")
    }

    pub(in crate::model) fn size(&mut self, node: &Node) -> Option<Located<Size>> {
        let text = scalar(node)?;
        match Size::parse(clip(&text)) {
            Ok(size) => Some(Located::new(size, node.span)),
            Err(error) => {
                let message = error.to_string();
                let (message, help) = message.split_once("; ").unwrap_or((&message, ""));
                self.malformed(node, message.to_owned(), help);
                None
            }
        }
    }
}

/// A scalar as the text that Python's YAML tools would print for it, with booleans in YAML's own spelling.
pub(in crate::model) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Str(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Float(number) => Some(format!("{number:?}")),
        Value::Null | Value::Seq(_) | Value::Map(_) => None,
    }
}

/// A scalar with its position. A collection was reported when the document's shape was inspected.
fn text(node: &Node) -> Option<Text> {
    scalar(node).map(|value| Located::new(value, node.span))
}

/// A text that is not empty.
pub(in crate::model) fn name_at(map: &Node, key: &str) -> Option<Text> {
    map.get(key).and_then(text).filter(|text| !text.is_empty())
}

/// As [`name_at`]; something that is no scalar counts as a text that nobody knows, so that it is not reported as missing besides.
pub(in crate::model) fn name_or_unreadable_at(map: &Node, key: &str) -> Option<Text> {
    let unreadable = || map.get(key).filter(|node| matches!(node.value, Value::Seq(_) | Value::Map(_)));
    name_at(map, key).or_else(|| unreadable().map(|node| Located::new(String::new(), node.span)))
}

/// Scalars of a list.
pub(in crate::model) fn texts_at(map: &Node, key: &str) -> Vec<Text> {
    map.get(key).and_then(Node::as_seq).unwrap_or_default().iter().filter_map(text).collect()
}

/// Scalars of a mapping.
pub(in crate::model) fn dict_at(map: &Node, key: &str) -> BTreeMap<String, Text> {
    entries(map.get(key)).filter_map(|(key, node)| Some((key.name.to_string(), text(node)?))).collect()
}

fn shown(node: &Node) -> impl Display {
    scalar(node).map_or_else(|| node.kind().to_owned(), |text| clip(&text).to_owned())
}

/// As much of a text as a message quotes.
fn clip(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| &text[..end])
}

/// Key and value of each entry, if this is a mapping.
pub(in crate::model) fn entries(node: Option<&Node>) -> impl Iterator<Item = (&Key, &Node)> {
    node.and_then(Node::as_map).map(|map| &*map.entries).unwrap_or_default().iter().map(|(key, value)| (key, value))
}

/// A key as a name.
pub(in crate::model) fn key_text(key: &Key) -> Text {
    Located::new(key.name.to_string(), key.span)
}

/// An SSH public key on one line: its base64 part may be broken over several, the comment keeps its spaces.
pub(in crate::model) fn key_on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut words = 0;
    for row in text.lines() {
        for (at, word) in row.split_whitespace().enumerate() {
            let continues = at == 0 && words == 2;
            if words > 0 && !continues {
                let _ = write!(line, " ");
            }
            line.push_str(word);
            words += usize::from(!continues);
        }
    }
    line
}

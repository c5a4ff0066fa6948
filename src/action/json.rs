//! JSON kept as text: canonical (RFC 8785), compact, shared between copies.
//!
//! A plan for thousands of nodes holds tens of thousands of parameters; as trees of values they take ten times the memory of their text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Canonical JSON (RFC 8785) of a value without floats.
pub fn canonical(value: &Value) -> String {
    // serde_json keeps keys in order of bytes; RFC 8785 orders by UTF-16 code units, which is another order for some keys beyond ASCII.
    if keys_are_ascii(value) { value.to_string() } else { serde_json_canonicalizer::to_string(value).unwrap_or_default() }
}

fn keys_are_ascii(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(keys_are_ascii),
        Value::Object(map) => map.iter().all(|(k, v)| k.is_ascii() && keys_are_ascii(v)),
        _ => true,
    }
}

/// Canonical JSON of anything that holds no floats. Fast where maps are ordered and structures declare their fields in order of name.
pub fn canonical_of(value: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    if is_ordered(&text) { text } else { serde_json::from_str(&text).map_or(text, |value| canonical(&value)) }
}

/// A part of compact JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// One of `{}[],`.
    Mark(u8),
    /// A key, quoted, without its colon.
    Key(&'a str),
    /// A string (quoted), number, boolean or null.
    Scalar(&'a str),
}

/// The parts of compact JSON (as serde_json writes it, without blanks) in order.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte offset behind the last part.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let first = *bytes.get(start)?;
        match first {
            b'{' | b'}' | b'[' | b']' | b',' => {
                self.at += 1;
                Some(Token::Mark(first))
            }
            b'"' => {
                let mut end = start + 1;
                while let Some(byte) = bytes.get(end) {
                    match byte {
                        b'"' => break,
                        b'\\' => end += 2,
                        _ => end += 1,
                    }
                }
                end = (end + 1).min(bytes.len());
                let text = self.text.get(start..end)?;
                self.at = end;
                if bytes.get(end) == Some(&b':') {
                    self.at += 1;
                    return Some(Token::Key(text));
                }
                Some(Token::Scalar(text))
            }
            _ => {
                let length = bytes[start..].iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(bytes.len() - start);
                self.at += length.max(1);
                self.text.get(start..self.at).map(Token::Scalar)
            }
        }
    }
}

/// Whether every object of compact JSON has its keys in RFC 8785's order. `false` also where that is not plain to see.
fn is_ordered(text: &str) -> bool {
    let mut last: Vec<Option<&str>> = Vec::new();
    for token in Tokens::new(text) {
        match token {
            Token::Mark(b'{') => last.push(None),
            Token::Mark(b'}') => {
                last.pop();
            }
            Token::Key(key) => {
                let inner = &key[1..key.len() - 1];
                let Some(before) = last.last_mut() else { return false };
                if before.is_some_and(|before| before >= inner) || !inner.is_ascii() || inner.contains('\\') {
                    return false;
                }
                *before = Some(inner);
            }
            Token::Mark(_) | Token::Scalar(_) => {}
        }
    }
    true
}

/// A JSON value as canonical text. Copies share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// The JSON of anything that holds no floats.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Self {
        Self(canonical_of(value).into())
    }

    /// From text that is canonical JSON already.
    pub(crate) fn from_canonical(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value.
    pub fn value(&self) -> Value {
        // It was made from a value, or checked when a file was read.
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// One entry of an object.
    pub fn get(&self, key: &str) -> Option<Value> {
        match self.value() {
            Value::Object(mut map) => map.remove(key),
            _ => None,
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(canonical(&value).into())
    }
}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        *self.0 == canonical(other)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_canonical_whatever_the_order_of_fields() {
        #[derive(Serialize)]
        struct Unordered {
            b: u8,
            a: &'static str,
        }
        assert_eq!(Json::of(&Unordered { b: 1, a: "x" }).text(), r#"{"a":"x","b":1}"#);
        assert_eq!(Json::of(&json!({"z": [{"b": null, "a": true}], "é": 1, "\u{10000}": 2, "\u{e000}": 3})).text(), {
            // By UTF-16 code units the surrogates of U+10000 come before U+E000.
            "{\"z\":[{\"a\":true,\"b\":null}],\"é\":1,\"\u{10000}\":2,\"\u{e000}\":3}"
        });
    }

    #[test]
    fn parts_of_a_text() {
        let text = r#"{"a\"":[1,"x:\"y",{}],"b":null}"#;
        let parts: Vec<Token<'_>> = Tokens::new(text).collect();
        assert_eq!(
            parts,
            [
                Token::Mark(b'{'),
                Token::Key(r#""a\"""#),
                Token::Mark(b'['),
                Token::Scalar("1"),
                Token::Mark(b','),
                Token::Scalar(r#""x:\"y""#),
                Token::Mark(b','),
                Token::Mark(b'{'),
                Token::Mark(b'}'),
                Token::Mark(b']'),
                Token::Mark(b','),
                Token::Key(r#""b""#),
                Token::Scalar("null"),
                Token::Mark(b'}'),
            ]
        );
    }

    #[test]
    fn a_text_that_is_no_json_ends() {
        for text in ["\"", "\"\\", "tru", "é", "{\"a", ":::", "\"é\\"] {
            assert!(Tokens::new(text).count() <= text.len(), "{text}");
        }
    }
}

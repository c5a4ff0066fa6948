//! Values as Python writes them: Deckhand puts `str(value)` where a pattern matches.

use std::fmt::Write as _;

use crate::yaml::{Node, Value};

/// `str(value)`; `None` if it is longer than `limit` bytes.
pub(super) fn text(node: &Node, limit: usize) -> Option<String> {
    let mut out = String::new();
    match &node.value {
        Value::Str(text) => out.push_str(text),
        _ => repr(node, limit, &mut out),
    }
    (out.len() <= limit).then_some(out)
}

fn repr(node: &Node, limit: usize, out: &mut String) {
    if out.len() > limit {
        return;
    }
    match &node.value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::Float(number) => float(*number, out),
        Value::Str(text) => quote(text, out),
        Value::Seq(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                repr(item, limit, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                quote(&key.name, out);
                out.push_str(": ");
                repr(value, limit, out);
            }
            out.push('}');
        }
    }
}

fn float(number: f64, out: &mut String) {
    let size = number.abs();
    let _ = if number.is_nan() {
        out.write_str("nan")
    } else if number.is_infinite() {
        out.write_str(if number > 0.0 { "inf" } else { "-inf" })
    } else if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        write!(out, "{mantissa}e{sign}{digits:0>2}")
    } else {
        write!(out, "{number:?}")
    };
}

fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        let _ = match c {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\\' => out.write_str("\\\\"),
            c if c == quote => write!(out, "\\{c}"),
            c if (c as u32) < 0x20 || (0x7f..0xa1).contains(&(c as u32)) => write!(out, "\\x{:02x}", c as u32),
            c => out.write_char(c),
        };
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::yaml::{SourceMap, parse};

    fn str_of(yaml: &str) -> String {
        let mut map = SourceMap::default();
        let id = map.add("a.yaml", yaml);
        text(&parse(&map, id).documents[0], 1000).expect("short")
    }

    #[test]
    fn as_python_does() {
        for (yaml, expected) in [
            ("5000", "5000"),
            ("'05'", "05"),
            ("yes", "True"),
            ("1.0", "1.0"),
            ("1.5e+30", "1.5e+30"),
            ("1.0e-7", "1e-07"),
            ("[1, a, null, {b: \"it's\"}]", "[1, 'a', None, {'b': \"it's\"}]"),
            ("[\"a\\nb\", '\"''']", "['a\\nb', '\"\\'']"),
        ] {
            assert_eq!(str_of(yaml), expected, "str({yaml})");
        }
    }

    #[test]
    fn is_bounded() {
        let mut map = SourceMap::default();
        let id = map.add("a.yaml", format!("[{}]", "x, ".repeat(1000)));
        assert!(text(&parse(&map, id).documents[0], 1000).is_none());
    }
}

//! Trees to YAML text.
//!
//! What is written reads back as the same values, also by YAML 1.1 parsers: a text that would be read as something else is quoted.

use std::fmt::Write as _;

use super::resolve::plain;
use super::tree::{Node, Value};

/// The tree as a YAML document that starts with `---`.
pub fn emit(node: &Node) -> String {
    let mut out = String::from("---");
    value(&mut out, node, 0, Place::Top);
    out
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind `---`.
    Top,
    /// Behind `key:`.
    Key,
    /// Behind `-`.
    Item,
}

fn value(out: &mut String, node: &Node, indent: usize, place: Place) {
    match &node.value {
        Value::Map(mapping) if !mapping.entries.is_empty() => {
            for (at, (key, child)) in mapping.entries.iter().enumerate() {
                if at == 0 && place == Place::Item {
                    out.push(' ');
                } else {
                    line(out, indent);
                }
                out.push_str(&scalar(&key.name));
                out.push(':');
                value(out, child, indent + 2, Place::Key);
            }
        }
        Value::Seq(members) if !members.is_empty() => {
            // A list stands at the column of its key.
            let indent = if place == Place::Key { indent - 2 } else { indent };
            for (at, member) in members.iter().enumerate() {
                if at == 0 && place == Place::Item {
                    out.push(' ');
                } else {
                    line(out, indent);
                }
                out.push('-');
                value(out, member, indent + 2, Place::Item);
            }
        }
        other => {
            out.push(' ');
            match other {
                Value::Null => out.push_str("null"),
                Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
                Value::Int(number) => {
                    let _ = write!(out, "{number}");
                }
                Value::Float(number) => out.push_str(&float(*number)),
                Value::Str(text) => text_value(out, text, indent),
                Value::Seq(_) => out.push_str("[]"),
                Value::Map(_) => out.push_str("{}"),
            }
            if place == Place::Top {
                out.push('\n');
            }
        }
    }
    if place == Place::Top && !out.ends_with('\n') {
        out.push('\n');
    }
}

fn line(out: &mut String, indent: usize) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n(' ', indent));
}

/// YAML 1.1 reads a float only with a dot, and an exponent only with a sign.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}e{sign}{exponent}")
        }
        None => text,
    }
}

/// A text in the form that is easiest to read: plain, as a block, or quoted.
fn text_value(out: &mut String, text: &str, indent: usize) {
    let printable = |c: char| c == '\n' || c == '\t' || (!c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'));
    // A first line that is indented or empty would need the depth written down, and blanks at the end could be lost by editors.
    let block = text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && text.chars().all(printable)
        && text.split('\n').all(|line| !line.ends_with([' ', '\t']));
    if !block {
        out.push_str(&scalar(text));
        return;
    }
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    let indent = indent.max(2);
    for part in body.split('\n') {
        out.push('\n');
        if !part.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(part);
        }
    }
    out.extend(std::iter::repeat_n('\n', ends.max(1)));
}

/// A text on one line, quoted unless it reads back as itself.
fn scalar(text: &str) -> String {
    let first =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '(' | '+' | '.' | '=' | '<' | '^' | '$' | ';' | '~') && text.len() > 1;
    let bare = text.starts_with(first)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text.chars().all(|c| c == ' ' || (!c.is_control() && !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')))
        && plain(text).is_none()
        && !resembles_number(text)
        && text != "="
        && text != "<<";
    if bare { text.to_owned() } else { quoted(text) }
}

/// What YAML 1.1 parsers read as a base-60 number or a date, though we do not: `0000:00:03.0`, `2026-11-22`.
fn resembles_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '.'))
        && text.contains([':', '-'])
        && text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '_' | '+' | '-' | ' ' | 'T' | 't' | 'Z' | 'z'))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

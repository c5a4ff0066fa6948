//! Values before and after as text.

use std::borrow::Cow;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::escape::clean;

/// A value on one line. Strings stand bare where nothing could be mistaken, and in quotes elsewhere.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(s) => quoted(s, " ,()").into_owned(),
        other => member(other),
    }
}

/// A value inside another: commas and parentheses would be mistaken.
fn member(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => quoted(s, " ").into_owned(),
        Value::Array(list) => format!("[{}]", list.iter().map(member).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.len() == 1 && map.contains_key(crate::action::params::FACT_KEY) => {
            "(known after commissioning)".to_owned()
        }
        Value::Object(map) => {
            format!("{{{}}}", map.iter().map(|(k, v)| format!("{}: {}", quoted(k, ""), member(v))).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The text, in quotes unless it is plain: letters, digits, some signs, and those of `also` between words.
pub(super) fn quoted<'t>(text: &'t str, also: &str) -> Cow<'t, str> {
    let bare = |c: char| c.is_alphanumeric() || "_-./:@+%~=<>^*!'".contains(c) || also.contains(c);
    let other_type = matches!(text, "true" | "false" | "null") || text.parse::<f64>().is_ok();
    let words = text.starts_with(char::is_alphanumeric) || !text.contains(' ');
    if !text.is_empty() && !other_type && words && !text.ends_with(' ') && !text.contains("  ") && text.chars().all(bare) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("\"{}\"", clean(&text.replace('\\', "\\\\").replace('"', "\\\""))))
}

/// The text cut to `limit` characters, saying how many there are.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= limit {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(limit).collect();
    Cow::Owned(format!("{kept}… ({count} characters)"))
}

/// A line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// In both.
    Same,
    /// Only before.
    Removed,
    /// Only afterwards.
    Added,
    /// Where lines are left out, or a note.
    Note,
}

impl Mark {
    /// The sign of a unified difference; a note is a comment.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Removed => "-",
            Self::Added => "+",
            Self::Note => "#",
        }
    }
}

/// Whether one of the texts has several lines, so that they are shown as a difference.
pub(super) fn several_lines(before: Option<&str>, after: Option<&str>) -> bool {
    [before, after].into_iter().flatten().any(|t| t.trim_end_matches('\n').contains('\n'))
}

/// Lines above which two texts are not compared: the comparison takes quadratic time.
const COMPARED_LINES: usize = 5_000;

/// The unified difference of two texts; all lines of one text if the other is absent.
pub(super) fn text_diff(before: Option<&str>, after: Option<&str>) -> Vec<(Mark, String)> {
    let mut out = Vec::new();
    let (old, new) = (before.unwrap_or(""), after.unwrap_or(""));
    let lines = old.lines().count().max(new.lines().count());
    if before.is_none() || after.is_none() {
        let mark = if before.is_none() { Mark::Added } else { Mark::Removed };
        out.extend(split(if before.is_none() { new } else { old }).map(|l| (mark, l)));
        return out;
    }
    if lines > COMPARED_LINES {
        out.push((
            Mark::Note,
            format!("{} lines before, {} lines after: too long to be compared here", old.lines().count(), new.lines().count()),
        ));
        return out;
    }
    let diff = TextDiff::from_lines(old, new);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out.push((Mark::Note, hunk.header().to_string().trim_end().to_owned()));
        for change in hunk.iter_changes() {
            let mark = match change.tag() {
                ChangeTag::Equal => Mark::Same,
                ChangeTag::Delete => Mark::Removed,
                ChangeTag::Insert => Mark::Added,
            };
            let text: &str = change.value();
            out.push((mark, text.strip_suffix('\n').unwrap_or(text).to_owned()));
            if !text.ends_with('\n') {
                out.push((Mark::Note, "no line break at the end".to_owned()));
            }
        }
    }
    out
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned)
}

/// Members of two lists: what was removed and added, in order, and how many stayed.
pub(super) fn list_diff(before: &[Value], after: &[Value]) -> Vec<(Mark, String)> {
    let (old, new): (Vec<String>, Vec<String>) = (before.iter().map(inline).collect(), after.iter().map(inline).collect());
    if old.len().max(new.len()) > COMPARED_LINES {
        return vec![(Mark::Note, format!("{} members before, {} after: too long to be compared here", old.len(), new.len()))];
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
    let mut out = Vec::new();
    let mut same = 0;
    for change in TextDiff::from_slices(&old, &new).iter_all_changes() {
        let text: &str = change.value();
        match change.tag() {
            ChangeTag::Equal => same += 1,
            ChangeTag::Delete => out.push((Mark::Removed, text.to_owned())),
            ChangeTag::Insert => out.push((Mark::Added, text.to_owned())),
        }
    }
    if same > 0 {
        out.push((Mark::Note, format!("{same} unchanged")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mark, cut, inline, list_diff, text_diff};

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for (value, text) in [
            (json!("10.0.0.1/24"), "10.0.0.1/24"),
            (json!(">100g"), ">100g"),
            (json!("1500"), "\"1500\""),
            (json!(1500), "1500"),
            (json!("true"), "\"true\""),
            (json!(""), "\"\""),
            (json!("a → b"), "\"a → b\""),
            (json!("a  b"), "\"a  b\""),
            (json!("a # b"), "\"a # b\""),
            (json!("ext4 at / (defaults,noatime)"), "ext4 at / (defaults,noatime)"),
            (json!(["a, b"]), "[\"a, b\"]"),
            (json!("a\"b\\n"), "\"a\\\"b\\\\n\""),
            (json!("a\nb"), "\"a\\nb\""),
            (json!([1, "a b", null, {"k": false}]), "[1, a b, null, {k: false}]"),
            (json!({"$fact": {"node": "n1"}}), "(known after commissioning)"),
        ] {
            assert_eq!(inline(&value), text);
        }
        assert_eq!(cut("äöü", 2), "äö… (3 characters)");
    }

    #[test]
    fn texts_are_compared_line_by_line() {
        let diff = text_diff(Some("a\nb\nc\n"), Some("a\nB\nc"));
        let lines: Vec<String> = diff.iter().map(|(m, l)| format!("{m:?} {l}")).collect();
        assert_eq!(
            lines,
            ["Note @@ -1,3 +1,3 @@", "Same a", "Removed b", "Removed c", "Added B", "Added c", "Note no line break at the end"]
        );
        assert_eq!(
            text_diff(None, Some("a\n\nb\n")),
            [(Mark::Added, "a".to_owned()), (Mark::Added, String::new()), (Mark::Added, "b".to_owned())]
        );
        let long = "x\n".repeat(6000);
        assert_eq!(text_diff(Some("a\n"), Some(&long)).len(), 1);
    }

    #[test]
    fn lists_are_compared_member_by_member() {
        let diff = list_diff(&[json!("a"), json!("b")], &[json!("b"), json!("c")]);
        assert_eq!(diff, [(Mark::Removed, "a".to_owned()), (Mark::Added, "c".to_owned()), (Mark::Note, "1 unchanged".to_owned())]);
    }
}

//! Text of designs and servers, made safe for a terminal.
//!
//! A pull request's author and a compromised BMC both choose text that a reviewer will read. What could move the cursor, colour, hide or reorder text is shown as
//! an escape instead.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything that a terminal would act on, or that a reader could not see, written as an escape (`\n`, `\u{202e}`). The result is one line.
///
/// Escaped are: control characters (C0, DEL, C1), bidirectional formatting, invisible and zero-width characters, line and paragraph separators, tags and private use
/// (Unicode 16, general categories Cc, Cf, Zl, Zp, Co and the blank letters).
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) || !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON text with everything that [`clean`] would escape written as `\uXXXX`: the same value, harmless on a terminal. Line breaks between values stay.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        // Spaces other than the usual one.
        || (c != ' ' && c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_json};

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": ["\u{9b}x\u{1b}\n", "\u{e0041}ä"]});
        for text in [value.to_string(), format!("{value:#}")] {
            let safe = clean_json(&text);
            assert!(safe.chars().all(|c| c == '\n' || clean(&c.to_string()) == c.to_string()), "{safe}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        assert_eq!(clean("a\u{1b}[31mb\r\n\tc\u{7f}\u{9b}2J"), "a\\u{1b}[31mb\\r\\n\\tc\\u{7f}\\u{9b}2J");
        assert_eq!(clean("\u{202e}abc\u{2066}\u{200b}\u{feff}\u{e0041}\u{a0}"), "\\u{202e}abc\\u{2066}\\u{200b}\\u{feff}\\u{e0041}\\u{a0}");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        for text in ["", "n01 → größe", "データセンター", "日本語 (rack 1)", "données"] {
            assert_eq!(clean(text), text);
        }
    }
}

//! What identifies hardware, and what vendors write instead of nothing.

/// Texts that stand for nothing, lower case: what DMTF and SMBIOS tools print for empty fields, and what board makers leave in them.
const NOTHING: [&str; 15] = [
    "none",
    "null",
    "n/a",
    "na",
    "unknown",
    "unspecified",
    "not specified",
    "not available",
    "not applicable",
    "default string",
    "system serial number",
    "to be filled by o.e.m.",
    "0123456789",
    "123456789",
    "00000000-0000-0000-0000-000000000000",
];

/// Longest text that is kept as an identifier.
const MOST: usize = 128;

/// A text that identifies something, trimmed; `None` for what identifies nothing.
pub(super) fn meaningful(text: &str) -> Option<String> {
    let text = text.trim();
    let mut letters = text.chars().filter(|c| c.is_alphanumeric());
    // `0000`, `xxxx`, `ffff…`: the same sign over and over.
    let first = letters.next()?;
    let several = text.chars().filter(|c| c.is_alphanumeric()).count() > 2;
    if (several && letters.all(|c| c == first))
        || text.len() > MOST
        || text.chars().any(char::is_control)
        || NOTHING.contains(&text.to_ascii_lowercase().as_str())
    {
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::meaningful;

    #[test]
    fn fillers_are_nothing() {
        for text in [
            "",
            "  ",
            "None",
            "0000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "To Be Filled By O.E.M.",
            "....",
            "a\u{1b}[2J",
            "xxxxxxx",
        ] {
            assert_eq!(meaningful(text), None, "{text:?}");
        }
        assert_eq!(meaningful(&"9a".repeat(200)), None);
        for text in ["JXR1T52", "CZ3.1-7", "7"] {
            assert_eq!(meaningful(&format!(" {text} ")).as_deref(), Some(text));
        }
    }
}

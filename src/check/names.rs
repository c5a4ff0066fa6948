//! Rules by the names that people write: our codes in any spelling, and the codes of Airship Drydock.

use std::collections::BTreeMap;

use super::registry::{Rule, rules};
use crate::design::similar;

/// What a name stands for.
#[derive(Debug)]
pub enum Named {
    /// One rule.
    Rule(&'static Rule),
    /// A code of Airship Drydock that stands for several rules here: what it is there, and the rules.
    Several(BTreeMap<&'static str, Vec<&'static Rule>>),
    /// Nothing; the code that was probably meant.
    Unknown(Option<&'static str>),
}

/// The codes and titles that Airship Drydock has for what a rule checks.
pub fn originals(rule: &Rule) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let parts = rule.original.into_iter().flat_map(|text| text.split("), "));
    parts.filter_map(|part| part.split_once(" (")).map(|(code, title)| (code, title.trim_end_matches(')')))
}

/// What a code stands for: `DD2107`, `dd2107`, `2107`, or a code of Airship Drydock.
pub fn named(text: &str) -> Named {
    let code = text.trim().to_ascii_uppercase();
    let code = if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) { format!("DD{code}") } else { code };
    if let Some(rule) = rules().find(|rule| rule.code.0 == code) {
        return Named::Rule(rule);
    }
    let mut there: BTreeMap<&'static str, Vec<&'static Rule>> = BTreeMap::new();
    for rule in rules() {
        for (_, title) in originals(rule).filter(|(original, _)| *original == code) {
            there.entry(title).or_default().push(rule);
        }
    }
    match there.values().flatten().next() {
        None => Named::Unknown(similar(&code, rules().map(|rule| rule.code.0))),
        Some(rule) if there.values().flatten().all(|other| other.code == rule.code) => Named::Rule(rule),
        Some(_) => Named::Several(there),
    }
}

#[cfg(test)]
mod tests {
    use super::{Named, named, originals, rules};

    fn one(text: &str) -> Option<&'static str> {
        if let Named::Rule(rule) = named(text) { Some(rule.code.0) } else { None }
    }

    #[test]
    fn codes_in_any_spelling() {
        for text in ["DD2107", "dd2107", "2107", " Dd2107 "] {
            assert_eq!(one(text), Some("DD2107"));
        }
        assert_eq!(one("DD2005"), Some("DD2201"), "the original's code for it");
        assert_eq!(one("2006"), Some("DD2206"));
        for text in ["", "DD", "DD99999", "9", "ü", "DD２１０７", &"9".repeat(1 << 20)] {
            assert!(matches!(named(text), Named::Unknown(_)), "{:?}", &text[..text.len().min(9)]);
        }
        assert!(matches!(named("DD2170"), Named::Unknown(Some("DD2107"))));
    }

    #[test]
    fn what_the_original_uses_twice_is_both() {
        let Named::Several(there) = named("dd2004") else { panic!("DD2004 is two rules there") };
        assert_eq!(there.keys().copied().collect::<Vec<_>>(), ["Network Trunking", "Storage Mountpoint"]);
        assert!(there["Storage Mountpoint"].iter().any(|rule| rule.code.0 == "DD3107"));
    }

    #[test]
    fn no_code_is_ours_and_the_originals() {
        for rule in rules() {
            for (code, title) in originals(rule) {
                assert!(code.starts_with("DD") && !title.is_empty() && !title.contains([')', '(']), "{}: {:?}", rule.code.0, rule.original);
                assert!(rules().all(|other| other.code.0 != code), "{code} is ours and the original's");
            }
            assert_eq!(rule.original.is_some(), originals(rule).next().is_some(), "{:?}", rule.original);
        }
    }
}

//! Regular expressions as Python's `re` reads them, which Deckhand uses for substitution patterns.
//!
//! In: a pattern and texts. Out: matches, and texts with what matches replaced by a template, by the rules of `re.search` and `re.sub`.

use std::fmt::Write as _;
use std::sync::OnceLock;

/// Steps that a pattern with lookaround or backreferences may take.
const BACKTRACK_LIMIT: usize = 1_000_000;
/// Compiled size of a pattern, in bytes.
const SIZE_LIMIT: usize = 4 << 20;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 16 << 10;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    plain: Engine,
    /// `$` also matches before a line break at the end of the text; only needed for texts that end with one.
    before_break: OnceLock<Result<Engine, String>>,
}

#[derive(Debug)]
enum Engine {
    Plain(regex::Regex),
    Fancy(Box<fancy_regex::Regex>),
}

/// Positions of the groups of a match; group 0 is the match itself.
type Groups = Vec<Option<(usize, usize)>>;

impl Pattern {
    /// Compiles a pattern; `Err` says why it is none.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        if source.len() > MAX_PATTERN {
            return Err(format!("the pattern is longer than {MAX_PATTERN} bytes"));
        }
        let plain = Engine::new(&translate(source, r"\z")?)?;
        Ok(Self { source: source.to_owned(), plain, before_break: OnceLock::new() })
    }

    /// The pattern as written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Number of groups, not counting the match itself.
    pub(super) fn groups(&self) -> usize {
        match &self.plain {
            Engine::Plain(regex) => regex.captures_len(),
            Engine::Fancy(regex) => regex.captures_len(),
        }
        .saturating_sub(1)
    }

    fn group_named(&self, name: &str) -> Option<usize> {
        match &self.plain {
            Engine::Plain(regex) => regex.capture_names().position(|n| n == Some(name)),
            Engine::Fancy(regex) => regex.capture_names().position(|n| n == Some(name)),
        }
    }

    fn engine(&self, text: &str) -> Result<&Engine, String> {
        if !text.ends_with('\n') || !self.source.contains('$') {
            return Ok(&self.plain);
        }
        let engine = self.before_break.get_or_init(|| Engine::new(&translate(&self.source, r"(?=\n?\z)")?));
        engine.as_ref().map_err(Clone::clone)
    }

    /// The text of a group of the first match; `None` if nothing matches, `Some(None)` if the group takes no part in the match.
    pub(super) fn search<'t>(&self, text: &'t str, group: usize) -> Result<Option<Option<&'t str>>, String> {
        let found = self.engine(text)?.at(text, 0)?;
        Ok(found.map(|groups| groups.get(group).copied().flatten().and_then(|(start, end)| text.get(start..end))))
    }

    /// The text with every match replaced by the template; `None` if nothing matches. The result may have `limit` bytes.
    pub(super) fn replace(&self, text: &str, template: &Template, limit: usize) -> Result<Option<String>, String> {
        let engine = self.engine(text)?;
        let mut out = String::new();
        let (mut copied, mut from, mut advance, mut any) = (0, 0, false, false);
        while from <= text.len() {
            let Some(groups) = engine.at(text, from)? else { break };
            let Some((start, end)) = groups.first().copied().flatten() else { break };
            if start == end && advance && start == from {
                from = next_boundary(text, from);
                advance = false;
                continue;
            }
            any = true;
            out.push_str(&text[copied..start]);
            template.expand(text, &groups, &mut out);
            if out.len() > limit {
                return Err(format!("the result is longer than {limit} bytes"));
            }
            copied = end;
            from = end;
            advance = start == end;
        }
        if !any {
            return Ok(None);
        }
        out.push_str(&text[copied..]);
        if out.len() > limit { Err(format!("the result is longer than {limit} bytes")) } else { Ok(Some(out)) }
    }
}

fn next_boundary(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(at + 1, |c| at + c.len_utf8())
}

impl Engine {
    fn new(translated: &str) -> Result<Self, String> {
        let plain = match regex::RegexBuilder::new(translated).size_limit(SIZE_LIMIT).nest_limit(100).build() {
            Ok(regex) => return Ok(Self::Plain(regex)),
            Err(error) => error.to_string(),
        };
        // Lookaround and backreferences.
        let built = fancy_regex::RegexBuilder::new(translated).backtrack_limit(BACKTRACK_LIMIT).delegate_size_limit(SIZE_LIMIT).build();
        let why = plain.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        built.map(|regex| Self::Fancy(Box::new(regex))).map_err(|_| why.to_owned())
    }

    /// The first match that starts at `from` or behind it.
    fn at(&self, text: &str, from: usize) -> Result<Option<Groups>, String> {
        match self {
            Self::Plain(regex) => {
                let found = regex.captures_at(text, from);
                Ok(found.map(|c| c.iter().map(|m| m.map(|m| (m.start(), m.end()))).collect()))
            }
            Self::Fancy(regex) => {
                let found = regex.captures_from_pos(text, from).map_err(|_| "the pattern takes too long to match".to_owned())?;
                Ok(found.map(|c| c.iter().map(|m| m.map(|m| (m.start(), m.end()))).collect()))
            }
        }
    }
}

/// What takes the place of a match: literal text and groups, written with `\1` and `\g<name>`.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Group(usize),
}

impl Template {
    /// Reads the text to put in, in which `re.sub` gives backslashes a meaning.
    pub(super) fn new(text: &str, pattern: &Pattern) -> Result<Self, String> {
        if !text.contains('\\') {
            return Ok(Self { parts: vec![Part::Text(text.to_owned())] });
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(c) = rest.chars().next() else { return Err("a `\\` at the end".to_owned()) };
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' => literal.push('\\'),
                'n' => literal.push('\n'),
                't' => literal.push('\t'),
                'r' => literal.push('\r'),
                'a' => literal.push('\x07'),
                'b' => literal.push('\x08'),
                'f' => literal.push('\x0c'),
                'v' => literal.push('\x0b'),
                'g' => {
                    let inner = rest.strip_prefix('<').and_then(|r| r.split_once('>'));
                    let Some((name, behind)) = inner else { return Err("`\\g` without `<group>`".to_owned()) };
                    let group = name.parse().ok().or_else(|| pattern.group_named(name));
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                    parts.push(Part::Group(known(group, pattern, name)?));
                    rest = behind;
                }
                '0'..='9' => {
                    let (value, behind) = numbered(c, rest);
                    rest = behind;
                    match value {
                        Numbered::Char(octal) => literal.push(octal),
                        Numbered::Group(group) => {
                            parts.push(Part::Text(std::mem::take(&mut literal)));
                            parts.push(Part::Group(known(Some(group), pattern, &group.to_string())?));
                        }
                    }
                }
                c if c.is_ascii_alphabetic() => return Err(format!("`\\{c}` has no meaning")),
                c => {
                    literal.push('\\');
                    literal.push(c);
                }
            }
        }
        literal.push_str(rest);
        parts.push(Part::Text(literal));
        Ok(Self { parts })
    }

    fn expand(&self, text: &str, groups: &Groups, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(literal) => out.push_str(literal),
                Part::Group(group) => {
                    if let Some((start, end)) = groups.get(*group).copied().flatten() {
                        out.push_str(&text[start..end]);
                    }
                }
            }
        }
    }
}

fn known(group: Option<usize>, pattern: &Pattern, name: &str) -> Result<usize, String> {
    group.filter(|group| *group <= pattern.groups()).ok_or_else(|| format!("the pattern has no group {name}"))
}

enum Numbered {
    Char(char),
    Group(usize),
}

/// `\0…` and three octal digits are a character; else one or two digits are a group.
fn numbered(first: char, rest: &str) -> (Numbered, &str) {
    let digits = |most: usize, radix: u32| rest.chars().take(most).take_while(|c| c.is_digit(radix)).count();
    let octal = |text: &str| u32::from_str_radix(text, 8).ok().and_then(|n| char::from_u32(n & 0xff)).unwrap_or('\0');
    if first == '0' {
        let n = digits(2, 8);
        return (Numbered::Char(octal(&format!("0{}", &rest[..n]))), &rest[n..]);
    }
    if ('1'..='3').contains(&first) && digits(2, 8) == 2 {
        return (Numbered::Char(octal(&format!("{first}{}", &rest[..2]))), &rest[2..]);
    }
    let n = digits(1, 10);
    (Numbered::Group(format!("{first}{}", &rest[..n]).parse().unwrap_or(usize::MAX)), &rest[n..])
}

/// The pattern in the syntax of the regex crates. `dollar` is what `$` becomes where it does not match at every line.
fn translate(source: &str, dollar: &str) -> Result<String, String> {
    let chars: Vec<char> = source.chars().collect();
    let multi_line = source.contains("(?") && has_multi_line_flag(source);
    let mut out = String::with_capacity(source.len() + 8);
    let mut at = 0;
    let mut class: Option<usize> = None; // where the open `[…]` starts
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        match (c, class) {
            ('\\', _) => {
                let Some(escaped) = next else { return Err("a `\\` at the end of the pattern".to_owned()) };
                at += 1;
                escape(escaped, &chars, &mut at, class.is_some(), &mut out)?;
            }
            ('[', None) => {
                class = Some(at);
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at + 1) == Some(&']') {
                    out.push_str(r"\]");
                    at += 1;
                }
            }
            (']', Some(_)) => {
                class = None;
                out.push(']');
            }
            ('[' | '&' | '~' | '|' | '^', Some(_)) => {
                out.push('\\');
                out.push(c);
            }
            ('-', Some(_)) if next == Some('-') || next == Some('[') => out.push_str(r"\-"),
            (c, Some(_)) => out.push(c),
            ('$', None) => out.push_str(if multi_line { "$" } else { dollar }),
            ('{', None) => match quantifier(&chars[at..]) {
                Some((text, len)) if at > 0 => {
                    out.push_str(&text);
                    at += len - 1;
                }
                _ => out.push_str(r"\{"),
            },
            ('}', None) => out.push_str(r"\}"),
            _ => out.push(c),
        }
        at += 1;
    }
    if class.is_some() { Err("a `[` is never closed".to_owned()) } else { Ok(out) }
}

fn has_multi_line_flag(source: &str) -> bool {
    source.match_indices("(?").any(|(at, _)| {
        let flags: String = source[at + 2..].chars().take_while(char::is_ascii_alphabetic).collect();
        flags.contains('m') && source[at + 2 + flags.len()..].starts_with([')', ':', '-'])
    })
}

/// `{2}`, `{2,}`, `{,3}`, `{2,3}`: the quantifier and its length.
fn quantifier(chars: &[char]) -> Option<(String, usize)> {
    let close = chars.iter().position(|c| *c == '}')?;
    let inner: String = chars[1..close].iter().collect();
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match inner.split_once(',') {
        None if !inner.is_empty() && is_number(&inner) => Some((format!("{{{inner}}}"), close + 1)),
        Some((low, high)) if is_number(low) && is_number(high) && inner.len() > 1 => {
            Some((format!("{{{},{high}}}", if low.is_empty() { "0" } else { low }), close + 1))
        }
        _ => None,
    }
}

fn escape(c: char, chars: &[char], at: &mut usize, in_class: bool, out: &mut String) -> Result<(), String> {
    match c {
        'Z' if !in_class => out.push_str(r"\z"),
        'b' if in_class => out.push_str(r"\x08"),
        '0' => {
            let digits: String = chars[*at..].iter().take(3).take_while(|c| c.is_digit(8)).collect();
            *at += digits.len() - 1;
            let _ = write!(out, r"\x{{{:x}}}", u32::from_str_radix(&digits, 8).unwrap_or(0));
        }
        'A' | 'b' | 'B' | '1'..='9' if !in_class => {
            out.push('\\');
            out.push(c);
        }
        'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'a' | 'x' | 'u' => {
            out.push('\\');
            out.push(c);
        }
        c if c.is_ascii_alphanumeric() => return Err(format!("`\\{c}` has no meaning in a pattern")),
        '<' | '>' | '"' | '\'' | '`' | ' ' | '\n' | '\t' => {
            let _ = write!(out, r"\x{{{:x}}}", u32::from(c));
        }
        c if c.is_ascii_punctuation() => {
            out.push('\\');
            out.push(c);
        }
        c => out.push(c),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Template};

    fn sub(pattern: &str, with: &str, text: &str) -> String {
        let pattern = Pattern::new(pattern).expect("a pattern");
        let template = Template::new(with, &pattern).expect("a template");
        pattern.replace(text, &template, 1000).expect("in bounds").unwrap_or_else(|| "(no match)".to_owned())
    }

    /// Each expectation is what Python 3.11's `re.sub` gives.
    #[test]
    fn sub_is_that_of_python() {
        for (pattern, with, text, expected) in [
            ("INSERT_[A-Z]+_HERE", "s3cret", "http://a:INSERT_PASSWORD_HERE@b", "http://a:s3cret@b"),
            ("(MAAS_IP)", "10.0.0.1", "MAAS_IP and MAAS_IP", "10.0.0.1 and 10.0.0.1"),
            ("x*", "-", "abxd", "-a-b--d-"),
            (".*", "X", "abc", "XX"),
            ("^(.*):(.*)$", r"\2|\g<1>", "repo:tag", "tag|repo"),
            ("(a)(b)?", r"[\1\2]", "ab a", "[ab] [a]"),
            ("{{DOMAIN}}", "x", "a {{DOMAIN}}", "a x"),
            ("%{HOST}", "x", "%{HOST}:%{HOST}", "x:x"),
            ("a{,2}b", "x", "aab", "x"),
            ("[[a]", "x", "[a]", "xx]"),
            ("[]a]", "x", "]a", "xx"),
            ("[a&&b]", "x", "a&c", "xxc"),
            ("foo$", "x", "foo\n", "x\n"),
            ("foo$", "x", "foo\nfoo", "foo\nx"),
            ("(?m)foo$", "x", "foo\nfoo", "x\nx"),
            (r"(?<=a)b", "x", "ab b", "ax b"),
            (r"(a)\1", "x", "aab", "xb"),
            (r"\<b\>", "x", "<b>", "x"),
            ("a", r"\\n\n\.", "a", "\\n\n\\."),
            ("ü+", "u", "üüß", "uß"),
        ] {
            assert_eq!(sub(pattern, with, text), expected, "re.sub({pattern:?}, {with:?}, {text:?})");
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        assert!(Pattern::new("(").is_err());
        assert!(Pattern::new("[a").is_err());
        assert!(Pattern::new(r"\q").is_err());
        assert!(Pattern::new("*a").is_err());
        let pattern = Pattern::new("(a)").expect("a pattern");
        assert_eq!(Template::new(r"\2", &pattern).expect_err("no such group"), "the pattern has no group 2");
        assert_eq!(Template::new(r"\d", &pattern).expect_err("an unknown escape"), "`\\d` has no meaning");
    }

    #[test]
    fn search_gives_a_group() {
        let pattern = Pattern::new("^(.*):(.*)$").expect("a pattern");
        assert_eq!(pattern.search("a/b:1.2\n", 2), Ok(Some(Some("1.2"))));
        assert_eq!(pattern.search("nothing", 1), Ok(None));
        assert_eq!(Pattern::new("(x)?y").expect("a pattern").search("y", 1), Ok(Some(None)));
    }

    #[test]
    fn results_and_effort_are_bounded() {
        let pattern = Pattern::new("a").expect("a pattern");
        let template = Template::new(&"a".repeat(600), &pattern).expect("a template");
        assert!(pattern.replace("aa", &template, 1000).is_err());
        let slow = Pattern::new(r"(?:(a+)\1?)+$").expect("a pattern");
        assert!(slow.search(&format!("{}!", "a".repeat(60)), 0).is_err(), "bounded");
    }
}

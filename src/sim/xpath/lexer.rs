//! XPath 1.0 tokens (W3C XPath 1.0, section 3.7).

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Literal(String),
    Number(f64),
    /// `/`, `//`, `[`, `]`, `(`, `)`, `@`, `,`, `.`, `..`, `::`, `$`.
    Symbol(&'static str),
    /// `or`, `and`, `=`, `!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*` (multiply), `div`, `mod`, `|`.
    Operator(&'static str),
    /// `*` as a name test.
    Star,
}

const SYMBOLS: [&str; 12] = ["//", "..", "::", "/", "[", "]", "(", ")", "@", ",", ".", "$"];
const OPERATORS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "+", "-", "|"];

/// An operator's name or a `*` means the operator only after something that can be its left side.
fn after_operand(tokens: &[Token]) -> bool {
    match tokens.last() {
        None | Some(Token::Operator(_)) => false,
        Some(Token::Symbol(s)) => matches!(*s, "]" | ")" | "." | ".."),
        Some(Token::Name(_) | Token::Literal(_) | Token::Number(_) | Token::Star) => true,
    }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ()> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(c) = rest.chars().next() else { return Ok(out) };
        if c == '"' || c == '\'' {
            let end = rest[1..].find(c).ok_or(())?;
            out.push(Token::Literal(rest[1..=end].to_owned()));
            rest = &rest[end + 2..];
        } else if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            let end = rest.find(|d: char| !d.is_ascii_digit() && d != '.').unwrap_or(rest.len());
            out.push(Token::Number(rest[..end].parse().map_err(|_| ())?));
            rest = &rest[end..];
        } else if c == '*' {
            out.push(if after_operand(&out) { Token::Operator("*") } else { Token::Star });
            rest = &rest[1..];
        } else if let Some(s) = OPERATORS.into_iter().find(|s| rest.starts_with(s)) {
            out.push(Token::Operator(s));
            rest = &rest[s.len()..];
        } else if let Some(s) = SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
            out.push(Token::Symbol(s));
            rest = &rest[s.len()..];
        } else if c.is_alphabetic() || c == '_' {
            let end = name_end(rest);
            let name = &rest[..end];
            let operator = ["or", "and", "div", "mod"].into_iter().find(|o| *o == name).filter(|_| after_operand(&out));
            out.push(operator.map_or_else(|| Token::Name(name.to_owned()), Token::Operator));
            rest = &rest[end..];
        } else {
            return Err(());
        }
    }
}

/// The end of a QName: letters, digits, `.`, `-`, `_`, and one `:` that is not part of `::`.
fn name_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let inside = c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let colon = c == ':' && chars.peek().is_some_and(|(_, n)| n.is_alphabetic() || *n == '_' || *n == '*');
        if !inside && !colon {
            return i;
        }
    }
    text.len()
}

//! Text of designs and servers inside Markdown.
//!
//! A code span shows any text as it is: no markup, no HTML, no mention, no link. So whatever a design or a server chose stands in one, or in a fenced block.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::report::clean;

/// The text as a code span (CommonMark 0.31, 6.1): fenced by more backticks than stand in it.
pub(super) fn code(text: &str) -> String {
    let text = clean(text);
    if text.is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let edge = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let blank = if edge { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// The same inside a table, where a bar would end the cell even in a code span (GitHub Flavored Markdown 0.29, 4.10).
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A sentence: as it is if nothing in it could be markup, a mention or a link, else as a code span.
pub(super) fn sentence(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || " ,;.'()/%-".contains(c);
    let link = || text.to_ascii_lowercase().contains("www.");
    if text.starts_with(char::is_alphanumeric) && text.chars().all(plain) && !link() { Cow::Borrowed(text) } else { Cow::Owned(code(text)) }
}

/// The text inside an HTML element.
pub(super) fn html(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Lines in a fenced block that none of them can end.
pub(super) fn fenced(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// What is encoded of a path in a URL: everything but unreserved characters and slashes (RFC 3986, 2.1).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A path in a URL.
pub(super) fn url_path(path: &str) -> String {
    utf8_percent_encode(path, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::{code, fenced, sentence, url_path};

    #[test]
    fn nothing_gets_out_of_a_code_span() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("a\n\n# b\u{1b}"), "`a\\n\\n# b\\u{1b}`");
        assert_eq!(sentence("it can only be changed by deploying again"), "it can only be changed by deploying again");
        assert_eq!(sentence("ask @admin"), "`ask @admin`");
        assert_eq!(sentence("see https://x"), "`see https://x`");
        assert_eq!(fenced("diff", &["````".to_owned()]), "`````diff\n````\n`````\n");
        assert_eq!(url_path("a b/ü)(.yaml"), "a%20b/%C3%BC%29%28.yaml");
    }
}

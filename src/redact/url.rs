//! Credentials in URLs: a URL with a password, a token or a signature in it grants access to whoever reads it.

use std::ops::Range;

/// What stands in the place of a credential.
const HIDDEN: &str = "***";

/// Whether the value of a query parameter of this name is a secret.
pub fn is_secret_parameter(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let within = ["token", "password", "passwd", "passphrase", "secret", "signature", "credential", "apikey", "accesskey", "oauth"];
    let words = ["key", "pass", "pwd", "sig", "auth", "authorization"];
    within.iter().any(|part| lower.contains(part)) || lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| words.contains(&word))
}

/// Where credentials stand in a text, as byte ranges in order, none touching another: in every URL the password, over HTTP also a user without one
/// (`https://TOKEN@host`; that of `ssh://git@host` is none), and values of secret parameters of its query and fragment. Linear in its length.
pub fn url_credentials(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let start = from + at + 3;
        let rest = &text[start..];
        let end = end_of_url(rest);
        let url = &rest[..end];
        let path = url.find(['/', '?', '#']).unwrap_or(url.len());
        if let Some(user) = url[..path].rfind('@') {
            let scheme = text[..start - 3].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
            match url[..user].find(':') {
                Some(colon) => found.push(start + colon + 1..start + user),
                None if is_http => found.push(start..start + user),
                None => {}
            }
        }
        // What follows a URL in the query of another one follows in that query.
        if let Some(query) = url[path..].find(['?', '#', '&']) {
            let mut at = path + query + 1;
            for pair in url[at..].split(['&', ';', '#']) {
                if let Some((name, _)) = pair.split_once('=').filter(|(name, _)| is_secret_parameter(name)) {
                    found.push(start + at + name.len() + 1..start + at + pair.len());
                }
                at += pair.len() + 1;
            }
        }
        from = start + end;
    }
    found.retain(|range| !range.is_empty() && &text[range.clone()] != HIDDEN);
    found
}

/// Where a URL ends whose scheme is taken off. Another one may stand in it, as in a query, and is a URL of its own.
fn end_of_url(rest: &str) -> usize {
    for (at, c) in rest.char_indices() {
        if c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`') {
            return at;
        }
        if c == ':' && rest[at..].starts_with("://") {
            let scheme = rest[..at].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
            return at - scheme;
        }
    }
    rest.len()
}

/// The text with `***` in the place of every credential of a URL. What it makes is left as it is by another time.
pub fn without_url_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in url_credentials(text) {
        out.push_str(&text[from..range.start]);
        out.push_str(HIDDEN);
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_and_nothing_else() {
        for (text, shown) in [
            ("https://packages.example.net/tools", None),
            ("https://packages.example.net/tools?arch=amd64&design=1&monkey=2#top", None),
            ("https://host/a#access_token=t&state=1", Some("https://host/a#access_token=***&state=1")),
            ("mail ops@example.net, or see http://[fd00::1]:5248/MAAS", None),
            ("https://bearer:t0k@esm.example.net/apt", Some("https://bearer:***@esm.example.net/apt")),
            ("https://t0k@esm.example.net/apt", Some("https://***@esm.example.net/apt")),
            ("https://u:p%40:@x@host/a@b", Some("https://u:***@host/a@b")),
            ("https://host/a?X-Amz-Signature=abc&x=1&token=", Some("https://host/a?X-Amz-Signature=***&x=1&token=")),
            ("https://host/a?sig=a%2Fb;AWSAccessKeyId=k#top", Some("https://host/a?sig=***;AWSAccessKeyId=***#top")),
            ("ds=nocloud-net;s=http://u:p@host/ quiet", Some("ds=nocloud-net;s=http://u:***@host/ quiet")),
            (
                "deb https://u:p@a/ jammy main\ndeb https://v:q@b/ jammy",
                Some("deb https://u:***@a/ jammy main\ndeb https://v:***@b/ jammy"),
            ),
            ("http://proxy/?to=https://u:p@host/&key=k", Some("http://proxy/?to=https://u:***@host/&key=***")),
            ("ssh://git@host/nodes.git and qemu+ssh://virt@10.0.0.1/system?keyfile=/k", None),
            ("qemu+ssh://virt:pw@10.0.0.1/system", Some("qemu+ssh://virt:***@10.0.0.1/system")),
            ("http://u:p&key=x@h/?key=y", Some("http://u:***@h/?key=***")),
            ("://", None),
            ("a://://@?key=k", Some("a://://@?key=***")),
            ("ü://ü:ü@ü?tökén=1&token=ü", Some("ü://ü:***@ü?tökén=1&token=***")),
        ] {
            assert_eq!(without_url_credentials(text), shown.unwrap_or(text), "{text}");
            assert_eq!(url_credentials(text).is_empty(), shown.is_none(), "{text}");
            let once = without_url_credentials(text);
            assert_eq!(without_url_credentials(&once), once);
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        let parts = ["http", "://", "u", ":", "@", "/", "?", "&", "#", ";", "=", "key", "sig", "***", " ", "\"", "ü", "%3A"];
        let mut seed = 7_u64;
        for _ in 0..200_000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(parts[(seed >> 33) as usize % parts.len()]);
            }
            let ranges = url_credentials(&text);
            assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{text}: {ranges:?}");
            let once = without_url_credentials(&text);
            assert_eq!(without_url_credentials(&once), once, "{text}");
        }
    }

    #[test]
    fn any_text_is_read_and_a_second_time_changes_nothing() {
        for part in ["://", "a://@", "?key=", "://u:p@h?sig=1&", "ü://"] {
            let text = part.repeat(200_000 / part.len());
            let once = without_url_credentials(&text);
            assert_eq!(without_url_credentials(&once), once, "{part}");
        }
    }
}

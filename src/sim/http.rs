//! Requests and answers of both kinds of server, apart from the HTTP library: parameters of forms, and bodies with their content types.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// A request whose body is here.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, body: body.into(), headers: Vec::new() }
    }

    /// `application/json; charset=utf-8`, as MAAS sends it.
    pub(crate) fn json(value: &Value) -> Self {
        Self::json_bytes(Bytes::from(value.to_string()))
    }

    /// The same, of a text that is there already.
    pub(crate) fn json_bytes(bytes: Bytes) -> Self {
        Self::new(200, "application/json; charset=utf-8", bytes)
    }

    /// Plain text.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }

    /// Plain text as Django's own handlers send it, without a charset.
    pub(crate) fn bare_text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status, "text/plain", text.into())
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Parameters of a form, in order; names may repeat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Parameters of a query string.
    pub(crate) fn from_query(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Parameters of a body: `application/x-www-form-urlencoded` or `multipart/form-data`.
    pub(crate) fn from_body(headers: &HeaderMap, body: &[u8]) -> Self {
        let content_type = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if let Some(rest) = content_type.strip_prefix("multipart/form-data") {
            let boundary = rest.split(';').find_map(|p| p.trim().strip_prefix("boundary=")).unwrap_or_default().trim_matches('"');
            return Self(multipart(boundary, body));
        }
        if content_type.starts_with("application/json") {
            return Self::from_json(body);
        }
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    fn from_json(body: &[u8]) -> Self {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let Ok(Value::Object(map)) = serde_json::from_slice(body) else { return Self::default() };
        let mut out = Vec::new();
        for (k, v) in map {
            match v {
                Value::Array(items) => out.extend(items.iter().map(|i| (k.clone(), text(i)))),
                other => out.push((k, text(&other))),
            }
        }
        Self(out)
    }

    /// Names of its parameters but the operation, in order and once each.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.iter().map(|(k, _)| k.clone()).filter(|k| k != "op").collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The last value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The last value of a parameter that is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|v| !v.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// All values of a parameter that may be repeated or be a list with commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(|v| v.split(',')).map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect()
    }

    /// A truth value as Django reads it.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|v| matches!(v.to_ascii_lowercase().as_str(), "true" | "1" | "on" | "yes"))
    }

    /// All parameters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

fn find(haystack: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    haystack.get(from..)?.windows(needle.len()).position(|w| w == needle).map(|p| p + from)
}

fn multipart(boundary: &str, body: &[u8]) -> Vec<(String, String)> {
    let marker = format!("--{boundary}").into_bytes();
    let mut out = Vec::new();
    if boundary.is_empty() {
        return out;
    }
    let mut at = find(body, &marker, 0);
    while let Some(start) = at {
        let begin = start + marker.len();
        let Some(end) = find(body, &marker, begin) else { break };
        let part = &body[begin..end];
        if let Some(split) = find(part, b"\r\n\r\n", 0) {
            let head = String::from_utf8_lossy(&part[..split]);
            let content = part[split + 4..].strip_suffix(b"\r\n").unwrap_or(&part[split + 4..]);
            let name = head.split("name=\"").nth(1).and_then(|r| r.split('"').next()).unwrap_or_default().to_owned();
            let encoded = head.to_ascii_lowercase().contains("content-transfer-encoding: base64");
            let value = if encoded { decode_base64(content) } else { content.to_vec() };
            out.push((name, String::from_utf8_lossy(&value).into_owned()));
        }
        at = Some(end);
    }
    out
}

/// Parts of a multipart form may be in base64, as MAAS' own client sends them.
fn decode_base64(content: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text: Vec<u8> = content.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_else(|_| content.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_form_encodings_give_the_same_parameters() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let form = Form::from_body(&headers, b"name=dc+1&tag=a&tag=b");
        assert_eq!(form.get("name"), Some("dc 1"));
        assert_eq!(form.list("tag"), ["a", "b"]);
        headers.insert("content-type", "multipart/form-data; boundary=XX".parse().unwrap());
        let body = b"--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ndc 1\r\n--XX\r\nContent-Disposition: form-data; name=\"tag\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--XX--\r\n";
        let form = Form::from_body(&headers, body);
        assert_eq!(form.get("name"), Some("dc 1"));
        assert_eq!(form.get("tag"), Some("a"));
    }
}

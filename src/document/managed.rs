//! Documents inside of documents: secrets that Pegleg manages.
//!
//! `pegleg/PeglegManagedDocument/v1` holds another document under `data.managedDocument`; its `data` is a cipher text where `data.encrypted` says by whom it was
//! encrypted.

use super::codes;
use super::sensitive::Sensitive;
use crate::diag::Diagnostic;
use crate::yaml::Node;

const SCHEMA: &str = "pegleg/PeglegManagedDocument/";

/// Takes managed documents out of their envelopes. Cipher texts are noted in `encrypted`.
pub(super) fn unwrap(parsed: Vec<Node>, encrypted: &mut Sensitive) -> (Vec<Node>, Option<Diagnostic>) {
    let mut count = 0;
    let mut first = None;
    let unwrapped = parsed
        .into_iter()
        .map(|node| {
            let is_managed = node.get("schema").and_then(Node::as_str).is_some_and(|schema| schema.starts_with(SCHEMA));
            let Some(data) = node.get("data").filter(|_| is_managed) else { return node };
            let Some(inner) = data.get("managedDocument").filter(|inner| inner.as_map().is_some()) else { return node };
            if data.get("encrypted").is_some()
                && let Some((key, cipher)) = inner.as_map().and_then(|m| m.entry("data"))
            {
                count += 1;
                first.get_or_insert(key.span);
                encrypted.add_value(cipher);
            }
            inner.clone()
        })
        .collect();
    let found = first.map(|span| {
        let what = if count == 1 { "a document is".to_owned() } else { format!("{count} documents are") };
        Diagnostic::warning(codes::ENCRYPTED_BY_PEGLEG, format!("{what} encrypted by Pegleg, and the cipher text stands for the secret"))
            .at(span)
            .note(if count == 1 { "this one" } else { "the first one" })
            .help("decrypt the site's secrets (`pegleg site secrets decrypt`) before drydock has to log in anywhere with them")
    });
    (unwrapped, found)
}

#[cfg(test)]
mod tests {
    use super::super::read_all;
    use crate::yaml::SourceMap;

    const SITE: &str = "\
schema: pegleg/PeglegManagedDocument/v1
metadata: {name: deckhand/Passphrase/v1/open, schema: metadata/Document/v1}
data:
  generated: {by: somebody}
  managedDocument:
    schema: deckhand/Passphrase/v1
    metadata: {schema: metadata/Document/v1, name: open}
    data: hunter2
---
schema: pegleg/PeglegManagedDocument/v1
metadata: {name: deckhand/Passphrase/v1/closed, schema: metadata/Document/v1}
data:
  encrypted: {by: somebody, at: '2026-01-01'}
  managedDocument:
    schema: deckhand/Passphrase/v1
    metadata: {schema: metadata/Document/v1, name: closed}
    data: !!binary |
      Z0FBQUFBQmY=
---
schema: drydock/Rack/v1
metadata: {name: r1}
data: {}
";

    #[test]
    fn envelopes_are_opened_and_cipher_texts_are_known() {
        let mut map = SourceMap::default();
        let file = map.add("site.yaml", SITE);
        let read = read_all(&map, &[file]);
        let named = |name: &str| read.documents.iter().find(|d| d.name == name).unwrap();
        assert_eq!(named("open").data.as_str(), Some("hunter2"));
        assert!(read.sensitive.covers(named("open").data.span) && !read.encrypted.covers(named("open").data.span));
        assert!(read.encrypted.covers(named("closed").data.span));
        let found: Vec<(&str, Option<u32>)> = read.diagnostics.iter().map(|d| (d.code.0, d.span.map(|s| s.line))).collect();
        assert_eq!(found, [("DD0043", Some(17))], "{:?}", read.diagnostics);
    }
}

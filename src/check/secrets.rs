//! Secrets that would be shown.

use super::registry::Rule;
use crate::diag::{Code, Diagnostic, Severity};
use crate::document::{Document, Kind, Sensitive};
use crate::redact::url_credentials;
use crate::yaml::{Node, Value};

/// What reports it, for the table of rules.
pub(super) static RULE: Rule =
    Rule { code: Code("DD1109"), original: None, title: "a secret stands where plans show it", severity: Severity::Error, check: None };

/// What reports a URL that grants access to whoever reads it.
pub(super) static URL_RULE: Rule = Rule {
    code: Code("DD1113"),
    original: None,
    title: "a URL with credentials stands where plans show it",
    severity: Severity::Error,
    check: None,
};

/// Reports values of secret documents that were put where a plan, or the provisioner's own pages, would show them.
///
/// Credentials of BMCs and the data of boot actions are for secrets. Public keys are none, whatever the document they come from says. Of the URL of a package
/// repository, plans show all but its credentials.
pub fn secrets(documents: &[Document], sensitive: &Sensitive) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for document in documents {
        if let Some(kind) = document.kind() {
            walk(kind, document, &document.data, &mut Vec::new(), sensitive, &mut found);
        }
    }
    found
}

fn may_be_secret(kind: Kind, path: &[&str]) -> bool {
    matches!(
        (kind, path),
        (Kind::HostProfile | Kind::BaremetalNode, ["oob", ..])
            | (Kind::BootAction, ["assets", ..])
            | (Kind::Region, ["authorized_keys", ..] | ["repositories", _, "gpgkey", ..])
    )
}

fn walk<'n>(kind: Kind, document: &Document, node: &'n Node, path: &mut Vec<&'n str>, sensitive: &Sensitive, found: &mut Vec<Diagnostic>) {
    if may_be_secret(kind, path) {
        return;
    }
    match &node.value {
        Value::Map(mapping) => {
            for (key, value) in &mapping.entries {
                path.push(&key.name);
                walk(kind, document, value, path, sensitive, found);
                path.pop();
            }
        }
        Value::Seq(members) => {
            for member in members.iter() {
                walk(kind, document, member, path, sensitive, found);
            }
        }
        Value::Str(text)
            if matches!((kind, &path[..]), (Kind::Region, ["repositories", _, "url"])) && !url_credentials(text).is_empty() => {}
        Value::Str(text) if !sensitive.covers(node.span) && !url_credentials(text).is_empty() => found.push(
            Diagnostic::error(
                URL_RULE.code,
                format!("`{}` of {kind} `{}` has a URL with credentials in it, and plans show it", path.join("."), document.name),
            )
            .at(document.name_span)
            .label(node.span, "what grants access")
            .help("serve it without credentials to the nodes' networks, or hand it to the node with a boot action"),
        ),
        _ if sensitive.covers(node.span) => found.push(
            Diagnostic::error(
                RULE.code,
                format!("`{}` of {kind} `{}` comes from a secret, and plans show it", path.join("."), document.name),
            )
            .at(document.name_span)
            .label(node.span, "the secret")
            .help("take it from a document with `storagePolicy: cleartext` if it is none; secrets belong into `oob` and into boot actions"),
        ),
        _ => {}
    }
}

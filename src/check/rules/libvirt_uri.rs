//! A libvirt domain is managed over SSH.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::OobType;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4103"),
    original: Some("DD4002 (Valid Libvirt)"),
    title: "a libvirt URI is not `qemu+ssh://`",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let is_libvirt = node.oob.kind.as_ref().is_some_and(|kind| kind.value == OobType::Libvirt);
        let Some(uri) = node.oob.libvirt_uri.as_ref().filter(|_| is_libvirt) else { continue };
        let problem = if let Some(rest) = uri.strip_prefix("qemu+ssh://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            if host.is_empty() || host.starts_with(':') {
                "names no host".to_owned()
            } else if path.is_empty() {
                "has no path".to_owned()
            } else {
                continue;
            }
        } else {
            let scheme = uri.split_once("://").map_or("no scheme", |(scheme, _)| scheme);
            format!("has the scheme `{scheme}`, which libvirt is not reached by")
        };
        let message = format!("`oob.libvirt_uri` {problem}");
        let found = findings.finding(message).at(uri.span);
        findings.push(found.help("write `qemu+ssh://USER@HOST/system`").resource(format!("node.{}", node.name)));
    }
}

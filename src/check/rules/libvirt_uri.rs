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
        let Some(uri) = node.oob.libvirt_uri.as_ref().filter(|uri| is_libvirt && !uri.starts_with("qemu+ssh://")) else { continue };
        let scheme = uri.split_once("://").map_or("no scheme", |(scheme, _)| scheme);
        let found = findings.finding(format!("`oob.libvirt_uri` has the scheme `{scheme}`, which libvirt is not reached by")).at(uri.span);
        findings.push(found.help("write `qemu+ssh://USER@HOST/system`").resource(format!("node.{}", node.name)));
    }
}

//! A libvirt domain is recognised by the MAC it boots from.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::OobType;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4104"),
    original: Some("DD4002 (Valid Libvirt)"),
    title: "a libvirt node has no `boot_mac`",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values() {
        let is_libvirt = node.oob.kind.as_ref().is_some_and(|kind| kind.value == OobType::Libvirt);
        if is_libvirt && node.boot_mac.is_none() {
            let found = findings.finding(format!("libvirt node `{}` has no `metadata.boot_mac`", node.name)).at(node.name.span);
            findings.push(found.help("set it to the MAC of the domain's first NIC").resource(format!("node.{}", node.name)));
        }
    }
}

//! A machine whose BMC does not tell its MACs is recognised by the one it boots from.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::OobType;
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD4104"),
    original: Some("DD4002 (Valid Libvirt)"),
    title: "a node without a BMC has no `boot_mac`",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| node.boot_mac.is_none()) {
        // A type that could not be read is reported as that.
        let Some(kind) = node.oob.kind.as_ref().filter(|kind| kind.span.is_somewhere()) else { continue };
        let help = match kind.value {
            OobType::Libvirt => "set it to the MAC of the domain's first NIC",
            OobType::Manual => "set it to the MAC of the NIC that it boots from: no BMC tells it",
            OobType::Ipmi | OobType::Redfish => continue,
        };
        let found = findings.finding(format!("{} node `{}` has no `metadata.boot_mac`", kind.value.name(), node.name)).at(node.name.span);
        findings.push(found.help(help).resource(format!("node.{}", node.name)));
    }
}

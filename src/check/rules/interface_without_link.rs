//! An interface says which link it is connected to.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2315"),
    original: Some("DD1007 (Allowed Network Check)"),
    title: "an interface has no link",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for node in site.nodes.values().filter(|node| !node.incomplete) {
        for interface in node.interfaces.values().filter(|interface| interface.device_link.is_none()) {
            let found = findings
                .finding(format!("interface `{}` has no `device_link`, so it is left as it is", interface.name))
                .at(interface.name.span);
            findings.push(found.help("name the NetworkLink it is connected to").resource(format!("node.{}", node.name)));
        }
    }
}

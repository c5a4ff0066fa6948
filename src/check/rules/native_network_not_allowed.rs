//! The network of untagged frames is one of the link's own.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2320"),
    original: Some("DD2004 (Network Trunking)"),
    title: "a link does not allow its own default network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values() {
        let Some(native) = link.native_network.as_ref().filter(|native| site.networks.contains_key(&native.value)) else { continue };
        if !link.allowed_networks.contains(native) {
            let found = findings.finding(format!("link `{}` does not allow its default network `{native}`", link.name)).at(native.span);
            let found = found.note("taken as allowed").help("add it to `allowed_networks`");
            findings.push(found.resource(format!("link.{}", link.name)));
        }
    }
}

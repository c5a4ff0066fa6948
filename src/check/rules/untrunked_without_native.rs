//! A link without trunking says which network its frames belong to.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2306"),
    original: Some("DD2004 (Network Trunking)"),
    title: "a link without trunking has no default network",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values().filter(|link| !link.trunked.value && link.native_network.is_none()) {
        let found = findings.finding(format!("link `{}` has neither trunking nor a default network", link.name)).at(link.name.span);
        let help = match link.allowed_networks.first() {
            Some(network) => format!("set `trunking.default_network: {network}`"),
            None => "set `trunking.default_network`".to_owned(),
        };
        findings.push(found.help(help).resource(format!("link.{}", link.name)));
    }
}

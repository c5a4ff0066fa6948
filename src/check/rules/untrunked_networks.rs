//! A link without trunking carries one network.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2304"),
    original: Some("DD2004 (Network Trunking)"),
    title: "a link without trunking has several networks",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values().filter(|link| !link.trunked.value && link.allowed_networks.len() > 1) {
        let names: Vec<String> = link.allowed_networks.iter().map(|network| format!("`{network}`")).collect();
        let span = if link.trunked.span.is_somewhere() { link.trunked.span } else { link.name.span };
        let message = format!("link `{}` has no trunking and {} networks: {}", link.name, names.len(), names.join(", "));
        let found = findings.finding(message).at(span).label(link.allowed_networks[1].span, "the second network");
        findings.push(found.help("set `trunking.mode: 802.1q`, or allow one network").resource(format!("link.{}", link.name)));
    }
}

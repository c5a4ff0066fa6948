//! A link without trunking carries one network.

use std::collections::BTreeSet;

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Site, Text};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2304"),
    original: Some("DD2004 (Network Trunking)"),
    title: "a link without trunking has several networks",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for link in site.links.values().filter(|link| !link.trunked.value) {
        let mut seen = BTreeSet::new();
        let networks: Vec<&Text> = link.allowed_networks.iter().filter(|network| seen.insert(network.as_str())).collect();
        let [_, second, ..] = networks.as_slice() else { continue };
        let names: Vec<String> = networks.iter().map(|network| format!("`{network}`")).collect();
        let span = if link.trunked.span.is_somewhere() { link.trunked.span } else { link.name.span };
        let message = format!("link `{}` has no trunking and {} networks: {}", link.name, names.len(), names.join(", "));
        let found = findings.finding(message).at(span).label(second.span, "the second network");
        findings.push(found.help("set `trunking.mode: 802.1q`, or allow one network").resource(format!("link.{}", link.name)));
    }
}

//! What MTU is used where none is written.

use std::collections::BTreeMap;

use super::mtu_above_link::USUAL;
use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2317"),
    original: Some("DD2003 (MTU Rationality)"),
    title: "an MTU is assumed",
    severity: Severity::Info,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values().filter(|network| network.mtu.is_none()) {
        let Some(link) = network.link.as_ref().and_then(|link| site.links.get(link)).filter(|link| !link.is_noconfig()) else { continue };
        if link.mtu.is_none() {
            let message = format!("neither network `{}` nor its link `{}` says an MTU; {USUAL} is assumed", network.name, link.name);
            let found = findings.finding(message).at(network.name.span);
            findings.push(found.help("write `mtu` where it should be said").resource(format!("network.{}", network.name)));
        }
    }
    // The interfaces themselves, where their networks say theirs; one above what is assumed is reported as that.
    let mut largest: BTreeMap<&str, Option<u32>> = BTreeMap::new();
    for network in site.networks.values() {
        let Some(link) = &network.link else { continue };
        let mtu = network.mtu.map(|mtu| mtu.value);
        largest.entry(link).and_modify(|so_far| *so_far = (*so_far).zip(mtu).map(|(a, b)| a.max(b))).or_insert(mtu);
    }
    for link in site.links.values().filter(|link| link.mtu.is_none() && !link.is_noconfig()) {
        if largest.get(link.name.as_str()).copied().flatten().is_some_and(|mtu| mtu <= USUAL) {
            let found = findings.finding(format!("link `{}` says no MTU; {USUAL} is assumed", link.name)).at(link.name.span);
            findings.push(found.help("write `mtu` where it should be said").resource(format!("link.{}", link.name)));
        }
    }
}

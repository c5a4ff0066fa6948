//! Networks of a site do not share addresses.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Network;
use crate::model::Site;

pub(super) static RULE: Rule =
    Rule { code: Code("DD2211"), original: None, title: "two networks overlap", severity: Severity::Warning, check: Some(check) };

fn check(site: &Site, findings: &mut Findings<'_>) {
    let mut networks: Vec<&Network> = site.networks.values().filter(|network| network.cidr.span.is_somewhere()).collect();
    networks.sort_by_key(|network| (network.cidr.network(), network.cidr.prefix_len()));
    let mut widest: Option<&Network> = None;
    for network in networks {
        if let Some(before) = widest
            && before.cidr.contains(&network.cidr.network())
        {
            let message = format!("network `{}` ({}) overlaps `{}` ({})", network.name, network.cidr, before.name, before.cidr);
            let found = findings.finding(message).at(network.cidr.span).label(before.cidr.span, "the other network");
            findings.push(found.help("give each network its own address block").resource(format!("network.{}", network.name)));
        }
        if widest.is_none_or(|before| {
            network.cidr.broadcast() > before.cidr.broadcast() || before.cidr.addr().is_ipv4() != network.cidr.addr().is_ipv4()
        }) {
            widest = Some(network);
        }
    }
}

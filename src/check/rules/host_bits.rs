//! An address block is written with its network address.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2206"),
    original: Some("DD2006 (CIDR Validity)"),
    title: "an address block has host bits set",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let blocks = site.networks.values().map(|network| (network, &network.cidr));
    let routes = site.networks.values().flat_map(|network| network.routes.iter().map(move |route| (network, &route.subnet)));
    for (network, block) in blocks.chain(routes).filter(|(_, block)| block.value != block.trunc()) {
        let found = findings.finding(format!("{block} is an address in a network, and a network belongs here")).at(block.span);
        findings.push(found.help(format!("write `{}`", block.trunc())).resource(format!("network.{}", network.name)));
    }
}

//! An MTU is between 1280, the least that IPv6 allows (RFC 8200), and 65536.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2309"),
    original: Some("DD2003 (MTU Rationality)"),
    title: "an MTU is out of range",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    let networks = site.networks.values().filter_map(|network| Some((format!("network.{}", network.name), network.mtu.as_ref()?)));
    let links = site.links.values().filter_map(|link| Some((format!("link.{}", link.name), link.mtu.as_ref()?)));
    for (resource, mtu) in networks.chain(links).filter(|(_, mtu)| !(1280..=65536).contains(&mtu.value)) {
        let found = findings.finding(format!("MTU {mtu} is not between 1280 and 65536")).at(mtu.span);
        findings.push(found.help("1500 is usual, 9000 for jumbo frames").resource(resource));
    }
}

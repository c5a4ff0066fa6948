//! What MTU is used where none is written.

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
            let message = format!("neither network `{}` nor its link `{}` says an MTU; 1500 is assumed", network.name, link.name);
            let found = findings.finding(message).at(network.name.span);
            findings.push(found.help("write `mtu` where it should be said").resource(format!("network.{}", network.name)));
        }
    }
}

//! A network's MTU fits into its link's.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2308"),
    original: Some("DD2003 (MTU Rationality)"),
    title: "a network has a larger MTU than its link",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        let Some(link) = network.link.as_ref().and_then(|link| site.links.get(link)) else { continue };
        let (Some(mtu), Some(limit)) = (&network.mtu, &link.mtu) else { continue };
        if mtu.value > limit.value {
            let message = format!("network `{}` has MTU {mtu}, and its link `{}` has {limit}", network.name, link.name);
            let found = findings.finding(message).at(mtu.span).label(limit.span, "the link's MTU");
            findings.push(found.help("lower the network's MTU, or raise the link's").resource(format!("network.{}", network.name)));
        }
    }
}

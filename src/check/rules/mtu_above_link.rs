//! A network's MTU fits into its link's.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::{Located, Site};

pub(super) static RULE: Rule = Rule {
    code: Code("DD2308"),
    original: Some("DD2003 (MTU Rationality)"),
    title: "a network has a larger MTU than its link",
    severity: Severity::Warning,
    check: Some(check),
};

/// What a link has that says nothing.
pub(super) const USUAL: u32 = 1500;

fn check(site: &Site, findings: &mut Findings<'_>) {
    for network in site.networks.values() {
        let Some(link) = network.link.as_ref().and_then(|link| site.links.get(link)) else { continue };
        let Some(mtu) = network.mtu else { continue };
        let limit = link.mtu.unwrap_or(Located::default_value(USUAL));
        // One that is out of range is reported as that.
        if mtu.value <= limit.value || limit.value < 1280 || mtu.value > 65536 {
            continue;
        }
        let name = &network.name;
        let found = if let Some(limit) = &link.mtu {
            let message = format!("network `{name}` has MTU {mtu}, and its link `{}` has {limit}", link.name);
            findings.finding(message).at(mtu.span).label(limit.span, "the link's MTU")
        } else {
            let message = format!("network `{name}` has MTU {mtu}, and its link `{}` says none, so {USUAL} is assumed", link.name);
            findings.finding(message).at(mtu.span).label(link.name.span, "the link")
        };
        let help = "lower the network's MTU, or raise the link's";
        findings.push(found.help(help).resource(format!("network.{name}")));
    }
}

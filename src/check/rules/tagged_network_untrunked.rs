//! A link without trunking carries untagged frames only.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2305"),
    original: Some("DD2004 (Network Trunking)"),
    title: "a tagged network is on a link without trunking",
    severity: Severity::Error,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    // Several networks without trunking are reported as that.
    for link in site.links.values().filter(|link| !link.trunked.value && link.allowed_networks.len() < 2) {
        let mut seen = Vec::new();
        for name in link.native_network.iter().chain(&link.allowed_networks) {
            if seen.contains(&name.as_str()) {
                continue;
            }
            seen.push(name.as_str());
            let Some(network) = site.networks.get(&name.value) else { continue };
            let Some(vlan) = &network.vlan else { continue };
            let message = format!("network `{name}` has VLAN tag {vlan}, and link `{}` has no trunking", link.name);
            let found = findings.finding(message).at(name.span).label(vlan.span, "the tag");
            findings
                .push(found.help("remove `vlan` from the network, or set `trunking.mode: 802.1q`").resource(format!("link.{}", link.name)));
        }
    }
}

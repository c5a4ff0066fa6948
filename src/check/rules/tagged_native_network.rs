//! Frames of a link's default network carry no tag.

use crate::check::Findings;
use crate::check::registry::Rule;
use crate::diag::{Code, Severity};
use crate::model::Site;

pub(super) static RULE: Rule = Rule {
    code: Code("DD2321"),
    original: Some("DD2004 (Network Trunking)"),
    title: "the default network of a trunk has a VLAN tag",
    severity: Severity::Warning,
    check: Some(check),
};

fn check(site: &Site, findings: &mut Findings<'_>) {
    // Without trunking the same is an error of another rule.
    for link in site.links.values().filter(|link| link.trunked.value) {
        let Some(network) = link.native_network.as_ref().and_then(|native| site.networks.get(&native.value)) else { continue };
        if let Some(vlan) = &network.vlan {
            let message = format!("network `{}` has VLAN tag {vlan}, and is the default network of link `{}`", network.name, link.name);
            let found = findings.finding(message).at(vlan.span).label(link.name.span, "untagged on this link");
            let help = "remove `vlan` from the network, or `trunking.default_network` from the link";
            findings.push(found.help(help).resource(format!("link.{}", link.name)));
        }
    }
}
